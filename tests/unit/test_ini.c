/* INI lines: places, comments, every bad line told, hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_ini.h"

struct seen {
    struct cs_buf text;
};

static void note(void *context, const struct cs_error *err)
{
    cs_buf_addf(&((struct seen *) context)->text, "%s:%d: %s\n", err->where, err->line,
                err->detail);
}

static int parse(struct cs_ini *ini, const char *text, size_t size, struct seen *seen,
                 struct cs_arena *arena)
{
    return cs_ini_parse(ini, "x.ini", text, size, note, seen, arena);
}

static void lines(void **state)
{
    static const char text[] = "\xef\xbb\xbf; note\r\n[a]\r\nx = 1 ; note\ny=a=b#c\n"
                               "[ b c ]\n  z  =  \n# end";
    struct cs_arena arena = {0};
    struct seen seen = {0};
    struct cs_ini ini;

    (void) state;
    assert_int_equal(parse(&ini, text, sizeof text - 1, &seen, &arena), 0);
    assert_int_equal(ini.count, 5);
    assert_null(ini.entries[0].key);
    assert_string_equal(ini.entries[1].value, "1");
    assert_int_equal(ini.entries[1].line, 3);
    assert_string_equal(ini.entries[2].key, "y");
    assert_string_equal(ini.entries[2].value, "a=b#c");
    assert_string_equal(ini.entries[3].section, "b c");
    assert_string_equal(ini.entries[4].value, "");
    assert_int_equal(ini.entries[4].line, 6);
    cs_arena_clear(&arena);
}

static void all_bad_lines(void **state)
{
    static const char text[] = "early = 1\n[a\n[]\nno equals\n[b]\n = 2\n\x01\n\xff\ngood = 1\n";
    struct cs_arena arena = {0};
    struct seen seen = {0};
    struct cs_ini ini;

    (void) state;
    assert_int_equal(parse(&ini, text, sizeof text - 1, &seen, &arena), 7);
    assert_string_equal(seen.text.data,
                        "x.ini:1: early: key before the first [section]\n"
                        "x.ini:2: [a: section without a closing ]\n"
                        "x.ini:3: []: empty section name\n"
                        "x.ini:4: no equals: expected `key = value` or `[section]`\n"
                        "x.ini:6:  2: no key before the =\n"
                        "x.ini:7: control bytes or invalid UTF-8; expected text\n"
                        "x.ini:8: control bytes or invalid UTF-8; expected text\n");
    assert_string_equal(ini.entries[ini.count - 1].key, "good");
    cs_buf_clear(&seen.text);
    cs_arena_clear(&arena);
}

static void too_long(void **state)
{
    char *text = calloc(1, CS_INI_MAX_BYTES + 1);
    struct cs_arena arena = {0};
    struct seen seen = {0};
    struct cs_ini ini;

    (void) state;
    assert_int_equal(parse(&ini, text, CS_INI_MAX_BYTES + 1, &seen, &arena), 1);
    assert_string_equal(seen.text.data, "x.ini:0: file over 1 MB\n");
    assert_int_equal(ini.count, 0);
    cs_buf_clear(&seen.text);
    cs_arena_clear(&arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(all_bad_lines),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
