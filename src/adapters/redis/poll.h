/* What hiredis needs of an event loop, on libuv. Ours because libuv reports POLLERR as a negative status
 * (UV_EBADF), which the adapter shipped with hiredis drops: refused and reset connections would never be
 * noticed. */
#ifndef CONVERSATION_REDIS_POLL_H
#define CONVERSATION_REDIS_POLL_H

struct redisAsyncContext;

/* Watches the context's socket until hiredis frees it; `gone(arg)` is called then, last, with the context
 * still readable. 0, or an errno-like libuv error. */
int redis_poll_attach(struct redisAsyncContext *ac, void (*gone)(void *arg), void *arg);

#endif
