/* Claims (RFC 7519 section 4). Those that decide whether the token is good refuse it when they have a wrong
 * type; those that describe the learner are left out when they make no sense, as an avatar's URL must not
 * keep anybody from signing in. */
#include "token_claims.h"

#include "learner_text.h"

#define SECONDS_MAX 253402300799 /* the year 9999; a time beyond is most likely in milliseconds */

/* --- is the token good: NULL, or why not --- */

static bool to_ms(const json_t *claim, int64_t *out_ms)
{
    double seconds = json_number_value(claim);
    if (!json_is_number(claim) || seconds < -(double)SECONDS_MAX || seconds > (double)SECONDS_MAX)
        return false;
    *out_ms = json_is_integer(claim) ? json_integer_value(claim) * 1000 : (int64_t)(seconds * 1000);
    return true;
}

const char *token_check_times(int64_t not_before_ms, int64_t expires_at_ms, int64_t leeway_ms, int64_t now_ms)
{
    if (now_ms >= expires_at_ms + leeway_ms)
        return "token expired";
    if (now_ms + leeway_ms < not_before_ms)
        return "token not valid yet";
    return NULL;
}

static const char *check_times(const json_t *claims, const struct token_policy *policy, int64_t now_ms,
                               struct identity *out)
{
    const json_t *nbf = json_object_get(claims, "nbf"), *iat = json_object_get(claims, "iat");
    int64_t issued_at_ms;
    if (!to_ms(json_object_get(claims, "exp"), &out->expires_at_ms))
        return "claim exp must be a time in seconds";
    if (nbf && !to_ms(nbf, &out->not_before_ms))
        return "claim nbf must be a time in seconds";
    if (iat && !to_ms(iat, &issued_at_ms))
        return "claim iat must be a time in seconds";
    return token_check_times(out->not_before_ms, out->expires_at_ms, policy->leeway_ms, now_ms);
}

static const char *check_issuer(const json_t *iss, const char *expected)
{
    if (iss && !json_is_string(iss))
        return "claim iss must be a string";
    if (!expected || !expected[0])
        return NULL;
    return str_eqz(json_text(iss), expected) ? NULL : "wrong issuer";
}

static const char *check_audience(const json_t *aud, const char *expected)
{
    const char *wrong_type = "claim aud must be a string or an array of strings";
    bool is_ours = !expected || !expected[0];
    size_t i;
    json_t *item;
    if (json_is_string(aud))
        is_ours = is_ours || str_eqz(json_text(aud), expected);
    else if (aud && !json_is_array(aud))
        return wrong_type;
    json_array_foreach(aud, i, item)
    {
        if (!json_is_string(item))
            return wrong_type;
        is_ours = is_ours || str_eqz(json_text(item), expected);
    }
    return is_ours ? NULL : "wrong audience";
}

/* The nil UUID means "nobody" everywhere else. */
static const char *check_subject(const json_t *sub, struct uuid *user_id)
{
    return uuid_parse(json_text(sub), user_id) && !uuid_is_nil(user_id) ? NULL : "claim sub must be a UUID";
}

/* A tier this service does not know is free: it must neither lock its users out nor give them more. */
static enum tier take_tier(const json_t *claim)
{
    for (int i = 0; tier_names[i]; i++) {
        if (str_eqz(json_text(claim), tier_names[i]))
            return (enum tier)i;
    }
    return TIER_FREE;
}

/* --- who it is --- */

static unsigned role_of(const json_t *name)
{
    if (str_eqz(json_text(name), "moderator"))
        return ROLE_MODERATOR;
    return str_eqz(json_text(name), "admin") ? ROLE_ADMIN : 0;
}

static unsigned read_roles(const json_t *claims)
{
    unsigned roles = role_of(json_object_get(claims, "role"));
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(claims, "roles"), i, name)
    {
        roles |= role_of(name);
    }
    return roles;
}

static void read_levels(json_t *levels, struct identity *out)
{
    const char *key;
    size_t key_length;
    json_t *value;
    json_object_keylen_foreach(levels, key, key_length, value)
    {
        struct identity_level *next = &out->levels[out->level_count];
        struct str language = {key, key_length};
        if (out->level_count == IDENTITY_LEVELS_MAX)
            return;
        if (!language_code_is_valid(language) || !level_parse(json_text(value), &next->level))
            continue;
        (void)str_copy(language, next->language, sizeof next->language);
        out->level_count++;
    }
}

const char *token_read_claims(const json_t *claims, const struct token_policy *policy, int64_t now_ms,
                              struct identity *out)
{
    const char *reason;
    *out = (struct identity){0};
    if ((reason = check_times(claims, policy, now_ms, out)) ||
        (reason = check_issuer(json_object_get(claims, "iss"), policy->issuer)) ||
        (reason = check_audience(json_object_get(claims, "aud"), policy->audience)) ||
        (reason = check_subject(json_object_get(claims, "sub"), &out->user_id)))
        return reason;
    out->tier = take_tier(json_object_get(claims, "tier"));
    out->roles = read_roles(claims);
    learner_copy_name(json_text(json_object_get(claims, "name")), out->display_name,
                      sizeof out->display_name);
    learner_copy_url(json_text(json_object_get(claims, "picture")), out->avatar_url, sizeof out->avatar_url);
    learner_copy_language(json_text(json_object_get(claims, "nativeLanguageCode")), out->native_language,
                          sizeof out->native_language);
    learner_copy_language(json_text(json_object_get(claims, "accent")), out->accent, sizeof out->accent);
    read_levels(json_object_get(claims, "levels"), out);
    return NULL;
}
