/* Plans: identity, merging, seeds, metric, limits, the resolved text. */
#include "test_plan_util.h"

static const char full[] =
    "[sweep]\nseeds = 2\n" TEST_BASE "[optimizer]\noptimizer = sgd, adam\nlr = 0.1, 0.01\n"
    "[when optimizer=sgd]\nmomentum = 0, 0.9\n"
    "[train]\nepochs = 3\n";

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The ids of all trials, sorted, one a line. */
static char *ids_of(const char *text)
{
    struct sweep_plan *plan = test_plan(text);
    const char **ids = cs_xcalloc(plan->trial_count, sizeof *ids);
    struct cs_buf out = {0};

    for (size_t i = 0; i < plan->trial_count; i++)
        ids[i] = plan->trials[i].id;
    qsort(ids, plan->trial_count, sizeof *ids, compare_texts);
    for (size_t i = 0; i < plan->trial_count; i++)
        cs_buf_addf(&out, "%s\n", ids[i]);
    free(ids);
    sweep_plan_free(plan);
    return out.data;
}

static void same_ids(const char *a, const char *b)
{
    char *x = ids_of(a), *y = ids_of(b);

    assert_string_equal(x, y);
    free(x);
    free(y);
}

static void spelling_is_not_identity(void **state)
{
    struct sweep_plan *plan = test_plan(TEST_BASE "[optimizer]\nlr = 1e-2, 0.01, .0100\n");

    (void) state;
    assert_int_equal(plan->trial_count, 1);
    assert_int_equal(plan->warning_count, 2);
    assert_string_equal(plan->warnings[0], "x.ini:6: lr: 0.01 is given twice; kept once");
    sweep_plan_free(plan);
    same_ids(TEST_BASE "[optimizer]\nlr = 0.01\n", TEST_BASE "[optimizer]\nlr = 1e-2\n");
}

static void order_is_not_identity(void **state)
{
    (void) state;
    same_ids(full,
             "; shuffled\n[train]\nepochs = 3 ; same\n[when optimizer=sgd]\nmomentum = 0.9, 0\n"
             "[model]\nlayers = linear 4>relu  >  linear 2\n"
             "[optimizer]\nlr = 0.01, 0.1\n# more\n[optimizer]\noptimizer = adam, sgd\n"
             "[data]\ndataset = random 100x5 classes=2\n[sweep]\nseeds = 1, 0\n");
}

static void defaults_and_seeds(void **state)
{
    char *x = ids_of(TEST_BASE), *y = ids_of(TEST_BASE "[sweep]\nseed = 7\n");

    (void) state;
    assert_string_not_equal(x, y);
    free(x);
    free(y);
    same_ids(TEST_BASE, TEST_BASE "[optimizer]\noptimizer = sgd\nlr = 1e-3\n");
    same_ids(TEST_BASE, TEST_BASE "[sweep]\nseeds = 1\n");
    same_ids(TEST_BASE "[sweep]\nseeds = 3\n", TEST_BASE "[sweep]\nseeds = 2, 0, 1\n");
}

static void equal_points_merge(void **state)
{
    /* momentum = 0 is the default: with and without it one point. */
    struct sweep_plan *plan =
        test_plan(TEST_BASE "[optimizer]\noptimizer = sgd\n[scheduler]\nscheduler = none, step\n"
                            "[when scheduler=step]\nstep_size = 5\n"
                            "[when scheduler=none]\nlr = 1e-3\n"
                            "[model]\n");
    assert_int_equal(plan->merged_count, 0);
    sweep_plan_free(plan);
    plan = test_plan("[data]\ndataset = random 100x5 classes=2\n"
                     "[model]\nlayers = linear 2, linear ${n}, linear 3\nn = 2, 3, 4\n");
    (void) state;
    assert_int_equal(plan->point_count, 3);
    assert_int_equal(plan->merged_count, 2);
    assert_int_equal(plan->trial_count, 3);
    sweep_plan_free(plan);
}

static void counts_and_axes(void **state)
{
    struct sweep_plan *plan = test_plan(full);

    (void) state;
    assert_int_equal(plan->point_count, 6);
    assert_int_equal(plan->seed_count, 2);
    assert_int_equal(plan->trial_count, 12);
    assert_int_equal(plan->axis_count, 3);
    assert_string_equal(plan->axes[0].key, "optimizer");
    assert_false(plan->axes[0].numeric);
    assert_string_equal(plan->axes[1].key, "lr");
    assert_true(plan->axes[1].numeric);
    assert_string_equal(plan->axes[1].values[0], "0.1");
    assert_string_equal(plan->axes[1].values[1], "0.01");
    assert_int_equal(plan->axes[2].count, 2);
    assert_string_equal(plan->name, "x");
    assert_string_equal(plan->metric, "Accuracy/Val");
    assert_true(plan->maximize);
    /* Each seed of a point follows the other; the point is the same. */
    assert_int_equal(plan->trials[0].seed, 0);
    assert_int_equal(plan->trials[1].seed, 1);
    assert_ptr_equal(plan->trials[0].point, plan->trials[1].point);
    assert_ptr_not_equal(plan->trials[1].point, plan->trials[2].point);
    assert_string_not_equal(plan->trials[0].id, plan->trials[1].id);
    sweep_plan_free(plan);
}

static void sweep_section(void **state)
{
    struct sweep_plan *plan =
        test_plan("[sweep]\nname = demo-1\nmetric = min Loss/Val\n"
                  "target = Accuracy/Val >= 0.85\ndescription = a, b\n" TEST_BASE);

    (void) state;
    assert_string_equal(plan->name, "demo-1");
    assert_string_equal(plan->metric, "Loss/Val");
    assert_false(plan->maximize);
    assert_string_equal(plan->description, "a, b");
    assert_non_null(plan->target);
    sweep_plan_free(plan);
    test_refused("[sweep]\nname = ../up\nmetric = best\nseeds = 0\nmax_trials = x\n"
                 "target = 1 +\n" TEST_BASE,
                 "x.ini:2: name = ../up: must begin with a letter or digit\n"
                 "x.ini:3: metric = best: must be max TAG or min TAG, such as max Accuracy/Val\n"
                 "x.ini:4: seeds = 0: must be a whole number in [1, 1000000]\n"
                 "x.ini:5: max_trials = x: must be a whole number in [1, 1000000]\n"
                 "x.ini:6: target = 1 +: column 4: expected a number, a name or `(` and found the "
                 "end\n");
    test_refused(
        "[sweep]\nmetric = max Acuracy/Val\ntarget = Loss/Vall < 1\n" TEST_BASE,
        "x.ini:2: metric = max Acuracy/Val: no such tag Acuracy/Val; did you mean "
        "Accuracy/Val?\n"
        "x.ini:3: target = Loss/Vall < 1: no such tag Loss/Vall; did you mean Loss/Val?\n");
    test_refused("[sweep]\nseed = 1, 2\n" TEST_BASE,
                 "x.ini:2: seed = 1, 2: one number; a list is seeds\n");
    test_refused("[sweep]\nseed = 1\nseeds = 2\n" TEST_BASE,
                 "x.ini:2: seed: give either seed or seeds, not both\n");
}

static void limits_refuse(void **state)
{
    static const char *const seeds[] = {"seeds=4", NULL}, *const seed[] = {"seed=4", NULL};
    struct sweep_plan *plan;

    (void) state;
    test_refused("[sweep]\nmax_trials = 11\nseeds = 2\n" TEST_BASE "[optimizer]\nlr = lin(1,6,6)\n",
                 "x.ini:2: 6 points x 2 seeds are more than max_trials = 11 trials\n");
    plan = test_plan("[sweep]\nmax_trials = 12\nseeds = 2\n" TEST_BASE
                     "[optimizer]\nlr = lin(1,6,6)\n");
    assert_int_equal(plan->trial_count, 12);
    sweep_plan_free(plan);
    plan = test_plan_with(full, seeds);
    assert_int_equal(plan->trial_count, 24);
    sweep_plan_free(plan);
    plan = test_plan_with(full, seed); /* takes the place of seeds */
    assert_int_equal(plan->trial_count, 6);
    assert_int_equal(plan->trials[0].seed, 4);
    sweep_plan_free(plan);
}

/* 12 settings of sgd, 4 of adam, 8 of adamw, times 4 of the schedulers; the plain product would be 576. */
static void conditions_leave_no_twins(void **state)
{
    struct sweep_plan *plan =
        test_plan("[sweep]\nseeds = 3\n" TEST_BASE
                  "[optimizer]\noptimizer = sgd, adam, adamw\nlr = log(1e-4, 1e-1, 4)\n"
                  "[when optimizer=sgd]\nmomentum = 0, 0.9\n"
                  "[when optimizer=sgd and momentum=0.9]\nnesterov = no, yes\n"
                  "[when optimizer=adamw]\nweight_decay = 0, 1e-2\n"
                  "[scheduler]\nscheduler = none, plateau, step\n"
                  "[when scheduler=step]\ngamma = 0.1, 0.5\n");
    (void) state;
    assert_int_equal(plan->point_count, 96);
    assert_int_equal(plan->trial_count, 288);
    assert_int_equal(plan->merged_count, 0);
    sweep_plan_free(plan);
}

static void cross_setting_faults(void **state)
{
    (void) state;
    test_refused("[data]\ndataset = random 100x5 classes=2\n[model]\nlayers = linear 1, linear 2\n"
                 "[train]\nepochs = 1, 2, 3\n",
                 "x.ini:4: layers = linear 1: gives 1 outputs; random 100x5 classes=2 has 2 "
                 "classes\n");
    test_refused(TEST_BASE "[optimizer]\noptimizer = sgd\nnesterov = yes\n[data]\n"
                           "normalize = 1 0\n",
                 "x.ini:7: nesterov = yes: needs momentum > 0 and dampening = 0\n"
                 "x.ini:9: normalize = 1 0: must be unit, or MEAN STD with STD > 0\n");
}

static void resolved_text(void **state)
{
    static const char *const words[] = {"--preset quick", "seeds=1", "batch_size=8", NULL};
    struct sweep_plan *plan =
        test_plan_with("; note\n[preset quick]\nepochs = 1\n" TEST_BASE
                       "[sweep]\nseeds = 3 ; three\n[optimizer]\nlr = log(0.1, 1, 2)\n"
                       "[when scheduler=none]\nmomentum=0.9\n",
                       words);
    (void) state;
    assert_string_equal(plan->resolved, "[data]\n"
                                        "dataset = random 100x5 classes=2\n"
                                        "batch_size = 8\n"
                                        "\n[model]\n"
                                        "layers = linear 4 > relu > linear 2\n"
                                        "\n[sweep]\n"
                                        "name = x\n"
                                        "seeds = 1\n"
                                        "\n[optimizer]\n"
                                        "lr = log(0.1, 1, 2)\n"
                                        "\n[when scheduler=none]\n"
                                        "momentum = 0.9\n"
                                        "\n[train]\n"
                                        "epochs = 1\n");
    char *first = cs_xstrdup(plan->resolved), *trials = test_describe(plan);
    sweep_plan_free(plan);
    plan = test_plan(first); /* it reads back as the same plan */
    char *again = test_describe(plan);
    assert_string_equal(plan->resolved, first);
    assert_string_equal(again, trials);
    sweep_plan_free(plan);
    free(first);
    free(trials);
    free(again);
}

/* A trial's spec can be made at any time, and is the one that the plan saw; also after the plan is gone. */
static void specs_come_back(void **state)
{
    struct sweep_plan *plan =
        test_plan("[sweep]\nseeds = 3\n[data]\ndataset = random 100x5 classes=2\n"
                  "[model]\nlayers = linear ${w}>relu > linear 2, linear 2\nw = 4, 1e1\n"
                  "[optimizer]\noptimizer = sgd, adam\nlr = .10, 1e-3\n"
                  "[group first]\nmatch = 0.*\nlr = 0.5\n"
                  "[when optimizer=sgd]\nmomentum = 0, 0.9\n"
                  "[scheduler]\nscheduler = sequence\n"
                  "phases = linear 5 start_factor=0.1>cosine T_max=20\n");
    struct train_spec *kept = NULL;

    (void) state;
    assert_int_equal(plan->trial_count, 3 * 3 * 6);
    for (size_t i = 0; i < plan->trial_count; i++) {
        const struct sweep_trial *trial = &plan->trials[i];
        train_spec_free(kept);
        kept = sweep_trial_spec(plan, trial);
        assert_string_equal(kept->id, trial->id);
        assert_string_equal(kept->point_id, trial->point->id);
        assert_string_equal(kept->shape_key, trial->point->shape_key);
        assert_ptr_equal(train_spec_tags(kept), trial->point->tags);
        assert_int_equal(kept->seed, trial->seed);
        assert_int_equal(kept->seed, i % 3);
        for (size_t k = 0; k < i; k++) /* equal shapes are one pointer */
            assert_int_equal(strcmp(plan->trials[k].point->shape_key, kept->shape_key) == 0,
                             plan->trials[k].point->shape_key == trial->point->shape_key);
    }
    sweep_plan_free(plan);
    assert_string_equal(train_spec_get(kept, "layers"), "linear 2");
    train_spec_free(kept);
}

static void too_many_end_early(void **state)
{
    (void) state;
    test_refused("[sweep]\nseeds = 1000000\n" TEST_BASE "[optimizer]\nlr = lin(1, 2, 1000)\n"
                 "weight_decay = lin(0, 1, 1000)\n",
                 "x.ini: 1000000 points x 1000000 seeds are more than 1000000 trials; split the "
                 "grid\n");
}

static void missing_file(void **state)
{
    struct sweep_plan_input input = {.path = "nowhere.ini"};
    struct sweep_faults faults = {0};
    struct sweep_plan *plan = NULL;

    (void) state;
    assert_int_equal(sweep_plan_create(&plan, &input, &faults), CS_EIO);
    assert_string_equal(faults.text.data, "nowhere.ini: cannot open: No such file or directory\n");
    assert_int_equal(faults.count, 1);
    cs_buf_clear(&faults.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spelling_is_not_identity),
        cmocka_unit_test(order_is_not_identity),
        cmocka_unit_test(defaults_and_seeds),
        cmocka_unit_test(equal_points_merge),
        cmocka_unit_test(counts_and_axes),
        cmocka_unit_test(sweep_section),
        cmocka_unit_test(limits_refuse),
        cmocka_unit_test(conditions_leave_no_twins),
        cmocka_unit_test(cross_setting_faults),
        cmocka_unit_test(resolved_text),
        cmocka_unit_test(specs_come_back),
        cmocka_unit_test(too_many_end_early),
        cmocka_unit_test(missing_file),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
