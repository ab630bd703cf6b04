/* ref_conv.c - convolution and pooling of the backend "ref": rules 14 and 15 of the contract, one element at a time. */
#include <math.h>
#include <string.h>

#include "kernels/backend_impl.h"

static size_t at(int channel, int row, int col, int height, int width)
{
    return ((size_t) channel * (size_t) height + (size_t) row) * (size_t) width + (size_t) col;
}

/* Element of a panel matrix of `features` rows. */
static size_t place(int features, size_t feature, int sample)
{
    return kern_at((size_t) features, feature, (size_t) sample);
}

static int x_features(const struct kern_conv_shape *s)
{
    return s->channels * s->height * s->width;
}

/* Rows and columns of y and dy: of the pool's output, if one follows. */
static int y_height(const struct kern_conv *v)
{
    return v->tap ? v->shape.out_height / 2 : v->shape.out_height;
}

static int y_width(const struct kern_conv *v)
{
    return v->tap ? v->shape.out_width / 2 : v->shape.out_width;
}

static int y_features(const struct kern_conv *v)
{
    return v->shape.filters * y_height(v) * y_width(v);
}

/* Place of an output in y. */
static size_t y_at(const struct kern_conv *v, int filter, int row, int col, int sample)
{
    return place(y_features(v), at(filter, row, col, y_height(v), y_width(v)), sample);
}

/* The gradient at an output position of the convolution. */
static float dy_at(const struct kern_conv *v, size_t trial, int filter, int oh, int ow, int sample)
{
    const float *dy = v->dy + trial * v->y_stride;

    if (!v->tap)
        return dy[y_at(v, filter, oh, ow, sample)];
    if (oh / 2 >= y_height(v) || ow / 2 >= y_width(v))
        return 0.0f;
    const size_t window = y_at(v, filter, oh / 2, ow / 2, sample);
    const bool here = v->tap[trial * v->tap_stride + window] == (float) (oh % 2 * 2 + ow % 2 + 1);
    return here ? dy[window] : 0.0f;
}

static size_t w_at(const struct kern_conv_shape *s, int filter, int channel, int row, int col)
{
    return at(filter * (s->channels / s->groups) + channel, row, col, s->kernel, s->kernel);
}

static void clear_samples(float *x, int features, int samples)
{
    for (int n = samples; n < (int) kern_pad((size_t) samples); n++)
        for (int f = 0; f < features; f++)
            x[place(features, (size_t) f, n)] = 0.0f;
}

/* x at the tap (row, col) of output position (oh, ow), 0 in the padding; channel counts in filter's group. */
static float tap(const struct kern_conv_shape *s, const float *x, int sample, int filter,
                 int channel, int oh, int ow, int row, int col)
{
    const int h = oh * s->stride - s->pad + row * s->dilation;
    const int w = ow * s->stride - s->pad + col * s->dilation;
    const int group = filter / (s->filters / s->groups);

    if (h < 0 || h >= s->height || w < 0 || w >= s->width)
        return 0.0f;
    return x[place(x_features(s),
                   at(group * (s->channels / s->groups) + channel, h, w, s->height, s->width),
                   sample)];
}

static float forward_element(const struct kern_conv *v, size_t trial, int sample, int filter,
                             int oh, int ow)
{
    const struct kern_conv_shape *s = &v->shape;
    const float *x = v->x + trial * v->x_stride, *w = v->w + trial * v->w_stride;
    float acc = 0.0f;

    for (int c = 0; c < s->channels / s->groups; c++)
        for (int i = 0; i < s->kernel; i++)
            for (int j = 0; j < s->kernel; j++)
                acc = fmaf(tap(s, x, sample, filter, c, oh, ow, i, j), w[w_at(s, filter, c, i, j)],
                           acc);
    acc = acc + 0.0f;
    if (v->bias)
        acc = acc + v->bias[trial * v->w_stride + (size_t) filter];
    return v->relu && acc <= 0.0f ? 0.0f : acc;
}

/* One window of the pool that follows: its first maximum, and where that is. */
static void forward_window(const struct kern_conv *v, size_t trial, int sample, int filter, int row,
                           int col)
{
    const size_t e = y_at(v, filter, row, col, sample);
    float max = forward_element(v, trial, sample, filter, 2 * row, 2 * col);
    int from = 0;

    for (int i = 1; i < 4; i++) {
        const float y = forward_element(v, trial, sample, filter, 2 * row + i / 2, 2 * col + i % 2);
        if (y > max) {
            max = y;
            from = i;
        }
    }
    v->y[trial * v->y_stride + e] = max;
    v->tap[trial * v->tap_stride + e] = v->relu && max <= 0.0f ? 0.0f : (float) (from + 1);
}

void kern_ref_conv_forward(const struct kern_conv *v)
{
    for (size_t t = 0; t < (size_t) v->trials; t++) {
        for (int n = 0; n < v->samples; n++)
            for (int o = 0; o < v->shape.filters; o++)
                for (int row = 0; row < y_height(v); row++)
                    for (int col = 0; col < y_width(v); col++) {
                        if (v->tap)
                            forward_window(v, t, n, o, row, col);
                        else
                            v->y[t * v->y_stride + y_at(v, o, row, col, n)] =
                                forward_element(v, t, n, o, row, col);
                    }
        clear_samples(v->y + t * v->y_stride, y_features(v), v->samples);
        if (v->tap)
            clear_samples(v->tap + t * v->tap_stride, y_features(v), v->samples);
    }
}

/* Output positions (OH, OW) in block order. */
#define EACH_POSITION(S, OH, OW)                                         \
    for (int bh = 0; bh < (S)->out_height; bh += 2)                      \
        for (int bw = 0; bw < (S)->out_width; bw += 2)                   \
            for (int OH = bh; OH < bh + 2 && OH < (S)->out_height; OH++) \
                for (int OW = bw; OW < bw + 2 && OW < (S)->out_width; OW++)

static float dx_element(const struct kern_conv *v, size_t trial, int sample, int channel, int h,
                        int col)
{
    const struct kern_conv_shape *s = &v->shape;
    const float *w = v->w + trial * v->w_stride;
    const int outs = s->filters / s->groups, ins = s->channels / s->groups, group = channel / ins;
    float acc = 0.0f;

    EACH_POSITION (s, oh, ow) {
        const int i = h + s->pad - oh * s->stride, j = col + s->pad - ow * s->stride;
        if (i < 0 || j < 0 || i % s->dilation || j % s->dilation || i / s->dilation >= s->kernel ||
            j / s->dilation >= s->kernel)
            continue;
        for (int o = group * outs; o < (group + 1) * outs; o++)
            acc = fmaf(dy_at(v, trial, o, oh, ow, sample),
                       w[w_at(s, o, channel % ins, i / s->dilation, j / s->dilation)], acc);
    }
    return acc + 0.0f;
}

void kern_ref_conv_dx(const struct kern_conv *v)
{
    const struct kern_conv_shape *s = &v->shape;

    for (size_t t = 0; t < (size_t) v->trials; t++) {
        float *dx = v->dx + t * v->x_stride;
        for (int n = 0; n < v->samples; n++)
            for (int c = 0; c < s->channels; c++)
                for (int h = 0; h < s->height; h++)
                    for (int w = 0; w < s->width; w++) {
                        const size_t e = place(x_features(s), at(c, h, w, s->height, s->width), n);
                        const float acc = dx_element(v, t, n, c, h, w);
                        dx[e] = v->relu && v->x[t * v->x_stride + e] <= 0.0f ? 0.0f : acc;
                    }
        clear_samples(dx, x_features(s), v->samples);
    }
}

static float dw_element(const struct kern_conv *v, size_t trial, int filter, int channel, int row,
                        int col)
{
    const struct kern_conv_shape *s = &v->shape;
    const float *x = v->x + trial * v->x_stride;
    float sum = 0.0f;

    for (int n = 0; n < v->samples; n++) {
        float acc = 0.0f;
        EACH_POSITION (s, oh, ow) {
            acc = fmaf(dy_at(v, trial, filter, oh, ow, n),
                       tap(s, x, n, filter, channel, oh, ow, row, col), acc);
        }
        sum = sum + (acc + 0.0f);
    }
    return sum;
}

static float db_element(const struct kern_conv *v, size_t trial, int filter)
{
    const struct kern_conv_shape *s = &v->shape;
    float sum = 0.0f;

    for (int n = 0; n < v->samples; n++) {
        float acc = 0.0f;
        EACH_POSITION (s, oh, ow) {
            acc = acc + dy_at(v, trial, filter, oh, ow, n);
        }
        sum = sum + acc;
    }
    return sum;
}

static void ref_dw(const struct kern_conv *v, size_t trial)
{
    const struct kern_conv_shape *s = &v->shape;
    const int ins = s->channels / s->groups;
    const size_t count = w_at(s, s->filters, 0, 0, 0);
    float *dw = v->dw + trial * v->dw_stride;

    for (int o = 0; o < s->filters; o++)
        for (int c = 0; c < ins; c++)
            for (int i = 0; i < s->kernel; i++)
                for (int j = 0; j < s->kernel; j++)
                    dw[w_at(s, o, c, i, j)] = dw_element(v, trial, o, c, i, j);
    for (size_t i = count; i < kern_pad(count); i++)
        dw[i] = 0.0f;
}

void kern_ref_conv_dw(const struct kern_conv *v)
{
    for (size_t t = 0; t < (size_t) v->trials; t++) {
        if (v->dw)
            ref_dw(v, t);
        for (int o = 0; v->db && o < (int) kern_pad((size_t) v->shape.filters); o++)
            v->db[t * v->dw_stride + (size_t) o] =
                o < v->shape.filters ? db_element(v, t, o) : 0.0f;
    }
}

/* One window of one sample. */
struct window {
    const struct kern_pool *pool;
    size_t trial;
    int sample, channel, oh, ow;
};

/* Place in x of the window's tap i, in raster order. */
static size_t window_x(const struct window *w, int i)
{
    const struct kern_pool *p = w->pool;
    const int h = w->oh * p->stride + i / p->kernel_width;
    const int col = w->ow * p->stride + i % p->kernel_width;

    return w->trial * p->x_stride + place(p->channels * p->height * p->width,
                                          at(w->channel, h, col, p->height, p->width), w->sample);
}

static size_t window_y(const struct window *w)
{
    const struct kern_pool *p = w->pool;
    return w->trial * p->y_stride + place(p->channels * p->out_height * p->out_width,
                                          at(w->channel, w->oh, w->ow, p->out_height, p->out_width),
                                          w->sample);
}

typedef void window_fn(const struct window *w);

static void each_window(const struct kern_pool *p, window_fn *work)
{
    for (size_t t = 0; t < (size_t) p->trials; t++)
        for (int n = 0; n < p->samples; n++)
            for (int c = 0; c < p->channels; c++)
                for (int oh = 0; oh < p->out_height; oh++)
                    for (int ow = 0; ow < p->out_width; ow++)
                        work(&(struct window){p, t, n, c, oh, ow});
}

static void clear_y(const struct kern_pool *p)
{
    for (size_t t = 0; t < (size_t) p->trials; t++)
        clear_samples(p->y + t * p->y_stride, p->channels * p->out_height * p->out_width,
                      p->samples);
}

static void clear_dx(const struct kern_pool *p)
{
    const size_t features = (size_t) p->channels * (size_t) p->height * (size_t) p->width;

    for (size_t t = 0; t < (size_t) p->trials; t++)
        memset(p->dx + t * p->x_stride, 0,
               features * kern_pad((size_t) p->samples) * sizeof *p->dx);
}

static int taps(const struct window *w)
{
    return w->pool->kernel_height * w->pool->kernel_width;
}

/* The tap that is the window's maximum. */
static int largest(const struct window *w)
{
    const float *x = w->pool->x;
    int best = 0;

    for (int i = 1; i < taps(w); i++)
        if (x[window_x(w, i)] > x[window_x(w, best)])
            best = i;
    return best;
}

static void max_window(const struct window *w)
{
    w->pool->y[window_y(w)] = w->pool->x[window_x(w, largest(w))];
}

static void add_gradient(const struct window *w, int i, float g)
{
    const struct kern_pool *p = w->pool;
    const size_t e = window_x(w, i);

    p->dx[e] = p->dx[e] + (p->relu && p->x[e] <= 0.0f ? 0.0f : g);
}

static void max_window_grad(const struct window *w)
{
    add_gradient(w, largest(w), w->pool->dy[window_y(w)]);
}

static void mean_window(const struct window *w)
{
    float sum = 0.0f;

    for (int i = 0; i < taps(w); i++)
        sum = sum + w->pool->x[window_x(w, i)];
    w->pool->y[window_y(w)] = sum / (float) taps(w);
}

static void mean_window_grad(const struct window *w)
{
    for (int i = 0; i < taps(w); i++)
        add_gradient(w, i, w->pool->dy[window_y(w)] / (float) taps(w));
}

void kern_ref_maxpool(const struct kern_pool *p)
{
    each_window(p, max_window);
    clear_y(p);
}

void kern_ref_maxpool_grad(const struct kern_pool *p)
{
    clear_dx(p);
    each_window(p, max_window_grad);
}

void kern_ref_avgpool(const struct kern_pool *p)
{
    each_window(p, mean_window);
    clear_y(p);
}

void kern_ref_avgpool_grad(const struct kern_pool *p)
{
    clear_dx(p);
    each_window(p, mean_window_grad);
}
