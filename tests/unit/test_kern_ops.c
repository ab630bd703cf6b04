/*
 * Every operation but the products, of every instance against "ref": odd shapes, trials 1 and 3, bit for bit
 * with the padding.
 */
#include "kernels/math/philox.h"
#include "tests/unit/kern_help.h"

static const int sizes[] = {1, 2, 7, 10, 15, 16, 17, 33, 63, 64, 65};

enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Run check(ops, trials, rows, cols) for every instance over the sizes. */
static void over_shapes(void (*check)(const struct kern_ops *ops, int trials, int rows, int cols))
{
    for (const struct kern_ops *const *k = test_instances(); *k; k++)
        for (int r = 0; r < SIZES; r++)
            for (int c = 0; c < SIZES; c++)
                check(*k, (r + c) % 2 ? 3 : 1, sizes[r], sizes[c]);
}

static void check_transpose(const struct kern_ops *ops, int trials, int rows, int cols)
{
    const size_t count = (size_t) cols * kern_pad((size_t) rows);
    uint32_t random = 5;
    float *in = test_matrices(1, rows, cols, &random);
    float *want = test_buffer(count), *is = test_buffer(count);

    (void) trials;
    kern_ref.transpose(want, in, rows, cols);
    ops->transpose(is, in, rows, cols);
    assert_true(test_equal(is, want, count, ops->instance));
    free(in);
    free(want);
    free(is);
}

static void check_bias_grad(const struct kern_ops *ops, int trials, int rows, int cols)
{
    const size_t count = kern_pad((size_t) cols);
    uint32_t random = 6;
    float *dy = test_matrices(1, rows, cols, &random);
    float *want = test_buffer(count), *is = test_buffer(count);

    (void) trials;
    kern_ref.bias_grad(want, dy, rows, cols);
    ops->bias_grad(is, dy, rows, cols);
    assert_true(test_equal(is, want, count, ops->instance));
    free(dy);
    free(want);
    free(is);
}

static void check_sum_squares(const struct kern_ops *ops, int trials, int rows, int cols)
{
    uint32_t random = 8;
    float *x = test_matrices(1, rows, cols, &random);
    const double want = kern_ref.sum_squares(x, (size_t) rows, (size_t) cols);
    const double is = ops->sum_squares(x, (size_t) rows, (size_t) cols);

    (void) trials;
    assert_memory_equal(&is, &want, sizeof is);
    free(x);
}

/* To the bit, and near the formula in double. */
static void check_lerp(const struct kern_ops *ops, int trials, int rows, int cols)
{
    const size_t count = (size_t) rows * kern_pad((size_t) cols);
    uint32_t random = 12;
    float *w = test_matrices(1, rows, cols, &random), *a = test_matrices(1, rows, cols, &random);
    float *want = test_copy(a, count), *is = test_copy(a, count);
    const float t = trials == 1 ? 0.001f : 0.75f;

    kern_ref.lerp(want, w, count, t);
    ops->lerp(is, w, count, t);
    assert_true(test_equal(is, want, count, ops->instance));
    for (size_t i = 0; i < count; i++)
        assert_true(fabs((double) is[i] -
                         ((1 - (double) t) * (double) a[i] + (double) t * (double) w[i])) < 1e-6);
    free(w);
    free(a);
    free(want);
    free(is);
}

static void check_relu(const struct kern_ops *ops, int trials, int rows, int cols)
{
    const size_t count = (size_t) rows * kern_pad((size_t) cols);
    uint32_t random = 9;
    float *x = test_matrices(1, rows, cols, &random), *dx = test_matrices(1, rows, cols, &random);
    float *want, *is;

    (void) trials;
    x[count / 2] = NAN;
    want = test_copy(x, count);
    is = test_copy(x, count);
    kern_ref.relu(want, count);
    ops->relu(is, count);
    assert_true(test_equal(is, want, count, ops->instance));
    free(want);
    free(is);
    want = test_copy(dx, count);
    is = test_copy(dx, count);
    kern_ref.relu_grad(want, x, count);
    ops->relu_grad(is, x, count);
    assert_true(test_equal(is, want, count, ops->instance));
    free(x);
    free(dx);
    free(want);
    free(is);
}

static void check_dropout_as(const struct kern_ops *ops, int trials, int rows, int cols,
                             bool transposed)
{
    static const double p[] = {0.5, 0, 0.1};
    static const uint64_t seed[] = {42, 0xfedcba9876543210u, 7};
    const size_t stride = test_stride((size_t) rows, (size_t) cols);
    uint32_t random = 10;
    float *want = test_matrices(trials, rows, cols, &random);
    float *is = test_copy(want, (size_t) trials * stride);
    struct kern_dropout d = {.trials = trials,
                             .rows = rows,
                             .cols = cols,
                             .transposed = transposed,
                             .x = want,
                             .x_stride = stride,
                             .p = p,
                             .seed = seed,
                             .step = 1234567,
                             .layer = 3};

    kern_ref.dropout(&d);
    d.x = is;
    ops->dropout(&d);
    assert_true(test_equal(is, want, (size_t) trials * stride, ops->instance));
    free(want);
    free(is);
}

static void check_dropout(const struct kern_ops *ops, int trials, int rows, int cols)
{
    check_dropout_as(ops, trials, rows, cols, false);
    check_dropout_as(ops, trials, rows, cols, true);
}

static void check_mask_as(const struct kern_ops *ops, int rows, int cols, bool transposed,
                          int plane)
{
    const size_t count = test_stride((size_t) rows, (size_t) cols);
    uint32_t random = 11;
    float *want = test_matrices(1, rows, cols, &random), *is = test_copy(want, count);
    uint8_t *keep = malloc((size_t) rows * (size_t) cols);
    struct kern_mask m = {.rows = rows,
                          .cols = cols,
                          .transposed = transposed,
                          .x = want,
                          .keep = keep,
                          .plane = plane,
                          .p = 0.3};

    for (int i = 0; i < rows * cols; i++)
        keep[i] = test_random(&random) % 4 > 0;
    const float first = want[0];
    kern_ref.mask(&m);
    assert_true(want[0] == (keep[0] ? first * (1.0f / 0.7f) : 0.0f));
    m.x = is;
    ops->mask(&m);
    assert_true(test_equal(is, want, count, ops->instance));
    free(keep);
    free(want);
    free(is);
}

/* Planes of any size that divides the features. */
static void check_mask(const struct kern_ops *ops, int trials, int rows, int cols)
{
    for (int plane = 1; plane <= 49 && trials == 1; plane++) {
        if (cols % plane == 0)
            check_mask_as(ops, rows, cols, false, plane);
        if (rows % plane == 0)
            check_mask_as(ops, rows, cols, true, plane);
    }
}

static void check_gather_as(const struct kern_ops *ops, struct kern_gather g, bool with_xt)
{
    const size_t x_count = (size_t) g.trials * g.x_stride;
    const size_t xt_count = (size_t) g.trials * g.xt_stride;
    float *want = test_buffer(x_count), *want_t = test_buffer(xt_count);
    float *is = test_buffer(x_count), *is_t = test_buffer(xt_count);

    g.x = want;
    g.xt = with_xt ? want_t : NULL;
    kern_ref.gather(&g);
    g.x = is;
    g.xt = with_xt ? is_t : NULL;
    ops->gather(&g);
    assert_true(test_equal(is, want, x_count, ops->instance));
    assert_true(test_equal(is_t, want_t, xt_count, ops->instance));
    free(want);
    free(want_t);
    free(is);
    free(is_t);
}

static void check_gather(const struct kern_ops *ops, int trials, int rows, int cols)
{
    enum { SAMPLES = 50 };
    const size_t pixel_count = SAMPLES * (size_t) cols, index_count = 3 * 65;
    uint8_t *pixels = cs_xmalloc(pixel_count);
    float *values = cs_xcalloc(pixel_count, sizeof *values);
    uint32_t *index = cs_xcalloc(index_count, sizeof *index);
    uint32_t random = 11;
    struct kern_gather g = {.trials = trials,
                            .rows = rows,
                            .features = cols,
                            .pixels = pixels,
                            .index = index,
                            .index_stride = 65,
                            .mean = 0,
                            .std = 1,
                            .x_stride = test_stride((size_t) rows, (size_t) cols),
                            .xt_stride = test_stride((size_t) cols, (size_t) rows)};

    for (size_t i = 0; i < pixel_count; i++) {
        pixels[i] = (uint8_t) test_random(&random);
        values[i] = test_number(&random);
    }
    for (size_t i = 0; i < index_count; i++)
        index[i] = test_random(&random) % SAMPLES;
    check_gather_as(ops, g, true);
    check_gather_as(ops, g, false);
    g.mean = 0.1307f;
    g.std = 0.3081f;
    check_gather_as(ops, g, true);
    g.pixels = NULL;
    g.values = values;
    check_gather_as(ops, g, true);
    free(pixels);
    free(values);
    free(index);
}

#define OVER_SHAPES(NAME)                      \
    static void test_ops__##NAME(void **state) \
    {                                          \
        (void) state;                          \
        over_shapes(check_##NAME);             \
    }
OVER_SHAPES(transpose)
OVER_SHAPES(bias_grad)
OVER_SHAPES(sum_squares)
OVER_SHAPES(lerp)
OVER_SHAPES(relu)
OVER_SHAPES(dropout)
OVER_SHAPES(mask)
OVER_SHAPES(gather)

/* The whole width of an image. */
static void test_ops__gather_784(void **state)
{
    (void) state;
    for (const struct kern_ops *const *k = test_instances(); *k; k++)
        check_gather(*k, 3, 64, 784);
}

/* About p of the elements go; the rest are scaled; the draw is the one philox.h names. */
static void test_ops__dropout_rate(void **state)
{
    enum { ROWS = 64, COLS = 512 };
    float *x = test_buffer(ROWS * COLS);
    const double p = 0.3;
    const uint64_t seed = 1;
    const struct kern_dropout d = {
        .trials = 1, .rows = ROWS, .cols = COLS, .x = x, .p = &p, .seed = &seed, .step = 9};
    int dropped = 0;

    (void) state;
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = 1.0f;
    kern_cpu_instances()[0]->dropout(&d);
    for (int i = 0; i < ROWS * COLS; i++) {
        assert_true(x[i] == 0.0f || x[i] == (float) (1 / 0.7));
        dropped += x[i] == 0.0f;
    }
    assert_true(abs(dropped - (int) (0.3 * ROWS * COLS)) < 400); /* 5 standard deviations */
    assert_true((x[kern_at(ROWS, 5, 18)] != 0.0f) ==
                kern_dropout_keep(1, 18, 5, 9, 0, kern_dropout_threshold(p)));
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops__transpose),   cmocka_unit_test(test_ops__bias_grad),
        cmocka_unit_test(test_ops__sum_squares), cmocka_unit_test(test_ops__lerp),
        cmocka_unit_test(test_ops__relu),        cmocka_unit_test(test_ops__dropout),
        cmocka_unit_test(test_ops__mask),        cmocka_unit_test(test_ops__gather),
        cmocka_unit_test(test_ops__gather_784),  cmocka_unit_test(test_ops__dropout_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
