/* pass.c - what layers share: forms of a node's matrices, copies, updates. */
#include <string.h>

#include "trainer/bundle_impl.h"
#include "trainer/torch.h"

enum { VALUES = TRAIN_X | TRAIN_XT, GRADIENTS = TRAIN_G | TRAIN_GT };

static float *matrix(const struct train_buffers *n, int which)
{
    switch (which) {
    case TRAIN_X:
        return n->x;
    case TRAIN_XT:
        return n->xt;
    case TRAIN_G:
        return n->g;
    default:
        return n->gt;
    }
}

static int turned(int which)
{
    return which == TRAIN_X    ? TRAIN_XT
           : which == TRAIN_XT ? TRAIN_X
           : which == TRAIN_G  ? TRAIN_GT
                               : TRAIN_G;
}

void train_pass_need(struct train_pass *pass, int node, int which)
{
    const struct train_buffers *n = &pass->nodes[node];
    const int features = pass->model->nodes[node].features;
    const bool by_sample = which == TRAIN_X || which == TRAIN_G;

    if (pass->have[node] & which)
        return;
    for (size_t t = 0; t < (size_t) pass->trials; t++)
        pass->ops->transpose(matrix(n, which) + t * n->stride,
                             matrix(n, turned(which)) + t * n->stride,
                             by_sample ? features : pass->rows, by_sample ? pass->rows : features);
    pass->have[node] |= (uint8_t) which;
}

void train_pass_made(struct train_pass *pass, int node, int which)
{
    const int kinds = (which & VALUES ? VALUES : 0) | (which & GRADIENTS ? GRADIENTS : 0);

    pass->have[node] = (uint8_t) ((pass->have[node] & ~kinds) | which);
}

static size_t size_of(const struct train_pass *pass, int node, int which)
{
    const size_t features = (size_t) pass->model->nodes[node].features, rows = (size_t) pass->rows;

    return which == TRAIN_X || which == TRAIN_G ? rows * kern_pad(features)
                                                : features * kern_pad(rows);
}

static void copy(struct train_pass *pass, int from, int to, int kind)
{
    const int which = pass->have[from] & (TRAIN_X | TRAIN_G) & kind ? kind & (TRAIN_X | TRAIN_G)
                                                                    : kind & (TRAIN_XT | TRAIN_GT);
    const struct train_buffers *a = &pass->nodes[from], *b = &pass->nodes[to];

    for (size_t t = 0; t < (size_t) pass->trials; t++)
        memcpy(matrix(b, which) + t * b->stride, matrix(a, which) + t * a->stride,
               size_of(pass, from, which) * sizeof(float));
    train_pass_made(pass, to, which);
}

/* In the form that `to` has. */
static void add(struct train_pass *pass, int from, int to, int kind)
{
    const int which = pass->have[to] & (TRAIN_X | TRAIN_G) & kind ? kind & (TRAIN_X | TRAIN_G)
                                                                  : kind & (TRAIN_XT | TRAIN_GT);
    const struct train_buffers *a = &pass->nodes[from], *b = &pass->nodes[to];

    train_pass_need(pass, from, which);
    for (size_t t = 0; t < (size_t) pass->trials; t++)
        pass->ops->add(matrix(b, which) + t * b->stride, matrix(a, which) + t * a->stride,
                       size_of(pass, from, which));
    train_pass_made(pass, to, which);
}

void train_pass_copy_values(struct train_pass *pass, int from, int to)
{
    copy(pass, from, to, VALUES);
}

void train_pass_copy_gradient(struct train_pass *pass, int from, int to)
{
    copy(pass, from, to, GRADIENTS);
}

void train_pass_add_values(struct train_pass *pass, int from, int to)
{
    add(pass, from, to, VALUES);
}

void train_pass_add_gradient(struct train_pass *pass, int from, int to)
{
    add(pass, from, to, GRADIENTS);
}

const uint8_t *train_pass_mask(const struct train_pass *pass, const struct train_layer *layer,
                               int t, double p, bool draw)
{
    if (!pass->torch)
        return NULL;
    const size_t count = (size_t) pass->rows * train_layer_draws(layer);
    uint8_t *mask = pass->masks[layer->index] + (size_t) t * count;
    if (draw)
        train_torch_mask(mask, count, p, &pass->torch[t]);
    return mask;
}

bool train_pass_trains(const struct train_pass *pass, int segment)
{
    return pass->trained[segment];
}

const struct kern_step *train_pass_step(const struct train_pass *pass, int segment)
{
    return pass->step + (size_t) segment * pass->step_stride;
}

void train_pass_update(struct train_pass *pass, int segment)
{
    const struct train_segment *s = &pass->model->segments[segment];
    struct kern_update u = {
        .trials = pass->trials,
        .count = s->count,
        .w = pass->w + s->offset,
        .g = pass->grad + s->offset,
        .w_stride = pass->w_stride,
        .g_stride = pass->w_stride,
        .step = train_pass_step(pass, segment),
    };

    if (pass->keep_gradients)
        return;
    for (int i = 0; i < KERN_SLOTS; i++)
        u.slot[i] = pass->slot[i] ? pass->slot[i] + s->offset : NULL;
    pass->ops->update(&u);
}
