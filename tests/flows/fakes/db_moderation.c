/* Reports, blocks and flags in memory. */
#include "flows/fakes/db_moderation.h"

#include "conversation/base/arena.h"
#include "conversation/base/clock.h"
#include "flows/fakes/db.h"
#include "flows/fakes/port.h"

struct fake_moderation fake_moderation;

struct db_ids fake_excluded(struct flow *f, const struct uuid *user_id)
{
    struct uuid *items = ARENA_ARRAY(flow_arena(f), struct uuid, FAKE_REPORTS_MAX + FAKE_BLOCKS_MAX);
    struct db_ids ids = {.items = items};
    for (size_t i = 0; i < fake_moderation.report_count; i++) {
        const struct fake_report *r = &fake_moderation.reports[i];
        if (uuid_eq(&r->reporter_id, user_id))
            items[ids.count++] = r->reported_user_id;
        else if (uuid_eq(&r->reported_user_id, user_id))
            items[ids.count++] = r->reporter_id;
    }
    for (size_t i = 0; i < fake_moderation.block_count; i++) {
        const struct db_block *b = &fake_moderation.blocks[i];
        if (uuid_eq(&b->user_id, user_id))
            items[ids.count++] = b->blocked_id;
        else if (uuid_eq(&b->blocked_id, user_id))
            items[ids.count++] = b->user_id;
    }
    return ids;
}

static struct db_ids pending_of(struct flow *f, const struct uuid *one, const struct uuid *other)
{
    struct uuid *items = ARENA_ARRAY(flow_arena(f), struct uuid, fake_db.request_count + 1);
    struct db_ids ids = {.items = items};
    for (size_t i = 0; i < fake_db.request_count; i++) {
        const struct match_request *r = &fake_db.requests[i];
        if (r->status == MATCH_PENDING && (uuid_eq(&r->user_id, one) || uuid_eq(&r->user_id, other)))
            items[ids.count++] = r->id;
    }
    return ids;
}

static struct db_ids arranged_by(struct flow *f, const struct db_block *two, const struct uuid *except)
{
    struct uuid *items = ARENA_ARRAY(flow_arena(f), struct uuid, FAKE_SESSIONS_MAX);
    struct db_ids ids = {.items = items};
    for (size_t i = 0; i < fake_db.session_count; i++) {
        const struct session *s = &fake_db.sessions[i];
        int one = session_participant_index(s, &two->user_id);
        if (one >= 0 && session_participant_index(s, &two->blocked_id) == 1 - one && s->scheduled_at_ms &&
            s->status == SESSION_WAITING && !s->participants[one].joined_at_ms && !uuid_eq(&s->id, except))
            items[ids.count++] = s->id;
    }
    return ids;
}

/* --- reports --- */

static struct fake_report *find_report(const struct db_report *wanted)
{
    for (size_t i = 0; i < fake_moderation.report_count; i++) {
        struct fake_report *r = &fake_moderation.reports[i];
        if (uuid_eq(&r->session_id, &wanted->session_id) && uuid_eq(&r->reporter_id, &wanted->reporter_id))
            return r;
    }
    return NULL;
}

static struct fake_report *add_report(const struct session *s, const struct db_report *report)
{
    struct fake_report *r = &fake_moderation.reports[fake_moderation.report_count++];
    int who = session_participant_index(s, &report->reporter_id);
    *r = (struct fake_report){.id = uuid_random(),
                              .session_id = report->session_id,
                              .reporter_id = report->reporter_id,
                              .reported_user_id = s->participants[1 - who].user_id,
                              .reason = report->reason};
    if (report->details.p)
        (void)str_copy(report->details, r->details, sizeof r->details);
    return r;
}

void db_session_report(struct flow *f, const struct db_report *report, struct db_reported *out)
{
    struct port_call *call = port_begin(f, DB_SESSION_REPORT);
    const struct session *s = fake_session(&report->session_id);
    struct db_reported reported = {.is_new = false};
    if (!s || session_participant_index(s, &report->reporter_id) < 0) {
        port_answer(call, ERR_SESSION_NOT_FOUND, NULL, NULL, 0);
        return;
    }
    struct fake_report *row = find_report(report);
    if (!row && port_takes_effect(call)) {
        row = add_report(s, report);
        reported.is_new = true;
        reported.is_flagged = fake_moderation.flags_the_reported;
    }
    if (row) {
        reported.report_id = row->id;
        reported.reported_user_id = row->reported_user_id;
    }
    reported.is_running = !session_is_over(s);
    const struct db_block two = {report->reporter_id, reported.reported_user_id};
    reported.arranged = arranged_by(f, &two, &report->session_id);
    reported.requests = pending_of(f, &reported.reported_user_id, &report->reporter_id);
    port_answer(call, OK, out, &reported, sizeof reported);
}

/* --- blocks --- */

static size_t find_block(const struct db_block *b)
{
    size_t i = 0;
    while (i < fake_moderation.block_count && memcmp(&fake_moderation.blocks[i], b, sizeof *b) != 0)
        i++;
    return i;
}

void db_user_block(struct flow *f, const struct db_block *block, struct db_blocked *out)
{
    struct port_call *call = port_begin(f, DB_USER_BLOCK);
    struct db_blocked blocked = {.changed = find_block(block) == fake_moderation.block_count};
    if (blocked.changed && port_takes_effect(call))
        fake_moderation.blocks[fake_moderation.block_count++] = *block;
    static const struct uuid nil;
    blocked.requests = pending_of(f, &block->user_id, &block->blocked_id);
    blocked.arranged = arranged_by(f, block, &nil);
    port_answer(call, OK, out, &blocked, sizeof blocked);
}

void db_user_unblock(struct flow *f, const struct db_block *block, struct db_blocked *out)
{
    struct port_call *call = port_begin(f, DB_USER_UNBLOCK);
    size_t at = find_block(block);
    struct db_blocked blocked = {.changed = at < fake_moderation.block_count};
    if (blocked.changed && port_takes_effect(call))
        fake_moderation.blocks[at] = fake_moderation.blocks[--fake_moderation.block_count];
    blocked.requests = pending_of(f, &block->user_id, &block->blocked_id);
    port_answer(call, OK, out, &blocked, sizeof blocked);
}

void db_user_blocks(struct flow *f, const struct db_blocks_query *q, struct db_blocks *out)
{
    struct port_call *call = port_begin(f, DB_USER_BLOCKS);
    const struct db_blocks found = {fake_moderation.listed, fake_moderation.listed_count,
                                    fake_moderation.listed_total};
    fake_moderation.asked.blocks = *q;
    port_answer(call, OK, out, &found, sizeof found);
}

/* --- flags --- */

void db_flags(struct flow *f, const struct db_flags_query *q, struct db_flags *out)
{
    struct port_call *call = port_begin(f, DB_FLAGS);
    const struct db_flags found = {fake_moderation.flags, fake_moderation.flag_count,
                                   fake_moderation.flag_total};
    fake_moderation.asked.flags = *q;
    port_answer(call, OK, out, &found, sizeof found);
}

static void close_flag(struct db_flag *flag, const struct db_review *review)
{
    flag->reviewed_at_ms = clock_now_ms();
    flag->reviewed_by = review->reviewer_id;
    flag->decision = review->decision;
    flag->notes = review->notes.p ? fake_moderation.asked.notes : NULL;
}

void db_flag_review(struct flow *f, const struct db_review *review, struct db_flag *out)
{
    struct port_call *call = port_begin(f, DB_FLAG_REVIEW);
    struct db_flag *flag = NULL;
    fake_moderation.asked.review = *review;
    if (review->notes.p)
        (void)str_copy(review->notes, fake_moderation.asked.notes, sizeof fake_moderation.asked.notes);
    for (size_t i = 0; i < fake_moderation.flag_count; i++)
        if (uuid_eq(&fake_moderation.flags[i].user_id, &review->user_id))
            flag = &fake_moderation.flags[i];
    if (flag && !flag->reviewed_at_ms && port_takes_effect(call))
        close_flag(flag, review);
    port_answer(call, flag ? OK : ERR_NOT_FOUND, out, flag, flag ? sizeof *flag : 0);
}
