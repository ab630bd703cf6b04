/*
 * ref_norm.c - norms, channel dropout and noise of the backend "ref", one element at a time (rules 16 and 17).
 */
#include <math.h>

#include "kernels/backend_impl.h"
#include "kernels/math/box_muller.h"
#include "kernels/math/philox.h"

enum { SUMS = 16 };

/* The accumulators of one sum. */
struct sum {
    double part[SUMS];
};

static double folded(const struct sum *s)
{
    struct sum f = *s;

    for (int width = SUMS / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            f.part[k] += f.part[k + width];
    return f.part[0];
}

static float scale_of(double mean_of_squares, double eps)
{
    return (float) (1.0 / sqrt(mean_of_squares + eps));
}

static float relu_if(bool relu, float y)
{
    return relu && y <= 0.0f ? 0.0f : y;
}

/* Place of (sample, channel, position) in x or y. */
static size_t place(const struct kern_batchnorm *b, size_t n, size_t c, size_t at)
{
    if (b->positions == 0)
        return kern_at((size_t) b->samples, n, c);
    const size_t positions = (size_t) b->positions;
    return kern_at((size_t) b->channels * positions, c * positions + at, n);
}

static size_t positions_of(const struct kern_batchnorm *b)
{
    return b->positions ? (size_t) b->positions : 1;
}

/* Sums of one channel of one trial: of x and of squares, or of dy and dy * h. */
static double sum_x(const struct kern_batchnorm *b, const float *x, size_t c)
{
    struct sum s = {{0}};

    for (size_t n = 0; n < (size_t) b->samples; n++)
        for (size_t at = 0; at < positions_of(b); at++)
            s.part[n % SUMS] += (double) x[place(b, n, c, at)];
    return folded(&s);
}

static double sum_squares(const struct kern_batchnorm *b, const float *x, size_t c, double mean)
{
    struct sum s = {{0}};

    for (size_t n = 0; n < (size_t) b->samples; n++)
        for (size_t at = 0; at < positions_of(b); at++) {
            const double d = (double) x[place(b, n, c, at)] - mean;
            s.part[n % SUMS] += d * d;
        }
    return folded(&s);
}

static double sum_products(const struct kern_batchnorm *b, const float *dy, const float *x,
                           size_t c, float m)
{
    struct sum s = {{0}};

    for (size_t n = 0; n < (size_t) b->samples; n++)
        for (size_t at = 0; at < positions_of(b); at++) {
            const size_t i = place(b, n, c, at);
            s.part[n % SUMS] += (double) dy[i] * (double) (x[i] - m);
        }
    return folded(&s);
}

static void clear(float *x, size_t rows, size_t cols)
{
    for (size_t c = cols; c < kern_pad(cols); c++)
        for (size_t r = 0; r < rows; r++)
            x[kern_at(rows, r, c)] = 0.0f;
}

static void clear_batch(const struct kern_batchnorm *b, float *x)
{
    if (b->positions == 0)
        clear(x, (size_t) b->samples, (size_t) b->channels);
    else
        clear(x, (size_t) b->channels * (size_t) b->positions, (size_t) b->samples);
}

static void normalise(const struct kern_batchnorm *b, size_t t, size_t c, float m, float s)
{
    const float *x = b->x + t * b->x_stride;
    float *y = b->y + t * b->y_stride;
    const float w = b->w ? b->w[t * b->w_stride + c] : 1.0f;
    const float bias = b->w ? b->bias[t * b->w_stride + c] : 0.0f;

    for (size_t n = 0; n < (size_t) b->samples; n++)
        for (size_t at = 0; at < positions_of(b); at++) {
            const size_t i = place(b, n, c, at);
            y[i] = relu_if(b->relu, fmaf(x[i] - m, s * w, bias));
        }
}

static void move(float *r, double momentum, double value)
{
    *r = (float) ((1.0 - momentum) * (double) *r + momentum * value);
}

void kern_ref_batchnorm(const struct kern_batchnorm *b)
{
    const double count = (double) b->samples * (double) positions_of(b);
    const size_t padded = kern_pad((size_t) b->channels);

    for (size_t t = 0; t < (size_t) b->trials; t++) {
        float *saved = b->saved + t * b->saved_stride;
        for (size_t c = 0; c < padded; c++) {
            saved[c] = 0.0f;
            saved[padded + c] = scale_of(0, b->eps);
        }
        for (size_t c = 0; c < (size_t) b->channels; c++) {
            const float *x = b->x + t * b->x_stride;
            const double mean = sum_x(b, x, c) / count, squares = sum_squares(b, x, c, mean);
            saved[c] = (float) mean;
            saved[padded + c] = scale_of(squares / count, b->eps);
            move(&b->running_mean[t * b->w_stride + c], b->momentum, mean);
            move(&b->running_var[t * b->w_stride + c], b->momentum, squares / (count - 1));
            normalise(b, t, c, saved[c], saved[padded + c]);
        }
        clear_batch(b, b->y + t * b->y_stride);
    }
}

void kern_ref_batchnorm_eval(const struct kern_batchnorm *b)
{
    for (size_t t = 0; t < (size_t) b->trials; t++) {
        for (size_t c = 0; c < (size_t) b->channels; c++)
            normalise(b, t, c, b->running_mean[t * b->w_stride + c],
                      scale_of((double) b->running_var[t * b->w_stride + c], b->eps));
        clear_batch(b, b->y + t * b->y_stride);
    }
}

static void batch_dx(const struct kern_batchnorm *b, size_t t, size_t c, double a_mean,
                     double b_mean)
{
    const float *x = b->x + t * b->x_stride, *dy = b->dy + t * b->y_stride;
    const float *saved = b->saved + t * b->saved_stride;
    const float m = saved[c], s = saved[kern_pad((size_t) b->channels) + c];
    const float w = b->w ? b->w[t * b->w_stride + c] : 1.0f;
    const float shift = (float) a_mean, slope = (float) (b_mean * (double) s * (double) s);
    float *dx = b->dx + t * b->x_stride;

    for (size_t n = 0; n < (size_t) b->samples; n++)
        for (size_t at = 0; at < positions_of(b); at++) {
            const size_t i = place(b, n, c, at);
            const float g = (s * w) * fmaf(-(x[i] - m), slope, dy[i] - shift);
            dx[i] = b->relu && x[i] <= 0.0f ? 0.0f : g;
        }
}

void kern_ref_batchnorm_grad(const struct kern_batchnorm *b)
{
    const double count = (double) b->samples * (double) positions_of(b);
    const size_t padded = kern_pad((size_t) b->channels);

    for (size_t t = 0; t < (size_t) b->trials; t++) {
        const float *x = b->x + t * b->x_stride, *dy = b->dy + t * b->y_stride;
        const float *saved = b->saved + t * b->saved_stride;
        for (size_t c = 0; c < padded; c++) {
            const bool live = c < (size_t) b->channels;
            const double sum = live ? sum_x(b, dy, c) : 0;
            const double products = live ? sum_products(b, dy, x, c, saved[c]) : 0;
            if (b->db)
                b->db[t * b->dw_stride + c] = (float) sum;
            if (b->dw)
                b->dw[t * b->dw_stride + c] = (float) (products * (double) saved[padded + c]);
            if (b->dx && live)
                batch_dx(b, t, c, sum / count, products / count);
        }
        if (b->dx)
            clear_batch(b, b->dx + t * b->x_stride);
    }
}

/* One sample of one trial: m and s of its features. */
static void sample_statistics(float *m, float *s, const struct kern_layernorm *n, const float *x,
                              size_t sample)
{
    const size_t features = (size_t) n->features;
    struct sum sum = {{0}}, squares = {{0}};

    for (size_t f = 0; f < features; f++)
        sum.part[f % SUMS] += (double) x[kern_at(features, f, sample)];
    const double mean = folded(&sum) / n->features;
    for (size_t f = 0; f < features; f++) {
        const double d = (double) x[kern_at(features, f, sample)] - mean;
        squares.part[f % SUMS] += d * d;
    }
    *m = (float) mean;
    *s = scale_of(folded(&squares) / n->features, n->eps);
}

void kern_ref_layernorm(const struct kern_layernorm *n)
{
    const size_t features = (size_t) n->features, padded = kern_pad((size_t) n->samples);

    for (size_t t = 0; t < (size_t) n->trials; t++) {
        const float *x = n->x + t * n->x_stride;
        float *y = n->y + t * n->y_stride;
        for (size_t i = 0; i < (size_t) n->samples; i++) {
            float m, s;
            sample_statistics(&m, &s, n, x, i);
            if (n->saved) {
                n->saved[t * n->saved_stride + i] = m;
                n->saved[t * n->saved_stride + padded + i] = s;
            }
            for (size_t f = 0; f < features; f++) {
                const float w = n->w ? n->w[t * n->w_stride + f] : 1.0f;
                const float bias = n->w ? n->bias[t * n->w_stride + f] : 0.0f;
                const size_t at = kern_at(features, f, i);
                y[at] = relu_if(n->relu, fmaf((x[at] - m) * s, w, bias));
            }
        }
        for (size_t i = (size_t) n->samples; n->saved && i < padded; i++) {
            n->saved[t * n->saved_stride + i] = 0.0f;
            n->saved[t * n->saved_stride + padded + i] = scale_of(0, n->eps);
        }
        clear(y, features, (size_t) n->samples);
    }
}

static void sample_dx(const struct kern_layernorm *n, size_t t, size_t i, float m, float s)
{
    const size_t features = (size_t) n->features;
    const float *x = n->x + t * n->x_stride, *dy = n->dy + t * n->y_stride;
    float *dx = n->dx + t * n->x_stride;
    struct sum sum = {{0}}, products = {{0}};

    for (size_t f = 0; f < features; f++) {
        const size_t at = kern_at(features, f, i);
        const float g = n->w ? dy[at] * n->w[t * n->w_stride + f] : dy[at];
        sum.part[f % SUMS] += (double) g;
        products.part[f % SUMS] += (double) g * (double) (x[at] - m);
    }
    const float shift = (float) (folded(&sum) / n->features);
    const float slope = (float) (folded(&products) / n->features * (double) s * (double) s);
    for (size_t f = 0; f < features; f++) {
        const size_t at = kern_at(features, f, i);
        const float g = n->w ? dy[at] * n->w[t * n->w_stride + f] : dy[at];
        const float d = s * fmaf(-(x[at] - m), slope, g - shift);
        dx[at] = n->relu && x[at] <= 0.0f ? 0.0f : d;
    }
}

static void feature_grads(const struct kern_layernorm *n, size_t t, size_t f)
{
    const size_t features = (size_t) n->features, padded = kern_pad((size_t) n->samples);
    const float *x = n->x + t * n->x_stride, *dy = n->dy + t * n->y_stride;
    const float *saved = n->saved + t * n->saved_stride;
    struct sum sum = {{0}}, products = {{0}};

    for (size_t i = 0; f < features && i < (size_t) n->samples; i++) {
        const size_t at = kern_at(features, f, i);
        const float h = (x[at] - saved[i]) * saved[padded + i];
        sum.part[i % SUMS] += (double) dy[at];
        products.part[i % SUMS] += (double) dy[at] * (double) h;
    }
    if (n->db)
        n->db[t * n->dw_stride + f] = (float) folded(&sum);
    if (n->dw)
        n->dw[t * n->dw_stride + f] = (float) folded(&products);
}

void kern_ref_layernorm_grad(const struct kern_layernorm *n)
{
    const size_t features = (size_t) n->features, padded = kern_pad((size_t) n->samples);

    for (size_t t = 0; t < (size_t) n->trials; t++) {
        const float *saved = n->saved + t * n->saved_stride;
        for (size_t i = 0; n->dx && i < (size_t) n->samples; i++)
            sample_dx(n, t, i, saved[i], saved[padded + i]);
        if (n->dx)
            clear(n->dx + t * n->x_stride, features, (size_t) n->samples);
        for (size_t f = 0; f < kern_pad(features); f++)
            feature_grads(n, t, f);
    }
}

void kern_ref_dropout2d(const struct kern_dropout2d *d)
{
    const size_t positions = (size_t) d->positions, rows = (size_t) d->channels * positions;

    for (size_t t = 0; t < (size_t) d->trials; t++) {
        const uint32_t threshold = kern_dropout_threshold(d->p[t]);
        const float scale = (float) (1.0 / (1.0 - d->p[t]));
        for (uint32_t c = 0; c < (uint32_t) d->channels; c++)
            for (uint32_t n = 0; n < (uint32_t) d->samples; n++) {
                const bool keep = kern_dropout_keep(d->seed[t], c, n, d->step, d->layer, threshold);
                for (size_t at = 0; at < positions; at++) {
                    float *x = d->x + t * d->x_stride + kern_at(rows, c * positions + at, n);
                    *x = keep ? *x * scale : 0.0f;
                }
            }
    }
}

static float normal(uint64_t seed, uint32_t feature, uint32_t sample, uint32_t step, uint32_t layer)
{
    const struct kern_philox r =
        kern_philox(seed, feature / 4, sample, step, (uint32_t) KERN_PURPOSE_NOISE << 16 | layer);
    const uint32_t pair = feature % 4 / 2 * 2;
    float z[2];

    kern_box_muller(&z[0], &z[1], r.v[pair], r.v[pair + 1]);
    return z[feature % 2];
}

void kern_ref_noise(const struct kern_noise *n)
{
    for (size_t t = 0; t < (size_t) n->trials; t++)
        for (uint32_t r = 0; r < (uint32_t) n->rows; r++)
            for (uint32_t c = 0; c < (uint32_t) n->cols; c++) {
                const uint32_t sample = n->transposed ? c : r, feature = n->transposed ? r : c;
                float *x = n->x + t * n->x_stride + kern_at((size_t) n->rows, r, c);
                *x = fmaf((float) n->std[t], normal(n->seed[t], feature, sample, n->step, n->layer),
                          *x);
            }
}
