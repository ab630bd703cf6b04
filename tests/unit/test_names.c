/* Names of trials and sweeps: only declared keys and safe characters, unique, none a prefix of another. */
#include "test_plan_util.h"

#include "sweep/names.h"

static void name_is(const char *text, size_t trial, const char *expected)
{
    struct sweep_plan *plan = test_plan(text);

    assert_in_range(trial, 0, plan->trial_count - 1);
    assert_string_equal(plan->trials[trial].name, expected);
    sweep_plan_free(plan);
}

static void parts_of_a_name(void **state)
{
    (void) state;
    name_is(TEST_BASE, 0, "0001");
    name_is(TEST_BASE "[optimizer]\nlr = 0.1, 1e-5\n", 1, "0002,lr=1e-5");
    name_is(TEST_BASE "[optimizer]\noptimizer = sgd, adam\n[when optimizer=sgd]\n"
                      "momentum = 0, 0.9\n",
            2, "0003,optimizer=adam");
    name_is(TEST_BASE "[sweep]\nseeds = 11, 12\n", 1, "0002,seed=12");
    name_is(TEST_BASE "[optimizer]\noptimizer = adam\nbetas = 0.9 0.999, 0.8 0.99\n", 1,
            "0002,betas=0.8_0.99");
}

static void texts_are_hashed(void **state)
{
    struct sweep_plan *plan = test_plan("[data]\ndataset = random 100x5 classes=2\n[model]\n"
                                        "layers = linear 2, linear 4 > linear 2\n");

    (void) state;
    assert_int_equal(strlen(plan->trials[0].name), strlen("0001,layers=01234567"));
    assert_int_equal(strspn(plan->trials[0].name + 12, "0123456789abcdef"), 8);
    assert_string_not_equal(plan->trials[0].name + 5, plan->trials[1].name + 5);
    sweep_plan_free(plan);
}

static void check_names(const struct sweep_plan *plan)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".,=_+-";

    for (size_t i = 0; i < plan->trial_count; i++) {
        const char *name = plan->trials[i].name;
        const size_t size = strlen(name);
        assert_in_range(size, 4, SWEEP_NAME_MAX - 1);
        assert_int_equal(strspn(name, allowed), size);
        for (size_t k = 0; k < plan->trial_count; k++)
            assert_true(k == i || strncmp(plan->trials[k].name, name, size) != 0);
    }
}

static void unique_and_no_prefixes(void **state)
{
    struct sweep_plan *plan =
        test_plan(TEST_BASE "[optimizer]\nlr = lin(1, 60, 60)\nmomentum = 0, 0.9\n"
                            "[sweep]\nseeds = 10\n");

    (void) state;
    assert_int_equal(plan->trial_count, 1200);
    check_names(plan);
    sweep_plan_free(plan);
}

static void long_names_are_cut(void **state)
{
    struct cs_buf text = {0};
    struct sweep_plan *plan;

    (void) state;
    cs_buf_adds(&text, "[data]\ndataset = random 100x5 classes=2\n[model]\nlayers = ");
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 10; k++)
            cs_buf_addf(&text, "linear ${a_variable_with_a_long_name_%d} > ", k);
        cs_buf_adds(&text, i ? "linear 2\n" : "relu > linear 2, ");
    }
    for (int k = 0; k < 10; k++)
        cs_buf_addf(&text, "a_variable_with_a_long_name_%d = %s\n", k, k < 6 ? "8, 9" : "8");
    cs_buf_adds(&text, "[optimizer]\nlr = 0.1, 0.2\n");
    plan = test_plan(text.data);
    assert_int_equal(plan->trial_count, 256);
    check_names(plan);
    assert_int_equal(strlen(plan->trials[0].name), SWEEP_NAME_MAX - 1);
    sweep_plan_free(plan);
    cs_buf_clear(&text);
}

static void more_than_9999(void **state)
{
    struct sweep_plan *plan = test_plan(TEST_BASE "[sweep]\nseeds = 10000\n[train]\nepochs = 1\n");

    (void) state;
    assert_string_equal(plan->trials[0].name, "00001,seed=0");
    assert_string_equal(plan->trials[9999].name, "10000,seed=9999");
    sweep_plan_free(plan);
}

static void known_trials_keep_their_names(void **state)
{
    struct sweep_plan *plan = test_plan(TEST_BASE "[optimizer]\nlr = 0.1, 0.2, 0.3\n");
    char *id = cs_xstrdup(plan->trials[1].id);
    const struct sweep_known known[] = {{"0123", "0012,gone", 12}, {id, "0003,lr=0.2", 3}};

    (void) state;
    sweep_plan_adopt(plan, known, 2);
    assert_string_equal(plan->trials[0].name, "0013,lr=0.1");
    assert_int_equal(plan->trials[0].number, 13);
    assert_string_equal(plan->trials[1].name, "0003,lr=0.2");
    assert_int_equal(plan->trials[1].number, 3);
    assert_string_equal(plan->trials[2].name, "0014,lr=0.3");
    sweep_plan_free(plan);
    free(id);
    /* One trial alone would be "1000", a prefix of "10000,...". */
    plan = test_plan(TEST_BASE);
    sweep_plan_adopt(plan, &(struct sweep_known){"0123", "0999", 999}, 1);
    assert_memory_equal(plan->trials[0].name, "1000,id=", 8);
    sweep_plan_free(plan);
}

static int compare_known(const void *a, const void *b)
{
    return strcmp(((const struct sweep_known *) a)->name, ((const struct sweep_known *) b)->name);
}

/* What is cut ends in the trial's id: the same for the same trial when the grid has one value more in front. */
static void cut_names_stay(void **state)
{
    static const char *const rates[] = {"0.1, 0.2", "0.05, 0.1, 0.2"};
    char *ends[2];

    (void) state;
    for (int more = 0; more < 2; more++) {
        struct cs_buf text = {0};
        cs_buf_adds(&text, "[data]\ndataset = random 100x5 classes=2\n[model]\nlayers = ");
        for (int k = 0; k < 8; k++)
            cs_buf_addf(&text, "linear ${a_variable_with_a_long_name_%d} > ", k);
        cs_buf_addf(&text, "linear 2\n");
        for (int k = 0; k < 8; k++)
            cs_buf_addf(&text, "a_variable_with_a_long_name_%d = 8, 9\n", k);
        cs_buf_addf(&text, "[optimizer]\nlr = %s\n", rates[more]);
        struct sweep_plan *plan = test_plan(text.data);
        const struct sweep_trial *trial = &plan->trials[more ? 2 : 1]; /* all 8, lr = 0.2 */
        assert_int_equal(strlen(trial->name), SWEEP_NAME_MAX - 1);
        ends[more] = cs_xstrdup(trial->name + 4);
        assert_memory_equal(trial->name + SWEEP_NAME_MAX - 9, trial->id, 8);
        check_names(plan);
        sweep_plan_free(plan);
        cs_buf_clear(&text);
    }
    assert_string_equal(ends[0], ends[1]);
    free(ends[0]);
    free(ends[1]);
}

/* Every way a number can be written names one directory, by the shortest text that reads back. */
static void shortest_numbers(void **state)
{
    (void) state;
    name_is(TEST_BASE "[optimizer]\nlr = 1.0e-3, .0010, 0.1\n", 0, "0001,lr=0.001");
    name_is(TEST_BASE "[optimizer]\nlr = 0.1000000000000000055, 0.30000000000000004\n", 0,
            "0001,lr=0.1");
    name_is(TEST_BASE "[optimizer]\nlr = 0.1, 0.30000000000000004\n", 1,
            "0002,lr=0.30000000000000004");
    name_is(TEST_BASE "[optimizer]\nlr = 1, 1e-310\n", 1, "0002,lr=1e-310");
    name_is(TEST_BASE "[optimizer]\nlr = 1, 5e-324\n", 1, "0002,lr=5e-324");
    name_is(TEST_BASE "[optimizer]\nlr = 1, 123456.5\n", 1, "0002,lr=123456.5");
}

/* A sweep that grew from one trial over 999 to beyond 9999. */
static void grown_names_are_no_prefixes(void **state)
{
    static const char *const grids[] = {
        TEST_BASE,
        TEST_BASE "[optimizer]\nlr = lin(1, 2, 998)\n",
        TEST_BASE "[data]\nbatch_size = 3\n",
        TEST_BASE "[optimizer]\nlr = lin(1, 2, 998)\n[data]\nbatch_size = range(4, 14, 1)\n",
    };
    struct sweep_known *known = NULL;
    struct cs_arena arena = {0};
    size_t count = 0;

    (void) state;
    for (size_t g = 0; g < CS_COUNT(grids); g++) {
        struct sweep_plan *plan = test_plan(grids[g]);
        sweep_plan_adopt(plan, known, count);
        known = cs_xrealloc(known, (count + plan->trial_count) * sizeof *known);
        const size_t before = count;
        for (size_t i = 0; i < plan->trial_count; i++) {
            const struct sweep_trial *trial = &plan->trials[i];
            size_t k = 0;
            while (k < before && strcmp(known[k].id, trial->id) != 0)
                k++;
            if (k == before)
                known[count++] =
                    (struct sweep_known){cs_arena_strdup(&arena, trial->id),
                                         cs_arena_strdup(&arena, trial->name), trial->number};
            else
                assert_string_equal(known[k].name, trial->name);
        }
        sweep_plan_free(plan);
    }
    assert_in_range(count, 10000, 20000);
    assert_memory_equal(known[999].name, "1000,id=", 8); /* alone, and 10000,... follows */
    qsort(known, count, sizeof *known, compare_known);
    for (size_t i = 1; i < count; i++) /* sorted, a prefix stands right before what it begins */
        assert_int_not_equal(strncmp(known[i - 1].name, known[i].name, strlen(known[i - 1].name)),
                             0);
    free(known);
    cs_arena_clear(&arena);
}

static void names_of_sweeps(void **state)
{
    static const char *const bad[] = {"", ".x", "_x", "-x", "a/b", "a b", "a..b", "a.", "a.lock"};
    struct cs_arena arena = {0};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_non_null(sweep_name_fault(bad[i]));
    assert_null(sweep_name_fault("lr-range_2.1"));
    assert_string_equal(sweep_name_from_path("sweeps/optimizers.ini", &arena), "optimizers");
    assert_string_equal(sweep_name_from_path("a b.ini", &arena), "a-b");
    assert_string_equal(sweep_name_from_path("_x.ini", &arena), "x");
    assert_string_equal(sweep_name_from_path("/tmp/.ini", &arena), "ini");
    assert_string_equal(sweep_name_from_path("...", &arena), "sweep");
    cs_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_name),
        cmocka_unit_test(texts_are_hashed),
        cmocka_unit_test(unique_and_no_prefixes),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(more_than_9999),
        cmocka_unit_test(known_trials_keep_their_names),
        cmocka_unit_test(cut_names_stay),
        cmocka_unit_test(shortest_numbers),
        cmocka_unit_test(grown_names_are_no_prefixes),
        cmocka_unit_test(names_of_sweeps),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
