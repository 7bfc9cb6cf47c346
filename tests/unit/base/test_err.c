#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/err.h"

static void every_error_has_a_full_row(void **state)
{
    (void)state;
    for (enum err e = OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info(e);
        assert_int_equal(strncmp(info->name, "ERR_", 4), 0);
        assert_in_range(info->http_status, 400, 599);
        assert_true(strspn(info->wire_code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(info->wire_code));
        assert_in_range(info->level, LOG_DEBUG, LOG_ERROR);
    }
    assert_int_equal(err_info(ERR_NOT_FOUND)->http_status, 404);
    assert_string_equal(err_info(ERR_TIMEOUT)->wire_code, "SERVICE_UNAVAILABLE");
    assert_true(err_info(ERR_TIMEOUT)->retry_helps);
}

static void every_status_that_is_sent_has_a_reason(void **state)
{
    (void)state;
    for (enum err e = OK + 1; e < ERR_COUNT; e++) {
        if (e != ERR_CANCELLED) /* 499 never leaves the process */
            assert_string_not_equal(err_http_reason(err_info(e)->http_status), "Error");
    }
    assert_string_equal(err_http_reason(400), "Bad Request");
    assert_string_equal(err_http_reason(799), "Error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_full_row),
        cmocka_unit_test(every_status_that_is_sent_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
