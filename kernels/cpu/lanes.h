/*
 * lanes.h - whole steps of small nets, a trial in every lane (kernels/lanes.h says what is computed).
 */
#ifndef KERN_CPU_LANES_H
#define KERN_CPU_LANES_H

#include "kernels/cpu/lanes_loss.h"
#include "kernels/cpu/lanes_node.h"
#include "kernels/cpu/lanes_product.h"
#include "kernels/lanes.h"

static void lane_pass_forward(const struct lane_pass *pass)
{
    const struct kern_lanes_net *net = pass->net;

    lane_gather(pass);
    lane_node_forward(pass, 0, false);
    for (int l = 0; l < net->layers; l++) {
        const float *w = pass->m->w + kern_lanes_weights(net, VEC_LANES, l);
        const struct lane_product p = {
            .rows = pass->rows,
            .cols = (size_t) net->width[l + 1],
            .depth = (size_t) net->width[l],
            .a = pass->x[l],
            .a_pitch = pass->pitch[l],
            .b = w,
            .b_pitch = pass->pitch[l + 1],
            .c = pass->x[l + 1],
            .c_pitch = pass->pitch[l + 1],
            .extra = w + (size_t) net->width[l] * pass->pitch[l + 1],
        };
        lane_forward(&p, net->node[l + 1].relu);
        lane_node_forward(pass, l + 1, true);
    }
}

/* Rule 4: out[cols] = sum of the rows of g. */
static void lane_bias_grad(float *out, const float *g, size_t rows, size_t pitch, size_t cols)
{
    size_t c = 0;

    for (; c + 4 <= cols; c += 4) {
        vec sum[4] = {vec_zero(), vec_zero(), vec_zero(), vec_zero()};
        for (size_t r = 0; r < rows; r++) {
            UNROLL_ALL
            for (size_t i = 0; i < 4; i++)
                sum[i] = vec_add(sum[i], vec_load(g + r * pitch + (c + i) * VEC_LANES));
        }
        for (size_t i = 0; i < 4; i++)
            vec_store(out + (c + i) * VEC_LANES, vec_add(sum[i], vec_zero()));
    }
    for (; c < cols; c++) {
        vec sum = vec_zero();
        for (size_t r = 0; r < rows; r++)
            sum = vec_add(sum, vec_load(g + r * pitch + c * VEC_LANES));
        vec_store(out + c * VEC_LANES, vec_add(sum, vec_zero()));
    }
}

/* `rows` rows of `cols` columns from `at` on, their gradients likewise in grad. */
static void lane_update_rows(const struct kern_lanes *m, const struct lane_update *u, size_t at,
                             const float *grad, size_t rows, size_t pitch, size_t cols)
{
    const size_t floats = (cols * VEC_LANES + KERN_PANEL - 1) / KERN_PANEL * KERN_PANEL;

    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < floats; i += LANE_STRIP)
            step_piece(u, m->w, grad + r * pitch + i, m->slot, at + r * pitch + i,
                       floats - i < LANE_STRIP ? floats - i : LANE_STRIP);
}

/* The weights' gradients, and their step unless gradients are kept. */
static void lane_weight_gradient(const struct lane_pass *pass, int l, struct lane_update *u)
{
    const struct kern_lanes *m = pass->m;
    const size_t at = kern_lanes_weights(pass->net, VEC_LANES, l);
    const struct lane_product p = {
        .rows = (size_t) pass->net->width[l],
        .cols = (size_t) pass->net->width[l + 1],
        .depth = pass->rows,
        .a = pass->x[l],
        .a_pitch = pass->pitch[l],
        .b = pass->g[l + 1],
        .b_pitch = pass->pitch[l + 1],
        .c = (m->grad ? m->grad : m->w) + at,
        .c_pitch = pass->pitch[l + 1],
    };
    float *const slot[] = {slot_at(m->slot[0], at), slot_at(m->slot[1], at),
                           slot_at(m->slot[2], at)};

    if (m->grad) {
        lane_weight_store(&p);
    } else if (m->step[2 * l]) {
        lane_update_set(u, m->step[2 * l]);
        lane_weight_step(&p, slot, u);
    }
}

/* The biases' gradients are written over the layer's gradients, which nobody reads any more. */
static void lane_bias_gradient(const struct lane_pass *pass, int l, struct lane_update *u)
{
    const struct kern_lanes *m = pass->m;
    const size_t cols = (size_t) pass->net->width[l + 1], pitch = pass->pitch[l + 1];
    const size_t at =
        kern_lanes_weights(pass->net, VEC_LANES, l) + (size_t) pass->net->width[l] * pitch;
    float *sum = m->grad ? m->grad + at : pass->g[l + 1];

    lane_bias_grad(sum, pass->g[l + 1], pass->rows, pitch, cols);
    if (m->grad || !m->step[2 * l + 1])
        return;
    memset(sum + cols * VEC_LANES, 0, (pitch - cols * VEC_LANES) * sizeof *sum);
    lane_update_set(u, m->step[2 * l + 1]);
    lane_update_rows(m, u, at, sum, 1, pitch, cols);
}

static void lane_input_gradient(const struct lane_pass *pass, int l)
{
    const bool relu = pass->net->node[l].relu;
    const struct lane_product p = {
        .rows = pass->rows,
        .cols = (size_t) pass->net->width[l],
        .depth = (size_t) pass->net->width[l + 1],
        .a = pass->g[l + 1],
        .a_pitch = pass->pitch[l + 1],
        .b = pass->m->w + kern_lanes_weights(pass->net, VEC_LANES, l),
        .b_pitch = pass->pitch[l + 1],
        .c = pass->g[l],
        .c_pitch = pass->pitch[l],
        .extra = relu ? pass->x[l] : NULL,
    };

    lane_input(&p);
    lane_node_backward(pass, l, true);
}

static void cpu_lanes_train(const struct kern_lanes *m)
{
    const struct lane_pass pass = lane_pass_begin(m, true);
    struct lane_update u;

    u.step = NULL;
    lane_pass_forward(&pass);
    lane_loss(&pass);
    lane_node_backward(&pass, m->net->layers, false);
    for (int l = m->net->layers - 1; l >= 0; l--) {
        if (l > 0)
            lane_input_gradient(&pass, l);
        lane_weight_gradient(&pass, l, &u);
        lane_bias_gradient(&pass, l, &u);
    }
}

static void cpu_lanes_update(const struct kern_lanes *m)
{
    struct lane_update u;

    u.step = NULL;
    for (int l = 0; l < m->net->layers; l++) {
        const size_t at = kern_lanes_weights(m->net, VEC_LANES, l), in = (size_t) m->net->width[l],
                     pitch = kern_lanes_pitch(VEC_LANES, m->net->width[l + 1]);
        for (size_t part = 0; part < 2; part++) {
            const size_t from = at + part * in * pitch;
            if (!m->step[2 * (size_t) l + part])
                continue;
            lane_update_set(&u, m->step[2 * (size_t) l + part]);
            lane_update_rows(m, &u, from, m->grad + from, part ? 1 : in, pitch,
                             (size_t) m->net->width[l + 1]);
        }
    }
}

static void cpu_lanes_evaluate(const struct kern_lanes *m)
{
    const struct lane_pass pass = lane_pass_begin(m, false);

    lane_pass_forward(&pass);
    lane_loss(&pass);
}

static const struct kern_lanes_ops cpu_lanes = {
    .lanes = VEC_LANES,
    .train = cpu_lanes_train,
    .update = cpu_lanes_update,
    .evaluate = cpu_lanes_evaluate,
};

#endif
