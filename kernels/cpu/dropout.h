/*
 * dropout.h - Philox masks (contract, rule 9), two rows of 16 elements at a time with AVX2.
 *
 * One Philox call serves four neighbouring features of a sample. The vector code makes eight calls at once:
 * stored as (features x samples), the calls are of eight samples and the words of one call lie in four rows;
 * stored as (samples x features), they are of two samples and four groups of features, and the words are turned
 * over to lie side by side.
 */
#ifndef KERN_CPU_DROPOUT_H
#define KERN_CPU_DROPOUT_H

#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"
#include "kernels/math/philox.h"

/* What all elements of one trial share. */
struct mask {
    uint64_t seed;
    uint32_t step, purpose, threshold;
    float scale;
};

#ifdef __AVX2__

/* Low and high halves of eight 32 x 32 bit products. */
ALWAYS_INLINE void multiply_wide(__m256i x, __m256i factor, __m256i *low, __m256i *high)
{
    const __m256i even = _mm256_mul_epu32(x, factor);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), factor);

    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

/* Eight calls of kern_philox with counters (c0, c1, step, purpose); out[w] holds word w of each. */
ALWAYS_INLINE void philox_8(__m256i out[4], __m256i c0, __m256i c1, const struct mask *m)
{
    const __m256i factor0 = _mm256_set1_epi32((int) 0xD2511F53u);
    const __m256i factor2 = _mm256_set1_epi32((int) 0xCD9E8D57u);
    __m256i c2 = _mm256_set1_epi32((int) m->step), c3 = _mm256_set1_epi32((int) m->purpose);
    uint32_t k0 = (uint32_t) m->seed, k1 = (uint32_t) (m->seed >> 32);

    UNROLL_ALL
    for (int round = 0; round < 10; round++) {
        __m256i low0, high0, low2, high2;
        multiply_wide(c0, factor0, &low0, &high0);
        multiply_wide(c2, factor2, &low2, &high2);
        c0 = _mm256_xor_si256(_mm256_xor_si256(high2, c1), _mm256_set1_epi32((int) k0));
        c2 = _mm256_xor_si256(_mm256_xor_si256(high0, c3), _mm256_set1_epi32((int) k1));
        c1 = low2;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Eight elements and their words. */
ALWAYS_INLINE __m256 drop_8(__m256 x, __m256i words, const struct mask *m)
{
    const __m256i dropped =
        _mm256_cmpgt_epi32(_mm256_set1_epi32((int) m->threshold), _mm256_srli_epi32(words, 8));
    return _mm256_andnot_ps(_mm256_castsi256_ps(dropped),
                            _mm256_mul_ps(x, _mm256_set1_ps(m->scale)));
}

/* Features [feature, feature + 4) of 16 samples, x[4][16]. */
ALWAYS_INLINE void drop_columns(float *x, uint32_t feature, uint32_t sample, const struct mask *m)
{
    const __m256i ramp = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    for (uint32_t s = 0; s < KERN_PANEL; s += 8) {
        const __m256i samples = _mm256_add_epi32(ramp, _mm256_set1_epi32((int) (sample + s)));
        __m256i words[4];
        philox_8(words, _mm256_set1_epi32((int) (feature / 4)), samples, m);
        UNROLL_ALL
        for (int f = 0; f < 4; f++) {
            float *at = x + f * KERN_PANEL + s;
            _mm256_storeu_ps(at, drop_8(_mm256_loadu_ps(at), words[f], m));
        }
    }
}

/* Four elements at low and at high, with a half of words each. */
ALWAYS_INLINE void drop_halves(float *low, float *high, __m256i words, const struct mask *m)
{
    const __m256 y = drop_8(_mm256_set_m128(_mm_loadu_ps(high), _mm_loadu_ps(low)), words, m);
    _mm_storeu_ps(low, _mm256_castps256_ps128(y));
    _mm_storeu_ps(high, _mm256_extractf128_ps(y, 1));
}

/* Features [feature, feature + 16) of samples sample and sample + 1, x[2][16]. */
ALWAYS_INLINE void drop_rows(float *x, uint32_t feature, uint32_t sample, const struct mask *m)
{
    const __m256i groups = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3),
                                            _mm256_set1_epi32((int) (feature / 4)));
    const __m256i samples = _mm256_add_epi32(_mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1),
                                             _mm256_set1_epi32((int) sample));
    __m256i w[4], low01, low23, high01, high23;

    philox_8(w, groups, samples, m);
    low01 = _mm256_unpacklo_epi32(w[0], w[1]);
    low23 = _mm256_unpacklo_epi32(w[2], w[3]);
    high01 = _mm256_unpackhi_epi32(w[0], w[1]);
    high23 = _mm256_unpackhi_epi32(w[2], w[3]);
    drop_halves(x, x + KERN_PANEL, _mm256_unpacklo_epi64(low01, low23), m);
    drop_halves(x + 4, x + KERN_PANEL + 4, _mm256_unpackhi_epi64(low01, low23), m);
    drop_halves(x + 8, x + KERN_PANEL + 8, _mm256_unpacklo_epi64(high01, high23), m);
    drop_halves(x + 12, x + KERN_PANEL + 12, _mm256_unpackhi_epi64(high01, high23), m);
}

#else

/* One row of 16 that are 16 features of a sample or 16 samples of a feature. */
static void drop_one_row(float *x, uint32_t feature, uint32_t sample, const bool transposed,
                         const struct mask *m)
{
    for (uint32_t i = 0; i < KERN_PANEL; i++) {
        const uint32_t f = transposed ? feature : feature + i, s = transposed ? sample + i : sample;
        const struct kern_philox r = kern_philox(m->seed, f / 4, s, m->step, m->purpose);
        x[i] = (r.v[f % 4] >> 8) >= m->threshold ? x[i] * m->scale : 0.0f;
    }
}

static void drop_columns(float *x, uint32_t feature, uint32_t sample, const struct mask *m)
{
    for (uint32_t f = 0; f < 4; f++)
        drop_one_row(x + f * KERN_PANEL, feature + f, sample, true, m);
}

static void drop_rows(float *x, uint32_t feature, uint32_t sample, const struct mask *m)
{
    drop_one_row(x, feature, sample, false, m);
    drop_one_row(x + KERN_PANEL, feature, sample + 1, false, m);
}

#endif

/* `rows` rows of 16 from row `row` on, fewer than a call of drop_columns or drop_rows takes, through a copy. */
static void drop_rest(float *x, uint32_t row, uint32_t rows, uint32_t col, const bool transposed,
                      const struct mask *m)
{
    float copy[4 * KERN_PANEL] = {0};

    memcpy(copy, x, rows * KERN_PANEL * sizeof *x);
    if (transposed)
        drop_columns(copy, row, col, m);
    else
        drop_rows(copy, col, row, m);
    memcpy(x, copy, rows * KERN_PANEL * sizeof *x);
}

/* Padding stays +0: its draws are made and lost. */
static void drop_trial(const struct kern_dropout *d, float *x, const struct mask *m)
{
    const uint32_t rows = (uint32_t) d->rows, cols = (uint32_t) d->cols;
    const uint32_t step = d->transposed ? 4 : 2;

    for (uint32_t col = 0; col < cols; col += KERN_PANEL) {
        float *panel = x + (size_t) col * rows;
        uint32_t row = 0;
        for (; row + step <= rows; row += step) {
            if (d->transposed)
                drop_columns(panel + (size_t) row * KERN_PANEL, row, col, m);
            else
                drop_rows(panel + (size_t) row * KERN_PANEL, col, row, m);
        }
        if (row < rows)
            drop_rest(panel + (size_t) row * KERN_PANEL, row, rows - row, col, d->transposed, m);
    }
}

/* 16 columns or fewer of one row; next: from one column's number in `keep` to the next one's. */
ALWAYS_INLINE void mask_row(float *x, size_t count, const uint8_t *keep, size_t next, float scale)
{
    for (size_t i = 0; i < count; i++)
        x[i] = keep[i * next] ? x[i] * scale : 0.0f;
}

static void cpu_mask(const struct kern_mask *m)
{
    const float scale = 1.0f / (float) (1.0 - m->p);
    const size_t rows = (size_t) m->rows, cols = (size_t) m->cols, plane = (size_t) m->plane;
    const size_t channels = (m->transposed ? rows : cols) / plane;

    for (size_t col = 0; col < cols; col += KERN_PANEL) {
        float *x = m->x + col * rows;
        const size_t count = cols - col < KERN_PANEL ? cols - col : KERN_PANEL;
        for (size_t row = 0; row < rows; row++, x += KERN_PANEL) {
            if (m->transposed) {
                mask_row(x, count, m->keep + col * channels + row / plane, channels, scale);
            } else if (plane == 1) {
                mask_row(x, count, m->keep + row * channels + col, 1, scale);
            } else {
                for (size_t i = 0; i < count; i++)
                    mask_row(x + i, 1, m->keep + row * channels + (col + i) / plane, 1, scale);
            }
        }
    }
}

static void cpu_dropout(const struct kern_dropout *d)
{
    for (size_t t = 0; t < (size_t) d->trials; t++) {
        const struct mask m = {
            .seed = d->seed[t],
            .step = d->step,
            .purpose = (uint32_t) KERN_PURPOSE_DROPOUT << 16 | d->layer,
            .threshold = kern_dropout_threshold(d->p[t]),
            .scale = (float) (1.0 / (1.0 - d->p[t])),
        };
        if (m.threshold > 0)
            drop_trial(d, d->x + t * d->x_stride, &m);
    }
}

#endif
