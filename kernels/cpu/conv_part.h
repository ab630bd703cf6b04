/*
 * conv_part.h - what the direct convolutions share: 16 samples in lanes, TILE_ROWS rows of them in registers.
 *
 * Both the forward product (rows are filters) and the gradient of its input (rows are channels) run along a *span*:
 * numbers of the other operand a fixed step apart, each met by one weight per row.
 */
#ifndef KERN_CPU_CONV_PART_H
#define KERN_CPU_CONV_PART_H

#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

typedef vec conv_acc[TILE_ROWS][VECS_PER_ROW];

struct span {
    const float *x; /* of 16 samples */
    const float *w; /* of the first row */
    size_t x_step, w_step, w_row, count;
    const float *taps; /* NULL, or beside x: only numbers whose tap is `tap` count, others are +0 */
    float tap;
};

/* VEC_LANES numbers of x, those that count. */
ALWAYS_INLINE vec load_where(const float *x, const float *taps, float tap)
{
    return taps ? vec_where_equal(vec_load(taps), vec_spread(&tap), vec_load(x)) : vec_load(x);
}

ALWAYS_INLINE void span_run(conv_acc acc, const struct span *s, const size_t count, const int rows)
{
    const float *x = s->x, *taps = s->taps, *w[TILE_ROWS];

    UNROLL_ALL
    for (int r = 0; r < rows; r++)
        w[r] = s->w + (size_t) r * s->w_row;
    for (size_t k = 0; k < count; k++) {
        vec row[VECS_PER_ROW];
        UNROLL_ALL
        for (int v = 0; v < VECS_PER_ROW; v++)
            row[v] = load_where(x + v * VEC_LANES, taps ? taps + v * VEC_LANES : NULL, s->tap);
        UNROLL_ALL
        for (int r = 0; r < rows; r++) {
            const vec weight = vec_spread(w[r] + k * s->w_step);
            UNROLL_ALL
            for (int v = 0; v < VECS_PER_ROW; v++)
                acc[r][v] = vec_fma(weight, row[v], acc[r][v]);
        }
        x += s->x_step;
        taps = taps ? taps + s->x_step : NULL;
    }
}

ALWAYS_INLINE size_t plane(int height, int width)
{
    return (size_t) height * (size_t) width;
}

/* One trial, 16 samples, some filters or channels. */
struct conv_part {
    struct kern_conv_shape s;
    const float *x, *dy; /* of the panel, as all */
    float *y, *dx, *tap; /* tap: NULL where no pool follows */
    const float *w, *bias;
    bool relu;
    int first;             /* filter or channel */
    int y_height, y_width; /* of y, dy and tap */
};

static struct conv_part conv_part_of(const struct kern_conv *v, size_t trial, size_t first_sample)
{
    const struct kern_conv_shape *s = &v->shape;
    struct conv_part p = {
        .s = *s,
        .w = v->w ? v->w + trial * v->w_stride : NULL,
        .bias = v->bias ? v->bias + trial * v->w_stride : NULL,
        .relu = v->relu,
        .y_height = v->tap ? s->out_height / 2 : s->out_height,
        .y_width = v->tap ? s->out_width / 2 : s->out_width,
    };
    const size_t x_panel = first_sample * (size_t) s->channels * plane(s->height, s->width);
    const size_t y_panel = first_sample * (size_t) s->filters * plane(p.y_height, p.y_width);

    p.x = v->x ? v->x + trial * v->x_stride + x_panel : NULL;
    p.dx = v->dx ? v->dx + trial * v->x_stride + x_panel : NULL;
    p.y = v->y ? v->y + trial * v->y_stride + y_panel : NULL;
    p.dy = v->dy ? v->dy + trial * v->y_stride + y_panel : NULL;
    p.tap = v->tap ? v->tap + trial * v->tap_stride + y_panel : NULL;
    return p;
}

/* Where the gradient of an output position lies in a filter's plane of dy, and its tap; false: in no window. */
ALWAYS_INLINE bool find_gradient(const struct conv_part *p, int oh, int ow, size_t *at, float *tap)
{
    const int h = p->tap ? oh / 2 : oh, w = p->tap ? ow / 2 : ow;

    if (h >= p->y_height || w >= p->y_width)
        return false;
    *at = ((size_t) h * (size_t) p->y_width + (size_t) w) * KERN_PANEL;
    *tap = (float) (oh % 2 * 2 + ow % 2 + 1);
    return true;
}

/* Output positions in block order, two loops outside and two inside. */
#define EACH_BLOCK(S, BH, BW)                       \
    for (int BH = 0; BH < (S)->out_height; BH += 2) \
        for (int BW = 0; BW < (S)->out_width; BW += 2)
#define EACH_IN_BLOCK(S, BH, BW, OH, OW)                         \
    for (int OH = BH; OH < BH + 2 && OH < (S)->out_height; OH++) \
        for (int OW = BW; OW < BW + 2 && OW < (S)->out_width; OW++)

#endif
