/* offer, answer and ice_candidate: the hot path. The payload is looked at in place, validated, and its `sdp`
 * or `candidate` text is spliced into the partner's event without being decoded into a tree or encoded again.
 * See docs/signaling.md, "Validation". */
#include "flows/event/relay.h"
#include "flows/live.h"

#include <assert.h>

#include "conversation/base/json_scan.h"
#include "conversation/codec/sdp.h"
#include "conversation/config.h"

struct relay_target {
    struct live *live;
    int from; /* index of the sender */
};

static enum err find_target(struct relay_call *call, struct relay_target *out)
{
    struct live *l = live_at(call->session);
    int from = l ? live_participant(l, &call->user_id) : -1;
    if (from < 0)
        return ERR_NOT_IN_SESSION;
    struct uuid target;
    if (!json_read_uuid(call->target, &target)) {
        call->reason = "targetUserId must be a UUID";
        return ERR_INVALID_REQUEST;
    }
    if (!uuid_eq(&target, live_user_id(l, 1 - from))) {
        call->reason = "targetUserId is not the partner";
        return ERR_FORBIDDEN;
    }
    *out = (struct relay_target){.live = l, .from = from};
    return live_has_partner(l, from) ? OK : ERR_PARTNER_NOT_CONNECTED;
}

/* {"from":"<sender>","<member>":<value>}: `value` is JSON text as the sender wrote it. `member` is written as
 * it stands behind the sender's id. */
static enum err splice(const struct relay_call *call, const struct relay_target *t, const char *event,
                       struct str member, struct str value)
{
    const struct str from = STR("{\"from\":\"");
    char head[80];
    assert(from.n + UUID_TEXT_LENGTH + 1 + member.n <= sizeof head);
    memcpy(head, from.p, from.n);
    uuid_format(&call->user_id, head + from.n);
    memcpy(head + from.n + UUID_TEXT_LENGTH, member.p, member.n);
    const struct str parts[] = {{head, from.n + UUID_TEXT_LENGTH + member.n}, value, STR("}")};
    return live_emit_to_partner(t->live, t->from, event, parts, sizeof parts / sizeof parts[0]);
}

static enum err relay_description(struct relay_call *call, const char *event)
{
    static char scratch[SDP_MAX_BYTES];
    struct relay_target target;
    struct str sdp;
    enum err err = find_target(call, &target);
    if (err)
        return err;
    if (!call->value->value.p || call->value->type != SCAN_STRING) {
        call->reason = "sdp must be a string";
        return ERR_INVALID_SDP;
    }
    if (!json_wanted_text(call->value, scratch, sizeof scratch, &sdp)) {
        call->reason = "sdp is longer than 10 KiB";
        return ERR_INVALID_SDP;
    }
    err = sdp_check(sdp, &call->reason);
    if (err)
        return err;
    live_note_ufrag(target.live, target.from, sdp_ice_ufrag(sdp));
    return splice(call, &target, event, STR("\",\"sdp\":"), call->value->value);
}

enum err relay_offer(struct relay_call *call)
{
    return relay_description(call, "offer");
}

enum err relay_answer(struct relay_call *call)
{
    return relay_description(call, "answer");
}

/* RTCIceCandidateInit (W3C WebRTC, section 4.8.2). */
enum { CANDIDATE, SDP_MID, SDP_INDEX, UFRAG, INIT_MEMBERS };

/* Those but the candidate: absent, null, or of their type. */
static bool other_members_are_good(const struct json_wanted init[INIT_MEMBERS])
{
    static const enum json_type types[INIT_MEMBERS] = {
        [SDP_MID] = SCAN_STRING, [SDP_INDEX] = SCAN_NUMBER, [UFRAG] = SCAN_STRING};
    int64_t index;
    for (int i = SDP_MID; i < INIT_MEMBERS; i++) {
        bool is_there = init[i].value.p && init[i].type != SCAN_NULL;
        if (is_there && init[i].type != types[i])
            return false;
        if (is_there && i == SDP_INDEX && !str_to_int(init[i].value, 0, UINT16_MAX, &index))
            return false;
    }
    return true;
}

/* An absent or empty candidate is the end of candidates. */
static enum err check_candidate(struct relay_call *call, const struct json_wanted *candidate)
{
    static char scratch[CANDIDATE_MAX_BYTES];
    struct str text;
    if (!candidate->value.p)
        return OK;
    if (candidate->type != SCAN_STRING) {
        call->reason = "candidate.candidate must be a string";
        return ERR_INVALID_CANDIDATE;
    }
    if (!json_wanted_text(candidate, scratch, sizeof scratch, &text)) {
        call->reason = "candidate.candidate is longer than 1 KiB";
        return ERR_INVALID_CANDIDATE;
    }
    return ice_candidate_check(text, &call->reason);
}

static enum err check_init(struct relay_call *call)
{
    struct json_wanted init[INIT_MEMBERS] = {[CANDIDATE] = {.key = STR("candidate")},
                                             [SDP_MID] = {.key = STR("sdpMid")},
                                             [SDP_INDEX] = {.key = STR("sdpMLineIndex")},
                                             [UFRAG] = {.key = STR("usernameFragment")}};
    struct str value = call->value->value;
    call->reason = NULL;
    if (!value.p)
        call->reason = "candidate is missing";
    else if (call->value->type != SCAN_OBJECT)
        call->reason = "candidate must be an RTCIceCandidateInit object";
    else if (value.n > 2 * CANDIDATE_MAX_BYTES)
        call->reason = "candidate is too long";
    if (call->reason)
        return ERR_INVALID_CANDIDATE;
    json_find(call->index, call->value, init, INIT_MEMBERS);
    if (!other_members_are_good(init)) {
        call->reason = "candidate has an sdpMid, sdpMLineIndex or usernameFragment of a wrong type";
        return ERR_INVALID_CANDIDATE;
    }
    return check_candidate(call, &init[CANDIDATE]);
}

enum err relay_ice_candidate(struct relay_call *call)
{
    struct relay_target target;
    enum err err = find_target(call, &target);
    if (!err)
        err = check_init(call);
    if (err)
        return err;
    if (!live_count_candidate(target.live, target.from, config.rate_limit_ice_candidates))
        return ERR_RATE_LIMITED;
    return splice(call, &target, "ice_candidate", STR("\",\"candidate\":"), call->value->value);
}
