/*
 * lanes_loss.h - softmax cross-entropy in lanes (contract, rule 5): loops over 64 floats, several samples of all lanes.
 */
#ifndef KERN_CPU_LANES_LOSS_H
#define KERN_CPU_LANES_LOSS_H

#include "kernels/cpu/lanes_pass.h"
#include "kernels/cpu/lanes_update.h"
#include "kernels/math/elementary.h"

enum { LOSS_ROWS = LANE_STRIP / VEC_LANES };

/* LOSS_ROWS samples of all lanes: number i is sample i / VEC_LANES of lane i % VEC_LANES. */
struct lane_loss {
    float max[LANE_STRIP], sum[LANE_STRIP], at_label[LANE_STRIP], value[LANE_STRIP];
    int32_t label[LANE_STRIP], best[LANE_STRIP];
    int32_t before
        [LANE_STRIP]; /* classes that stand before the label's, where there are more than KERN_TOP */
};

/* x[class][LANE_STRIP] = logits of the samples from `row` on; zeros past the last. */
static void lane_loss_load(struct lane_loss *l, const struct lane_pass *pass, size_t row,
                           size_t live)
{
    const struct kern_lanes_batch *b = pass->batch;
    const int top = pass->net->layers;

    for (size_t s = 0; s < LOSS_ROWS; s++)
        for (size_t lane = 0; lane < VEC_LANES; lane++)
            l->label[s * VEC_LANES + lane] =
                s < live ? b->labels[b->index[lane * b->index_stride + row + s]] : 0;
    for (size_t c = 0; c < (size_t) pass->net->width[top]; c++)
        for (size_t s = 0; s < LOSS_ROWS; s++) {
            const float *from = pass->x[top] + (row + s) * pass->pitch[top] + c * VEC_LANES;
            vec_store(pass->loss + c * LANE_STRIP + s * VEC_LANES,
                      s < live ? vec_load(from) : vec_zero());
        }
}

/* Rule 5; leaves the exponentials in x. */
static void lane_loss_values(struct lane_loss *RESTRICT l, float *RESTRICT x, int32_t classes)
{
    for (int i = 0; i < LANE_STRIP; i++) {
        l->max[i] = -INFINITY;
        l->best[i] = l->before[i] = 0;
        l->sum[i] = l->at_label[i] = 0.0f;
    }
    for (int32_t c = 0; c < classes; c++)
        for (int i = 0; i < LANE_STRIP; i++) {
            const float v = x[c * LANE_STRIP + i];
            l->best[i] = v > l->max[i] ? c : l->best[i];
            l->max[i] = v > l->max[i] ? v : l->max[i];
            l->at_label[i] = l->label[i] == c ? v : l->at_label[i];
        }
    for (int32_t c = 0; c < classes && classes > KERN_TOP; c++)
        for (int i = 0; i < LANE_STRIP; i++) {
            const float v = x[c * LANE_STRIP + i], own = l->at_label[i];
            l->before[i] += (v > own) | ((v == own) & (c < l->label[i]));
        }
    for (int32_t c = 0; c < classes; c++)
        for (int i = 0; i < LANE_STRIP; i++) {
            x[c * LANE_STRIP + i] = kern_exp(x[c * LANE_STRIP + i] - l->max[i]);
            l->sum[i] += x[c * LANE_STRIP + i];
        }
    for (int i = 0; i < LANE_STRIP; i++)
        l->value[i] = kern_log(l->sum[i]) - (l->at_label[i] - l->max[i]);
}

static void lane_loss_gradients(const struct lane_loss *RESTRICT l, float *RESTRICT x,
                                const struct lane_pass *pass, size_t row, size_t live)
{
    const float share = 1.0f / (float) pass->rows;
    const int top = pass->net->layers;

    for (int32_t c = 0; c < pass->net->width[top]; c++) {
        float *g = x + c * LANE_STRIP;
        for (int i = 0; i < LANE_STRIP; i++)
            g[i] = (g[i] / l->sum[i] - (l->label[i] == c ? 1.0f : 0.0f)) * share;
        for (size_t s = 0; s < live; s++)
            vec_store(pass->g[top] + (row + s) * pass->pitch[top] + (size_t) c * VEC_LANES,
                      vec_load(g + s * VEC_LANES));
    }
}

static void lane_loss_count(int64_t *counts, int32_t best, int32_t label)
{
    counts[3 * best] += best == label;
    counts[3 * best + 1]++;
    counts[3 * label + 2]++;
}

static void lane_loss_sums(const struct kern_lanes_batch *b, const struct lane_loss *l,
                           int32_t classes, size_t live)
{
    for (size_t i = 0; i < live * VEC_LANES; i++) {
        struct kern_loss_sums *sums = &b->sums[i % VEC_LANES];
        sums->loss += (double) l->value[i];
        sums->correct += l->best[i] == l->label[i];
        sums->top += classes > KERN_TOP && l->before[i] < KERN_TOP;
        if (b->counts)
            lane_loss_count(b->counts + i % VEC_LANES * b->counts_stride, l->best[i], l->label[i]);
    }
}

static void lane_loss(const struct lane_pass *pass)
{
    const int32_t classes = pass->net->width[pass->net->layers];

    for (size_t row = 0; row < pass->rows; row += LOSS_ROWS) {
        const size_t left = pass->rows - row, live = left < LOSS_ROWS ? left : LOSS_ROWS;
        struct lane_loss l;
        lane_loss_load(&l, pass, row, live);
        lane_loss_values(&l, pass->loss, classes);
        lane_loss_sums(pass->batch, &l, classes, live);
        if (pass->training)
            lane_loss_gradients(&l, pass->loss, pass, row, live);
    }
}

#endif
