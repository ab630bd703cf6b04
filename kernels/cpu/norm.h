/*
 * norm.h - what norms over the batch and over a sample share (contract, rules 16 and 17).
 *
 * Two shapes of sums do all of it. Columns: 16 columns of a panel side by side, row r into the accumulators r % 16:
 * channels of flat data (rows are samples), samples of a layer norm (rows are features). Lanes: all rows of one channel
 * of an image over all panels, lane l into accumulator l. Padding is +0 and adds nothing, but to squares of x - mean,
 * where it is left out.
 */
#ifndef KERN_CPU_NORM_H
#define KERN_CPU_NORM_H

#include <math.h>
#include <string.h>

#include "kernels/cpu/activate.h"
#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

typedef double row_sums[KERN_PANEL];

/* acc[0] = the accumulators, added as the contract says, of 16 columns; and of one. */
static void fold_rows(row_sums *acc)
{
    for (int width = KERN_PANEL / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            for (int c = 0; c < KERN_PANEL; c++)
                acc[k][c] += acc[k + width][c];
}

static double fold_lanes(row_sums acc)
{
    for (int k = 0; k < 8; k++)
        acc[k] += acc[k + 8];
    for (int k = 0; k < 4; k++)
        acc[k] += acc[k + 4];
    return (acc[0] + acc[2]) + (acc[1] + acc[3]);
}

/* 1 / sqrt(v + eps), rounded once to float */
ALWAYS_INLINE float norm_scale(double v, double eps)
{
    return (float) (1.0 / sqrt(v + eps));
}

/* ---- columns ---- */

static void sum_columns(double *sum, const float *x, size_t rows)
{
    row_sums acc[KERN_PANEL];

    for (size_t k = 0; k < KERN_PANEL; k++) {
        row_sums a = {0};
        for (size_t r = k; r < rows; r += KERN_PANEL)
            for (size_t c = 0; c < KERN_PANEL; c++)
                a[c] += (double) x[r * KERN_PANEL + c];
        memcpy(acc[k], a, sizeof a);
    }
    fold_rows(acc);
    memcpy(sum, acc[0], sizeof *acc);
}

static void sum_column_squares(double *sum, const float *x, size_t rows, const double *mean)
{
    row_sums acc[KERN_PANEL];

    for (size_t k = 0; k < KERN_PANEL; k++) {
        row_sums a = {0};
        for (size_t r = k; r < rows; r += KERN_PANEL)
            for (size_t c = 0; c < KERN_PANEL; c++) {
                const double d = (double) x[r * KERN_PANEL + c] - mean[c];
                a[c] += d * d;
            }
        memcpy(acc[k], a, sizeof a);
    }
    fold_rows(acc);
    memcpy(sum, acc[0], sizeof *acc);
}

/* Of g and g * (x - m), g = dy, or dy * w[row] where w is not NULL. */
ALWAYS_INLINE void sum_column_products(double *sum, double *products, const float *dy,
                                       const float *x, size_t rows, const float *m, const float *w)
{
    row_sums acc[2][KERN_PANEL];

    for (size_t k = 0; k < KERN_PANEL; k++) {
        row_sums a = {0}, b = {0};
        for (size_t r = k; r < rows; r += KERN_PANEL)
            for (size_t c = 0; c < KERN_PANEL; c++) {
                const size_t i = r * KERN_PANEL + c;
                const double g = (double) (w ? dy[i] * w[r] : dy[i]);
                a[c] += g;
                b[c] += g * (double) (x[i] - m[c]);
            }
        memcpy(acc[0][k], a, sizeof a);
        memcpy(acc[1][k], b, sizeof b);
    }
    fold_rows(acc[0]);
    fold_rows(acc[1]);
    memcpy(sum, acc[0][0], sizeof *acc[0]);
    memcpy(products, acc[1][0], sizeof *acc[1]);
}

/* m and s of 16 columns; mean and squares as they are in double. */
static void column_statistics(double *mean, double *squares, float *m, float *s, const float *x,
                              size_t rows, double eps)
{
    sum_columns(mean, x, rows);
    for (int c = 0; c < KERN_PANEL; c++)
        mean[c] /= (double) rows;
    sum_column_squares(squares, x, rows, mean);
    for (int c = 0; c < KERN_PANEL; c++) {
        m[c] = (float) mean[c];
        s[c] = norm_scale(squares[c] / (double) rows, eps);
    }
}

/* ---- lanes: `count` rows from x on in each of the panels, `stride` floats from one panel's to the next ---- */

struct lanes {
    size_t samples, count, stride;
};

/* The last panel's padding has not been added: of the lanes from `live` on the sums are put back. */
static void keep_live(row_sums acc, const row_sums before, size_t live)
{
    for (size_t c = live; c < KERN_PANEL; c++)
        acc[c] = before[c];
}

static double sum_lanes(const float *x, const struct lanes *l)
{
    row_sums acc = {0};

    for (size_t n = 0; n < l->samples; n += KERN_PANEL, x += l->stride)
        for (size_t r = 0; r < l->count; r++)
            for (size_t c = 0; c < KERN_PANEL; c++)
                acc[c] += (double) x[r * KERN_PANEL + c];
    return fold_lanes(acc);
}

static double sum_lane_squares(const float *x, const struct lanes *l, double mean)
{
    row_sums acc = {0}, before;

    for (size_t n = 0; n < l->samples; n += KERN_PANEL, x += l->stride) {
        memcpy(before, acc, sizeof acc);
        for (size_t r = 0; r < l->count; r++)
            for (size_t c = 0; c < KERN_PANEL; c++) {
                const double d = (double) x[r * KERN_PANEL + c] - mean;
                acc[c] += d * d;
            }
        if (l->samples - n < KERN_PANEL)
            keep_live(acc, before, l->samples - n);
    }
    return fold_lanes(acc);
}

static void sum_lane_products(double *sum, double *products, const float *dy, const float *x,
                              const struct lanes *l, float m)
{
    row_sums a = {0}, b = {0};

    for (size_t n = 0; n < l->samples; n += KERN_PANEL, x += l->stride, dy += l->stride)
        for (size_t r = 0; r < l->count; r++)
            for (size_t c = 0; c < KERN_PANEL; c++) {
                const size_t i = r * KERN_PANEL + c;
                a[c] += (double) dy[i];
                b[c] += (double) dy[i] * (double) (x[i] - m);
            }
    *sum = fold_lanes(a);
    *products = fold_lanes(b);
}

/* ---- elements ---- */

ALWAYS_INLINE float norm_relu(float y, bool relu)
{
    return relu && y <= 0.0f ? 0.0f : y;
}

/* y = fma(x - m, a, b) in every column of a panel. */
ALWAYS_INLINE void scale_columns(float *RESTRICT y, const float *RESTRICT x, size_t rows,
                                 const float *m, const float *a, const float *b, bool relu)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < KERN_PANEL; c++) {
            const size_t i = r * KERN_PANEL + c;
            y[i] = norm_relu(fmaf(x[i] - m[c], a[c], b[c]), relu);
        }
}

/* dx = a * fma(-(x - m), slope, dy - shift); where relu is asked for, under the mask of x. */
ALWAYS_INLINE void slope_columns(float *RESTRICT dx, const float *RESTRICT dy,
                                 const float *RESTRICT x, size_t rows, const float *m,
                                 const float *a, const float *shift, const float *slope,
                                 const float *w, bool relu)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < KERN_PANEL; c++) {
            const size_t i = r * KERN_PANEL + c;
            const float g = w ? dy[i] * w[r] : dy[i];
            const float d = a[c] * fmaf(-(x[i] - m[c]), slope[c], g - shift[c]);
            dx[i] = relu && x[i] <= 0.0f ? 0.0f : d;
        }
}

/* What dx of 16 columns needs; one channel of an image has the same numbers in all. */
struct norm_slopes {
    float m[KERN_PANEL], a[KERN_PANEL], shift[KERN_PANEL], slope[KERN_PANEL];
};

static void slope_panel(float *dx, const float *dy, const float *x, size_t rows,
                        const struct norm_slopes *s, bool relu)
{
    if (relu)
        slope_columns(dx, dy, x, rows, s->m, s->a, s->shift, s->slope, NULL, true);
    else
        slope_columns(dx, dy, x, rows, s->m, s->a, s->shift, s->slope, NULL, false);
}

#endif
