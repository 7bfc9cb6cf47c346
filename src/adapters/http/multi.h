/* libcurl's multi interface on the loop: its sockets are uv_poll handles, its timer is the wheel's. Private
 * to the HTTP client. */
#ifndef CONVERSATION_HTTP_MULTI_H
#define CONVERSATION_HTTP_MULTI_H

#include <curl/curl.h>

#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

struct http_multi {
    /* A transfer has ended, from the loop; it is out of the multi handle already and the caller's again. */
    void (*ended)(CURL *easy, CURLcode result);

    /* the rest is multi.c's */
    CURLM *curl;
    struct timer timer;
    struct loop_task task; /* a timer of 0 ms: this turn, not a tick of the wheel later */
};

void http_multi_init(struct http_multi *m, long connections_max);
void http_multi_add(struct http_multi *m, CURL *easy); /* never ends inside this call */
/* Ends a transfer without a word; its connection is closed. */
void http_multi_remove(struct http_multi *m, CURL *easy);
/* Closes idle connections; no transfer may be left. The loop needs another turn for the handles. */
void http_multi_done(struct http_multi *m);

#endif
