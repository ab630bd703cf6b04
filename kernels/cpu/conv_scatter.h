/*
 * conv_scatter.h - the gradient of a convolution's input by the nonzeros of dy (AVX2).
 *
 * A sample's gradient is an image (conv_image.h), channels in lanes. Positions are taken in block order; each has a list
 * of the filters whose gradient there is not zero, and for each of them the whole kernel, its weights laid out as
 * the image is, is added to what lies under it, in registers while the filters run. Behind a maximum pool a position
 * has few or none.
 *
 *     for each group and piece of channels               images and weights fit their memory
 *       weights laid out: [filter][bar][column and lane]
 *       for each 8 samples
 *         for each position, or window and its four       lists of 8 samples
 *           for each sample and part of the kernel        the image's numbers, the chains, the numbers back
 *         images turned back into 16 samples in lanes, + 0, the mask
 *
 * What a bar's last register holds past the bar meets weights of +0, and bars are stored in their order.
 */
#ifndef KERN_CPU_CONV_SCATTER_H
#define KERN_CPU_CONV_SCATTER_H

#include "kernels/cpu/conv_image.h"

/* A list of filters at one position of one sample. */
struct dx_list {
    const float *value;
    const uint32_t *offset;
    size_t count;
};

/* d: a part's numbers in the image; w: its weights, of the group's first filter. */
ALWAYS_INLINE void dx_run(float *d, const float *w, const struct dx_list *l, size_t bar_step,
                          size_t w_step, const int bars, const int vecs)
{
    __m256 acc[25];

    UNROLL_ALL
    for (int b = 0; b < bars; b++) {
        UNROLL_ALL
        for (int v = 0; v < vecs; v++)
            acc[b * vecs + v] = _mm256_loadu_ps(d + (size_t) b * bar_step + v * 8);
    }
    for (size_t k = 0; k < l->count; k++) {
        const __m256 dy = _mm256_broadcast_ss(l->value + k);
        const float *here = w + l->offset[k];
        UNROLL_ALL
        for (int b = 0; b < bars; b++) {
            UNROLL_ALL
            for (int v = 0; v < vecs; v++)
                acc[b * vecs + v] = _mm256_fmadd_ps(
                    dy, _mm256_load_ps(here + (size_t) b * w_step + v * 8), acc[b * vecs + v]);
        }
    }
    UNROLL_ALL
    for (int b = 0; b < bars; b++) {
        UNROLL_ALL
        for (int v = 0; v < vecs; v++)
            _mm256_storeu_ps(d + (size_t) b * bar_step + v * 8, acc[b * vecs + v]);
    }
}

typedef void dx_fn(float *d, const float *w, const struct dx_list *l, size_t bar_step,
                   size_t w_step);

#define DX_FN(B, V)                                                                 \
    static void dx_run_##B##_##V(float *d, const float *w, const struct dx_list *l, \
                                 size_t bar_step, size_t w_step)                    \
    {                                                                               \
        if ((B) * (V) <= PART_REGISTERS)                                            \
            dx_run(d, w, l, bar_step, w_step, B, V);                                \
    }
EACH_PART(DX_FN)

/* [bars - 1][vectors - 1] */
static dx_fn *const dx_fns[5][5] = {
#define DX_ENTRY(B, V) [(B) -1][(V) -1] = dx_run_##B##_##V,
    EACH_PART(DX_ENTRY)
#undef DX_ENTRY
};

/* A group of filters and some of its channels, and 8 samples. */
struct dx_piece {
    const struct image *m;
    struct conv_part part; /* of the panel of the samples */
    size_t filters;        /* of the group */
    size_t plane;          /* floats of a filter in dy */
    size_t dy_at;          /* of the group's first filter, of these samples */
};

/* One list; `to`: its position in the sample's image. */
ALWAYS_INLINE void dx_kernel(const struct image *m, float *to, const struct dx_list *l)
{
    const struct conv_scratch *k = &conv_scratch;
    const size_t w_step = to_vectors(m->length) * 8, bar_step = m->bar_step;

    for (const struct kernel_part *part = k->part; part < k->part + k->part_count; part++)
        dx_fns[part->bars - 1][part->vecs - 1](to + part->image_at, k->sums + part->sum_at, l,
                                               bar_step, w_step);
}

/* The filters of one position whose gradient is not zero, 8 samples: to their images. */
static void dx_filters(const struct dx_piece *p, size_t position)
{
    struct conv_scratch *k = &conv_scratch;
    const bool pooled = p->part.tap != NULL;
    const size_t at = p->dy_at + k->source[position];
    const __m256i eight = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i one = _mm256_set1_epi32((int) (bar_vectors(p->m) * 8));
    size_t count[IMAGE_SAMPLES][4] = {{0}};

    for (size_t o = 0; o < p->filters; o += 8) {
        const __m256i offset =
            _mm256_mullo_epi32(_mm256_add_epi32(eight, _mm256_set1_epi32((int) o)), one);
        const size_t rows = p->filters - o < 8 ? p->filters - o : 8;
        __m256 dy[8], tap[8];
        turned_rows(dy, p->part.dy + at + o * p->plane, p->plane, rows);
        if (pooled)
            turned_rows(tap, p->part.tap + at + o * p->plane, p->plane, rows);
        for (size_t n = 0; n < IMAGE_SAMPLES; n++)
            for (int t = 0; t < (pooled ? 4 : 1); t++) {
                const size_t list = n * 4 + (size_t) t, so_far = count[n][t];
                const __m256 x =
                    pooled ? _mm256_and_ps(
                                 dy[n],
                                 _mm256_cmp_ps(tap[n], _mm256_set1_ps((float) (t + 1)), _CMP_EQ_OQ))
                           : dy[n];
                count[n][t] += keep_nonzero(k->dx_value[list] + so_far, k->dx_offset[list] + so_far,
                                            x, offset);
            }
    }
    for (size_t n = 0; n < IMAGE_SAMPLES; n++)
        for (size_t t = 0; t < 4; t++)
            if (count[n][t] > 0)
                dx_kernel(p->m,
                          k->image + n * p->m->sample + k->target[position] + k->tap_target[t],
                          &(struct dx_list){k->dx_value[n * 4 + t], k->dx_offset[n * 4 + t],
                                            count[n][t]});
}

/* Weights of a group's filters for the channels in the image. */
static void dx_weights(const struct image *m, const float *w, size_t filters, size_t ins,
                       size_t kernel)
{
    const size_t one = bar_vectors(m) * 8, step = to_vectors(m->length) * 8;

    memset(conv_scratch.sums, 0, filters * one * sizeof(float));
    for (size_t o = 0; o < filters; o++)
        for (size_t c = 0; c < m->channels; c++)
            for (size_t i = 0; i < kernel; i++)
                for (size_t j = 0; j < kernel; j++)
                    conv_scratch
                        .sums[o * one +
                              (m->sets == 1 ? i * step + j * m->lanes : (i * m->bars + j) * step) +
                              c] = w[((o * ins + c) * kernel + i) * kernel + j];
}

/* 8 lanes of a row of the images, from `at` on, back into rows of the panel. */
ALWAYS_INLINE void dx_turn_back(const struct image *m, const float *from, float *const to[8],
                                const float *const mask[8])
{
    __m256 row[8];

    UNROLL_ALL
    for (size_t n = 0; n < 8; n++)
        row[n] = _mm256_loadu_ps(from + n * m->sample);
    turn_rows_8(row);
    for (int i = 0; i < 8; i++) {
        if (!to[i])
            continue;
        row[i] = _mm256_add_ps(row[i], _mm256_setzero_ps());
        if (mask[i])
            row[i] = _mm256_andnot_ps(
                _mm256_cmp_ps(_mm256_loadu_ps(mask[i]), _mm256_setzero_ps(), _CMP_LE_OQ), row[i]);
        _mm256_storeu_ps(to[i], row[i]);
    }
}

/* The images without their padding; x_at: of the first channel and sample in the panel. */
static void dx_store(const struct dx_piece *p, size_t x_at)
{
    const struct kern_conv_shape *s = &p->part.s;
    const struct image *m = p->m;
    const size_t width = (size_t) s->width, channel = plane(s->height, s->width) * KERN_PANEL;

    for (size_t h = 0; h < (size_t) s->height; h++) {
        const float *from =
            conv_scratch.image + (h + (size_t) s->pad) * m->row + (size_t) s->pad * m->lanes;
        size_t w = 0, c = 0;
        for (size_t at = 0; at < width * m->lanes; at += 8) {
            float *to[8];
            const float *mask[8];
            for (int i = 0; i < 8; i++) {
                const size_t e = x_at + c * channel + (h * width + w) * KERN_PANEL;
                const bool there = c < m->channels && w < width;
                to[i] = there ? p->part.dx + e : NULL;
                mask[i] = there && p->part.relu ? p->part.x + e : NULL;
                if (++c == m->lanes) {
                    c = 0;
                    w++;
                }
            }
            dx_turn_back(m, from + at, to, mask);
        }
    }
}

/* Channels [channel, channel + m->channels) of a group. */
static void dx_piece(const struct kern_conv *v, size_t t, const struct image *m, size_t group,
                     size_t channel)
{
    const struct kern_conv_shape *s = &v->shape;
    const size_t ins = (size_t) (s->channels / s->groups), kernel = (size_t) s->kernel;
    struct dx_piece p = {
        .m = m, .part = conv_part_of(v, t, 0), .filters = (size_t) (s->filters / s->groups)};
    const size_t positions = list_positions(m, &p.part);

    cut_kernel(m);
    p.plane = positions * KERN_PANEL;
    dx_weights(m, p.part.w + (group * p.filters * ins + channel) * kernel * kernel, p.filters, ins,
               kernel);
    for (size_t n = 0; n < kern_pad((size_t) v->samples); n += IMAGE_SAMPLES) {
        const size_t half = n % KERN_PANEL;
        p.part = conv_part_of(v, t, n - half);
        p.dy_at = group * p.filters * p.plane + half;
        memset(conv_scratch.image, 0, (m->sample * IMAGE_SAMPLES + IMAGE_SLACK) * sizeof(float));
        for (size_t i = 0; i < positions; i++)
            dx_filters(&p, i);
        dx_store(&p, (group * ins + channel) * plane(s->height, s->width) * KERN_PANEL + half);
    }
}

/* Share of nonzeros, from 64 pieces of 16 spread evenly. */
static float nonzero_share(const float *x, size_t count)
{
    enum { PIECES = 64 };
    size_t found = 0;

    for (size_t i = 0; i < PIECES; i++) {
        const float *piece = x + i * (count / KERN_PANEL) / PIECES * KERN_PANEL;
        for (int n = 0; n < KERN_PANEL; n++)
            found += piece[n] != 0.0f;
    }
    return (float) found / (PIECES * KERN_PANEL);
}

/*
 * False, and nothing done: does not fit, or 16 samples in lanes are quicker. They do kernel^2 * channels products a
 * gradient; a register here has lanes without a channel, and lists and the numbers' way back and forth cost about as
 * much again.
 */
static bool scattered_dx(const struct kern_conv *v, size_t t)
{
    const struct kern_conv_shape *s = &v->shape;
    const size_t ins = (size_t) (s->channels / s->groups), outs = (size_t) (s->filters / s->groups);
    const struct conv_part p = conv_part_of(v, t, 0);
    const size_t channels = image_channels(s, outs), positions = plane(p.y_height, p.y_width);
    struct image m = image_of(s, channels);

    if (channels == 0 || outs > DX_FILTERS || positions > CONV_POSITIONS)
        return false;
    const float share =
        v->tap
            ? 0.2f
            : nonzero_share(p.dy, (size_t) s->filters * positions * kern_pad((size_t) v->samples));
    if (2 * share * (float) (bar_vectors(&m) * 8) >
        (float) (s->kernel * s->kernel) * (float) channels)
        return false;
    for (size_t g = 0; g < (size_t) s->groups; g++)
        for (size_t c = 0; c < ins; c += channels) {
            m = image_of(s, ins - c < channels ? ins - c : channels);
            dx_piece(v, t, &m, g, c);
        }
    return true;
}

#endif
