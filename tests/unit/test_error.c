/* Errors: codes and their texts, places, messages that are too long, what errno becomes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_str.h"

static void codes_are_stable_and_have_texts(void **state)
{
    static const struct {
        int code, value;
        const char *text;
    } rows[] = {
        {CS_ENOMEM, -63, "out of memory"},
        {CS_EIO, -62, "input/output error"},
        {CS_EPARSE, -61, "malformed input"},
        {CS_ERANGE, -60, "value outside its range"},
        {CS_ENONAME, -59, "no such name"},
        {CS_ECORRUPT, -58, "stored data fails its check"},
        {CS_ETRUNCATED, -57, "data ends early"},
        {CS_EDEVICE, -56, "device error"},
        {CS_ECHILD, -55, "child process failed"},
        {CS_EBUSY, -54, "held by another process"},
        {CS_ENOSPACE, -53, "no space left"},
        {CS_EUNAVAILABLE, -52, "not available on this machine"},
        {CS_EINTERRUPTED, -51, "interrupted"},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        assert_int_equal(rows[i].code, rows[i].value);
        assert_string_equal(cs_code_text(rows[i].code), rows[i].text);
    }
    assert_string_equal(cs_code_text(CS_OK), "no error");
    assert_string_equal(cs_code_text(-50), "unknown error");
    assert_string_equal(cs_code_text(1), "unknown error");
}

static void fail_fills_everything(void **state)
{
    struct cs_error err;

    (void) state;
    memset(&err, 0x55, sizeof err);
    assert_int_equal(cs_fail(&err, CS_ERANGE, "lr = %d: must be %s", -1, "positive"), CS_ERANGE);
    assert_int_equal(err.code, CS_ERANGE);
    assert_int_equal(err.line, 0);
    assert_string_equal(err.where, "");
    assert_string_equal(err.detail, "lr = -1: must be positive");
    assert_int_equal(cs_fail(NULL, CS_EPARSE, "%s", "nobody listens"), CS_EPARSE);
}

static void long_messages_are_cut_inside_the_struct(void **state)
{
    struct cs_error err;
    char text[2000];

    (void) state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    cs_fail(&err, CS_EIO, "%s", text);
    assert_int_equal(strlen(err.detail), sizeof err.detail - 1);
    errno = EACCES;
    cs_fail_errno(&err, "%s", text);
    assert_int_equal(strlen(err.detail), sizeof err.detail - 1);
    cs_fail_at(&err, CS_EIO, text, 3);
    assert_int_equal(strlen(err.where), sizeof err.where - 1);
}

static void the_first_place_stays(void **state)
{
    struct cs_error err;

    (void) state;
    cs_fail(&err, CS_EPARSE, "bad");
    assert_int_equal(cs_fail_at(&err, CS_EPARSE, "x.ini", 14), CS_EPARSE);
    assert_int_equal(cs_fail_at(&err, CS_EPARSE, "y.ini", 2), CS_EPARSE);
    assert_string_equal(err.where, "x.ini");
    assert_int_equal(err.line, 14);
    assert_string_equal(err.detail, "bad");
    assert_int_equal(cs_fail_at(NULL, CS_EPARSE, "x.ini", 1), CS_EPARSE);
}

static void errno_becomes_a_code(void **state)
{
    static const struct {
        int number, code;
        const char *detail;
    } rows[] = {
        {ENOSPC, CS_ENOSPACE, "f: No space left on device"},
        {EDQUOT, CS_ENOSPACE, "f: Disk quota exceeded"},
        {ENOMEM, CS_ENOMEM, "f: Cannot allocate memory"},
        {ENOENT, CS_EIO, "f: No such file or directory"},
        {EACCES, CS_EIO, "f: Permission denied"},
        {EFBIG, CS_EIO, "f: File too large"},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct cs_error err;
        errno = rows[i].number;
        assert_int_equal(cs_fail_errno(&err, "%s", "f"), rows[i].code);
        assert_int_equal(err.code, rows[i].code);
        assert_string_equal(err.detail, rows[i].detail);
        errno = rows[i].number;
        assert_int_equal(cs_fail_errno(NULL, "%s", "f"), rows[i].code);
    }
}

static int give(int rc)
{
    CS_TRY(rc);
    return 1;
}

static void try_forwards_failures_only(void **state)
{
    (void) state;
    assert_int_equal(give(CS_EBUSY), CS_EBUSY);
    assert_int_equal(give(0), 1);
    assert_int_equal(give(7), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_stable_and_have_texts),
        cmocka_unit_test(fail_fills_everything),
        cmocka_unit_test(long_messages_are_cut_inside_the_struct),
        cmocka_unit_test(the_first_place_stays),
        cmocka_unit_test(errno_becomes_a_code),
        cmocka_unit_test(try_forwards_failures_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
