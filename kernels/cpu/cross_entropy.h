/*
 * cross_entropy.h - softmax cross-entropy without weights and smoothing, 16 samples side by side (contract, rule 5).
 *
 * Classes are walked 16 at a time turned over so that lane i is sample i; every lane adds its classes in order. Up to
 * KEPT classes stay turned over between the walks (largest logit; exponentials and their sum; gradient) of several
 * blocks of 16 samples at once; more are loaded, and their exponentials computed, again.
 */
#ifndef KERN_CPU_CROSS_ENTROPY_H
#define KERN_CPU_CROSS_ENTROPY_H

#include "kernels/cpu/transpose.h"
#include "kernels/cpu/vec_exp.h"
#include "kernels/kernels.h"

enum { KEPT = 64, SAMPLE_BLOCKS = 4 };

/* 16 samples of one trial; lanes past the batch's last sample hold zeros and are not stored. */
struct samples {
    _Alignas(64) float label[KERN_PANEL]; /* classes as floats: there are less than 2^24 */
    float max[KERN_PANEL], sum[KERN_PANEL], at_label[KERN_PANEL], value[KERN_PANEL];
    float before[KERN_PANEL]; /* classes that stand before the label's: 0 is a right prediction */
    size_t rows, classes;     /* of the batch */
    size_t first, live;       /* the samples' numbers in it */
    const float *x;
    float share;
};

struct kept_samples {
    struct samples s;
    float x[KEPT * KERN_PANEL];
};

/* Lanes past the last sample are wrong predictions. */
static void begin_samples(struct samples *s, const int32_t *label)
{
    int32_t padded[KERN_PANEL] = {0};

    if (s->live < KERN_PANEL)
        label = memcpy(padded, label, s->live * sizeof *label);
    for (size_t i = 0; i < KERN_PANEL; i++) {
        s->label[i] = (float) label[i];
        s->max[i] = -INFINITY;
        s->sum[i] = s->at_label[i] = 0.0f;
        s->before[i] = i < s->live ? 0.0f : (float) KERN_TOP;
    }
}

/* Logits of 16 classes from `class` on: out[class][sample]. */
static void load_classes(float *out, const struct samples *s, size_t class)
{
    const float *x = s->x + class * s->rows + s->first * KERN_PANEL;

    if (s->live == KERN_PANEL)
        turn_wide(out, x);
    else
        turn_part(out, x, s->live, KERN_PANEL);
}

static size_t classes_from(const struct samples *s, size_t class)
{
    return s->classes - class < KERN_PANEL ? s->classes - class : KERN_PANEL;
}

/* Over x[count][sample], logits of classes from `class` on. */
static void find_max(struct samples *s, const float *x, size_t class, size_t count)
{
    const vec one = vec_number(1.0f);

    for (int i = 0; i < KERN_PANEL; i += VEC_LANES) {
        const vec label = vec_load(s->label + i);
        vec max = vec_load(s->max + i), at = vec_load(s->at_label + i),
            number = vec_number((float) class);
        for (size_t c = 0; c < count; c++) {
            const vec v = vec_load(x + c * KERN_PANEL + i);
            max = vec_larger(v, max);
            at = vec_add(at, vec_where_equal(number, label, v)); /* once; else + 0 */
            number = vec_add(number, one);
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

/*
 * After find_max over all, to exp[class][sample], and their sum; and the classes above the label's logit: earlier ones
 * stand before it where they are equal, too.
 */
static void add_exponentials(struct samples *s, float *exp, const float *x, size_t class,
                             size_t count)
{
    const vec one = vec_number(1.0f);
    float below[KERN_PANEL];

    for (int i = 0; i < KERN_PANEL; i++)
        below[i] = float_below(s->at_label[i]);
    for (int i = 0; i < KERN_PANEL; i += VEC_LANES) {
        const vec label = vec_load(s->label + i), max = vec_load(s->max + i);
        const vec at = vec_load(s->at_label + i), under = vec_load(below + i);
        vec sum = vec_load(s->sum + i), before = vec_load(s->before + i),
            number = vec_number((float) class);
        for (size_t c = 0; c < count; c++) {
            const vec v = vec_load(x + c * KERN_PANEL + i), e = vec_exp_below(vec_sub(v, max));
            const vec limit = vec_where_larger(label, number, under, at);
            before = vec_add(before, vec_where_larger(v, limit, one, vec_zero()));
            number = vec_add(number, one);
            sum = vec_add(sum, e);
            vec_store(exp + c * KERN_PANEL + i, e);
        }
        vec_store(s->sum + i, sum);
        vec_store(s->before + i, before);
    }
}

static void take_values(struct samples *s)
{
    float sum[KERN_PANEL];

    memcpy(sum, s->sum, sizeof sum);
    for (int i = 0; i < KERN_PANEL; i++)
        s->value[i] = kern_log(sum[i]) - (s->at_label[i] - s->max[i]);
}

/*
 * From exponentials to gradients of up to 16 classes, g[class][sample], and to their places. Rows of g past the last
 * class are +0, as the padding of the logits was.
 */
static void take_gradients(float *g, const struct samples *s, size_t class, float *dx, float *dxt)
{
    const size_t classes = classes_from(s, class), live = s->live;
    const vec share = vec_number(s->share), one = vec_number(1.0f);

    for (int i = 0; i < KERN_PANEL; i += VEC_LANES) {
        const vec sum = vec_load(s->sum + i), label = vec_load(s->label + i);
        vec number = vec_number((float) class);
        for (size_t at = (size_t) i; at < classes * KERN_PANEL; at += KERN_PANEL) {
            const vec p = vec_div(vec_load(g + at), sum), hit = vec_where_equal(number, label, one);
            vec_store(g + at, vec_mul(vec_sub(p, hit), share));
            number = vec_add(number, one);
        }
    }
    for (size_t c = 0; c < classes && live < KERN_PANEL; c++)
        memset(g + c * KERN_PANEL + live, 0, (KERN_PANEL - live) * sizeof *g);
    if (dx)
        turn_part(dx + class * s->rows + s->first * KERN_PANEL, g, KERN_PANEL, live);
    if (dxt) {
        dxt += s->first * s->classes + class * KERN_PANEL;
        for (size_t at = 0; at < classes * KERN_PANEL; at += VEC_LANES)
            vec_store(dxt + at, vec_load(g + at));
    }
}

/* Losses and ranks, and gradients where dx or dxt is given; walk by walk: what one block waits for another computes. */
static void cross_entropy_kept(struct kept_samples *blocks, size_t count, float *dx, float *dxt)
{
    const size_t classes = blocks->s.classes;

    for (struct kept_samples *b = blocks; b < blocks + count; b++) {
        for (size_t class = 0; class < classes; class += KERN_PANEL)
            load_classes(b->x + class * KERN_PANEL, &b->s, class);
        find_max(&b->s, b->x, 0, classes);
    }
    for (struct kept_samples *b = blocks; b < blocks + count; b++)
        add_exponentials(&b->s, b->x, b->x, 0, classes);
    for (struct kept_samples *b = blocks; b < blocks + count; b++)
        take_values(&b->s);
    for (struct kept_samples *b = blocks; b < blocks + count; b++)
        for (size_t class = 0; (dx || dxt) && class < classes; class += KERN_PANEL)
            take_gradients(b->x + class * KERN_PANEL, &b->s, class, dx, dxt);
}

/* Largest logits, exponentials' sums and ranks of the labels, whatever the number of classes. */
static void rank_samples(struct samples *s)
{
    _Alignas(64) float x[BLOCK_FLOATS];

    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(x, s, class);
        find_max(s, x, class, classes_from(s, class));
    }
    for (size_t class = 0; class < s->classes; class += KERN_PANEL) {
        load_classes(x, s, class);
        add_exponentials(s, x, x, class, classes_from(s, class));
    }
}

static void cross_entropy_again(struct samples *s, float *dx, float *dxt)
{
    _Alignas(64) float x[BLOCK_FLOATS];

    rank_samples(s);
    take_values(s);
    for (size_t class = 0; (dx || dxt) && class < s->classes; class += KERN_PANEL) {
        struct samples scratch = *s; /* its sum is added to again */
        load_classes(x, s, class);
        add_exponentials(&scratch, x, x, class, classes_from(s, class));
        take_gradients(x, s, class, dx, dxt);
    }
}

#endif
