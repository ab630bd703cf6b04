/* Parameter rows: canonical texts and the text of refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_param.h"

static const char *const choices[] = {"none", "step", "plateau", NULL};
static const struct cs_param rate = {"lr", CS_FLOAT, "0.1", 0, INFINITY, 0, NULL, ""};
static const struct cs_param size = {"batch_size", CS_INT, "64", 1, 65536, 0, NULL, ""};
static const struct cs_param flag = {"nesterov", CS_BOOL, "no", 0, 1, 0, NULL, ""};
static const struct cs_param name = {"scheduler", CS_NAME, "none", 0, 0, 0, choices, ""};
static const struct cs_param text = {"layers", CS_TEXT, "", 0, 0, 0, NULL, ""};
static const struct cs_param pair = {"betas", CS_FLOATS, "0.9 0.999", 0, 1, 2, NULL, ""};
static const struct cs_param steps = {"milestones", CS_INTS, "30", 1, 1e6, 0, NULL, ""};

static void becomes(const struct cs_param *row, const char *written, const char *canonical)
{
    struct cs_arena arena = {0};
    struct cs_value value;
    struct cs_error err = {0};

    if (cs_param_parse(&value, row, written, &arena, &err) < 0)
        fail_msg("%s", err.detail);
    assert_string_equal(value.text, canonical);
    cs_arena_clear(&arena);
}

static void refused(const struct cs_param *row, const char *written, int code, const char *message)
{
    struct cs_arena arena = {0};
    struct cs_value value;
    struct cs_error err = {0};

    assert_int_equal(cs_param_parse(&value, row, written, &arena, &err), code);
    assert_string_equal(err.detail, message);
    cs_arena_clear(&arena);
}

static void canonical_texts(void **state)
{
    (void) state;
    becomes(&rate, "1e-3", "0.001");
    becomes(&rate, "0.001", "0.001");
    becomes(&rate, ".0010", "0.001");
    becomes(&rate, "-0", "0");
    becomes(&size, "6.4e1", "64");
    becomes(&flag, "TRUE", "yes");
    becomes(&flag, "0", "no");
    becomes(&name, "step", "step");
    becomes(&text, "a  >\t b", "a > b");
    becomes(&pair, ".90   0.9990", "0.9 0.999");
    becomes(&steps, "30 60 90", "30 60 90");
}

static void refusals(void **state)
{
    (void) state;
    refused(&rate, "-1", CS_ERANGE, "lr = -1: must be a number >= 0");
    refused(&rate, "nan", CS_EPARSE, "lr = nan: must be a number >= 0");
    refused(&size, "6.5", CS_EPARSE, "batch_size = 6.5: must be a whole number in [1, 65536]");
    refused(&size, "1e300", CS_EPARSE, "batch_size = 1e300: must be a whole number in [1, 65536]");
    refused(&flag, "maybe", CS_EPARSE, "nesterov = maybe: must be yes or no");
    refused(&name, "stepp", CS_ENONAME, "scheduler = stepp: no such scheduler; did you mean step?");
    refused(&name, "xyzzyxyzzy", CS_ENONAME,
            "scheduler = xyzzyxyzzy: must be one of none, step, plateau");
    refused(&pair, "0.9", CS_EPARSE,
            "betas = 0.9: must be 2 numbers in [0, 1], separated by blanks");
    refused(&pair, "0.9 1.5", CS_ERANGE,
            "betas = 0.9 1.5: must be 2 numbers in [0, 1], separated by blanks");
}

static void values_as_arguments(void **state)
{
    static const struct cs_param one = {"a", CS_FLOAT, "1", 0, 9, 0, NULL, ""},
                                 two = {"b", CS_FLOATS, "1 2", 0, 9, 2, NULL, ""},
                                 many = {"c", CS_INTS, "1 2", 0, 9, 0, NULL, ""},
                                 words = {"d", CS_TEXT, "", 0, 0, 0, NULL, ""};
    struct cs_arena arena = {0};
    struct cs_value value;
    double out[4] = {-1, -1, -1, -1};

    (void) state;
    assert_int_equal(cs_param_parse(&value, &one, "3", &arena, NULL), 0);
    assert_int_equal(cs_value_flatten(out, 4, &one, &value), 1);
    assert_true(out[0] == 3 && out[1] == -1);
    assert_int_equal(cs_value_flatten(out, 0, &one, &value), 0);
    assert_int_equal(cs_param_parse(&value, &two, "4 5", &arena, NULL), 0);
    assert_int_equal(cs_value_flatten(out, 4, &two, &value), 2);
    assert_true(out[0] == 4 && out[1] == 5 && out[2] == -1);
    assert_int_equal(cs_param_parse(&value, &many, "6 7", &arena, NULL), 0);
    assert_int_equal(cs_value_flatten(out, 4, &many, &value), 3);
    assert_true(out[0] == 2 && out[1] == 6 && out[2] == 7 && out[3] == -1);
    assert_int_equal(cs_value_flatten(out, 2, &many, &value), 2);
    assert_int_equal(cs_param_parse(&value, &words, "x", &arena, NULL), 0);
    assert_int_equal(cs_value_flatten(out, 4, &words, &value), 1);
    assert_true(out[0] == 0);
    cs_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_as_arguments),
        cmocka_unit_test(canonical_texts),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
