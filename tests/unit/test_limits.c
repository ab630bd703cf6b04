/* The texts of budget, stop_trial, halt and target_stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "sweep/limits.h"
#include "sweep/plan.h"

static struct sweep_limits take(const char *key, const char *text)
{
    struct sweep_limits limits = {.budget = 0};
    struct cs_error err = {0};

    if (sweep_limits_take(&limits, key, text, &err) < 0)
        fail_msg("%s = %s: %s", key, text, err.detail);
    return limits;
}

static void refused(const char *key, const char *const *texts, const char *expected)
{
    for (; *texts; texts++) {
        struct sweep_limits limits = {.budget = 0};
        struct cs_error err = {0};
        assert_int_equal(sweep_limits_take(&limits, key, *texts, &err), CS_EPARSE);
        assert_memory_equal(err.detail, key, strlen(key));
        assert_non_null(strstr(err.detail, *texts));
        assert_non_null(strstr(err.detail, expected));
    }
}

static void budget_is_a_time(void **state)
{
    static const char *const bad[] = {"90",  "h",   "-1h",  "1x",     "0s",   "1 hour",
                                      "1h-", "inf", "0x1s", "1.2.3s", "1e9d", NULL};
    (void) state;
    assert_true(take("budget", "").budget == 0);
    assert_true(take("budget", "90s").budget == 90);
    assert_true(take("budget", "1.5m").budget == 90);
    assert_true(take("budget", "2h").budget == 7200);
    assert_true(take("budget", "1d").budget == 86400);
    assert_true(take("budget", "1h 30m").budget == 5400);
    assert_true(take("budget", "1h30m 5 s").budget == 5405);
    assert_string_equal(take("budget", "2h").budget_text, "2h");
    refused("budget", bad, "must be a time such as 90s, 30m, 2h, 1d or 1h 30m");
}

static void stop_trial_is_a_share_of_the_median(void **state)
{
    static const char *const bad[] = {
        "200%",          "200 of median", "2 x median",      "100% of median",
        "50% of median", "x% of median",  "200% of medians", NULL};
    (void) state;
    assert_true(take("stop_trial", "").stop_trial == 0);
    assert_true(take("stop_trial", "200% of median").stop_trial == 2);
    assert_true(take("stop_trial", "150 %  of median").stop_trial == 1.5);
    refused("stop_trial", bad, "must be N% of median with N above 100");
}

static void halt_is_a_number_or_a_share(void **state)
{
    static const char *const bad[] = {"3",          "0 failed",  "0% failed", "101% failed",
                                      "1.5 failed", "-1 failed", "failed",    NULL};
    (void) state;
    assert_true(take("halt", "").halt == 0);
    assert_true(take("halt", "3 failed").halt == 3);
    assert_false(take("halt", "3 failed").halt_percent);
    assert_true(take("halt", "2.5% failed").halt == 2.5);
    assert_true(take("halt", "10% failed").halt_percent);
    refused("halt", bad, "must be N failed, or N% failed with N in (0, 100]");
}

/* Each has its row in the table of [sweep], whose default it takes. */
static void each_key_is_a_key_of_sweep(void **state)
{
    size_t count;
    const struct cs_param *rows = sweep_keys(&count);

    (void) state;
    for (int i = 0; sweep_limit_keys[i]; i++) {
        size_t at = 0;
        while (at < count && strcmp(rows[at].name, sweep_limit_keys[i]) != 0)
            at++;
        assert_true(at < count);
        take(sweep_limit_keys[i], rows[at].def);
    }
    assert_true(take("target_stops", "yes").target_stops);
    assert_false(take("target_stops", "no").target_stops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_a_time),
        cmocka_unit_test(stop_trial_is_a_share_of_the_median),
        cmocka_unit_test(halt_is_a_number_or_a_share),
        cmocka_unit_test(each_key_is_a_key_of_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
