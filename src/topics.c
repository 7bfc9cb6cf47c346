/* The consumed events: one row is one event of a topic (docs/events-consumed.md). Others of these topics are
 * of no interest. */
#include "conversation/config.h"
#include "flows/bus/bus.h"

const struct bus_row bus_rows[] = {
    {&config.kafka_topic_user, "user.registered",
     NULL}, /* topics are unlocked by skills, when there are some */
    {&config.kafka_topic_user, "user.deleted", &bus_user_deleted},
    {&config.kafka_topic_lessons, "skill.acquired", &bus_skill_acquired},
    {&config.kafka_topic_feedback, "transcript.ready", &bus_transcript_ready},
    {NULL, NULL, NULL},
};
