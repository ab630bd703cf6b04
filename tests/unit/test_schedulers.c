/*
 * Schedules against sequences worked out by hand from torch/optim/lr_scheduler.py, and against other code for
 * the same rules written from PyTorch's text.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_str.h"
#include "trainer/schedulers/scheduler.h"

enum { EPOCHS_MAX = 64 };

static const struct train_scheduler *find(const char *name)
{
    const struct train_scheduler *s = train_scheduler_find(name);
    assert_non_null(s);
    return s;
}

static struct train_clock clock_at(int epoch, double loss, double accuracy)
{
    return (struct train_clock){.epoch = epoch,
                                .step = epoch,
                                .epochs = EPOCHS_MAX,
                                .steps_per_epoch = 1,
                                .epoch_over = epoch > 0,
                                .val_loss = loss,
                                .val_score = accuracy};
}

/* rate[0] before the first epoch, rate[e] after epoch e with that epoch's loss and accuracy. */
static void run(double *rate, const struct train_scheduler *s, const double *args, double lr,
                const double *loss, const double *accuracy, int epochs)
{
    const struct train_schedule schedule = {.main = {.kind = s, .args = args}};
    struct train_clock clock = clock_at(0, 0, 0);
    struct train_rate now;

    assert_int_equal(train_schedule_begin(&schedule, &now, lr, &clock, NULL), 0);
    rate[0] = now.lr;
    for (int e = 1; e <= epochs; e++) {
        clock = clock_at(e, loss[e - 1], accuracy[e - 1]);
        assert_int_equal(train_schedule_next(&schedule, &now, &clock, NULL), 0);
        rate[e] = now.lr;
    }
}

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 5e-15 * fabs(expected)))
        fail_msg("%.17g, expected %.17g", value, expected);
}

/* The numbers of the rows' defaults. */
static void defaults(double *args, const struct train_scheduler *s)
{
    struct cs_arena arena = {0};
    int at = 0;

    for (int i = 0; i < s->param_count; i++) {
        struct cs_value value;
        assert_int_equal(cs_param_parse(&value, &s->params[i], s->params[i].def, &arena, NULL), 0);
        at += cs_value_flatten(args + at, 16 - at, &s->params[i], &value);
    }
    cs_arena_clear(&arena);
}

static void registry(void **state)
{
    static const char *const names[] = {
        "none",       "step",           "multistep",       "exponential", "constant",  "linear",
        "polynomial", "cosine",         "cosine_restarts", "plateau",     "one_cycle", "cyclic",
        "lambda",     "multiplicative", "sequence",        "chain",
    };
    const struct train_scheduler *const *all = train_schedulers();
    size_t count = 0;

    (void) state;
    for (; all[count]; count++) {
        assert_ptr_equal(train_scheduler_find(all[count]->name), all[count]);
        assert_true(strlen(all[count]->help) > 0);
        assert_true(all[count]->next || count == 0);
        assert_true(all[count]->state <= TRAIN_RATE_STATE);
        assert_true(all[count]->param_count == 0 || all[count]->params);
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(all[i]->name, all[count]->name);
    }
    assert_int_equal(count, CS_COUNT(names));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(all[i]->name, names[i]);
    assert_null(train_scheduler_find("stepp"));
    assert_null(train_scheduler_find(""));
}

/* PyTorch's defaults, by name. */
static void defaults_are_pytorchs(void **state)
{
    static const struct {
        const char *scheduler, *param;
        double value;
    } rows[] = {
        {"step", "gamma", 0.1},      {"plateau", "mode", 0},           {"plateau", "factor", 0.1},
        {"plateau", "patience", 10}, {"plateau", "threshold", 1e-4},   {"plateau", "cooldown", 0},
        {"plateau", "min_lr", 0},    {"plateau", "threshold_mode", 0}, {"plateau", "lr_eps", 1e-8},
    };

    (void) state;
    for (size_t r = 0; r < CS_COUNT(rows); r++) {
        const struct train_scheduler *s = find(rows[r].scheduler);
        double args[16];
        int i = 0;
        defaults(args, s);
        while (i < s->param_count && strcmp(s->params[i].name, rows[r].param) != 0)
            i++;
        assert_true(i < s->param_count);
        assert_true(args[i] == rows[r].value);
    }
    assert_string_equal(find("plateau")->params[0].choices[0], "min");
    assert_string_equal(find("plateau")->params[0].choices[1], "max");
    assert_string_equal(find("plateau")->params[4].choices[0], "rel");
    assert_string_equal(find("plateau")->params[4].choices[1], "abs");
}

static void none_keeps_the_rate(void **state)
{
    double rate[9];
    const double loss[8] = {1, 2, NAN, INFINITY, 0, 1, 1, 1};

    (void) state;
    run(rate, find("none"), NULL, 0.3, loss, loss, 8);
    for (int e = 0; e <= 8; e++)
        assert_true(rate[e] == 0.3);
}

static void step_is_the_closed_form(void **state)
{
    static const struct {
        double lr, step_size, gamma;
    } cases[] = {{0.1, 3, 0.1},    {1, 1, 0.5}, {0.05, 30, 0.1}, {0.2, 7, 1.3},
                 {0.1, 1000, 0.1}, {0.1, 2, 0}, {0, 2, 0.1}};
    const double loss[EPOCHS_MAX] = {0};
    double rate[EPOCHS_MAX + 1];

    (void) state;
    for (size_t c = 0; c < CS_COUNT(cases); c++) {
        const double args[] = {cases[c].step_size, cases[c].gamma};
        run(rate, find("step"), args, cases[c].lr, loss, loss, EPOCHS_MAX);
        for (int e = 0; e <= EPOCHS_MAX; e++)
            near(rate[e], cases[c].lr * pow(cases[c].gamma, floor(e / cases[c].step_size)));
    }
}

/* StepLR(step_size=2, gamma=0.1) from 0.1: the very doubles that recursion gives. */
static void step_multiplies_recursively(void **state)
{
    static const double expected[] = {
        0.1, 0.1, 0.1 * 0.1, 0.1 * 0.1, 0.1 * 0.1 * 0.1, 0.1 * 0.1 * 0.1, 0.1 * 0.1 * 0.1 * 0.1};
    const double args[] = {2, 0.1}, loss[6] = {0};
    double rate[7];

    (void) state;
    run(rate, find("step"), args, 0.1, loss, loss, 6);
    assert_memory_equal(rate, expected, sizeof expected);
}

enum { MODE, FACTOR, PATIENCE, THRESHOLD, THRESHOLD_MODE, COOLDOWN, MIN_LR, LR_EPS };

struct plateau_case {
    const char *what;
    double args[8]; /* mode factor patience threshold threshold_mode cooldown min_lr lr_eps */
    double lr;
    int epochs;
    double metric[12], rate[13]; /* rate[0] in the first epoch */
};

/* Worked out by hand from ReduceLROnPlateau. */
static const struct plateau_case plateau_cases[] = {
    {"patience 0: the first bad epoch reduces",
     {0, 0.5, 0, 0, 0, 0, 0},
     1,
     5,
     {1, 1, 1, 0.5, 0.5},
     {1, 1, 0.5, 0.25, 0.25, 0.125}},
    {"patience 2: the third bad epoch reduces, and counting starts again",
     {0, 0.5, 2, 0, 0, 0, 0},
     1,
     8,
     {1, 1, 1, 1, 1, 1, 1, 1},
     {1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25}},
    {"a better epoch clears the count",
     {0, 0.5, 1, 0, 0, 0, 0},
     1,
     6,
     {1, 1, 0.9, 0.9, 0.9, 0.9},
     {1, 1, 1, 1, 1, 0.5, 0.5}},
    {"the best is kept, not the last",
     {0, 0.5, 1, 0, 0, 0, 0},
     1,
     4,
     {1, 3, 2, 1.5},
     {1, 1, 1, 0.5, 0.5}},
    {"rel min: 0.9 is not below 1 x (1 - 0.1), 0.89 is",
     {0, 0.5, 0, 0.1, 0, 0, 0},
     1,
     4,
     {1, 0.9, 0.89, 0.85},
     {1, 1, 0.5, 0.5, 0.25}},
    {"abs min: 10 - 0.5 is not below 9.5",
     {0, 0.5, 0, 0.5, 1, 0, 0},
     1,
     4,
     {10, 9.5, 9.25, 8.75},
     {1, 1, 0.5, 0.5, 0.25}},
    {"rel max: 1.25 is not above 1 x 1.25",
     {1, 0.5, 0, 0.25, 0, 0, 0},
     1,
     4,
     {1, 1.25, 1.5, 1.875},
     {1, 1, 0.5, 0.5, 0.25}},
    {"abs max: 0.75 is not above 0.5 + 0.25",
     {1, 0.5, 0, 0.25, 1, 0, 0},
     1,
     4,
     {0.5, 0.75, 0.8125, 1.0625},
     {1, 1, 0.5, 0.5, 0.25}},
    {"max: falling is bad", {1, 0.5, 0, 0, 0, 0, 0}, 1, 3, {0.5, 0.4, 0.3}, {1, 1, 0.5, 0.25}},
    {"cooldown 2: two epochs after a reduction do not count",
     {0, 0.5, 0, 0, 0, 2, 0},
     1,
     8,
     {1, 1, 1, 1, 1, 1, 1, 1},
     {1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125}},
    {"cooldown 1, patience 1",
     {0, 0.5, 1, 0, 0, 1, 0},
     1,
     7,
     {1, 1, 1, 1, 1, 1, 1},
     {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25}},
    {"better during cooldown is remembered",
     {0, 0.5, 0, 0, 0, 1, 0},
     1,
     4,
     {1, 1, 0.5, 0.6},
     {1, 1, 0.5, 0.5, 0.25}},
    {"min_lr stops it",
     {0, 0.1, 0, 0, 0, 0, 0.125},
     1,
     4,
     {1, 1, 1, 1},
     {1, 1, 0.125, 0.125, 0.125}},
    {"min_lr above the rate changes nothing",
     {0, 0.1, 0, 0, 0, 0, 3},
     1,
     3,
     {1, 1, 1},
     {1, 1, 1, 1}},
    {"factor 0 goes to min_lr", {0, 0, 0, 0, 0, 0, 0.25}, 1, 3, {1, 1, 1}, {1, 1, 0.25, 0.25}},
    {"NaN is never better, and the first number after it is",
     {0, 0.5, 1, 0, 0, 0, 0},
     1,
     6,
     {NAN, NAN, NAN, 5, 5, 5},
     {1, 1, 0.5, 0.5, 0.5, 0.5, 0.25}},
    {"NaN after a best, mode max",
     {1, 0.5, 1, 0, 0, 0, 0},
     1,
     4,
     {0.5, NAN, NAN, 0.6},
     {1, 1, 1, 0.5, 0.5}},
    {"inf is not better than the start",
     {0, 0.5, 0, 0, 0, 0, 0},
     1,
     2,
     {INFINITY, 3},
     {1, 0.5, 0.5}},
};

static void plateau_by_hand(void **state)
{
    double other[12], rate[13];

    (void) state;
    for (size_t c = 0; c < CS_COUNT(plateau_cases); c++) {
        const struct plateau_case *p = &plateau_cases[c];
        /* the metric that is not watched gets better and better, then not at all */
        for (int way = 0; way < 2; way++) {
            for (int e = 0; e < 12; e++)
                other[e] = way ? 1 : (p->args[MODE] == 0 ? 1 + e : 1.0 / (1 + e));
            if (p->args[MODE] == 0)
                run(rate, find("plateau"), p->args, p->lr, p->metric, other, p->epochs);
            else
                run(rate, find("plateau"), p->args, p->lr, other, p->metric, p->epochs);
            for (int e = 0; e <= p->epochs; e++) {
                if (rate[e] != p->rate[e])
                    fail_msg("%s: after epoch %d %.17g, expected %.17g", p->what, e, rate[e],
                             p->rate[e]);
            }
        }
    }
}

/* A change of at most eps = 1e-8 is not made, and still starts the counting again. */
static void plateau_leaves_tiny_rates(void **state)
{
    const double args[] = {0, 0.5, 0, 0, 0, 0, 0, 1e-8}, loss[] = {1, 1, 1, 1};
    double rate[5];

    (void) state;
    run(rate, find("plateau"), args, 4e-8, loss, loss, 4);
    near(rate[2], 2e-8);
    assert_true(rate[3] == rate[2]); /* 2e-8 - 1e-8 is not above 1e-8 */
    assert_true(rate[4] == rate[2]);
    run(rate, find("plateau"), args, 2.1e-8, loss, loss, 4);
    near(rate[2], 1.05e-8);
    assert_true(rate[3] == rate[2]);
    run(rate, find("plateau"), args, 1.9e-8, loss, loss, 4);
    assert_true(rate[4] == 1.9e-8);
}

/* ReduceLROnPlateau once more, from PyTorch's text. */
struct reference {
    double best;
    long bad, cooldown;
};

static double reference_step(struct reference *r, const double *args, double lr, double a)
{
    const double t = args[THRESHOLD];
    const int min = args[MODE] == 0, rel = args[THRESHOLD_MODE] == 0;
    const int is_better = min && rel ? a < r->best * (1.0 - t)
                          : min      ? a < r->best - t
                          : rel      ? a > r->best * (t + 1.0)
                                     : a > r->best + t;

    r->bad = is_better ? 0 : r->bad + 1;
    r->best = is_better ? a : r->best;
    if (r->cooldown > 0) {
        r->cooldown--;
        r->bad = 0;
    }
    if ((double) r->bad > args[PATIENCE]) {
        const double smaller = lr * args[FACTOR];
        const double reduced = smaller > args[MIN_LR] ? smaller : args[MIN_LR];
        if (lr - reduced > args[LR_EPS])
            lr = reduced;
        r->cooldown = (long) args[COOLDOWN];
        r->bad = 0;
    }
    return lr;
}

static double draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double) (*seed >> 40) / 16777216.0;
}

static void plateau_agrees_with_the_rules_written_again(void **state)
{
    uint64_t seed = 1;
    int reductions = 0;

    (void) state;
    for (int c = 0; c < 400; c++) {
        const double args[] = {c & 1,
                               0.9 * draw(&seed),
                               floor(4 * draw(&seed)),
                               c & 4 ? 0.1 * draw(&seed) : 0,
                               c >> 1 & 1,
                               floor(3 * draw(&seed)),
                               c & 8 ? 1e-3 * draw(&seed) : 0,
                               c & 16 ? 1e-8 : 1e-3 * draw(&seed)};
        struct reference r = {.best = args[MODE] == 0 ? INFINITY : -INFINITY};
        double loss[EPOCHS_MAX], accuracy[EPOCHS_MAX], rate[EPOCHS_MAX + 1], lr = 0.1;
        for (int e = 0; e < EPOCHS_MAX; e++) {
            loss[e] = draw(&seed) < 0.05 ? NAN : draw(&seed) - 0.2;
            accuracy[e] = draw(&seed);
        }
        run(rate, find("plateau"), args, lr, loss, accuracy, EPOCHS_MAX);
        for (int e = 0; e < EPOCHS_MAX; e++) {
            const double before = lr;
            lr = reference_step(&r, args, lr, args[MODE] == 0 ? loss[e] : accuracy[e]);
            reductions += lr < before;
            assert_memory_equal(&rate[e + 1], &lr, sizeof lr);
        }
    }
    assert_true(reductions > 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry),
        cmocka_unit_test(defaults_are_pytorchs),
        cmocka_unit_test(none_keeps_the_rate),
        cmocka_unit_test(step_is_the_closed_form),
        cmocka_unit_test(step_multiplies_recursively),
        cmocka_unit_test(plateau_by_hand),
        cmocka_unit_test(plateau_leaves_tiny_rates),
        cmocka_unit_test(plateau_agrees_with_the_rules_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
