/* Fake of ports/db_projection.h: skills go to fake_db; a topic that needs skills is unlocked by having them.
 */
#include "flows/fakes/db_projection.h"

#include "conversation/base/arena.h"
#include "flows/fakes/db.h"
#include "flows/fakes/port.h"

struct fake_projection fake_projection;

void fake_projection_reset(void)
{
    fake_projection = (struct fake_projection){0};
}

void db_skill_store(struct flow *f, const struct db_skill *skill)
{
    struct port_call *call = port_begin(f, DB_SKILL_STORE);
    size_t i = 0;
    while (i < fake_db.skill_count && (!uuid_eq(&fake_db.skills[i].user_id, &skill->user_id) ||
                                       strcmp(fake_db.skills[i].code, skill->code) != 0))
        i++;
    if (port_takes_effect(call) && i == fake_db.skill_count) {
        struct fake_projection *kept = &fake_projection;
        (void)str_copy(str_of(skill->code), kept->codes[i], sizeof kept->codes[i]);
        fake_db.skills[i].user_id = skill->user_id;
        fake_db.skills[i].code = kept->codes[i];
        kept->acquired_at_ms = skill->acquired_at_ms;
        fake_db.skill_count++;
    }
    port_answer(call, OK, NULL, NULL, 0);
}

static bool is_among(const char *skill, const char *const *skills, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(skills[i], skill) == 0)
            return true;
    return false;
}

static bool skills_suffice(const struct topic *topic, const char *const *skills, size_t count)
{
    for (size_t i = 0; i < topic->required_skill_count; i++)
        if (!is_among(topic->required_skills[i], skills, count))
            return false;
    return true;
}

void db_unlocked_topics(struct flow *f, const struct uuid *user_id, struct db_unlocked *out)
{
    struct port_call *call = port_begin(f, DB_UNLOCKED_TOPICS);
    const char *skills[4], **codes = ARENA_ARRAY(flow_arena(f), const char *, FAKE_TOPICS_MAX + 1);
    size_t skill_count = 0;
    for (size_t i = 0; i < fake_db.skill_count; i++)
        if (uuid_eq(&fake_db.skills[i].user_id, user_id))
            skills[skill_count++] = fake_db.skills[i].code;
    struct db_unlocked found = {.codes = codes, .count = 1};
    codes[0] = "free_talk";
    for (size_t i = 0; i < fake_db.topic_count; i++) {
        const struct topic *t = &fake_db.topics[i];
        if (t->required_skill_count > 0 && skills_suffice(t, skills, skill_count))
            codes[found.count++] = arena_fmt(flow_arena(f), "%s:%s", t->language, t->code).p;
    }
    port_answer(call, OK, out, &found, sizeof found);
}

void db_transcript_store(struct flow *f, const struct uuid *session_id, const struct uuid *transcript_id)
{
    struct port_call *call = port_begin(f, DB_TRANSCRIPT_STORE);
    struct session *s = fake_session(session_id);
    if (s && port_takes_effect(call))
        s->transcript_id = *transcript_id;
    port_answer(call, s ? OK : ERR_NOT_FOUND, NULL, NULL, 0);
}

void db_popularity_compute(struct flow *f, int64_t since_ms, int *changed)
{
    struct port_call *call = port_begin(f, DB_POPULARITY_COMPUTE);
    int n = fake_projection.score_changes;
    fake_projection.popular_since_ms = since_ms;
    if (port_takes_effect(call)) {
        for (size_t i = 0; n && i < fake_db.topic_count; i++)
            fake_db.topics[i].popularity_score = 1;
        fake_projection.score_changes = 0;
    }
    port_answer(call, OK, changed, &n, sizeof n);
}
