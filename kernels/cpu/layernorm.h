/*
 * layernorm.h - norms over a sample, 16 samples side by side (contract, rule 17): the columns of norm.h. The gradients of
 * weights and biases are sums over the lanes of every panel.
 */
#ifndef KERN_CPU_LAYERNORM_H
#define KERN_CPU_LAYERNORM_H

#include "kernels/cpu/norm.h"

static struct kern_layernorm trial_of_layer(const struct kern_layernorm *all, size_t t)
{
    struct kern_layernorm n = *all;

    n.x += t * n.x_stride;
    n.y = n.y ? n.y + t * n.y_stride : NULL;
    n.dx = n.dx ? n.dx + t * n.x_stride : NULL;
    n.dy = n.dy ? n.dy + t * n.y_stride : NULL;
    n.w = n.w ? n.w + t * n.w_stride : NULL;
    n.bias = n.w ? n.bias + t * n.w_stride : NULL;
    n.saved = n.saved ? n.saved + t * n.saved_stride : NULL;
    n.dw = n.dw ? n.dw + t * n.dw_stride : NULL;
    n.db = n.db ? n.db + t * n.dw_stride : NULL;
    return n;
}

/* y = fma((x - m) * s, w[row], b[row]) of one panel */
ALWAYS_INLINE void affine_rows(float *RESTRICT y, const float *RESTRICT x, size_t rows,
                               const float *m, const float *s, const float *w, const float *b,
                               bool relu)
{
    for (size_t r = 0; r < rows; r++) {
        const float weight = w ? w[r] : 1.0f, bias = w ? b[r] : 0.0f;
        for (size_t c = 0; c < KERN_PANEL; c++) {
            const size_t i = r * KERN_PANEL + c;
            y[i] = norm_relu(fmaf((x[i] - m[c]) * s[c], weight, bias), relu);
        }
    }
}

static void cpu_layernorm(const struct kern_layernorm *all)
{
    const size_t rows = (size_t) all->features, padded = kern_pad((size_t) all->samples);

    for (size_t t = 0; t < (size_t) all->trials; t++) {
        const struct kern_layernorm n = trial_of_layer(all, t);
        for (size_t at = 0; at < padded; at += KERN_PANEL) {
            double mean[KERN_PANEL], squares[KERN_PANEL];
            float m[KERN_PANEL], s[KERN_PANEL];
            column_statistics(mean, squares, m, s, n.x + at * rows, rows, n.eps);
            if (n.saved) {
                memcpy(n.saved + at, m, sizeof m);
                memcpy(n.saved + padded + at, s, sizeof s);
            }
            if (n.relu)
                affine_rows(n.y + at * rows, n.x + at * rows, rows, m, s, n.w, n.bias, true);
            else
                affine_rows(n.y + at * rows, n.x + at * rows, rows, m, s, n.w, n.bias, false);
        }
        clear_columns(n.y, all->features, all->samples);
    }
}

/* dx of one panel. */
static void sample_slopes(const struct kern_layernorm *n, size_t at)
{
    const size_t rows = (size_t) n->features, padded = kern_pad((size_t) n->samples);
    const float *x = n->x + at * rows, *dy = n->dy + at * rows;
    float *dx = n->dx + at * rows;
    double sum[KERN_PANEL], products[KERN_PANEL];
    struct norm_slopes s;

    memcpy(s.m, n->saved + at, sizeof s.m);
    memcpy(s.a, n->saved + padded + at, sizeof s.a);
    if (n->w)
        sum_column_products(sum, products, dy, x, rows, s.m, n->w);
    else
        sum_column_products(sum, products, dy, x, rows, s.m, NULL);
    for (int c = 0; c < KERN_PANEL; c++) {
        s.shift[c] = (float) (sum[c] / (double) rows);
        s.slope[c] = (float) (products[c] / (double) rows * (double) s.a[c] * (double) s.a[c]);
    }
    if (n->w && n->relu)
        slope_columns(dx, dy, x, rows, s.m, s.a, s.shift, s.slope, n->w, true);
    else if (n->w)
        slope_columns(dx, dy, x, rows, s.m, s.a, s.shift, s.slope, n->w, false);
    else
        slope_panel(dx, dy, x, rows, &s, n->relu);
}

/* dw and db of one feature, over all panels; its first element is at x and dy. */
static void feature_gradients(const struct kern_layernorm *n, size_t f)
{
    const size_t rows = (size_t) n->features, padded = kern_pad((size_t) n->samples);
    row_sums sum = {0}, products = {0};

    for (size_t at = 0; f < rows && at < padded; at += KERN_PANEL) {
        const float *x = n->x + at * rows + f * KERN_PANEL,
                    *dy = n->dy + at * rows + f * KERN_PANEL;
        const float *m = n->saved + at, *s = n->saved + padded + at;
        for (int c = 0; c < KERN_PANEL; c++) {
            const float h = (x[c] - m[c]) * s[c];
            sum[c] += (double) dy[c];
            products[c] += (double) dy[c] * (double) h;
        }
    }
    if (n->db)
        n->db[f] = (float) fold_lanes(sum);
    if (n->dw)
        n->dw[f] = (float) fold_lanes(products);
}

static void cpu_layernorm_grad(const struct kern_layernorm *all)
{
    for (size_t t = 0; t < (size_t) all->trials; t++) {
        const struct kern_layernorm n = trial_of_layer(all, t);
        for (size_t at = 0; n.dx && at < (size_t) n.samples; at += KERN_PANEL)
            sample_slopes(&n, at);
        if (n.dx)
            clear_columns(n.dx, all->features, all->samples);
        for (size_t f = 0; (n.dw || n.db) && f < kern_pad((size_t) n.features); f++)
            feature_gradients(&n, f);
    }
}

#endif
