/* Live sessions: the ones whose sockets and timers this instance holds (docs/sessions.md). A live session is
 * a cache of the database row plus presence; it never decides a transition: the guarded UPDATE of a flow
 * does, and then tells it here. The two participants may be at two instances, which then both hold it.
 *
 *     (none) --live_open--> waiting --live_activate--> active
 *                               \------- live_close -------/--> freed
 */
#ifndef FLOWS_LIVE_H
#define FLOWS_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/domain/session.h"
#include "conversation/ports/db.h"

struct live;
struct speaking;
struct session_keys;
struct kv_running;

struct live *live_get(const struct uuid *session_id); /* NULL when this instance does not hold it */
/* The same by its number, which is quicker; a number is never given twice. */
struct live *live_at(uint64_t number);
/* The live session, made from the stored one if need be. Copies. */
struct live *live_open(const struct session *s, const struct db_session_prompts *prompts);

struct live_seat {
    int who; /* index of the participant */
    uint64_t socket_id;
    int join_number;        /* as the database counts the user's joins */
    struct uuid partner_at; /* the instance at which the partner joined last, nil for none */
};
/* The user's socket is in: takes over from an older one, tells both sides partner_joined; on a return also
 * session_state. A socket that is gone already counts as dropped. */
void live_join(struct live *l, const struct live_seat *seat);
/* An active session just opened, which the rows say is of this instance, by these joins, and in which nobody
 * is here: the end of the join, or of the handing over, was lost. */
void live_adopt(struct live *l, const int joins[2]);
/* The database made it active: timers start, the icebreaker is shown. Telling it twice is harmless. */
void live_activate(struct live *l, const struct session *s);
/* The database did not end it: who was thought to be gone (-1: of nobody in particular) has joined once more,
 * at this or another instance. */
void live_came_back(struct live *l, int who, const struct uuid *at, int join_number);
/* Whether the user, who should be dropped (nil: whoever was in it), has come back since; then it goes on. */
bool live_must_not_drop(struct live *l, const struct uuid *user_id);
/* hub_setup.socket_gone: partner_left, and the grace begins. */
void live_socket_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id);
/* The next prompt now: see session_run_request_prompt. */
enum err live_request_prompt(struct live *l) MUST_CHECK;
/* The session is over in the database: tells every participant, lets the sockets go, frees the live session
 * if there is one. `by` is the participant who left or ended it, -1 for none. `is_news`: this instance has
 * ended it, and tells the others. */
void live_close(const struct session *ended, int by, bool is_news);

/* The database does not know the session any more: frees the live one, if any, and lets its sockets go. */
void live_forget(const struct uuid *session_id);

/* Which participant the user is, -1 when none; who that is. */
int live_participant(const struct live *l, const struct uuid *user_id);
const struct uuid *live_user_id(const struct live *l, int who);
/* An event from participant `from` to the partner's socket: `parts`, concatenated, are its argument.
 * ERR_PARTNER_NOT_CONNECTED: the partner has none, which live_has_partner asks beforehand. */
enum err live_emit_to_partner(struct live *l, int from, const char *event, const struct str *parts,
                              int part_count) MUST_CHECK;
bool live_has_partner(const struct live *l, int from);
/* The participant says that it speaks, or is silent: the partner is told, and while the session is active it
 * is counted. */
void live_speaks(struct live *l, int who, bool is_speaking);
struct speaking *live_speaking(struct live *l);

/* For its copy in Redis: what this instance knows of it. */
struct live *live_of_keys(struct session_keys *k);
void live_running(const struct live *l, struct kv_running *out);
/* Counts an ICE candidate of the participant's current negotiation; false above the limit. */
bool live_count_candidate(struct live *l, int who, int limit);
/* The participant sent a description with this ICE ufrag: a new one starts a new negotiation. */
void live_note_ufrag(struct live *l, int who, struct str ufrag);

/* The rows say that it is active, and of this instance. False: it is not held here. */
bool live_mark(const struct uuid *session_id);
/* What the rows say of those held here that are not marked, and of those that wait as far as is known here,
 * is looked at. None is marked afterwards. */
void live_look_at_unmarked(void);

void live_start(void);     /* may be told of by other instances */
void live_hand_over(void); /* this instance stops: the others count those who are here as gone; frees all */
void live_done(void);      /* at exit: frees all, tells nobody */

#endif
