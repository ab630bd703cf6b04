/*
 * Norms, channel dropout and noise: every instance against "ref", bit for bit, over odd shapes; "ref" against formulas
 * in double and its gradients against finite differences of those; the quality of the normal numbers.
 */
#include "kernels/math/box_muller.h"
#include "kernels/math/philox.h"
#include "tests/unit/kern_help.h"

enum { TRIALS = 3 };

/* positions 0: flat */
static const struct batch_shape {
    int samples, channels, positions;
} batch_shapes[] = {{2, 1, 0},   {7, 5, 0},   {16, 16, 0}, {33, 17, 0}, {64, 40, 0},
                    {1, 3, 2},   {2, 1, 1},   {5, 3, 4},   {16, 2, 9},  {17, 18, 1},
                    {35, 5, 12}, {48, 16, 3}, {100, 7, 0}};

static const struct layer_shape {
    int samples, features;
} layer_shapes[] = {{1, 1}, {3, 2}, {16, 16}, {17, 33}, {5, 100}, {64, 31}};

struct batch {
    struct kern_batchnorm b;
    size_t matrix, vector, saved; /* floats of all trials */
    int rows, cols, padded;
};

static struct batch make_batch(const struct batch_shape *s, bool affine, bool relu)
{
    struct batch t = {.rows = s->positions ? s->channels * s->positions : s->samples,
                      .cols = s->positions ? s->samples : s->channels,
                      .padded = (int) kern_pad((size_t) s->channels)};
    uint32_t random = 5;
    const size_t stride = test_stride((size_t) t.rows, (size_t) t.cols);
    const size_t w_stride = test_stride(1, (size_t) s->channels);

    t.matrix = TRIALS * stride;
    t.vector = TRIALS * w_stride;
    t.saved = TRIALS * (size_t) (2 * t.padded + KERN_PANEL);
    t.b = (struct kern_batchnorm){
        .trials = TRIALS,
        .samples = s->samples,
        .channels = s->channels,
        .positions = s->positions,
        .eps = 1e-5,
        .momentum = 0.3,
        .x = test_matrices(TRIALS, t.rows, t.cols, &random),
        .dy = test_matrices(TRIALS, t.rows, t.cols, &random),
        .x_stride = stride,
        .y_stride = stride,
        .w = affine ? test_matrices(TRIALS, 1, s->channels, &random) : NULL,
        .bias = affine ? test_matrices(TRIALS, 1, s->channels, &random) : NULL,
        .running_mean = test_matrices(TRIALS, 1, s->channels, &random),
        .running_var = test_matrices(TRIALS, 1, s->channels, &random),
        .w_stride = w_stride,
        .saved_stride = (size_t) (2 * t.padded + KERN_PANEL),
        .dw_stride = w_stride,
        .relu = relu,
    };
    for (size_t i = 0; i < t.vector; i++)
        t.b.running_var[i] = fabsf(t.b.running_var[i]);
    return t;
}

static void free_batch(struct batch *t)
{
    free((void *) t->b.x);
    free((void *) t->b.dy);
    free((void *) t->b.w);
    free((void *) t->b.bias);
    free(t->b.running_mean);
    free(t->b.running_var);
}

enum { Y, EVAL_Y, DX, DW, DB, MEAN, VAR, SAVED, RESULTS };

struct results {
    float *r[RESULTS];
    size_t count[RESULTS];
};

static void free_results(struct results *r)
{
    for (int i = 0; i < RESULTS; i++)
        free(r->r[i]);
}

static struct results run_batch(const struct kern_ops *ops, const struct batch *t)
{
    struct kern_batchnorm b = t->b;
    struct results r = {.count = {t->matrix, t->matrix, t->matrix, t->vector, t->vector, t->vector,
                                  t->vector, t->saved}};

    for (int i = 0; i < RESULTS; i++)
        r.r[i] = i == MEAN  ? test_copy(t->b.running_mean, r.count[i])
                 : i == VAR ? test_copy(t->b.running_var, r.count[i])
                            : test_buffer(r.count[i]);
    b.y = r.r[Y];
    b.running_mean = r.r[MEAN];
    b.running_var = r.r[VAR];
    b.saved = r.r[SAVED];
    ops->batchnorm(&b);
    b.dx = r.r[DX];
    b.dw = r.r[DW];
    b.db = r.r[DB];
    ops->batchnorm_grad(&b);
    b.y = r.r[EVAL_Y];
    ops->batchnorm_eval(&b);
    return r;
}

static void assert_same(const struct results *is, const struct results *want, const char *instance,
                        int shape)
{
    static const char *const names[RESULTS] = {"y",  "y in evaluation", "dx",          "dw",
                                               "db", "running mean",    "running var", "saved"};

    for (int i = 0; i < RESULTS; i++)
        if (want->r[i] && !test_equal(is->r[i], want->r[i], want->count[i], names[i]))
            fail_msg("%s: shape %d", instance, shape);
}

static void batchnorm_instances_agree(void **state)
{
    (void) state;
    for (int s = 0; s < (int) CS_COUNT(batch_shapes); s++)
        for (int way = 0; way < 4; way++) {
            struct batch t = make_batch(&batch_shapes[s], way & 1, way & 2);
            struct results want = run_batch(&kern_ref, &t);
            for (const struct kern_ops *const *k = test_instances(); *k; k++) {
                struct results is = run_batch(*k, &t);
                assert_same(&is, &want, (*k)->instance, s);
                free_results(&is);
            }
            free_results(&want);
            free_batch(&t);
        }
}

/* Frozen weights, and an input that nothing trained makes: what is not asked for is left out. */
static void gradients_one_by_one(void **state)
{
    (void) state;
    for (int way = 0; way < 4; way++) {
        struct batch t = make_batch(&batch_shapes[way], true, false);
        struct results all = run_batch(&kern_ref, &t);
        for (const struct kern_ops *const *k = test_instances(); *k; k++) {
            struct kern_batchnorm b = t.b;
            float *dx = test_buffer(t.matrix), *dw = test_buffer(t.vector);
            b.saved = all.r[SAVED];
            b.dx = way & 1 ? dx : NULL;
            b.dw = way & 2 ? dw : NULL;
            (*k)->batchnorm_grad(&b);
            assert_true(!(way & 1) || test_equal(dx, all.r[DX], t.matrix, "dx alone"));
            assert_true(!(way & 2) || test_equal(dw, all.r[DW], t.vector, "dw alone"));
            free(dx);
            free(dw);
        }
        free_results(&all);
        free_batch(&t);
    }
}

static size_t place(const struct batch *t, int n, int c, int at)
{
    return t->b.positions
               ? kern_at((size_t) t->rows, (size_t) (c * t->b.positions + at), (size_t) n)
               : kern_at((size_t) t->rows, (size_t) n, (size_t) c);
}

/* sum over one channel of dy * y, y normalised in double; x[place of (pn, pat)] is moved by h. */
static double batch_objective(const struct batch *t, int c, int pn, int pat, double h, double w,
                              double bias, double *mean_out, double *var_out)
{
    const int positions = t->b.positions ? t->b.positions : 1;
    const double count = (double) t->b.samples * positions;
    double mean = 0, var = 0, sum = 0;

    for (int pass = 0; pass < 3; pass++)
        for (int n = 0; n < t->b.samples; n++)
            for (int at = 0; at < positions; at++) {
                const size_t i = place(t, n, c, at);
                const double x = (double) t->b.x[i] + (n == pn && at == pat ? h : 0);
                if (pass == 0)
                    mean += x / count;
                else if (pass == 1)
                    var += (x - mean) * (x - mean) / count;
                else
                    sum += (double) t->b.dy[i] * ((x - mean) / sqrt(var + t->b.eps) * w + bias);
            }
    *mean_out = mean;
    *var_out = var * count / (count - 1);
    return sum;
}

static void near(const char *what, double is, double want, double scale)
{
    if (!(fabs(is - want) <= 3e-6 * (fabs(want) + scale)))
        fail_msg("%s is %.9g, not %.9g", what, is, want);
}

static void check_batch_channel(const struct batch *t, const struct results *r, int c)
{
    const double w = (double) t->b.w[c], bias = (double) t->b.bias[c], h = 1e-4;
    double mean, var, other;

    batch_objective(t, c, -1, 0, 0, w, bias, &mean, &var);
    const double s = 1 / sqrt(var * (t->b.samples - 1) / t->b.samples + t->b.eps);
    near("running mean", (double) r->r[MEAN][c], 0.7 * (double) t->b.running_mean[c] + 0.3 * mean,
         0.1);
    near("running var", (double) r->r[VAR][c], 0.7 * (double) t->b.running_var[c] + 0.3 * var, 0.1);
    const double slope_w = batch_objective(t, c, -1, 0, 0, 1, 0, &mean, &other);
    near("dw", (double) r->r[DW][c], slope_w, 5);
    near("db", (double) r->r[DB][c], batch_objective(t, c, -1, 0, 0, 0, 1, &mean, &other), 5);
    for (int n = 0; n < t->b.samples; n++) {
        const size_t i = place(t, n, c, 0);
        const double up = batch_objective(t, c, n, 0, h, w, bias, &other, &other);
        const double down = batch_objective(t, c, n, 0, -h, w, bias, &other, &other);
        near("dx", (double) r->r[DX][i], (up - down) / (2 * h), 5);
        if (t->b.positions == 0)
            near("y", (double) r->r[Y][i], ((double) t->b.x[i] - mean) * s * w + bias, 1);
        const double seen = ((double) t->b.x[i] - (double) r->r[MEAN][c]) /
                                sqrt((double) r->r[VAR][c] + t->b.eps) * w +
                            bias;
        near("y in evaluation", (double) r->r[EVAL_Y][i], seen, 1);
    }
}

static void batchnorm_is_the_formula(void **state)
{
    static const int chosen[] = {1, 3, 7, 8, 10};

    (void) state;
    for (size_t s = 0; s < CS_COUNT(chosen); s++) {
        struct batch t = make_batch(&batch_shapes[chosen[s]], true, false);
        struct results r = run_batch(&kern_ref, &t);
        for (int c = 0; c < t.b.channels; c++)
            check_batch_channel(&t, &r, c);
        free_results(&r);
        free_batch(&t);
    }
}

/* ---- layer norm ---- */

static struct kern_layernorm make_layer(const struct layer_shape *s, bool affine, bool relu)
{
    uint32_t random = 9;

    return (struct kern_layernorm){
        .trials = TRIALS,
        .samples = s->samples,
        .features = s->features,
        .eps = 1e-5,
        .x = test_matrices(TRIALS, s->features, s->samples, &random),
        .dy = test_matrices(TRIALS, s->features, s->samples, &random),
        .x_stride = test_stride((size_t) s->features, (size_t) s->samples),
        .y_stride = test_stride((size_t) s->features, (size_t) s->samples),
        .w = affine ? test_matrices(TRIALS, 1, s->features, &random) : NULL,
        .bias = affine ? test_matrices(TRIALS, 1, s->features, &random) : NULL,
        .w_stride = test_stride(1, (size_t) s->features),
        .saved_stride = 2 * kern_pad((size_t) s->samples) + KERN_PANEL,
        .dw_stride = test_stride(1, (size_t) s->features),
        .relu = relu,
    };
}

static void free_layer(struct kern_layernorm *n)
{
    free((void *) n->x);
    free((void *) n->dy);
    free((void *) n->w);
    free((void *) n->bias);
}

static struct results run_layer(const struct kern_ops *ops, const struct kern_layernorm *given)
{
    struct kern_layernorm n = *given;
    const size_t matrix = TRIALS * n.x_stride, vector = TRIALS * n.w_stride;
    struct results r = {
        .count = {matrix, matrix, matrix, vector, vector, 0, 0, TRIALS * n.saved_stride}};

    for (int i = 0; i < RESULTS; i++)
        r.r[i] = r.count[i] ? test_buffer(r.count[i]) : NULL;
    n.y = r.r[EVAL_Y];
    ops->layernorm(&n);
    n.y = r.r[Y];
    n.saved = r.r[SAVED];
    n.dx = r.r[DX];
    n.dw = r.r[DW];
    n.db = r.r[DB];
    ops->layernorm(&n);
    ops->layernorm_grad(&n);
    return r;
}

static void layernorm_instances_agree(void **state)
{
    (void) state;
    for (int s = 0; s < (int) CS_COUNT(layer_shapes); s++)
        for (int way = 0; way < 4; way++) {
            struct kern_layernorm n = make_layer(&layer_shapes[s], way & 1, way & 2);
            struct results want = run_layer(&kern_ref, &n);
            assert_memory_equal(want.r[Y], want.r[EVAL_Y], want.count[Y] * sizeof(float));
            for (const struct kern_ops *const *k = test_instances(); *k; k++) {
                struct results is = run_layer(*k, &n);
                assert_same(&is, &want, (*k)->instance, s);
                free_results(&is);
            }
            free_results(&want);
            free_layer(&n);
        }
}

/* sum over one sample of dy * y in double, feature `at` moved by h; the normalised values in v. */
static double layer_objective(const struct kern_layernorm *n, size_t sample, size_t at, double h,
                              double *v)
{
    const size_t features = (size_t) n->features;
    double mean = 0, var = 0, sum = 0;

    for (int pass = 0; pass < 3; pass++)
        for (size_t f = 0; f < features; f++) {
            const size_t i = kern_at(features, f, sample);
            const double x = (double) n->x[i] + (f == at ? h : 0);
            if (pass == 0)
                mean += x / n->features;
            else if (pass == 1)
                var += (x - mean) * (x - mean) / n->features;
            else {
                v[f] = (x - mean) / sqrt(var + n->eps);
                sum += (double) n->dy[i] * (v[f] * (double) n->w[f] + (double) n->bias[f]);
            }
        }
    return sum;
}

static void layernorm_is_the_formula(void **state)
{
    (void) state;
    for (size_t s = 2; s < CS_COUNT(layer_shapes); s++) {
        struct kern_layernorm n = make_layer(&layer_shapes[s], true, false);
        struct results r = run_layer(&kern_ref, &n);
        const size_t features = (size_t) n.features;
        double dw[100] = {0}, db[100] = {0}, v[100], ignored[100];
        for (size_t i = 0; i < (size_t) n.samples; i++) {
            layer_objective(&n, i, features, 0, v);
            for (size_t f = 0; f < features; f++) {
                const size_t at = kern_at(features, f, i);
                const double up = layer_objective(&n, i, f, 1e-4, ignored);
                const double down = layer_objective(&n, i, f, -1e-4, ignored);
                near("dx", (double) r.r[DX][at], (up - down) / 2e-4, 5);
                near("y", (double) r.r[Y][at], v[f] * (double) n.w[f] + (double) n.bias[f], 1);
                dw[f] += (double) n.dy[at] * v[f];
                db[f] += (double) n.dy[at];
            }
        }
        for (size_t f = 0; f < features; f++) {
            near("dw", (double) r.r[DW][f], dw[f], 5);
            near("db", (double) r.r[DB][f], db[f], 5);
        }
        free_results(&r);
        free_layer(&n);
    }
}

/* ---- what is random ---- */

static void random_instances_agree(void **state)
{
    static const int shapes[][3] = {{1, 1, 1}, {5, 7, 3}, {16, 4, 4}, {33, 18, 5}, {64, 3, 1}};
    static const double p[TRIALS] = {0.5, 0, 0.3}, std[TRIALS] = {1, 0.1, 0};
    static const uint64_t seed[TRIALS] = {0, 99, 0x123456789abcdef0};

    (void) state;
    for (size_t s = 0; s < CS_COUNT(shapes); s++) {
        const int samples = shapes[s][0], rows = shapes[s][1] * shapes[s][2];
        uint32_t random = 3;
        float *x = test_matrices(TRIALS, rows, samples, &random);
        const size_t stride = test_stride((size_t) rows, (size_t) samples), all = TRIALS * stride;
        float *dropped = test_copy(x, all), *noisy = test_copy(x, all);
        struct kern_dropout2d d = {
            TRIALS, samples, shapes[s][1], shapes[s][2], dropped, stride, p, seed, 7, 3};
        struct kern_noise n = {TRIALS, rows, samples, true, noisy, stride, std, seed, 7, 3};
        kern_ref.dropout2d(&d);
        kern_ref.noise(&n);
        for (const struct kern_ops *const *k = test_instances(); *k; k++) {
            float *other = test_copy(x, all);
            d.x = other;
            (*k)->dropout2d(&d);
            assert_true(test_equal(other, dropped, all, (*k)->instance));
            memcpy(other, x, all * sizeof *x);
            n.x = other;
            (*k)->noise(&n);
            assert_true(test_equal(other, noisy, all, (*k)->instance));
            /* stored the other way about: the same numbers */
            float *by_sample = test_buffer((size_t) samples * kern_pad((size_t) rows));
            (*k)->transpose(by_sample, x, rows, samples);
            (*k)->noise(
                &(struct kern_noise){1, samples, rows, false, by_sample, 0, std, seed, 7, 3});
            (*k)->transpose(other, by_sample, samples, rows);
            assert_memory_equal(other, noisy,
                                (size_t) rows * kern_pad((size_t) samples) * sizeof *x);
            free(by_sample);
            free(other);
        }
        free(x);
        free(dropped);
        free(noisy);
    }
}

/* A channel is kept as a whole by the draw of rule 9, times 1 / (1 - p). */
static void dropout2d_takes_whole_channels(void **state)
{
    enum { SAMPLES = 200, CHANNELS = 30, POSITIONS = 4, ROWS = CHANNELS * POSITIONS };
    const double p = 0.25;
    const uint64_t seed = 11;
    float *x = test_buffer(ROWS * kern_pad(SAMPLES));
    int kept = 0;

    (void) state;
    for (size_t i = 0; i < ROWS * kern_pad(SAMPLES); i++)
        x[i] = 3;
    kern_ref.dropout2d(
        &(struct kern_dropout2d){1, SAMPLES, CHANNELS, POSITIONS, x, 0, &p, &seed, 4, 2});
    for (uint32_t n = 0; n < SAMPLES; n++)
        for (uint32_t c = 0; c < CHANNELS; c++) {
            const bool keep = kern_dropout_keep(seed, c, n, 4, 2, kern_dropout_threshold(p));
            kept += keep;
            for (size_t at = 0; at < POSITIONS; at++)
                assert_true(x[kern_at(ROWS, c * POSITIONS + at, n)] == (keep ? 4.0f : 0.0f));
        }
    assert_true(abs(kept - SAMPLES * CHANNELS * 3 / 4) < 150); /* 4.5 deviations */
    free(x);
}

/* Against the formula in double; then moments, and how many lie beyond 1, 2, 3 and 4. */
static void numbers_are_normal(void **state)
{
    enum { PAIRS = 1 << 20 };
    static const double beyond[] = {0.31731050786, 0.04550026390, 0.00269979606, 0.00006334248};
    double sum[5] = {0}, worst = 0, product = 0;
    int over[4] = {0};

    (void) state;
    for (uint32_t i = 0; i < PAIRS; i++) {
        const struct kern_philox r = kern_philox(1, i, 2, 3, 4);
        const double u = ((double) (r.v[0] >> 8) + 1) * 0x1p-24, turn = acos(0.0); /* pi / 2 */
        const double a = ((double) (r.v[1] >> 6 & 0xffffff) + 0.5) * 0x1p-24 - 0.5;
        const double angle = turn * ((double) (r.v[1] >> 30) + a), radius = sqrt(-2 * log(u));
        float z[2];
        kern_box_muller(&z[0], &z[1], r.v[0], r.v[1]);
        const double want[2] = {radius * cos(angle), radius * sin(angle)};
        product += (double) z[0] * (double) z[1];
        for (int k = 0; k < 2; k++) {
            const double ulp = ldexp(1, ilogb(want[k]) - 23), v = (double) z[k];
            if (want[k] != 0)
                worst = fmax(worst, fabs(v - want[k]) / ulp);
            double power = 1;
            for (int e = 0; e < 5; e++, power *= v)
                sum[e] += power;
            for (int e = 0; e < 4; e++)
                over[e] += fabs(v) > e + 1;
        }
    }
    if (worst > 3)
        fail_msg("%.2f ulp from the formula", worst);
    const double n = 2.0 * PAIRS; /* 5 deviations each */
    assert_true(fabs(sum[1] / n) < 5 / sqrt(n) && fabs(sum[2] / n - 1) < 5 * sqrt(2 / n));
    assert_true(fabs(sum[3] / n) < 5 * sqrt(15 / n) && fabs(sum[4] / n - 3) < 5 * sqrt(96 / n));
    assert_true(fabs(product / PAIRS) < 5 / sqrt(PAIRS));
    for (int e = 0; e < 4; e++)
        assert_true(fabs(over[e] - beyond[e] * n) < 5 * sqrt(beyond[e] * n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batchnorm_instances_agree),
        cmocka_unit_test(gradients_one_by_one),
        cmocka_unit_test(batchnorm_is_the_formula),
        cmocka_unit_test(layernorm_instances_agree),
        cmocka_unit_test(layernorm_is_the_formula),
        cmocka_unit_test(random_instances_agree),
        cmocka_unit_test(dropout2d_takes_whole_channels),
        cmocka_unit_test(numbers_are_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
