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
