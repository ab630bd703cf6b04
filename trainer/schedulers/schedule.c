/* schedule.c - the way of a rate: warm-up, then the schedule, each moved on when an epoch or a step is over. */
#include "trainer/schedulers/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cs_error.h"
#include "trainer/schedulers/scheduler.h"

/* The step after which the warm-up is over. */
static int64_t warm_steps(const struct train_schedule *s, const struct train_clock *clock)
{
    return s->warmup_by_step ? s->warmup : s->warmup * clock->steps_per_epoch;
}

/* As the schedule itself sees it: from the end of the warm-up to the end of the training. */
static struct train_now warmed(const struct train_schedule *s, const struct train_clock *clock)
{
    const int64_t first = warm_steps(s, clock);
    struct train_now now = {
        .epoch = clock->epoch - first / clock->steps_per_epoch,
        .epochs = clock->epochs - first / clock->steps_per_epoch,
        .step = clock->step - first,
        .steps = clock->epochs * clock->steps_per_epoch - first,
        .per_step = s->per_step,
        .first_epoch = first / clock->steps_per_epoch,
        .first_step = first,
        .clock = clock,
    };

    now.count = now.per_step ? now.step : now.epoch;
    now.total = now.per_step ? now.steps : now.epochs;
    return now;
}

/* The schedule's epoch 0. */
static void begin_main(const struct train_schedule *s, struct train_rate *rate,
                       const struct train_clock *clock)
{
    struct train_now now = warmed(s, clock);

    now.count = now.epoch = now.step = 0;
    rate->lr = rate->initial_lr;
    rate->momentum = NAN;
    memset(rate->state, 0, sizeof rate->state);
    train_phase_begin(&s->main, rate, rate->state, &now);
}

/* A rate that no training can use: a rule of one's own divides by 0, a factor above 1 goes on for too long. */
static int check(const struct train_schedule *s, const struct train_rate *rate,
                 const struct train_clock *clock, struct cs_error *err)
{
    char number[CS_DOUBLE_MAX];

    if (isfinite(rate->lr) && rate->lr >= -1e-9 * rate->initial_lr) /* rounding towards 0 */
        return 0;
    snprintf(number, sizeof number, "%g", rate->lr);
    return cs_fail(err, CS_ERANGE,
                   "scheduler = %s: the rate is %s after %lld epochs and %lld steps; it must be a "
                   "number >= 0",
                   s->main.kind->name, isnan(rate->lr) ? "nan" : number, (long long) clock->epoch,
                   (long long) (clock->step - clock->epoch * clock->steps_per_epoch));
}

/* In the warm-up: `done` of `all` parts of the way to the schedule's first rate. */
static void warm(const struct train_schedule *s, struct train_rate *rate,
                 const struct train_clock *clock, int64_t done, int64_t all)
{
    begin_main(s, rate, clock);
    rate->lr *= s->warmup_start + (1 - s->warmup_start) * (double) done / (double) all;
}

int train_schedule_begin(const struct train_schedule *s, struct train_rate *rate, double initial_lr,
                         const struct train_clock *clock, struct cs_error *err)
{
    *rate = (struct train_rate){.initial_lr = initial_lr};
    if (s->warmup > 0)
        warm(s, rate, clock, 0, s->warmup);
    else
        begin_main(s, rate, clock);
    return check(s, rate, clock, err);
}

int train_schedule_next(const struct train_schedule *s, struct train_rate *rate,
                        const struct train_clock *clock, struct cs_error *err)
{
    const int64_t end = warm_steps(s, clock);

    if (clock->step < end) {
        if (s->warmup_by_step || s->per_step)
            warm(s, rate, clock, clock->step, end);
        else if (clock->epoch_over)
            warm(s, rate, clock, clock->epoch, s->warmup);
    } else if (clock->step == end) {
        begin_main(s, rate, clock);
    } else if (s->per_step || clock->epoch_over) {
        const struct train_now now = warmed(s, clock);
        train_phase_next(&s->main, rate, rate->state, &now);
    }
    return check(s, rate, clock, err);
}

static double first_momentum(const struct train_phase *phase)
{
    double momentum = phase->kind->momentum ? phase->kind->momentum(phase->args) : NAN;

    for (int i = 0; i < phase->part_count && isnan(momentum); i++)
        momentum = first_momentum(&phase->parts[i]);
    return momentum;
}

double train_schedule_momentum(const struct train_schedule *s)
{
    return first_momentum(&s->main);
}

bool train_schedule_by_step(const struct train_schedule *s)
{
    return s->per_step || s->warmup_by_step;
}

static bool follows_values(const struct train_phase *phase)
{
    bool follows = phase->kind->epochs_only;

    for (int i = 0; i < phase->part_count && !follows; i++)
        follows = follows_values(&phase->parts[i]);
    return follows;
}

bool train_schedule_follows_values(const struct train_schedule *s)
{
    return follows_values(&s->main);
}

const char *train_schedule_text_key(const struct train_schedule *s, const char **canonical)
{
    *canonical = s->main.canonical;
    return s->main.canonical ? s->main.kind->params[0].name : NULL;
}
