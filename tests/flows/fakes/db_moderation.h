/* Fake of ports/db_moderation.h: reports and blocks in memory, flags as the test puts them. */
#ifndef TESTS_FLOWS_FAKES_DB_MODERATION_H
#define TESTS_FLOWS_FAKES_DB_MODERATION_H

#include "conversation/ports/db_moderation.h"

enum { FAKE_REPORTS_MAX = 8, FAKE_BLOCKS_MAX = 8, FAKE_FLAGS_MAX = 4 };

struct fake_report {
    struct uuid id, session_id, reporter_id, reported_user_id;
    enum report_reason reason;
    char details[64]; /* "": none */
};

struct fake_moderation {
    struct fake_report reports[FAKE_REPORTS_MAX];
    size_t report_count;
    bool flags_the_reported; /* by the next report that is new */
    struct db_block blocks[FAKE_BLOCKS_MAX];
    size_t block_count;
    struct db_block_entry listed[FAKE_BLOCKS_MAX]; /* what db_user_blocks answers */
    size_t listed_count;
    int64_t listed_total;
    struct db_flag flags[FAKE_FLAGS_MAX]; /* what db_flags answers */
    size_t flag_count;
    int64_t flag_total;

    /* what the flows asked with, last */
    struct {
        struct db_blocks_query blocks;
        struct db_flags_query flags;
        struct db_review review;
        char notes[64];
    } asked;
};
extern struct fake_moderation fake_moderation;

/* Whom the user must not meet, in the flow's arena. */
struct db_ids fake_excluded(struct flow *f, const struct uuid *user_id);

#endif
