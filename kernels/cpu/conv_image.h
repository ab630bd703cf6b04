/*
 * conv_image.h - images of single samples with their channels side by side, for products that follow the nonzeros of
 * one sample (AVX2).
 *
 * Matrices hold 16 samples in lanes; here 8 of them are taken apart: [sample][row][column][lane], zeros around as the
 * convolution pads. Lanes are channels, filled up with +0 to a multiple of 8 where that needs fewer registers than
 * laying pixels close together does: with one channel a row of the kernel is one register either way.
 *
 * A kernel laid on such an image is *bars*: stretches of `length` floats, its columns and lanes at once, or, where
 * dilation keeps columns apart, its lanes. Bars of one row (or kernel) are an even step apart.
 *
 * Memory is one struct conv_scratch per thread; what does not fit is done another way (conv_dw.h, conv_dx.h).
 */
#ifndef KERN_CPU_CONV_IMAGE_H
#define KERN_CPU_CONV_IMAGE_H

#include "kernels/cpu/conv_part.h"
#ifndef __AVX512F__
#include "kernels/cpu/mask_lanes.h"
#endif
#include "kernels/cpu/transpose.h"

enum {
    IMAGE_SAMPLES = 8,
    IMAGE_FLOATS = 1 << 17, /* of all samples */
    IMAGE_SLACK = 16,       /* behind every sample: registers reach over the end */
    CONV_POSITIONS = 2048,  /* of one filter */
    CONV_SUMS = 1 << 16,    /* of weights, their gradients */
    CONV_PARTS = 1024,      /* of one kernel */
    DX_FILTERS = 256,       /* of a group, for lists of filters */
    DX_LISTS = 4 * IMAGE_SAMPLES,
};

/* Bars and registers of them that fit the machine's registers: at most 5 x 5. */
struct kernel_part {
    size_t image_at, sum_at; /* its first float in an image; in [set][bar][register][8] */
    int bars, vecs;
};

struct conv_scratch {
    _Alignas(64) float image[IMAGE_FLOATS + IMAGE_SLACK];
    _Alignas(64) float sums[CONV_SUMS];
    float value[IMAGE_SAMPLES][CONV_POSITIONS + 8];
    uint32_t offset[IMAGE_SAMPLES][CONV_POSITIONS + 8];
    uint32_t source[CONV_POSITIONS + 8]; /* floats into a filter's gradients */
    uint32_t target[CONV_POSITIONS + 8]; /* floats into an image */
    uint32_t tap_target[4];              /* from a window's first position to each */
    float dx_value[DX_LISTS][DX_FILTERS + 8];
    uint32_t dx_offset[DX_LISTS][DX_FILTERS + 8];
    size_t part_count;
    struct kernel_part part[CONV_PARTS];
};

static _Thread_local struct conv_scratch conv_scratch;

struct image {
    size_t channels;           /* that are in it */
    size_t lanes, row, sample; /* floats of a pixel; from row to row; from sample to sample */
    /* The kernel: sets x bars of `length` floats; floats from bar to bar and from set to set. */
    size_t sets, bars, length, bar_step, set_step;
};

ALWAYS_INLINE size_t to_vectors(size_t floats)
{
    return (floats + 7) / 8;
}

/* For so many channels of a group. */
static struct image image_of(const struct kern_conv_shape *s, size_t channels)
{
    const size_t kernel = (size_t) s->kernel, apart = to_vectors(channels) * 8;
    const size_t width = (size_t) (s->width + 2 * s->pad), dilation = (size_t) s->dilation;
    const bool close =
        s->dilation == 1 && 3 * to_vectors(kernel * channels) < 2 * kernel * (apart / 8);
    struct image m = {.channels = channels, .lanes = close ? channels : apart};

    m.row = width * m.lanes;
    m.sample = (size_t) (s->height + 2 * s->pad) * m.row + IMAGE_SLACK;
    m.sets = s->dilation == 1 ? 1 : kernel;
    m.bars = kernel;
    m.length = s->dilation == 1 ? kernel * m.lanes : m.lanes;
    m.bar_step = s->dilation == 1 ? m.row : dilation * m.lanes;
    m.set_step = dilation * m.row;
    return m;
}

ALWAYS_INLINE size_t bar_vectors(const struct image *m)
{
    return m->sets * m->bars * to_vectors(m->length);
}

#ifdef __AVX512F__
enum { PART_REGISTERS = 25 };
#else
enum { PART_REGISTERS = 15 };
#endif
/* clang-format off */
#define EACH_VECS(X, B) X(B, 1) X(B, 2) X(B, 3) X(B, 4) X(B, 5)
#define EACH_PART(X) EACH_VECS(X, 1) EACH_VECS(X, 2) EACH_VECS(X, 3) EACH_VECS(X, 4) EACH_VECS(X, 5)
/* clang-format on */

/* How bars and registers of a kernel are shared out among parts, as even as may be. */
struct cut {
    size_t vectors, v_parts, b_parts;
};

static struct cut cut_of(const struct image *m)
{
    struct cut c = {.vectors = to_vectors(m->length)};

    c.v_parts = (c.vectors + 4) / 5;
    const size_t v_most = c.v_parts > 0 ? (c.vectors + c.v_parts - 1) / c.v_parts : 1;
    const size_t b_most = PART_REGISTERS / v_most < 5 ? PART_REGISTERS / v_most : 5;
    c.b_parts = (m->bars + b_most - 1) / b_most;
    return c;
}

/* The parts of the kernel, in order. */
static void cut_kernel(const struct image *m)
{
    const struct cut c = cut_of(m);
    size_t n = 0;

    for (size_t set = 0; set < m->sets; set++)
        for (size_t b = 0; b < c.b_parts; b++)
            for (size_t v = 0; v < c.v_parts; v++) {
                const size_t bar = b * m->bars / c.b_parts, first = v * c.vectors / c.v_parts;
                conv_scratch.part[n++] = (struct kernel_part){
                    .image_at = set * m->set_step + bar * m->bar_step + first * 8,
                    .sum_at = ((set * m->bars + bar) * c.vectors + first) * 8,
                    .bars = (int) ((b + 1) * m->bars / c.b_parts - bar),
                    .vecs = (int) ((v + 1) * c.vectors / c.v_parts - first),
                };
            }
    conv_scratch.part_count = n;
}

/* Does it fit, with the kernels of so many filters? */
static bool image_fits(const struct image *m, size_t filters)
{
    const struct cut c = cut_of(m);

    return m->sample * IMAGE_SAMPLES <= IMAGE_FLOATS && filters * bar_vectors(m) * 8 <= CONV_SUMS &&
           m->sets * c.v_parts * c.b_parts <= CONV_PARTS;
}

/* As many channels of a group as fit at a time, in eights; 0: not even those. */
static size_t image_channels(const struct kern_conv_shape *s, size_t filters)
{
    size_t channels = (size_t) (s->channels / s->groups);
    struct image m = image_of(s, channels);

    while (channels > 0 && !image_fits(&m, filters)) {
        channels = (channels - 1) / 8 * 8;
        m = image_of(s, channels);
    }
    return channels;
}

/* 8 samples of 8 features, each a row of a panel; NULL: none. */
ALWAYS_INLINE void turn_features(float *out, size_t out_step, const float *const in[8])
{
    __m256 row[8];

    UNROLL_ALL
    for (int i = 0; i < 8; i++)
        row[i] = in[i] ? _mm256_loadu_ps(in[i]) : _mm256_setzero_ps();
    turn_rows_8(row);
    UNROLL_ALL
    for (int i = 0; i < 8; i++)
        _mm256_storeu_ps(out + (size_t) i * out_step, row[i]);
}

/*
 * One row of the image. x: the row of its first channel, of 8 samples. What a last piece writes past the row's end is
 * +0, and there is the padding, or the next row, which is written later.
 */
static void image_row(float *out, const struct image *m, const float *x, size_t width,
                      size_t plane_step)
{
    const float *in[8];

    if (m->lanes != m->channels || m->lanes % 8 == 0) {
        for (size_t w = 0; w < width; w++)
            for (size_t c = 0; c < m->lanes; c += 8) {
                for (size_t i = 0; i < 8; i++)
                    in[i] = c + i < m->channels ? x + (c + i) * plane_step + w * KERN_PANEL : NULL;
                turn_features(out + w * m->lanes + c, m->sample, in);
            }
        return;
    }
    for (size_t at = 0, w = 0, c = 0; at < width * m->lanes; at += 8) {
        for (size_t i = 0; i < 8; i++) {
            in[i] = w < width ? x + c * plane_step + w * KERN_PANEL : NULL;
            if (++c == m->lanes) {
                c = 0;
                w++;
            }
        }
        turn_features(out + at, m->sample, in);
    }
}

/* x: 8 samples of a panel, first channel. */
static void image_fill(const struct image *m, const struct kern_conv_shape *s, const float *x)
{
    const size_t plane_step = plane(s->height, s->width) * KERN_PANEL;

    for (int h = 0; h < s->height; h++)
        image_row(conv_scratch.image + (size_t) (h + s->pad) * m->row + (size_t) s->pad * m->lanes,
                  m, x + (size_t) (h * s->width) * KERN_PANEL, (size_t) s->width, plane_step);
}

/*
 * Where gradients come from, and where their positions begin in an image, in block order: those of positions, or of
 * windows, each of which has one. Returns how many there are.
 */
static size_t list_positions(const struct image *m, const struct conv_part *p)
{
    struct conv_scratch *k = &conv_scratch;
    const int block = p->tap ? 1 : 2, stride = p->tap ? 2 * p->s.stride : p->s.stride;
    const uint32_t col = (uint32_t) ((size_t) p->s.stride * m->lanes),
                   row = (uint32_t) ((size_t) p->s.stride * m->row);
    size_t n = 0;

    for (uint32_t i = 0; i < 4; i++)
        k->tap_target[i] = i / 2 * row + i % 2 * col;
    for (int bh = 0; bh < p->y_height; bh += block)
        for (int bw = 0; bw < p->y_width; bw += block)
            for (int h = bh; h < bh + block && h < p->y_height; h++)
                for (int w = bw; w < bw + block && w < p->y_width; w++) {
                    k->source[n] = (uint32_t) ((h * p->y_width + w) * KERN_PANEL);
                    k->target[n++] = (uint32_t) ((size_t) (h * stride) * m->row +
                                                 (size_t) (w * stride) * m->lanes);
                }
    return n;
}

/* `rows` rows, `step` floats apart, of 8 samples, turned; the others are +0. */
ALWAYS_INLINE void turned_rows(__m256 row[8], const float *from, size_t step, size_t rows)
{
    UNROLL_ALL
    for (size_t i = 0; i < 8; i++)
        row[i] = i < rows ? _mm256_loadu_ps(from + i * step) : _mm256_setzero_ps();
    turn_rows_8(row);
}

/* 8 numbers and their offsets without the zeros; how many are left. */
ALWAYS_INLINE size_t keep_nonzero(float *value, uint32_t *offset, __m256 x, __m256i at)
{
#ifdef __AVX512F__
    const __mmask8 mask = _mm256_cmp_ps_mask(x, _mm256_setzero_ps(), _CMP_NEQ_UQ);

    _mm256_storeu_ps(value, _mm256_maskz_compress_ps(mask, x));
    _mm256_storeu_si256((__m256i *) (void *) offset, _mm256_maskz_compress_epi32(mask, at));
    return (size_t) __builtin_popcount(mask);
#else
    const int mask = _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    const __m256i lanes =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) (const void *) &mask_lanes[mask]));

    _mm256_storeu_ps(value, _mm256_permutevar8x32_ps(x, lanes));
    _mm256_storeu_si256((__m256i *) (void *) offset, _mm256_permutevar8x32_epi32(at, lanes));
    return (size_t) __builtin_popcount((unsigned) mask);
#endif
}

#endif
