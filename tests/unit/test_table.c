/* Tables of texts: found again after growing, free slots, clearing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/cs_str.h"
#include "common/cs_table.h"

enum { COUNT = 5000 };

static void all_are_found(void **state)
{
    struct cs_arena arena = {0};
    struct cs_table table = {0};
    static int numbers[COUNT];

    (void) state;
    assert_null(cs_table_find(&table, "0"));
    for (int i = 0; i < COUNT; i++) {
        const char *text = cs_arena_printf(&arena, "%d", i);
        struct cs_table_slot *slot = cs_table_add(&table, text);
        assert_null(slot->text);
        slot->text = text;
        slot->item = &numbers[i];
    }
    assert_int_equal(table.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        const struct cs_table_slot *slot = cs_table_find(&table, text);
        assert_non_null(slot);
        assert_ptr_equal(slot->item, &numbers[i]);
        assert_ptr_equal(cs_table_add(&table, text), slot);
    }
    assert_int_equal(table.count, COUNT);
    assert_null(cs_table_find(&table, ""));
    assert_null(cs_table_find(&table, "5000"));
    cs_table_clear(&table);
    assert_null(cs_table_find(&table, "1"));
    cs_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
