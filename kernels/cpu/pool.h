/*
 * pool.h - maximum and average over windows, 16 samples in lanes (contract, rule 15).
 *
 * A window's size is a constant of the code for 2 x 2, the usual one.
 */
#ifndef KERN_CPU_POOL_H
#define KERN_CPU_POOL_H

#include <string.h>

#include "kernels/cpu/conv_part.h"

/* One window of VEC_LANES samples: pointers to its first element, and its result or gradient. */
struct pool_window {
    const float *x, *dy;
    float *y, *dx;
    size_t row; /* floats from one row to the next */
    int height, width;
    bool relu, apart; /* apart: no element lies in two windows */
};

typedef void pool_fn(const struct pool_window *w);

/* Places of a window's elements, in raster order. */
#define EACH_IN_WINDOW(W, AT)                                                                \
    for (size_t i = 0; i < (size_t) (W)->height; i++)                                        \
        for (size_t AT = i * (W)->row; AT < i * (W)->row + (size_t) (W)->width * KERN_PANEL; \
             AT += KERN_PANEL)

ALWAYS_INLINE vec window_max(const struct pool_window *w)
{
    vec max = vec_load(w->x);

    EACH_IN_WINDOW(w, at)
    max = vec_larger(vec_load(w->x + at), max);
    return max;
}

ALWAYS_INLINE void max_window(const struct pool_window *w)
{
    vec_store(w->y, window_max(w));
}

/* The first element equal to the maximum gets the gradient; a ReLU's mask need look at nothing else. */
ALWAYS_INLINE void max_window_grad(const struct pool_window *w)
{
    const vec max = window_max(w);
    vec g = vec_add(vec_load(w->dy), vec_zero());

    if (w->relu)
        g = vec_drop(g, max);
    EACH_IN_WINDOW(w, at)
    {
        const vec x = vec_load(w->x + at), here = vec_where_equal(x, max, g);
        vec_store(w->dx + at, w->apart ? here : vec_add(vec_load(w->dx + at), here));
        g = vec_where_other(x, max, g);
    }
}

ALWAYS_INLINE void mean_window(const struct pool_window *w)
{
    float sum[VEC_LANES] = {0};

    EACH_IN_WINDOW(w, at)
    for (int n = 0; n < VEC_LANES; n++)
        sum[n] = sum[n] + w->x[at + (size_t) n];
    for (int n = 0; n < VEC_LANES; n++)
        w->y[n] = sum[n] / (float) (w->height * w->width);
}

ALWAYS_INLINE void mean_window_grad(const struct pool_window *w)
{
    float g[VEC_LANES];

    for (int n = 0; n < VEC_LANES; n++)
        g[n] = w->dy[n] / (float) (w->height * w->width);
    EACH_IN_WINDOW(w, at)
    {
        const vec all = vec_load(g), here = w->relu ? vec_drop(all, vec_load(w->x + at)) : all,
                  before = w->apart ? vec_zero() : vec_load(w->dx + at);
        vec_store(w->dx + at, vec_add(before, here));
    }
}

/* All windows of one panel of one trial, at `x` and `y` in the matrices. */
ALWAYS_INLINE void pool_panel(const struct kern_pool *p, size_t x, size_t y, pool_fn *const work,
                              const int height, const int width)
{
    struct pool_window w = {
        .row = (size_t) p->width * KERN_PANEL,
        .height = height,
        .width = width,
        .relu = p->relu,
        .apart = p->stride >= height && p->stride >= width,
    };

    for (int c = 0; c < p->channels; c++)
        for (int oh = 0; oh < p->out_height; oh++)
            for (int ow = 0; ow < p->out_width; ow++)
                for (int v = 0; v < VECS_PER_ROW; v++) {
                    const size_t at = x +
                                      (plane(p->height, p->width) * (size_t) c +
                                       (size_t) (oh * p->stride) * (size_t) p->width +
                                       (size_t) (ow * p->stride)) *
                                          KERN_PANEL +
                                      (size_t) (v * VEC_LANES);
                    w.x = p->x ? p->x + at : NULL;
                    w.dx = p->dx ? p->dx + at : NULL;
                    w.y = p->y ? p->y + y : NULL;
                    w.dy = p->dy ? p->dy + y : NULL;
                    work(&w);
                    y += VEC_LANES;
                }
}

/* Do windows that lie apart cover every element? */
static bool windows_cover(const struct kern_pool *p)
{
    return p->stride == p->kernel_height && p->stride == p->kernel_width &&
           p->out_height * p->stride == p->height && p->out_width * p->stride == p->width;
}

ALWAYS_INLINE void pool_all(const struct kern_pool *p, pool_fn *const work)
{
    const size_t in = (size_t) p->channels * plane(p->height, p->width);
    const size_t out = (size_t) p->channels * plane(p->out_height, p->out_width);
    const bool pairs = p->kernel_height == 2 && p->kernel_width == 2;

    for (size_t t = 0; t < (size_t) p->trials; t++)
        for (size_t n = 0; n < (size_t) p->samples; n += KERN_PANEL) {
            const size_t x = t * p->x_stride + n * in, y = t * p->y_stride + n * out;
            if (p->dx && !windows_cover(p))
                memset(p->dx + x, 0, in * KERN_PANEL * sizeof *p->dx);
            if (pairs)
                pool_panel(p, x, y, work, 2, 2);
            else
                pool_panel(p, x, y, work, p->kernel_height, p->kernel_width);
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
