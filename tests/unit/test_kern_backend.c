/*
 * Which backend is found: names, and what CSWEEP_CPU may say.
 */
#include "tests/unit/kern_help.h"

static void test_backend__names(void **state)
{
    const struct kern_ops *ops = NULL;
    struct cs_error err;

    (void) state;
    unsetenv("CSWEEP_CPU");
    assert_int_equal(kern_backend_find(&ops, "ref", &err), 0);
    assert_string_equal(ops->instance, "ref");
    assert_int_equal(kern_backend_find(&ops, "cpu", &err), 0);
    assert_string_equal(ops->name, "cpu");
    assert_ptr_equal(ops, kern_cpu_instances()[0]);
    assert_int_equal(kern_backend_find(&ops, "cpuu", &err), CS_ENONAME);
    assert_string_equal(err.detail, "no backend 'cpuu'; did you mean 'cpu'?");
    assert_int_equal(kern_backend_find(&ops, "quantum", &err), CS_ENONAME);
    assert_string_equal(err.detail, "no backend 'quantum': must be cpu or ref");
}

static void test_backend__every_instance_by_name(void **state)
{
    const struct kern_ops *ops = NULL;

    (void) state;
    for (const struct kern_ops *const *k = kern_cpu_instances(); *k; k++) {
        setenv("CSWEEP_CPU", (*k)->instance, 1);
        assert_int_equal(kern_backend_find(&ops, "cpu", NULL), 0);
        assert_ptr_equal(ops, *k);
    }
    setenv("CSWEEP_CPU", "generic", 1);
    assert_int_equal(kern_backend_find(&ops, "ref", NULL), 0);
    assert_string_equal(ops->instance, "ref");
}

static void test_backend__bad_cap(void **state)
{
    const struct kern_ops *ops = NULL;
    struct cs_error err;
    int rc;

    (void) state;
    setenv("CSWEEP_CPU", "sse9", 1);
    assert_int_equal(kern_backend_find(&ops, "cpu", &err), CS_ERANGE);
    assert_string_equal(err.detail, "CSWEEP_CPU = sse9: must be one of generic, avx2, avx512, ref");
    assert_null(ops);
    setenv("CSWEEP_CPU", "avx512", 1);
    rc = kern_backend_find(&ops, "cpu", &err);
    if (strcmp(kern_cpu_instances()[0]->instance, "avx512") == 0) {
        assert_int_equal(rc, 0);
        return;
    }
    assert_int_equal(rc, CS_EUNAVAILABLE);
    assert_string_equal(err.detail, "CSWEEP_CPU = avx512: this machine has no avx512");
}

static void test_backend__empty_cap_is_none(void **state)
{
    const struct kern_ops *ops = NULL;

    (void) state;
    setenv("CSWEEP_CPU", "", 1);
    assert_int_equal(kern_backend_find(&ops, "cpu", NULL), 0);
    assert_ptr_equal(ops, kern_cpu_instances()[0]);
}

/* generic always runs and comes last. */
static void test_backend__instances(void **state)
{
    const struct kern_ops *const *k = kern_cpu_instances();

    (void) state;
    while (k[1])
        k++;
    assert_string_equal((*k)->instance, "generic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backend__names),
        cmocka_unit_test(test_backend__every_instance_by_name),
        cmocka_unit_test(test_backend__bad_cap),
        cmocka_unit_test(test_backend__empty_cap_is_none),
        cmocka_unit_test(test_backend__instances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
