/* test_worker.c - what is said of slow kernels, chosen or for want of better ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "trainer/worker.h"

static void test_worker__warns_of_slow_kernels(void **state)
{
    (void) state;
    assert_null(train_worker_warning("avx2", NULL));
    assert_null(train_worker_warning("avx512", "avx512"));
    assert_string_equal(train_worker_warning("generic", "generic"),
                        "CSWEEP_CPU = generic: slow kernels, for checking");
    assert_string_equal(train_worker_warning("ref", "ref"),
                        "CSWEEP_CPU = ref: naive kernels, for checking");
    assert_non_null(strstr(train_worker_warning("generic", NULL), "only the generic kernels fit"));
    assert_non_null(strstr(train_worker_warning("generic", ""), "only the generic kernels fit"));
}

static void test_worker__tells_the_instance(void **state)
{
    const char *instance = NULL;

    (void) state;
    unsetenv("CSWEEP_CPU");
    assert_int_equal(train_worker_check(&instance, NULL), 0);
    assert_string_equal(instance, kern_cpu_instances()[0]->instance);
    setenv("CSWEEP_CPU", "generic", 1);
    assert_int_equal(train_worker_check(&instance, NULL), 0);
    assert_string_equal(instance, "generic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker__warns_of_slow_kernels),
        cmocka_unit_test(test_worker__tells_the_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
