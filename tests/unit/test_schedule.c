/*
 * Schedules as a trial meets them, from settings in text to the rate of every step: by epoch and by step, warm-up,
 * one_cycle and cyclic with their momentum, rules of one's own, sequences and chains; what is remembered; refusals.
 * Expected rates are closed forms written from PyTorch's documentation, or worked out by hand.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "kernels/optim.h"
#include "trainer/schedulers/scheduler.h"
#include "trainer/spec.h"

enum { EPOCHS = 30, STEPS = 7, ALL = EPOCHS * STEPS, SETTINGS_MAX = 24 };

#define PI 3.14159265358979323846
#define BASE "dataset=random 100x7 classes=3;layers=linear 3;lr=0.25;epochs=30;"

/* "key=value;key=value": the i-th setting stands in line 10 + i. */
static int create(struct train_spec **out, const char *text, struct cs_error *err)
{
    char *copy = cs_xasprintf(BASE "%s", text);
    struct train_setting settings[SETTINGS_MAX];
    size_t count = 0;

    for (char *state = NULL, *word = strtok_r(copy, ";", &state); word;
         word = strtok_r(NULL, ";", &state)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        settings[count] = (struct train_setting){word, equals + 1, 10 + (int) count};
        count++;
    }
    const int rc = train_spec_create(out, settings, count, 0, err);
    free(copy);
    return rc;
}

static struct train_spec *make(const char *text)
{
    struct train_spec *spec = NULL;
    struct cs_error err;

    if (create(&spec, text, &err) < 0)
        fail_msg("%s: %s", text, err.detail);
    return spec;
}

/* After `step` steps: metrics get better for a while, and then no more. */
static struct train_clock clock_at(int64_t step)
{
    const int64_t epoch = step / STEPS;
    return (struct train_clock){.epoch = epoch,
                                .step = step,
                                .epochs = EPOCHS,
                                .steps_per_epoch = STEPS,
                                .epoch_over = step > 0 && step % STEPS == 0,
                                .val_loss = epoch < 6 ? 1.0 / (double) (epoch + 1) : 0.2,
                                .val_score = epoch < 6 ? 0.1 * (double) epoch : 0.5};
}

/* In force at each step. */
struct way {
    double lr[ALL], momentum[ALL];
};

static struct way walk(const char *text)
{
    struct train_spec *spec = make(text);
    struct train_clock clock = clock_at(0);
    struct train_rate rate;
    struct cs_error err = {0};
    struct way way;

    assert_int_equal(train_schedule_begin(spec->schedule, &rate, 0.25, &clock, &err), 0);
    for (int i = 0; i < ALL; i++) {
        const double before = rate.lr;
        way.lr[i] = rate.lr;
        way.momentum[i] = rate.momentum;
        clock = clock_at(i + 1);
        if (train_schedule_next(spec->schedule, &rate, &clock, &err) < 0)
            fail_msg("%s: %s", text, err.detail);
        /* so a trial need not ask */
        assert_true(clock.epoch_over || train_schedule_by_step(spec->schedule) ||
                    rate.lr == before);
    }
    train_spec_free(spec);
    return way;
}

static void near(const char *what, int i, double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * 0.25))
        fail_msg("%s: step %d: %.17g, expected %.17g", what, i, value, expected);
}

/* ---- by epoch and by step ---- */

static void interval(void **state)
{
    const struct way epochs = walk("scheduler=exponential;gamma=0.9"),
                     steps = walk("scheduler=exponential;gamma=0.9;interval=step"),
                     none = walk("scheduler=none;interval=step"),
                     stairs = walk("scheduler=step;step_size=10;gamma=0.5;interval=step");

    (void) state;
    for (int i = 0; i < ALL; i++) {
        near("epochs", i, epochs.lr[i], 0.25 * pow(0.9, i / STEPS));
        near("steps", i, steps.lr[i], 0.25 * pow(0.9, i));
        near("stairs", i, stairs.lr[i], 0.25 * pow(0.5, i / 10));
        assert_true(none.lr[i] == 0.25);
        assert_true(isnan(epochs.momentum[i]));
    }
}

/* ---- warm-up ---- */

static double cosine(double done, double all)
{
    return 0.25 * (1 + cos(PI * done / all)) / 2;
}

static void warm_up(void **state)
{
    const struct way by_epoch = walk("scheduler=cosine;T_max=26;warmup_epochs=4;warmup_start=0.1"),
                     by_step = walk("scheduler=cosine;T_max=26;warmup_epochs=4;warmup_start=0;"
                                    "interval=step"),
                     inside = walk("scheduler=step;step_size=1;gamma=0.5;warmup_steps=10"),
                     whole = walk("scheduler=step;step_size=1;gamma=0.5;warmup_steps=14"),
                     alone = walk("warmup_steps=5;warmup_start=0.5"),
                     endless = walk("warmup_epochs=60;warmup_start=0;interval=step");

    (void) state;
    for (int i = 0; i < ALL; i++) {
        const int e = i / STEPS;
        near("by epoch", i, by_epoch.lr[i], e < 4 ? 0.25 * (0.1 + 0.9 * e / 4) : cosine(e - 4, 26));
        near("by step", i, by_step.lr[i], i < 28 ? 0.25 * i / 28 : cosine(i - 28, 26));
        /* the rest of the epoch is the schedule's epoch 0 */
        near("inside", i, inside.lr[i],
             0.25 * (i < 10 ? 1.0 / 3 + 2.0 / 3 * i / 10 : pow(0.5, e - 1)));
        near("whole", i, whole.lr[i],
             0.25 * (i < 14 ? 1.0 / 3 + 2.0 / 3 * i / 14 : pow(0.5, e - 2)));
        near("alone", i, alone.lr[i], i < 5 ? 0.25 * (0.5 + 0.5 * i / 5) : 0.25);
        near("endless", i, endless.lr[i], 0.25 * i / (60 * STEPS));
    }
}

/* It rises to the schedule's own first rate. */
static void warm_up_ends_where_the_schedule_begins(void **state)
{
    const struct way constant = walk("scheduler=constant;factor=0.5;total_iters=3;warmup_epochs=2;"
                                     "warmup_start=0");
    const struct way cycle = walk("scheduler=one_cycle;max_lr=1;div_factor=8;warmup_steps=4;"
                                  "warmup_start=0.5");

    (void) state;
    for (int i = 0; i < ALL; i++)
        near("constant", i, constant.lr[i],
             0.25 * (i < STEPS       ? 0
                     : i < 2 * STEPS ? 0.25
                     : i < 5 * STEPS ? 0.5
                                     : 1));
    for (int i = 0; i <= 4; i++) {
        near("one_cycle", i, cycle.lr[i], 0.125 * (0.5 + 0.5 * i / 4));
        assert_true(cycle.momentum[i] == 0.95);
    }
    assert_true(cycle.lr[5] > cycle.lr[4]);
    near("one_cycle", ALL - 1, cycle.lr[ALL - 1],
         0.125 / 1e4); /* its cycle ends with the training */
}

/* plateau learns nothing in the warm-up, and then counts as ever. */
static void warm_up_before_plateau(void **state)
{
    const struct way way = walk("scheduler=plateau;patience=2;factor=0.5;warmup_epochs=8");

    (void) state;
    /* begins after epoch 8; epoch 9 is the best, 10 and 11 are borne, 12 is not */
    near("plateau", 0, way.lr[8 * STEPS], 0.25);
    near("plateau", 0, way.lr[12 * STEPS - 1], 0.25);
    near("plateau", 0, way.lr[12 * STEPS], 0.125);
    near("plateau", 0, way.lr[15 * STEPS], 0.0625);
}

/* ---- cycles ---- */

struct cycle {
    const char *settings;
    double top, total, pct;
    int straight, three;
    double base, high, div, final;
};

static double between(double from, double to, double part, int straight)
{
    return straight ? from + (to - from) * part : from + (to - from) * (1 - cos(PI * part)) / 2;
}

static void expect_cycle(const struct cycle *c, int i, double *lr, double *momentum)
{
    const double first = c->top / c->div, last = first / c->final, up = c->pct * c->total - 1,
                 back = 2 * c->pct * c->total - 2, end = c->total - 1;
    const double at = i < end ? i : end;

    if (at <= up) {
        *lr = between(first, c->top, at / up, c->straight);
        *momentum = between(c->high, c->base, at / up, c->straight);
    } else if (!c->three) {
        *lr = between(c->top, last, (at - up) / (end - up), c->straight);
        *momentum = between(c->base, c->high, (at - up) / (end - up), c->straight);
    } else if (at <= back) {
        *lr = between(c->top, first, (at - up) / (back - up), c->straight);
        *momentum = between(c->base, c->high, (at - up) / (back - up), c->straight);
    } else {
        *lr = between(first, last, (at - back) / (end - back), c->straight);
        *momentum = c->high;
    }
}

static void one_cycle(void **state)
{
    static const struct cycle rows[] = {
        {"", 0.25, ALL, 0.3, 0, 0, 0.85, 0.95, 25, 1e4},
        {";max_lr=2;pct_start=0.25;anneal_strategy=linear;base_momentum=0.5;max_momentum=0.75;"
         "div_factor=10;final_div_factor=5",
         2, ALL, 0.25, 1, 0, 0.5, 0.75, 10, 5},
        {";three_phase=yes;total_steps=100", 0.25, 100, 0.3, 0, 1, 0.85, 0.95, 25, 1e4},
        {";interval=epoch", 0.25, EPOCHS, 0.3, 0, 0, 0.85, 0.95, 25, 1e4},
        {";pct_start=0", 0.25, ALL, 0, 0, 0, 0.85, 0.95, 25, 1e4},
        {";pct_start=1", 0.25, ALL, 1, 0, 0, 0.85, 0.95, 25, 1e4},
    };

    (void) state;
    for (size_t r = 0; r < CS_COUNT(rows); r++) {
        char *text = cs_xasprintf("scheduler=one_cycle%s", rows[r].settings);
        const struct way way = walk(text);
        const bool by_epoch = strstr(text, "epoch") != NULL;
        double lr, momentum;
        for (int i = 0; i < ALL; i++) {
            expect_cycle(&rows[r], by_epoch ? i / STEPS : i, &lr, &momentum);
            near(text, i, way.lr[i], lr);
            near(text, i, way.momentum[i], momentum);
        }
        free(text);
    }
    const struct way still = walk("scheduler=one_cycle;cycle_momentum=no"),
                     odd = walk("scheduler=one_cycle;total_steps=10;pct_start=0.1");
    assert_true(isnan(still.momentum[3]));
    near("a first phase of one step", 0, odd.lr[0], 0.25); /* PyTorch divides by 0 there */
    near("after the cycle", ALL - 1, odd.lr[ALL - 1], 0.25 / 25 / 1e4);
}

static void cyclic(void **state)
{
    const struct way plain = walk("scheduler=cyclic;base_lr=0.05;step_size_up=10"),
                     halved = walk("scheduler=cyclic;base_lr=0.05;max_lr=1;step_size_up=4;"
                                   "step_size_down=12;mode=triangular2"),
                     shrunk = walk("scheduler=cyclic;step_size_up=10;mode=exp_range;gamma=0.98;"
                                   "interval=step;cycle_momentum=no");

    (void) state;
    for (int i = 0; i < ALL; i++) {
        const double rise = 1 - fabs(i % 20 / 10.0 - 1);
        const int at = i % 16;
        const double second = (at <= 4 ? at / 4.0 : (16 - at) / 12.0) * pow(0.5, i / 16);
        near("plain", i, plain.lr[i], 0.05 + 0.2 * rise);
        near("plain", i, plain.momentum[i], 0.9 - 0.1 * rise);
        near("halved", i, halved.lr[i], 0.05 + 0.95 * second);
        near("halved", i, halved.momentum[i], 0.9 - 0.1 * second);
        near("shrunk", i, shrunk.lr[i], 0.25 * rise * pow(0.98, i));
        assert_true(isnan(shrunk.momentum[i]));
    }
}

/* The state for a driven momentum is kept though momentum = 0; optimizers without one are refused. */
static void momentum_is_driven(void **state)
{
    static const struct {
        const char *optimizer;
        int place, slots;
    } rows[] = {{"sgd", 1, 1},     {"adam", 1, 2},   {"adamw", 1, 2},
                {"radam", 1, 2},   {"adamax", 1, 2}, {"lion", 1, 1},
                {"rmsprop", 4, 2}, {"nadam", 1, 2},  {"lamb", 1, 2}};

    (void) state;
    for (size_t r = 0; r < CS_COUNT(rows); r++) {
        char *text = cs_xasprintf("scheduler=one_cycle;optimizer=%s", rows[r].optimizer);
        struct train_spec *spec = make(text);
        assert_int_equal(spec->momentum_arg, rows[r].place);
        assert_true(spec->groups[0].args[rows[r].place] == 0.95);
        assert_int_equal(train_spec_slots(spec), rows[r].slots);
        train_spec_free(spec);
        free(text);
    }
    struct train_spec *still = make("scheduler=one_cycle;cycle_momentum=no"),
                      *late = make("scheduler=sequence;phases=step 3 > one_cycle max_momentum=0.5");
    assert_int_equal(train_spec_slots(still), 0);
    assert_int_equal(train_spec_slots(late), 1);
    assert_true(train_schedule_momentum(late->schedule) == 0.5);
    train_spec_free(still);
    train_spec_free(late);
}

/* ---- rules of one's own ---- */

static void rules(void **state)
{
    const struct way warm = walk("scheduler=lambda;lr_lambda=min(1, epoch/5)"),
                     down = walk("scheduler=lambda;lr_lambda=1 - step/steps;interval=step"),
                     local = walk("scheduler=lambda;lr_lambda=1 - epoch/epochs;warmup_epochs=10"),
                     inside = walk("scheduler=lambda;warmup_steps=10;interval=step;"
                                   "lr_lambda=1/(1 + epoch + step/steps)"),
                     lower = walk("scheduler=lambda;lr_lambda=0.1/lr"),
                     times =
                         walk("scheduler=multiplicative;lr_lambda=if(epoch=5 or epoch=7,0.5,1)"),
                     both = walk("scheduler=lambda;lr_lambda=epoch/epochs");

    (void) state;
    for (int i = 0; i < ALL; i++) {
        const int e = i / STEPS;
        near("warm", i, warm.lr[i], 0.25 * fmin(1, e / 5.0));
        near("down", i, down.lr[i], 0.25 * (1 - (double) i / ALL));
        if (e >= 10)
            near("local", i, local.lr[i], 0.25 * (1 - (e - 10) / 20.0));
        if (i >= 10)
            near("inside", i, inside.lr[i], 0.25 / (1 + (e - 1) + (i - 10.0) / (ALL - 10)));
        near("lower", i, lower.lr[i], 0.1);
        near("times", i, times.lr[i], 0.25 * (e < 5 ? 1 : e < 7 ? 0.5 : 0.25));
        near("a division, not a name", i, both.lr[i], 0.25 * e / EPOCHS);
    }
}

static void rates_that_no_training_can_use(void **state)
{
    static const struct {
        const char *settings, *message;
        int step;
    } rows[] = {
        {"scheduler=lambda;lr_lambda=1/(3 - epoch)",
         "scheduler = lambda: the rate is inf after 3 epochs and 0 steps; it must be a number >= 0",
         3 * STEPS},
        {"scheduler=lambda;lr_lambda=1 - step/10;interval=step",
         "scheduler = lambda: the rate is -0.025 after 1 epochs and 4 steps; it "
         "must be a number "
         ">= 0",
         11},
        {"scheduler=multiplicative;lr_lambda=sqrt(2 - epoch)",
         "scheduler = multiplicative: the rate is nan after 3 epochs and 0 steps; it must be a "
         "number >= 0",
         3 * STEPS},
        {"scheduler=lambda;lr_lambda=log(step)",
         "scheduler = lambda: the rate is -inf after 0 epochs and 0 steps; it must be a number >= "
         "0",
         0},
        {"scheduler=exponential;gamma=1e200",
         "scheduler = exponential: the rate is inf after 2 epochs and 0 steps; it must be a number "
         ">= 0",
         2 * STEPS},
    };

    (void) state;
    for (size_t r = 0; r < CS_COUNT(rows); r++) {
        struct train_spec *spec = make(rows[r].settings);
        struct train_clock clock = clock_at(0);
        struct train_rate rate;
        struct cs_error err = {0};
        int step = 0, rc = train_schedule_begin(spec->schedule, &rate, 0.25, &clock, &err);
        while (rc == 0 && step < ALL) {
            clock = clock_at(++step);
            rc = train_schedule_next(spec->schedule, &rate, &clock, &err);
        }
        assert_int_equal(rc, CS_ERANGE);
        assert_string_equal(err.detail, rows[r].message);
        assert_int_equal(step, rows[r].step);
        train_spec_free(spec);
    }
}

/* ---- sequences and chains ---- */

static void sequence(void **state)
{
    const struct way way = walk("scheduler=sequence;phases=constant 4 factor=0.5 total_iters=9 > "
                                "none 3 > step 6 step_size=2 gamma=0.5 > cosine T_max=9"),
                     steps = walk("scheduler=sequence;interval=step;phases=exponential 10 "
                                  "gamma=0.9 > lambda lr_lambda=(1 - step/steps)"),
                     goes = walk("scheduler=sequence;phases=exponential 3 gamma=0.5 > "
                                 "multiplicative lr_lambda=0.9"),
                     rule = walk("scheduler=sequence;warmup_epochs=2;phases=none 3 > lambda 10 "
                                 "lr_lambda=1 - epoch/epochs > none");

    (void) state;
    for (int i = 0; i < ALL; i++) {
        const int e = i / STEPS;
        near("by epoch", i, way.lr[i],
             e < 4    ? 0.125
             : e < 7  ? 0.25
             : e < 13 ? 0.25 * pow(0.5, (e - 7) / 2)
                      : cosine(e - 13, 9));
        near("by step", i, steps.lr[i],
             i < 10 ? 0.25 * pow(0.9, i) : 0.25 * (1 - (i - 10.0) / (ALL - 10)));
        /* the rate after two halvings, begun upon in epoch 3 */
        near("goes on", i, goes.lr[i], e < 3 ? 0.25 * pow(0.5, e) : 0.0625 * pow(0.9, e - 3));
        if (e >= 2)
            near("rule", i, rule.lr[i], 0.25 * (e < 5 || e >= 15 ? 1 : 1 - (e - 5) / 10.0));
    }
}

static void chain(void **state)
{
    const struct way way = walk("scheduler=chain;chain=constant factor=0.1 total_iters=2 * "
                                "exponential gamma=0.9 * step step_size=5 gamma=0.5"),
                     two = walk("scheduler=chain;chain=plateau patience=2 factor=0.5 * plateau "
                                "patience=100 * exponential gamma=0.99"),
                     one = walk("scheduler=plateau;patience=2;factor=0.5");

    (void) state;
    for (int i = 0; i < ALL; i++) {
        const int e = i / STEPS;
        near("chain", i, way.lr[i], 0.25 * (e < 2 ? 0.1 : 1) * pow(0.9, e) * pow(0.5, e / 5));
        near("plateaus", i, two.lr[i], one.lr[i] * pow(0.99, e));
    }
    assert_true(one.lr[ALL - 1] < 0.25);
}

/* Spelling does not make another trial; what is written is read back as the same. */
static void canonical_texts(void **state)
{
    static const struct {
        const char *key, *text, *canonical;
    } rows[] = {
        {"phases", " linear  5  start_factor=0.10>cosine   T_max=20 eta_min=0",
         "linear 5 start_factor=0.1 > cosine T_max=20"},
        {"phases", "multistep 9 gamma=5e-1 milestones=3 06 > none",
         "multistep 9 gamma=0.5 milestones=3 6 > none"},
        {"phases", "(lambda 5 lr_lambda=((1 - epoch/5))) > (none)",
         "lambda 5 lr_lambda=(1 - epoch/5) > none"},
        {"phases", "lambda 5 lr_lambda=(1)+(epoch) > none",
         "lambda 5 lr_lambda=(1)+(epoch) > none"},
        {"phases", "lambda 5 lr_lambda=if(epoch > 3, 1, 2) > none",
         "lambda 5 lr_lambda=(if(epoch > 3, 1, 2)) > none"},
        {"phases", "step", "step"},
        {"chain", "constant factor=.5*exponential  gamma=0.90",
         "constant factor=0.5 * exponential"},
        {"chain", "lambda lr_lambda=(2*lr) * step gamma=0.5",
         "lambda lr_lambda=(2*lr) * step gamma=0.5"},
    };

    (void) state;
    for (size_t r = 0; r < CS_COUNT(rows); r++) {
        const char *kind = strcmp(rows[r].key, "chain") == 0 ? "chain" : "sequence";
        char *text = cs_xasprintf("scheduler=%s;%s=%s", kind, rows[r].key, rows[r].text);
        struct train_spec *a = make(text);
        assert_string_equal(train_spec_get(a, rows[r].key), rows[r].canonical);
        char *again = cs_xasprintf("scheduler=%s;%s=%s", kind, rows[r].key, rows[r].canonical);
        struct train_spec *b = make(again);
        assert_string_equal(train_spec_get(b, rows[r].key), rows[r].canonical);
        assert_string_equal(a->id, b->id);
        train_spec_free(a);
        train_spec_free(b);
        free(text);
        free(again);
    }
}

/* ---- what is remembered ---- */

/* A copy of the rate taken after any step goes on alike: train_rate is all there is. */
static void every_schedule_resumes(void **state)
{
    static const char *const extras[] = {
        "",
        ";interval=step",
        ";warmup_epochs=3",
        ";warmup_steps=17",
        ";interval=step;warmup_epochs=2",
    };
    static const struct {
        const char *name, *settings;
    } quick[] = {
        {"step", ";step_size=4"},
        {"multistep", ";milestones=3 9 20"},
        {"plateau", ";patience=1;cooldown=2"},
        {"cosine_restarts", ";T_0=3;T_mult=2"},
        {"cyclic", ";step_size_up=9;mode=triangular2"},
        {"sequence", ";phases=cosine_restarts 5 T_0=2 > one_cycle 6 > cosine_restarts T_0=4"},
        {"chain", ";chain=cosine_restarts T_0=3 * exponential * cosine_restarts T_0=4 * step"},
    };
    const struct train_scheduler *const *all = train_schedulers();

    (void) state;
    for (size_t s = 0; all[s]; s++) {
        for (size_t x = 0; x < CS_COUNT(extras); x++) {
            if (all[s]->epochs_only && strstr(extras[x], "interval"))
                continue;
            const char *settings = "";
            for (size_t q = 0; q < CS_COUNT(quick); q++) {
                if (strcmp(quick[q].name, all[s]->name) == 0)
                    settings = quick[q].settings;
            }
            char *text = cs_xasprintf("scheduler=%s%s%s", all[s]->name, settings, extras[x]);
            const struct way whole = walk(text);
            struct train_spec *spec = make(text);
            struct train_clock clock = clock_at(0);
            struct train_rate going;
            int changes = 0;
            assert_int_equal(train_schedule_begin(spec->schedule, &going, 0.25, &clock, NULL), 0);
            for (int stop = 0; stop < ALL; stop += 1) {
                struct train_rate resumed = going;
                for (int i = stop; i < ALL; i++) {
                    assert_memory_equal(&resumed.lr, &whole.lr[i], sizeof(double));
                    assert_memory_equal(&resumed.momentum, &whole.momentum[i], sizeof(double));
                    clock = clock_at(i + 1);
                    train_schedule_next(spec->schedule, &resumed, &clock, NULL);
                }
                clock = clock_at(stop + 1);
                train_schedule_next(spec->schedule, &going, &clock, NULL);
                changes += going.lr != whole.lr[stop];
            }
            if (changes == 0 && strcmp(text, "scheduler=none") != 0 &&
                strcmp(text, "scheduler=none;interval=step") != 0)
                fail_msg("%s: the rate never changes", text);
            train_spec_free(spec);
            free(text);
        }
    }
}

/* ---- refusals ---- */

static void refusals(void **state)
{
    static const struct {
        const char *settings;
        int code, line;
        const char *message;
    } rows[] = {
        {"warmup_epochs=2;warmup_steps=9", CS_ERANGE, 15,
         "warmup_steps = 9: not beside warmup_epochs = 2; give one of them"},
        {"warmup_start=2", CS_ERANGE, 14, "warmup_start = 2: must be a number in [0, 1]"},
        {"scheduler=plateau;interval=step", CS_ENONAME, 15,
         "interval: not a key of scheduler = plateau"},
        {"scheduler=step;interval=batch", CS_ENONAME, 15,
         "interval = batch: must be one of epoch, step"},
        {"scheduler=one_cycle;pct_start=1.5", CS_ERANGE, 15,
         "pct_start = 1.5: must be a number in [0, 1]"},
        {"scheduler=one_cycle;optimizer=adagrad", CS_ERANGE, 14,
         "scheduler = one_cycle: optimizer = adagrad has no momentum to drive; expected "
         "cycle_momentum = no"},
        {"scheduler=cyclic;mode=min", CS_ENONAME, 15,
         "mode = min: must be one of triangular, triangular2, exp_range"},
        {"scheduler=lambda;lr_lambda=1 -", CS_EPARSE, 15,
         "lr_lambda = 1 -: column 4: expected a number, a name or `(` and found the end"},
        {"scheduler=lambda;lr_lambda=1 - eposh/5", CS_ENONAME, 15,
         "lr_lambda = 1 - eposh/5: column 5: eposh: no such name; did you mean epoch?"},
        {"scheduler=multiplicative;lr_lambda=loss", CS_ENONAME, 15,
         "lr_lambda = loss: column 1: loss: no such name; names are epoch, epochs, step, steps, "
         "lr"},
        {"scheduler=sequence", CS_EPARSE, 14,
         "scheduler = sequence: phases is missing; expected schedules with their lengths, but the "
         "last: linear 5 "
         "start_factor=0.1 > cosine T_max=20"},
        {"scheduler=sequence;phases=linear > cosine", CS_EPARSE, 15,
         "phases = linear > cosine: linear: how long? expected for example linear 5"},
        {"scheduler=sequence;phases=linear 5 > cosine 9", CS_EPARSE, 15,
         "phases = linear 5 > cosine 9: cosine 9: the last phase lasts to the end: it takes no "
         "length"},
        {"scheduler=sequence;phases=linear 5 >", CS_EPARSE, 15,
         "phases = linear 5 >: a schedule is missing"},
        {"scheduler=sequence;phases=linear 2.5 > step", CS_EPARSE, 15,
         "phases = linear 2.5 > step: linear: 2.5: expected a length (a whole number, at "
         "most 10^9) or KEY=VALUE"},
        {"scheduler=sequence;phases=linear 1e10 > step", CS_EPARSE, 15,
         "phases = linear 1e10 > step: linear: 1e10: expected a length (a whole number, at most "
         "10^9) or KEY=VALUE"},
        {"scheduler=sequence;phases=linear 5 6 > step", CS_EPARSE, 15,
         "phases = linear 5 6 > step: linear: 6: expected KEY=VALUE"},
        {"scheduler=sequence;phases=linaer 5 > step", CS_ENONAME, 15,
         "phases = linaer 5 > step: linaer: no such schedule; did you mean linear?"},
        {"scheduler=sequence;phases=linear 5 gamma=1 > step", CS_ENONAME, 15,
         "phases = linear 5 gamma=1 > step: linear: gamma: no such key; keys are start_factor, "
         "end_factor, total_iters"},
        {"scheduler=sequence;phases=step 5 gamma=0.1 gamma=0.2 > step", CS_EPARSE, 15,
         "phases = step 5 gamma=0.1 gamma=0.2 > step: step: gamma: given twice"},
        {"scheduler=sequence;phases=step 5 gamma=x > step", CS_EPARSE, 15,
         "phases = step 5 gamma=x > step: step: gamma = x: must be a number >= 0"},
        {"scheduler=sequence;phases=none 5 gamma=1 > step", CS_ENONAME, 15,
         "phases = none 5 gamma=1 > step: none: gamma: no such key; it has none"},
        {"scheduler=sequence;phases=lambda 5 lr_lambda=2+ > step", CS_EPARSE, 15,
         "phases = lambda 5 lr_lambda=2+ > step: lambda: lr_lambda = 2+: column 3: expected a "
         "number, a name or `(` and found the end"},
        {"scheduler=sequence;interval=step;phases=linear 5 > plateau", CS_ERANGE, 16,
         "phases = linear 5 > plateau: plateau: needs interval = epoch"},
        {"scheduler=sequence;phases=chain 5 > step", CS_ENONAME, 15,
         "phases = chain 5 > step: chain: no such schedule; schedules are none, step, multistep, "
         "exponential, constant, linear, polynomial, cosine, cosine_restarts, plateau, one_cycle, "
         "cyclic, lambda, multiplicative"},
        {"scheduler=chain;chain=step 5 * exponential", CS_EPARSE, 15,
         "chain = step 5 * exponential: step 5: what is chained runs all the time: it takes no "
         "length"},
        {"scheduler=chain;chain=plateau * plateau * plateau * plateau * plateau * plateau",
         CS_ERANGE, 15,
         "chain = plateau * plateau * plateau * plateau * plateau * plateau: too much to remember: "
         "fewer of plateau, cosine_restarts"},
    };

    (void) state;
    for (size_t r = 0; r < CS_COUNT(rows); r++) {
        struct train_spec *spec = NULL;
        struct cs_error err = {0};
        const int rc = create(&spec, rows[r].settings, &err);
        assert_string_equal(rc < 0 ? err.detail : "accepted", rows[r].message);
        assert_int_equal(rc, rows[r].code);
        assert_int_equal(err.line, rows[r].line);
        assert_null(spec);
    }
}

/* No text crashes the small language. */
static void hostile_texts(void **state)
{
    static const char signs[] = "> * = ( ) step linear 5 gamma=0.5 lambda lr_lambda= epoch/5 \t,-";
    uint64_t seed = 1;

    (void) state;
    for (int round = 0; round < 4000; round++) {
        char text[80] = "scheduler=sequence;phases=s";
        size_t size = strlen(text);
        while (size < sizeof text - 12 && seed % 23) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const size_t from = (size_t) (seed >> 33) % (sizeof signs - 8);
            const size_t length = 1 + (size_t) (seed >> 45) % 6;
            memcpy(text + size, signs + from, length);
            size += length;
        }
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text[size] = '\0';
        struct train_spec *spec = NULL;
        struct cs_error err = {0};
        if (create(&spec, text, &err) == 0)
            train_spec_free(spec);
        else
            assert_null(strchr(err.detail, '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interval),
        cmocka_unit_test(warm_up),
        cmocka_unit_test(warm_up_ends_where_the_schedule_begins),
        cmocka_unit_test(warm_up_before_plateau),
        cmocka_unit_test(one_cycle),
        cmocka_unit_test(cyclic),
        cmocka_unit_test(momentum_is_driven),
        cmocka_unit_test(rules),
        cmocka_unit_test(rates_that_no_training_can_use),
        cmocka_unit_test(sequence),
        cmocka_unit_test(chain),
        cmocka_unit_test(canonical_texts),
        cmocka_unit_test(every_schedule_resumes),
        cmocka_unit_test(refusals),
        cmocka_unit_test(hostile_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
