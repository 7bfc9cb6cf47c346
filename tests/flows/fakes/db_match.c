/* Match requests in memory. */
#include <stdlib.h>

#include "conversation/base/arena.h"
#include "conversation/base/clock.h"
#include "flows/fakes/db.h"
#include "flows/fakes/db_moderation.h"
#include "flows/fakes/port.h"

struct match_request *fake_request(const struct uuid *id)
{
    for (size_t i = 0; i < fake_db.request_count; i++) {
        if (uuid_eq(&fake_db.requests[i].id, id))
            return &fake_db.requests[i];
    }
    return NULL;
}

static struct match_request *live_request_of(const struct uuid *user_id, enum match_mode mode)
{
    for (size_t i = 0; i < fake_db.request_count; i++) {
        struct match_request *r = &fake_db.requests[i];
        if (uuid_eq(&r->user_id, user_id) && r->status == MATCH_PENDING && r->mode == mode)
            return r;
    }
    return NULL;
}

static const struct topic *topic_in(const char *code, struct str language)
{
    for (size_t i = 0; i < fake_db.topic_count; i++) {
        const struct topic *t = &fake_db.topics[i];
        if (strcmp(t->code, code) == 0 && str_eqz(language, t->language))
            return t;
    }
    return NULL;
}

static const struct topic *topic_of(const struct db_admission_query *q)
{
    struct str language = str_of(q->language);
    const struct topic *t = topic_in(q->topic_code, language);
    return t ? t : topic_in(q->topic_code, language_base(language));
}

static struct db_first_result first_result(const struct uuid *user_id, const struct db_repeatable *repeatable)
{
    for (size_t i = 0; repeatable->key.p && i < fake_db.request_count; i++) {
        const struct match_request *r = &fake_db.requests[i];
        const struct fake_key *k = &fake_db.keys[i];
        if (!uuid_eq(&r->user_id, user_id) || !str_eqz(repeatable->key, k->key) ||
            r->created_at_ms <= clock_now_ms() - DB_KEY_KEPT_MS)
            continue;
        return (struct db_first_result){.is_found = true,
                                        .is_same = str_eqz(repeatable->asked, k->asked),
                                        .request_id = r->id,
                                        .estimated_wait_seconds = k->estimated_wait_seconds,
                                        .expires_at_ms = r->expires_at_ms};
    }
    return (struct db_first_result){.is_found = false};
}

void db_match_first_result(struct flow *f, const struct uuid *user_id, const struct db_repeatable *repeatable,
                           struct db_first_result *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_FIRST_RESULT);
    struct db_first_result first = first_result(user_id, repeatable);
    port_answer(call, OK, out, &first, sizeof first);
}

void db_match_admission(struct flow *f, const struct db_admission_query *q, struct db_admission *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_ADMISSION);
    const struct topic *t = topic_of(q);
    struct db_admission admission = {
        .first = first_result(&q->user_id, &q->repeatable),
        .topic_found = t != NULL,
        .week = fake_db.week,
        .has_live_session = fake_user_is_busy(&q->user_id, &q->time),
        .has_live_request = live_request_of(&q->user_id, q->time.mode) != NULL,
    };
    if (t)
        admission.topic = *t;
    fake_db.asked.admission = *q;
    (void)str_copy(str_of(q->language), fake_db.asked.admission_language, LANG_MAX);
    (void)str_copy(str_of(q->topic_code), fake_db.asked.admission_topic, TOPIC_MAX);
    port_answer(call, OK, out, &admission, sizeof admission);
}

static enum err insert(const struct match_request *r, const struct db_insert_terms *terms)
{
    struct fake_key *key = &fake_db.keys[fake_db.request_count];
    const struct db_time time = {
        .mode = r->mode, .from_ms = match_wait_start_ms(r), .until_ms = terms->free_until_ms};
    if (live_request_of(&r->user_id, r->mode) || first_result(&r->user_id, &terms->repeatable).is_found)
        return ERR_ALREADY_MATCHED;
    if (fake_user_is_busy(&r->user_id, &time))
        return ERR_ALREADY_IN_SESSION;
    if (terms->weekly_limit && fake_db.week.used + fake_db.week.reserved >= terms->weekly_limit)
        return ERR_DAILY_LIMIT_REACHED;
    struct match_request *row = &fake_db.requests[fake_db.request_count++];
    *row = *r;
    row->history = NULL; /* the flow's memory; the tables that they come from are not kept here */
    row->excluded = NULL;
    row->history_count = row->excluded_count = 0;
    *key = (struct fake_key){.estimated_wait_seconds = terms->estimated_wait_seconds};
    (void)str_copy(terms->repeatable.key, key->key, sizeof key->key);
    (void)str_copy(terms->repeatable.asked, key->asked, sizeof key->asked);
    return OK;
}

void db_match_request_insert(struct flow *f, const struct match_request *r,
                             const struct db_insert_terms *terms, struct db_week *week)
{
    struct port_call *call = port_begin(f, DB_MATCH_REQUEST_INSERT);
    fake_db.asked.inserted = *r;
    fake_db.asked.terms = *terms;
    *week = fake_db.week; /* also when it is refused */
    port_answer(call, port_takes_effect(call) ? insert(r, terms) : OK, NULL, NULL, 0);
}

static void cancel(struct port_call *call, const struct uuid *id, const struct uuid *user_id,
                   struct db_cancel *out)
{
    struct match_request *r = fake_request(id);
    struct db_cancel result = {.changed = false};
    if (!r || !uuid_eq(&r->user_id, user_id)) {
        port_answer(call, ERR_MATCH_REQUEST_NOT_FOUND, NULL, NULL, 0);
        return;
    }
    if (port_takes_effect(call) && r->status == MATCH_PENDING) {
        r->status = MATCH_CANCELLED;
        result.changed = true;
    }
    result.request = *r;
    port_answer(call, OK, out, &result, sizeof result);
}

void db_match_request_cancel(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                             struct db_cancel *out)
{
    cancel(port_begin(f, DB_MATCH_REQUEST_CANCEL), id, user_id, out);
}

void db_match_request_take_back(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                                struct db_cancel *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_TAKE_BACK);
    const struct match_request *r = fake_request(id);
    if (r && port_takes_effect(call))
        fake_db.keys[r - fake_db.requests].key[0] = '\0';
    cancel(call, id, user_id, out);
}

void db_match_request_latest(struct flow *f, const struct uuid *user_id, struct match_request *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_REQUEST_LATEST);
    const struct match_request *r = live_request_of(user_id, MATCH_NOW);
    if (!r)
        r = live_request_of(user_id, MATCH_SCHEDULED);
    for (size_t i = fake_db.request_count; !r && i > 0; i--) {
        if (uuid_eq(&fake_db.requests[i - 1].user_id, user_id))
            r = &fake_db.requests[i - 1];
    }
    port_answer(call, r ? OK : ERR_MATCH_REQUEST_NOT_FOUND, out, r, r ? sizeof *r : 0);
}

void db_match_request_get(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                          struct match_request *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_REQUEST_GET);
    const struct match_request *r = fake_request(id);
    bool is_theirs = r && uuid_eq(&r->user_id, user_id);
    port_answer(call, is_theirs ? OK : ERR_MATCH_REQUEST_NOT_FOUND, out, r, is_theirs ? sizeof *r : 0);
}

void db_match_requests_settled(struct flow *f, const struct uuid *request_ids, size_t count,
                               struct db_ids *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_REQUESTS_SETTLED);
    struct uuid *ids = ARENA_ARRAY(flow_arena(f), struct uuid, count + 1);
    struct db_ids users = {.items = ids};
    for (size_t i = 0; i < count; i++) {
        const struct match_request *r = fake_request(&request_ids[i]);
        if (r && r->status != MATCH_PENDING)
            ids[users.count++] = r->user_id;
    }
    port_answer(call, OK, out, &users, sizeof users);
}

/* --- claims --- */

static struct participant participant_of(const struct match_request *r)
{
    struct participant p = {.user_id = r->user_id};
    memcpy(p.display_name, r->display_name, sizeof p.display_name);
    memcpy(p.avatar_url, r->avatar_url, sizeof p.avatar_url);
    memcpy(p.native_language, r->native_language, sizeof p.native_language);
    memcpy(p.target_language, r->target_language, sizeof p.target_language);
    return p;
}

static void match(struct match_request *r, const struct match_request *partner, const struct db_claim *claim)
{
    r->status = MATCH_MATCHED;
    r->matched_at_ms = clock_now_ms();
    r->session_id = claim->session_id;
    r->partner_id = partner->user_id;
    r->compatibility_score = claim->score;
    r->level_difference = claim->level_difference;
    r->session_scheduled_at_ms = claim->scheduled_at_ms;
}

static struct db_time claim_time(const struct db_claim *claim)
{
    int64_t at = claim->scheduled_at_ms ? claim->scheduled_at_ms : clock_now_ms();
    int64_t lasts_ms = claim->scheduled_at_ms ? claim->max_duration_seconds * 1000LL : 0;
    return (struct db_time){.mode = claim->scheduled_at_ms ? MATCH_SCHEDULED : MATCH_NOW,
                            .from_ms = at,
                            .until_ms = at + lasts_ms + SESSION_OPENS_EARLY_MS};
}

static enum err claim_pair(const struct db_claim *claim, struct session *out)
{
    struct match_request *a = fake_request(&claim->first_id), *b = fake_request(&claim->second_id);
    const struct db_time time = claim_time(claim);
    if (!a || !b || a->status != MATCH_PENDING || b->status != MATCH_PENDING ||
        fake_user_is_busy(&a->user_id, &time) || fake_user_is_busy(&b->user_id, &time))
        return ERR_CONFLICT;
    match(a, b, claim);
    match(b, a, claim);
    struct session *s = &fake_db.sessions[fake_db.session_count++];
    *s = (struct session){
        .id = claim->session_id,
        .type = claim->is_tandem ? SESSION_TANDEM : SESSION_PRACTICE,
        .created_at_ms = clock_now_ms(),
        .scheduled_at_ms = claim->scheduled_at_ms,
        .max_duration_seconds = claim->max_duration_seconds,
        .participants = {participant_of(a), participant_of(b)},
    };
    memcpy(s->target_language, a->target_language, sizeof s->target_language);
    memcpy(s->topic_code, a->topic_code, sizeof s->topic_code);
    *out = *s;
    return OK;
}

void db_match_claim(struct flow *f, const struct db_claim *claim, struct session *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_CLAIM);
    struct session s = {0};
    fake_db.asked.claim = *claim;
    enum err err = port_takes_effect(call) ? claim_pair(claim, &s) : OK;
    port_answer(call, err, out, &s, sizeof s);
}

/* --- expiry and load --- */

void db_match_requests_expire(struct flow *f, const struct uuid *ids, size_t count,
                              struct db_match_requests *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_REQUESTS_EXPIRE);
    struct match_request *items = ARENA_ARRAY(flow_arena(f), struct match_request, count + 1);
    struct db_match_requests expired = {.items = items};
    memcpy(fake_db.asked.expired, ids, count * sizeof *ids);
    fake_db.asked.expired_count = count;
    for (size_t i = 0; port_takes_effect(call) && i < count; i++) {
        struct match_request *r = fake_request(&ids[i]);
        if (!r || (r->status != MATCH_PENDING && r->status != MATCH_EXPIRED) ||
            r->expires_at_ms > clock_now_ms())
            continue;
        r->status = MATCH_EXPIRED;
        items[expired.count++] = *r;
    }
    port_answer(call, OK, out, &expired, sizeof expired);
}

static int compare_ids(const void *a, const void *b)
{
    return uuid_cmp(a, b);
}

void db_match_requests_pending(struct flow *f, const struct uuid *after, int limit, struct db_ids *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_REQUESTS_PENDING);
    struct uuid *items = ARENA_ARRAY(flow_arena(f), struct uuid, fake_db.request_count + 1);
    struct db_ids pending = {.items = items};
    for (size_t i = 0; i < fake_db.request_count; i++) {
        const struct match_request *r = &fake_db.requests[i];
        if (r->status == MATCH_PENDING && uuid_cmp(&r->id, after) > 0)
            items[pending.count++] = r->id;
    }
    qsort(items, pending.count, sizeof *items, compare_ids);
    if (pending.count > (size_t)limit)
        pending.count = (size_t)limit;
    port_answer(call, OK, out, &pending, sizeof pending);
}

void db_match_requests_by_id(struct flow *f, const struct uuid *ids, size_t count,
                             struct db_match_requests *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_REQUESTS_BY_ID);
    struct match_request *items = ARENA_ARRAY(flow_arena(f), struct match_request, count + 1);
    struct db_match_requests found = {.items = items};
    for (size_t i = 0; i < count; i++) {
        const struct match_request *r = fake_request(&ids[i]);
        if (r && r->status == MATCH_PENDING &&
            (match_wait_start_ms(r) > clock_now_ms() || !fake_user_is_in_live_session(&r->user_id))) {
            struct db_ids excluded = fake_excluded(f, &r->user_id);
            items[found.count] = *r;
            items[found.count].excluded = excluded.items;
            items[found.count].excluded_count = excluded.count;
            items[found.count++].history_is_known = true;
        }
    }
    port_answer(call, OK, out, &found, sizeof found);
}

void db_match_waits(struct flow *f, struct db_waits *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_WAITS);
    const struct db_waits waits = {fake_db.waits, fake_db.wait_count};
    port_answer(call, OK, out, &waits, sizeof waits);
}

void db_match_unjoined(struct flow *f, int64_t since_ms, struct db_paired_list *out)
{
    struct port_call *call = port_begin(f, DB_MATCH_UNJOINED);
    struct db_paired *items = ARENA_ARRAY(flow_arena(f), struct db_paired, fake_db.request_count + 1);
    struct db_paired_list paired = {.items = items};
    for (size_t i = 0; i < fake_db.request_count; i++) {
        const struct match_request *r = &fake_db.requests[i];
        const struct session *s = r->status == MATCH_MATCHED ? fake_session(&r->session_id) : NULL;
        int who = s ? session_participant_index(s, &r->user_id) : -1;
        if (who >= 0 && s->status == SESSION_WAITING && s->created_at_ms >= since_ms &&
            !s->participants[who].joined_at_ms)
            items[paired.count++] =
                (struct db_paired){r->id, *s, who, r->level_difference, fake_db.asked.claim.is_any_level};
    }
    port_answer(call, OK, out, &paired, sizeof paired);
}
