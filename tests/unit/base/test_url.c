/* Which URLs a path can be added to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conversation/base/url.h"

static void these_are_bases(void **state)
{
    static const char *const urls[] = {
        "http://auth",
        "https://auth.example",
        "http://auth-service:3001",
        "http://127.0.0.1:65535/",
        "http://[::1]",
        "https://[2001:db8::1]:8443/",
        "http://auth/api/v1",
        "http://auth//x",
        "http://auth_1.ns.svc",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        if (!url_is_base(str_of(urls[i])))
            fail_msg("%s", urls[i]);
}

static void these_are_not(void **state)
{
    static const char *const urls[] = {
        "",
        "auth",
        "auth:3001",
        "http:",
        "http:/auth",
        "http://",
        "http:///path",
        "ftp://auth",
        "HTTP//auth",
        "file:///etc/passwd",
        "http://:80",
        "http://auth:",
        "http://auth:0",
        "http://auth:65536",
        "http://auth:80x",
        "http://auth:-1",
        "http://user@auth",
        "http://user:secret@auth",
        "http://auth?x=1",
        "http://auth/#x",
        "http://auth/?",
        "http://au th",
        "http://auth/\n",
        "http://[::1",
        "http://[]",
        "http://[",
        "http://[::1]x",
        "http://[auth]",
        "http://a\xc3\xbcth",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        if (url_is_base(str_of(urls[i])))
            fail_msg("%s", urls[i]);
    assert_false(url_is_base((struct str){0}));
    assert_false(url_is_base(STR("http://auth\0.example")));
}

static void a_host_has_its_longest(void **state)
{
    char url[512];
    (void)state;
    memcpy(url, "http://", 7);
    memset(url + 7, 'a', 254);
    assert_true(url_is_base((struct str){url, 7 + 253}));
    assert_false(url_is_base((struct str){url, 7 + 254}));
}

static void visible_is_ascii_without_space_and_control(void **state)
{
    (void)state;
    assert_true(url_text_is_visible(STR("")));
    assert_true(url_text_is_visible(STR("!aZ09~")));
    assert_false(url_text_is_visible(STR("a b")));
    assert_false(url_text_is_visible(STR("a\r\nX-Other: 1")));
    assert_false(url_text_is_visible(STR("a\x7f")));
    assert_false(url_text_is_visible(STR("\xc3\xa9")));
    assert_false(url_text_is_visible(STR("a\0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(these_are_bases),
        cmocka_unit_test(these_are_not),
        cmocka_unit_test(a_host_has_its_longest),
        cmocka_unit_test(visible_is_ascii_without_space_and_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
