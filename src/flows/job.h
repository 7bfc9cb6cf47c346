/* Jobs: flows that the daemon starts itself. Each function starts one and returns; it ends by itself, or at
 * shutdown. */
#ifndef FLOWS_JOB_H
#define FLOWS_JOB_H

#include <stddef.h>

#include "conversation/domain/pairing.h"
#include "conversation/domain/session.h"
#include "conversation/ports/db.h"
#include "conversation/rt/flow.h"

/* They carry what the database says to the live session, and go on until it has answered. */
void job_session_end(const struct db_session_ending *ending);
/* The same when an end was asked for before, and the answer may have been lost. */
void job_session_end_again(const struct db_session_ending *ending);
void job_session_look(const struct uuid *session_id);
/* Another instance says that it has ended, by this participant; nil: by none. */
void job_session_look_ended(const struct uuid *session_id, const struct uuid *by);
/* A report whose caller did not hear how it went: stored, and its session ended, as soon as the database
 * answers. */
struct db_report;
void job_session_report(const struct db_report *report);
/* A block whose caller left before the database had answered: so that what follows from it is done, too. */
struct db_block;
void job_user_block(const struct db_block *block);
void job_session_put(const struct session *s, int prompts_shown);
void job_session_unjoin(const struct uuid *session_id, const struct uuid *user_id, int join_number);
struct db_hand_over;
void job_session_hand_over(const struct db_hand_over *hand_over);
struct db_own_session;
void job_session_adopt(const struct db_own_session *own);
void job_session_clear(const struct session *s);
void job_prompt_store(const struct uuid *session_id, const struct topic_prompt *prompt);
/* To those who were paired lately and have not come: nobody else may have told them. */
void job_match_tell(void);
void job_match_claim(const struct pairing_pair *pair);
void job_match_expire(const struct pairing_ticket *tickets, size_t count);
void job_leadership_hold(int64_t lease_ms);
void job_leadership_release(void);
void job_instance_stop(void);
/* hub_setup.came_from_elsewhere */
void job_user_catch_up(uint64_t socket_id, const struct uuid *user_id);
struct topic_list;
struct db_unlocked;
void job_topics_keep(const char *language, const struct topic_list *list);
void job_unlocked_keep(const struct uuid *user_id, const struct db_unlocked *unlocked);
/* Looks for promises to erase now rather than at the next time. */
void job_users_erase_now(void);

/* Periodic ones: rows of src/jobs.c. */
extern const struct flow_spec job_sessions_sweep;
extern const struct flow_spec job_sessions_recover;
extern const struct flow_spec job_sessions_reconcile;
extern const struct flow_spec job_instance_beat;
extern const struct flow_spec job_sessions_abandoned;
extern const struct flow_spec job_speech_carry;
extern const struct flow_spec job_sessions_refresh;
extern const struct flow_spec job_users_erase;
extern const struct flow_spec job_outbox_purge;
/* By outbox.c. */
extern const struct flow_spec job_outbox_claim;
extern const struct flow_spec job_outbox_relay;
extern const struct flow_spec job_outbox_look;
extern const struct flow_spec job_topics_popularity;
/* Once, by wait_times_start. */
extern const struct flow_spec job_waits_learn;

#endif
