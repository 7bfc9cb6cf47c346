/* codec/learning_profile.h: what is taken is what jansson reads in the same members, keeps to its bounds, and
 * survives being encoded and decoded again; what is refused is explained as JSON. */
#include "fuzz.h"

#include <jansson.h>

#include "conversation/codec/learning_profile.h"

#define USER "550e8400-e29b-41d4-a716-446655440000"

static const char *member(const json_t *answer, const char *name)
{
    return json_string_value(json_object_get(answer, name));
}

static bool is_uuid_text(const char *text, const struct uuid *u)
{
    struct uuid read;
    return text && uuid_parse(str_of(text), &read) && uuid_eq(&read, u);
}

/* [{"field":…,"reason":…},…] */
static void check_problems(struct str problems)
{
    json_t *list = json_loadb(problems.p, problems.n, JSON_REJECT_DUPLICATES, NULL), *problem;
    size_t i;
    assert(json_array_size(list) > 0);
    json_array_foreach(list, i, problem)
    {
        assert(member(problem, "field") && member(problem, "reason"));
    }
    json_decref(list);
}

/* "" or what the member says; a name may be the beginning of it. */
static void check_text(const char *taken, const char *told, bool may_be_cut)
{
    assert(str_is_utf8(str_of(taken)));
    if (taken[0])
        assert(told && (may_be_cut ? strncmp(taken, told, strlen(taken)) : strcmp(taken, told)) == 0);
}

static void check_profile(const struct profile *p, const struct uuid *user, struct str json)
{
    json_t *answer = json_loadb(json.p, json.n, JSON_ALLOW_NUL, NULL);
    assert(json_is_object(answer));
    assert(is_uuid_text(member(answer, "userId"), user));
    assert(is_uuid_text(member(answer, "learningProfileId"), &p->learning_profile_id));
    assert(strcmp(member(answer, "level"), level_names[p->level]) == 0);
    assert((strcmp(member(answer, "tier"), "premium") == 0) == (p->tier == TIER_PREMIUM));
    assert(strcmp(member(answer, "nativeLanguageCode"), p->native_language) == 0);
    assert(language_code_is_valid(str_of(p->native_language)));
    assert(!p->accent[0] || language_code_is_valid(str_of(p->accent)));
    check_text(p->display_name, member(answer, "displayName"), true);
    check_text(p->avatar_url, member(answer, "avatarUrl"), false);
    check_text(p->accent, member(answer, "preferredAccent"), false);
    json_decref(answer);
}

static void check_again(const struct profile *p, const struct uuid *user, struct arena *arena)
{
    struct buf json = {0};
    struct profile again;
    struct str problems;
    learning_profile_encode(p, user, &json);
    enum err err = learning_profile_decode(buf_str(&json), user, &again, arena, &problems);
    assert(err == OK && memcmp(&again, p, sizeof again) == 0);
    buf_done(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str json = fuzz_input(data, n), problems = {0};
    struct arena arena = {0};
    struct profile p, before;
    struct uuid user;
    if (!uuid_parse(STR(USER), &user))
        abort();
    memset(&p, 0x5a, sizeof p);
    before = p;
    if (learning_profile_decode(json, &user, &p, &arena, &problems)) {
        check_problems(problems);
        assert(memcmp(&p, &before, sizeof p) == 0);
    } else {
        check_profile(&p, &user, json);
        check_again(&p, &user, &arena);
    }
    arena_done(&arena);
    return 0;
}
