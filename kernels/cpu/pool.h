/* pool.h - maximum and average over windows, 16 samples in lanes (contract, rule 15). */
#ifndef KERN_CPU_POOL_H
#define KERN_CPU_POOL_H

#include <string.h>

#include "kernels/cpu/conv.h"

/* One window of 16 samples: pointers to its first element, and its result or gradient. */
struct pool_window {
    const float *x, *dy;
    float *y, *dx;
    size_t row; /* floats from one row to the next */
    int height, width;
    bool relu, apart; /* apart: no element lies in two windows */
};

typedef void pool_fn(const struct pool_window *w);

/* The maximum, and which tap it is. */
ALWAYS_INLINE void find_largest(const struct pool_window *w, float *max, int32_t *tap)
{
    for (int n = 0; n < KERN_PANEL; n++) {
        max[n] = w->x[n];
        tap[n] = 0;
    }
    for (int i = 0; i < w->height; i++)
        for (int j = 0; j < w->width; j++) {
            const float *x = w->x + (size_t) i * w->row + (size_t) j * KERN_PANEL;
            for (int n = 0; n < KERN_PANEL; n++) {
                tap[n] = x[n] > max[n] ? i * w->width + j : tap[n];
                max[n] = x[n] > max[n] ? x[n] : max[n];
            }
        }
}

static void max_window(const struct pool_window *w)
{
    float max[KERN_PANEL];

    memcpy(max, w->x, sizeof max);
    for (int i = 0; i < w->height; i++)
        for (int j = 0; j < w->width; j++) {
            const float *x = w->x + (size_t) i * w->row + (size_t) j * KERN_PANEL;
            for (int n = 0; n < KERN_PANEL; n++)
                max[n] = x[n] > max[n] ? x[n] : max[n];
        }
    memcpy(w->y, max, sizeof max);
}

/* The chosen element is the maximum: a ReLU's mask need look at nothing else. */
static void max_window_grad(const struct pool_window *w)
{
    float max[KERN_PANEL], g[KERN_PANEL];
    int32_t tap[KERN_PANEL];

    find_largest(w, max, tap);
    for (int n = 0; n < KERN_PANEL; n++)
        g[n] = w->relu && max[n] <= 0.0f ? 0.0f : w->dy[n] + 0.0f;
    for (int i = 0; i < w->height; i++)
        for (int j = 0; j < w->width; j++) {
            float *dx = w->dx + (size_t) i * w->row + (size_t) j * KERN_PANEL;
            const int32_t at = i * w->width + j;
            if (w->apart) {
                for (int n = 0; n < KERN_PANEL; n++)
                    dx[n] = tap[n] == at ? g[n] : 0.0f;
            } else {
                for (int n = 0; n < KERN_PANEL; n++)
                    dx[n] = dx[n] + (tap[n] == at ? g[n] : 0.0f);
            }
        }
}

static void mean_window(const struct pool_window *w)
{
    float sum[KERN_PANEL] = {0};

    for (int i = 0; i < w->height; i++)
        for (int j = 0; j < w->width; j++) {
            const float *x = w->x + (size_t) i * w->row + (size_t) j * KERN_PANEL;
            for (int n = 0; n < KERN_PANEL; n++)
                sum[n] = sum[n] + x[n];
        }
    for (int n = 0; n < KERN_PANEL; n++)
        w->y[n] = sum[n] / (float) (w->height * w->width);
}

static void mean_window_grad(const struct pool_window *w)
{
    float g[KERN_PANEL];

    for (int n = 0; n < KERN_PANEL; n++)
        g[n] = w->dy[n] / (float) (w->height * w->width);
    for (int i = 0; i < w->height; i++)
        for (int j = 0; j < w->width; j++) {
            const size_t at = (size_t) i * w->row + (size_t) j * KERN_PANEL;
            float *dx = w->dx + at;
            for (int n = 0; n < KERN_PANEL; n++) {
                const float q = w->relu && w->x[at + (size_t) n] <= 0.0f ? 0.0f : g[n];
                dx[n] = (w->apart ? 0.0f : dx[n]) + q;
            }
        }
}

/* All windows of one panel of one trial, at `x` and `y` in the matrices. */
static void pool_panel(const struct kern_pool *p, size_t x, size_t y, pool_fn *work)
{
    struct pool_window w = {
        .row = (size_t) p->width * KERN_PANEL,
        .height = p->kernel_height,
        .width = p->kernel_width,
        .relu = p->relu,
        .apart = p->stride >= p->kernel_height && p->stride >= p->kernel_width,
    };

    for (int c = 0; c < p->channels; c++)
        for (int oh = 0; oh < p->out_height; oh++)
            for (int ow = 0; ow < p->out_width; ow++) {
                const size_t at = x + (plane(p->height, p->width) * (size_t) c +
                                       (size_t) (oh * p->stride) * (size_t) p->width +
                                       (size_t) (ow * p->stride)) *
                                          KERN_PANEL;
                w.x = p->x ? p->x + at : NULL;
                w.dx = p->dx ? p->dx + at : NULL;
                w.y = p->y ? p->y + y : NULL;
                w.dy = p->dy ? p->dy + y : NULL;
                work(&w);
                y += KERN_PANEL;
            }
}

/* Do windows that lie apart cover every element? */
static bool windows_cover(const struct kern_pool *p)
{
    return p->stride == p->kernel_height && p->stride == p->kernel_width &&
           p->out_height * p->stride == p->height && p->out_width * p->stride == p->width;
}

static void pool_all(const struct kern_pool *p, pool_fn *work)
{
    const size_t in = (size_t) p->channels * plane(p->height, p->width);
    const size_t out = (size_t) p->channels * plane(p->out_height, p->out_width);

    for (size_t t = 0; t < (size_t) p->trials; t++)
        for (size_t n = 0; n < (size_t) p->samples; n += KERN_PANEL) {
            const size_t x = t * p->x_stride + n * in, y = t * p->y_stride + n * out;
            if (p->dx && !windows_cover(p))
                memset(p->dx + x, 0, in * KERN_PANEL * sizeof *p->dx);
            pool_panel(p, x, y, work);
        }
}

static void cpu_maxpool(const struct kern_pool *p)
{
    pool_all(p, max_window);
}

static void cpu_maxpool_grad(const struct kern_pool *p)
{
    pool_all(p, max_window_grad);
}

static void cpu_avgpool(const struct kern_pool *p)
{
    pool_all(p, mean_window);
}

static void cpu_avgpool_grad(const struct kern_pool *p)
{
    pool_all(p, mean_window_grad);
}

#endif
