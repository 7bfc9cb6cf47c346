/* JSON logs: one object a line on standard output, written whole (docs/operations.md, "Logs").
 * Field values are ids and numbers, never tokens, bodies, SDP or secrets. */
#ifndef CONVERSATION_BASE_LOG_H
#define CONVERSATION_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/uuid.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_kind { LOG_KIND_STR, LOG_KIND_UUID, LOG_KIND_UUIDS, LOG_KIND_INT, LOG_KIND_BOOL };

struct log_field {
    const char *name;
    enum log_kind kind;
    union {
        const char *z;           /* NULL: the field is left out */
        const struct uuid *uuid; /* UUIDS: two of them, written as an array */
        int64_t i;
    };
};

#define LOG_Z(name_, z_)    ((struct log_field){.name = (name_), .kind = LOG_KIND_STR, .z = (z_)})
#define LOG_UUID(name_, u_) ((struct log_field){.name = (name_), .kind = LOG_KIND_UUID, .uuid = (u_)})
#define LOG_UUID_PAIR(name_, two_) \
    ((struct log_field){.name = (name_), .kind = LOG_KIND_UUIDS, .uuid = (two_)})
#define LOG_INT(name_, i_)  ((struct log_field){.name = (name_), .kind = LOG_KIND_INT, .i = (i_)})
#define LOG_BOOL(name_, b_) ((struct log_field){.name = (name_), .kind = LOG_KIND_BOOL, .i = (b_)})

/* LOG(LOG_INFO, "conversation.matched", LOG_UUID("sessionId", &id), LOG_INT("compatibilityScore", 100)); */
#define LOG(level, event, ...)                                                                     \
    do {                                                                                           \
        if ((level) >= log_threshold())                                                            \
            log_write((level), (event), (const struct log_field[]){__VA_ARGS__},                   \
                      sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)); \
    } while (0)

/* Borrows `service` for the process's life. SIGPIPE is ignored from here on. Loop thread only. */
void log_init(const char *service, enum log_level threshold);
void log_done(void); /* frees the line buffer; logging still works */
enum log_level log_threshold(void);
void log_set_threshold(enum log_level threshold);
/* For lines that clients can cause, and cause again: true at most once in ten seconds for each *last_ms,
 * which begins as 0. */
bool log_is_time(int64_t *last_ms);
bool log_level_parse(const char *name, enum log_level *out); /* debug, info, warn, error; any case */
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

#endif
