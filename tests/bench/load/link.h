/* TCP connections to the server under test: one epoll loop, bytes in through a callback, bytes out collected
 * and sent once per turn. Whatever goes wrong ends the program: a measurement with errors in it is none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    char *p;
    size_t n, size;
};

struct link {
    int fd;
    bool is_dirty;   /* stands in the list of those with bytes to send */
    struct bytes in; /* received and not yet dealt with: the begin of something */
    struct bytes out;
    /* Looks at the `n` bytes and answers how many of them are dealt with; called again with the rest as long
     * as that is not 0. */
    size_t (*received)(struct link *l, const char *p, size_t n);
};

_Noreturn __attribute__((format(printf, 1, 2))) void die(const char *format, ...);
void *must_alloc(size_t count, size_t size);
int64_t now_ns(void);

void bytes_add(struct bytes *b, const void *p, size_t n);
void bytes_add_text(struct bytes *b, const char *text);
void bytes_drop(struct bytes *b, size_t n);

/* Connects to 127.0.0.1; waits for it. */
void link_open(struct link *l, int port, size_t (*received)(struct link *, const char *, size_t));
void link_send(struct link *l, const void *p, size_t n);

/* Waits at most until `until_ns` for bytes, hands them out, sends what was collected. */
void link_turn(int64_t until_ns);
