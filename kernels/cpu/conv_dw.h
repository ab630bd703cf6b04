/*
 * conv_dw.h - the gradients of a convolution's weights and biases: of weights by lists of nonzeros (conv_listed.h), or
 * the plain way.
 *
 * The plain way: 16 samples in lanes, one chain per weight and sample, then the samples in order.
 */
#ifndef KERN_CPU_CONV_DW_H
#define KERN_CPU_CONV_DW_H

#include "kernels/cpu/conv.h"
#ifdef __AVX2__
#include "kernels/cpu/conv_listed.h"
#endif

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

/* One weight's, of 16 samples. */
static float weight_grad(const struct conv_part *p, int filter, int channel, int row, int col,
                         float sum, size_t samples)
{
    const struct kern_conv_shape *s = &p->s;
    const size_t plane_at = (size_t) filter * plane(p->y_height, p->y_width) * KERN_PANEL;
    const float *x = p->x + (size_t) channel * plane(s->height, s->width) * KERN_PANEL;
    vec acc[VECS_PER_ROW];

    UNROLL_ALL
    for (int v = 0; v < VECS_PER_ROW; v++)
        acc[v] = vec_zero();
    EACH_BLOCK (s, bh, bw)
        EACH_IN_BLOCK (s, bh, bw, oh, ow) {
            const int h = oh * s->stride - s->pad + row * s->dilation;
            const int w = ow * s->stride - s->pad + col * s->dilation;
            size_t at;
            float tap;
            if (h < 0 || h >= s->height || w < 0 || w >= s->width ||
                !find_gradient(p, oh, ow, &at, &tap))
                continue;
            UNROLL_ALL
            for (size_t v = 0; v < KERN_PANEL; v += VEC_LANES)
                acc[v / VEC_LANES] = vec_fma(
                    load_where(p->dy + plane_at + at + v,
                               p->tap ? p->tap + plane_at + at + v : NULL, tap),
                    vec_load(x + ((size_t) h * (size_t) s->width + (size_t) w) * KERN_PANEL + v),
                    acc[v / VEC_LANES]);
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
                    sum = weight_grad(&p, o, o / outs * ins + c, tap / s->kernel, tap % s->kernel,
                                      sum, (size_t) v->samples - n);
                }
                *dw++ = sum;
            }
}

/* Behind a pool one element of a block is not zero at most: the sum is over windows. */
static float filter_db(const struct kern_conv *v, size_t t, int filter)
{
    const int block = v->tap ? 1 : 2;
    float sum = 0.0f;

    for (size_t n = 0; n < (size_t) v->samples; n += KERN_PANEL) {
        const struct conv_part p = conv_part_of(v, t, n);
        const size_t plane_at = (size_t) filter * plane(p.y_height, p.y_width) * KERN_PANEL;
        vec acc[VECS_PER_ROW];
        UNROLL_ALL
        for (int i = 0; i < VECS_PER_ROW; i++)
            acc[i] = vec_zero();
        for (int bh = 0; bh < p.y_height; bh += block)
            for (int bw = 0; bw < p.y_width; bw += block)
                for (int h = bh; h < bh + block && h < p.y_height; h++)
                    for (int w = bw; w < bw + block && w < p.y_width; w++) {
                        const size_t at =
                            plane_at + ((size_t) h * (size_t) p.y_width + (size_t) w) * KERN_PANEL;
                        UNROLL_ALL
                        for (size_t i = 0; i < KERN_PANEL; i += VEC_LANES) {
                            vec g = vec_load(p.dy + at + i);
                            if (p.tap)
                                g = vec_drop(g, vec_load(p.tap + at + i));
                            acc[i / VEC_LANES] = vec_add(acc[i / VEC_LANES], g);
                        }
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
#ifdef __AVX2__
        if (!listed_dw(v, t))
#endif
            plain_dw(v, t);
        for (size_t i = count; i < kern_pad(count); i++)
            v->dw[t * v->dw_stride + i] = 0.0f;
    }
}

#endif
