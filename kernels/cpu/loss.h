/*
 * loss.h - losses with 16 samples side by side (contract, rules 5 and 11), in blocks of 16 outputs turned over, so that
 * lane i is sample i and every lane adds its outputs in order.
 *
 * Softmax cross-entropy without weights and smoothing, which is most of what is trained, has its own way:
 * cross_entropy.h.
 */
#ifndef KERN_CPU_LOSS_H
#define KERN_CPU_LOSS_H

#include "kernels/cpu/cross_entropy.h"
#include "kernels/cpu/loss_formulas.h"
#include "kernels/cpu/transpose.h"
#include "kernels/kernels.h"

/* One trial's part of a call. */
struct loss_trial {
    const struct kern_loss_call *c;
    size_t rows, outputs;
    const float *x, *target;
    const int32_t *label;
    const struct kern_loss_numbers *numbers;
    float *dx, *dxt, share;
    struct kern_loss_sums sums;
    int64_t *counts;
};

static struct loss_trial loss_trial_of(const struct kern_loss_call *c, size_t t)
{
    return (struct loss_trial){
        .c = c,
        .rows = (size_t) c->rows,
        .outputs = (size_t) c->outputs,
        .x = c->x + t * c->x_stride,
        .target = c->targets == KERN_CLASSES ? NULL : c->target + t * c->target_stride,
        .label = c->targets == KERN_CLASSES ? c->label + t * c->label_stride : NULL,
        .numbers = &c->numbers[t],
        .dx = c->dx ? c->dx + t * c->dx_stride : NULL,
        .dxt = c->dxt ? c->dxt + t * c->dxt_stride : NULL,
        .counts = c->counts ? c->counts + t * c->counts_stride : NULL,
    };
}

/* Samples that count, and what their losses are divided by. */
static void weigh_batch(struct loss_trial *l)
{
    const struct kern_loss *kind = l->c->kind;
    const float *w = l->numbers->weight;
    int64_t ignored = 0;

    for (size_t r = 0; l->label && r < l->rows; r++)
        ignored += l->label[r] == l->numbers->ignore;
    l->sums.samples = (int64_t) l->rows - ignored;
    l->sums.weight = (double) l->sums.samples * (kind->by_element ? (double) l->outputs : 1);
    if (kind->class_weights && w) {
        l->sums.weight = 0;
        for (size_t r = 0; r < l->rows; r++)
            if (l->label[r] != l->numbers->ignore)
                l->sums.weight += (double) w[l->label[r]];
    }
    l->share = kern_loss_share(l->sums.weight);
}

/* Outputs from o on, and their targets, of the samples from `first` on. */
static void load_part(struct loss_part *p, const struct loss_trial *l, size_t o, size_t first)
{
    const size_t left = l->rows - first, at = o * l->rows + first * KERN_PANEL;
    const struct kern_loss_numbers *n = l->numbers;

    p->outputs = l->outputs - o < KERN_PANEL ? l->outputs - o : KERN_PANEL;
    for (size_t c = 0; c < p->outputs; c++)
        p->w[c] = n->weight ? n->weight[o + c] : 1.0f;
    turn_part(p->x, l->x + at, left, KERN_PANEL);
    if (l->target) {
        turn_part(p->t, l->target + at, left, KERN_PANEL);
        return;
    }
    for (size_t c = 0; c < p->outputs; c++) {
        const int32_t class = (int32_t) (o + c) + (l->outputs == 1);
        for (size_t i = 0; i < KERN_PANEL; i++)
            p->t[c * KERN_PANEL + i] = i < left && l->label[first + i] == class ? n->on : n->off;
    }
}

static void store_part(const float *g, const struct loss_trial *l, size_t o, size_t first)
{
    const size_t left = l->rows - first;

    if (l->dxt)
        memcpy(l->dxt + first * l->outputs + o * KERN_PANEL, g,
               (l->outputs - o < KERN_PANEL ? l->outputs - o : KERN_PANEL) * KERN_PANEL *
                   sizeof *g);
    if (l->dx)
        turn_part(l->dx + o * l->rows + first * KERN_PANEL, g, KERN_PANEL, left);
}

/* ---- what is measured beside the loss ---- */

struct loss_measures {
    float absolute[KERN_PANEL], squared[KERN_PANEL];
    int32_t right[KERN_PANEL], both[KERN_PANEL], said[KERN_PANEL], wanted[KERN_PANEL];
};

static void measure_part(struct loss_measures *RESTRICT m, const struct loss_part *RESTRICT p,
                         float half)
{
    for (size_t o = 0; o < p->outputs; o++)
        for (int i = 0; i < KERN_PANEL; i++) {
            const float x = p->x[o * KERN_PANEL + (size_t) i],
                        t = p->t[o * KERN_PANEL + (size_t) i];
            const int32_t says = x > half, wants = t > 0.5f;
            m->absolute[i] += fabsf(x - t);
            m->squared[i] += (x - t) * (x - t);
            m->right[i] += says == wants;
            m->both[i] += says & wants;
            m->said[i] += says;
            m->wanted[i] += wants;
        }
}

static void add_measures(struct kern_loss_sums *sums, const struct loss_measures *m,
                         enum kern_targets targets, size_t live)
{
    for (size_t i = 0; i < live && targets == KERN_FRACTIONS; i++) {
        sums->correct += m->right[i];
        sums->both += m->both[i];
        sums->said += m->said[i];
        sums->wanted += m->wanted[i];
    }
    for (size_t i = 0; i < live && targets == KERN_VALUES; i++) {
        sums->absolute += (double) m->absolute[i];
        sums->squared += (double) m->squared[i];
    }
}

/* The first largest output of a sample, or with one output whether it says yes. */
static int32_t predict(const struct loss_trial *l, size_t row)
{
    const float *x = l->x + row * KERN_PANEL;
    int32_t best = 0;

    if (l->outputs == 1)
        return x[0] > l->c->kind->half;
    for (size_t o = 1; o < l->outputs; o++)
        if (x[kern_at(l->rows, 0, o)] > x[kern_at(l->rows, 0, (size_t) best)])
            best = (int32_t) o;
    return best;
}

static void count_class(int64_t *counts, int32_t best, int32_t label)
{
    counts[3 * best] += best == label;
    counts[3 * best + 1]++;
    counts[3 * label + 2]++;
}

/* Right predictions of the samples from `first` on, given the ranks of their labels. */
static void measure_classes(struct loss_trial *l, const struct samples *s)
{
    int32_t right = 0, top = 0;

    for (size_t i = 0; i < s->live; i++) {
        const int32_t label = l->label[s->first + i];
        if (label == l->numbers->ignore)
            continue;
        right += l->outputs > 1 ? s->before[i] == 0.0f : predict(l, s->first + i) == label;
        top += s->before[i] < (float) KERN_TOP;
        if (l->counts)
            count_class(l->counts, predict(l, s->first + i), label);
    }
    l->sums.correct += right;
    l->sums.top += l->outputs > KERN_TOP ? top : 0;
}

/* The same where every sample counts and several outputs are asked only how many are right. */
static void measure_ranks(struct loss_trial *l, const struct samples *s)
{
    int32_t right = 0, top = 0;

    for (int i = 0; i < KERN_PANEL; i++) {
        right += s->before[i] == 0.0f;
        top += s->before[i] < (float) KERN_TOP;
    }
    l->sums.correct += right;
    l->sums.top += l->outputs > KERN_TOP ? top : 0;
}

/* ---- 16 samples ---- */

static void samples_of(struct samples *s, const struct loss_trial *l, size_t first)
{
    const size_t left = l->rows - first;

    s->rows = l->rows;
    s->classes = l->outputs;
    s->first = first;
    s->live = left < KERN_PANEL ? left : KERN_PANEL;
    s->x = l->x;
    s->share = l->share;
    begin_samples(s, l->label + first);
}

static void loss_samples(struct loss_trial *l, const struct loss_fns *f, size_t first)
{
    const size_t left = l->rows - first, live = left < KERN_PANEL ? left : KERN_PANEL;
    const float *v = l->numbers->v;
    struct loss_rows rows = {.share = l->share};
    struct loss_measures measures = {.absolute = {0}};
    struct loss_part p;
    _Alignas(64) float g[BLOCK_FLOATS];

    for (size_t i = 0; i < KERN_PANEL; i++) {
        rows.max[i] = -INFINITY;
        rows.counts[i] =
            i < live && !(l->label && l->label[first + i] == l->numbers->ignore) ? 1.0f : 0.0f;
    }
    for (int pass = 0; pass < l->c->kind->passes; pass++)
        for (size_t o = 0; o < l->outputs; o += KERN_PANEL) {
            load_part(&p, l, o, first);
            f->gathers(pass, &rows, &p, v);
        }
    f->settles(&rows);
    for (size_t o = 0; o < l->outputs; o += KERN_PANEL) {
        load_part(&p, l, o, first);
        memset(g, 0, sizeof g);
        f->elements(g, &rows, &p, v);
        store_part(g, l, o, first);
        if (!l->label)
            measure_part(&measures, &p, l->c->kind->half);
    }
    for (size_t i = 0; i < live; i++)
        if (rows.counts[i] > 0.0f)
            l->sums.loss += (double) rows.value[i];
    if (l->label) {
        struct samples s;
        samples_of(&s, l, first);
        rank_samples(&s);
        measure_classes(l, &s);
    } else {
        add_measures(&l->sums, &measures, l->c->targets, live);
    }
}

/* The same of SAMPLE_BLOCKS times as many of cross-entropy without weights and smoothing, every sample counting. */
static void cross_entropy_samples(struct loss_trial *l, size_t first)
{
    struct kept_samples blocks[SAMPLE_BLOCKS];
    size_t count = 0;

    for (; count < SAMPLE_BLOCKS && first < l->rows; first += KERN_PANEL)
        samples_of(&blocks[count++].s, l, first);
    for (size_t b = 0; b < count && l->outputs > KEPT; b++)
        cross_entropy_again(&blocks[b].s, l->dx, l->dxt);
    if (l->outputs <= KEPT)
        cross_entropy_kept(blocks, count, l->dx, l->dxt);
    for (size_t b = 0; b < count; b++) {
        const struct samples *s = &blocks[b].s;
        for (size_t i = 0; i < s->live; i++)
            l->sums.loss += (double) s->value[i];
        if (l->counts || l->outputs == 1)
            measure_classes(l, s);
        else
            measure_ranks(l, s);
    }
}

static void cpu_loss(const struct kern_loss_call *c)
{
    const int place = loss_place(c->kind);

    for (size_t t = 0; t < (size_t) c->trials; t++) {
        struct loss_trial l = loss_trial_of(c, t);
        weigh_batch(&l);
        const bool plain = place == LOSS_cross_entropy && !l.numbers->weight &&
                           l.numbers->off == 0.0f && l.sums.samples == c->rows;
        for (size_t first = 0; first < l.rows && plain; first += SAMPLE_BLOCKS * KERN_PANEL)
            cross_entropy_samples(&l, first);
        for (size_t first = 0; first < l.rows && !plain; first += KERN_PANEL)
            loss_samples(&l, &loss_fns[place], first);
        kern_loss_sums_add(&c->sums[t], &l.sums);
    }
}

#endif
