/* JSON lines: order, numbers that read back the same, numbers that are not finite, texts that are not UTF-8. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_json.h"

/* {"x":value} as its line; the caller frees. */
static char *line_of(json_t *value)
{
    struct cs_buf out = {0};
    json_t *object = json_object();

    cs_json_set(object, "x", value);
    cs_json_line(&out, object);
    json_decref(object);
    return out.data;
}

static void becomes(json_t *value, const char *expected)
{
    char *line = line_of(value);
    assert_string_equal(line, expected);
    free(line);
}

static void numbers_have_their_shortest_form(void **state)
{
    (void) state;
    becomes(cs_json_number(0.1), "{\"x\":0.1}");
    becomes(cs_json_number(1), "{\"x\":1}");
    becomes(cs_json_number(-64), "{\"x\":-64}");
    becomes(cs_json_number(0.001), "{\"x\":0.001}");
    becomes(cs_json_number(1e-5), "{\"x\":1e-5}");
    becomes(cs_json_number(1.0 / 3), "{\"x\":0.3333333333333333}");
    becomes(cs_json_number(9007199254740991.0), "{\"x\":9007199254740991}");
    becomes(cs_json_number(NAN), "{\"x\":\"nan\"}");
    becomes(cs_json_number(-NAN), "{\"x\":\"nan\"}");
    becomes(cs_json_number(INFINITY), "{\"x\":\"inf\"}");
    becomes(cs_json_number(-INFINITY), "{\"x\":\"-inf\"}");
}

static void numbers_read_back_the_same(void **state)
{
    static const double values[] = {0,
                                    1,
                                    -1,
                                    0.1,
                                    1.0 / 3,
                                    -2.5e-7,
                                    1e15,
                                    1e16,
                                    123456789012345680.0,
                                    9007199254740992.0,
                                    9007199254740994.0,
                                    9223372036854775808.0,
                                    18446744073709551616.0,
                                    1e19,
                                    1e300,
                                    DBL_MAX,
                                    -DBL_MAX,
                                    DBL_MIN,
                                    4.9406564584124654e-324,
                                    INFINITY,
                                    -INFINITY};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(values); i++) {
        char *line = line_of(cs_json_number(values[i]));
        json_t *read = cs_json_read(line, strlen(line));
        if (!read)
            fail_msg("%s is not JSON", line);
        const double back = cs_json_get_number(read, "x", 12345);
        assert_memory_equal(&back, &values[i], sizeof back);
        json_decref(read);
        free(line);
    }
    char *line = line_of(cs_json_number(NAN));
    json_t *read = cs_json_read(line, strlen(line));
    assert_true(isnan(cs_json_get_number(read, "x", 1)));
    json_decref(read);
    free(line);
}

static void a_line_keeps_the_order_and_has_no_end(void **state)
{
    json_t *object = json_object(), *list = json_array();
    struct cs_buf out = {0};

    (void) state;
    json_array_append_new(list, cs_json_number(0.1));
    json_array_append_new(list, json_true());
    json_array_append_new(list, json_false());
    json_array_append_new(list, json_null());
    json_array_append_new(list, json_object());
    json_array_append_new(list, json_array());
    cs_json_set(object, "z", cs_json_text("a\"b\\c\n\xc3\xa9"));
    cs_json_set(object, "a\"", list);
    cs_json_set(object, "m", json_integer(INT64_MIN));
    cs_json_set(object, "none", cs_json_text(NULL));
    cs_buf_adds(&out, ">");
    cs_json_line(&out, object);
    assert_string_equal(out.data, ">{\"z\":\"a\\\"b\\\\c\\n\xc3\xa9\","
                                  "\"a\\\"\":[0.1,true,false,null,{},[]],"
                                  "\"m\":-9223372036854775808,\"none\":null}");
    cs_buf_clear(&out);
    json_decref(object);
}

/* A message cut in the middle of a character once ended the program. */
static void text_that_is_not_utf8_keeps_its_ascii(void **state)
{
    (void) state;
    becomes(cs_json_text("caf\xc3\xa9"), "{\"x\":\"caf\xc3\xa9\"}");
    becomes(cs_json_text("caf\xc3"), "{\"x\":\"caf?\"}");
    becomes(cs_json_text("\xff/\xc3\xa9/log"), "{\"x\":\"?/?"
                                               "?/log\"}");
    becomes(cs_json_text(""), "{\"x\":\"\"}");
}

static void getters_fall_back(void **state)
{
    static const char text[] = "{\"n\":1.5,\"i\":7,\"s\":\"word\",\"nan\":\"nan\",\"inf\":\"inf\","
                               "\"ninf\":\"-inf\",\"b\":true,\"null\":null,\"o\":{}}";
    json_t *o = cs_json_read(text, strlen(text));

    (void) state;
    assert_non_null(o);
    assert_true(cs_json_get_number(o, "n", 0) == 1.5);
    assert_true(cs_json_get_number(o, "i", 0) == 7);
    assert_true(isnan(cs_json_get_number(o, "nan", 0)));
    assert_true(cs_json_get_number(o, "inf", 0) == INFINITY);
    assert_true(cs_json_get_number(o, "ninf", 0) == -INFINITY);
    assert_true(cs_json_get_number(o, "s", -3) == -3);
    assert_true(cs_json_get_number(o, "b", -3) == -3);
    assert_true(cs_json_get_number(o, "absent", -3) == -3);
    assert_true(cs_json_get_number(NULL, "n", -3) == -3);
    assert_int_equal(cs_json_get_int(o, "i", 0), 7);
    assert_int_equal(cs_json_get_int(o, "n", -3), -3);
    assert_int_equal(cs_json_get_int(o, "s", -3), -3);
    assert_string_equal(cs_json_get_text(o, "s", ""), "word");
    assert_string_equal(cs_json_get_text(o, "n", "none"), "none");
    assert_string_equal(cs_json_get_text(o, "null", "none"), "none");
    assert_null(cs_json_get_text(o, "absent", NULL));
    json_decref(o);
}

static void reading_is_strict(void **state)
{
    static const char *const bad[] = {
        "",     "{",           "{\"a\":1",    "{\"a\":1}x", "{\"a\":1,\"a\":2}", "{'a':1}",
        "[1,]", "{\"a\":01}",  "{\"a\":nan}", "\"\xff\"",   "{\"a\":\"\x01\"}",  "{\"a\":1e999}",
        "nul",  "{\"a\":1}{}",
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        json_t *read = cs_json_read(bad[i], strlen(bad[i]));
        if (read)
            fail_msg("%s was read", bad[i]);
    }
    json_t *read = cs_json_read(" {\"a\":[1]} \nrest", 12);
    assert_true(json_is_object(read));
    json_decref(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_their_shortest_form),
        cmocka_unit_test(numbers_read_back_the_same),
        cmocka_unit_test(a_line_keeps_the_order_and_has_no_end),
        cmocka_unit_test(text_that_is_not_utf8_keeps_its_ascii),
        cmocka_unit_test(getters_fall_back),
        cmocka_unit_test(reading_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
