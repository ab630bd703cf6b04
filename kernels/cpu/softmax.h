/*
 * softmax.h - softmax and its logarithm, 16 samples side by side as they lie (contract, rule 13).
 */
#ifndef KERN_CPU_SOFTMAX_H
#define KERN_CPU_SOFTMAX_H

#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"
#include "kernels/math/elementary.h"

/* One panel: classes rows of 16 samples. */
static void softmax_panel(float *y, const float *x, size_t classes, bool logs)
{
    float max[KERN_PANEL], sum[KERN_PANEL];

    for (int i = 0; i < KERN_PANEL; i++) {
        max[i] = -INFINITY;
        sum[i] = 0.0f;
    }
    for (size_t c = 0; c < classes; c++)
        for (int i = 0; i < KERN_PANEL; i++) {
            const float v = x[c * KERN_PANEL + (size_t) i];
            max[i] = v > max[i] ? v : max[i];
        }
    for (size_t c = 0; c < classes; c++)
        for (int i = 0; i < KERN_PANEL; i++) {
            const float v = kern_exp(x[c * KERN_PANEL + (size_t) i] - max[i]);
            sum[i] += v;
            y[c * KERN_PANEL + (size_t) i] = v;
        }
    for (int i = 0; i < KERN_PANEL && logs; i++)
        sum[i] = kern_log(sum[i]);
    for (size_t c = 0; c < classes && logs; c++)
        for (int i = 0; i < KERN_PANEL; i++)
            y[c * KERN_PANEL + (size_t) i] = x[c * KERN_PANEL + (size_t) i] - max[i] - sum[i];
    for (size_t c = 0; c < classes && !logs; c++)
        for (int i = 0; i < KERN_PANEL; i++)
            y[c * KERN_PANEL + (size_t) i] = y[c * KERN_PANEL + (size_t) i] / sum[i];
}

static void softmax_panel_gradient(float *dx, const float *y, const float *dy, size_t classes,
                                   bool logs)
{
    float sum[KERN_PANEL] = {0};

    for (size_t c = 0; c < classes; c++)
        for (int i = 0; i < KERN_PANEL; i++) {
            const size_t at = c * KERN_PANEL + (size_t) i;
            sum[i] += logs ? dy[at] : y[at] * dy[at];
        }
    for (size_t c = 0; c < classes && logs; c++)
        for (int i = 0; i < KERN_PANEL; i++) {
            const size_t at = c * KERN_PANEL + (size_t) i;
            dx[at] = dy[at] - kern_exp(y[at]) * sum[i];
        }
    for (size_t c = 0; c < classes && !logs; c++)
        for (int i = 0; i < KERN_PANEL; i++) {
            const size_t at = c * KERN_PANEL + (size_t) i;
            dx[at] = y[at] * (dy[at] - sum[i]);
        }
}

static void cpu_softmax(const struct kern_softmax *s)
{
    const size_t classes = (size_t) s->classes, samples = (size_t) s->samples;

    for (size_t t = 0; t < (size_t) s->trials; t++)
        for (size_t first = 0; first < samples; first += KERN_PANEL) {
            const size_t live = samples - first < KERN_PANEL ? samples - first : KERN_PANEL;
            const size_t at = first * classes;
            float *out = (s->x ? s->y + t * s->y_stride : s->dx + t * s->dx_stride) + at;
            if (s->x)
                softmax_panel(out, s->x + t * s->x_stride + at, classes, s->log);
            else
                softmax_panel_gradient(out, s->y + t * s->y_stride + at,
                                       s->dy + t * s->dy_stride + at, classes, s->log);
            for (size_t c = 0; c < classes && live < KERN_PANEL; c++)
                memset(out + c * KERN_PANEL + live, 0, (KERN_PANEL - live) * sizeof *out);
        }
}

#endif
