/* Values that are made at each point: ${name}, ${env:NAME}, expressions behind a `=`. */
#include "test_plan_util.h"

#define MODEL "[data]\ndataset = random 100x5 classes=2\n[model]\n"
#define SGD "[optimizer]\noptimizer = sgd\n"

static const struct sweep_param *param(const struct sweep_plan *plan, size_t trial, const char *key)
{
    for (size_t i = 0; i < plan->trials[trial].param_count; i++) {
        if (strcmp(plan->trials[trial].params[i].key, key) == 0)
            return &plan->trials[trial].params[i];
    }
    fail_msg("no %s", key);
    return NULL;
}

static void references(void **state)
{
    (void) state;
    /* Another key's value, also one at its default, and a variable of one's own in any section. */
    test_trials(TEST_BASE SGD "lr = 0.1, 0.2\nweight_decay = ${lr}\n",
                "lr=0.1 weight_decay=0.1|lr=0.2 weight_decay=0.2");
    test_trials(TEST_BASE "[train]\nepochs = ${batch_size}, 3\n", "epochs=64|epochs=3");
    test_trials(TEST_BASE
                "[optimizer]\nbase = 0.1, 0.2\nlr = ${base}\nmomentum = 0.${half}\nhalf = 5\n",
                "base=0.1 lr=0.1|base=0.2 lr=0.2");
    /* A choice, and what only that choice has. */
    test_trials(TEST_BASE "[optimizer]\nalgo = sgd, adam\noptimizer = ${algo}\nmomentum = 0, 0.9\n"
                          "[when optimizer=adam]\neps = 1, 2\n",
                "algo=sgd optimizer=sgd momentum=0|algo=sgd optimizer=sgd momentum=0.9|"
                "algo=adam optimizer=adam eps=1|algo=adam optimizer=adam eps=2");
    /* Through several, and lists with blanks. */
    test_trials(TEST_BASE
                "[optimizer]\noptimizer = adam\nb = 0.9, 0.8\nbetas = ${b} 0.${c}\nc = 99${d}\n"
                "d = 99\n",
                "b=0.9 betas=0.9 0.9999|b=0.8 betas=0.8 0.9999");
    /* In a zip and in a preset. */
    test_trials_with(TEST_BASE "[zip a]\nlr = ${weight_decay}, 0.3\nweight_decay = 0.1, 0.2\n"
                               "[preset p]\nweight_decay = 0.4\n",
                     (const char *const[]){"--preset p", NULL}, "lr=0.4|lr=0.3");
}

static void variables_exist_where_they_are_used(void **state)
{
    (void) state;
    test_trials(MODEL "layers = linear ${w} > relu > linear 2, linear 2\nw = ${v}, 4\nv = 5, 6\n",
                "layers=linear ${w} > relu > linear 2 w=5 v=5|"
                "layers=linear ${w} > relu > linear 2 w=6 v=6|"
                "layers=linear ${w} > relu > linear 2 w=4|layers=linear 2");
}

static void variables_of_conditions(void **state)
{
    (void) state;
    /* One that only conditions name: a switch. */
    test_trials(MODEL "size = small, big\n[when size=small]\nlayers = linear 2\n"
                      "[when size=big]\nlayers = linear 8 > relu > linear 2\n[exclude]\n"
                      "a = size = big and lr = 0.1\n[optimizer]\nlr = 0.1, 0.2\n",
                "size=small layers=linear 2 lr=0.1|size=small layers=linear 2 lr=0.2|"
                "size=big layers=linear 8 > relu > linear 2 lr=0.2");
    test_refused(MODEL "layers = linear 2\n[when siez=small]\nlr = 1\n[model]\nsize = 3\n",
                 "x.ini:5: [when siez=small]: siez: no such key; did you mean size?\n"
                 "x.ini:8: size: no such key, and no value has ${size}; see csweep describe key\n");
}

static void variables_of_presets(void **state)
{
    static const char text[] = MODEL "layers = linear 2\nw = 4, 8\n"
                                     "[preset big]\nlayers = linear ${w} > linear 2\n";
    struct sweep_plan *plan = test_plan(text);

    (void) state;
    assert_int_equal(plan->trial_count, 1);
    assert_int_equal(plan->merged_count, 0);
    assert_int_equal(plan->warning_count, 0);
    sweep_plan_free(plan);
    test_trials_with(text, (const char *const[]){"--preset big", NULL}, "w=4|w=8");
    test_trials_with(text, (const char *const[]){"--preset big", "layers=linear 3", NULL}, "");
}

static void texts_show_what_stands_there(void **state)
{
    struct sweep_plan *plan =
        test_plan(MODEL "layers = linear ${width} > relu > linear ${half} > linear 2\n"
                        "width = 4, 8\nhalf = = width / 2\n");
    const struct sweep_param *layers = param(plan, 1, "layers"), *half = param(plan, 1, "half");

    (void) state;
    assert_int_equal(plan->trial_count, 2);
    assert_string_equal(layers->value, "linear ${width} > relu > linear ${half} > linear 2");
    assert_string_equal(layers->inserted, "linear 8 > relu > linear 4 > linear 2");
    assert_false(layers->varies);
    assert_string_equal(half->value, "4");
    assert_true(half->numeric && half->num == 4 && half->varies);
    assert_string_equal(plan->trials[1].name, "0002,width=8,half=4");
    sweep_plan_free(plan);
}

static void expressions(void **state)
{
    struct sweep_plan *plan;

    (void) state;
    test_trials(TEST_BASE SGD "lr = log(1e-3, 1e-1, 3)\nweight_decay = = 0.1 * lr\n",
                "lr=0.001 weight_decay=0.0001|lr=0.01 weight_decay=0.001|lr=0.1 weight_decay=0.01");
    /* One of several alternatives; commas in parentheses part none. */
    test_trials(TEST_BASE SGD "lr = 0.3\nweight_decay = 0, = min(lr, 0.1) / 3, =lr\n",
                "weight_decay=0|weight_decay=0.03333333333333|weight_decay=0.3");
    /* Over one another in any order, whole numbers, yes and no, words. */
    test_trials(TEST_BASE "[optimizer]\nmomentum = = if(nesterov, 0.9, 0)\nnesterov = = lr > 0.1\n"
                          "lr = =batch_size/320\n[data]\nbatch_size = 16, 64\n",
                "momentum=0 nesterov=no lr=0.05 batch_size=16|"
                "momentum=0.9 nesterov=yes lr=0.2 batch_size=64");
    test_trials(TEST_BASE
                "[train]\nepochs = =2^n\nn = 1, 2\n[optimizer]\noptimizer = =o\no = sgd, adam\n",
                "epochs=2 n=1 optimizer=sgd o=sgd|epochs=2 n=1 optimizer=adam o=adam|"
                "epochs=4 n=2 optimizer=sgd o=sgd|epochs=4 n=2 optimizer=adam o=adam");
    /* In a zip, on the command line, under a condition over it. */
    test_trials_with(TEST_BASE SGD
                     "[zip a]\nlr = 0.1, 0.2\nbatch_size = 8, 16\n[optimizer]\n"
                     "weight_decay = 0\n[when weight_decay > 0.015]\nmomentum = 0.5, 0.6\n",
                     (const char *const[]){"weight_decay== lr / 10", NULL},
                     "lr=0.1 batch_size=8 weight_decay=0.01|"
                     "lr=0.2 batch_size=16 weight_decay=0.02 momentum=0.5|"
                     "lr=0.2 batch_size=16 weight_decay=0.02 momentum=0.6");
    /* The same trial as with the number written; equal points merge. */
    plan = test_plan(TEST_BASE SGD "lr = 0.3\nweight_decay = 0.03, = lr / 10\n");
    assert_int_equal(plan->trial_count, 1);
    assert_int_equal(plan->merged_count, 1);
    sweep_plan_free(plan);
}

static void circles(void **state)
{
    (void) state;
    test_refused(TEST_BASE SGD
                 "lr = = 2 * weight_decay\nweight_decay = = momentum\nmomentum = ${lr}\n",
                 "x.ini:7: values in a circle: lr -> weight_decay -> momentum -> lr\n");
    test_refused(TEST_BASE SGD "lr = = 2 * lr\n", "x.ini:7: values in a circle: lr -> lr\n");
    test_refused(TEST_BASE SGD "lr = ${a}\na = ${b}\nb = ${a}\n",
                 "x.ini:8: values in a circle: a -> b -> a\n");
    test_refused(TEST_BASE SGD "lr = = momentum\n[when lr > 0.1]\nmomentum = 0.1\n",
                 "x.ini:7: values in a circle: lr -> momentum -> lr\n");
}

static void bad_formulas(void **state)
{
    (void) state;
    test_refused(
        TEST_BASE SGD "lr = ${epohcs}, ${\nmomentum = = 1 +\nweight_decay = = sqrt(lrr)\n",
        "x.ini:7: lr: ${epohcs}: no such key; did you mean epochs?\n"
        "x.ini:7: lr = ${: ${ without a }\n"
        "x.ini:8: momentum = = 1 +: column 5: expected a number, a name or `(` and found the "
        "end\n"
        "x.ini:9: weight_decay: lrr: no such key; did you mean lr?\n");
    test_refused("[sweep]\nseeds = ${lr}\n" TEST_BASE SGD "lr = ${seeds}\n",
                 "x.ini:2: seeds = ${lr}: of the sweep, not of a trial, and can have no ${...}\n"
                 "x.ini:9: lr: ${seeds}: of the sweep, not of a trial\n");
    test_refused(
        "[sweep]\nseeds = = 3\n" TEST_BASE,
        "x.ini:2: seeds = = 3: of the sweep, not of a trial, and can have no expression\n");
    /* What is made is checked by the key's row, once per formula. */
    test_refused(TEST_BASE SGD "lr = 0.1, 0.2\nweight_decay = = lr - 1\n[train]\nepochs = =lr\n",
                 "x.ini:8: weight_decay = -0.9: must be a number >= 0 (made of = lr - 1)\n"
                 "x.ini:10: epochs = 0.1: must be a whole number in [1, 1000000] (made of =lr)\n");
    test_refused(TEST_BASE
                 "[optimizer]\noptimizer = sgd, adam\nlr = = momentum\nweight_decay = ${eps}\n",
                 "x.ini:7: lr = = momentum: momentum has no value in some trials\n"
                 "x.ini:8: weight_decay = ${eps}: eps has no value in some trials\n");
    test_refused(TEST_BASE SGD "lr = = 2 * optimizer\nmomentum = = a\na = =log(-1)\n",
                 "x.ini:7: lr = = 2 * optimizer: column 6: `sgd` is a word; expected a number\n"
                 "x.ini:9: a = =log(-1): is nan in some trials\n");
    test_refused(MODEL
                 "layers = ${a}${a}${a}${a} > linear 2\na = ${b}${b}${b}${b}${b}${b}${b}${b}\n"
                 "b = ${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}${c}\n"
                 "c = a123456789012345678901234567890123456789012345678901234567890123456789"
                 "a123456789012345678901234567890123456789012345678901234567890123456789"
                 "a123456789012345678901234567890123456789012345678901234567890123456789\n",
                 "x.ini:4: layers = ${a}${a}${a}${a} > linear 2: longer than 65536 bytes after "
                 "${...}\n");
}

static void environment(void **state)
{
    (void) state;
    setenv("CSWEEP_T_LR", " 0.1, 0.2 ", 1);
    setenv("CSWEEP_T_FACTOR", "3", 1);
    unsetenv("CSWEEP_T_NONE");
    struct sweep_plan *plan = test_plan_with(
        TEST_BASE SGD "lr = ${env:CSWEEP_T_LR}, 0.${env:CSWEEP_T_NONE:7}\n"
                      "weight_decay = = lr / ${env:CSWEEP_T_FACTOR}${env:CSWEEP_T_NONE:}\n"
                      "[preset far]\npath = ${env:CSWEEP_T_NONE}\n",
        (const char *const[]){"epochs=${env:CSWEEP_T_FACTOR}", NULL});
    char *trials = test_describe(plan);
    assert_string_equal(trials, "lr=0.1 weight_decay=0.03333333333333|"
                                "lr=0.2 weight_decay=0.0666666666667|"
                                "lr=0.7 weight_decay=0.2333333333333");
    assert_string_equal(
        plan->resolved,
        "[sweep]\nname = x\n\n[data]\ndataset = random 100x5 classes=2\n\n"
        "[model]\nlayers = linear 4 > relu > linear 2\n\n"
        "[optimizer]\noptimizer = sgd\n"
        "; of the environment: CSWEEP_T_LR = 0.1, 0.2, CSWEEP_T_NONE (not set) = 7\n"
        "lr = 0.1, 0.2, 0.7\n"
        "; of the environment: CSWEEP_T_FACTOR = 3, CSWEEP_T_NONE (not set) = \n"
        "weight_decay = = lr / 3\n\n"
        "[train]\n; of the environment: CSWEEP_T_FACTOR = 3\nepochs = 3\n");
    char *resolved = cs_xstrdup(plan->resolved);
    sweep_plan_free(plan);
    test_trials(resolved, trials);
    free(resolved);
    free(trials);
    setenv("CSWEEP_T_KEY", "1", 1);
    setenv("CSWEEP_T_BAD", "1 ; 2", 1);
    setenv("CSWEEP_T_REF", "${lr}", 1);
    test_refused(
        TEST_BASE SGD "lr = ${env:CSWEEP_T_NONE}\nmomentum = ${env:CSWEEP_T_KEY}\n"
                      "weight_decay = ${env:my_PassWord:1}\ndampening = ${env:}\n[train]\n"
                      "epochs = ${env:CSWEEP_T_BAD}\nl1 = ${env:CSWEEP_T_REF}\n"
                      "clip_norm = ${env:A\n",
        "x.ini:7: lr: ${env:CSWEEP_T_NONE}: not set; set it or write "
        "${env:CSWEEP_T_NONE:DEFAULT}\n"
        "x.ini:8: momentum: ${env:CSWEEP_T_KEY}: a name with KEY may hold a secret, and "
        "values are written to files\n"
        "x.ini:9: weight_decay: ${env:my_PassWord}: a name with PASSWORD may hold a secret, "
        "and values are written to files\n"
        "x.ini:10: dampening: ${env:}: expected ${env:NAME} or ${env:NAME:DEFAULT}\n"
        "x.ini:12: epochs: ${env:CSWEEP_T_BAD}: its value must be a text without ${, "
        "comments, control bytes and invalid UTF-8\n"
        "x.ini:13: l1: ${env:CSWEEP_T_REF}: its value must be a text without ${, comments, "
        "control bytes and invalid UTF-8\n"
        "x.ini:14: clip_norm: ${env:A: ${ without a }\n");
    /* What the command line replaces needs no variable. */
    test_trials_with(TEST_BASE SGD "lr = ${env:CSWEEP_T_NONE}\n",
                     (const char *const[]){"lr=1,2", NULL}, "lr=1|lr=2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(variables_exist_where_they_are_used),
        cmocka_unit_test(variables_of_conditions),
        cmocka_unit_test(variables_of_presets),
        cmocka_unit_test(texts_show_what_stands_there),
        cmocka_unit_test(expressions),
        cmocka_unit_test(circles),
        cmocka_unit_test(bad_formulas),
        cmocka_unit_test(environment),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
