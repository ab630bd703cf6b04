/*
 * spec_continues.c - does a longer training pass through the states of a shorter one?
 *
 * It does when all settings but the number of epochs are equal and the learning rates are too, at every step up to
 * there. The rates are not reasoned about but computed, for both: what a schedule makes of the number of epochs is its
 * own affair (lr_lambda = 1 - epoch/epochs, one_cycle). Settings of a schedule may differ as long as the rates do not: a
 * further milestone behind the last epoch. A schedule that follows the evaluation (plateau) must be the same by its
 * settings then, for its rates are not known beforehand.
 */
#include <stdio.h>
#include <string.h>

#include "common/cs_error.h"
#include "trainer/schedulers/schedule.h"
#include "trainer/spec.h"

/* The section of a key, "" for that of a parameter group. */
static const char *section_of(const char *name)
{
    const struct train_key *key = strchr(name, '.') ? NULL : train_key_find(name, NULL);
    return key ? key->section : "";
}

/* Settings that change no state that training passes through, or that are judged by the rates. */
static bool is_free(const char *key)
{
    return strcmp(key, "epochs") == 0 || train_key_is_about_files(key) ||
           strcmp(section_of(key), "scheduler") == 0;
}

static bool is_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* The first setting of `of` that is not free and is another one in `in`. */
static const struct train_setting *find_other(const struct train_spec *of,
                                              const struct train_spec *in)
{
    for (size_t i = 0; i < of->setting_count; i++) {
        const struct train_setting *s = &of->settings[i];
        if (!is_equal(s->value, train_spec_get(in, s->key)) && !is_free(s->key))
            return s;
    }
    return NULL;
}

/* The first setting of the schedule that differs; scheduler itself comes before its own. */
static const char *find_other_rule(const struct train_spec *shorter,
                                   const struct train_spec *longer)
{
    const struct train_spec *const specs[] = {longer, shorter};

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < specs[side]->setting_count; i++) {
            const struct train_setting *s = &specs[side]->settings[i];
            if (!is_equal(s->value, train_spec_get(specs[!side], s->key)) &&
                strcmp(section_of(s->key), "scheduler") == 0)
                return s->key;
        }
    }
    return NULL;
}

static bool same_number(double a, double b)
{
    return a == b || (a != a && b != b);
}

static bool same_rate(const struct train_rate *a, const struct train_rate *b)
{
    bool same = same_number(a->lr, b->lr) && same_number(a->momentum, b->momentum);

    for (int i = 0; i < TRAIN_RATE_STATE && same; i++)
        same = same_number(a->state[i], b->state[i]);
    return same;
}

/* A schedule on its way through a training without values of its own. */
struct walk {
    const struct train_spec *spec;
    struct train_clock clock;
    struct train_rate rate;
};

static bool begin(struct walk *w, const struct train_spec *spec, int group, int64_t steps)
{
    *w = (struct walk){.spec = spec, .clock = {.epochs = spec->epochs, .steps_per_epoch = steps}};
    return train_schedule_begin(spec->schedule, &w->rate, spec->groups[group].args[0], &w->clock,
                                NULL) == 0;
}

static bool step_on(struct walk *w, int64_t by)
{
    w->clock.step += by;
    w->clock.epoch = w->clock.step / w->clock.steps_per_epoch;
    w->clock.epoch_over = w->clock.step % w->clock.steps_per_epoch == 0;
    return train_schedule_next(w->spec->schedule, &w->rate, &w->clock, NULL) == 0;
}

/* The epoch, from 1, in which a group's rates are others first; 0: they are not in the first `epochs`. */
static int64_t first_other_rate(const struct train_spec *shorter, const struct train_spec *longer,
                                int group, int epochs)
{
    const int64_t batches =
        (shorter->train_examples + shorter->batch_size - 1) / shorter->batch_size;
    const int64_t steps = (batches + shorter->accumulate - 1) / shorter->accumulate;
    const bool each =
        train_schedule_by_step(shorter->schedule) || train_schedule_by_step(longer->schedule);
    struct walk a, b;

    bool whole = begin(&a, shorter, group, steps) & begin(&b, longer, group, steps);
    while (whole && same_rate(&a.rate, &b.rate)) {
        const int64_t by = each ? 1 : steps;
        if (a.clock.step + by >= epochs * steps)
            return 0;
        whole = step_on(&a, by) & step_on(&b, by);
    }
    return a.clock.epoch + 1;
}

static void say_rates(struct cs_buf *why, const struct train_spec *shorter,
                      const struct train_spec *longer, int64_t epoch)
{
    const char *key = find_other_rule(shorter, longer);
    const char *scheduler = train_spec_get(longer, "scheduler");
    const char *was = key ? train_spec_get(shorter, key) : NULL;
    const char *is = key ? train_spec_get(longer, key) : NULL;

    if (key && strcmp(key, "scheduler") == 0)
        cs_buf_addf(why, "scheduler = %s, was %s", scheduler, was);
    else if (key)
        cs_buf_addf(why, "scheduler = %s: %s = %.80s, was %.80s", scheduler, key, is ? is : "unset",
                    was ? was : "unset");
    else
        cs_buf_addf(why, "scheduler = %s: it follows epochs = %d, was %d", scheduler,
                    longer->epochs, shorter->epochs);
    if (epoch > 0)
        cs_buf_addf(why, ": other rates from epoch %lld on", (long long) epoch);
}

bool train_spec_continues(const struct train_spec *shorter, const struct train_spec *longer,
                          int epochs, struct cs_buf *why)
{
    const struct train_setting *other = find_other(longer, shorter);

    if (!other)
        other = find_other(shorter, longer);
    if (other || shorter->seed != longer->seed) {
        const char *key = other ? other->key : "seed";
        cs_buf_addf(why, "%s: it is another one", key);
        return false;
    }
    if (find_other_rule(shorter, longer) && (train_schedule_follows_values(shorter->schedule) ||
                                             train_schedule_follows_values(longer->schedule))) {
        say_rates(why, shorter, longer, 0);
        return false;
    }
    for (int g = 0; g < longer->group_count; g++) {
        const int64_t epoch = first_other_rate(shorter, longer, g, epochs);
        if (epoch > 0) {
            say_rates(why, shorter, longer, epoch);
            return false;
        }
    }
    return true;
}
