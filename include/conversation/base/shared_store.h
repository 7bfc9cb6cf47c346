/* Bytes under keys that several processes share; each key has one owner at a time. An interface, so that who
 * keeps something there need not know what keeps it. All of it may be lost at any time, and every answer
 * comes from the loop, never from inside the call. */
#ifndef CONVERSATION_BASE_SHARED_STORE_H
#define CONVERSATION_BASE_SHARED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

#define SHARED_PARTS_MAX 3

enum shared_write_kind {
    SHARED_PUT,    /* this is all of it, and it is ours, unless it is another's */
    SHARED_APPEND, /* to what is ours; no bytes: only for how long it is kept */
    SHARED_REMOVE  /* if it is ours */
};

struct shared_write {
    enum shared_write_kind kind;
    struct uuid key;
    struct str parts[SHARED_PARTS_MAX]; /* concatenated; copied during the call */
    int64_t keep_ms;                    /* from now on */
};

enum shared_written {
    SHARED_DONE,
    SHARED_ABSENT, /* nothing to append to */
    SHARED_MOVED   /* it is another's now */
};

enum shared_taken {
    SHARED_TAKEN,   /* it is ours now, and nobody else can take it until we have put it */
    SHARED_OURS,    /* it was before */
    SHARED_ANOTHER, /* somebody else has just taken it, or its owner has been dead for too long */
    SHARED_NONE,    /* there is nothing */
    SHARED_UNKNOWN  /* the store did not answer */
};

/* `results`: enum shared_written of each write; NULL: it is not known what was written. */
typedef void shared_written_fn(void *arg, const uint8_t *results);
typedef void shared_taken_fn(void *arg, enum shared_taken what, struct str bytes);

struct shared_listener {
    void (*back)(void *arg); /* the store is there (again), and may have forgotten everything */
    /* Somebody else may have taken this key: what is written next to it tells. */
    void (*doubt)(void *arg, const struct uuid *key);
    void *arg;
};

struct shared_store {
    /* One listener; NULL: none any more. */
    void (*listen)(const struct shared_listener *listener);
    /* True: `done` is called exactly once. False: the store is away, and nothing was done. Writes and takes
     * are carried out in the order of the calls. */
    bool (*write)(const struct shared_write *writes, size_t count, shared_written_fn *done, void *arg);
    bool (*take)(const struct uuid *key, shared_taken_fn *done, void *arg);
};

#endif
