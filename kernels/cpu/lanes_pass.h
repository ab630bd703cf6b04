/*
 * lanes_pass.h - what the parts of a step in lanes share, and the samples at its start.
 *
 * Work memory: values of every node, then gradients of every node, lane matrices of `rows` rows; then the loss's 64
 * floats per class.
 */
#ifndef KERN_CPU_LANES_PASS_H
#define KERN_CPU_LANES_PASS_H

#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

_Static_assert((int) VEC_LANES <= (int) KERN_LANES_MAX, "arrays per lane");

/* One call: its net, and where in its work memory things are. */
struct lane_pass {
    const struct kern_lanes *m;
    const struct kern_lanes_net *net;
    const struct kern_lanes_batch *batch;
    size_t rows;
    bool training;
    size_t pitch[KERN_LANES_LAYERS + 1];
    float *x[KERN_LANES_LAYERS + 1], *g[KERN_LANES_LAYERS + 1];
    float *loss;
    int first_drop[KERN_LANES_LAYERS + 1]; /* of the node, in m->p */
};

static struct lane_pass lane_pass_begin(const struct kern_lanes *m, bool training)
{
    struct lane_pass pass = {.m = m,
                             .net = m->net,
                             .batch = m->batch,
                             .rows = (size_t) m->batch->rows,
                             .training = training};
    float *at = m->work;
    int drops = 0;

    for (int n = 0; n <= m->net->layers; n++) {
        pass.pitch[n] = kern_lanes_pitch(VEC_LANES, m->net->width[n]);
        pass.x[n] = at;
        at += pass.rows * pass.pitch[n];
        pass.first_drop[n] = drops;
        drops += m->net->node[n].drops;
    }
    for (int n = 0; n <= m->net->layers; n++) {
        pass.g[n] = at;
        at += pass.rows * pass.pitch[n];
    }
    pass.loss = at;
    return pass;
}

/* Rule 10 on `count` pixels of one lane. */
static void lane_pixels(float *out, const uint8_t *in, size_t count,
                        const struct kern_lanes_batch *b)
{
    for (size_t f = 0; f < count; f++)
        out[f * VEC_LANES] = ((float) in[f] / 255.0f - b->mean) / b->std;
}

#ifdef __AVX2__

/* out[f * VEC_LANES + i] = in[i][f] for 8 features of 8 lanes. */
ALWAYS_INLINE void turn_lanes(float *out, const float *const in[8])
{
    __m256 row[8], pair[8], quad[8];

    UNROLL_ALL
    for (int i = 0; i < 8; i++)
        row[i] = _mm256_loadu_ps(in[i]);
    UNROLL_ALL
    for (int i = 0; i < 4; i++) {
        pair[2 * i] = _mm256_unpacklo_ps(row[2 * i], row[2 * i + 1]);
        pair[2 * i + 1] = _mm256_unpackhi_ps(row[2 * i], row[2 * i + 1]);
    }
    UNROLL_ALL
    for (int i = 0; i < 2; i++) {
        quad[4 * i] = _mm256_shuffle_ps(pair[4 * i], pair[4 * i + 2], 0x44);
        quad[4 * i + 1] = _mm256_shuffle_ps(pair[4 * i], pair[4 * i + 2], 0xee);
        quad[4 * i + 2] = _mm256_shuffle_ps(pair[4 * i + 1], pair[4 * i + 3], 0x44);
        quad[4 * i + 3] = _mm256_shuffle_ps(pair[4 * i + 1], pair[4 * i + 3], 0xee);
    }
    UNROLL_ALL
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(out + i * VEC_LANES, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20));
        _mm256_storeu_ps(out + (i + 4) * VEC_LANES,
                         _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31));
    }
}

#endif

/* in[lane][features] turned to out[feature][lane]. */
static void lane_values(float *out, const float *const in[VEC_LANES], size_t features)
{
    size_t f = 0;

#ifdef __AVX2__
    for (; f + 8 <= features; f += 8)
        for (size_t lane = 0; lane < VEC_LANES; lane += 8) {
            const float *at[8];
            for (size_t i = 0; i < 8; i++)
                at[i] = in[lane + i] + f;
            turn_lanes(out + f * VEC_LANES + lane, at);
        }
#endif
    for (; f < features; f++)
        for (size_t lane = 0; lane < VEC_LANES; lane++)
            out[f * VEC_LANES + lane] = in[lane][f];
}

static void lane_gather(const struct lane_pass *pass)
{
    const struct kern_lanes_batch *b = pass->batch;
    const size_t features = (size_t) pass->net->width[0];

    for (size_t r = 0; r < pass->rows; r++) {
        float *x = pass->x[0] + r * pass->pitch[0];
        const float *in[VEC_LANES];
        for (size_t lane = 0; lane < VEC_LANES; lane++) {
            const size_t sample = b->index[lane * b->index_stride + r];
            if (b->pixels)
                lane_pixels(x + lane, b->pixels + sample * features, features, b);
            else
                in[lane] = b->values + sample * features;
        }
        if (!b->pixels)
            lane_values(x, in, features);
    }
}

#endif
