/* On the bus an event is `{userId} {event} {payload}`; without a payload it is for waiting calls alone. What
 * a user is told is of a match request, so that whoever waits for one looks again. */
#include "flows/user_events.h"

#include "conversation/base/json_scan.h"
#include "conversation/ports/bus.h"
#include "conversation/ports/sockets.h"
#include "flows/match_watch.h"

#define CHANNEL   "user_events"
#define ENDED     "session_ended"
#define ERASED    "erased" /* no event of a client's: the user's sockets go */
#define EVENT_MAX 64

static bool read_session_id(struct str json, struct uuid *out)
{
    struct json_wanted id = {.key = STR("sessionId")};
    return json_is_valid(json) && json.p[0] == '{' && json_member(json, "sessionId", &id.value, &id.type) &&
           json_read_uuid(&id, out);
}

static void on_ended(const struct uuid *user_id, struct str json)
{
    struct uuid session_id;
    if (read_session_id(json, &session_id))
        sockets_emit_user_ended(user_id, &session_id, json);
}

static void on_message(void *arg, struct str text)
{
    struct uuid user_id;
    char event[EVENT_MAX];
    (void)arg;
    bool is_whole = uuid_parse(str_cut(&text, ' '), &user_id);
    is_whole = str_copy(str_cut(&text, ' '), event, sizeof event) && is_whole;
    if (is_whole)
        match_watch_news(&user_id);
    if (is_whole && strcmp(event, ERASED) == 0)
        sockets_disconnect_user(&user_id);
    else if (is_whole && strcmp(event, ENDED) == 0)
        on_ended(&user_id, text);
    else if (is_whole && text.n)
        sockets_emit_user(&user_id, event, text);
}

void user_events_start(void)
{
    bus_subscribe(CHANNEL, on_message, NULL);
}

static void publish(const struct uuid *user_id, const char *event, struct str json)
{
    struct buf text = {0};
    match_watch_news(user_id);
    buf_addf(&text, "%s %s ", UUIDZ(user_id), event);
    buf_add_str(&text, json);
    bus_publish(CHANNEL, buf_str(&text));
    buf_done(&text);
}

void user_events_send(const struct uuid *user_id, const char *event, struct str json)
{
    sockets_emit_user(user_id, event, json);
    publish(user_id, event, json);
}

void user_events_session_ended(const struct uuid *user_id, const struct uuid *session_id, struct str json)
{
    sockets_emit_user_ended(user_id, session_id, json);
    publish(user_id, ENDED, json);
}

void user_events_request_cancelled(const struct uuid *user_id)
{
    struct buf text = {0};
    match_watch_news(user_id);
    buf_addf(&text, "%s request_cancelled ", UUIDZ(user_id));
    bus_publish(CHANNEL, buf_str(&text));
    buf_done(&text);
}

void user_events_erased(const struct uuid *user_id)
{
    struct buf text = {0};
    sockets_disconnect_user(user_id);
    buf_addf(&text, "%s " ERASED " ", UUIDZ(user_id));
    bus_publish(CHANNEL, buf_str(&text));
    buf_done(&text);
}
