/*
 * sequence.c - SequentialLR: one schedule after another, each at its own epoch 0 when its turn comes and, unless it
 * goes_on, from the initial rate. All share the state: only one is at work.
 */
#include <string.h>

#include "trainer/schedulers/scheduler.h"

static const struct cs_param params[] = {
    {"phases", CS_TEXT, "", 0, 0, 0, NULL,
     "schedules with their lengths, but the last: linear 5 start_factor=0.1 > cosine T_max=20"},
};

static const struct train_phase *find(const struct train_phase *phase, int64_t count,
                                      int64_t *start)
{
    const struct train_phase *part = phase->parts;

    *start = 0;
    for (; part < phase->parts + phase->part_count - 1 && count >= *start + part->length; part++)
        *start += part->length;
    return part;
}

static void begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                  const struct train_now *now)
{
    const struct train_phase *part = phase->parts;
    const struct train_now local = train_now_part(now, 0, part->length);

    train_phase_begin(part, rate, state, &local);
}

static void next(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now)
{
    int64_t start;
    const struct train_phase *part = find(phase, now->count, &start);
    const struct train_now local = train_now_part(now, start, part->length);

    if (local.count > 0) {
        train_phase_next(part, rate, state, &local);
        return;
    }
    if (!part->kind->goes_on)
        rate->lr = rate->initial_lr;
    memset(state, 0, (size_t) part->kind->state * sizeof *state);
    train_phase_begin(part, rate, state, &local);
}

const struct train_scheduler train_scheduler_sequence = {
    .name = "sequence",
    .help = "SequentialLR: one schedule after another",
    .params = params,
    .param_count = CS_COUNT(params),
    .text = TRAIN_PHASES,
    .begin = begin,
    .next = next,
};
