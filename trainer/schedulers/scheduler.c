/* scheduler.c - the registry, and what the schedules share. */
#include "trainer/schedulers/scheduler.h"

#include <math.h>
#include <string.h>

#include "common/cs_expr.h"
#include "trainer/schedulers/list.h"

#define X(name) extern const struct train_scheduler train_scheduler_##name;
TRAIN_SCHEDULERS(X)
#undef X

static const struct train_scheduler *const all[] = {
#define X(name) &train_scheduler_##name,
    TRAIN_SCHEDULERS(X)
#undef X
        NULL};

const struct train_scheduler *const *train_schedulers(void)
{
    return all;
}

const struct train_scheduler *train_scheduler_find(const char *name)
{
    for (int i = 0; all[i]; i++) {
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    }
    return NULL;
}

void train_phase_begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                       const struct train_now *now)
{
    if (phase->kind->begin)
        phase->kind->begin(phase, rate, state, now);
}

void train_phase_next(const struct train_phase *phase, struct train_rate *rate, double *state,
                      const struct train_now *now)
{
    if (phase->kind->next)
        phase->kind->next(phase, rate, state, now);
}

struct train_now train_now_part(const struct train_now *now, int64_t start, int64_t length)
{
    const int64_t steps_per_epoch = now->clock->steps_per_epoch;
    struct train_now part = *now;
    int64_t end_epoch = now->first_epoch + now->epochs, end_step = now->first_step + now->steps;

    if (start > 0 && now->per_step) {
        part.first_step = now->first_step + start;
        part.first_epoch = part.first_step / steps_per_epoch;
    } else if (start > 0) { /* epochs after the first are whole */
        part.first_epoch = now->first_epoch + start;
        part.first_step = part.first_epoch * steps_per_epoch;
    }
    if (length > 0 && now->per_step) {
        end_step = part.first_step + length;
        end_epoch = end_step / steps_per_epoch;
    } else if (length > 0) {
        end_epoch = part.first_epoch + length;
        end_step = end_epoch * steps_per_epoch;
    }
    part.epoch = now->epoch - (part.first_epoch - now->first_epoch);
    part.step = now->step - (part.first_step - now->first_step);
    part.epochs = end_epoch - part.first_epoch;
    part.steps = end_step - part.first_step;
    part.count = now->per_step ? part.step : part.epoch;
    part.total = now->per_step ? part.steps : part.epochs;
    return part;
}

struct rule_names {
    const struct train_rate *rate;
    const struct train_now *now;
};

static struct cs_expr_value look_up(void *context, const char *name)
{
    const struct rule_names *names = context;
    const struct train_now *now = names->now;
    const struct {
        const char *name;
        double value;
    } values[] = {
        {"epoch", (double) now->epoch},  {"epochs", (double) now->epochs},
        {"step", (double) now->step},    {"steps", (double) now->steps},
        {"lr", names->rate->initial_lr},
    };

    for (size_t i = 0; i < CS_COUNT(values); i++) {
        if (strcmp(values[i].name, name) == 0)
            return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = values[i].value};
    }
    return (struct cs_expr_value){.kind = CS_EXPR_ABSENT};
}

double train_phase_rule(const struct train_phase *phase, const struct train_rate *rate,
                        const struct train_now *now)
{
    struct rule_names names = {rate, now};
    struct cs_expr_value value;

    if (cs_expr_eval(&value, phase->rule, look_up, &names, NULL) < 0 ||
        value.kind == CS_EXPR_ABSENT || value.kind == CS_EXPR_WORD)
        return NAN;
    return value.num;
}

double train_anneal(double start, double end, double part, bool straight)
{
    return straight ? (end - start) * part + start
                    : end + (start - end) / 2 * (cos(M_PI * part) + 1);
}
