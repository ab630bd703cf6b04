/*
 * gradient.c - accumulation, L1 penalty, clipping, the logged norm.
 *
 * clip_grad_norm_ and clip_grad_value_: torch/nn/utils/clip_grad.py. The L1 penalty l1 * sum |w| over all trained
 * parameters has gradient l1 * sign(w); it is not part of the reported loss.
 */
#include "trainer/gradient_impl.h"

#include <math.h>
#include <string.h>

bool train_gradient_is_worked_on(const struct train_spec *spec)
{
    return spec->optim->by_tensor || spec->accumulate > 1 || spec->l1 > 0 || spec->clip_norm > 0 ||
           spec->clip_value > 0;
}

/* The trained segment at or behind place *i, or NULL; *i is its place. */
static const struct train_segment *trained(const struct train_pass *pass, int *i)
{
    while (*i < pass->model->segment_count && !pass->trained[*i])
        ++*i;
    return *i < pass->model->segment_count ? &pass->model->segments[*i] : NULL;
}

double train_gradient_norm(const struct train_pass *pass, const float *grad)
{
    const struct train_segment *s;
    double sum = 0;

    for (int i = 0; (s = trained(pass, &i)); i++) {
        sum +=
            pass->ops->sum_squares(grad + s->offset, s->in ? (size_t) s->in : 1, (size_t) s->out);
    }
    return sqrt(sum);
}

/* Is the update due after this batch? Then grad is the mean over the accumulated ones. */
static bool accumulate(const struct train_gradient *g, const struct train_pass *pass, float *grad)
{
    const struct train_segment *s;
    const int every = g->spec->accumulate;
    const bool begins = g->step % every == 0, due = (g->step + 1) % every == 0 || g->last;

    if (every == 1)
        return true;
    for (int i = 0; (s = trained(pass, &i)); i++) {
        if (begins)
            memcpy(g->total + s->offset, grad + s->offset, s->count * sizeof *grad);
        else
            pass->ops->add(g->total + s->offset, grad + s->offset, s->count);
        if (due) {
            memcpy(grad + s->offset, g->total + s->offset, s->count * sizeof *grad);
            pass->ops->scale(grad + s->offset, s->count, 1.0f / (float) every);
        }
    }
    return due;
}

static void penalise_and_clip(const struct train_gradient *g, const struct train_pass *pass,
                              float *grad, const float *w)
{
    const struct train_spec *spec = g->spec;
    const struct train_segment *s;

    for (int i = 0; (s = trained(pass, &i)); i++) {
        if (spec->l1 > 0)
            pass->ops->add_sign(grad + s->offset, w + s->offset, s->count, (float) spec->l1);
        if (spec->clip_value > 0)
            pass->ops->clamp(grad + s->offset, s->count, (float) spec->clip_value);
    }
    if (!(spec->clip_norm > 0) && !g->last)
        return;
    const double norm = train_gradient_norm(pass, grad);
    const float factor = (float) (spec->clip_norm / (norm + 1e-6));
    g->sums->norm += norm;
    g->sums->norms++;
    if (!(spec->clip_norm > 0 && factor < 1.0f))
        return;
    for (int i = 0; (s = trained(pass, &i)); i++) {
        pass->ops->scale(grad + s->offset, s->count, factor);
    }
}

static double tensor_norm(const struct train_pass *pass, const struct train_segment *s,
                          const float *x)
{
    return sqrt(pass->ops->sum_squares(x, s->in ? (size_t) s->in : 1, (size_t) s->out));
}

/* kern_optim.by_tensor: the direction is made in scratch from the weights there, then the step is taken. */
static void update_tensor(const struct train_pass *pass, int segment, float *scratch)
{
    const struct train_segment *s = &pass->model->segments[segment];
    const struct kern_step *step = train_pass_step(pass, segment);
    float *w = pass->w + s->offset;
    struct kern_update u = {
        .trials = 1,
        .count = s->count,
        .w = scratch,
        .g = pass->grad + s->offset,
        .step = step,
    };

    memcpy(scratch, w, s->count * sizeof *w);
    for (int i = 0; i < KERN_SLOTS; i++)
        u.slot[i] = pass->slot[i] ? pass->slot[i] + s->offset : NULL;
    pass->ops->update(&u);
    const double of_w = tensor_norm(pass, s, w), of_r = tensor_norm(pass, s, scratch);
    const bool scaled = step->hyper.v[KERN_TENSOR_TRUST] > 0 && of_w > 0 && of_r > 0;
    const double trust = scaled ? of_w / of_r : 1;
    pass->ops->add_scaled(w, scratch, s->count,
                          (float) ((double) step->hyper.v[KERN_TENSOR_RATE] * trust));
}

/* The pass as trial t alone sees it, updating from grad. */
static struct train_pass of_trial(const struct train_pass *pass, int t)
{
    struct train_pass one = *pass;
    const size_t shift = (size_t) t * pass->w_stride;

    one.trials = 1;
    one.keep_gradients = false;
    one.models += t;
    one.seed += t;
    one.w += shift;
    one.grad += shift;
    one.step += t;
    for (int i = 0; i < KERN_SLOTS; i++)
        one.slot[i] = one.slot[i] ? one.slot[i] + shift : NULL;
    return one;
}

void train_gradient_finish(const struct train_gradient *g, const struct train_pass *pass, int t,
                           double *norm)
{
    struct train_pass one = of_trial(pass, t);

    if (!accumulate(g, &one, one.grad))
        return;
    penalise_and_clip(g, &one, one.grad, one.w);
    if (g->last)
        *norm = g->sums->norm / (double) g->sums->norms;
    for (int i = 0; trained(&one, &i); i++) {
        if (g->spec->optim->by_tensor)
            update_tensor(&one, i, g->scratch);
        else
            train_pass_update(&one, i);
    }
}
