/* Fake of the edge as flows see it (edge/reply.h): callers that make a call and keep the answer. */
#ifndef TESTS_FLOWS_FAKES_REPLY_H
#define TESTS_FLOWS_FAKES_REPLY_H

#include "conversation/edge/reply.h"

/* One REST call or socket event, and what became of it. Owned by the fake until reply_reset. */
struct caller {
    struct identity who;
    uint64_t socket_id; /* 0: a REST call */
    int64_t token_expires_ms;

    struct flow *flow; /* NULL once it has ended */
    int answers;
    int status;                          /* HTTP; 0 for an ack */
    enum err err;                        /* OK: it succeeded */
    const char *key;                     /* borrowed from the call_input */
    char *body, *details, *content_type; /* NULL when there was none */
    int64_t waited_ms;                   /* what the flow said */
    struct {
        const char *action; /* NULL: nothing is audited */
        struct uuid user_id, session_id;
    } audit;
    struct caller *next;
};

/* What the call carries, in single-quoted JSON; NULL where nothing. */
struct call_input {
    const char *id, *code, *whom; /* :id, :code and :userId of the path */
    const char *query;            /* "a=b&c=d" */
    const char *body;
    const char *key; /* Idempotency-Key */
};

struct caller *
caller_of(const char *user_id); /* free tier, named after nothing; change `who` before the call */
/* Decodes the input as the edge does and starts the flow. */
void caller_start(struct caller *c, const struct handler *handler, const struct call_input *input);

/* A REST call of a user. */
#define rest_call(user_id, handler, ...) \
    rest_call_of((user_id), &(handler), &(struct call_input){__VA_ARGS__})
struct caller *rest_call_of(const char *user_id, const struct handler *handler,
                            const struct call_input *input);
/* A socket's event, which asks for an ack. */
struct caller *event_call(const char *user_id, uint64_t socket_id, const struct handler *handler,
                          const char *payload);

void reply_set_draining(bool is_draining);
void reply_reset(void); /* frees the callers */

/* Exactly one answer: this status and body; this ack; this error with details (NULL: none). */
#define assert_answer(c, status, body) assert_answer_at((c), OK, (status), (body), __FILE__, __LINE__)
#define assert_ack(c, body)            assert_answer_at((c), OK, 0, (body), __FILE__, __LINE__)
#define assert_refused(c, err, details) \
    assert_answer_at((c), (err), err_info(err)->http_status, (details), __FILE__, __LINE__)
void assert_answer_at(const struct caller *c, enum err err, int status, const char *json, const char *file,
                      int line);

#endif
