/*
 * CRC-32C: published check values, and the instruction against the table at every length and
 * alignment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tbwriter/tbw_crc.h"

static void test_crc__known_values(void **state)
{
    static const uint8_t zeros[32], length24[8] = {24};

    (void) state;
    assert_int_equal(tbw_crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(tbw_crc32c(zeros, 32), 0x8a9136aau);
    assert_int_equal(tbw_crc32c_masked("123456789", 9), 0xc78ab0e5u);
    assert_int_equal(tbw_crc32c_masked("", 0), 0xa282ead8u);
    assert_int_equal(tbw_crc32c_masked(zeros, 8), 0x07980329u);
    assert_int_equal(tbw_crc32c_masked(length24, 8), 0x224b7fa3u);
    assert_int_equal(tbw_crc32c_masked("\x1a\x11"
                                       "CRC test, one two",
                                       19),
                     0x5794d08au);
}

static void test_crc__table_known_values(void **state)
{
    static const uint8_t zeros[32];

    (void) state;
    assert_int_equal(tbw_crc32c_table("123456789", 9), 0xe3069283u);
    assert_int_equal(tbw_crc32c_table(zeros, 32), 0x8a9136aau);
    assert_int_equal(tbw_crc32c_table("", 0), 0);
}

static void test_crc__instruction_equals_table(void **state)
{
    uint8_t data[300];
    uint32_t x = 12345, crc = 0;

    (void) state;
    if (!tbw_crc32c_cpu(&crc, "", 0))
        skip();
    for (size_t i = 0; i < sizeof data; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (uint8_t) (x >> 24);
    }
    for (size_t start = 0; start < 9; start++) {
        for (size_t size = 0; start + size <= sizeof data; size++) {
            assert_true(tbw_crc32c_cpu(&crc, data + start, size));
            assert_int_equal(crc, tbw_crc32c_table(data + start, size));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc__known_values),
        cmocka_unit_test(test_crc__table_known_values),
        cmocka_unit_test(test_crc__instruction_equals_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
