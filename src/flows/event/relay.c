/* offer, answer and ice_candidate: the hot path. The payload is looked at in place, validated, and its `sdp`
 * or `candidate` text is spliced into the partner's event without being decoded into a tree or encoded again.
 * See docs/signaling.md, "Validation". */
#include "flows/event/relay.h"
#include "flows/live.h"

#include "conversation/base/json_scan.h"
#include "conversation/codec/sdp.h"
#include "conversation/config.h"
#include "conversation/ports/sockets.h"

struct relay_target {
    struct live *live;
    int from; /* index of the sender */
    uint64_t to_socket;
};

static enum err find_target(struct relay_call *call, struct relay_target *out)
{
    struct live *l = live_get(&call->session_id);
    int from = l ? session_participant_index(live_session(l), &call->user_id) : -1;
    if (from < 0)
        return ERR_NOT_IN_SESSION;
    struct str value;
    enum json_type type;
    char text[UUID_TEXT_LENGTH];
    size_t n;
    struct uuid target;
    if (!json_member(call->payload, "targetUserId", &value, &type) || type != JSON_STRING ||
        !json_unescape(value, text, sizeof text, &n) || !uuid_parse((struct str){text, n}, &target)) {
        call->reason = "targetUserId must be a UUID";
        return ERR_INVALID_REQUEST;
    }
    if (!uuid_eq(&target, &live_session(l)->participants[1 - from].user_id)) {
        call->reason = "targetUserId is not the partner";
        return ERR_FORBIDDEN;
    }
    uint64_t socket_id = live_partner_socket(l, from);
    if (!socket_id)
        return ERR_PARTNER_NOT_CONNECTED;
    *out = (struct relay_target){.live = l, .from = from, .to_socket = socket_id};
    return OK;
}

/* {"from":"<sender>","<member>":<value>}: `value` is JSON text as the sender wrote it. */
static void splice(const struct relay_call *call, const struct relay_target *t, const char *event,
                   struct str member, struct str value)
{
    char from[UUID_TEXT_LENGTH + 1];
    uuid_format(&call->user_id, from);
    const struct str parts[] = {STR("{\"from\":\""), {from, UUID_TEXT_LENGTH}, member, value, STR("}")};
    sockets_emit(t->to_socket, event, parts, sizeof parts / sizeof parts[0]);
}

static enum err relay_description(struct relay_call *call, const char *event)
{
    static char sdp[SDP_MAX_BYTES + 1];
    struct relay_target target;
    struct str value;
    enum json_type type;
    size_t n;
    enum err err = find_target(call, &target);
    if (err)
        return err;
    if (!json_member(call->payload, "sdp", &value, &type) || type != JSON_STRING) {
        call->reason = "sdp must be a string";
        return ERR_INVALID_SDP;
    }
    if (!json_unescape(value, sdp, sizeof sdp, &n)) {
        call->reason = "sdp is longer than 10 KiB";
        return ERR_INVALID_SDP;
    }
    err = sdp_check((struct str){sdp, n}, &call->reason);
    if (err)
        return err;
    live_note_ufrag(target.live, target.from, sdp_ice_ufrag((struct str){sdp, n}));
    splice(call, &target, event, STR("\",\"sdp\":"), value);
    return OK;
}

enum err relay_offer(struct relay_call *call)
{
    return relay_description(call, "offer");
}

enum err relay_answer(struct relay_call *call)
{
    return relay_description(call, "answer");
}

/* The other members of an RTCIceCandidateInit: absent, null, or of their type (W3C WebRTC, section 4.8.2). */
static bool other_members_are_good(struct str init)
{
    static const struct {
        const char *name;
        enum json_type type;
    } members[] = {
        {"sdpMid", JSON_STRING}, {"sdpMLineIndex", JSON_NUMBER}, {"usernameFragment", JSON_STRING}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct str value;
        enum json_type type;
        int64_t index;
        if (!json_member(init, members[i].name, &value, &type) || type == JSON_NULL)
            continue;
        if (type != members[i].type || (type == JSON_NUMBER && !str_to_int(value, 0, UINT16_MAX, &index)))
            return false;
    }
    return true;
}

/* An absent or empty candidate is the end of candidates. */
static enum err check_candidate(struct relay_call *call, struct str init, enum json_type type)
{
    static char text[CANDIDATE_MAX_BYTES + 1];
    struct str value;
    size_t n = 0;
    if (type != JSON_OBJECT || init.n > 2 * CANDIDATE_MAX_BYTES) {
        call->reason =
            type != JSON_OBJECT ? "candidate must be an RTCIceCandidateInit object" : "candidate is too long";
        return ERR_INVALID_CANDIDATE;
    }
    if (!other_members_are_good(init)) {
        call->reason = "candidate has an sdpMid, sdpMLineIndex or usernameFragment of a wrong type";
        return ERR_INVALID_CANDIDATE;
    }
    if (!json_member(init, "candidate", &value, &type))
        return OK;
    if (type != JSON_STRING || !json_unescape(value, text, sizeof text, &n)) {
        call->reason =
            type != JSON_STRING ? "candidate.candidate must be a string" : "candidate is longer than 1 KiB";
        return ERR_INVALID_CANDIDATE;
    }
    return ice_candidate_check((struct str){text, n}, &call->reason);
}

enum err relay_ice_candidate(struct relay_call *call)
{
    struct relay_target target;
    struct str value;
    enum json_type type;
    enum err err = find_target(call, &target);
    if (err)
        return err;
    if (!json_member(call->payload, "candidate", &value, &type)) {
        call->reason = "candidate is missing";
        return ERR_INVALID_CANDIDATE;
    }
    err = check_candidate(call, value, type);
    if (err)
        return err;
    if (!live_count_candidate(target.live, target.from, config.rate_limit_ice_candidates))
        return ERR_RATE_LIMITED;
    splice(call, &target, "ice_candidate", STR("\",\"candidate\":"), value);
    return OK;
}
