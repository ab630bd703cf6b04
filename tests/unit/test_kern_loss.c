/*
 * The losses and softmax: every instance against "ref" to the bit over odd shapes, targets and settings; values against
 * formulas in double, gradients against finite differences of those; what is measured beside them.
 */
#include "kernels/math/elementary.h"
#include "tests/unit/kern_help.h"

enum { TRIALS = 3, ROWS_MAX = 65, OUTPUTS_MAX = 70 };

/* A call with its memory: numbers differ between the trials. */
struct sample {
    struct kern_loss_call c;
    float *x, *target;
    int32_t label[TRIALS * ROWS_MAX];
    struct kern_loss_numbers numbers[TRIALS];
    float weight[TRIALS][OUTPUTS_MAX];
};

struct result {
    float *dx, *dxt;
    struct kern_loss_sums sums[TRIALS];
    int64_t counts[TRIALS * 3 * (OUTPUTS_MAX + 1)];
};

/* Settings of trial t: defaults, or every number another and weights in place. */
static void set_numbers(struct sample *s, int t)
{
    const struct kern_loss *kind = s->c.kind;
    const int outputs = s->c.outputs;
    double args[8 + OUTPUTS_MAX] = {0};
    int at = 0;

    for (int i = 0; i < kind->param_count; i++) {
        const struct cs_param *row = &kind->params[i];
        if (row->type == CS_FLOATS) {
            args[at++] = t == 1 ? outputs : 1;
            for (int o = 0; o < (t == 1 ? outputs : 1); o++)
                args[at++] = t == 0 ? 1 : 0.5 + 0.25 * ((o * 7) % 5);
        } else {
            double def;
            assert_true(cs_parse_double(&def, row->def));
            args[at++] = t == 0                                   ? def
                         : strcmp(row->name, "ignore_index") == 0 ? t
                                                                  : def * 0.5 + 0.125 * t;
        }
    }
    kind->begin(&s->numbers[t], s->weight[t], args, outputs);
}

static float make_output(const struct kern_loss *kind, uint32_t *random)
{
    const float u = (float) (test_random(random) >> 8) * 0x1p-24f;

    if (kind->outputs == KERN_PROBABILITIES)
        return test_random(random) % 16 ? u : test_random(random) % 2 ? 1.0f : 0.0f;
    if (kind->outputs == KERN_LOG_PROBABILITIES)
        return -8 * u;
    return (2 * u - 1) * (test_random(random) % 8 ? 3.0f : 60.0f); /* denormal exponentials, too */
}

static float make_target(enum kern_targets targets, uint32_t *random)
{
    const float u = (float) (test_random(random) >> 8) * 0x1p-24f;

    if (targets == KERN_VALUES)
        return 6 * u - 3;
    return test_random(random) % 3 ? (float) (test_random(random) % 2) : u;
}

static void make(struct sample *s, const struct kern_loss *kind, enum kern_targets targets,
                 int trials, int rows, int outputs)
{
    const size_t stride = test_stride((size_t) rows, (size_t) outputs);
    uint32_t random = 77;

    s->x = test_matrices(trials, rows, outputs, &random);
    s->target = test_matrices(trials, rows, outputs, &random);
    for (size_t t = 0; t < (size_t) trials; t++)
        for (size_t o = 0; o < (size_t) outputs; o++)
            for (size_t r = 0; r < (size_t) rows; r++) {
                const size_t at = t * stride + kern_at((size_t) rows, r, o);
                s->x[at] = make_output(kind, &random);
                s->target[at] = make_target(targets, &random);
            }
    for (int i = 0; i < TRIALS * ROWS_MAX; i++)
        s->label[i] = (int32_t) (test_random(&random) % (uint32_t) (outputs == 1 ? 2 : outputs));
    s->c = (struct kern_loss_call){
        .kind = kind,
        .trials = trials,
        .rows = rows,
        .outputs = outputs,
        .x = s->x,
        .x_stride = stride,
        .targets = targets,
        .label = targets == KERN_CLASSES ? s->label : NULL,
        .label_stride = ROWS_MAX,
        .target = targets == KERN_CLASSES ? NULL : s->target,
        .target_stride = stride,
        .dx_stride = stride,
        .dxt_stride = test_stride((size_t) outputs, (size_t) rows),
        .numbers = s->numbers,
        .counts_stride = 3 * (OUTPUTS_MAX + 1),
    };
    for (int t = 0; t < trials; t++)
        set_numbers(s, t);
}

static void free_sample(struct sample *s)
{
    free(s->x);
    free(s->target);
}

static void run(struct result *out, const struct kern_ops *ops, const struct sample *s,
                bool gradients)
{
    struct kern_loss_call c = s->c;

    memset(out, 0, sizeof *out);
    for (int t = 0; t < TRIALS; t++) {
        out->sums[t] = (struct kern_loss_sums){.loss = 0.25 * t, .samples = t, .squared = 1.0 / 3};
    }
    out->dx = test_buffer((size_t) c.trials * c.dx_stride);
    out->dxt = test_buffer((size_t) c.trials * c.dxt_stride);
    c.dx = gradients ? out->dx : NULL;
    c.dxt = gradients ? out->dxt : NULL;
    c.sums = out->sums;
    c.counts = c.targets == KERN_CLASSES && !gradients ? out->counts : NULL;
    ops->loss(&c);
}

static void free_result(struct result *r)
{
    free(r->dx);
    free(r->dxt);
}

static void compare(const struct kern_ops *ops, const struct sample *s, bool gradients)
{
    struct result *want = cs_xcalloc(1, sizeof *want), *is = cs_xcalloc(1, sizeof *is);
    char what[128];

    snprintf(what, sizeof what, "%s: %s of targets %d, %d x %d", ops->instance, s->c.kind->name,
             (int) s->c.targets, s->c.rows, s->c.outputs);
    run(want, &kern_ref, s, gradients);
    run(is, ops, s, gradients);
    assert_true(test_equal(is->dx, want->dx, (size_t) s->c.trials * s->c.dx_stride, what));
    assert_true(test_equal(is->dxt, want->dxt, (size_t) s->c.trials * s->c.dxt_stride, what));
    if (memcmp(is->sums, want->sums, sizeof is->sums) != 0)
        fail_msg("%s: sums differ, loss %.17g and %.17g", what, is->sums[0].loss,
                 want->sums[0].loss);
    if (memcmp(is->counts, want->counts, sizeof is->counts) != 0)
        fail_msg("%s: counts differ", what);
    free_result(want);
    free_result(is);
    free(want);
    free(is);
}

static void test_losses__every_instance_as_ref(void **state)
{
    static const int rows[] = {1, 2, 15, 16, 17, 33, 65},
                     outputs[] = {1, 2, 5, 6, 10, 16, 17, 33, 64, 65, 70};
    struct sample *s = cs_xcalloc(1, sizeof *s);

    (void) state;
    for (const struct kern_loss *const *kind = kern_losses(); *kind; kind++)
        for (int targets = 0; targets < KERN_TARGETS; targets++)
            for (size_t r = 0; r < CS_COUNT(rows); r++)
                for (size_t o = (*kind)->by_class ? 1 : 0; o < CS_COUNT(outputs); o++) {
                    if (!(*kind)->takes[targets])
                        continue;
                    make(s, *kind, (enum kern_targets) targets, (r + o) % 2 ? 3 : 1, rows[r],
                         outputs[o]);
                    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
                        compare(*ops, s, true);
                        compare(*ops, s, false);
                    }
                    free_sample(s);
                }
    free(s);
}

/* ---- in double ---- */

/* What the formulas are computed from, of trial t. */
struct view {
    const struct sample *s;
    const double *x; /* [rows][outputs] */
    int t;
};

static double target_of(const struct view *v, int row, int o, double smoothing)
{
    const struct kern_loss_call *c = &v->s->c;
    const int32_t label = v->s->label[v->t * ROWS_MAX + row];

    if (c->targets != KERN_CLASSES)
        return (double) v->s->target[(size_t) v->t * c->target_stride +
                                     kern_at((size_t) c->rows, (size_t) row, (size_t) o)];
    if (c->outputs == 1)
        return label;
    return (label == o ? 1 - smoothing : 0) + smoothing / c->outputs;
}

static double log_softmax(const double *x, int count, int o)
{
    double max = x[0], sum = 0;

    for (int i = 0; i < count; i++)
        max = fmax(max, x[i]);
    for (int i = 0; i < count; i++)
        sum += exp(x[i] - max);
    return x[o] - max - log(sum);
}

/* PyTorch's words for one output of a loss by elements. */
static double element_in_double(const char *name, double x, double t, double w, double number)
{
    const double d = fabs(x - t);

    if (strcmp(name, "bce") == 0)
        return -(t * fmax(log(x), -100) + (1 - t) * fmax(log1p(-x), -100));
    if (strcmp(name, "bce_with_logits") == 0)
        return (1 - t) * x + (1 + (w - 1) * t) * (log1p(exp(-fabs(x))) + fmax(-x, 0));
    if (strcmp(name, "mse") == 0)
        return d * d;
    if (strcmp(name, "l1") == 0)
        return d;
    if (strcmp(name, "smooth_l1") == 0)
        return d < number ? d * d / (2 * number) : d - number / 2;
    if (strcmp(name, "huber") == 0)
        return d <= number ? d * d / 2 : number * (d - number / 2);
    if (strcmp(name, "kl_div") == 0)
        return t > 0 ? t * (log(t) - x) : 0;
    fail_msg("%s: no formula in double here", name);
    return 0;
}

static double hinge_in_double(const double *x, int count, int label, double margin)
{
    double sum = 0;

    for (int o = 0; o < count; o++)
        sum += o == label ? 0 : fmax(0, margin - x[label] + x[o]);
    return sum / count;
}

/* One sample's loss, and what it adds to the mean's divisor. */
static double sample_in_double(const struct view *v, int row, double *weight)
{
    const struct kern_loss_call *c = &v->s->c;
    const struct kern_loss_numbers *n = &v->s->numbers[v->t];
    const double *x = v->x + (ptrdiff_t) row * c->outputs;
    const int32_t label = c->label ? v->s->label[v->t * ROWS_MAX + row] : 0;
    const double a = (double) n->off * c->outputs; /* the smoothing */
    const double own = n->weight && c->kind->class_weights ? (double) n->weight[label] : 1;
    double sum = 0;

    *weight = c->kind->by_element ? c->outputs : own;
    if (c->label && label == n->ignore)
        return *weight = 0;
    if (strcmp(c->kind->name, "nll") == 0)
        return -own * x[label];
    if (strcmp(c->kind->name, "hinge") == 0)
        return hinge_in_double(x, c->outputs, label, (double) n->v[0]);
    for (int o = 0; o < c->outputs; o++) {
        const double w = n->weight ? (double) n->weight[o] : 1;
        if (c->kind->class_weights)
            sum -= a / c->outputs * w * log_softmax(x, c->outputs, o);
        else
            sum += element_in_double(c->kind->name, x[o], target_of(v, row, o, a), w,
                                     (double) n->v[0]);
    }
    return c->kind->class_weights ? sum - (1 - a) * own * log_softmax(x, c->outputs, label) : sum;
}

static double batch_in_double(const struct view *v)
{
    double sum = 0, weights = 0, weight;

    for (int r = 0; r < v->s->c.rows; r++) {
        sum += sample_in_double(v, r, &weight);
        weights += weight;
    }
    return sum / weights;
}

/* Trial t of the result against double: the mean, and its derivative by every output. */
static void check_trial(const struct sample *s, const struct result *is, int t)
{
    const struct kern_loss_call *c = &s->c;
    const size_t rows = (size_t) c->rows, outputs = (size_t) c->outputs;
    double *x = cs_xcalloc(rows * outputs, sizeof *x);
    const struct view v = {s, x, t};

    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < outputs; o++)
            x[r * outputs + o] = (double) s->x[(size_t) t * c->x_stride + kern_at(rows, r, o)];
    const double want = batch_in_double(&v);
    const double mean = (is->sums[t].loss - 0.25 * t) / is->sums[t].weight;
    if (fabs(mean - want) > 2e-6 * fmax(1, fabs(want)))
        fail_msg("%s: loss %.9g, not %.9g (trial %d)", c->kind->name, mean, want, t);
    for (size_t i = 0; i < rows * outputs; i++) {
        const double at = x[i], h = 1e-6 * fmax(1, fabs(at));
        const float dx =
            is->dx[(size_t) t * c->dx_stride + kern_at(rows, i / outputs, i % outputs)];
        x[i] = at + h;
        const double above = batch_in_double(&v);
        x[i] = at - h;
        const double slope = (above - batch_in_double(&v)) / (2 * h);
        x[i] = at;
        if (fabs((double) dx - slope) > 2e-6 * fmax(0.05, fabs(slope)))
            fail_msg("%s: slope %.9g, not %.9g (trial %d, row %zu, output %zu, x %g)",
                     c->kind->name, (double) dx, slope, t, i / outputs, i % outputs, at);
    }
    free(x);
}

/* Probabilities at 0 and 1 have clamped slopes, which no difference shows: they are kept inside. */
static void keep_inside(struct sample *s)
{
    const struct kern_loss_call *c = &s->c;

    for (size_t i = 0; i < (size_t) c->trials * c->x_stride; i++) {
        if (c->kind->outputs == KERN_PROBABILITIES && !isnan(s->x[i]))
            s->x[i] = fminf(fmaxf(s->x[i], 0.02f), 0.98f);
    }
}

static void test_losses__values_and_slopes(void **state)
{
    static const int outputs[] = {1, 2, 3, 10};
    struct sample *s = cs_xcalloc(1, sizeof *s);
    struct result *is = cs_xcalloc(1, sizeof *is);

    (void) state;
    for (const struct kern_loss *const *kind = kern_losses(); *kind; kind++)
        for (int targets = 0; targets < KERN_TARGETS; targets++)
            for (size_t o = (*kind)->by_class ? 1 : 0; o < CS_COUNT(outputs); o++) {
                if (!(*kind)->takes[targets])
                    continue;
                make(s, *kind, (enum kern_targets) targets, TRIALS, 9, outputs[o]);
                keep_inside(s);
                run(is, &kern_ref, s, true);
                for (int t = 0; t < TRIALS; t++)
                    check_trial(s, is, t);
                free_result(is);
                free_sample(s);
            }
    free(s);
    free(is);
}

/* Rule 5 as it is worded for the plain loss. */
static void test_losses__plain_cross_entropy(void **state)
{
    enum { ROWS = 5, CLASSES = 7 };
    struct sample *s = cs_xcalloc(1, sizeof *s);
    struct result *is = cs_xcalloc(1, sizeof *is);
    double total = 0;

    (void) state;
    make(s, kern_loss_find("cross_entropy"), KERN_CLASSES, 1, ROWS, CLASSES);
    run(is, &kern_ref, s, true);
    for (size_t r = 0; r < ROWS; r++) {
        float max = -INFINITY, sum = 0.0f;
        const size_t y = (size_t) s->label[r];
        for (size_t c = 0; c < CLASSES; c++)
            max = fmaxf(max, s->x[kern_at(ROWS, r, c)]);
        for (size_t c = 0; c < CLASSES; c++)
            sum += kern_exp(s->x[kern_at(ROWS, r, c)] - max);
        total += (double) (kern_log(sum) - (s->x[kern_at(ROWS, r, y)] - max));
        for (size_t c = 0; c < CLASSES; c++) {
            const float p = kern_exp(s->x[kern_at(ROWS, r, c)] - max) / sum;
            const float g = (p - (c == y ? 1.0f : 0.0f)) * (1.0f / ROWS);
            assert_int_equal(kern_bits(is->dx[kern_at(ROWS, r, c)]), kern_bits(g));
            assert_int_equal(kern_bits(is->dxt[kern_at(CLASSES, c, r)]), kern_bits(g));
        }
    }
    assert_memory_equal(&is->sums[0].loss, &total, sizeof total);
    free_result(is);
    free_sample(s);
    free(s);
    free(is);
}

/* A batch in which no sample counts moves nothing and is no part of any mean. */
static void test_losses__all_ignored(void **state)
{
    struct sample *s = cs_xcalloc(1, sizeof *s);
    struct result *is = cs_xcalloc(1, sizeof *is);

    (void) state;
    make(s, kern_loss_find("cross_entropy"), KERN_CLASSES, 1, 3, 4);
    s->numbers[0].ignore = 2;
    s->label[0] = s->label[1] = s->label[2] = 2;
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        run(is, *ops, s, true);
        assert_true(is->sums[0].loss == 0 && is->sums[0].weight == 0 && is->sums[0].samples == 0);
        for (size_t i = 0; i < 3 * KERN_PANEL; i++)
            assert_int_equal(kern_bits(is->dx[i]), 0);
        free_result(is);
    }
    free_sample(s);
    free(s);
    free(is);
}

/* ---- what is measured ---- */

static void test_measures__classes(void **state)
{
    /* ranks of the label 1 in rows of 7: 1st, 5th by a tie with an earlier one, 6th; the last row is ignored */
    static const float rows[4][7] = {
        {1, 9, 1, 1, 1, 1, 1}, {3, 3, 4, 4, 4, 0, 0}, {4, 3, 4, 4, 4, 4, 0}, {0, 0, 1, 0, 0, 0, 0}};
    _Alignas(64) float x[4 * KERN_PANEL] = {0};
    const int32_t label[] = {1, 1, 1, 6};
    struct kern_loss_numbers numbers = kern_loss_plain();
    struct kern_loss_sums sums = {0};
    int64_t counts[7 * 3] = {0};
    struct kern_loss_call c = {.kind = kern_loss_find("cross_entropy"),
                               .trials = 1,
                               .rows = 4,
                               .outputs = 7,
                               .x = x,
                               .label = label,
                               .numbers = &numbers,
                               .sums = &sums,
                               .counts = counts};

    (void) state;
    numbers.ignore = 6;
    for (size_t r = 0; r < 4; r++)
        for (size_t o = 0; o < 7; o++)
            x[kern_at(4, r, o)] = rows[r][o];
    kern_ref.loss(&c);
    assert_int_equal(sums.samples, 3);
    assert_int_equal(sums.correct, 1);
    assert_int_equal(sums.top, 2);
    assert_int_equal(counts[3 * 1], 1);     /* right */
    assert_int_equal(counts[3 * 1 + 1], 1); /* predicted */
    assert_int_equal(counts[3 * 1 + 2], 3); /* there */
    assert_int_equal(counts[3 * 2 + 1], 1);
    assert_int_equal(counts[3 * 0 + 1], 1);
}

static void test_measures__elements(void **state)
{
    _Alignas(64) float x[2 * KERN_PANEL] = {0.5f, -1, [KERN_PANEL] = 2, 3};
    _Alignas(64) float t[2 * KERN_PANEL] = {1, 1, [KERN_PANEL] = 0, 1};
    const struct kern_loss_numbers numbers = kern_loss_plain();
    struct kern_loss_sums sums = {0};
    struct kern_loss_call c = {.kind = kern_loss_find("bce_with_logits"),
                               .trials = 1,
                               .rows = 2,
                               .outputs = 2,
                               .x = x,
                               .targets = KERN_FRACTIONS,
                               .target = t,
                               .numbers = &numbers,
                               .sums = &sums};

    (void) state;
    kern_ref.loss(&c);
    assert_int_equal(sums.correct, 2);
    assert_int_equal(sums.both, 2);
    assert_int_equal(sums.said, 3);
    assert_int_equal(sums.wanted, 3);
    assert_true(sums.weight == 4 && sums.absolute == 0);
    c.kind = kern_loss_find("mse"); /* yes from 1/2 on */
    sums = (struct kern_loss_sums){0};
    kern_ref.loss(&c);
    assert_int_equal(sums.said, 2);
    c.targets = KERN_VALUES;
    sums = (struct kern_loss_sums){0};
    kern_ref.loss(&c);
    assert_true(sums.absolute == 6.5 && sums.squared == 12.25 && sums.loss == 12.25);
    assert_int_equal(sums.said, 0);
}

/* ---- softmax ---- */

static void check_softmax(int trials, int classes, int samples, bool logs)
{
    const size_t stride = test_stride((size_t) classes, (size_t) samples);
    const size_t all = (size_t) trials * stride;
    uint32_t random = 5;
    float *x = test_matrices(trials, classes, samples, &random),
          *dy = test_matrices(trials, classes, samples, &random);
    float *y = test_buffer(all), *dx = test_buffer(all);
    struct kern_softmax f = {trials, classes, samples, logs,   x,      y,
                             NULL,   NULL,    stride,  stride, stride, stride};
    struct kern_softmax g = {trials, classes, samples, logs,   NULL,   y,
                             dy,     dx,      stride,  stride, stride, stride};

    for (size_t i = 0; i < all; i += 3)
        x[i] *= 30;
    kern_ref.softmax(&f);
    kern_ref.softmax(&g);
    for (const struct kern_ops *const *ops = test_instances(); *ops; ops++) {
        f.y = test_buffer(all);
        g.dx = test_buffer(all);
        (*ops)->softmax(&f);
        assert_true(test_equal(f.y, y, all, (*ops)->instance));
        (*ops)->softmax(&g);
        assert_true(test_equal(g.dx, dx, all, (*ops)->instance));
        free(f.y);
        free(g.dx);
    }
    double own[OUTPUTS_MAX];
    for (int c = 0; c < classes; c++)
        own[c] = (double) x[kern_at((size_t) classes, (size_t) c, 0)];
    for (int c = 0; c < classes; c++) {
        const double l = log_softmax(own, classes, c);
        double slope = 0;
        for (int k = 0; k < classes; k++) { /* dy_k/dx_c */
            const double p = exp(log_softmax(own, classes, c)),
                         q = exp(log_softmax(own, classes, k));
            const double by = logs ? (c == k) - p : q * ((c == k) - p);
            slope += by * (double) dy[kern_at((size_t) classes, (size_t) k, 0)];
        }
        const size_t at = kern_at((size_t) classes, (size_t) c, 0);
        assert_true(fabs((double) y[at] - (logs ? l : exp(l))) < 2e-6 * fmax(1, fabs(l)));
        assert_true(fabs((double) dx[at] - slope) < 1e-5);
    }
    free(x);
    free(dy);
    free(y);
    free(dx);
}

static void test_softmax__as_ref_and_double(void **state)
{
    static const int classes[] = {1, 2, 10, 17, 70}, samples[] = {1, 15, 16, 33};

    (void) state;
    for (size_t c = 0; c < CS_COUNT(classes); c++)
        for (size_t s = 0; s < CS_COUNT(samples); s++) {
            check_softmax(1, classes[c], samples[s], true);
            check_softmax(3, classes[c], samples[s], false);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses__every_instance_as_ref),
        cmocka_unit_test(test_losses__values_and_slopes),
        cmocka_unit_test(test_losses__plain_cross_entropy),
        cmocka_unit_test(test_losses__all_ignored),
        cmocka_unit_test(test_measures__classes),
        cmocka_unit_test(test_measures__elements),
        cmocka_unit_test(test_softmax__as_ref_and_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
