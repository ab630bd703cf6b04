/*
 * gather.h - samples picked from a data set into a panel matrix and its transpose.
 */
#ifndef KERN_CPU_GATHER_H
#define KERN_CPU_GATHER_H

#include "kernels/cpu/transpose.h"
#include "kernels/kernels.h"

/* Rule 10 on up to 16 pixels. Subtracting 0 and dividing by 1 change nothing and are left out. */
ALWAYS_INLINE void scale_pixels(float *out, const uint8_t *in, const int count, const bool plain,
                                float mean, float std)
{
    for (int i = 0; i < count; i++) {
        const float x = (float) in[i] / 255.0f;
        out[i] = plain ? x : (x - mean) / std;
    }
}

static void gather_pixels(const struct kern_gather *g, float *x, size_t rows, const uint8_t *in)
{
    const bool plain = g->mean == 0.0f && g->std == 1.0f;
    const size_t features = (size_t) g->features, whole = features / KERN_PANEL * KERN_PANEL;
    const float mean = g->mean, std = g->std;

    if (plain)
        for (size_t f = 0; f < whole; f += KERN_PANEL)
            scale_pixels(x + f * rows, in + f, KERN_PANEL, true, 0, 1);
    else
        for (size_t f = 0; f < whole; f += KERN_PANEL)
            scale_pixels(x + f * rows, in + f, KERN_PANEL, false, mean, std);
    if (whole < features) {
        float *last = x + whole * rows;
        memset(last, 0, KERN_PANEL * sizeof *last);
        scale_pixels(last, in + whole, (int) (features - whole), plain, mean, std);
    }
}

static void gather_values(float *x, size_t rows, const float *in, size_t features)
{
    for (size_t f = 0; f < features; f += KERN_PANEL) {
        const size_t count = features - f < KERN_PANEL ? features - f : KERN_PANEL;
        memset(x + f * rows, 0, KERN_PANEL * sizeof *x);
        memcpy(x + f * rows, in + f, count * sizeof *x);
    }
}

/* The rows of a batch are far apart in memory, and memory is slower than the scaling: fetch this many ahead. */
enum { ROWS_AHEAD = 4 };

static void prefetch_pixels(const uint8_t *in, size_t count)
{
    for (size_t i = 0; i < count; i += 64)
        __builtin_prefetch(in + i);
}

static void gather_row(const struct kern_gather *g, const uint32_t *index, size_t row, float *x)
{
    const size_t rows = (size_t) g->rows, features = (size_t) g->features;

    if (g->pixels) {
        if (row == 0)
            for (size_t r = 1; r < ROWS_AHEAD && r < rows; r++)
                prefetch_pixels(g->pixels + index[r] * features, features);
        if (row + ROWS_AHEAD < rows)
            prefetch_pixels(g->pixels + index[row + ROWS_AHEAD] * features, features);
        gather_pixels(g, x + row * KERN_PANEL, rows, g->pixels + index[row] * features);
    } else {
        gather_values(x + row * KERN_PANEL, rows, g->values + index[row] * features, features);
    }
}

static void cpu_gather(const struct kern_gather *g)
{
    const size_t rows = (size_t) g->rows;

    for (size_t t = 0; t < (size_t) g->trials; t++) {
        const uint32_t *index = g->index + t * g->index_stride;
        float *x = g->x + t * g->x_stride;
        for (size_t r = 0; r < rows; r++) {
            gather_row(g, index, r, x);
            if (g->xt && (r % KERN_PANEL == KERN_PANEL - 1 || r + 1 == rows))
                turn_rows(g->xt + t * g->xt_stride, x, rows, (size_t) g->features,
                          r / KERN_PANEL * KERN_PANEL);
        }
    }
}

#endif
