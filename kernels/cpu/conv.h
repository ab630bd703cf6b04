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
#ifdef __AVX2__
#include "kernels/cpu/conv_scatter.h"
#endif

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

/* Some filters at one position, finished, `step` floats apart. */
ALWAYS_INLINE void forward_outputs(const struct conv_part *p, float *y, size_t step, int oh, int ow,
                                   const int rows)
{
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
            vec_store(y + (size_t) r * step + v * VEC_LANES, acc[r][v]);
        }
    }
}

ALWAYS_INLINE void forward_filters(const struct conv_part *p, const int rows)
{
    const struct kern_conv_shape *s = &p->s;
    const size_t positions = plane(s->out_height, s->out_width);
    float *y = p->y + positions * (size_t) p->first * KERN_PANEL;

    for (int oh = 0; oh < s->out_height; oh++)
        for (int ow = 0; ow < s->out_width; ow++) {
            forward_outputs(p, y, positions * KERN_PANEL, oh, ow, rows);
            y += KERN_PANEL;
        }
}

/* The first maximum of four outputs, `step` floats apart, and which it is. */
ALWAYS_INLINE void choose_largest(float *y, float *tap, const float *from, size_t step,
                                  const bool relu)
{
    static const float number[5] = {0, 1, 2, 3, 4};
    const vec a = vec_load(from), b = vec_load(from + step);
    const vec c = vec_load(from + 2 * step), d = vec_load(from + 3 * step);
    const vec ab = vec_larger(b, a), cd = vec_larger(d, c), max = vec_larger(cd, ab);
    const vec at_ab = vec_where_larger(b, a, vec_spread(number + 2), vec_spread(number + 1));
    const vec at_cd = vec_where_larger(d, c, vec_spread(number + 4), vec_spread(number + 3));
    const vec at = vec_where_larger(cd, ab, at_cd, at_ab);

    vec_store(y, max);
    vec_store(tap, relu ? vec_drop(at, max) : at);
}

/* The same with the pool behind it: some windows of a row, then their maxima. */
ALWAYS_INLINE void forward_pooled(const struct conv_part *p, const int rows)
{
    enum { WINDOWS = 4, STEP = TILE_ROWS * KERN_PANEL };
    _Alignas(64) float part[WINDOWS][4][STEP];
    const size_t positions = plane(p->y_height, p->y_width);

    for (int h = 0; h < p->y_height; h++)
        for (int first = 0; first < p->y_width; first += WINDOWS) {
            const int count = p->y_width - first < WINDOWS ? p->y_width - first : WINDOWS;
            for (int i = 0; i < count * 4; i++)
                forward_outputs(p, part[i / 4][i % 4], KERN_PANEL, 2 * h + i % 4 / 2,
                                2 * (first + i / 4) + i % 2, rows);
            for (int i = 0; i < count; i++)
                for (size_t r = 0; r < (size_t) rows; r++)
                    for (size_t v = 0; v < KERN_PANEL; v += VEC_LANES) {
                        const size_t at =
                            (positions * ((size_t) p->first + r) +
                             (size_t) h * (size_t) p->y_width + (size_t) (first + i)) *
                                KERN_PANEL +
                            v;
                        choose_largest(p->y + at, p->tap + at, part[i][0] + r * KERN_PANEL + v,
                                       STEP, p->relu);
                    }
        }
}

typedef void conv_fn(const struct conv_part *p);

#define CONV_FNS(ROWS)                                         \
    static void conv_forward_##ROWS(const struct conv_part *p) \
    {                                                          \
        forward_filters(p, ROWS);                              \
    }                                                          \
    static void conv_pooled_##ROWS(const struct conv_part *p)  \
    {                                                          \
        forward_pooled(p, ROWS);                               \
    }                                                          \
    static void conv_dx_##ROWS(const struct conv_part *p)      \
    {                                                          \
        dx_channels(p, ROWS);                                  \
    }
EACH_TILE_ROWS(CONV_FNS)

enum { CONV_FORWARD, CONV_POOLED, CONV_DX };

/* [rows - 1][which] */
static conv_fn *const conv_fns[TILE_ROWS][3] = {
#define CONV_ENTRY(ROWS) {conv_forward_##ROWS, conv_pooled_##ROWS, conv_dx_##ROWS},
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

static void cpu_conv_forward(const struct kern_conv *v)
{
    const struct kern_conv_shape *s = &v->shape;

    for (size_t t = 0; t < (size_t) v->trials; t++)
        for (size_t n = 0; n < (size_t) v->samples; n += KERN_PANEL) {
            struct conv_part p = conv_part_of(v, t, n);
            const size_t left = (size_t) v->samples - n;
            const size_t features = (size_t) s->filters * plane(p.y_height, p.y_width);
            conv_rows(&p, s->filters, s->groups, v->tap ? CONV_POOLED : CONV_FORWARD);
            if (left < KERN_PANEL)
                clear_lanes(p.y, features, left);
            if (left < KERN_PANEL && p.tap)
                clear_lanes(p.tap, features, left);
        }
}

/* Padding stays +0: it is in dy. */
static void cpu_conv_dx(const struct kern_conv *v)
{
    for (size_t t = 0; t < (size_t) v->trials; t++) {
#ifdef __AVX2__
        if (scattered_dx(v, t))
            continue;
#endif
        for (size_t n = 0; n < (size_t) v->samples; n += KERN_PANEL) {
            struct conv_part p = conv_part_of(v, t, n);
            conv_rows(&p, v->shape.channels, v->shape.groups, CONV_DX);
        }
    }
}

#endif
