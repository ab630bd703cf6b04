/*
 * conv.h - direct convolution: the forward product, and the calls of it and of the gradient of its input.
 *
 * Forward a span is the part of a kernel's row that lies inside the image: taps in the padding add exact zeros and
 * are left out.
 */
#ifndef KERN_CPU_CONV_H
#define KERN_CPU_CONV_H

#include "kernels/cpu/conv_dx.h"
#include "kernels/cpu/conv_part.h"

/* Taps [*from, *to) of a kernel's row or column that lie inside, its first tap being at `start`. */
ALWAYS_INLINE void taps_inside(int start, int size, const struct kern_conv_shape *s, int *from,
                               int *to)
{
    const int d = s->dilation;

    *from = start >= 0 ? 0 : (d - 1 - start) / d;
    *to = start >= size ? 0 : (size - start + d - 1) / d;
    if (*to > s->kernel)
        *to = s->kernel;
}

ALWAYS_INLINE void forward_position(const struct conv_part *p, conv_acc acc, int oh, int ow,
                                    const int rows)
{
    const struct kern_conv_shape *s = &p->s;
    const int ins = s->channels / s->groups, group = p->first / (s->filters / s->groups);
    const int top = oh * s->stride - s->pad, left = ow * s->stride - s->pad;
    const size_t kernel = (size_t) s->kernel, taps = kernel * kernel;
    struct span run = {
        .x_step = (size_t) s->dilation * KERN_PANEL, .w_step = 1, .w_row = (size_t) ins * taps};
    int i_from, i_to, j_from, j_to;

    taps_inside(top, s->height, s, &i_from, &i_to);
    taps_inside(left, s->width, s, &j_from, &j_to);
    if (j_from >= j_to)
        return;
    run.count = (size_t) (j_to - j_from);
    for (int c = 0; c < ins; c++)
        for (int i = i_from; i < i_to; i++) {
            run.x = p->x + (plane(s->height, s->width) * (size_t) (group * ins + c) +
                            (size_t) (top + i * s->dilation) * (size_t) s->width +
                            (size_t) (left + j_from * s->dilation)) *
                               KERN_PANEL;
            run.w = p->w + (size_t) p->first * run.w_row + (size_t) c * taps + (size_t) i * kernel +
                    (size_t) j_from;
            if (run.count == 5)
                span_run(acc, &run, 5, rows);
            else if (run.count == 3)
                span_run(acc, &run, 3, rows);
            else
                span_run(acc, &run, run.count, rows);
        }
}

ALWAYS_INLINE void forward_filters(const struct conv_part *p, const int rows)
{
    const struct kern_conv_shape *s = &p->s;
    const size_t positions = plane(s->out_height, s->out_width);

    for (int oh = 0; oh < s->out_height; oh++)
        for (int ow = 0; ow < s->out_width; ow++) {
            float *y = p->y + (positions * (size_t) p->first + (size_t) oh * (size_t) s->out_width +
                               (size_t) ow) *
                                  KERN_PANEL;
            conv_acc acc;
            UNROLL_ALL
            for (int r = 0; r < rows; r++) {
                UNROLL_ALL
                for (int v = 0; v < VECS_PER_ROW; v++)
                    acc[r][v] = vec_zero();
            }
            forward_position(p, acc, oh, ow, rows);
            UNROLL_ALL
            for (int r = 0; r < rows; r++) {
                UNROLL_ALL
                for (int v = 0; v < VECS_PER_ROW; v++) {
                    acc[r][v] = vec_add(acc[r][v], vec_zero());
                    if (p->bias)
                        acc[r][v] = vec_add(acc[r][v], vec_spread(p->bias + p->first + r));
                    if (p->relu)
                        acc[r][v] = vec_drop(acc[r][v], acc[r][v]);
                    vec_store(y + (size_t) r * positions * KERN_PANEL + v * VEC_LANES, acc[r][v]);
                }
            }
        }
}

typedef void conv_fn(const struct conv_part *p);

#define CONV_FNS(ROWS)                                         \
    static void conv_forward_##ROWS(const struct conv_part *p) \
    {                                                          \
        forward_filters(p, ROWS);                              \
    }                                                          \
    static void conv_dx_##ROWS(const struct conv_part *p)      \
    {                                                          \
        dx_channels(p, ROWS);                                  \
    }
EACH_TILE_ROWS(CONV_FNS)

/* [rows - 1][forward, dx] */
static conv_fn *const conv_fns[TILE_ROWS][2] = {
#define CONV_ENTRY(ROWS) {conv_forward_##ROWS, conv_dx_##ROWS},
    EACH_TILE_ROWS(CONV_ENTRY)
#undef CONV_ENTRY
};

/* All rows (filters or channels) of a panel, those of one group at a time and as even as may be. */
static void conv_rows(struct conv_part *p, int rows, int groups, int which)
{
    const int each = rows / groups, parts = (each + TILE_ROWS - 1) / TILE_ROWS;

    for (int g = 0; g < groups; g++)
        for (int i = 0; i < parts; i++) {
            const int from = i * each / parts, to = (i + 1) * each / parts;
            p->first = g * each + from;
            conv_fns[to - from - 1][which](p);
        }
}

static void clear_lanes(float *x, size_t rows, size_t used)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t n = used; n < KERN_PANEL; n++)
            x[i * KERN_PANEL + n] = 0.0f;
}

static struct conv_part conv_part_of(const struct kern_conv *v, size_t trial, size_t first_sample)
{
    const struct kern_conv_shape *s = &v->shape;
    const size_t x_at =
        trial * v->x_stride + first_sample * (size_t) s->channels * plane(s->height, s->width);
    const size_t y_at = trial * v->y_stride +
                        first_sample * (size_t) s->filters * plane(s->out_height, s->out_width);

    return (struct conv_part){
        .s = *s,
        .x = v->x ? v->x + x_at : NULL,
        .dx = v->dx ? v->dx + x_at : NULL,
        .y = v->y ? v->y + y_at : NULL,
        .dy = v->dy ? v->dy + y_at : NULL,
        .w = v->w ? v->w + trial * v->w_stride : NULL,
        .bias = v->bias ? v->bias + trial * v->w_stride : NULL,
        .relu = v->relu,
    };
}

static void cpu_conv_forward(const struct kern_conv *v)
{
    const struct kern_conv_shape *s = &v->shape;

    for (size_t t = 0; t < (size_t) v->trials; t++)
        for (size_t n = 0; n < (size_t) v->samples; n += KERN_PANEL) {
            struct conv_part p = conv_part_of(v, t, n);
            const size_t left = (size_t) v->samples - n;
            conv_rows(&p, s->filters, s->groups, 0);
            if (left < KERN_PANEL)
                clear_lanes(p.y, (size_t) s->filters * plane(s->out_height, s->out_width), left);
        }
}

/* Padding stays +0: it is in dy. */
static void cpu_conv_dx(const struct kern_conv *v)
{
    for (size_t t = 0; t < (size_t) v->trials; t++)
        for (size_t n = 0; n < (size_t) v->samples; n += KERN_PANEL) {
            struct conv_part p = conv_part_of(v, t, n);
            conv_rows(&p, v->shape.channels, v->shape.groups, 1);
        }
}

#endif
