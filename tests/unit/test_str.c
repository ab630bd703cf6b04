/* Text and memory helpers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_str.h"

static void doubles_print_short(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.001, "0.001"}, {1e-5, "1e-5"},   {64, "64"},        {-0.0, "0"},
                 {0.1, "0.1"},     {1e300, "1e300"}, {INFINITY, "inf"}, {-2.5, "-2.5"}};
    char text[CS_DOUBLE_MAX];

    (void) state;
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        assert_string_equal(cs_format_double(text, cases[i].value), cases[i].text);
}

static void doubles_read_back(void **state)
{
    uint64_t bits = 88172645463325252u;
    char text[CS_DOUBLE_MAX];

    (void) state;
    for (int i = 0; i < 20000; i++) {
        double value, back;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        assert_true(cs_parse_double(&back, cs_format_double(text, value)));
        assert_true(back == value);
    }
}

static void numbers_are_whole_texts(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "1x", "0x10", "nan", "1e", "--1", "1,5"};
    double value;

    (void) state;
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_false(cs_parse_double(&value, bad[i]));
    assert_true(cs_parse_double(&value, ".0010"));
    assert_true(value == 0.001);
}

static void nearest_names(void **state)
{
    static const char *const names[] = {"sgd", "adam", "adamw", "rmsprop"};

    (void) state;
    assert_string_equal(cs_nearest("adamm", names, 4), "adam");
    assert_string_equal(cs_nearest("sdg", names, 4), "sgd");
    assert_string_equal(cs_nearest("RMSprp", names, 4), "rmsprop");
    assert_null(cs_nearest("transformer", names, 4));
    assert_null(cs_nearest("", names, 4));
}

static void globs(void **state)
{
    (void) state;
    assert_true(cs_glob("*.bias", "3.bias"));
    assert_true(cs_glob("a*b*c", "axxbyybc"));
    assert_true(cs_glob("?", "x"));
    assert_false(cs_glob("?", ""));
    assert_false(cs_glob("*.bias", "3.bias2"));
    assert_true(cs_glob("*", ""));
}

static void arena_and_buffer(void **state)
{
    struct cs_arena arena = {0};
    struct cs_buf buf = {0};

    (void) state;
    for (size_t i = 0; i < 1000; i++) {
        unsigned char *p = cs_arena_alloc(&arena, i);
        assert_int_equal((uintptr_t) p % 16, 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xff, i);
    }
    assert_string_equal(cs_arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    cs_arena_clear(&arena);
    for (int i = 0; i < 1000; i++)
        cs_buf_addf(&buf, "%d,", i);
    assert_int_equal(buf.size, strlen(buf.data));
    assert_string_equal(buf.data + buf.size - 8, "998,999,");
    cs_buf_clear(&buf);
    assert_null(cs_alloc_aligned(SIZE_MAX / 2, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_print_short),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(numbers_are_whole_texts),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(globs),
        cmocka_unit_test(arena_and_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
