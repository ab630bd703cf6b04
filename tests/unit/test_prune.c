/*
 * Every pruner against curves made by hand, the order in which verdicts become known, and the settings in [sweep].
 * Optuna's own decisions: tests/conformance/run_optuna_pruners.py.
 */
#include <math.h>

#include "tests/unit/test_plan_util.h"

#include "sweep/prune/judge.h"

enum { EPOCHS = 9 };

static const struct sweep_pruning *pruning_of(struct sweep_plan **plan, const char *settings)
{
    char *text = cs_xasprintf("[sweep]\n%s\n" TEST_BASE, settings);

    *plan = test_plan(text);
    free(text);
    assert_non_null((*plan)->prune);
    return (*plan)->prune;
}

/* Trials one after the other, each as far as it gets: "3" pruned after epoch 3, "-" not. Values by trial and epoch. */
static char *judged(const char *settings, const double *values, int trials, int epochs,
                    bool maximize)
{
    struct sweep_plan *plan;
    sweep_judge *judge = sweep_judge_create(pruning_of(&plan, settings), "x", maximize);
    struct cs_buf out = {0}, why = {0};
    int on;

    for (int t = 0; t < trials; t++)
        sweep_judge_add(judge, t + 1, epochs, false);
    for (int t = 0; t < trials; t++) {
        enum sweep_verdict verdict = SWEEP_GO;
        int e = 0;
        while (e < epochs && verdict == SWEEP_GO) {
            sweep_judge_tell(judge, t + 1, e + 1, values[t * epochs + e]);
            verdict = sweep_judge_verdict(judge, t + 1, ++e, &on, &why);
        }
        sweep_judge_end(judge, t + 1);
        assert_int_not_equal(verdict, SWEEP_COMPARE);
        assert_true(verdict == SWEEP_GO || why.size > 0);
        why.size = 0;
        if (verdict == SWEEP_PRUNE)
            cs_buf_addf(&out, "%d", e);
        else
            cs_buf_adds(&out, "-");
    }
    cs_buf_clear(&why);
    sweep_judge_free(judge);
    sweep_plan_free(plan);
    return out.data;
}

static void expect(const char *settings, const double *values, int trials, int epochs,
                   bool maximize, const char *expected)
{
    char *found = judged(settings, values, trials, epochs, maximize);

    assert_string_equal(found, expected);
    free(found);
}

static void median_by_hand(void **state)
{
    static const double v[] = {
        1,   2, 3, 4, /* the first is not judged */
        2,   1, 1, 1, /* best so far 2: at epoch 3 the median is 3 */
        2,   3, 1, 1, /* best 3 against 2 at epoch 2, 2 at epoch 3 */
        0,   9, 9, 9, /* at epoch 1: 1, 2, 2 */
        NAN, 5, 5, 5,
    };

    (void) state;
    expect("prune = median\nn_startup_trials = 1", v, 5, 4, true, "-3-11");
    expect("prune = median\nn_startup_trials = 3", v, 5, 4, true, "---11");
    expect("prune = median\nn_startup_trials = 1\nn_warmup_steps = 2", v, 5, 4, true, "-3---");
    expect("prune = median\nn_startup_trials = 1\nn_min_trials = 3", v, 5, 4, true, "---11");
    expect("prune = median", v, 5, 4, true, "-----");
}

static void intervals_count_from_the_warm_up(void **state)
{
    double v[2][EPOCHS];

    (void) state;
    for (int e = 0; e < EPOCHS; e++) {
        v[0][e] = 1;
        v[1][e] = e < 2 ? 1 : 2; /* minimized: the best stays 1 */
    }
    v[1][0] = v[1][1] = 3;
    expect("prune = threshold\nupper = 2.5\ninterval_steps = 4", v[0], 2, EPOCHS, false, "-1");
    expect("prune = threshold\nupper = 1.5\nn_warmup_steps = 2\ninterval_steps = 3", v[0], 2,
           EPOCHS, false, "-2");
    v[1][1] = 1;
    expect("prune = threshold\nupper = 1.5\nn_warmup_steps = 2\ninterval_steps = 3", v[0], 2,
           EPOCHS, false, "-5");
}

static void percentiles_are_interpolated(void **state)
{
    static const double v[] = {1, 0, 2, 0, 3, 0, 4, 0, 1.7, 0, 1.8, 0};

    (void) state; /* minimized: 25 % of 1 2 3 4 lie below 1.75; then of 1 1.7 2 3 4 below 1.7 */
    expect("prune = percentile\npercentile = 25\nn_startup_trials = 4", v, 6, 2, false, "-----1");
    expect("prune = percentile\npercentile = 100\nn_startup_trials = 1", v, 6, 2, false, "-111--");
    expect("prune = percentile\npercentile = 0\nn_startup_trials = 1", v, 6, 2, false, "-11111");
}

static void rungs_by_hand(void **state)
{
    static const double v[] = {
        5,   5, 5,
        5,   5, /* the best of one */
        4,   6, 6,
        6,   6, /* epoch 1: the second of two, one goes on */
        6,   4, 4,
        4,   4, /* epoch 1: first; epoch 2: the second of two */
        5,   7, 7,
        7,   7, /* epoch 1: 5 5 6 4, two of four go on: shares the second place; epoch 2: first; so at epoch 4 */
        NAN, 9, 9,
        9,   9,
    };

    (void) state;
    expect("prune = asha\nreduction_factor = 2", v, 5, 5, true, "-12-1");
    expect("prune = asha\nreduction_factor = 2\nmin_resource = 3", v, 5, 5, true, "--3--");
    expect("prune = asha\nreduction_factor = 2\nmin_early_stopping_rate = 1", v, 5, 5, true,
           "--2--");
    expect("prune = asha\nreduction_factor = 2\nbootstrap_count = 2", v, 5, 5, true, "11221");
}

static void thresholds_by_hand(void **state)
{
    static const double v[] = {0, 1, 2, 0, 3, 0, 0, 0, -3, 0, NAN, 0};

    (void) state;
    expect("prune = threshold\nupper = 2", v, 4, 3, false, "-2-2");
    expect("prune = threshold\nlower = 0", v, 4, 3, false, "---2");
    expect("prune = threshold\nlower = 1\nupper = 2", v, 4, 3, false, "1111");
}

static void patience_by_hand(void **state)
{
    static const double v[] = {
        1, 2,   3,   4, 5, 6, /* gets better */
        3, 2,   2,   2, 2, 2, /* epoch 3: 3 before, 2 2 after */
        3, 2,   3,   2, 3, 2, /* as good */
        3, NAN, NAN, 2, 2, 2, /* epoch 4: 3 before 2 */
    };

    (void) state;
    expect("prune = patient\nprune_patience = 1", v, 4, 6, true, "-3-4");
    expect("prune = patient\nprune_patience = 1\nprune_min_delta = 1", v, 4, 6, true, "----");
    expect("prune = patient\nprune_patience = 1\nwrapped_pruner = threshold\nlower = 2.5", v, 4, 6,
           true, "-3-4");
    expect("prune = patient\nprune_patience = 1\nwrapped_pruner = threshold\nlower = 1.5", v, 4, 6,
           true, "----");
}

/* Trials of other brackets do not count, and every bracket has its own first rung. */
static void brackets_are_separate(void **state)
{
    struct sweep_plan *plan;
    const struct sweep_pruning *p = pruning_of(&plan, "prune = hyperband");
    sweep_judge *judge = sweep_judge_create(p, "x", true);
    int first[3] = {0}, on;
    struct cs_buf why = {0};
    double best[3] = {-1, -1, -1};

    (void) state;
    for (int t = 1; t <= 60; t++) {
        sweep_judge_add(judge, t, EPOCHS + 1, false);
        const int rung = sweep_judge_next(judge, t, 0);
        const int bracket = rung == 1 ? 0 : rung == 3 ? 1 : 2;
        assert_true(rung == 1 || rung == 3 || rung == 9);
        first[bracket]++;
        const double value = fmod(t * 0.618, 1);
        for (int e = 1; e <= rung; e++)
            sweep_judge_tell(judge, t, e, value);
        const enum sweep_verdict verdict = sweep_judge_verdict(judge, t, rung, &on, &why);
        if (value > best[bracket]) /* the best so far always goes on */
            assert_int_equal(verdict, SWEEP_GO);
        else if (first[bracket] < 6) /* and nobody else of the first five */
            assert_int_equal(verdict, SWEEP_PRUNE);
        best[bracket] = fmax(best[bracket], value);
        sweep_judge_end(judge, t);
    }
    assert_true(first[0] > first[1] && first[1] > 0 && first[2] > 0);
    cs_buf_clear(&why);
    sweep_judge_free(judge);
    sweep_plan_free(plan);
}

/* A verdict waits for lower trials alone, and whatever higher ones did already changes nothing. */
static void verdicts_wait_for_lower_trials(void **state)
{
    struct sweep_plan *plan;
    sweep_judge *judge =
        sweep_judge_create(pruning_of(&plan, "prune = median\nn_startup_trials = 1"), "x", true);
    struct cs_buf why = {0};
    int on = 0;

    (void) state;
    for (int t = 1; t <= 4; t++)
        sweep_judge_add(judge, 2 * t, EPOCHS, false);
    sweep_judge_tell(judge, 8, 1, 9);
    sweep_judge_tell(judge, 6, 1, 2);
    assert_int_equal(sweep_judge_verdict(judge, 6, 1, &on, &why), SWEEP_COMPARE);
    assert_int_equal(on, 2);
    sweep_judge_tell(judge, 2, 1, 1);
    sweep_judge_tell(judge, 2, 2, 9);
    sweep_judge_tell(judge, 2, 2, 7); /* told again: the first stays */
    assert_int_equal(sweep_judge_verdict(judge, 2, 1, &on, &why), SWEEP_GO);
    assert_int_equal(sweep_judge_verdict(judge, 6, 1, &on, &why), SWEEP_COMPARE);
    assert_int_equal(on, 4);
    sweep_judge_end(judge, 4); /* before its first epoch */
    assert_int_equal(sweep_judge_verdict(judge, 6, 1, &on, &why), SWEEP_GO);
    sweep_judge_tell(judge, 6, 2, 3);
    assert_int_equal(sweep_judge_verdict(judge, 6, 2, &on, &why), SWEEP_PRUNE);
    assert_string_equal(why.data, "best 3 up to epoch 2, the median of 1 trials is 9");
    cs_buf_clear(&why);
    sweep_judge_free(judge);
    sweep_plan_free(plan);
}

static void the_last_epoch_and_spared_trials_are_not_judged(void **state)
{
    struct sweep_plan *plan;
    sweep_judge *judge =
        sweep_judge_create(pruning_of(&plan, "prune = threshold\nupper = 0"), "x", true);
    struct cs_buf why = {0};
    int on;

    (void) state;
    sweep_judge_add(judge, 1, 1, false);
    sweep_judge_add(judge, 2, 2, true);
    sweep_judge_add(judge, 3, 2, false);
    for (int t = 1; t <= 3; t++)
        sweep_judge_tell(judge, t, 1, 1);
    assert_int_equal(sweep_judge_next(judge, 1, 0), 0);
    assert_int_equal(sweep_judge_next(judge, 2, 0), 0);
    assert_int_equal(sweep_judge_next(judge, 3, 0), 1);
    assert_int_equal(sweep_judge_next(judge, 3, 1), 0);
    assert_int_equal(sweep_judge_next(judge, 4, 0), 0);
    assert_int_equal(sweep_judge_verdict(judge, 1, 1, &on, &why), SWEEP_GO);
    assert_int_equal(sweep_judge_verdict(judge, 2, 1, &on, &why), SWEEP_GO);
    assert_int_equal(sweep_judge_verdict(judge, 3, 1, &on, &why), SWEEP_PRUNE);
    assert_int_equal(sweep_judge_verdict(judge, 4, 1, &on, &why), SWEEP_GO);
    cs_buf_clear(&why);
    sweep_judge_free(judge);
    sweep_plan_free(plan);
}

/* Whatever the order in which epochs end, the verdicts are those of one trial after the other. */
static void every_pruner_is_blind_to_timing(void **state)
{
    enum { TRIALS = 24 };
    double v[TRIALS][EPOCHS];
    uint32_t x = 1;

    (void) state;
    for (int i = 0; i < TRIALS * EPOCHS; i++)
        v[i / EPOCHS][i % EPOCHS] = (double) ((x = x * 1664525 + 1013904223) >> 24);
    for (const struct sweep_pruner *const *kind = sweep_pruners(); *kind; kind++) {
        struct cs_buf settings = {0}, why = {0};
        struct sweep_plan *plan;
        cs_buf_addf(&settings, "prune = %s\n", (*kind)->name);
        for (int i = 0; i < (*kind)->param_count; i++) {
            if (!*(*kind)->params[i].def && strcmp((*kind)->params[i].name, "upper") != 0)
                cs_buf_addf(&settings, "%s = %d\n", (*kind)->params[i].name, 3);
        }
        char *expected = judged(settings.data, v[0], TRIALS, EPOCHS, true);
        sweep_judge *judge = sweep_judge_create(pruning_of(&plan, settings.data), "x", true);
        int at[TRIALS] = {0}, pruned[TRIALS] = {0}, left = TRIALS, on = 0;
        for (int t = 0; t < TRIALS; t++)
            sweep_judge_add(judge, t + 1, EPOCHS, false);
        while (left > 0) { /* any trial, one epoch, when its verdict is there */
            const int t = (int) ((x = x * 1664525 + 1013904223) >> 16) % TRIALS;
            if (at[t] == EPOCHS || pruned[t])
                continue;
            const enum sweep_verdict verdict = sweep_judge_verdict(judge, t + 1, at[t], &on, &why);
            if (verdict == SWEEP_GO) {
                sweep_judge_tell(judge, t + 1, at[t] + 1, v[t][at[t]]);
                at[t]++;
            }
            pruned[t] = verdict == SWEEP_PRUNE ? at[t] : 0;
            if (pruned[t] || at[t] == EPOCHS) {
                sweep_judge_end(judge, t + 1);
                left--;
            }
        }
        int count = 0;
        for (int t = 0; t < TRIALS; t++) {
            assert_int_equal(pruned[t] ? '0' + pruned[t] : '-', expected[t]);
            count += pruned[t] != 0;
        }
        assert_true(count > 0 && count < TRIALS);
        free(expected);
        cs_buf_clear(&settings);
        cs_buf_clear(&why);
        sweep_judge_free(judge);
        sweep_plan_free(plan);
    }
}

#define SWEEP_REFUSED(settings, message) \
    test_refused("[sweep]\n" settings "\n" TEST_BASE, "x.ini:" message "\n")

static void settings_are_checked(void **state)
{
    static const char *const other[] = {"prune=asha", NULL}, *const none[] = {"prune=none", NULL},
                             *const more[] = {"prune=asha", "n_min_trials=2", NULL};
    static const char file[] = "[sweep]\nprune = median\nn_startup_trials = 2\n" TEST_BASE;

    (void) state;
    SWEEP_REFUSED("prune = medium", "2: prune = medium: no such prune; did you mean median?");
    SWEEP_REFUSED("prune = median\nn_warmup_steps = -1",
                  "3: n_warmup_steps = -1: must be a whole number in [0, 1000000000]");
    SWEEP_REFUSED("prune = percentile",
                  "2: percentile: must be given with prune = percentile, such as 25");
    SWEEP_REFUSED("prune = percentile\npercentile = 101",
                  "3: percentile = 101: must be a number in [0, 100]");
    SWEEP_REFUSED("prune = threshold",
                  "2: lower: it or upper, or both, must be given with prune = threshold");
    SWEEP_REFUSED("prune = threshold\nlower = 2\nupper = 1",
                  "3: lower = 2: must be at most upper = 1");
    SWEEP_REFUSED("prune = asha\nmin_resource = 0",
                  "3: min_resource = 0: must be auto or a whole number in [1, 1000000000]");
    SWEEP_REFUSED("prune = hyperband\nmin_resource = 3\nmax_resource = 2",
                  "4: max_resource = 2: must be at least min_resource = 3");
    SWEEP_REFUSED("prune = patient",
                  "2: prune_patience: must be given with prune = patient, such as 3");
    SWEEP_REFUSED("prune = patient\nprune_patience = 2\nwrapped_pruner = patient",
                  "4: wrapped_pruner = patient: must be another pruner, or none");
    SWEEP_REFUSED("prune = patient\nprune_patience = 2\nwrapped_pruner = percentile",
                  "2: percentile: must be given with prune = percentile, such as 25");
    SWEEP_REFUSED("prune = asha\nn_startup_trials = 2",
                  "3: n_startup_trials: no choice of this grid uses it; it belongs to prune = "
                  "median, percentile");
    SWEEP_REFUSED(
        "reduction_factor = 2",
        "2: reduction_factor: no choice of this grid uses it; it belongs to prune = asha, "
        "hyperband");
    /* another choice on the command line leaves the file's keys lying; its own must fit */
    struct sweep_plan *plan = test_plan_with(file, other);
    assert_string_equal(plan->prune->kind->name, "asha");
    sweep_plan_free(plan);
    plan = test_plan_with(file, none);
    assert_null(plan->prune);
    sweep_plan_free(plan);
    test_refused_with(file, more,
                      "command line: n_min_trials: no choice of this grid uses it; it "
                      "belongs to prune = median, percentile\n");
}

/* A key of a pruner is none of a trial's: [sweep] and the command line mean one thing by it. */
static void keys_are_the_pruners_own(void **state)
{
    size_t count;
    const struct sweep_prune_key *keys = sweep_prune_keys(&count);

    (void) state;
    assert_true(count > 10);
    for (size_t i = 0; i < count; i++) {
        assert_null(train_key_find(keys[i].row->name, NULL));
        assert_non_null(sweep_pruner_find(keys[i].owner));
    }
    for (const struct sweep_pruner *const *kind = sweep_pruners(); *kind; kind++)
        assert_true((*kind)->param_count <= SWEEP_PRUNE_ARGS);
}

/* What prunes does not make other trials. */
static void trials_stay_the_same(void **state)
{
    struct sweep_plan *with = test_plan("[sweep]\nprune = median\n" TEST_BASE);
    struct sweep_plan *without = test_plan("[sweep]\n" TEST_BASE);

    (void) state;
    assert_string_equal(with->trials[0].id, without->trials[0].id);
    sweep_plan_free(with);
    sweep_plan_free(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_by_hand),
        cmocka_unit_test(intervals_count_from_the_warm_up),
        cmocka_unit_test(percentiles_are_interpolated),
        cmocka_unit_test(rungs_by_hand),
        cmocka_unit_test(thresholds_by_hand),
        cmocka_unit_test(patience_by_hand),
        cmocka_unit_test(brackets_are_separate),
        cmocka_unit_test(verdicts_wait_for_lower_trials),
        cmocka_unit_test(the_last_epoch_and_spared_trials_are_not_judged),
        cmocka_unit_test(every_pruner_is_blind_to_timing),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(keys_are_the_pruners_own),
        cmocka_unit_test(trials_stay_the_same),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
