/*
 * conv_dx.h - the gradient of a convolution's input: along a span lie the filters of the group at one output position.
 */
#ifndef KERN_CPU_CONV_DX_H
#define KERN_CPU_CONV_DX_H

#include "kernels/cpu/conv_part.h"

/* Output positions that the input's row or column `at` reaches, ascending, and by which tap. */
struct reach {
    int count;
    int16_t tap[KERN_CONV_KERNEL_MAX];
    int out[KERN_CONV_KERNEL_MAX];
};

static void reach_from(struct reach *r, int at, int outs, const struct kern_conv_shape *s)
{
    r->count = 0;
    for (int i = s->kernel - 1; i >= 0; i--) {
        const int start = at + s->pad - i * s->dilation;
        if (start < 0 || start % s->stride != 0 || start / s->stride >= outs)
            continue;
        r->tap[r->count] = (int16_t) i;
        r->out[r->count++] = start / s->stride;
    }
}

/* The end of the block of positions (2p, 2p + 1) that entry i begins. */
ALWAYS_INLINE int block_end(const struct reach *r, int i)
{
    return i + 1 < r->count && r->out[i + 1] / 2 == r->out[i] / 2 ? i + 2 : i + 1;
}

ALWAYS_INLINE void dx_position(const struct conv_part *p, conv_acc acc, const struct reach *high,
                               const struct reach *wide, const int rows)
{
    const struct kern_conv_shape *s = &p->s;
    const int ins = s->channels / s->groups, outs = s->filters / s->groups, group = p->first / ins;
    const size_t kernel = (size_t) s->kernel, taps = kernel * kernel;
    const size_t positions = plane(p->y_height, p->y_width);
    const size_t filter = positions * (size_t) (group * outs) * KERN_PANEL;
    const float *w =
        p->w + ((size_t) (group * outs) * (size_t) ins + (size_t) (p->first % ins)) * taps;
    struct span run = {.x_step = positions * KERN_PANEL,
                       .w_step = (size_t) ins * taps,
                       .w_row = taps,
                       .count = (size_t) outs};

    for (int bh = 0, h_end; bh < high->count; bh = h_end) {
        h_end = block_end(high, bh);
        for (int bw = 0, w_end; bw < wide->count; bw = w_end) {
            w_end = block_end(wide, bw);
            for (int i = bh; i < h_end; i++)
                for (int j = bw; j < w_end; j++) {
                    size_t at;
                    if (!find_gradient(p, high->out[i], wide->out[j], &at, &run.tap))
                        continue;
                    run.x = p->dy + filter + at;
                    run.taps = p->tap ? p->tap + filter + at : NULL;
                    run.w = w + (size_t) high->tap[i] * kernel + (size_t) wide->tap[j];
                    span_run(acc, &run, run.count, rows);
                }
        }
    }
}

ALWAYS_INLINE void dx_channels(const struct conv_part *p, const int rows)
{
    const struct kern_conv_shape *s = &p->s;
    const size_t positions = plane(s->height, s->width);
    struct reach high, wide;

    for (int h = 0; h < s->height; h++) {
        reach_from(&high, h, s->out_height, s);
        for (int w = 0; w < s->width; w++) {
            const size_t at =
                (positions * (size_t) p->first + (size_t) h * (size_t) s->width + (size_t) w) *
                KERN_PANEL;
            conv_acc acc;
            UNROLL_ALL
            for (int r = 0; r < rows; r++) {
                UNROLL_ALL
                for (int v = 0; v < VECS_PER_ROW; v++)
                    acc[r][v] = vec_zero();
            }
            reach_from(&wide, w, s->out_width, s);
            dx_position(p, acc, &high, &wide, rows);
            UNROLL_ALL
            for (int r = 0; r < rows; r++) {
                UNROLL_ALL
                for (int v = 0; v < VECS_PER_ROW; v++) {
                    const size_t e =
                        at + (size_t) r * positions * KERN_PANEL + (size_t) (v * VEC_LANES);
                    acc[r][v] = vec_add(acc[r][v], vec_zero());
                    if (p->relu)
                        acc[r][v] = vec_drop(acc[r][v], vec_load(p->x + e));
                    vec_store(p->dx + e, acc[r][v]);
                }
            }
        }
    }
}

#endif
