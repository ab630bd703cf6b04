/* The grid language: values, sections, conditions, presets, overrides, and the text of every fault. */
#include "test_plan_util.h"

#include <time.h>

#include "common/cs_ini.h"

#define SGD "[optimizer]\noptimizer = sgd\n"

static const char *const *words(const char *a, const char *b)
{
    static const char *list[3];
    list[0] = a;
    list[1] = b;
    return list;
}

static void lists_and_ranges(void **state)
{
    (void) state;
    test_trials(TEST_BASE SGD "lr = 1e-3, 0.01\n", "lr=0.001|lr=0.01");
    test_trials(TEST_BASE SGD "lr = log(1e-4, 1e-1, 4)\n", "lr=0.0001|lr=0.001|lr=0.01|lr=0.1");
    test_trials(TEST_BASE SGD "lr = log(1e-5,1,6)\n",
                "lr=1e-5|lr=0.0001|lr=0.001|lr=0.01|lr=0.1|lr=1");
    test_trials(TEST_BASE SGD "lr = log(1e-1,1e-3,3)\n", "lr=0.1|lr=0.01|lr=0.001");
    test_trials(TEST_BASE SGD "lr = lin(0, 0.5, 6)\n", "lr=0|lr=0.1|lr=0.2|lr=0.3|lr=0.4|lr=0.5");
    test_trials(TEST_BASE SGD "lr = lin(0.1, 0.3, 3)\n", "lr=0.1|lr=0.2|lr=0.3");
    test_trials(TEST_BASE SGD "lr = range(0, 1, 0.1)\n",
                "lr=0|lr=0.1|lr=0.2|lr=0.3|lr=0.4|lr=0.5|lr=0.6|lr=0.7|lr=0.8|lr=0.9|lr=1");
    test_trials(TEST_BASE "[train]\nepochs = range(16, 60, 16)\n", "epochs=16|epochs=32|epochs=48");
    test_trials(TEST_BASE "[train]\nepochs = range(3, 1, -1)\n", "epochs=3|epochs=2|epochs=1");
    test_trials(TEST_BASE SGD "lr = pow2(0.25, 1), 3, lin(5, 6, 2)\n",
                "lr=0.25|lr=0.5|lr=1|lr=3|lr=5|lr=6");
}

static void log_points_are_the_numbers_one_writes(void **state)
{
    struct sweep_plan *plan = test_plan(TEST_BASE SGD "lr = log(1e-7, 10, 9)\n");
    const double exact[] = {1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10};

    (void) state;
    assert_int_equal(plan->trial_count, 9);
    for (size_t i = 0; i < 9; i++)
        assert_true(test_rate(plan, i) == exact[i]);
    sweep_plan_free(plan);
}

static void bad_values(void **state)
{
    (void) state;
    test_refused(TEST_BASE "[optimizer]\noptimizer = adamm\n",
                 "x.ini:6: optimizer = adamm: no such optimizer; did you mean adam?\n");
    test_refused(TEST_BASE SGD "lr = linn(1,2,3)\n",
                 "x.ini:7: lr = linn(1,2,3): no such range linn; did you mean lin?\n");
    test_refused(TEST_BASE SGD "lr = lin(0,1)\n",
                 "x.ini:7: lr = lin(0,1): expected lin(first, last, how many)\n");
    test_refused(TEST_BASE SGD "lr = lin(0,1,1)\n",
                 "x.ini:7: lr = lin(0,1,1): the number of points must be a whole number >= 2\n");
    test_refused(TEST_BASE SGD "lr = log(0,1,3)\n",
                 "x.ini:7: lr = log(0,1,3): both ends must be > 0\n");
    test_refused(TEST_BASE SGD "lr = range(0,1,-1)\n",
                 "x.ini:7: lr = range(0,1,-1): the step does not lead from the first end to the "
                 "second\n");
    test_refused(TEST_BASE SGD "lr = pow2(3,8)\n",
                 "x.ini:7: lr = pow2(3,8): 3 is no power of two\n");
    test_refused(TEST_BASE SGD "lr = 0.1,,0.2\n", "x.ini:7: lr: an empty value between commas\n");
    test_refused(TEST_BASE SGD "lr =\n", "x.ini:7: lr: no value\n");
    test_refused(TEST_BASE "[train]\nepochs = lin(1,2,3)\n",
                 "x.ini:6: epochs = 1.5: must be a whole number in [1, 1000000]\n");
}

static void wrong_names(void **state)
{
    (void) state;
    test_refused(TEST_BASE SGD "lrr = 1\n", "x.ini:7: lrr: no such key; did you mean lr?\n");
    test_refused(TEST_BASE "[trian]\nepochs = 1\n",
                 "x.ini:5: [trian]: no such section; did you mean [train]?\n");
    test_refused(TEST_BASE SGD "epochs = 1\n",
                 "x.ini:7: epochs: belongs to [train], not to [optimizer]\n");
    test_refused(TEST_BASE "[when optimizer=sgd]\nseeds = 2\n",
                 "x.ini:6: seeds: belongs to [sweep], and not inside [when ...]\n");
    test_refused(TEST_BASE SGD "lr = 1\n[optimizer]\nlr = 2\n",
                 "x.ini:9: lr: given twice here; first in line 7\n");
}

static void groups_are_keys_with_a_name_before_them(void **state)
{
    (void) state;
    test_trials(TEST_BASE SGD "lr = 0.1\n[group out]\nmatch = *.bias\nlr = 0.2, 0.3\n",
                "out.lr=0.2|out.lr=0.3");
    test_trials(TEST_BASE "[group a]\nmatch = *.bias\nmomentum = 0, 0.9\n[optimizer]\n"
                          "optimizer = sgd, adam\n",
                "optimizer=adam|a.momentum=0 optimizer=sgd|a.momentum=0.9 optimizer=sgd");
    test_refused(
        TEST_BASE "[group out]\nmach = 1.*\n",
        "x.ini:6: mach: no such key of a group; expected match, freeze or a setting of the "
        "optimizer\n");
    test_refused(TEST_BASE "[group]\nlr = 1\n",
                 "x.ini:5: [group]: expected [group NAME], NAME of letters, digits and _\n");
    test_refused(TEST_BASE "[group a b]\nlr = 1\n",
                 "x.ini:5: [group]: expected [group NAME], NAME of letters, digits and _\n");
    test_refused(TEST_BASE "[group a]\nlr = 1\n",
                 "x.ini:6: a.match: missing; expected a pattern such as 4.*\n");
}

static void later_words_are_refused(void **state)
{
    (void) state;
    test_refused(TEST_BASE "[sweep]\nkeep = best\n", "x.ini:6: keep is not built yet\n");
}

static void zips_advance_together(void **state)
{
    static const char two[] = TEST_BASE "[zip size]\nbatch_size = 16, 32, 32\nlr = 0.1, 0.2, 0.3\n"
                                        "[train]\nepochs = 1, 2\n";

    (void) state;
    /* One axis, where the section stands; a value may come again. */
    test_trials(two, "batch_size=16 lr=0.1 epochs=1|batch_size=16 lr=0.1 epochs=2|"
                     "batch_size=32 lr=0.2 epochs=1|batch_size=32 lr=0.2 epochs=2|"
                     "batch_size=32 lr=0.3 epochs=1|batch_size=32 lr=0.3 epochs=2");
    test_trials(
        TEST_BASE "[train]\nepochs = 1, 2\n[zip a]\nlr = 0.1, 0.2\n"
                  "[zip b]\nmomentum = lin(0, 0.5, 2)\nbatch_size = 8, 16\n",
        "epochs=1 lr=0.1 momentum=0 batch_size=8|epochs=1 lr=0.1 momentum=0.5 batch_size=16|"
        "epochs=1 lr=0.2 momentum=0 batch_size=8|epochs=1 lr=0.2 momentum=0.5 batch_size=16|"
        "epochs=2 lr=0.1 momentum=0 batch_size=8|epochs=2 lr=0.1 momentum=0.5 batch_size=16|"
        "epochs=2 lr=0.2 momentum=0 batch_size=8|epochs=2 lr=0.2 momentum=0.5 batch_size=16");
    /* Two sections of one name are one zip; rows that are all equal are one point. */
    test_trials(TEST_BASE "[zip a]\nlr = 0.1, 0.2, 0.1\n[zip a]\nmomentum = 0, 0.5, 0\n",
                "lr=0.1 momentum=0|lr=0.2 momentum=0.5");
    /* One's own variables, and conditions over a zip's keys. */
    test_trials("[data]\ndataset = random 100x5 classes=2\n"
                "[model]\nlayers = linear ${n} > relu > linear 2\n"
                "[zip a]\nn = 4, 8\nlr = 0.1, 0.2\n[when lr=0.2]\nmomentum = 0, 0.9\n",
                "n=4 lr=0.1|n=8 lr=0.2 momentum=0|n=8 lr=0.2 momentum=0.9");
    /* One value from the command line is constant, several are as many as the others'. */
    test_trials_with(two, words("lr=0.5", "epochs=1"), "batch_size=16|batch_size=32");
    test_trials_with(two, (const char *const[]){"lr=1,2", "batch_size=4,8", "epochs=1", NULL},
                     "batch_size=4 lr=1|batch_size=8 lr=2");
    test_refused_with(two, words("lr=1,2", NULL),
                      "command line: lr: 2 values, and batch_size (x.ini:6) has 3; the keys of "
                      "[zip size] need equally many\n");
}

static void zips_and_conditions(void **state)
{
    (void) state;
    test_trials(TEST_BASE "[optimizer]\noptimizer = sgd, adam\n"
                          "[zip a when optimizer = sgd]\nlr = 0.1, 0.2\nmomentum = 0, 0.9\n"
                          "[zip a when optimizer=adam]\nlr = 1e-3, 1e-4, 1e-5\neps = 1, 2, 3\n",
                "optimizer=sgd lr=0.1 momentum=0|optimizer=sgd lr=0.2 momentum=0.9|"
                "optimizer=adam lr=0.001 eps=1|optimizer=adam lr=0.0001 eps=2|"
                "optimizer=adam lr=1e-5 eps=3");
    /* A key leaves the zip where a [when] gives it, or where its choice is not made. */
    test_trials(TEST_BASE "[optimizer]\noptimizer = sgd, adam\n"
                          "[zip a]\nmomentum = 0, 0.9\nlr = 0.1, 0.2\nbatch_size = 8, 16\n"
                          "[when optimizer=adam]\nlr = 1e-3\n",
                "optimizer=sgd momentum=0 lr=0.1 batch_size=8|"
                "optimizer=sgd momentum=0.9 lr=0.2 batch_size=16|"
                "optimizer=adam lr=0.001 batch_size=8|optimizer=adam lr=0.001 batch_size=16");
}

static void bad_zips(void **state)
{
    (void) state;
    test_refused(
        TEST_BASE "[zip a]\nlr = 0.1, 0.2\nepochs = 1, 2, 3\nseeds = 1\nbatch_size = 4\n",
        "x.ini:7: epochs: 3 values, and lr (line 6) has 2; the keys of [zip a] need equally "
        "many\n"
        "x.ini:8: seeds: belongs to [sweep], and not inside [zip ...]\n"
        "x.ini:9: batch_size: 1 value, and lr (line 6) has 2; the keys of [zip a] need "
        "equally many\n");
    test_refused(TEST_BASE "[zip]\nlr = 1\n[zip a b]\nlr = 1\n[zip a when]\nlr = 1\n"
                           "[zip a when lr=]\nlr = 1\n",
                 "x.ini:5: [zip]: expected [zip NAME] or [zip NAME when CONDITION], NAME of "
                 "letters, digits and _\n"
                 "x.ini:7: [zip a b]: expected [zip NAME] or [zip NAME when CONDITION], NAME of "
                 "letters, digits and _\n"
                 "x.ini:9: [zip a when]: expected [zip NAME] or [zip NAME when CONDITION], NAME of "
                 "letters, digits and _\n"
                 "x.ini:11: [zip a when lr=]: column 4: expected a number, a name or `(` and found "
                 "the end\n");
    test_refused(TEST_BASE SGD "lr = 1\n[zip a]\nlr = 1, 2\n",
                 "x.ini:9: lr: given twice; first in line 7, [optimizer]\n");
}

static void rules_exclude_points(void **state)
{
    static const char grid[] =
        TEST_BASE "[optimizer]\noptimizer = sgd, adam\nlr = log(1e-3, 1e-1, 3)\n"
                  "[exclude]\nhot = lr>=0.1 and optimizer=adam|adamw\nall = lr > 0.05\n"
                  "none = momentum > 3\n";
    struct sweep_plan *plan = test_plan(grid);

    (void) state;
    assert_int_equal(plan->point_count, 4);
    assert_int_equal(plan->excluded_count, 2);
    assert_int_equal(plan->rule_count, 3);
    assert_string_equal(plan->rules[0].name, "hot");
    assert_string_equal(plan->rules[0].text, "lr>=0.1 and optimizer=adam|adamw");
    assert_int_equal(plan->rules[0].removed, 1);
    assert_int_equal(plan->rules[1].removed, 1); /* the first that holds counts */
    assert_int_equal(plan->rules[2].removed, 0);
    assert_int_equal(plan->warning_count, 1);
    assert_string_equal(plan->warnings[0], "x.ini:11: none = momentum > 3: removes nothing");
    sweep_plan_free(plan);
    /* No warning where the command line is the reason; a rule may be named as a key. */
    plan = test_plan_with(TEST_BASE SGD "lr = 0.1, 0.2\n[exclude]\nlr = lr > 0.1\n",
                          words("lr=0.1", NULL));
    assert_int_equal(plan->warning_count, 0);
    assert_int_equal(plan->point_count, 1);
    sweep_plan_free(plan);
    test_refused(TEST_BASE "[exclude]\na = lrr > 1\na = lr > 1\nb = lr >\nc = optimizer > 1\n"
                           "d = seeds = 1\ne = optimizer = sdg\n",
                 "x.ini:6: a = lrr > 1: lrr: no such key; did you mean lr?\n"
                 "x.ini:7: a: given twice here; first in line 6\n"
                 "x.ini:8: b = lr >: column 5: expected a number, a name or `(` and found the end\n"
                 "x.ini:9: c = optimizer > 1: column 1: `sgd` is a word; expected a number\n"
                 "x.ini:10: d = seeds = 1: seeds: of the sweep, not of a trial\n"
                 "x.ini:11: e = optimizer = sdg: optimizer = sdg: no such optimizer; did you mean "
                 "sgd?\n");
    test_refused(TEST_BASE "[exclude]\na = epochs > 0\n",
                 "x.ini:5: [exclude]: nothing is left of the grid\n");
}

/* The example that shows what conditions and rules are for: of 576 points in the plain product 84 are left. */
static void conditions_and_rules(void **state)
{
    struct sweep_plan *plan =
        test_plan("[sweep]\nmetric = max Accuracy/Val\nseeds = 3\n" TEST_BASE
                  "[optimizer]\noptimizer = sgd, adam, adamw\nlr = log(1e-4, 1e-1, 4)\n"
                  "[when optimizer=sgd]\nmomentum = 0, 0.9\nnesterov = no, yes\n"
                  "[when optimizer=adamw]\nweight_decay = 0, 1e-2\n"
                  "[scheduler]\nscheduler = none, cosine, step\n"
                  "[when scheduler=cosine]\nT_max = 10\n"
                  "[when scheduler=step]\nstep_size = 3\ngamma = 0.1, 0.5\n"
                  "[exclude]\na = nesterov=yes and momentum=0\n"
                  "b = lr>=0.1 and optimizer=adam|adamw\n[preset quick]\nepochs = 1\n");

    (void) state;
    assert_int_equal(plan->point_count, 84);
    assert_int_equal(plan->trial_count, 252);
    assert_int_equal(plan->merged_count, 0);
    assert_int_equal(plan->rules[0].removed, 16);
    assert_int_equal(plan->rules[1].removed, 12);
    sweep_plan_free(plan);
}

static void all_faults_at_once(void **state)
{
    (void) state;
    test_refused("[data]\ndataset = random 100x5 classes=2\nbatch_size = 0\nnormalize = banana\n"
                 "[optimizer]\noptimizer = sdg\n[modle]\nx = 1\n"
                 "[model]\nlayers = linear 4 > relu > linear 2\n"
                 "[train]\nepochs = -3\n[scheduler]\nscheduler = step\nstep_size = 0\n",
                 "x.ini:3: batch_size = 0: must be a whole number in [1, 65536]\n"
                 "x.ini:4: normalize = banana: must be unit, or MEAN STD with STD > 0\n"
                 "x.ini:6: optimizer = sdg: no such optimizer; did you mean sgd?\n"
                 "x.ini:7: [modle]: no such section; did you mean [model]?\n"
                 "x.ini:12: epochs = -3: must be a whole number in [1, 1000000]\n"
                 "x.ini:15: step_size = 0: must be a whole number in [1, 1000000000]\n");
}

/* Commas inside parentheses do not part alternatives, and nothing in a rule is a range. */
static void rules_are_text(void **state)
{
    (void) state;
    test_trials(TEST_BASE "[scheduler]\nscheduler = lambda\n"
                          "lr_lambda = min(1, epoch/5), 1 - epoch/epochs, log(2)\n",
                "lr_lambda=min(1, epoch/5)|lr_lambda=1 - epoch/epochs|lr_lambda=log(2)");
    test_trials(TEST_BASE "[scheduler]\nscheduler = sequence, chain\nphases = linear 2>none, none\n"
                          "chain = step * step, lambda lr_lambda=(max(lr, 2)) * step\n",
                "scheduler=sequence phases=linear 2 > none|scheduler=sequence phases=none|"
                "scheduler=chain chain=step * step|"
                "scheduler=chain chain=lambda lr_lambda=(max(lr, 2)) * step");
}

static void conditions(void **state)
{
    (void) state;
    test_trials(TEST_BASE "[optimizer]\noptimizer = sgd, adam\n"
                          "[when optimizer=sgd]\nmomentum = 0, 0.9\n",
                "optimizer=sgd momentum=0|optimizer=sgd momentum=0.9|optimizer=adam");
    /* A condition over a conditional key; the section stands before what it needs. */
    test_trials(TEST_BASE "[when momentum > 0 and optimizer=sgd]\nnesterov = no, yes\n"
                          "[optimizer]\noptimizer = sgd, adam\n"
                          "[when optimizer=sgd]\nmomentum = 0, 0.9\n",
                "optimizer=sgd momentum=0|optimizer=adam"
                "|nesterov=no optimizer=sgd momentum=0.9|nesterov=yes optimizer=sgd momentum=0.9");
    /* The one inside goes before the one outside. */
    test_trials(TEST_BASE "[optimizer]\noptimizer = sgd, adam\nlr = 0.1\n"
                          "[when optimizer=adam]\nlr = 0.001\n",
                "optimizer=sgd lr=0.1|optimizer=adam lr=0.001");
    /* A condition over a key that stands at its default. */
    test_trials(TEST_BASE "[when scheduler=none]\nlr = 0.1, 0.2\n", "lr=0.1|lr=0.2");
    test_trials(TEST_BASE "[when scheduler=step]\ngamma = 0.1\n", "");
}

static void keys_of_choices(void **state)
{
    (void) state;
    test_trials(TEST_BASE "[optimizer]\noptimizer = sgd, adam\nmomentum = 0, 0.9\n",
                "optimizer=sgd momentum=0|optimizer=sgd momentum=0.9|optimizer=adam");
    test_refused(TEST_BASE "[optimizer]\noptimizer = adam\nmomentum = 0.9\n",
                 "x.ini:7: momentum: no choice of this grid uses it; it belongs to optimizer = "
                 "sgd, rmsprop\n");
    /* Left over by the command line: a warning. */
    struct sweep_plan *plan =
        test_plan_with(TEST_BASE SGD "momentum = 0.9\n", words("optimizer=adam", NULL));
    assert_int_equal(plan->trial_count, 1);
    assert_int_equal(plan->warning_count, 1);
    assert_string_equal(plan->warnings[0],
                        "x.ini:7: momentum: no choice of this grid uses it; it belongs to "
                        "optimizer = sgd, rmsprop");
    sweep_plan_free(plan);
}

static const struct sweep_trial *find_trial(const struct sweep_plan *plan, const char *id)
{
    for (size_t t = 0; t < plan->trial_count; t++) {
        if (strcmp(plan->trials[t].id, id) == 0)
            return &plan->trials[t];
    }
    fail_msg("no trial %s", id);
    return NULL;
}

/* A key that only some choices use is no part of the others: not of their identity, names and HParams. */
static void keys_of_choices_are_absent_elsewhere(void **state)
{
    static const char both[] = TEST_BASE "[optimizer]\noptimizer = sgd, adam\nlr = 0.1, 0.2\n";
    struct sweep_plan *with = test_plan(TEST_BASE "[optimizer]\noptimizer = sgd, adam\n"
                                                  "lr = 0.1, 0.2\nmomentum = 0.5, 0.9\n"
                                                  "[scheduler]\nscheduler = none, step\n"
                                                  "gamma = 0.3\nstep_size = 7\n");
    struct sweep_plan *without = test_plan(both);
    size_t compared = 0;

    (void) state;
    assert_int_equal(with->point_count, 12);
    for (size_t t = 0; t < without->trial_count; t++) {
        const struct sweep_trial *plain = &without->trials[t];
        if (strcmp(plain->params[2].key, "optimizer") != 0)
            fail_msg("params moved: %s", plain->params[2].key);
        if (strcmp(plain->params[2].value, "adam") != 0)
            continue;
        const struct sweep_trial *trial = find_trial(with, plain->id);
        compared++;
        assert_null(strstr(trial->name, "momentum"));
        assert_null(strstr(trial->name, "gamma"));
        assert_int_equal(trial->param_count, plain->param_count + 1); /* scheduler = none */
        for (size_t i = 0; i < trial->param_count; i++) {
            assert_string_not_equal(trial->params[i].key, "momentum");
            assert_string_not_equal(trial->params[i].key, "gamma");
            assert_string_not_equal(trial->params[i].key, "step_size");
        }
        struct train_spec *spec = sweep_trial_spec(with, trial);
        assert_null(train_spec_get(spec, "momentum"));
        assert_null(train_spec_get(spec, "gamma"));
        train_spec_free(spec);
    }
    assert_int_equal(compared, 2);
    sweep_plan_free(with);
    sweep_plan_free(without);
}

/* Order of keys, sections and comments change no id, and no number of a trial that is known. */
static void order_is_nothing(void **state)
{
    struct sweep_plan *plan = test_plan(
        TEST_BASE
        "[optimizer]\noptimizer = sgd, adam\nweight_decay = = lr / scale\nscale = 10\n"
        "[when optimizer=sgd]\nmomentum = 0, 0.9\n"
        "[when momentum > 0]\nnesterov = no, yes\n"
        "[zip size]\nlr = 0.1, 0.2, 0.3\nbatch_size = 16, 32, 64\n"
        "[exclude]\na = nesterov = yes and lr < 0.15\nb = lr > 0.25 and optimizer = adam\n"
        "[train]\nepochs = 1, 2\n");
    struct sweep_known *known = cs_xcalloc(plan->trial_count, sizeof *known);
    struct sweep_plan *again = test_plan(
        "; all the other way round\n[train]\nepochs = 2, 1 ; two\n[exclude]\n"
        "other = lr > 0.25 and optimizer = adam\nname = nesterov = yes and lr < 0.15\n"
        "[zip z]\nbatch_size = 64, 16, 32\n# between\nlr = 0.3, 1e-1, .2\n"
        "[when momentum > 0]\nnesterov = yes, no\n"
        "[optimizer]\nscale = 10.0\nweight_decay = =lr/scale\n"
        "[when optimizer=sgd]\nmomentum = 0.9, 0\n[optimizer]\noptimizer = adam, sgd\n" TEST_BASE);

    (void) state;
    assert_int_equal(plan->trial_count, 20);
    assert_int_equal(again->trial_count, 20);
    for (size_t i = 0; i < plan->trial_count; i++)
        known[i] = (struct sweep_known){.id = plan->trials[i].id,
                                        .name = plan->trials[i].name,
                                        .number = plan->trials[i].number};
    sweep_plan_adopt(again, known, plan->trial_count);
    for (size_t i = 0; i < plan->trial_count; i++) {
        const struct sweep_trial *trial = find_trial(again, plan->trials[i].id);
        assert_int_equal(trial->number, plan->trials[i].number);
        assert_string_equal(trial->name, plan->trials[i].name);
    }
    free(known);
    sweep_plan_free(plan);
    sweep_plan_free(again);
}

static void conditions_in_conditions(void **state)
{
    (void) state;
    test_trials(TEST_BASE "[when nesterov=yes]\nweight_decay = 0.1, 0.2\n"
                          "[when momentum > 0]\nnesterov = no, yes\n"
                          "[when optimizer=sgd]\nmomentum = 0, 0.9\n"
                          "[when weight_decay > 0.15]\nbatch_size = 8\n"
                          "[optimizer]\noptimizer = adam, sgd\n",
                "optimizer=adam|momentum=0 optimizer=sgd|nesterov=no momentum=0.9 optimizer=sgd|"
                "weight_decay=0.1 nesterov=yes momentum=0.9 optimizer=sgd|"
                "weight_decay=0.2 nesterov=yes momentum=0.9 optimizer=sgd");
    test_refused(TEST_BASE "[when nesterov=yes]\nweight_decay = 0.1\n"
                           "[when weight_decay > 0]\nmomentum = 0.9\n"
                           "[when momentum > 0]\nnesterov = no\n",
                 "x.ini:5: conditions in a circle: weight_decay -> nesterov -> momentum -> "
                 "weight_decay\n");
    /* Presets in their order, over keys of conditions too. */
    test_trials_with(TEST_BASE "[optimizer]\noptimizer = sgd, adam\n"
                               "[when optimizer=sgd]\nmomentum = 0, 0.9\nlr = 1, 2\n"
                               "[preset a]\nlr = 0.1\nmomentum = 0.5\n[preset b]\nlr = 0.2, 0.3\n",
                     (const char *const[]){"--preset a", "--preset b", NULL},
                     "optimizer=sgd lr=0.2|optimizer=sgd lr=0.3|optimizer=adam");
    test_trials_with(TEST_BASE "[optimizer]\noptimizer = sgd, adam\n"
                               "[when optimizer=sgd]\nmomentum = 0, 0.9\nlr = 1, 2\n"
                               "[preset a]\nlr = 0.1\nmomentum = 0.5\n[preset b]\nlr = 0.2, 0.3\n",
                     (const char *const[]){"--preset b", "--preset a", NULL},
                     "optimizer=sgd|optimizer=adam");
}

static void bad_conditions(void **state)
{
    (void) state;
    test_refused(TEST_BASE "[when optimizr=sgd]\nlr = 1\n",
                 "x.ini:5: [when optimizr=sgd]: optimizr: no such key; did you mean optimizer?\n");
    test_refused(TEST_BASE "[when optimizer=sdg]\nlr = 1\n",
                 "x.ini:5: [when optimizer=sdg]: optimizer = sdg: no such optimizer; did you mean "
                 "sgd?\n");
    test_refused(TEST_BASE "[when lr >]\nmomentum = 1\n",
                 "x.ini:5: [when lr >]: column 5: expected a number, a name or `(` and found the "
                 "end\n");
    test_refused(TEST_BASE "[when optimizer > 3]\nlr = 1\n",
                 "x.ini:5: [when optimizer > 3]: column 1: `sgd` is a word; expected a number\n");
    test_refused(TEST_BASE "[when]\nlr = 1\n",
                 "x.ini:5: [when]: no condition; expected [when KEY=VALUE]\n");
    test_refused(TEST_BASE "[when momentum=0]\nnesterov = no\n[when nesterov=no]\nmomentum = 0\n",
                 "x.ini:5: conditions in a circle: nesterov -> momentum -> nesterov\n");
    test_refused(TEST_BASE SGD "[when lr>0]\nlr = 1\n",
                 "x.ini:7: conditions in a circle: lr -> lr\n");
    test_refused(TEST_BASE SGD "[when optimizer=sgd]\nlr = 1\n[when scheduler=none]\nlr = 2\n",
                 "x.ini:10: lr: [when optimizer=sgd] (line 8) and [when scheduler=none] give it at "
                 "once\n");
}

static void own_variables(void **state)
{
    static const char model[] = "[data]\ndataset = random 100x5 classes=2\n"
                                "[model]\nlayers = linear ${width} > relu > linear 2, linear 2\n"
                                "width = 4, 8.0\n";
    struct sweep_plan *plan = test_plan(model);

    (void) state;
    assert_int_equal(plan->trial_count, 3);
    assert_string_equal(plan->trials[1].params[1].inserted, "linear 8 > relu > linear 2");
    assert_string_equal(plan->trials[1].params[2].key, "width");
    assert_string_equal(plan->trials[1].params[2].value, "8");
    assert_true(plan->trials[1].params[2].numeric);
    assert_int_equal(plan->trials[2].param_count, 2); /* `linear 2` has no width */
    sweep_plan_free(plan);
    test_trials_with(model, words("width=16", "layers=linear ${width} > linear 2"), "");
    test_refused("[data]\ndataset = random 100x5 classes=2\n"
                 "[model]\nlayers = linear ${widht} > linear 2\nwidth = 4\n",
                 "x.ini:4: layers: ${widht}: no such key; did you mean width?\n"
                 "x.ini:5: width: no such key, and no value has ${width}; see csweep describe "
                 "key\n");
}

static void presets_and_overrides(void **state)
{
    static const char text[] = TEST_BASE "[optimizer]\noptimizer = sgd, adam\nlr = 0.1, 0.2\n"
                                         "[when optimizer=sgd]\nmomentum = 0, 0.9\n"
                                         "[preset quick]\nepochs = 1\nlr = 0.5\n"
                                         "[preset wide]\nlr = 1, 2\n";
    struct sweep_plan *plan;

    (void) state;
    plan = test_plan_with(text, words("--preset quick", "optimizer=adam"));
    assert_int_equal(plan->trial_count, 1);
    assert_int_equal(plan->trials[0].point->epochs, 1);
    assert_true(test_rate(plan, 0) == 0.5);
    sweep_plan_free(plan);
    test_trials_with(
        text, (const char *const[]){"--preset quick", "--preset wide", "optimizer=adam", NULL},
        "lr=1|lr=2");
    test_trials_with(text, words("lr=0.1", "momentum=0.5"), "optimizer=sgd|optimizer=adam");
    test_refused_with(text, words("--preset quik", NULL),
                      "command line: --preset quik: no such preset; did you mean quick?\n");
    test_refused_with(text, words("lrr=1", "lr"),
                      "command line: lrr: no such key; did you mean lr?\n"
                      "command line: lr: expected KEY=VALUE\n");
    test_refused_with(text, words("lr=x", NULL), "command line: lr = x: must be a number >= 0\n");
    test_refused_with(
        text, words("path=a ; b", NULL),
        "command line: path: comments, control bytes and invalid UTF-8 are not allowed here\n");
    test_refused_with(
        text, words("path=\xff", NULL),
        "command line: path: comments, control bytes and invalid UTF-8 are not allowed here\n");
    /* Presets that are not chosen are checked too. */
    test_refused(TEST_BASE "[preset p]\nepochs = 0\nepoch = 1\n",
                 "x.ini:6: epochs = 0: must be a whole number in [1, 1000000]\n"
                 "x.ini:7: epoch: no such key; did you mean epochs?\n");
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

static void hostile_files_end_fast(void **state)
{
    const double start = seconds();
    struct sweep_plan_input input = {.path = "x.ini"};
    struct sweep_plan *plan = NULL;
    char *text = malloc(CS_INI_MAX_BYTES + 1);
    uint32_t random = 1;

    (void) state;
    test_refused(TEST_BASE SGD "lr = lin(0,1,1e12)\n",
                 "x.ini:7: lr = lin(0,1,1e12): more than 250000 values in all\n");
    test_refused(TEST_BASE SGD "lr = range(0,1,1e-300)\n",
                 "x.ini:7: lr = range(0,1,1e-300): more than 250000 values in all\n");
    test_refused("[data]\ndataset = random 100x5 classes=2\nbatch_size = range(1,60000,1)\n"
                 "limit = range(1,60000,1)\n[train]\nepochs = range(1,60000,1)\n"
                 "checkpoint_every = range(1,60000,1)\n[model]\nlayers = linear 2\n",
                 "x.ini: the grid has more than 1000000 points: batch_size 60000 x limit 60000 x "
                 "epochs 60000 x checkpoint_every 60000; split it\n");
    for (size_t i = 0; i <= CS_INI_MAX_BYTES; i++) {
        random = random * 1664525u + 1013904223u;
        text[i] = (char) (random >> 24);
    }
    for (int kind = 0; kind < 4; kind++) {
        struct sweep_faults faults = {0};
        if (kind == 1)
            memset(text, 0, CS_INI_MAX_BYTES);
        if (kind == 2)
            memset(text, 'a', CS_INI_MAX_BYTES);
        if (kind == 3) {
            memset(text, ',', CS_INI_MAX_BYTES);
            memcpy(text, "[optimizer]\nlr=", 15);
        }
        test_write(text, CS_INI_MAX_BYTES);
        assert_int_equal(sweep_plan_create(&plan, &input, &faults), CS_EPARSE);
        assert_in_range(faults.count, 1, 200);
        cs_buf_clear(&faults.text);
    }
    struct sweep_faults faults = {0};
    test_write(text, CS_INI_MAX_BYTES + 1);
    assert_int_equal(sweep_plan_create(&plan, &input, &faults), CS_EPARSE);
    assert_string_equal(faults.text.data, "x.ini: file over 1 MB\n");
    cs_buf_clear(&faults.text);
    free(text);
    assert_true(seconds() - start < 20); /* under a second without sanitizers */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_ranges),
        cmocka_unit_test(log_points_are_the_numbers_one_writes),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(wrong_names),
        cmocka_unit_test(groups_are_keys_with_a_name_before_them),
        cmocka_unit_test(later_words_are_refused),
        cmocka_unit_test(zips_advance_together),
        cmocka_unit_test(zips_and_conditions),
        cmocka_unit_test(bad_zips),
        cmocka_unit_test(rules_exclude_points),
        cmocka_unit_test(conditions_and_rules),
        cmocka_unit_test(all_faults_at_once),
        cmocka_unit_test(rules_are_text),
        cmocka_unit_test(conditions),
        cmocka_unit_test(keys_of_choices),
        cmocka_unit_test(keys_of_choices_are_absent_elsewhere),
        cmocka_unit_test(order_is_nothing),
        cmocka_unit_test(conditions_in_conditions),
        cmocka_unit_test(bad_conditions),
        cmocka_unit_test(own_variables),
        cmocka_unit_test(presets_and_overrides),
        cmocka_unit_test(hostile_files_end_fast),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
