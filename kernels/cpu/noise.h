/*
 * noise.h - normal noise and dropout of whole channels (contract, rule 17), 16 Philox calls at a time.
 *
 * A call serves four neighbouring features (noise) or channels (dropout2d) of one sample. Its words become numbers in
 * plain loops over the 16 calls; stored as (samples x features), four samples by four groups of features make the 16.
 */
#ifndef KERN_CPU_NOISE_H
#define KERN_CPU_NOISE_H

#include "kernels/cpu/dropout.h"
#include "kernels/math/box_muller.h"

enum { CALLS = KERN_PANEL };

/* Word w of call i; call i is for features 4 group[i] ... and sample[i]. */
typedef uint32_t call_words[4][CALLS];

#ifdef __AVX2__

static void make_words(call_words words, const uint32_t *group, const uint32_t *sample,
                       const struct mask *m)
{
    for (int i = 0; i < CALLS; i += 8) {
        __m256i out[4];
        philox_8(out, _mm256_loadu_si256((const __m256i *) (group + i)),
                 _mm256_loadu_si256((const __m256i *) (sample + i)), m);
        for (int w = 0; w < 4; w++)
            _mm256_storeu_si256((__m256i *) (words[w] + i), out[w]);
    }
}

#else

static void make_words(call_words words, const uint32_t *group, const uint32_t *sample,
                       const struct mask *m)
{
    for (int i = 0; i < CALLS; i++) {
        const struct kern_philox r = kern_philox(m->seed, group[i], sample[i], m->step, m->purpose);
        for (int w = 0; w < 4; w++)
            words[w][i] = r.v[w];
    }
}

#endif

/* z[f][i]: the number of call i's feature f */
static void make_normals(float z[4][CALLS], const uint32_t *group, const uint32_t *sample,
                         const struct mask *m)
{
    call_words words;

    make_words(words, group, sample, m);
    for (int w = 0; w < 4; w += 2)
        for (int i = 0; i < CALLS; i++)
            kern_box_muller(&z[w][i], &z[w + 1][i], words[w][i], words[w + 1][i]);
}

/* A panel of 16 samples: rows are features. */
static void noise_samples(float *x, uint32_t features, uint32_t first, float std,
                          const struct mask *m)
{
    uint32_t group[CALLS], sample[CALLS];
    float z[4][CALLS];

    for (uint32_t i = 0; i < CALLS; i++)
        sample[i] = first + i;
    for (uint32_t f = 0; f < features; f += 4) {
        for (int i = 0; i < CALLS; i++)
            group[i] = f / 4;
        make_normals(z, group, sample, m);
        for (uint32_t k = 0; k < 4 && f + k < features; k++)
            for (uint32_t i = 0; i < CALLS; i++) {
                float *at = x + (f + k) * KERN_PANEL + i;
                *at = fmaf(std, z[k][i], *at);
            }
    }
}

/* A panel of 16 features: rows are samples. */
static void noise_features(float *x, uint32_t samples, uint32_t first, float std,
                           const struct mask *m)
{
    uint32_t group[CALLS], sample[CALLS];
    float z[4][CALLS];

    for (uint32_t i = 0; i < CALLS; i++)
        group[i] = first / 4 + i % 4;
    for (uint32_t s = 0; s < samples; s += 4) {
        for (uint32_t i = 0; i < CALLS; i++)
            sample[i] = s + i / 4;
        make_normals(z, group, sample, m);
        for (uint32_t i = 0; i < CALLS && s + i / 4 < samples; i++)
            for (uint32_t k = 0; k < 4; k++) {
                float *at = x + (s + i / 4) * KERN_PANEL + i % 4 * 4 + k;
                *at = fmaf(std, z[k][i], *at);
            }
    }
}

static void cpu_noise(const struct kern_noise *n)
{
    const uint32_t rows = (uint32_t) n->rows, cols = (uint32_t) n->cols;

    for (size_t t = 0; t < (size_t) n->trials; t++) {
        const struct mask m = {
            .seed = n->seed[t],
            .step = n->step,
            .purpose = (uint32_t) KERN_PURPOSE_NOISE << 16 | n->layer,
        };
        float *x = n->x + t * n->x_stride;
        for (uint32_t c = 0; c < cols; c += KERN_PANEL) {
            if (n->transposed)
                noise_samples(x + (size_t) c * rows, rows, c, (float) n->std[t], &m);
            else
                noise_features(x + (size_t) c * rows, rows, c, (float) n->std[t], &m);
        }
        clear_columns(x, n->rows, n->cols);
    }
}

/* One channel of 16 samples; its words. */
static void drop_channel(float *x, size_t positions, const uint32_t *words, const struct mask *m)
{
    float keep[KERN_PANEL];

    for (int i = 0; i < KERN_PANEL; i++)
        keep[i] = (words[i] >> 8) >= m->threshold ? m->scale : 0.0f;
    for (size_t r = 0; r < positions; r++)
        for (size_t i = 0; i < KERN_PANEL; i++) {
            float *at = x + r * KERN_PANEL + i;
            *at = keep[i] > 0.0f ? *at * keep[i] : 0.0f;
        }
}

static void cpu_dropout2d(const struct kern_dropout2d *d)
{
    const size_t channels = (size_t) d->channels, positions = (size_t) d->positions;

    for (size_t t = 0; t < (size_t) d->trials; t++) {
        const struct mask m = {
            .seed = d->seed[t],
            .step = d->step,
            .purpose = (uint32_t) KERN_PURPOSE_DROPOUT << 16 | d->layer,
            .threshold = kern_dropout_threshold(d->p[t]),
            .scale = (float) (1.0 / (1.0 - d->p[t])),
        };
        for (uint32_t n = 0; n < (uint32_t) d->samples; n += KERN_PANEL)
            for (size_t c = 0; c < channels; c += 4) {
                uint32_t group[CALLS], sample[CALLS];
                call_words words;
                float *x = d->x + t * d->x_stride + (n * channels + c * KERN_PANEL) * positions;
                for (uint32_t i = 0; i < CALLS; i++) {
                    group[i] = (uint32_t) c / 4;
                    sample[i] = n + i;
                }
                make_words(words, group, sample, &m);
                for (size_t k = 0; k < 4 && c + k < channels; k++)
                    drop_channel(x + k * positions * KERN_PANEL, positions, words[k], &m);
            }
    }
}

#endif
