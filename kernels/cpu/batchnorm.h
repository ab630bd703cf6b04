/*
 * batchnorm.h - norms over the batch (contract, rule 16): flat data by panels of 16 channels, images by channels.
 */
#ifndef KERN_CPU_BATCHNORM_H
#define KERN_CPU_BATCHNORM_H

#include "kernels/cpu/norm.h"

static void spread(float *out, float value)
{
    for (int c = 0; c < KERN_PANEL; c++)
        out[c] = value;
}

static void move_statistic(float *r, double momentum, double value)
{
    *r = (float) ((1.0 - momentum) * (double) *r + momentum * value);
}

/* Rows of one trial: flat data as panels of channels, or an image's panels of samples. */
static struct lanes channel_lanes(const struct kern_batchnorm *b)
{
    const size_t count = (size_t) b->positions;
    return (struct lanes){(size_t) b->samples, count, (size_t) b->channels * count * KERN_PANEL};
}

/* The constants w and b of channels [c, c + 16) or of one. */
static void take_affine(float *w, float *bias, const struct kern_batchnorm *b, size_t at)
{
    for (size_t c = 0; c < KERN_PANEL; c++) {
        const bool live = at + c < (size_t) b->channels;
        w[c] = !b->w ? 1.0f : live ? b->w[at + c] : 0.0f;
        bias[c] = b->w && live ? b->bias[at + c] : 0.0f;
    }
}

/* y of 16 flat channels, or of one channel of an image, with m and s. b is one trial's. */
static void normalise_channels(const struct kern_batchnorm *b, size_t c, const float *m,
                               const float *s)
{
    float w[KERN_PANEL], bias[KERN_PANEL], a[KERN_PANEL];
    const bool flat = b->positions == 0;
    const struct lanes l = channel_lanes(b);
    const size_t rows = flat ? (size_t) b->samples : l.count,
                 at = c * rows * (flat ? 1 : KERN_PANEL);

    take_affine(w, bias, b, c);
    for (int i = 0; i < KERN_PANEL; i++)
        a[i] = s[i] * w[i];
    if (!flat) { /* 16 samples of one channel */
        spread(a, a[0]);
        spread(bias, bias[0]);
    }
    for (size_t n = 0; n < (flat ? 1 : l.samples); n += KERN_PANEL) {
        const size_t panel = at + n / KERN_PANEL * l.stride;
        if (b->relu)
            scale_columns(b->y + panel, b->x + panel, rows, m, a, bias, true);
        else
            scale_columns(b->y + panel, b->x + panel, rows, m, a, bias, false);
    }
}

static void save_channel(const struct kern_batchnorm *b, size_t c, float m, float s, double mean,
                         double squares)
{
    const double count = (double) b->samples * (b->positions ? b->positions : 1);

    b->saved[c] = m;
    b->saved[kern_pad((size_t) b->channels) + c] = s;
    if (c >= (size_t) b->channels)
        return;
    move_statistic(&b->running_mean[c], b->momentum, mean);
    move_statistic(&b->running_var[c], b->momentum, squares / (count - 1));
}

static void train_flat(const struct kern_batchnorm *b)
{
    for (size_t c = 0; c < (size_t) b->channels; c += KERN_PANEL) {
        double mean[KERN_PANEL], squares[KERN_PANEL];
        float m[KERN_PANEL], s[KERN_PANEL];
        column_statistics(mean, squares, m, s, b->x + c * (size_t) b->samples, (size_t) b->samples,
                          b->eps);
        for (size_t i = 0; i < KERN_PANEL; i++)
            save_channel(b, c + i, m[i], s[i], mean[i], squares[i]);
        normalise_channels(b, c, m, s);
    }
}

static void train_image(const struct kern_batchnorm *b)
{
    const struct lanes l = channel_lanes(b);
    const double count = (double) b->samples * b->positions;

    for (size_t c = 0; c < (size_t) b->channels; c++) {
        const float *x = b->x + c * l.count * KERN_PANEL;
        const double mean = sum_lanes(x, &l) / count, squares = sum_lane_squares(x, &l, mean);
        float m[KERN_PANEL], s[KERN_PANEL];
        spread(m, (float) mean);
        spread(s, norm_scale(squares / count, b->eps));
        save_channel(b, c, m[0], s[0], mean, squares);
        normalise_channels(b, c, m, s);
    }
    for (size_t c = (size_t) b->channels; c < kern_pad((size_t) b->channels); c++)
        save_channel(b, c, 0.0f, norm_scale(0, b->eps), 0, 0);
}

static void evaluate_channels(const struct kern_batchnorm *b)
{
    const size_t step = b->positions ? 1 : KERN_PANEL, channels = (size_t) b->channels;

    for (size_t c = 0; c < channels; c += step) {
        float m[KERN_PANEL] = {0}, s[KERN_PANEL] = {0};
        for (size_t i = 0; i < step && c + i < channels; i++) {
            m[i] = b->running_mean[c + i];
            s[i] = norm_scale((double) b->running_var[c + i], b->eps);
        }
        if (b->positions) {
            spread(m, m[0]);
            spread(s, s[0]);
        }
        normalise_channels(b, c, m, s);
    }
}

static struct kern_batchnorm trial_of_batch(const struct kern_batchnorm *all, size_t t)
{
    struct kern_batchnorm b = *all;

    b.x += t * b.x_stride;
    b.y = b.y ? b.y + t * b.y_stride : NULL;
    b.dx = b.dx ? b.dx + t * b.x_stride : NULL;
    b.dy = b.dy ? b.dy + t * b.y_stride : NULL;
    b.w = b.w ? b.w + t * b.w_stride : NULL;
    b.bias = b.w ? b.bias + t * b.w_stride : NULL;
    b.running_mean = b.running_mean ? b.running_mean + t * b.w_stride : NULL;
    b.running_var = b.running_mean ? b.running_var + t * b.w_stride : NULL;
    b.saved = b.saved ? b.saved + t * b.saved_stride : NULL;
    b.dw = b.dw ? b.dw + t * b.dw_stride : NULL;
    b.db = b.db ? b.db + t * b.dw_stride : NULL;
    return b;
}

static void clear_batch(const struct kern_batchnorm *b, float *x)
{
    if (b->positions)
        clear_columns(x, b->channels * b->positions, b->samples);
    else
        clear_columns(x, b->samples, b->channels);
}

static void cpu_batchnorm(const struct kern_batchnorm *all)
{
    for (size_t t = 0; t < (size_t) all->trials; t++) {
        const struct kern_batchnorm b = trial_of_batch(all, t);
        if (b.positions)
            train_image(&b);
        else
            train_flat(&b);
        clear_batch(&b, b.y);
    }
}

static void cpu_batchnorm_eval(const struct kern_batchnorm *all)
{
    for (size_t t = 0; t < (size_t) all->trials; t++) {
        const struct kern_batchnorm b = trial_of_batch(all, t);
        evaluate_channels(&b);
        clear_batch(&b, b.y);
    }
}

/* The gradients of channel c, and what its dx needs, into lane i. */
static void channel_slopes(struct norm_slopes *out, int i, const struct kern_batchnorm *b, size_t c,
                           double sum, double products)
{
    const double count = (double) b->samples * (b->positions ? b->positions : 1);
    const float s = b->saved[kern_pad((size_t) b->channels) + c];

    if (b->dw)
        b->dw[c] = (float) (products * (double) s);
    if (b->db)
        b->db[c] = (float) sum;
    out->a[i] = s * (!b->w ? 1.0f : c < (size_t) b->channels ? b->w[c] : 0.0f);
    out->shift[i] = (float) (sum / count);
    out->slope[i] = (float) (products / count * (double) s * (double) s);
}

static void grad_flat(const struct kern_batchnorm *b)
{
    const size_t rows = (size_t) b->samples;

    for (size_t c = 0; c < (size_t) b->channels; c += KERN_PANEL) {
        const float *x = b->x + c * rows, *dy = b->dy + c * rows;
        double sum[KERN_PANEL], products[KERN_PANEL];
        struct norm_slopes s;
        memcpy(s.m, b->saved + c, sizeof s.m);
        sum_column_products(sum, products, dy, x, rows, s.m, NULL);
        for (int i = 0; i < KERN_PANEL; i++)
            channel_slopes(&s, i, b, c + (size_t) i, sum[i], products[i]);
        if (b->dx)
            slope_panel(b->dx + c * rows, dy, x, rows, &s, b->relu);
    }
}

static void grad_image(const struct kern_batchnorm *b)
{
    const struct lanes l = channel_lanes(b);

    for (size_t c = 0; c < (size_t) b->channels; c++) {
        const size_t at = c * l.count * KERN_PANEL;
        double sum, products;
        struct norm_slopes s;
        spread(s.m, b->saved[c]);
        sum_lane_products(&sum, &products, b->dy + at, b->x + at, &l, s.m[0]);
        channel_slopes(&s, 0, b, c, sum, products);
        spread(s.a, s.a[0]);
        spread(s.shift, s.shift[0]);
        spread(s.slope, s.slope[0]);
        for (size_t n = 0; b->dx && n < l.samples; n += KERN_PANEL) {
            const size_t panel = at + n / KERN_PANEL * l.stride;
            slope_panel(b->dx + panel, b->dy + panel, b->x + panel, l.count, &s, b->relu);
        }
    }
    for (size_t c = (size_t) b->channels; c < kern_pad((size_t) b->channels); c++) {
        struct norm_slopes none;
        channel_slopes(&none, 0, b, c, 0, 0);
    }
}

static void cpu_batchnorm_grad(const struct kern_batchnorm *all)
{
    for (size_t t = 0; t < (size_t) all->trials; t++) {
        const struct kern_batchnorm b = trial_of_batch(all, t);
        if (b.positions)
            grad_image(&b);
        else
            grad_flat(&b);
        if (b.dx)
            clear_batch(&b, b.dx);
    }
}

#endif
