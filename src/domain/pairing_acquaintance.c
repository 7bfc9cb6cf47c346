/* What two tickets know of each other, and when they would meet. */
#include <stdlib.h>

#include "pairing_index.h"

static bool is_stranger(const struct ticket *t, const struct uuid *user_id)
{
    return !(t->known_bits & ticket_bit_of(user_id));
}

static bool excludes(const struct ticket *t, const struct uuid *user_id)
{
    if (is_stranger(t, user_id))
        return false;
    size_t low = 0, high = t->excluded_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = uuid_cmp(&t->excluded[middle], user_id);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* When `t` last spoke to the user; 0: never. */
static int64_t last_spoke(const struct ticket *t, const struct uuid *user_id)
{
    if (is_stranger(t, user_id))
        return 0;
    size_t low = 0, high = t->past_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uuid_cmp(&t->past[middle].user_id, user_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_found = low < t->past_count && uuid_eq(&t->past[low].user_id, user_id);
    return is_found ? t->past[low].last_spoke_at_ms : 0;
}

int ticket_history_points(const struct ticket *a, const struct ticket *b, int64_t now_ms)
{
    if (!a->kind->key.history_is_known && !b->kind->key.history_is_known)
        return match_history_points(HISTORY_UNKNOWN);
    int64_t of_a = last_spoke(a, &b->user_id), of_b = last_spoke(b, &a->user_id);
    return match_history_points(match_history_at(of_a > of_b ? of_a : of_b, now_ms));
}

bool ticket_may_meet(const struct ticket *a, const struct ticket *b)
{
    return !uuid_eq(&a->user_id, &b->user_id) && !excludes(a, &b->user_id) && !excludes(b, &a->user_id);
}

int64_t ticket_meeting_ms(const struct ticket *a, const struct ticket *b, int64_t now_ms)
{
    if (a->phase != PHASE_ASLEEP)
        return now_ms;
    return a->wait_start_ms > b->wait_start_ms ? a->wait_start_ms : b->wait_start_ms;
}

bool ticket_is_in_reach(const struct ticket *a, const struct ticket *b)
{
    return a->phase != PHASE_ASLEEP || llabs(a->wait_start_ms - b->wait_start_ms) <= PAIRING_AHEAD_MS;
}
