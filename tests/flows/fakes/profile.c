/* Answers with the test's profile. */
#include "flows/fakes/profile.h"

#include "flows/fakes/port.h"

struct profile fake_profile;
char fake_profile_language[LANG_MAX];
static const char *lacking;

void fake_profile_lacks(const char *claim)
{
    lacking = claim;
}

void fake_profile_reset(void)
{
    memset(&fake_profile, 0, sizeof fake_profile);
    lacking = NULL;
}

void profile_get(struct flow *f, const struct identity *who, const char *language, struct profile *out)
{
    (void)who;
    (void)str_copy(str_of(language), fake_profile_language, sizeof fake_profile_language);
    struct port_call *call = port_begin(f, PROFILE_GET);
    if (lacking)
        flow_set_error_field(f, ERR_INVALID_REQUEST, lacking, "claim missing from the token");
    port_answer(call, lacking ? ERR_INVALID_REQUEST : OK, out, &fake_profile, sizeof fake_profile);
}
