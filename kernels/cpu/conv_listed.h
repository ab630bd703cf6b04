/*
 * conv_listed.h - the gradient of a convolution's weights by the nonzeros of dy (AVX2).
 *
 * A sample and filter at a time: the nonzeros of dy in block order are listed (behind a maximum pool they are a
 * quarter or fewer), and each is multiplied with all of x that lies under the kernel, channels and columns in
 * lanes. Accumulators are the filter's whole kernel, or as much of it as there are registers.
 *
 *     for each piece of channels and of filters           images and sums fit their memory
 *       for each 8 samples
 *         their images                                    conv_image.h
 *         for each filter
 *           8 lists
 *           for each part of the kernel                   several lists at a time where the part is small
 *             the chains; then the samples in order are added to the sums
 */
#ifndef KERN_CPU_CONV_LISTED_H
#define KERN_CPU_CONV_LISTED_H

#include "kernels/cpu/conv.h"
#include "kernels/cpu/conv_image.h"

/* Part of the kernel's chains, for several samples: dw_run's constants say how many. */
struct dw_part {
    const float *x; /* image of the first sample, at the part */
    const float *value;
    const uint32_t *offset;
    size_t count;
    size_t bar_step, sample;
    float *sum; /* [bar][sum_step], the part's vectors first */
    size_t sum_step;
};

ALWAYS_INLINE void dw_run(const struct dw_part *p, const int lists, const int bars, const int vecs)
{
    enum { LIST_STEP = CONV_POSITIONS + 8, MOST = 25 };
    __m256 acc[MOST];

    UNROLL_MANY
    for (int i = 0; i < lists * bars * vecs; i++)
        acc[i] = _mm256_setzero_ps();
    for (size_t k = 0; k < p->count; k++) {
        UNROLL_ALL
        for (int l = 0; l < lists; l++) {
            const __m256 dy = _mm256_broadcast_ss(p->value + l * LIST_STEP + k);
            const float *x = p->x + (size_t) l * p->sample + p->offset[(size_t) l * LIST_STEP + k];
            UNROLL_ALL
            for (int b = 0; b < bars; b++) {
                UNROLL_ALL
                for (int v = 0; v < vecs; v++)
                    acc[(l * bars + b) * vecs + v] =
                        _mm256_fmadd_ps(dy, _mm256_loadu_ps(x + (size_t) b * p->bar_step + v * 8),
                                        acc[(l * bars + b) * vecs + v]);
            }
        }
    }
    UNROLL_ALL
    for (int b = 0; b < bars; b++) {
        UNROLL_ALL
        for (int v = 0; v < vecs; v++) {
            float *to = p->sum + (size_t) b * p->sum_step + v * 8;
            __m256 sum = _mm256_load_ps(to);
            UNROLL_ALL
            for (int l = 0; l < lists; l++)
                sum = _mm256_add_ps(
                    sum, _mm256_add_ps(acc[(l * bars + b) * vecs + v], _mm256_setzero_ps()));
            _mm256_store_ps(to, sum);
        }
    }
}

typedef void dw_fn(const struct dw_part *p);

/* Lists that run beside one another in a part of N registers, so that there are enough chains. */
#define DW_LISTS(N) ((N) > 7 ? 1 : (N) > 3 ? 2 : 4)
#define DW_FN(B, V)                                       \
    static void dw_run_##B##_##V(const struct dw_part *p) \
    {                                                     \
        if ((B) * (V) <= PART_REGISTERS)                  \
            dw_run(p, DW_LISTS((B) * (V)), B, V);         \
    }
EACH_PART(DW_FN)

/* [bars - 1][vectors - 1] */
static dw_fn *const dw_fns[5][5] = {
#define DW_ENTRY(B, V) [(B) -1][(V) -1] = dw_run_##B##_##V,
    EACH_PART(DW_ENTRY)
#undef DW_ENTRY
};

/* Rows [n, n + 8) of a filter's plane in the order of the list, turned; +0 past the last. */
ALWAYS_INLINE void dw_rows(__m256 row[8], const float *from, size_t n, size_t positions)
{
    UNROLL_ALL
    for (size_t i = 0; i < 8; i++)
        row[i] = n + i < positions ? _mm256_loadu_ps(from + conv_scratch.source[n + i])
                                   : _mm256_setzero_ps();
    turn_rows_8(row);
}

/* 8 lists of the nonzeros of one filter's gradients of 8 samples. */
static void dw_lists(size_t count[IMAGE_SAMPLES], const float *dy, size_t positions)
{
    struct conv_scratch *k = &conv_scratch;

    memset(count, 0, IMAGE_SAMPLES * sizeof *count);
    for (size_t n = 0; n < positions; n += 8) {
        const __m256i at = _mm256_loadu_si256((const __m256i *) (const void *) (k->target + n));
        __m256 row[8];
        dw_rows(row, dy, n, positions);
        UNROLL_ALL
        for (int i = 0; i < IMAGE_SAMPLES; i++)
            count[i] += keep_nonzero(k->value[i] + count[i], k->offset[i] + count[i], row[i], at);
    }
}

/* The same behind a pool. */
static void dw_lists_pooled(size_t count[IMAGE_SAMPLES], const float *dy, const float *tap,
                            size_t windows)
{
    struct conv_scratch *k = &conv_scratch;
    const uint32_t *to_tap = k->tap_target;
    const __m256i targets = _mm256_setr_epi32(0, (int) to_tap[0], (int) to_tap[1], (int) to_tap[2],
                                              (int) to_tap[3], 0, 0, 0);

    memset(count, 0, IMAGE_SAMPLES * sizeof *count);
    for (size_t n = 0; n < windows; n += 8) {
        const __m256i at = _mm256_loadu_si256((const __m256i *) (const void *) (k->target + n));
        __m256 row[8], taps[8];
        dw_rows(row, dy, n, windows);
        dw_rows(taps, tap, n, windows);
        UNROLL_ALL
        for (int i = 0; i < IMAGE_SAMPLES; i++) {
            const __m256i to = _mm256_permutevar8x32_epi32(targets, _mm256_cvttps_epi32(taps[i]));
            const __m256 x =
                _mm256_and_ps(row[i], _mm256_cmp_ps(taps[i], _mm256_setzero_ps(), _CMP_GT_OQ));
            count[i] += keep_nonzero(k->value[i] + count[i], k->offset[i] + count[i], x,
                                     _mm256_add_epi32(at, to));
        }
    }
}

/* Fill up lists [first, first + lists) to the length of the longest. */
static size_t even_lists(const size_t *count, size_t first, size_t lists)
{
    struct conv_scratch *k = &conv_scratch;
    size_t most = 0;

    for (size_t i = first; i < first + lists; i++)
        most = count[i] > most ? count[i] : most;
    for (size_t i = first; i < first + lists; i++)
        for (size_t n = count[i]; n < most; n++) {
            k->value[i][n] = 0.0f;
            k->offset[i][n] = 0;
        }
    return most;
}

/* One filter, 8 samples: from the lists to the filter's sums. */
static void dw_filter(const struct image *m, const size_t *count, float *sums)
{
    for (size_t n = 0; n < conv_scratch.part_count; n++) {
        const struct kernel_part *part = &conv_scratch.part[n];
        const size_t lists = (size_t) DW_LISTS(part->bars * part->vecs);
        struct dw_part p = {
            .bar_step = m->bar_step,
            .sample = m->sample,
            .sum = sums + part->sum_at,
            .sum_step = to_vectors(m->length) * 8,
        };
        for (size_t i = 0; i < IMAGE_SAMPLES; i += lists) {
            p.x = conv_scratch.image + i * m->sample + part->image_at;
            p.value = conv_scratch.value[i];
            p.offset = conv_scratch.offset[i];
            p.count = even_lists(count, i, lists);
            if (p.count > 0)
                dw_fns[part->bars - 1][part->vecs - 1](&p);
        }
    }
}

/* The sums of one filter to its weights. */
static void dw_store(float *dw, const struct image *m, const float *sums, size_t kernel)
{
    const size_t step = to_vectors(m->length) * 8;

    for (size_t c = 0; c < m->channels; c++)
        for (size_t i = 0; i < kernel; i++)
            for (size_t j = 0; j < kernel; j++)
                *dw++ = m->sets == 1 ? sums[i * step + j * m->lanes + c]
                                     : sums[(i * m->bars + j) * step + c];
}

/* Channels of a group from `channel` on, and filters of it from `filter` on, which counts from the first of all. */
static void dw_piece(const struct kern_conv *v, size_t t, const struct image *m, size_t channel,
                     size_t filter, size_t filters)
{
    const struct kern_conv_shape *s = &v->shape;
    const size_t kernel = (size_t) s->kernel, ins = (size_t) (s->channels / s->groups);
    const struct conv_part all = conv_part_of(v, t, 0);
    const size_t positions = list_positions(m, &all), one = bar_vectors(m) * 8;
    const size_t group_channel = filter / (size_t) (s->filters / s->groups) * ins + channel;

    cut_kernel(m);
    memset(conv_scratch.image, 0, (m->sample * IMAGE_SAMPLES + IMAGE_SLACK) * sizeof(float));
    memset(conv_scratch.sums, 0, filters * one * sizeof(float));
    for (size_t n = 0; n < (size_t) v->samples; n += IMAGE_SAMPLES) {
        const struct conv_part p = conv_part_of(v, t, n / KERN_PANEL * KERN_PANEL);
        const size_t half = n % KERN_PANEL;
        image_fill(m, s, p.x + group_channel * plane(s->height, s->width) * KERN_PANEL + half);
        for (size_t o = 0; o < filters; o++) {
            const size_t at = (filter + o) * positions * KERN_PANEL + half;
            size_t count[IMAGE_SAMPLES];
            if (p.tap)
                dw_lists_pooled(count, p.dy + at, p.tap + at, positions);
            else
                dw_lists(count, p.dy + at, positions);
            dw_filter(m, count, conv_scratch.sums + o * one);
        }
    }
    for (size_t o = 0; o < filters; o++)
        dw_store(v->dw + t * v->dw_stride + ((filter + o) * ins + channel) * kernel * kernel, m,
                 conv_scratch.sums + o * one, kernel);
}

/* False, and nothing done: does not fit. */
static bool listed_dw(const struct kern_conv *v, size_t t)
{
    const struct kern_conv_shape *s = &v->shape;
    const size_t ins = (size_t) (s->channels / s->groups);
    const size_t outs = (size_t) (s->filters / s->groups), channels = image_channels(s, 1);

    if (channels == 0 || plane(s->out_height, s->out_width) > CONV_POSITIONS)
        return false;
    for (size_t c = 0; c < ins; c += channels) {
        const struct image m = image_of(s, ins - c < channels ? ins - c : channels);
        const size_t most = CONV_SUMS / (bar_vectors(&m) * 8);
        for (size_t o = 0; o < (size_t) s->filters;) {
            const size_t in_group = outs - o % outs, filters = in_group < most ? in_group : most;
            dw_piece(v, t, &m, c, o, filters);
            o += filters;
        }
    }
    return true;
}

#endif
