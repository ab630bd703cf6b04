/*
 * instance.c - one instance of the backend "cpu".
 *
 * Compiled once per instruction set, with the flags of that set and KERN_INSTANCE set to its name (CMakeLists.txt
 * has the list). Everything in the headers below is static: an instance exports its table and nothing else,
 * so code of two instruction sets never mixes.
 */
#include <stdbool.h>

#include "kernels/backend_impl.h"
#include "kernels/cpu/activate.h"
#include "kernels/cpu/batchnorm.h"
#include "kernels/cpu/conv.h"
#include "kernels/cpu/conv_dw.h"
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/gather.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/layernorm.h"
#include "kernels/cpu/loss.h"
#include "kernels/cpu/noise.h"
#include "kernels/cpu/pool.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/softmax.h"

static void cpu_relu(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] <= 0.0f ? 0.0f : x[i];
}

static void cpu_relu_grad(float *RESTRICT dx, const float *RESTRICT x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx[i] = x[i] <= 0.0f ? 0.0f : dx[i];
}

static void cpu_bias_grad(float *db, const float *dy, int rows, int cols)
{
    const size_t panels = kern_pad((size_t) cols) / KERN_PANEL;

    for (size_t p = 0; p < panels; p++) {
        const float *panel = dy + p * (size_t) rows * KERN_PANEL;
        float sum[KERN_PANEL] = {0};
        for (size_t r = 0; r < (size_t) rows; r++)
            for (size_t c = 0; c < KERN_PANEL; c++)
                sum[c] += panel[r * KERN_PANEL + c];
        for (size_t c = 0; c < KERN_PANEL; c++)
            db[p * KERN_PANEL + c] = sum[c] + 0.0f;
    }
}

static double cpu_sum_squares(const float *x, size_t rows, size_t cols)
{
    const size_t count = rows * kern_pad(cols);
    double column[KERN_PANEL] = {0}, sum = 0;

    for (size_t i = 0; i < count; i += KERN_PANEL)
        for (size_t c = 0; c < KERN_PANEL; c++) {
            const double v = (double) x[i + c];
            column[c] += v * v;
        }
    for (size_t c = 0; c < KERN_PANEL; c++)
        sum += column[c];
    return sum;
}

static void cpu_add(float *RESTRICT y, const float *RESTRICT x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = y[i] + x[i];
}

static void cpu_scale(float *x, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] * factor;
}

static void cpu_add_scaled(float *RESTRICT w, const float *RESTRICT r, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        w[i] = fmaf(factor, r[i], w[i]);
}

static void cpu_lerp(float *RESTRICT a, const float *RESTRICT w, size_t count, float t)
{
    for (size_t i = 0; i < count; i++)
        a[i] = fmaf(t, w[i] - a[i], a[i]);
}

static void cpu_clamp(float *x, size_t count, float limit)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

static void cpu_add_sign(float *RESTRICT g, const float *RESTRICT w, size_t count, float l1)
{
    for (size_t i = 0; i < count; i++)
        g[i] = g[i] + (w[i] > 0.0f ? l1 : w[i] < 0.0f ? -l1 : 0.0f);
}

#define TABLE_NAME_(instance) kern_cpu_##instance
#define TABLE_NAME(instance) TABLE_NAME_(instance)
#define TEXT_(word) #word
#define TEXT(word) TEXT_(word)

const struct kern_ops TABLE_NAME(KERN_INSTANCE) = {
    .name = "cpu",
    .instance = TEXT(KERN_INSTANCE),
    .lanes = &cpu_lanes,
    .matmul = cpu_matmul,
    .update = cpu_update,
    .gather = cpu_gather,
    .transpose = cpu_transpose,
    .relu = cpu_relu,
    .relu_grad = cpu_relu_grad,
    .dropout = cpu_dropout,
    .mask = cpu_mask,
    .bias_grad = cpu_bias_grad,
    .loss = cpu_loss,
    .softmax = cpu_softmax,
    .sum_squares = cpu_sum_squares,
    .add = cpu_add,
    .scale = cpu_scale,
    .clamp = cpu_clamp,
    .add_scaled = cpu_add_scaled,
    .lerp = cpu_lerp,
    .add_sign = cpu_add_sign,
    .activate = cpu_activate,
    .activate_grad = cpu_activate_grad,
    .conv_forward = cpu_conv_forward,
    .conv_dx = cpu_conv_dx,
    .conv_dw = cpu_conv_dw,
    .maxpool = cpu_maxpool,
    .maxpool_grad = cpu_maxpool_grad,
    .avgpool = cpu_avgpool,
    .avgpool_grad = cpu_avgpool_grad,
    .batchnorm = cpu_batchnorm,
    .batchnorm_eval = cpu_batchnorm_eval,
    .batchnorm_grad = cpu_batchnorm_grad,
    .layernorm = cpu_layernorm,
    .layernorm_grad = cpu_layernorm_grad,
    .dropout2d = cpu_dropout2d,
    .noise = cpu_noise,
};
