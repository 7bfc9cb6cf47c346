/* The addresses of a host by its name, looked up in the thread pool: getaddrinfo blocks. */
#ifndef CONVERSATION_RT_ADDRESS_LOOKUP_H
#define CONVERSATION_RT_ADDRESS_LOOKUP_H

#include <stdbool.h>

#include "conversation/base/err.h"

struct addrinfo;

/* One that is under way; freed when it has ended. */
struct address_lookup;

/* It has ended, and is gone when this returns: what was found, valid during the call, or NULL and why there
 * is nothing. From the loop. */
typedef void address_lookup_fn(void *arg, const struct addrinfo *found, const char *problem);

struct address_lookup *address_lookup_start(const char *host, address_lookup_fn *done, void *arg);
void address_lookup_forget(struct address_lookup *l); /* `done` is not called any more; NULL is none */

/* The host is an address, and no name. */
bool address_is_numeric(const char *host);

#define ADDRESS_TEXT_MAX 1025 /* with the NUL */
bool address_write(const struct addrinfo *a, char out[ADDRESS_TEXT_MAX]) MUST_CHECK;

#endif
