/* The table at the end: means over seeds, the best rate of every choice, what failed, what is not a number. */
#include <fcntl.h>
#include <math.h>

#include "tests/unit/test_plan_util.h"

#include "common/cs_io.h"
#include "common/cs_json.h"
#include "sweep/compare.h"

#define GRID                                                                            \
    "[sweep]\nname = opt\nseeds = 3\n" TEST_BASE "[optimizer]\noptimizer = sgd, adam\n" \
    "lr = 0.1, 0.2\n"

/* What happened to one trial; the order is the plan's: optimizer, lr, seed. */
struct happened {
    const char *state; /* NULL: not in the journal */
    double last, best; /* NaN is written as "nan" */
    int target_epoch;
};

static json_t *value_of(double value, const char *metric, bool with_epoch)
{
    json_t *object = json_object(), *inner = json_object();

    if (!with_epoch) {
        json_decref(inner);
        inner = cs_json_number(value);
    } else {
        cs_json_set(inner, "value", cs_json_number(value));
        cs_json_set(inner, "epoch", json_integer(4));
    }
    cs_json_set(object, metric, inner);
    return object;
}

/* A state as the journal would fold it. */
static struct sweep_state *state_of(const struct sweep_plan *plan, const struct happened *h)
{
    struct sweep_state *s = cs_xcalloc(1, sizeof *s);

    s->lines = json_array();
    s->records = cs_xcalloc(plan->trial_count + 1, sizeof *s->records);
    for (size_t i = 0; i < plan->trial_count; i++) {
        if (!h[i].state)
            continue;
        struct sweep_record *r = &s->records[s->count++];
        json_t *last = value_of(h[i].last, plan->metric, false);
        json_t *best = value_of(h[i].best, plan->metric, true);
        *r = (struct sweep_record){.number = plan->trials[i].number,
                                   .name = plan->trials[i].name,
                                   .id = plan->trials[i].id,
                                   .state = h[i].state,
                                   .target_epoch = h[i].target_epoch,
                                   .last = last,
                                   .best = best};
        struct cs_table_slot *slot = cs_table_add(&s->ids, r->id);
        slot->text = r->id;
        slot->item = r;
        json_array_append_new(s->lines, last);
        json_array_append_new(s->lines, best);
    }
    return s;
}

/* What print writes on stdout. */
static char *printed(void (*print)(const struct sweep_plan *, const struct sweep_state *),
                     const struct sweep_plan *plan, const struct sweep_state *state)
{
    struct cs_buf out = {0};

    fflush(stdout);
    const int saved = dup(1), fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, 1);
    close(fd);
    print(plan, state);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    assert_int_equal(cs_read_file(&out, "out", 1 << 20, NULL), 0);
    unlink("out");
    return out.data;
}

static void prints(const char *grid, const struct happened *h, const char *expected)
{
    struct sweep_plan *plan = test_plan(grid);
    struct sweep_state *state = state_of(plan, h);
    char *text = printed(sweep_compare_print, plan, state);

    assert_string_equal(text, expected);
    free(text);
    sweep_state_free(state);
    sweep_plan_free(plan);
}

static json_t *json_of(const char *grid, const struct happened *h)
{
    struct sweep_plan *plan = test_plan(grid);
    struct sweep_state *state = state_of(plan, h);
    char *text = printed(sweep_compare_json_line, plan, state);
    json_t *line = cs_json_read(text, strlen(text));

    assert_non_null(line);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
    sweep_state_free(state);
    sweep_plan_free(plan);
    return line;
}

/* The rate of the winner in row i, a JSON number; "null" when the row has none. Good until the next call. */
static const char *winner(json_t *line, size_t i)
{
    static char text[CS_DOUBLE_MAX];
    const json_t *lr = json_object_get(json_array_get(json_object_get(line, "rows"), i), "lr");

    if (json_is_null(lr))
        return "null";
    assert_true(json_is_number(lr));
    return cs_format_double(text, json_number_value(lr));
}

static double number(json_t *line, size_t i, const char *what, const char *which)
{
    return cs_json_get_number(
        json_object_get(json_array_get(json_object_get(line, "rows"), i), what), which, -999);
}

static const struct happened all_done[12] = {
    {"done", 0.5, 0.5, 0}, {"done", 0.6, 0.7, 0}, {"done", 0.7, 0.9, 0}, /* sgd 0.1: best 0.7 */
    {"done", 0.9, 0.6, 0}, {"done", 0.9, 0.6, 0}, {"done", 0.9, 0.6, 0}, /* sgd 0.2: best 0.6 */
    {"done", 0.1, 0.2, 0}, {"done", 0.1, 0.2, 0}, {"done", 0.1, 0.2, 0}, /* adam 0.1: best 0.2 */
    {"done", 0.1, 0.3, 0}, {"done", 0.2, 0.4, 0}, {"done", 0.6, 0.2, 0}, /* adam 0.2: best 0.3 */
};

/* The mean of the best value decides, not the final one; deviations over n - 1. */
static void the_best_mean_over_seeds_wins(void **state)
{
    json_t *line = json_of(GRID, all_done);

    (void) state;
    assert_string_equal(cs_json_get_text(line, "event", ""), "sweep");
    assert_string_equal(cs_json_get_text(line, "sweep", ""), "opt");
    assert_string_equal(cs_json_get_text(line, "metric", ""), "Accuracy/Val");
    assert_int_equal(json_array_size(json_object_get(line, "rows")), 2);
    assert_string_equal(winner(line, 0), "0.1");
    assert_string_equal(winner(line, 1), "0.2");
    assert_true(number(line, 0, "best", "n") == 3);
    assert_true(fabs(number(line, 0, "best", "mean") - 0.7) < 1e-12);
    assert_true(fabs(number(line, 0, "best", "std") - 0.2) < 1e-12);
    assert_true(fabs(number(line, 0, "final", "mean") - 0.6) < 1e-12);
    assert_true(fabs(number(line, 0, "final", "std") - 0.1) < 1e-12);
    assert_true(fabs(number(line, 1, "final", "std") - sqrt(0.07)) < 1e-12);
    assert_true(number(line, 0, "epochs_to_target", "n") == 0);
    assert_true(isnan(number(line, 0, "epochs_to_target", "mean")));
    json_decref(line);
}

static void a_table_for_people(void **state)
{
    (void) state;
    prints(GRID, all_done,
           "\nchoice          best lr  final Accuracy/Val  best Accuracy/Val   seeds\n"
           "optimizer=sgd   0.1      0.6000 +- 0.1000    0.7000 +- 0.2000        3\n"
           "optimizer=adam  0.2      0.3000 +- 0.2646    0.3000 +- 0.1000        3\n"
           "12 done of 12 trials\n");
}

/* What an expression makes of the rate is no choice; the expression beside another value is. */
static void values_that_follow_the_rate_are_no_choice(void **state)
{
    (void) state;
    prints(GRID "weight_decay = = 0.1 * lr\n", all_done,
           "\nchoice          best lr  final Accuracy/Val  best Accuracy/Val   seeds\n"
           "optimizer=sgd   0.1      0.6000 +- 0.1000    0.7000 +- 0.2000        3\n"
           "optimizer=adam  0.2      0.3000 +- 0.2646    0.3000 +- 0.1000        3\n"
           "12 done of 12 trials\n");
    prints("[sweep]\nname = opt\nseeds = 3\n" TEST_BASE
           "[optimizer]\nlr = 0.1, 0.2\nweight_decay = 0, = 0.1 * lr\n",
           (struct happened[]){{"done", 0.5, 0.5, 0},
                               {"done", 0.5, 0.5, 0},
                               {"done", 0.5, 0.5, 0},
                               {"done", 0.2, 0.2, 0},
                               {"done", 0.2, 0.2, 0},
                               {"done", 0.2, 0.2, 0},
                               {"done", 0.3, 0.3, 0},
                               {"done", 0.3, 0.3, 0},
                               {"done", 0.3, 0.3, 0},
                               {"done", 0.7, 0.7, 0},
                               {"done", 0.7, 0.7, 0},
                               {"done", 0.7, 0.7, 0}},
           "\nchoice                   best lr  final Accuracy/Val  best Accuracy/Val   seeds\n"
           "weight_decay=0           0.1      0.5000 +- 0.0000    0.5000 +- 0.0000        3\n"
           "weight_decay=(0.1 * lr)  0.2      0.7000 +- 0.0000    0.7000 +- 0.0000        3\n"
           "12 done of 12 trials\n");
}

/* Drawn numbers are all different: the choices have rows, and the best draw of each. */
static void drawn_numbers_are_no_choice(void **state)
{
    struct happened h[6];

    (void) state;
    for (int i = 0; i < 6; i++)
        h[i] = (struct happened){"done", 0.1 * i, 0.1 * i, 0};
    struct sweep_plan *plan = test_plan(
        "[sweep]\nsearch = sobol\ntrials = 6\n" TEST_BASE "[optimizer]\noptimizer = sgd, adam\n"
        "lr = loguniform(0.001, 0.1)\nweight_decay = uniform(0, 1)\n");
    struct sweep_state *s = state_of(plan, h);
    char *text = printed(sweep_compare_print, plan, s);
    int lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    assert_int_equal(lines, 5); /* a blank one, titles, sgd, adam, counts */
    assert_non_null(strstr(text, plan->trials[5].name));
    free(text);
    sweep_state_free(s);
    sweep_plan_free(plan);
}

static void smaller_is_better_when_the_grid_says_so(void **state)
{
    json_t *line = json_of("[sweep]\nmetric = min Loss/Val\nseeds = 3\n" TEST_BASE
                           "[optimizer]\noptimizer = sgd, adam\nlr = 0.1, 0.2\n",
                           all_done);

    (void) state;
    assert_string_equal(cs_json_get_text(line, "metric", ""), "Loss/Val");
    assert_string_equal(winner(line, 0), "0.2");
    assert_string_equal(winner(line, 1), "0.1");
    json_decref(line);
}

/* A pruned seed counts with what it had, so that its rate does not win by its absence. */
static void pruned_trials_count(void **state)
{
    static const struct happened h[12] = {
        {"done", 0.9, 0.9, 0},   {"pruned", 0.1, 0.2, 0}, {"done", 0.8, 0.9, 0},
        {"done", 0.8, 0.8, 0},   {"done", 0.8, 0.8, 0},   {"done", 0.8, 0.8, 0},
        {"pruned", 0.1, 0.2, 0}, {"pruned", 0.1, 0.2, 0}, {"pruned", 0.1, 0.2, 0},
        {"pruned", 0.1, 0.1, 0}, {"done", 0.1, 0.1, 0},   {"done", 0.1, 0.1, 0},
    };
    json_t *line = json_of(GRID, h);

    (void) state;
    assert_string_equal(winner(line, 0), "0.2");
    assert_string_equal(winner(line, 1), "0.1");
    assert_int_equal(
        cs_json_get_int(json_array_get(json_object_get(line, "rows"), 1), "pruned", -1), 3);
    json_decref(line);
    prints(GRID, h,
           "\nchoice          best lr  final Accuracy/Val  best Accuracy/Val   seeds\n"
           "optimizer=sgd   0.2      0.8000 +- 0.0000    0.8000 +- 0.0000        3\n"
           "optimizer=adam  0.1      0.1000 +- 0.0000    0.2000 +- 0.0000        3  (3 pruned)\n"
           "7 done, 5 pruned of 12 trials\n");
}

#define RATES "[sweep]\nname = opt\nseeds = 2\n" TEST_BASE "[optimizer]\nlr = 0.1, 0.2, 0.3\n"

static void wins(const struct happened *h, const char *expected)
{
    json_t *line = json_of(RATES, h);

    assert_int_equal(json_array_size(json_object_get(line, "rows")), 1);
    assert_string_equal(
        cs_json_get_text(json_array_get(json_object_get(line, "rows"), 0), "choice", ""), "all");
    assert_string_equal(winner(line, 0), expected);
    json_decref(line);
}

/* One bad seed is worse than any rate without, however good the others. */
static void rates_that_diverged_lose(void **state)
{
    static const char *const bad[] = {"diverged", "failed", "interrupted",
                                      "running",  "queued", NULL};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        wins((struct happened[]){{"done", 0.9, 0.9, 0},
                                 {bad[i], 0.99, 0.99, 0},
                                 {"done", 0.1, 0.1, 0},
                                 {"done", 0.2, 0.2, 0},
                                 {bad[i], 0.99, 0.99, 0},
                                 {"done", 0.99, 0.99, 0}},
             "0.2");
    }
    /* Among rates that all have a bad seed: the better mean of what there is, and any over none. */
    wins((struct happened[]){{"failed", 0, 0, 0},
                             {"failed", 0, 0, 0},
                             {"done", 0.1, 0.1, 0},
                             {"diverged", 0, 0, 0},
                             {"done", 0.2, 0.2, 0},
                             {"diverged", 0, 0, 0}},
         "0.3");
    wins((struct happened[]){{NULL, 0, 0, 0},
                             {NULL, 0, 0, 0},
                             {NULL, 0, 0, 0},
                             {"done", 0.1, 0.1, 0},
                             {NULL, 0, 0, 0},
                             {NULL, 0, 0, 0}},
         "0.2");
    wins((struct happened[]){{"done", 0.5, 0.5, 0},
                             {"done", 0.5, 0.5, 0},
                             {"done", 0.5, 0.5, 0},
                             {"done", 0.5, 0.5, 0},
                             {"done", 0.5, 0.5, 0},
                             {"done", 0.5, 0.5, 0}},
         "0.1"); /* the first of equals */
}

/* Once a NaN that stood first could not be beaten. */
static void a_value_that_is_not_a_number_never_wins(void **state)
{
    (void) state;
    wins((struct happened[]){{"done", 0.9, NAN, 0},
                             {"done", 0.9, 0.9, 0},
                             {"done", 0.1, 0.1, 0},
                             {"done", 0.1, 0.1, 0},
                             {"done", 0.9, NAN, 0},
                             {"done", 0.9, NAN, 0}},
         "0.2");
    wins((struct happened[]){{"done", 0.9, NAN, 0},
                             {"done", 0.9, NAN, 0},
                             {"done", 0.1, NAN, 0},
                             {"done", 0.1, NAN, 0},
                             {"done", 0.9, 0.1, 0},
                             {"done", 0.9, 0.1, 0}},
         "0.3");
    wins((struct happened[]){{"done", 0.9, NAN, 0},
                             {"done", 0.9, NAN, 0},
                             {"done", 0.1, NAN, 0},
                             {"done", 0.1, NAN, 0},
                             {"done", 0.1, NAN, 0},
                             {"done", 0.1, NAN, 0}},
         "0.1");
}

static void what_failed_is_counted(void **state)
{
    (void) state;
    prints(RATES,
           (struct happened[]){{"done", 0.5, 0.5, 0},
                               {"diverged", 0, 0, 0},
                               {"failed", 0, 0, 0},
                               {NULL, 0, 0, 0},
                               {"diverged", 0, 0, 0},
                               {"interrupted", 0, 0, 0}},
           "\nchoice  best lr  final Accuracy/Val  best Accuracy/Val   seeds\n"
           "all     0.1      0.5000              0.5000                  1  (some trials failed or "
           "diverged)\n"
           "1 done, 2 diverged, 1 failed of 6 trials\n");
    prints("[sweep]\nname = opt\n" TEST_BASE "[optimizer]\nmomentum = 0, 0.9\n",
           (struct happened[]){{"failed", 0, 0, 0}, {"done", 0.25, 0.5, 0}},
           "\nchoice        best lr  final Accuracy/Val  best Accuracy/Val   seeds\n"
           "momentum=0    -        -                   -                       0  (some trials "
           "failed or diverged)\n"
           "momentum=0.9  -        0.2500              0.5000                  1\n"
           "1 done, 1 failed of 2 trials\n");
}

static void epochs_to_the_target(void **state)
{
    static const char grid[] =
        "[sweep]\nname = opt\nseeds = 2\ntarget = Accuracy/Val >= 0.5\n" TEST_BASE
        "[optimizer]\noptimizer = sgd, adam, adamw\n";
    static const struct happened h[] = {{"done", 0.5, 0.5, 2}, {"done", 0.5, 0.5, 5},
                                        {"done", 0.5, 0.5, 0}, {"done", 0.5, 0.5, 7},
                                        {"done", 0.1, 0.1, 0}, {"done", 0.1, 0.1, 0}};

    (void) state;
    prints(grid, h,
           "\nchoice           best lr  final Accuracy/Val  best Accuracy/Val   seeds  epochs to "
           "Accuracy/Val >= 0.5\n"
           "optimizer=sgd    -        0.5000 +- 0.0000    0.5000 +- 0.0000        2  3.5\n"
           "optimizer=adam   -        0.5000 +- 0.0000    0.5000 +- 0.0000        2  7.0 (1 of 2)\n"
           "optimizer=adamw  -        0.1000 +- 0.0000    0.1000 +- 0.0000        2  never\n"
           "6 done of 6 trials\n");
    json_t *line = json_of(grid, h);
    assert_true(number(line, 0, "epochs_to_target", "mean") == 3.5);
    assert_true(number(line, 1, "epochs_to_target", "n") == 1);
    assert_true(isnan(number(line, 1, "epochs_to_target", "std")));
    json_decref(line);
}

static void values_of_a_record(void **state)
{
    json_t *last = value_of(0.5, "Loss/Val", false), *best = value_of(0.25, "Loss/Val", true);
    struct sweep_record r = {.last = last, .best = best};
    int epoch = -1;

    (void) state;
    assert_true(sweep_record_best(&r, "Loss/Val", &epoch) == 0.25);
    assert_int_equal(epoch, 4);
    assert_true(sweep_record_best(&r, "Loss/Val", NULL) == 0.25);
    assert_true(sweep_record_last(&r, "Loss/Val") == 0.5);
    assert_true(isnan(sweep_record_best(&r, "Accuracy/Val", &epoch)));
    assert_int_equal(epoch, 0);
    assert_true(isnan(sweep_record_last(&r, "Accuracy/Val")));
    r = (struct sweep_record){0};
    assert_true(isnan(sweep_record_best(&r, "Loss/Val", NULL)));
    assert_true(isnan(sweep_record_last(&r, "Loss/Val")));
    json_decref(last);
    json_decref(best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_mean_over_seeds_wins),
        cmocka_unit_test(a_table_for_people),
        cmocka_unit_test(drawn_numbers_are_no_choice),
        cmocka_unit_test(values_that_follow_the_rate_are_no_choice),
        cmocka_unit_test(smaller_is_better_when_the_grid_says_so),
        cmocka_unit_test(pruned_trials_count),
        cmocka_unit_test(rates_that_diverged_lose),
        cmocka_unit_test(a_value_that_is_not_a_number_never_wins),
        cmocka_unit_test(what_failed_is_counted),
        cmocka_unit_test(epochs_to_the_target),
        cmocka_unit_test(values_of_a_record),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
