/*
 * The schedules from text to rates: defaults, and every rate of 100 epochs against a closed form written from
 * PyTorch's documentation, where the schedules themselves are recursive. Settings go in as text, as from a grid.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "trainer/schedulers/scheduler.h"
#include "trainer/spec.h"

enum { EPOCHS = 100, KEYS = 5 };

#define PI 3.14159265358979323846

/* The rate after e epochs: 0 stands for eta_min (`floor` below), 1 for the initial rate. */
typedef double closed_fn(const double *args, int e);

struct setting {
    const char *key, *value;
};

static struct train_spec *make_spec(const char *scheduler, const struct setting *set)
{
    struct train_setting settings[4 + KEYS] = {
        {"dataset", "random 100x4 classes=2", 0},
        {"layers", "linear 2", 0},
        {"lr", "0.25", 0},
        {"scheduler", scheduler, 0},
    };
    struct train_spec *spec = NULL;
    struct cs_error err;
    size_t count = 4;

    for (; set->key; set++)
        settings[count++] = (struct train_setting){set->key, set->value, 0};
    if (train_spec_create(&spec, settings, count, 0, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

static double step(const double *args, int e)
{
    return pow(args[1], floor(e / args[0]));
}

static double multistep(const double *args, int e)
{
    double factor = 1;

    for (int i = 0; i < (int) args[1]; i++)
        factor *= args[2 + i] <= e ? args[0] : 1;
    return factor;
}

static double exponential(const double *args, int e)
{
    return pow(args[0], e);
}

static double constant(const double *args, int e)
{
    return e < args[1] ? args[0] : 1;
}

static double linear(const double *args, int e)
{
    return args[0] + (args[1] - args[0]) * fmin(e, args[2]) / args[2];
}

static double polynomial(const double *args, int e)
{
    return pow(1 - fmin(e, args[0]) / args[0], args[1]);
}

static double cosine(const double *args, int e)
{
    return (1 + cos(PI * e / args[0])) / 2;
}

static double cosine_restarts(const double *args, int e)
{
    double length = args[0];

    while (e >= length) {
        e -= (int) length;
        length *= args[1];
    }
    return (1 + cos(PI * e / length)) / 2;
}

static const struct {
    const char *name;
    closed_fn *closed;
    double floor;
    struct setting set[KEYS];
} rows[] = {
    {"step", step, 0, {{"step_size", "7"}, {"gamma", "0.5"}}},
    {"multistep", multistep, 0, {{0}}},
    {"multistep", multistep, 0, {{"milestones", "80 3 20 20 5"}, {"gamma", "0.5"}}},
    {"multistep", multistep, 0, {{"milestones", "1"}}},
    {"multistep",
     multistep,
     0,
     {{"milestones", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 "
                     "29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 "
                     "54 55 56 57 58 59 60 61 62 63 64"},
      {"gamma", "0.9"}}},
    {"exponential", exponential, 0, {{0}}},
    {"exponential", exponential, 0, {{"gamma", "1.01"}}},
    {"constant", constant, 0, {{0}}},
    {"constant", constant, 0, {{"factor", "0.1"}, {"total_iters", "20"}}},
    {"linear", linear, 0, {{0}}},
    {"linear", linear, 0, {{"start_factor", "0.001"}, {"total_iters", "50"}}},
    {"linear", linear, 0, {{"start_factor", "1"}, {"end_factor", "0"}, {"total_iters", "99"}}},
    {"polynomial", polynomial, 0, {{0}}},
    {"polynomial", polynomial, 0, {{"total_iters", "100"}, {"power", "0.9"}}},
    {"polynomial", polynomial, 0, {{"total_iters", "60"}, {"power", "2"}}},
    {"cosine", cosine, 0, {{0}}},
    {"cosine", cosine, 0.0625, {{"T_max", "100"}, {"eta_min", "0.0625"}}},
    {"cosine", cosine, 0.001, {{"T_max", "7"}, {"eta_min", "0.001"}}},
    {"cosine", cosine, 0, {{"T_max", "1"}}},
    {"cosine_restarts", cosine_restarts, 0, {{0}}},
    {"cosine_restarts",
     cosine_restarts,
     0.01,
     {{"T_0", "5"}, {"T_mult", "2"}, {"eta_min", "0.01"}}},
    {"cosine_restarts", cosine_restarts, 0, {{"T_0", "1"}, {"T_mult", "3"}}},
};

static void test_schedules__closed_forms(void **state)
{
    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct train_spec *spec = make_spec(rows[i].name, rows[i].set);
        const double *args = spec->schedule->main.args, initial = spec->optim_args[0];
        struct train_clock clock = {.epochs = EPOCHS, .steps_per_epoch = 1, .epoch_over = true};
        struct train_rate rate;

        assert_string_equal(spec->schedule->main.kind->name, rows[i].name);
        assert_int_equal(train_schedule_begin(spec->schedule, &rate, initial, &clock, NULL), 0);
        for (int e = 0; e <= EPOCHS; e++) {
            const double low = rows[i].floor;
            const double want = low + (initial - low) * rows[i].closed(args, e);
            if (!(fabs(rate.lr - want) <= 1e-12 * initial))
                fail_msg("%s, row %zu, after %d epochs: %.17g, not %.17g", rows[i].name, i, e,
                         rate.lr, want);
            clock.epoch = clock.step = e + 1;
            assert_int_equal(train_schedule_next(spec->schedule, &rate, &clock, NULL), 0);
        }
        train_spec_free(spec);
    }
}

/* In the order of the documentation; the numbers are PyTorch's where it has any. */
static void test_schedules__defaults(void **state)
{
    static const struct {
        const char *name;
        double args[10];
    } want[] = {
        {"none", {0}},
        {"step", {30, 0.1}},
        {"multistep", {0.1, 3, 30, 60, 90}},
        {"exponential", {0.9}},
        {"constant", {1.0 / 3, 5}},
        {"linear", {1.0 / 3, 1, 5}},
        {"polynomial", {5, 1}},
        {"cosine", {10, 0}},
        {"cosine_restarts", {10, 1, 0}},
        {"plateau", {0, 0.1, 10, 1e-4, 0, 0, 0, 1e-8}},
        {"one_cycle", {0, 0, 0.3, 0, 1, 0.85, 0.95, 25, 1e4, 0}},
        {"cyclic", {0, 0, 2000, 0, 0, 1, 1, 0.8, 0.9}},
        {"lambda", {0}},
        {"multiplicative", {0}},
    };
    static const struct setting nothing[] = {{NULL, NULL}};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(want); i++) {
        struct train_spec *spec = make_spec(want[i].name, nothing);
        assert_ptr_equal(spec->schedule->main.kind, train_schedulers()[i]);
        assert_ptr_equal(spec->schedule->main.kind, train_scheduler_find(want[i].name));
        assert_true(strlen(spec->schedule->main.kind->help) > 0);
        assert_memory_equal(spec->schedule->main.args, want[i].args, sizeof want[i].args);
        train_spec_free(spec);
    }
    assert_null(train_scheduler_find("cosin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules__closed_forms),
        cmocka_unit_test(test_schedules__defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
