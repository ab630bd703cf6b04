/*
 * lanes_node.h - relu and dropout in lanes, forward and backward.
 *
 * Every lane draws by a key of its own (contract, rule 9), all of them at once with AVX2.
 */
#ifndef KERN_CPU_LANES_NODE_H
#define KERN_CPU_LANES_NODE_H

#include "kernels/cpu/dropout.h"
#include "kernels/cpu/lanes_pass.h"

static void lane_relu(float *x, const float *test, size_t rows, size_t pitch, size_t cols)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            float *at = x + r * pitch + c * VEC_LANES;
            vec_store(at, vec_drop(vec_load(at), vec_load(test + (at - x))));
        }
}

/* What a dropout layer needs, per lane. */
struct lane_drop {
    uint32_t key[2][VEC_LANES], threshold[VEC_LANES];
    float scale[VEC_LANES];
    uint32_t step, purpose;
};

/* Words of four neighbouring features of one sample. */
#ifdef __AVX2__

/* Eight lanes from `lane` on. */
ALWAYS_INLINE void lane_words_8(uint32_t out[4][VEC_LANES], const struct lane_drop *d, size_t lane,
                                uint32_t group, uint32_t sample)
{
    const __m256i factor0 = _mm256_set1_epi32((int) 0xD2511F53u);
    const __m256i factor2 = _mm256_set1_epi32((int) 0xCD9E8D57u);
    const __m256i weyl0 = _mm256_set1_epi32((int) 0x9E3779B9u);
    const __m256i weyl1 = _mm256_set1_epi32((int) 0xBB67AE85u);
    __m256i c0 = _mm256_set1_epi32((int) group), c1 = _mm256_set1_epi32((int) sample);
    __m256i c2 = _mm256_set1_epi32((int) d->step), c3 = _mm256_set1_epi32((int) d->purpose);
    __m256i k0 = _mm256_loadu_si256((const __m256i *) (const void *) (d->key[0] + lane));
    __m256i k1 = _mm256_loadu_si256((const __m256i *) (const void *) (d->key[1] + lane));

    UNROLL_ALL
    for (int round = 0; round < 10; round++) {
        __m256i low0, high0, low2, high2;
        multiply_wide(c0, factor0, &low0, &high0);
        multiply_wide(c2, factor2, &low2, &high2);
        c0 = _mm256_xor_si256(_mm256_xor_si256(high2, c1), k0);
        c2 = _mm256_xor_si256(_mm256_xor_si256(high0, c3), k1);
        c1 = low2;
        c3 = low0;
        k0 = _mm256_add_epi32(k0, weyl0);
        k1 = _mm256_add_epi32(k1, weyl1);
    }
    _mm256_storeu_si256((__m256i *) (void *) (out[0] + lane), c0);
    _mm256_storeu_si256((__m256i *) (void *) (out[1] + lane), c1);
    _mm256_storeu_si256((__m256i *) (void *) (out[2] + lane), c2);
    _mm256_storeu_si256((__m256i *) (void *) (out[3] + lane), c3);
}

static void lane_words(uint32_t out[4][VEC_LANES], const struct lane_drop *d, uint32_t group,
                       uint32_t sample)
{
    for (size_t lane = 0; lane < VEC_LANES; lane += 8)
        lane_words_8(out, d, lane, group, sample);
}

#else

static void lane_words(uint32_t out[4][VEC_LANES], const struct lane_drop *d, uint32_t group,
                       uint32_t sample)
{
    for (int lane = 0; lane < VEC_LANES; lane++) {
        const uint64_t seed = (uint64_t) d->key[1][lane] << 32 | d->key[0][lane];
        const struct kern_philox r = kern_philox(seed, group, sample, d->step, d->purpose);
        for (int w = 0; w < 4; w++)
            out[w][lane] = r.v[w];
    }
}

#endif

static struct lane_drop lane_drop_begin(const struct lane_pass *pass, int node, int i)
{
    const struct kern_lanes *m = pass->m;
    const double *p = m->p + (size_t) (pass->first_drop[node] + i) * VEC_LANES;
    struct lane_drop d = {.step = m->step_number,
                          .purpose = (uint32_t) KERN_PURPOSE_DROPOUT << 16 |
                                     pass->net->node[node].drop[i]};

    for (int lane = 0; lane < VEC_LANES; lane++) {
        d.key[0][lane] = (uint32_t) m->seed[lane];
        d.key[1][lane] = (uint32_t) (m->seed[lane] >> 32);
        d.threshold[lane] = kern_dropout_threshold(p[lane]);
        d.scale[lane] = (float) (1.0 / (1.0 - p[lane]));
    }
    return d;
}

/* Rule 9 on a node's values or gradients. A lane with p = 0 keeps everything, times 1. */
static void lane_dropout(const struct lane_pass *pass, float *x, int node, int i)
{
    const struct lane_drop d = lane_drop_begin(pass, node, i);
    const uint32_t cols = (uint32_t) pass->net->width[node];

    for (uint32_t r = 0; r < pass->rows; r++)
        for (uint32_t c = 0; c < cols; c++) {
            uint32_t words[4][VEC_LANES];
            float *at = x + r * pass->pitch[node] + (size_t) c * VEC_LANES;
            if (c % 4 == 0)
                lane_words(words, &d, c / 4, r);
            for (int lane = 0; lane < VEC_LANES; lane++) {
                const float kept = at[lane] * d.scale[lane];
                at[lane] = words[c % 4][lane] >> 8 >= d.threshold[lane] ? kept : 0.0f;
            }
        }
}

/* A dropped element is 0 already in the gradient: it is 0 in the values, which relu's mask has looked at. */
static void lane_scale(const struct lane_pass *pass, float *g, int node, int i)
{
    const struct lane_drop d = lane_drop_begin(pass, node, i);

    for (size_t r = 0; r < pass->rows; r++)
        for (size_t c = 0; c < (size_t) pass->net->width[node]; c++) {
            float *at = g + r * pass->pitch[node] + c * VEC_LANES;
            for (int lane = 0; lane < VEC_LANES; lane++)
                at[lane] *= d.scale[lane];
        }
}

static void lane_node_forward(const struct lane_pass *pass, int node, bool relu_done)
{
    const struct kern_lanes_node *n = &pass->net->node[node];
    float *x = pass->x[node];

    if (n->relu && !relu_done)
        lane_relu(x, x, pass->rows, pass->pitch[node], (size_t) pass->net->width[node]);
    for (int i = 0; pass->training && i < n->drops; i++)
        lane_dropout(pass, x, node, i);
}

static void lane_node_backward(const struct lane_pass *pass, int node, bool relu_done)
{
    const struct kern_lanes_node *n = &pass->net->node[node];
    float *g = pass->g[node];

    if (n->relu && !relu_done)
        lane_relu(g, pass->x[node], pass->rows, pass->pitch[node], (size_t) pass->net->width[node]);
    for (int i = n->drops - 1; i >= 0; i--) {
        if (n->relu)
            lane_scale(pass, g, node, i);
        else
            lane_dropout(pass, g, node, i);
    }
}

#endif
