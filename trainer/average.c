/* average.c - where averages move, and which weights count. */
#include "trainer/average.h"

#include <string.h>

#include "trainer/bundle_state.h"
#include "trainer/model.h"

bool train_spec_has_state(const struct train_spec *spec, int state)
{
    switch (state) {
    case TRAIN_SLOW:
        return spec->lookahead > 0;
    case TRAIN_AVERAGE:
        return spec->ema > 0 || spec->swa_start > 0;
    default:
        return state < train_spec_slots(spec);
    }
}

int train_spec_evaluated(const struct train_spec *spec, int epoch, int step)
{
    if (spec->ema > 0 && (epoch > 0 || step >= spec->accumulate))
        return TRAIN_AVERAGE;
    if (spec->swa_start > 0 && epoch >= spec->swa_start)
        return TRAIN_AVERAGE;
    return spec->lookahead > 0 ? TRAIN_SLOW : TRAIN_WEIGHTS;
}

static float *arena(const train_bundle *b, int k, int state)
{
    return b->slot[state] + (size_t) k * b->floats;
}

void train_average_begin(train_bundle *b, int k)
{
    const struct train_spec *spec = b->spec[k];
    const float *w = b->w + (size_t) k * b->floats;

    if (train_spec_has_state(spec, TRAIN_SLOW))
        memcpy(arena(b, k, TRAIN_SLOW), w, b->floats * sizeof *w);
    if (train_spec_has_state(spec, TRAIN_AVERAGE))
        memset(arena(b, k, TRAIN_AVERAGE), 0, b->floats * sizeof *w);
}

/* Statistics of the data are no weights: those of the slow weights are the current ones. */
static void look_ahead(train_bundle *b, int k, bool due)
{
    float *w = b->w + (size_t) k * b->floats, *slow = arena(b, k, TRAIN_SLOW);

    for (int i = 0; i < b->model->segment_count; i++) {
        const struct train_segment *s = &b->model->segments[i];
        const size_t bytes = s->count * sizeof *w;
        if (s->buffer) {
            memcpy(slow + s->offset, w + s->offset, bytes);
        } else if (due) {
            b->ops->lerp(slow + s->offset, w + s->offset, s->count,
                         (float) b->spec[k]->lookahead_alpha);
            memcpy(w + s->offset, slow + s->offset, bytes);
        }
    }
}

static void move_average(train_bundle *b, int k, bool first, double t)
{
    const float *w = b->w + (size_t) k * b->floats;
    float *average = arena(b, k, TRAIN_AVERAGE);

    if (first)
        memcpy(average, w, b->floats * sizeof *w);
    else
        b->ops->lerp(average, w, b->floats, (float) t);
    for (int i = 0; i < b->model->segment_count; i++) {
        const struct train_segment *s = &b->model->segments[i];
        if (s->counter)
            memcpy(average + s->offset, w + s->offset, s->count * sizeof *w);
    }
}

void train_average_step(train_bundle *b, int k, int64_t n)
{
    const struct train_spec *spec = b->spec[k];

    if (spec->lookahead > 0)
        look_ahead(b, k, n % spec->lookahead == 0);
    if (spec->ema > 0)
        move_average(b, k, n == 1, 1 - spec->ema);
}

void train_average_epoch(train_bundle *b, int k, int epoch)
{
    const int after = epoch - b->spec[k]->swa_start;

    if (b->spec[k]->swa_start > 0 && after >= 0)
        move_average(b, k, after == 0, 1.0 / (after + 1));
}
