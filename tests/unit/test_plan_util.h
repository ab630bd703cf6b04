/* Plans from texts: the grid file is written to a temporary folder as x.ini, and faults name it so. */
#ifndef TEST_PLAN_UTIL_H
#define TEST_PLAN_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "sweep/plan.h"

/* A grid that needs nothing else; tests add sections to it. */
#define TEST_BASE                                \
    "[data]\ndataset = random 100x5 classes=2\n" \
    "[model]\nlayers = linear 4 > relu > linear 2\n"

static inline int test_enter_folder(void **state)
{
    static char folder[] = "/tmp/csweep-plan-XXXXXX";

    *state = folder;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static inline int test_leave_folder(void **state)
{
    unlink("x.ini");
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static inline void test_write(const void *text, size_t size)
{
    FILE *file = fopen("x.ini", "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The plan of text with `words` (up to NULL): KEY=VALUE, or a preset as "--preset NAME". */
static inline int test_try(struct sweep_plan **out, struct cs_buf *faults, const char *text,
                           const char *const *words)
{
    const char *presets[8], *overrides[8];
    struct sweep_plan_input input = {.path = "x.ini", .presets = presets, .overrides = overrides};
    struct sweep_faults found = {0};

    test_write(text, strlen(text));
    for (; words && *words; words++) {
        if (strncmp(*words, "--preset ", 9) == 0)
            presets[input.preset_count++] = *words + 9;
        else
            overrides[input.override_count++] = *words;
    }
    *out = NULL;
    const int rc = sweep_plan_create(out, &input, &found);
    cs_buf_adds(&found.text, "");
    *faults = found.text;
    return rc;
}

static inline struct sweep_plan *test_plan_with(const char *text, const char *const *words)
{
    struct sweep_plan *plan;
    struct cs_buf faults;

    if (test_try(&plan, &faults, text, words) < 0)
        fail_msg("%s", faults.data);
    cs_buf_clear(&faults);
    return plan;
}

static inline struct sweep_plan *test_plan(const char *text)
{
    return test_plan_with(text, NULL);
}

static inline void test_refused_with(const char *text, const char *const *words,
                                     const char *expected)
{
    struct sweep_plan *plan;
    struct cs_buf faults;

    assert_int_equal(test_try(&plan, &faults, text, words), CS_EPARSE);
    assert_string_equal(faults.data, expected);
    assert_null(plan);
    cs_buf_clear(&faults);
}

static inline void test_refused(const char *text, const char *expected)
{
    test_refused_with(text, NULL, expected);
}

/* The optimizer's lr as the trial would train with it. */
static inline double test_rate(const struct sweep_plan *plan, size_t trial)
{
    struct train_spec *spec = sweep_trial_spec(plan, &plan->trials[trial]);
    const double lr = spec->optim_args[0];

    train_spec_free(spec);
    return lr;
}

/* "lr=0.1 momentum=0.9|lr=0.2": the varying parameters of every trial. */
static inline char *test_describe(const struct sweep_plan *plan)
{
    struct cs_buf text = {0};

    cs_buf_adds(&text, "");
    for (size_t t = 0; t < plan->trial_count; t++) {
        const struct sweep_trial *trial = &plan->trials[t];
        const char *separator = t ? "|" : "";
        for (size_t i = 0; i < trial->param_count; i++) {
            if (!trial->params[i].varies)
                continue;
            cs_buf_addf(&text, "%s%s=%s", separator, trial->params[i].key, trial->params[i].value);
            separator = " ";
        }
    }
    return text.data;
}

static inline void test_trials_with(const char *text, const char *const *words,
                                    const char *expected)
{
    struct sweep_plan *plan = test_plan_with(text, words);
    char *found = test_describe(plan);

    assert_string_equal(found, expected);
    free(found);
    sweep_plan_free(plan);
}

static inline void test_trials(const char *text, const char *expected)
{
    test_trials_with(text, NULL, expected);
}

#endif
