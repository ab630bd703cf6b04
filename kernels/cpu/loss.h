/*
 * loss.h - softmax cross-entropy with 16 samples side by side (contract, rule 5).
 *
 * Classes are walked three times (largest logit, sum, gradient), 16 of them at a time turned over so that lane i is
 * sample i; every lane adds its classes in order. The exponentials are computed twice rather than kept:
 * there may be any number of classes.
 */
#ifndef KERN_CPU_LOSS_H
#define KERN_CPU_LOSS_H

#include "kernels/cpu/transpose.h"
#include "kernels/kernels.h"
#include "kernels/math/elementary.h"

/* 16 samples of one trial; lanes past the batch's last sample hold zeros and are not stored. */
struct samples {
    size_t rows, classes, first; /* of the batch; of these samples */
    const float *x;
    int32_t label[KERN_PANEL];
    float max[KERN_PANEL], sum[KERN_PANEL], at_label[KERN_PANEL];
    int32_t best[KERN_PANEL];
};

/* Logits of 16 classes from `class` on: out[class][sample]. */
static void load_classes(float *out, const struct samples *s, size_t class)
{
    turn_part(out, s->x + class * s->rows + s->first * KERN_PANEL, s->rows - s->first, KERN_PANEL);
}

static size_t classes_from(const struct samples *s, size_t class)
{
    return s->classes - class < KERN_PANEL ? s->classes - class : KERN_PANEL;
}

static void find_max(struct samples *s)
{
    _Alignas(64) float x[BLOCK_FLOATS];

    for (int i = 0; i < KERN_PANEL; i++) {
        s->max[i] = -INFINITY;
        s->best[i] = 0;
        s->at_label[i] = 0.0f;
    }
    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(x, s, class);
        for (size_t c = 0; c < classes_from(s, class); c++)
            for (int i = 0; i < KERN_PANEL; i++) {
                const float v = x[c * KERN_PANEL + (size_t) i];
                const int32_t number = (int32_t) (class + c);
                s->best[i] = v > s->max[i] ? number : s->best[i];
                s->max[i] = v > s->max[i] ? v : s->max[i];
                s->at_label[i] = s->label[i] == number ? v : s->at_label[i];
            }
    }
}

static void add_exponentials(struct samples *s)
{
    _Alignas(64) float x[BLOCK_FLOATS];

    for (int i = 0; i < KERN_PANEL; i++)
        s->sum[i] = 0.0f;
    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(x, s, class);
        for (size_t c = 0; c < classes_from(s, class); c++)
            for (int i = 0; i < KERN_PANEL; i++)
                s->sum[i] += kern_exp(x[c * KERN_PANEL + (size_t) i] - s->max[i]);
    }
}

/* g[class][sample] in place of the logits in g; +0 past the last sample and class. */
static void gradient_block(float *g, const struct samples *s, size_t class, size_t live)
{
    const float share = 1.0f / (float) s->rows;

    for (size_t c = 0; c < classes_from(s, class); c++)
        for (int i = 0; i < KERN_PANEL; i++) {
            const float p = kern_exp(g[c * KERN_PANEL + (size_t) i] - s->max[i]) / s->sum[i];
            const float hit = s->label[i] == (int32_t) (class + c) ? 1.0f : 0.0f;
            const float value = (p - hit) * share;
            g[c * KERN_PANEL + (size_t) i] = (size_t) i < live ? value : 0.0f;
        }
    for (size_t c = classes_from(s, class); c < KERN_PANEL; c++)
        memset(g + c * KERN_PANEL, 0, KERN_PANEL * sizeof *g);
}

static void store_gradients(const struct samples *s, float *dx, float *dxt, size_t live)
{
    _Alignas(64) float g[BLOCK_FLOATS];

    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(g, s, class);
        gradient_block(g, s, class, live);
        if (dxt)
            memcpy(dxt + s->first * s->classes + class * KERN_PANEL, g,
                   classes_from(s, class) * KERN_PANEL * sizeof *g);
        if (dx)
            turn_part(dx + class * s->rows + s->first * KERN_PANEL, g, KERN_PANEL, live);
    }
}

/* Loss of the samples from `first` on, added in order to *loss; right predictions to *correct. */
static void cross_entropy_block(const struct kern_cross_entropy *e, size_t trial, size_t first,
                                double *loss, int64_t *correct)
{
    const size_t left = (size_t) e->rows - first, live = left < KERN_PANEL ? left : KERN_PANEL;
    struct samples s = {
        .rows = (size_t) e->rows,
        .classes = (size_t) e->classes,
        .first = first,
        .x = e->x + trial * e->x_stride,
    };
    float value[KERN_PANEL];

    memcpy(s.label, e->label + trial * e->label_stride + first, live * sizeof s.label[0]);
    find_max(&s);
    add_exponentials(&s);
    for (int i = 0; i < KERN_PANEL; i++)
        value[i] = kern_log(s.sum[i]) - (s.at_label[i] - s.max[i]);
    for (size_t i = 0; i < live; i++) {
        *loss += (double) value[i];
        *correct += s.best[i] == s.label[i];
    }
    if (e->dx || e->dxt)
        store_gradients(&s, e->dx ? e->dx + trial * e->dx_stride : NULL,
                        e->dxt ? e->dxt + trial * e->dxt_stride : NULL, live);
}

static void cpu_cross_entropy(const struct kern_cross_entropy *e)
{
    for (size_t t = 0; t < (size_t) e->trials; t++) {
        double loss = 0;
        for (size_t first = 0; first < (size_t) e->rows; first += KERN_PANEL)
            cross_entropy_block(e, t, first, &loss, &e->correct[t]);
        e->loss[t] += loss;
    }
}

#endif
