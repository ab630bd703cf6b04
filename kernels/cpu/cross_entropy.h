/*
 * cross_entropy.h - softmax cross-entropy without weights and smoothing, 16 samples side by side (contract, rule 5).
 *
 * Classes are walked 16 at a time turned over so that lane i is sample i; every lane adds its classes in order. Up to
 * KEPT classes stay turned over between the walks (largest logit, sum, gradient), and so do their exponentials; more
 * are loaded, and their exponentials computed, again. What is carried from class to class is in registers; the rest
 * are loops over what lies in memory.
 */
#ifndef KERN_CPU_CROSS_ENTROPY_H
#define KERN_CPU_CROSS_ENTROPY_H

#include "kernels/cpu/transpose.h"
#include "kernels/kernels.h"
#include "kernels/math/elementary.h"

enum { KEPT = 64 };

/* 16 samples of one trial; lanes past the batch's last sample hold zeros and are not stored. */
struct samples {
    size_t rows, classes, first; /* of the batch; of these samples */
    const float *x;
    float share;
    float label[KERN_PANEL]; /* classes as floats: there are less than 2^24 */
    float max[KERN_PANEL], sum[KERN_PANEL], at_label[KERN_PANEL];
    float before[KERN_PANEL]; /* classes that stand before the label's: 0 is a right prediction */
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

/* Over x[count][sample], logits of classes from `class` on. */
static void find_max(struct samples *s, const float *x, size_t class, size_t count)
{
    const float one = 1.0f, first = (float) class;

    for (int i = 0; i < KERN_PANEL; i += VEC_LANES) {
        const vec label = vec_load(s->label + i), step = vec_spread(&one);
        vec max = vec_load(s->max + i), at = vec_load(s->at_label + i), number = vec_spread(&first);
        for (size_t c = 0; c < count; c++) {
            const vec v = vec_load(x + c * KERN_PANEL + i);
            max = vec_larger(v, max);
            at = vec_add(at, vec_where_equal(number, label, v)); /* once; else + 0 */
            number = vec_add(number, step);
        }
        vec_store(s->max + i, max);
        vec_store(s->at_label + i, at);
    }
}

/* The greatest float below x. */
static float float_below(float x)
{
    const uint32_t bits = kern_bits(x);

    return kern_float(x > 0.0f ? bits - 1 : x < 0.0f ? bits + 1 : 0x80000001u);
}

/* After find_max over all: classes above the label's logit; earlier ones stand before it where they are equal too. */
static void find_rank(struct samples *s, const float *x, size_t class, size_t count)
{
    const float one = 1.0f, first = (float) class;
    float below[KERN_PANEL];

    for (int i = 0; i < KERN_PANEL; i++)
        below[i] = float_below(s->at_label[i]);
    for (int i = 0; i < KERN_PANEL; i += VEC_LANES) {
        const vec label = vec_load(s->label + i), step = vec_spread(&one);
        const vec at = vec_load(s->at_label + i), under = vec_load(below + i);
        vec number = vec_spread(&first), before = vec_load(s->before + i);
        for (size_t c = 0; c < count; c++) {
            const vec v = vec_load(x + c * KERN_PANEL + i);
            const vec limit = vec_where_larger(label, number, under, at);
            before = vec_add(before, vec_where_larger(v, limit, step, vec_zero()));
            number = vec_add(number, step);
        }
        vec_store(s->before + i, before);
    }
}

/* From logits to exponentials, and their sum. */
static void add_exponentials(struct samples *s, float *RESTRICT x, size_t count)
{
    float max[KERN_PANEL];

    memcpy(max, s->max, sizeof max);
    for (size_t c = 0; c < count; c++)
        for (int i = 0; i < KERN_PANEL; i++)
            x[c * KERN_PANEL + (size_t) i] = kern_exp(x[c * KERN_PANEL + (size_t) i] - max[i]);
    for (int i = 0; i < KERN_PANEL; i += VEC_LANES) {
        vec sum = vec_load(s->sum + i);
        for (size_t c = 0; c < count; c++)
            sum = vec_add(sum, vec_load(x + c * KERN_PANEL + i));
        vec_store(s->sum + i, sum);
    }
}

/* From exponentials to gradients g[class][sample]; +0 past the last sample and class. */
static void gradient_block(float *RESTRICT g, const struct samples *RESTRICT s, size_t class,
                           size_t live)
{
    const size_t classes = classes_from(s, class);
    const float share = s->share;

    for (size_t c = 0; c < classes; c++) {
        const float number = (float) (class + c);
        for (int i = 0; i < KERN_PANEL; i++) {
            const float p = g[c * KERN_PANEL + (size_t) i] / s->sum[i];
            const float hit = s->label[i] == number ? 1.0f : 0.0f;
            g[c * KERN_PANEL + (size_t) i] = (p - hit) * share;
        }
    }
    for (size_t c = 0; c < classes && live < KERN_PANEL; c++)
        memset(g + c * KERN_PANEL + live, 0, (KERN_PANEL - live) * sizeof *g);
    memset(g + classes * KERN_PANEL, 0, (KERN_PANEL - classes) * KERN_PANEL * sizeof *g);
}

static void store_gradients(const float *g, const struct samples *s, size_t class, float *dx,
                            float *dxt, size_t live)
{
    if (dxt)
        memcpy(dxt + s->first * s->classes + class * KERN_PANEL, g,
               classes_from(s, class) * KERN_PANEL * sizeof *g);
    if (dx)
        turn_part(dx + class * s->rows + s->first * KERN_PANEL, g, KERN_PANEL, live);
}

static void begin_samples(struct samples *s)
{
    for (int i = 0; i < KERN_PANEL; i++) {
        s->max[i] = -INFINITY;
        s->sum[i] = s->at_label[i] = s->before[i] = 0.0f;
    }
}

static void take_values(float *RESTRICT value, const struct samples *RESTRICT s)
{
    for (int i = 0; i < KERN_PANEL; i++)
        value[i] = kern_log(s->sum[i]) - (s->at_label[i] - s->max[i]);
}

static void cross_entropy_kept(float *value, struct samples *s, float *dx, float *dxt, size_t live)
{
    _Alignas(64) float x[KEPT * KERN_PANEL];

    for (size_t class = 0; class < s->classes; class += KERN_PANEL)
        load_classes(x + class * KERN_PANEL, s, class);
    find_max(s, x, 0, s->classes);
    find_rank(s, x, 0, s->classes);
    add_exponentials(s, x, s->classes);
    take_values(value, s);
    for (size_t class = 0; (dx || dxt) && class < s->classes; class += KERN_PANEL) {
        gradient_block(x + class * KERN_PANEL, s, class, live);
        store_gradients(x + class * KERN_PANEL, s, class, dx, dxt, live);
    }
}

/* Largest logits and ranks of the labels, whatever the number of classes. */
static void rank_samples(struct samples *s)
{
    _Alignas(64) float x[BLOCK_FLOATS];

    begin_samples(s);
    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(x, s, class);
        find_max(s, x, class, classes_from(s, class));
    }
    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(x, s, class);
        find_rank(s, x, class, classes_from(s, class));
    }
}

static void cross_entropy_again(float *value, struct samples *s, float *dx, float *dxt, size_t live)
{
    _Alignas(64) float x[BLOCK_FLOATS];

    rank_samples(s);
    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(x, s, class);
        add_exponentials(s, x, classes_from(s, class));
    }
    take_values(value, s);
    for (size_t class = 0; (dx || dxt) && class < s->classes; class += KERN_PANEL) {
        struct samples scratch = *s; /* its sum is added to again */
        load_classes(x, s, class);
        add_exponentials(&scratch, x, classes_from(s, class));
        gradient_block(x, s, class, live);
        store_gradients(x, s, class, dx, dxt, live);
    }
}

/* Losses of the samples, ranks of their labels; gradients where dx or dxt is given. */
static void cross_entropy(float *value, struct samples *s, float *dx, float *dxt, size_t live)
{
    begin_samples(s);
    if (s->classes <= KEPT)
        cross_entropy_kept(value, s, dx, dxt, live);
    else
        cross_entropy_again(value, s, dx, dxt, live);
}

#endif
