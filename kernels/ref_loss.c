/*
 * ref_loss.c - the losses and softmax of the backend "ref", one sample at a time (rules 5, 11 and 13).
 */
#include <math.h>
#include <string.h>

#include "kernels/backend_impl.h"
#include "kernels/loss/list.h"
#include "kernels/math/elementary.h"

typedef void gather_fn(int pass, struct kern_loss_row *row, float x, float t, float w,
                       const float *v);
typedef void settle_fn(struct kern_loss_row *row);
typedef float element_fn(float x, float t, float w, const struct kern_loss_row *row,
                         const float *v);

static const struct formula {
    const char *name;
    gather_fn *gather;
    settle_fn *settle;
    element_fn *value, *slope;
} formulas[] = {
#define KERN_LOSS_EACH(NAME) {#NAME, NAME##_gather, NAME##_settle, NAME##_value, NAME##_slope},
#include "kernels/loss/list.h"
#undef KERN_LOSS_EACH
};

static const struct formula *find(const struct kern_loss *kind)
{
    size_t row = 0;

    while (strcmp(formulas[row].name, kind->name) != 0)
        row++;
    return &formulas[row];
}

static int32_t label_of(const struct kern_loss_call *c, size_t trial, size_t row)
{
    return c->label[trial * c->label_stride + row];
}

static float output(const struct kern_loss_call *c, size_t trial, size_t row, size_t o)
{
    return c->x[trial * c->x_stride + kern_at((size_t) c->rows, row, o)];
}

static float target(const struct kern_loss_call *c, size_t trial, size_t row, size_t o)
{
    const struct kern_loss_numbers *n = &c->numbers[trial];

    if (c->targets != KERN_CLASSES)
        return c->target[trial * c->target_stride + kern_at((size_t) c->rows, row, o)];
    const int32_t class = (int32_t) o + (c->outputs == 1);
    return label_of(c, trial, row) == class ? n->on : n->off;
}

static bool counts(const struct kern_loss_call *c, size_t trial, size_t row)
{
    return c->targets != KERN_CLASSES || label_of(c, trial, row) != c->numbers[trial].ignore;
}

/* What the batch's losses are divided by; the samples that count are added to *samples. */
static double batch_weight(const struct kern_loss_call *c, size_t trial, int64_t *samples)
{
    const float *w = c->numbers[trial].weight;
    double sum = 0;

    for (size_t r = 0; r < (size_t) c->rows; r++) {
        if (!counts(c, trial, r))
            continue;
        ++*samples;
        if (c->kind->class_weights)
            sum += w ? (double) w[label_of(c, trial, r)] : 1;
        else
            sum += c->kind->by_element ? c->outputs : 1;
    }
    return sum;
}

/* The sample's loss; its row of gradients. */
static float sample_loss(const struct kern_loss_call *c, size_t trial, size_t row, float share)
{
    const struct formula *f = find(c->kind);
    const struct kern_loss_numbers *n = &c->numbers[trial];
    const size_t rows = (size_t) c->rows, outputs = (size_t) c->outputs;
    struct kern_loss_row own = KERN_LOSS_ROW;
    float value = 0.0f;

    for (int pass = 0; pass < c->kind->passes; pass++)
        for (size_t o = 0; o < outputs; o++)
            f->gather(pass, &own, output(c, trial, row, o), target(c, trial, row, o),
                      n->weight ? n->weight[o] : 1.0f, n->v);
    f->settle(&own);
    for (size_t o = 0; o < outputs; o++) {
        const float x = output(c, trial, row, o), t = target(c, trial, row, o);
        const float w = n->weight ? n->weight[o] : 1.0f;
        const float g = counts(c, trial, row) ? f->slope(x, t, w, &own, n->v) * share : 0.0f;
        value += f->value(x, t, w, &own, n->v);
        if (c->dx)
            c->dx[trial * c->dx_stride + kern_at(rows, row, o)] = g;
        if (c->dxt)
            c->dxt[trial * c->dxt_stride + kern_at(outputs, o, row)] = g;
    }
    return value;
}

/* Prediction and rank of the label. */
static void measure_class(const struct kern_loss_call *c, size_t trial, size_t row,
                          struct kern_loss_sums *sums)
{
    const int32_t label = label_of(c, trial, row);
    int32_t best = 0, before = 0;

    for (int32_t o = 1; o < c->outputs; o++)
        if (output(c, trial, row, (size_t) o) > output(c, trial, row, (size_t) best))
            best = o;
    if (c->outputs == 1)
        best = output(c, trial, row, 0) > c->kind->half;
    for (int32_t o = 0; o < c->outputs && c->outputs > KERN_TOP; o++) {
        const float x = output(c, trial, row, (size_t) o),
                    own = output(c, trial, row, (size_t) label);
        before += x > own || (x == own && o < label);
    }
    sums->correct += best == label;
    sums->top += c->outputs > KERN_TOP && before < KERN_TOP;
    if (c->counts) {
        int64_t *all = c->counts + trial * c->counts_stride;
        all[3 * best] += best == label;
        all[3 * best + 1]++;
        all[3 * label + 2]++;
    }
}

static void measure_elements(const struct kern_loss_call *c, size_t trial, size_t row,
                             struct kern_loss_sums *sums)
{
    float absolute = 0.0f, squared = 0.0f;

    for (size_t o = 0; o < (size_t) c->outputs; o++) {
        const float x = output(c, trial, row, o), t = target(c, trial, row, o), d = x - t;
        const bool says = x > c->kind->half, wants = t > 0.5f;
        absolute += fabsf(d);
        squared += d * d;
        if (c->targets != KERN_FRACTIONS)
            continue;
        sums->correct += says == wants;
        sums->both += says && wants;
        sums->said += says;
        sums->wanted += wants;
    }
    if (c->targets == KERN_VALUES) {
        sums->absolute += (double) absolute;
        sums->squared += (double) squared;
    }
}

static void clear_padding(float *x, size_t rows, size_t cols)
{
    for (size_t c = cols; c < kern_pad(cols); c++)
        for (size_t r = 0; r < rows; r++)
            x[kern_at(rows, r, c)] = 0.0f;
}

void kern_ref_loss(const struct kern_loss_call *c)
{
    const size_t rows = (size_t) c->rows, outputs = (size_t) c->outputs;

    for (size_t t = 0; t < (size_t) c->trials; t++) {
        struct kern_loss_sums sums = {0};
        sums.weight = batch_weight(c, t, &sums.samples);
        for (size_t r = 0; r < rows; r++) {
            const float value = sample_loss(c, t, r, kern_loss_share(sums.weight));
            if (!counts(c, t, r))
                continue;
            sums.loss += (double) value;
            if (c->targets == KERN_CLASSES)
                measure_class(c, t, r, &sums);
            else
                measure_elements(c, t, r, &sums);
        }
        kern_loss_sums_add(&c->sums[t], &sums);
        if (c->dx)
            clear_padding(c->dx + t * c->dx_stride, rows, outputs);
        if (c->dxt)
            clear_padding(c->dxt + t * c->dxt_stride, outputs, rows);
    }
}

static void softmax(const struct kern_softmax *s, size_t trial, size_t sample)
{
    const size_t classes = (size_t) s->classes;
    const float *x = s->x + trial * s->x_stride;
    float *y = s->y + trial * s->y_stride, max = -INFINITY, sum = 0.0f;

    for (size_t c = 0; c < classes; c++)
        max = x[kern_at(classes, c, sample)] > max ? x[kern_at(classes, c, sample)] : max;
    for (size_t c = 0; c < classes; c++)
        sum += kern_exp(x[kern_at(classes, c, sample)] - max);
    for (size_t c = 0; c < classes; c++) {
        const float above = x[kern_at(classes, c, sample)] - max;
        y[kern_at(classes, c, sample)] = s->log ? above - kern_log(sum) : kern_exp(above) / sum;
    }
}

static void softmax_gradient(const struct kern_softmax *s, size_t trial, size_t sample)
{
    const size_t classes = (size_t) s->classes;
    const float *y = s->y + trial * s->y_stride, *dy = s->dy + trial * s->dy_stride;
    float *dx = s->dx + trial * s->dx_stride, sum = 0.0f;

    for (size_t c = 0; c < classes; c++) {
        const size_t at = kern_at(classes, c, sample);
        sum += s->log ? dy[at] : y[at] * dy[at];
    }
    for (size_t c = 0; c < classes; c++) {
        const size_t at = kern_at(classes, c, sample);
        dx[at] = s->log ? dy[at] - kern_exp(y[at]) * sum : y[at] * (dy[at] - sum);
    }
}

void kern_ref_softmax(const struct kern_softmax *s)
{
    for (size_t t = 0; t < (size_t) s->trials; t++) {
        for (size_t i = 0; i < (size_t) s->samples; i++) {
            if (s->x)
                softmax(s, t, i);
            else
                softmax_gradient(s, t, i);
        }
        clear_padding(s->x ? s->y + t * s->y_stride : s->dx + t * s->dx_stride, (size_t) s->classes,
                      (size_t) s->samples);
    }
}
