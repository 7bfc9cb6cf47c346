/* Set-up for tests of the matchmaker. */
#include "flows/fakes/waiting.h"

#include "flows/leadership.h"
#include "flows/matchmaker.h"

void given_matchmaker(void)
{
    given_topic();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    socket_opens(CAROLS, CAROL);
    matchmaker_start();
    pass_ms(1000);
    port_forget();
}

void given_follower(void)
{
    fake_kv_gives_lease_to_another();
    given_matchmaker();
    assert_false(leadership_is_held());
}

struct match_request *arrives(const char *id, const char *user_id)
{
    struct match_request *r = given_request(id, user_id);
    matchmaker_add(r);
    return r;
}

void given_waits(int first_s, int step_s)
{
    enum { WAITS = 32 };
    for (int i = 0; i < WAITS; i++)
        fake_db.waits[i] = (struct db_wait){.language = "es",
                                            .topic = "travel",
                                            .level = LEVEL_B1,
                                            .is_matched = true,
                                            .ended_at_ms = world_now_ms(),
                                            .wait_ms = 1000 * (first_s + i * step_s)};
    fake_db.wait_count = WAITS;
}

void assert_created(const struct caller *c, int estimated_wait_s, const char *expires_at)
{
    char expected[256];
    snprintf(expected, sizeof expected,
             "{'matchRequest':{'id':'%s','status':'pending','estimatedWaitTimeSeconds':%d,'expiresAt':'%s'}}",
             UUIDZ(&fake_db.requests[0].id), estimated_wait_s, expires_at);
    assert_answer(c, 201, expected);
}

struct match_request *row(const char *id)
{
    struct uuid uuid = id_of(id);
    struct match_request *r = fake_request(&uuid);
    assert_non_null(r);
    return r;
}

void assert_status(const char *id, enum match_status status)
{
    assert_string_equal(match_status_names[row(id)->status], match_status_names[status]);
}
