/*
 * ref.c - the backend "ref": every operation as kernels/contract.h words it, one element at a time.
 *
 * The oracle the fast instances are compared with, bit for bit, so it stays naive: no tiles, no vectors, no
 * helper shared with kernels/cpu. fmaf is libm's where the compiler has no instruction for it.
 */
#include <math.h>
#include <string.h>

#include "kernels/backend_impl.h"
#include "kernels/math/elementary.h"
#include "kernels/math/philox.h"
#include "kernels/optim/list.h"

typedef float body_fn(float w, float g, float *slot, const struct kern_hyper *h, int variant);

static const struct {
    const char *name;
    body_fn *body;
} bodies[] = {
#define KERN_OPTIM_EACH(NAME) {#NAME, NAME##_body},
#include "kernels/optim/list.h"
#undef KERN_OPTIM_EACH
};

/* The new weight; slot[k][at] are updated. */
static float step_element(float w, float g, float *const *slot, size_t at,
                          const struct kern_step *step)
{
    const int slots = step->optim->slots(step->variant);
    float state[KERN_SLOTS] = {0};
    size_t row = 0;

    while (strcmp(bodies[row].name, step->optim->name) != 0)
        row++;
    for (int k = 0; k < slots; k++)
        state[k] = slot[k][at];
    w = bodies[row].body(w, g, state, &step->hyper, step->variant);
    for (int k = 0; k < slots; k++)
        slot[k][at] = state[k];
    return w;
}

static void clear_padding(float *x, int rows, int cols)
{
    for (size_t c = (size_t) cols; c < kern_pad((size_t) cols); c++)
        for (size_t r = 0; r < (size_t) rows; r++)
            x[kern_at((size_t) rows, r, c)] = 0.0f;
}

static float chain(const struct kern_matmul *m, const float *a, const float *b, size_t row,
                   size_t col)
{
    float acc = 0.0f;

    for (size_t k = 0; k < (size_t) m->depth; k++)
        acc =
            fmaf(a[kern_at((size_t) m->rows, row, k)], b[kern_at((size_t) m->depth, k, col)], acc);
    return acc + 0.0f;
}

static void matmul_element(const struct kern_matmul *m, size_t trial, size_t row, size_t col)
{
    const float acc = chain(m, m->a + trial * m->a_stride, m->b + trial * m->b_stride, row, col);
    const float *extra = m->extra ? m->extra + trial * m->extra_stride : NULL;
    const size_t at = kern_at((size_t) m->rows, row, col);
    float *c = m->c + trial * m->c_stride + at;
    float y;

    switch (m->epilogue) {
    case KERN_STORE:
        *c = acc;
        break;
    case KERN_BIAS:
        *c = acc + extra[col];
        break;
    case KERN_BIAS_RELU:
        y = acc + extra[col];
        *c = y <= 0.0f ? 0.0f : y;
        break;
    case KERN_MASK:
        *c = extra[at] <= 0.0f ? 0.0f : acc;
        break;
    case KERN_UPDATE:
        *c = step_element(*c, acc, m->slot, trial * m->c_stride + at, &m->step[trial]);
        break;
    }
}

static void ref_matmul(const struct kern_matmul *m)
{
    for (size_t t = 0; t < (size_t) m->trials; t++) {
        for (size_t r = 0; r < (size_t) m->rows; r++)
            for (size_t c = 0; c < (size_t) m->cols; c++)
                matmul_element(m, t, r, c);
        clear_padding(m->c + t * m->c_stride, m->rows, m->cols);
    }
}

static void ref_update(const struct kern_update *u)
{
    for (size_t t = 0; t < (size_t) u->trials; t++)
        for (size_t i = 0; i < u->count; i++) {
            const size_t at = t * u->w_stride + i;
            u->w[at] = step_element(u->w[at], u->g[t * u->g_stride + i], u->slot, at, &u->step[t]);
        }
}

static void ref_transpose(float *out, const float *in, int rows, int cols)
{
    for (size_t r = 0; r < (size_t) rows; r++)
        for (size_t c = 0; c < (size_t) cols; c++)
            out[kern_at((size_t) cols, c, r)] = in[kern_at((size_t) rows, r, c)];
    clear_padding(out, cols, rows);
}

static float gather_value(const struct kern_gather *g, size_t sample, size_t feature)
{
    const size_t at = sample * (size_t) g->features + feature;
    return g->pixels ? ((float) g->pixels[at] / 255.0f - g->mean) / g->std : g->values[at];
}

static void ref_gather(const struct kern_gather *g)
{
    const size_t rows = (size_t) g->rows, features = (size_t) g->features;

    for (size_t t = 0; t < (size_t) g->trials; t++) {
        float *x = g->x + t * g->x_stride;
        for (size_t r = 0; r < rows; r++)
            for (size_t f = 0; f < features; f++)
                x[kern_at(rows, r, f)] = gather_value(g, g->index[t * g->index_stride + r], f);
        clear_padding(x, g->rows, g->features);
        if (g->xt)
            ref_transpose(g->xt + t * g->xt_stride, x, g->rows, g->features);
    }
}

static void ref_relu(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] <= 0.0f ? 0.0f : x[i];
}

static void ref_relu_grad(float *dx, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx[i] = x[i] <= 0.0f ? 0.0f : dx[i];
}

static void ref_dropout(const struct kern_dropout *d)
{
    for (size_t t = 0; t < (size_t) d->trials; t++) {
        const uint32_t threshold = kern_dropout_threshold(d->p[t]);
        const float scale = (float) (1.0 / (1.0 - d->p[t]));
        for (uint32_t r = 0; r < (uint32_t) d->rows; r++)
            for (uint32_t c = 0; c < (uint32_t) d->cols; c++) {
                const uint32_t sample = d->transposed ? c : r, feature = d->transposed ? r : c;
                float *x = d->x + t * d->x_stride + kern_at((size_t) d->rows, r, c);
                const bool keep =
                    kern_dropout_keep(d->seed[t], feature, sample, d->step, d->layer, threshold);
                *x = keep ? *x * scale : 0.0f;
            }
    }
}

static void ref_mask(const struct kern_mask *m)
{
    const float scale = 1.0f / (float) (1.0 - m->p);
    const int channels = (m->transposed ? m->rows : m->cols) / m->plane;

    for (int r = 0; r < m->rows; r++)
        for (int c = 0; c < m->cols; c++) {
            const int sample = m->transposed ? c : r, feature = m->transposed ? r : c;
            float *x = m->x + kern_at((size_t) m->rows, (size_t) r, (size_t) c);
            *x = m->keep[(size_t) sample * (size_t) channels + (size_t) (feature / m->plane)]
                     ? *x * scale
                     : 0.0f;
        }
}

static void ref_bias_grad(float *db, const float *dy, int rows, int cols)
{
    for (size_t c = 0; c < kern_pad((size_t) cols); c++) {
        float sum = 0.0f;
        for (size_t r = 0; c < (size_t) cols && r < (size_t) rows; r++)
            sum += dy[kern_at((size_t) rows, r, c)];
        db[c] = sum + 0.0f;
    }
}

static double ref_sum_squares(const float *x, size_t rows, size_t cols)
{
    double column[KERN_PANEL] = {0}, sum = 0;

    for (size_t p = 0; p < kern_pad(cols); p += KERN_PANEL)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < KERN_PANEL; c++) {
                const double v = (double) x[kern_at(rows, r, p + c)];
                column[c] += v * v;
            }
    for (size_t c = 0; c < KERN_PANEL; c++)
        sum += column[c];
    return sum;
}

static void ref_add(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = y[i] + x[i];
}

static void ref_scale(float *x, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] * factor;
}

static void ref_add_scaled(float *w, const float *r, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        w[i] = fmaf(factor, r[i], w[i]);
}

static void ref_lerp(float *a, const float *w, size_t count, float t)
{
    for (size_t i = 0; i < count; i++)
        a[i] = fmaf(t, w[i] - a[i], a[i]);
}

static void ref_clamp(float *x, size_t count, float limit)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

static void ref_add_sign(float *g, const float *w, size_t count, float l1)
{
    for (size_t i = 0; i < count; i++)
        g[i] = g[i] + (w[i] > 0.0f ? l1 : w[i] < 0.0f ? -l1 : 0.0f);
}

const struct kern_ops kern_ref = {
    .name = "ref",
    .instance = "ref",
    .matmul = ref_matmul,
    .update = ref_update,
    .gather = ref_gather,
    .transpose = ref_transpose,
    .relu = ref_relu,
    .relu_grad = ref_relu_grad,
    .dropout = ref_dropout,
    .mask = ref_mask,
    .bias_grad = ref_bias_grad,
    .loss = kern_ref_loss,
    .softmax = kern_ref_softmax,
    .sum_squares = ref_sum_squares,
    .add = ref_add,
    .scale = ref_scale,
    .clamp = ref_clamp,
    .add_scaled = ref_add_scaled,
    .lerp = ref_lerp,
    .add_sign = ref_add_sign,
    .activate = kern_ref_activate,
    .activate_grad = kern_ref_activate_grad,
    .conv_forward = kern_ref_conv_forward,
    .conv_dx = kern_ref_conv_dx,
    .conv_dw = kern_ref_conv_dw,
    .maxpool = kern_ref_maxpool,
    .maxpool_grad = kern_ref_maxpool_grad,
    .avgpool = kern_ref_avgpool,
    .avgpool_grad = kern_ref_avgpool_grad,
    .batchnorm = kern_ref_batchnorm,
    .batchnorm_eval = kern_ref_batchnorm_eval,
    .batchnorm_grad = kern_ref_batchnorm_grad,
    .layernorm = kern_ref_layernorm,
    .layernorm_grad = kern_ref_layernorm_grad,
    .dropout2d = kern_ref_dropout2d,
    .noise = kern_ref_noise,
};
