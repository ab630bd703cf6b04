/*
 * conv_dw.h - the gradients of a convolution's weights and biases.
 *
 * The plain way: 16 samples in lanes, one chain per weight and sample, then the samples in order.
 */
#ifndef KERN_CPU_CONV_DW_H
#define KERN_CPU_CONV_DW_H

#include "kernels/cpu/conv.h"

/* Output positions in block order, two loops outside and two inside. */
#define EACH_BLOCK(S, BH, BW)                       \
    for (int BH = 0; BH < (S)->out_height; BH += 2) \
        for (int BW = 0; BW < (S)->out_width; BW += 2)
#define EACH_IN_BLOCK(S, BH, BW, OH, OW)                         \
    for (int OH = BH; OH < BH + 2 && OH < (S)->out_height; OH++) \
        for (int OW = BW; OW < BW + 2 && OW < (S)->out_width; OW++)

/* `sum` and the samples of a chain in lanes, in order. */
ALWAYS_INLINE float add_samples(float sum, const vec acc[VECS_PER_ROW], size_t samples)
{
    float lane[KERN_PANEL];

    UNROLL_ALL
    for (int v = 0; v < VECS_PER_ROW; v++)
        vec_store(lane + v * VEC_LANES, acc[v]);
    for (size_t n = 0; n < samples && n < KERN_PANEL; n++)
        sum = sum + (lane[n] + 0.0f);
    return sum;
}

/* One weight's: dy and x are of 16 samples, of its filter and channel. */
static float weight_grad(const struct kern_conv_shape *s, const float *dy, const float *x, int row,
                         int col, float sum, size_t samples)
{
    vec acc[VECS_PER_ROW];

    UNROLL_ALL
    for (int v = 0; v < VECS_PER_ROW; v++)
        acc[v] = vec_zero();
    EACH_BLOCK (s, bh, bw)
        EACH_IN_BLOCK (s, bh, bw, oh, ow) {
            const int h = oh * s->stride - s->pad + row * s->dilation;
            const int w = ow * s->stride - s->pad + col * s->dilation;
            const size_t at = (size_t) oh * (size_t) s->out_width + (size_t) ow;
            if (h < 0 || h >= s->height || w < 0 || w >= s->width)
                continue;
            UNROLL_ALL
            for (int v = 0; v < VECS_PER_ROW; v++)
                acc[v] = vec_fma(
                    vec_load(dy + at * KERN_PANEL + v * VEC_LANES),
                    vec_load(x + ((size_t) h * (size_t) s->width + (size_t) w) * KERN_PANEL +
                             v * VEC_LANES),
                    acc[v]);
        }
    return add_samples(sum, acc, samples);
}

static void plain_dw(const struct kern_conv *v, size_t t)
{
    const struct kern_conv_shape *s = &v->shape;
    const int ins = s->channels / s->groups, outs = s->filters / s->groups;
    float *dw = v->dw + t * v->dw_stride;

    for (int o = 0; o < s->filters; o++)
        for (int c = 0; c < ins; c++)
            for (int tap = 0; tap < s->kernel * s->kernel; tap++) {
                float sum = 0.0f;
                for (size_t n = 0; n < (size_t) v->samples; n += KERN_PANEL) {
                    const struct conv_part p = conv_part_of(v, t, n);
                    const size_t channel = (size_t) (o / outs * ins + c);
                    sum = weight_grad(
                        s, p.dy + (size_t) o * plane(s->out_height, s->out_width) * KERN_PANEL,
                        p.x + channel * plane(s->height, s->width) * KERN_PANEL, tap / s->kernel,
                        tap % s->kernel, sum, (size_t) v->samples - n);
                }
                *dw++ = sum;
            }
}

static float filter_db(const struct kern_conv *v, size_t t, int filter)
{
    const struct kern_conv_shape *s = &v->shape;
    float sum = 0.0f;

    for (size_t n = 0; n < (size_t) v->samples; n += KERN_PANEL) {
        const struct conv_part p = conv_part_of(v, t, n);
        const float *dy = p.dy + (size_t) filter * plane(s->out_height, s->out_width) * KERN_PANEL;
        vec acc[VECS_PER_ROW];
        UNROLL_ALL
        for (int i = 0; i < VECS_PER_ROW; i++)
            acc[i] = vec_zero();
        EACH_BLOCK (s, bh, bw)
            EACH_IN_BLOCK (s, bh, bw, oh, ow) {
                const size_t at = (size_t) oh * (size_t) s->out_width + (size_t) ow;
                UNROLL_ALL
                for (int i = 0; i < VECS_PER_ROW; i++)
                    acc[i] = vec_add(acc[i], vec_load(dy + at * KERN_PANEL + i * VEC_LANES));
            }
        sum = add_samples(sum, acc, (size_t) v->samples - n);
    }
    return sum;
}

static void cpu_conv_dw(const struct kern_conv *v)
{
    const struct kern_conv_shape *s = &v->shape;
    const size_t count =
        (size_t) s->filters * (size_t) (s->channels / s->groups) * plane(s->kernel, s->kernel);

    for (size_t t = 0; t < (size_t) v->trials; t++) {
        for (int o = 0; v->db && o < (int) kern_pad((size_t) s->filters); o++)
            v->db[t * v->dw_stride + (size_t) o] = o < s->filters ? filter_db(v, t, o) : 0.0f;
        if (!v->dw)
            continue;
        plain_dw(v, t);
        for (size_t i = count; i < kern_pad(count); i++)
            v->dw[t * v->dw_stride + i] = 0.0f;
    }
}

#endif
