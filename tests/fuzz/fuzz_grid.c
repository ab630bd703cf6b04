/* A grid file: read, expanded and planned; the specs of its first trials made. */
#include "common/cs_error.h"
#include "sweep/plan.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[128];
    struct sweep_plan *plan = NULL;
    struct sweep_faults faults = {0};

    fuzz_write("fuzz.ini", data, size);
    snprintf(path, sizeof path, "%s/fuzz.ini", fuzz_folder());
    const struct sweep_plan_input input = {.path = path};
    if (sweep_plan_create(&plan, &input, &faults) == 0) {
        for (size_t i = 0; i < plan->trial_count && i < 3; i++) {
            struct train_spec *spec = sweep_trial_spec(plan, &plan->trials[i]);
            if (strcmp(spec->id, plan->trials[i].id) != 0)
                abort();
            train_spec_free(spec);
        }
        sweep_plan_free(plan);
    } else if (faults.count == 0) {
        abort(); /* refused without a word */
    }
    cs_buf_clear(&faults.text);
    return 0;
}
