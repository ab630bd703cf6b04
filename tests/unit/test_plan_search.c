/* Grids whose points are drawn: values and their faults, conditions, what a draw depends on, spaces that end. */
#include "test_plan_util.h"

#include <math.h>

#include "sweep/search/search.h"

#define RANDOM "[sweep]\nsearch = random\ntrials = 20\n"
#define SPACE                                                           \
    "[optimizer]\noptimizer = sgd, adam\nlr = loguniform(1e-4, 1e-1)\n" \
    "[when optimizer=sgd]\nmomentum = uniform(0, 0.9, 0.1)\n"           \
    "[train]\nl1 = 0, uniform(1e-5, 1e-3)\nepochs = int(1, 4)\n"

static const char *value_of(const struct sweep_trial *trial, const char *key)
{
    for (size_t i = 0; i < trial->param_count; i++) {
        if (strcmp(trial->params[i].key, key) == 0)
            return trial->params[i].value;
    }
    return NULL;
}

static struct sweep_plan *plan_of(const char *sweep, const char *rest)
{
    char text[4096];

    snprintf(text, sizeof text, "[sweep]\n%s" TEST_BASE "%s", sweep, rest);
    return test_plan(text);
}

/* Do the first n trials of both have the same values of a key? */
static bool same_values(const struct sweep_plan *a, const struct sweep_plan *b, const char *key,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *x = value_of(&a->trials[i], key), *y = value_of(&b->trials[i], key);
        if ((x == NULL) != (y == NULL) || (x && strcmp(x, y) != 0))
            return false;
    }
    return true;
}

static void draws(void **state)
{
    size_t count;
    const struct search_method *const *methods = sweep_search_methods(&count);

    (void) state;
    for (size_t m = 0; m < count; m++) {
        char text[200];
        if (!methods[m]->drawn || methods[m]->sequential)
            continue;
        snprintf(text, sizeof text, "search = %s\ntrials = 40\n", methods[m]->name);
        struct sweep_plan *plan = plan_of(text, SPACE);
        int sgd = 0, plain = 0;
        assert_int_equal(plan->trial_count, 40);
        for (size_t i = 0; i < plan->trial_count; i++) {
            const struct sweep_trial *t = &plan->trials[i];
            const double lr = strtod(value_of(t, "lr"), NULL), l1 = strtod(value_of(t, "l1"), NULL);
            const bool is_sgd = strcmp(value_of(t, "optimizer"), "sgd") == 0;
            const char *momentum = value_of(t, "momentum");
            sgd += is_sgd;
            plain += l1 == 0;
            assert_true(lr >= 1e-4 && lr <= 0.1 && strlen(value_of(t, "lr")) <= 11);
            assert_true(l1 == 0 || (l1 >= 1e-5 && l1 <= 1e-3));
            assert_true((momentum != NULL) == is_sgd);
            assert_true(!momentum || (strlen(momentum) <= 3 && strtod(momentum, NULL) <= 0.9));
            assert_true(strchr("1234", *value_of(t, "epochs")) && !value_of(t, "epochs")[1]);
            assert_non_null(strstr(t->name, ",lr=0."));
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(plan->trials[j].id, t->id);
        }
        assert_true(sgd >= 12 && sgd <= 28 && plain >= 12 && plain <= 28);
        sweep_plan_free(plan);
    }
}

static void what_draws_depend_on(void **state)
{
    struct sweep_plan *all = plan_of("search = random\ntrials = 40\n", SPACE);
    struct sweep_plan *few = plan_of("search = random\ntrials = 15\n", SPACE);
    struct sweep_plan *other = plan_of("search = random\ntrials = 15\nsearch_seed = 1\n", SPACE);
    struct sweep_plan *sobol = plan_of("search = sobol\ntrials = 40\n", SPACE);
    struct sweep_plan *sobol_few = plan_of("search = sobol\ntrials = 15\n", SPACE);
    struct sweep_plan *turned = plan_of(
        "search = random\ntrials = 40\n",
        "[train]\nepochs = int(1, 4)\nl1 = 0, uniform(1e-5, 1e-3)\nclip_norm = uniform(1, 2)\n"
        "[optimizer]\nlr = loguniform(1e-4, 1e-1)\noptimizer = sgd, adam\n"
        "[when optimizer=sgd]\nmomentum = uniform(0, 0.9, 0.1)\nweight_decay = loguniform(1e-6, "
        "1e-3)\n");

    (void) state;
    for (size_t i = 0; i < 15; i++) {
        assert_string_equal(all->trials[i].name, few->trials[i].name);
        assert_string_equal(all->trials[i].id, few->trials[i].id);
        assert_string_equal(sobol->trials[i].name, sobol_few->trials[i].name);
    }
    assert_true(same_values(all, turned, "lr", 40) && same_values(all, turned, "momentum", 40) &&
                same_values(all, turned, "l1", 40) && same_values(all, turned, "optimizer", 40));
    assert_false(same_values(all, other, "lr", 1));
    assert_false(same_values(all, sobol, "lr", 1));
    sweep_plan_free(all);
    sweep_plan_free(few);
    sweep_plan_free(other);
    sweep_plan_free(sobol);
    sweep_plan_free(sobol_few);
    sweep_plan_free(turned);
}

/* Sixteen Sobol' points: one in each sixteenth of the range of every key. */
static void sobol_is_even(void **state)
{
    struct sweep_plan *plan =
        plan_of("search = sobol\ntrials = 16\nsearch_seed = 7\n",
                "[optimizer]\nlr = loguniform(1e-4, 1)\n[train]\nl1 = uniform(0, 1)\n");
    int lr[16] = {0}, l1[16] = {0};

    (void) state;
    for (size_t i = 0; i < 16; i++) {
        lr[(int) (4 * (log10(strtod(value_of(&plan->trials[i], "lr"), NULL)) + 4))]++;
        l1[(int) (16 * strtod(value_of(&plan->trials[i], "l1"), NULL))]++;
    }
    for (size_t i = 0; i < 16; i++)
        assert_true(lr[i] == 1 && l1[i] == 1);
    sweep_plan_free(plan);
}

/* Equal points are drawn again until there are enough different ones, or all there are. */
static void spaces_that_end(void **state)
{
    struct sweep_plan *plan =
        plan_of("search = random\ntrials = 6\n",
                "[optimizer]\nlr = choice(0.1, 0.2, 0.3)\n[train]\nepochs = int(1, 2)\n");

    (void) state;
    assert_int_equal(plan->trial_count, 6);
    assert_int_equal(plan->warning_count, 0);
    sweep_plan_free(plan);
    plan = plan_of("search = sobol\ntrials = 7\nseeds = 2\n",
                   "[optimizer]\nlr = choice(0.1, 0.2, 0.3)\n[train]\nepochs = int(1, 2)\n");
    assert_int_equal(plan->trial_count, 12);
    assert_int_equal(plan->warning_count, 1);
    assert_string_equal(plan->warnings[0],
                        "x.ini:3: trials = 7: there are no more than 6 different points");
    sweep_plan_free(plan);
    plan = plan_of("search = random\ntrials = 3\n", "[optimizer]\nlr = 0.1\n");
    assert_int_equal(plan->trial_count, 1);
    sweep_plan_free(plan);
}

/* Rules and zips: points that a rule removes are drawn again; a zip is one choice. */
static void rules_and_zips(void **state)
{
    struct sweep_plan *plan =
        plan_of("search = random\ntrials = 30\n",
                "[optimizer]\nlr = uniform(0, 1)\n[exclude]\nlarge = lr > 0.5\n"
                "[zip size]\nepochs = 1, 2, 3\nl1 = 0.1, 0.2, 0.3\n");
    int seen[4] = {0};

    (void) state;
    assert_int_equal(plan->trial_count, 30);
    for (size_t i = 0; i < 30; i++) {
        const int epochs = atoi(value_of(&plan->trials[i], "epochs"));
        seen[epochs]++;
        assert_true(strtod(value_of(&plan->trials[i], "lr"), NULL) <= 0.5);
        assert_true(fabs(strtod(value_of(&plan->trials[i], "l1"), NULL) - 0.1 * epochs) < 1e-9);
    }
    assert_true(seen[1] > 3 && seen[2] > 3 && seen[3] > 3);
    sweep_plan_free(plan);
}

/* A condition over what is drawn; one that is hardly ever met is no fault. */
static void conditions(void **state)
{
    struct sweep_plan *plan = test_plan(
        "[sweep]\nsearch = random\ntrials = 30\n[data]\ndataset = random 100x5 classes=2\n"
        "[optimizer]\noptimizer = sgd\nlr = uniform(0, 1)\n"
        "[when lr > 0.5]\nmomentum = uniform(0.5, 0.9)\n"
        "[when lr > 0.999]\nweight_decay = 0.1\n"
        "[model]\nlayers = linear ${hidden} > relu > linear 2\nhidden = logint(4, 64)\n");
    int given = 0;

    (void) state;
    for (size_t i = 0; i < 30; i++) {
        const char *momentum = value_of(&plan->trials[i], "momentum");
        given += momentum != NULL;
        assert_true((momentum != NULL) == (strtod(value_of(&plan->trials[i], "lr"), NULL) > 0.5));
        const int hidden = atoi(value_of(&plan->trials[i], "hidden"));
        assert_true(hidden >= 4 && hidden <= 64);
    }
    assert_true(given > 5 && given < 25);
    sweep_plan_free(plan);
}

static void faults(void **state)
{
    (void) state;
    test_refused(
        TEST_BASE "[optimizer]\nlr = uniform(0, 1)\n",
        "x.ini:6: lr = uniform(0, 1): drawn only where [sweep] says search = random, sobol "
        "or tpe; in a grid write lin(0, 1, N)\n");
    test_refused(TEST_BASE "[optimizer]\nlr = loguniform(1e-4, 0.1)\n",
                 "x.ini:6: lr = loguniform(1e-4, 0.1): drawn only where [sweep] says search = "
                 "random, sobol or tpe; in a grid write log(0.0001, 0.1, N)\n");
    test_refused(TEST_BASE "[train]\nepochs = int(1, 9, 2)\n",
                 "x.ini:6: epochs = int(1, 9, 2): drawn only where [sweep] says search = random, "
                 "sobol or tpe; in a grid write range(1, 9, 2)\n");
    test_refused(TEST_BASE "[optimizer]\noptimizer = choice(sgd, adam)\n",
                 "x.ini:6: optimizer = choice(sgd, adam): drawn only where [sweep] says search = "
                 "random, sobol or tpe; in a grid write sgd, adam\n");
    test_refused(RANDOM TEST_BASE "[optimizer]\nlr = uniform(1, 0)\n",
                 "x.ini:9: lr = uniform(1, 0): the first number must not be above the second\n");
    test_refused(RANDOM TEST_BASE "[optimizer]\nlr = loguniform(0, 1)\n",
                 "x.ini:9: lr = loguniform(0, 1): both ends must be > 0\n");
    test_refused(RANDOM TEST_BASE "[optimizer]\nlr = uniform(0, 1, 0)\n",
                 "x.ini:9: lr = uniform(0, 1, 0): the step must be > 0 and lead from the first "
                 "number towards the second\n");
    test_refused(RANDOM TEST_BASE "[optimizer]\nlr = loguniform(1, 2, 3)\n",
                 "x.ini:9: lr = loguniform(1, 2, 3): expected loguniform(low, high)\n");
    test_refused(RANDOM TEST_BASE "[optimizer]\nlr = unifrom(1, 2)\n",
                 "x.ini:9: lr = unifrom(1, 2): no such range unifrom; did you mean uniform?\n");
    test_refused(RANDOM TEST_BASE "[optimizer]\nlr = uniform(-1, 1)\n",
                 "x.ini:9: lr = -1: must be a number >= 0\n");
    test_refused(RANDOM TEST_BASE "[train]\nepochs = uniform(0.5, 3)\n",
                 "x.ini:9: epochs = 0.5: must be a whole number in [1, 1000000]\n");
    test_refused(RANDOM TEST_BASE "[optimizer]\noptimizer = choice(sgd, adamm)\n",
                 "x.ini:9: optimizer = adamm: no such optimizer; did you mean adam?\n");
    test_refused("[sweep]\nsearch = randon\ntrials = 3\n" TEST_BASE
                 "[optimizer]\nlr = uniform(0, 1)\n",
                 "x.ini:2: search = randon: no such search; did you mean random?\n");
    test_refused("[sweep]\nsearch = random\n" TEST_BASE "[optimizer]\nlr = uniform(0, 1)\n",
                 "x.ini:2: search = random: how many points? give trials = N\n");
    test_refused("[sweep]\ntrials = 5\nsearch_seed = 1\n" TEST_BASE "[optimizer]\nlr = 0.1\n",
                 "x.ini:2: trials = 5: a grid has the points it has; it goes with search = random, "
                 "sobol or tpe\n"
                 "x.ini:3: search_seed = 1: a grid has the points it has; it goes with search = "
                 "random, sobol or tpe\n");
    test_refused(RANDOM "tpe_batch = 4\n" TEST_BASE "[optimizer]\nlr = uniform(0, 1)\n",
                 "x.ini:4: tpe_batch = 4: goes with search = tpe\n");
    test_refused(RANDOM "trials = 0\n" TEST_BASE,
                 "x.ini:4: trials: given twice here; first in line 3\n");
    test_refused(RANDOM "seeds = uniform(0, 1)\n" TEST_BASE,
                 "x.ini:4: seeds = uniform(0, 1): only a trial's settings are drawn\n");
}

/* A value of the metric that depends on the trial alone. */
static struct sweep_outcome outcome_of(const struct sweep_trial *trial)
{
    const double lr = log10(strtod(value_of(trial, "lr"), NULL));
    return (struct sweep_outcome){"done", -(lr + 3) * (lr + 3), 1};
}

static size_t extend(struct sweep_plan *plan, const char *known, struct cs_buf *batch)
{
    struct sweep_outcome outcomes[200];
    struct cs_buf faults = {0};

    for (size_t i = 0; i < plan->trial_count; i++)
        outcomes[i] =
            known ? (struct sweep_outcome){"failed", NAN, 0} : outcome_of(&plan->trials[i]);
    const size_t added = sweep_plan_extend(plan, outcomes, known, batch, &faults);
    assert_null(faults.data);
    return added;
}

/* Batches follow the start-up points; the text of a batch gives the same ones whatever became of the results. */
static void batches(void **state)
{
    static const char sweep[] = "search = tpe\ntrials = 40\nseeds = 2\ntpe_batch = 8\n";
    struct sweep_plan *plan = plan_of(sweep, SPACE), *again = plan_of(sweep, SPACE);
    double near[2] = {0, 0};

    (void) state;
    assert_int_equal(plan->trial_count, 20);
    assert_int_equal(plan->wanted, 80);
    while (plan->more) {
        struct cs_buf batch = {0}, same = {0};
        const size_t before = plan->trial_count;
        assert_int_equal(extend(plan, NULL, &batch), before == 76       ? 4
                                                     : before + 16 > 80 ? 80 - before
                                                                        : 16);
        assert_int_equal(extend(again, batch.data, &same), plan->trial_count - before);
        assert_string_equal(batch.data, same.data);
        cs_buf_clear(&batch);
        cs_buf_clear(&same);
    }
    assert_null(again->more);
    assert_int_equal(plan->trial_count, 80);
    for (size_t i = 0; i < 80; i++) {
        assert_string_equal(plan->trials[i].name, again->trials[i].name);
        assert_string_equal(plan->trials[i].id, again->trials[i].id);
        assert_int_equal(plan->trials[i].number, i + 1);
        near[i >= 40] += outcome_of(&plan->trials[i]).value / 40;
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(plan->trials[j].id, plan->trials[i].id);
    }
    assert_true(near[1] > near[0]); /* it has learned where the metric is high */
    sweep_plan_free(plan);
    sweep_plan_free(again);
}

/* A space that ends while batches are drawn; texts that are none of the space add nothing. */
static void batches_that_end(void **state)
{
    static const char sweep[] =
        "search = tpe\ntrials = 30\ntpe_n_startup_trials = 3\ntpe_batch = 4\n";
    static const char space[] = "[optimizer]\nlr = 0.1, 0.2, 0.3, 0.4\n[train]\nepochs = 1, 2\n";
    static const char *const bad[] = {"", "x", "3:9,9", "3:1", "3:1,1,1", "0:1,1", "3:0.5,1"};
    struct sweep_plan *plan = plan_of(sweep, space);

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cs_buf batch = {0};
        assert_int_equal(extend(plan, bad[i], &batch), 0);
        cs_buf_clear(&batch);
    }
    while (plan->more) {
        struct cs_buf batch = {0};
        extend(plan, NULL, &batch);
        cs_buf_clear(&batch);
    }
    assert_int_equal(plan->trial_count, 8);
    assert_int_equal(plan->wanted, 8);
    sweep_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws),
        cmocka_unit_test(what_draws_depend_on),
        cmocka_unit_test(sobol_is_even),
        cmocka_unit_test(spaces_that_end),
        cmocka_unit_test(rules_and_zips),
        cmocka_unit_test(conditions),
        cmocka_unit_test(faults),
        cmocka_unit_test(batches),
        cmocka_unit_test(batches_that_end),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
