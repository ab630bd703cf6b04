/*
 * bundle_lanes.c - groups of trials, their arenas, and the way between those and the bundle's.
 */
#include "trainer/bundle_lanes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "trainer/bundle_state.h"
#include "trainer/gradient_impl.h"
#include "trainer/model.h"

enum {
    ROWS = 32, /* samples at a time of an evaluation */
    DROPS = (KERN_LANES_LAYERS + 1) * KERN_LANES_DROPS,
    SHIFT = 21 * 16, /* arenas start that far off a page from one another, as in bundle.c */
    PAGE = 1024,
};

struct lane_group {
    int count;                   /* trials; lanes past them repeat the last one */
    int trial[KERN_LANES_MAX];   /* [lanes] */
    float *w, *slot[KERN_SLOTS]; /* arenas */
};

struct train_lanes {
    struct kern_lanes_net net;
    const struct kern_lanes_ops *ops;
    int lanes, drops;
    int segment[KERN_LANES_LAYERS]; /* of each linear layer's weights; its biases are the next */
    int drop_layer[DROPS];          /* in the order of struct kern_lanes.p */
    size_t floats, stride;          /* of an arena, and to the next one */
    int arenas;                     /* of a group: weights and state tensors */
    float *memory, *grad, *work;
    struct lane_group *groups;
    int group_count;
    bool grouped;           /* else the bundle's arenas are right for all */
    int *group_of;          /* [capacity], -1: in none */
    int *lane_of;           /* [capacity] */
    bool *stale;            /* [capacity] the group's arena is newer than the bundle's */
    bool *viewed;           /* [capacity] the bundle's may be newer */
    uint32_t *index;        /* [lanes][batch size] */
    struct kern_step *step; /* [segments][lanes] */
    double *p;              /* [drops][lanes] */
    int64_t *counts;        /* [lanes][the bundle's counts_stride], of an evaluation */
};

/* ---- creation ---- */

static void name_layers(struct train_lanes *l, const struct train_model *model)
{
    int layer = 0;

    for (int i = 0; i < model->layer_count; i++) {
        if (model->layers[i].segment >= 0)
            l->segment[layer++] = model->layers[i].segment;
    }
    for (int n = 0; n <= l->net.layers; n++)
        for (int d = 0; d < l->net.node[n].drops; d++)
            l->drop_layer[l->drops++] = (int) l->net.node[n].drop[d];
}

/* How many trials can be in a lane; *net is theirs. */
static int count_fitting(const train_bundle *b, struct kern_lanes_net *net)
{
    int count = 0;

    for (int k = 0; k < b->trials; k++) {
        struct kern_lanes_net other;
        if (train_spec_lanes(b->spec[k], &other))
            *net = count++ ? *net : other;
    }
    return count;
}

int train_lanes_create(train_bundle *b, struct cs_error *err)
{
    const struct kern_lanes_ops *ops = b->ops->lanes;
    struct kern_lanes_net net;

    if (!ops || !train_lanes_pay(count_fitting(b, &net), ops->lanes))
        return 0;
    struct train_lanes *l = cs_xcalloc(1, sizeof *l);
    const size_t capacity = (size_t) b->capacity, lanes = (size_t) ops->lanes;
    const int rows = b->batch_size > ROWS ? b->batch_size : ROWS;
    const size_t groups = (capacity + lanes - 1) / lanes;
    b->lanes = l;
    l->net = net;
    l->ops = ops;
    l->lanes = ops->lanes;
    name_layers(l, b->model);
    l->arenas = 1;
    for (int k = 0; k < b->trials; k++) {
        const int arenas = 1 + train_spec_slots(b->spec[k]);
        l->arenas = arenas > l->arenas ? arenas : l->arenas;
    }
    l->floats = kern_lanes_floats(&net, l->lanes);
    l->stride = (l->floats + PAGE - 1) / PAGE * PAGE + SHIFT;
    l->groups = cs_xcalloc(groups, sizeof *l->groups);
    l->group_of = cs_xcalloc(capacity, sizeof *l->group_of);
    l->lane_of = cs_xcalloc(capacity, sizeof *l->lane_of);
    l->stale = cs_xcalloc(capacity, sizeof *l->stale);
    l->viewed = cs_xcalloc(capacity, sizeof *l->viewed);
    l->index = cs_xcalloc(lanes * (size_t) b->batch_size, sizeof *l->index);
    l->step = cs_xcalloc(lanes * (size_t) b->model->segment_count, sizeof *l->step);
    l->p = cs_xcalloc(lanes * DROPS, sizeof *l->p);
    l->counts = cs_xcalloc(lanes * b->counts_stride + 1, sizeof *l->counts);
    const size_t state = groups * (size_t) l->arenas;
    l->memory = cs_alloc_aligned((state + 1) * l->stride + kern_lanes_work(&net, l->lanes, rows),
                                 sizeof *l->memory);
    if (!l->memory)
        return cs_fail(err, CS_ENOMEM, "no memory for %d trials of %zu weights in lanes", b->trials,
                       b->floats);
    l->grad = l->memory + state * l->stride;
    l->work = l->grad + l->stride;
    return 0;
}

void train_lanes_free(struct train_lanes *l)
{
    if (!l)
        return;
    free(l->memory);
    free(l->groups);
    free(l->group_of);
    free(l->lane_of);
    free(l->stale);
    free(l->viewed);
    free(l->index);
    free(l->step);
    free(l->p);
    free(l->counts);
    free(l);
}

/* ---- between arenas ---- */

/* One lane of a group's arena, and one trial's arena. */
static void copy_lane(const struct train_lanes *l, const struct train_model *model, float *group,
                      float *trial, bool to_group)
{
    const size_t lanes = (size_t) l->lanes;

    for (int layer = 0; layer < l->net.layers; layer++) {
        const struct train_segment *weight = &model->segments[l->segment[layer]],
                                   *bias = weight + 1;
        const size_t in = (size_t) weight->in, out = (size_t) weight->out;
        const size_t pitch = kern_lanes_pitch(l->lanes, weight->out);
        float *row = group + kern_lanes_weights(&l->net, l->lanes, layer);
        for (size_t i = 0; i <= in; i++, row += pitch)
            for (size_t o = 0; o < out; o++) {
                float *own =
                    i < in ? trial + weight->offset + kern_at(in, i, o) : trial + bias->offset + o;
                if (to_group)
                    row[o * lanes] = *own;
                else
                    *own = row[o * lanes];
            }
    }
}

/* Weights and state of trial k, to or from a lane of its group. */
static void copy_trial(train_bundle *b, int k, int lane, bool to_group)
{
    const struct train_lanes *l = b->lanes;
    const struct lane_group *g = &l->groups[l->group_of[k]];
    const size_t at = (size_t) k * b->floats;

    copy_lane(l, b->models[k], g->w + lane, b->w + at, to_group);
    for (int i = 0; i < train_spec_slots(b->spec[k]); i++)
        copy_lane(l, b->models[k], g->slot[i] + lane, b->slot[i] + at, to_group);
}

void train_lanes_view(train_bundle *b, int k)
{
    struct train_lanes *l = b->lanes;

    if (!l || !l->grouped || l->group_of[k] < 0)
        return;
    if (l->stale[k])
        copy_trial(b, k, l->lane_of[k], false);
    l->stale[k] = false;
    l->viewed[k] = true;
}

void train_lanes_scatter(train_bundle *b)
{
    if (!b->lanes)
        return;
    for (int k = 0; k < b->trials; k++)
        train_lanes_view(b, k);
    b->lanes->grouped = false;
}

/* ---- groups ---- */

/* Is trial x to stand before trial y? By optimizer and variant. */
static bool comes_before(const train_bundle *b, int x, int y)
{
    const struct kern_step *s = &b->update[x], *t = &b->update[y];
    const int names = strcmp(s->optim->name, t->optim->name);

    return names != 0 ? names < 0 : s->variant < t->variant;
}

/* The trials that fit, those with equal optimizers together; how many. */
static int sort_fitting(const train_bundle *b, int *sorted)
{
    struct kern_lanes_net net;
    int count = 0;

    for (int k = 0; k < b->trials; k++) {
        if (!train_spec_lanes(b->spec[k], &net))
            continue;
        int at = count++;
        for (; at > 0 && comes_before(b, k, sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = k;
    }
    return count;
}

static void add_group(train_bundle *b, const int *trials, int count)
{
    struct train_lanes *l = b->lanes;
    struct lane_group *g = &l->groups[l->group_count];
    float *at = l->memory + (size_t) (l->group_count * l->arenas) * l->stride;

    memset(at, 0, (size_t) l->arenas * l->stride * sizeof *at);
    g->count = count;
    g->w = at;
    for (int i = 0; i < KERN_SLOTS; i++)
        g->slot[i] = i + 1 < l->arenas ? at + (size_t) (i + 1) * l->stride : NULL;
    for (int lane = 0; lane < l->lanes; lane++) {
        const int k = trials[lane < count ? lane : count - 1];
        g->trial[lane] = k;
        if (lane >= count)
            continue;
        l->group_of[k] = l->group_count;
        l->lane_of[k] = lane;
        l->stale[k] = false;
        l->viewed[k] = true; /* to be read */
    }
    l->group_count++;
}

static void make_groups(train_bundle *b)
{
    struct train_lanes *l = b->lanes;
    int *sorted = cs_xcalloc((size_t) b->trials + 1, sizeof *sorted);
    const int fitting = sort_fitting(b, sorted);

    for (int k = 0; k < b->trials; k++)
        l->group_of[k] = -1;
    l->group_count = 0;
    for (int first = 0; first < fitting; first += l->lanes) {
        const int left = fitting - first, count = left < l->lanes ? left : l->lanes;
        if (train_lanes_pay(count, l->lanes))
            add_group(b, sorted + first, count);
    }
    free(sorted);
    l->grouped = true;
}

/* Groups are made, and what was written into views is in their arenas. */
static void prepare(train_bundle *b)
{
    struct train_lanes *l = b->lanes;

    if (!l->grouped)
        make_groups(b);
    for (int n = 0; n < l->group_count; n++) {
        const struct lane_group *g = &l->groups[n];
        for (int lane = 0; lane < l->lanes; lane++)
            if (l->viewed[g->trial[lane]])
                copy_trial(b, g->trial[lane], lane, true);
        for (int lane = 0; lane < g->count; lane++)
            l->viewed[g->trial[lane]] = false;
    }
}

bool train_lanes_has(train_bundle *b, int k)
{
    if (!b->lanes)
        return false;
    if (!b->lanes->grouped)
        make_groups(b);
    return b->lanes->group_of[k] >= 0;
}

/* ---- steps ---- */

static bool same_steps(const train_bundle *b)
{
    for (int k = 0; k < b->trials; k++) {
        if (b->spec[k]->group_count > 1)
            return false;
    }
    return true;
}

/* The optimizer's numbers for every lane of a group; step[] as struct kern_lanes wants it. */
static void begin_group_steps(train_bundle *b, const struct lane_group *g, int64_t t,
                              const struct kern_step **step)
{
    struct train_lanes *l = b->lanes;
    const bool same = same_steps(b);

    for (int lane = 0; lane < g->count; lane++)
        train_bundle_begin_steps(b, g->trial[lane], t);
    for (int i = 0; i < 2 * l->net.layers; i++) {
        const int segment = l->segment[i / 2] + i % 2, from = same ? l->segment[0] : segment;
        struct kern_step *row = l->step + from * l->lanes;
        for (int lane = 0; lane < l->lanes && (i == 0 || !same); lane++)
            row[lane] = b->update[segment * b->capacity + g->trial[lane]];
        step[i] = b->trained[segment] ? row : NULL;
    }
}

static void pick_rows(train_bundle *b, const struct lane_group *g, int rows)
{
    const size_t count = (size_t) b->data->train.count;
    const uint32_t *index = b->data->train.index;

    for (int lane = 0; lane < b->lanes->lanes; lane++) {
        const uint32_t *order =
            b->order + (size_t) g->trial[lane] * count + (size_t) b->step * (size_t) b->batch_size;
        uint32_t *to = b->lanes->index + (size_t) lane * (size_t) rows;
        for (int r = 0; r < rows; r++)
            to[r] = index[order[r]];
    }
}

static struct kern_lanes_batch make_batch(const train_bundle *b, const struct train_side *side,
                                          struct kern_loss_sums *sums)
{
    return (struct kern_lanes_batch){
        .pixels = side->pixels,
        .values = side->values,
        .mean = b->spec[0]->mean,
        .std = b->spec[0]->std,
        .labels = side->labels,
        .sums = sums,
    };
}

/* The batch's sums of every lane; without class weights and ignored samples its weight is its size. */
static void add_group_sums(struct train_sums *sums, const struct lane_group *g,
                           struct kern_loss_sums *batch, int rows)
{
    for (int lane = 0; lane < g->count; lane++) {
        batch[lane].samples = rows;
        batch[lane].weight = rows;
        train_bundle_add_sums(&sums[g->trial[lane]], &batch[lane]);
    }
}

static void group_norms(train_bundle *b, const struct lane_group *g, double *grad_norm)
{
    struct train_lanes *l = b->lanes;
    const struct train_pass pass = {.ops = b->ops, .model = b->model, .trained = b->trained};

    for (int lane = 0; lane < g->count; lane++) {
        memset(b->grad, 0, b->floats * sizeof *b->grad);
        copy_lane(l, b->model, l->grad + lane, b->grad, false);
        struct train_sums *sums = &b->sums[g->trial[lane]];
        sums->norm += train_gradient_norm(&pass, b->grad);
        sums->norms++;
        grad_norm[g->trial[lane]] = sums->norm / (double) sums->norms;
        if (b->watch.gradient)
            b->watch.gradient(b->watch.context, g->trial[lane], b->grad);
    }
}

static struct kern_lanes make_call(train_bundle *b, const struct lane_group *g,
                                   const struct kern_lanes_batch *batch, uint64_t *seed)
{
    struct train_lanes *l = b->lanes;

    for (int lane = 0; lane < l->lanes; lane++) {
        const int k = g->trial[lane];
        seed[lane] = b->seed[k];
        for (int d = 0; d < l->drops; d++)
            l->p[d * l->lanes + lane] = b->models[k]->layers[l->drop_layer[d]].arg[0];
    }
    return (struct kern_lanes){
        .net = &l->net,
        .batch = batch,
        .w = g->w,
        .slot = {g->slot[0], g->slot[1], g->slot[2]},
        .work = l->work,
        .seed = seed,
        .p = l->p,
    };
}

static void train_group(train_bundle *b, const struct lane_group *g, int rows, double *grad_norm)
{
    struct train_lanes *l = b->lanes;
    const struct kern_step *steps[2 * KERN_LANES_LAYERS];
    struct kern_loss_sums sums[KERN_LANES_MAX];
    uint64_t seed[KERN_LANES_MAX];
    struct kern_lanes_batch batch = make_batch(b, &b->data->train, sums);
    struct kern_lanes m = make_call(b, g, &batch, seed);
    const bool last = b->step == b->steps - 1;

    memset(sums, 0, sizeof sums);
    m.step_number = (uint32_t) b->epoch * (uint32_t) b->steps + (uint32_t) b->step;
    m.step = steps;
    m.grad = last ? l->grad : NULL;
    batch.rows = rows;
    batch.index = l->index;
    batch.index_stride = (size_t) rows;
    pick_rows(b, g, rows);
    begin_group_steps(b, g, (int64_t) m.step_number + 1, steps);
    l->ops->train(&m);
    add_group_sums(b->sums, g, sums, rows);
    if (last) {
        group_norms(b, g, grad_norm);
        l->ops->update(&m);
    }
    for (int lane = 0; lane < g->count; lane++)
        l->stale[g->trial[lane]] = true;
}

void train_lanes_train(train_bundle *b, int rows, double *grad_norm)
{
    prepare(b);
    for (int n = 0; n < b->lanes->group_count; n++)
        train_group(b, &b->lanes->groups[n], rows, grad_norm);
}

static void evaluate_group(train_bundle *b, const struct lane_group *g, struct train_sums *sums)
{
    const struct train_side *side = &b->data->val;
    struct kern_loss_sums batch_sums[KERN_LANES_MAX];
    struct kern_lanes_batch batch = make_batch(b, side, batch_sums);
    uint64_t seed[KERN_LANES_MAX];
    const struct kern_lanes m = make_call(b, g, &batch, seed);

    batch.counts = b->lanes->counts;
    batch.counts_stride = b->counts_stride;
    memset(b->lanes->counts, 0,
           (size_t) b->lanes->lanes * b->counts_stride * sizeof *b->lanes->counts);
    for (int64_t start = 0; start < side->count; start += b->eval_size) {
        const int64_t left = side->count - start;
        const int rows = left < b->eval_size ? (int) left : b->eval_size;
        memset(batch_sums, 0, sizeof batch_sums);
        for (int r = 0; r < rows; r += ROWS) {
            batch.rows = rows - r < ROWS ? rows - r : ROWS;
            batch.index = side->index + start + r;
            b->lanes->ops->evaluate(&m);
        }
        add_group_sums(sums, g, batch_sums, rows);
    }
    for (int lane = 0; lane < g->count; lane++)
        sums[g->trial[lane]].f1 = train_bundle_f1(
            b->lanes->counts + (size_t) lane * b->counts_stride, (int) (b->counts_stride / 3));
}

void train_lanes_evaluate(train_bundle *b, struct train_sums *sums)
{
    prepare(b);
    for (int n = 0; n < b->lanes->group_count; n++)
        evaluate_group(b, &b->lanes->groups[n], sums);
}
