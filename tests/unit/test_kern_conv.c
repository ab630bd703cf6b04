/*
 * Convolution and pooling: every instance against "ref", bit for bit, over odd shapes and operands full of zeros; "ref"
 * against the definition in float64, and its gradients against one another (y is linear in x and in w); pooling
 * where it is worked out by hand.
 */
#include "tests/unit/kern_help.h"

enum { TRIALS = 2 };

static const struct shape {
    int channels, height, width, filters, kernel, stride, pad, dilation, groups;
} shapes[] = {
    {1, 28, 28, 6, 5, 1, 2, 1, 1}, {6, 14, 14, 16, 5, 1, 0, 1, 1}, {3, 9, 7, 7, 3, 1, 1, 1, 1},
    {2, 5, 6, 13, 3, 2, 1, 1, 1},  {4, 8, 8, 6, 3, 1, 2, 2, 2},    {6, 6, 5, 6, 3, 1, 1, 1, 6},
    {5, 4, 4, 9, 1, 1, 0, 1, 1},   {1, 3, 3, 1, 3, 1, 0, 1, 1},    {8, 7, 7, 4, 2, 3, 1, 1, 4},
    {1, 12, 13, 2, 9, 1, 4, 1, 1}, {2, 11, 9, 3, 3, 2, 3, 3, 1},   {3, 8, 10, 5, 7, 1, 3, 1, 1},
    {2, 1, 1, 3, 3, 1, 1, 1, 1},   {14, 4, 5, 3, 4, 1, 0, 1, 1},   {1, 2, 2, 2, 2, 5, 3, 1, 1},
    {2, 9, 9, 4, 8, 1, 4, 1, 2},   {1, 5, 40, 3, 6, 2, 2, 1, 1},
};
static const int batches[] = {1, 7, 16, 33};

enum { SHAPES = sizeof shapes / sizeof shapes[0], BATCHES = sizeof batches / sizeof batches[0] };

/* Operands of one convolution. */
struct conv {
    struct kern_conv v;
    size_t x_count, y_count, w_count; /* floats of all trials */
    int x_features, y_features, weights;
};

static int out_of(int in, const struct shape *s)
{
    return (in + 2 * s->pad - s->dilation * (s->kernel - 1) - 1) / s->stride + 1;
}

/* zeros: of 8 elements of dy so many are made 0, as behind a maximum pool (one of 4 is left) or a ReLU. */
static struct conv make_conv(const struct shape *s, int samples, int zeros)
{
    struct conv c = {.v = {.trials = TRIALS, .samples = samples}};
    const int out_height = out_of(s->height, s), out_width = out_of(s->width, s);
    uint32_t random = 77;

    c.v.shape = (struct kern_conv_shape){s->channels, s->height,   s->width,  s->filters,
                                         out_height,  out_width,   s->kernel, s->stride,
                                         s->pad,      s->dilation, s->groups};
    c.x_features = s->channels * s->height * s->width;
    c.y_features = s->filters * out_height * out_width;
    c.weights = s->filters * (s->channels / s->groups) * s->kernel * s->kernel;
    c.v.x_stride = test_stride((size_t) c.x_features, (size_t) samples);
    c.v.y_stride = test_stride((size_t) c.y_features, (size_t) samples);
    c.v.w_stride = test_stride(1, (size_t) c.weights);
    c.v.dw_stride = c.v.w_stride;
    c.x_count = TRIALS * c.v.x_stride;
    c.y_count = TRIALS * c.v.y_stride;
    c.w_count = TRIALS * c.v.w_stride;
    float *dy = test_matrices(TRIALS, c.y_features, samples, &random);
    for (size_t i = 0; i < c.y_count; i++)
        if ((int) (test_random(&random) % 8) < zeros)
            dy[i] = i % 3 && !(i % c.v.y_stride % 16 >= (size_t) samples % 16) ? -0.0f : 0.0f;
    for (int n = samples; n < (int) kern_pad((size_t) samples); n++)
        for (int f = 0; f < c.y_features; f++)
            for (size_t t = 0; t < TRIALS; t++)
                dy[t * c.v.y_stride + kern_at((size_t) c.y_features, (size_t) f, (size_t) n)] = 0;
    c.v.dy = dy;
    c.v.x = test_matrices(TRIALS, c.x_features, samples, &random);
    c.v.w = test_matrices(TRIALS, 1, c.weights, &random);
    float *bias = test_buffer(c.w_count);
    for (size_t i = 0; i < c.w_count; i++)
        bias[i] = test_number(&random);
    c.v.bias = bias;
    return c;
}

static void free_conv(struct conv *c)
{
    free((void *) c->v.x);
    free((void *) c->v.w);
    free((void *) c->v.dy);
    free((void *) c->v.bias);
}

struct results {
    float *y, *dx, *dw, *db;
};

static struct results run_conv(const struct kern_ops *ops, const struct conv *c, bool relu)
{
    struct results r = {test_buffer(c->y_count), test_buffer(c->x_count), test_buffer(c->w_count),
                        test_buffer(c->w_count)};
    struct kern_conv v = c->v;

    v.relu = relu;
    v.y = r.y;
    v.dx = r.dx;
    v.dw = r.dw;
    v.db = r.db;
    ops->conv_forward(&v);
    ops->conv_dx(&v);
    ops->conv_dw(&v);
    return r;
}

static void free_results(struct results *r)
{
    free(r->y);
    free(r->dx);
    free(r->dw);
    free(r->db);
}

static void check_conv(const struct shape *s, int samples, int zeros, bool relu)
{
    struct conv c = make_conv(s, samples, zeros);
    struct results want = run_conv(&kern_ref, &c, relu);

    for (const struct kern_ops *const *k = test_instances(); *k; k++) {
        struct results is = run_conv(*k, &c, relu);
        const bool same = test_equal(is.y, want.y, c.y_count, (*k)->instance) &&
                          test_equal(is.dx, want.dx, c.x_count, (*k)->instance) &&
                          test_equal(is.dw, want.dw, c.w_count, (*k)->instance) &&
                          test_equal(is.db, want.db, c.w_count, (*k)->instance);
        if (!same)
            fail_msg("%s: shape %d, %d samples, %d of 8 zero", (*k)->instance, (int) (s - shapes),
                     samples, zeros);
        free_results(&is);
    }
    free_results(&want);
    free_conv(&c);
}

static void conv_instances_agree(void **state)
{
    (void) state;
    for (int s = 0; s < SHAPES; s++)
        for (int b = 0; b < BATCHES; b++)
            if (s >= 2 || b < 2 || b == 3 - s) /* the large shapes in fewer batches */
                check_conv(&shapes[s], batches[b], (s + b) % 3 * 3, (s + b) % 2);
}

/* Behind a pool of 2 x 2 at most one of a block is not zero; also whole filters of zeros. */
static void conv_behind_a_pool(void **state)
{
    (void) state;
    for (int s = 0; s < SHAPES; s++) {
        struct conv c = make_conv(&shapes[s], 18, 2);
        const struct kern_conv_shape *v = &c.v.shape;
        float *dy = test_copy(c.v.dy, c.y_count);
        for (size_t t = 0; t < TRIALS; t++)
            for (int f = 0; f < c.y_features; f++)
                for (int n = 0; n < 18; n++) {
                    const int h = f / v->out_width % v->out_height, w = f % v->out_width;
                    const int filter = f / v->out_width / v->out_height;
                    const int chosen = (n * 7 + h / 2 + w / 2 * 3 + filter) % 5;
                    if (chosen != h % 2 * 2 + w % 2 || (filter + n) % 3 == 0)
                        dy[t * c.v.y_stride + kern_at((size_t) c.y_features, (size_t) f,
                                                      (size_t) n)] = n % 2 ? -0.0f : 0.0f;
                }
        free((void *) c.v.dy);
        c.v.dy = dy;
        struct results want = run_conv(&kern_ref, &c, true);
        for (const struct kern_ops *const *k = test_instances(); *k; k++) {
            struct results is = run_conv(*k, &c, true);
            assert_true(test_equal(is.dx, want.dx, c.x_count, (*k)->instance));
            assert_true(test_equal(is.dw, want.dw, c.w_count, (*k)->instance));
            assert_true(test_equal(is.db, want.db, c.w_count, (*k)->instance));
            free_results(&is);
        }
        free_results(&want);
        free_conv(&c);
    }
}

/* What the operations give with a pool behind, y and taps first, or apart: convolution, pool, gradients of both. */
struct pooled {
    struct results r;
    float *tap;
};

static struct pooled run_pooled(const struct kern_ops *ops, const struct conv *c, size_t stride,
                                const float *dy, bool relu)
{
    struct pooled is = {.tap = test_buffer(TRIALS * stride)};
    struct kern_conv v = c->v;

    is.r = (struct results){test_buffer(TRIALS * stride), test_buffer(c->x_count),
                            test_buffer(c->w_count), test_buffer(c->w_count)};
    v.relu = relu;
    v.tap = is.tap;
    v.tap_stride = v.y_stride = stride;
    v.y = is.r.y;
    v.dy = dy;
    v.dx = is.r.dx;
    v.dw = is.r.dw;
    v.db = is.r.db;
    ops->conv_forward(&v);
    ops->conv_dx(&v);
    ops->conv_dw(&v);
    return is;
}

static struct results run_apart(const struct conv *c, size_t stride, const float *dy, bool relu)
{
    const struct kern_conv_shape *s = &c->v.shape;
    struct results conv, is;
    struct conv apart = *c;
    struct kern_pool p = {.trials = TRIALS,
                          .samples = c->v.samples,
                          .channels = s->filters,
                          .height = s->out_height,
                          .width = s->out_width,
                          .out_height = s->out_height / 2,
                          .out_width = s->out_width / 2,
                          .kernel_height = 2,
                          .kernel_width = 2,
                          .stride = 2,
                          .dy = dy,
                          .x_stride = c->v.y_stride,
                          .y_stride = stride,
                          .relu = relu};

    conv = run_conv(&kern_ref, c, relu);
    p.x = conv.y;
    p.y = test_buffer(TRIALS * stride);
    p.dx = test_buffer(c->y_count);
    kern_ref.maxpool(&p);
    kern_ref.maxpool_grad(&p);
    apart.v.dy = p.dx;
    is = run_conv(&kern_ref, &apart, relu);
    free(is.y);
    is.y = p.y;
    free(p.dx);
    free_results(&conv);
    return is;
}

static bool same_results(const struct pooled *is, const struct results *want, const struct conv *c,
                         size_t stride, const char *who)
{
    return test_equal(is->r.y, want->y, TRIALS * stride, who) &&
           test_equal(is->r.dx, want->dx, c->x_count, who) &&
           test_equal(is->r.dw, want->dw, c->w_count, who) &&
           test_equal(is->r.db, want->db, c->w_count, who);
}

/* With the pool computed along: "ref" as with both apart, the instances as "ref". */
static void conv_with_its_pool(void **state)
{
    (void) state;
    for (int k = 0; k < 2 * SHAPES; k++) {
        const bool relu = k % 3;
        struct conv c = make_conv(&shapes[k / 2], k % 2 ? 18 : 8, 0);
        const struct kern_conv_shape *s = &c.v.shape;
        const int features = s->filters * (s->out_height / 2) * (s->out_width / 2);
        const size_t stride = test_stride((size_t) features, (size_t) c.v.samples);
        uint32_t random = 5;
        if (features == 0) {
            free_conv(&c);
            continue;
        }
        float *dy = test_matrices(TRIALS, features, c.v.samples, &random);
        struct pooled want = run_pooled(&kern_ref, &c, stride, dy, relu);
        struct results apart = run_apart(&c, stride, dy, relu);
        assert_true(same_results(&want, &apart, &c, stride, "ref, apart"));
        for (const struct kern_ops *const *i = test_instances(); *i; i++) {
            struct pooled is = run_pooled(*i, &c, stride, dy, relu);
            if (!same_results(&is, &want.r, &c, stride, (*i)->instance) ||
                !test_equal(is.tap, want.tap, TRIALS * stride, (*i)->instance))
                fail_msg("%s: shape %d, %d samples", (*i)->instance, k / 2, c.v.samples);
            free_results(&is.r);
            free(is.tap);
        }
        free_results(&apart);
        free_results(&want.r);
        free(want.tap);
        free(dy);
        free_conv(&c);
    }
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double) a[i] * (double) b[i];
    return sum;
}

static double size_of(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fabs((double) a[i] * (double) b[i]);
    return sum;
}

/* One output in float64, from the definition. */
static double direct(const struct conv *c, int sample, int filter, int oh, int ow)
{
    const struct kern_conv_shape *s = &c->v.shape;
    const int ins = s->channels / s->groups;
    double sum = (double) c->v.bias[filter];

    for (int i = 0; i < ins; i++)
        for (int kh = 0; kh < s->kernel; kh++)
            for (int kw = 0; kw < s->kernel; kw++) {
                const int h = oh * s->stride + kh * s->dilation - s->pad;
                const int w = ow * s->stride + kw * s->dilation - s->pad;
                const int channel = filter / (s->filters / s->groups) * ins + i;
                if (h < 0 || w < 0 || h >= s->height || w >= s->width)
                    continue;
                const int f = (channel * s->height + h) * s->width + w;
                sum +=
                    (double) c->v.x[kern_at((size_t) c->x_features, (size_t) f, (size_t) sample)] *
                    (double) c->v.w[((filter * ins + i) * s->kernel + kh) * s->kernel + kw];
            }
    return sum;
}

/* Forward by definition; <y, dy> = <x, dx> = <w, dw> without bias, and <bias, db> = <y with bias, dy> - <y, dy>. */
static void ref_is_convolution(void **state)
{
    (void) state;
    for (int k = 0; k < SHAPES; k++) {
        struct conv c = make_conv(&shapes[k], 3, 0);
        const struct kern_conv_shape *s = &c.v.shape;
        const size_t y_one = (size_t) c.y_features * 16, x_one = (size_t) c.x_features * 16;
        const size_t w_one = (size_t) c.weights, b_one = (size_t) s->filters;
        struct results with = run_conv(&kern_ref, &c, false);
        for (int n = 0; n < 3; n++)
            for (int f = 0; f < c.y_features; f++) {
                const int plane = s->out_height * s->out_width;
                const double want =
                    direct(&c, n, f / plane, f % plane / s->out_width, f % s->out_width);
                assert_true(
                    fabs((double) with.y[kern_at((size_t) c.y_features, (size_t) f, (size_t) n)] -
                         want) < 2e-5);
            }
        const double biased = dot(with.y, c.v.dy, y_one);
        const float *bias = c.v.bias;
        c.v.bias = NULL;
        struct results plain = run_conv(&kern_ref, &c, false);
        const double want = dot(plain.y, c.v.dy, y_one);
        const double bound = 1e-6 * (size_of(with.y, c.v.dy, y_one) + 1);
        assert_true(fabs(dot(c.v.x, plain.dx, x_one) - want) < bound);
        assert_true(fabs(dot(c.v.w, plain.dw, w_one) - want) < bound);
        assert_true(fabs(dot(bias, plain.db, b_one) - (biased - want)) < 2 * bound);
        c.v.bias = bias;
        free_results(&with);
        free_results(&plain);
        free_conv(&c);
    }
}

/* A gradient that is not wanted is not written. */
static void either_gradient_alone(void **state)
{
    (void) state;
    for (const struct kern_ops *const *k = test_instances(); *k; k++) {
        struct conv c = make_conv(&shapes[2], 17, 1);
        struct results want = run_conv(&kern_ref, &c, false);
        float *out = test_buffer(c.w_count);
        c.v.dw = out;
        (*k)->conv_dw(&c.v);
        assert_true(test_equal(out, want.dw, c.w_count, (*k)->instance));
        free(out);
        out = test_buffer(c.w_count);
        c.v.dw = NULL;
        c.v.db = out;
        (*k)->conv_dw(&c.v);
        assert_true(test_equal(out, want.db, c.w_count, (*k)->instance));
        free(out);
        free_results(&want);
        free_conv(&c);
    }
}

static const struct {
    int channels, height, width, kernel_height, kernel_width, stride;
} pools[] = {
    {6, 28, 28, 2, 2, 2}, {2, 7, 9, 2, 2, 2}, {3, 7, 7, 3, 3, 2}, {1, 5, 5, 3, 3, 1},
    {2, 8, 8, 2, 2, 3},   {4, 5, 3, 5, 3, 1}, {5, 4, 4, 1, 1, 1}, {1, 9, 8, 1, 1, 3},
};

enum { POOLS = sizeof pools / sizeof pools[0] };

static void check_pool(int k, int samples, bool relu)
{
    typedef void pool_op(const struct kern_pool *p);
    struct kern_pool p = {.trials = TRIALS,
                          .samples = samples,
                          .channels = pools[k].channels,
                          .height = pools[k].height,
                          .width = pools[k].width,
                          .kernel_height = pools[k].kernel_height,
                          .kernel_width = pools[k].kernel_width,
                          .stride = pools[k].stride,
                          .relu = relu};
    p.out_height = (p.height - p.kernel_height) / p.stride + 1;
    p.out_width = (p.width - p.kernel_width) / p.stride + 1;
    const int in = p.channels * p.height * p.width, out = p.channels * p.out_height * p.out_width;
    uint32_t random = 3;
    float *x = test_matrices(TRIALS, in, samples, &random);
    float *dy = test_matrices(TRIALS, out, samples, &random);

    p.x_stride = test_stride((size_t) in, (size_t) samples);
    p.y_stride = test_stride((size_t) out, (size_t) samples);
    for (size_t i = 0; i < TRIALS * p.x_stride; i++) /* ties */
        x[i] = i % p.x_stride < p.x_stride - KERN_PANEL ? roundf(x[i] * 4) / 4 : x[i];
    p.x = x;
    p.dy = dy;
    for (const struct kern_ops *const *i = test_instances(); *i; i++) {
        pool_op *const ops[][2] = {{kern_ref.maxpool, (*i)->maxpool},
                                   {kern_ref.avgpool, (*i)->avgpool},
                                   {kern_ref.maxpool_grad, (*i)->maxpool_grad},
                                   {kern_ref.avgpool_grad, (*i)->avgpool_grad}};
        for (int op = 0; op < 4; op++) {
            const size_t count = TRIALS * (op < 2 ? p.y_stride : p.x_stride);
            float *result[2];
            for (int side = 0; side < 2; side++) {
                result[side] = test_buffer(count);
                p.y = op < 2 ? result[side] : NULL;
                p.dx = op < 2 ? NULL : result[side];
                ops[op][side](&p);
            }
            if (!test_equal(result[1], result[0], count, (*i)->instance))
                fail_msg("operation %d, pool %d, %d samples", op, k, samples);
            free(result[0]);
            free(result[1]);
        }
    }
    free(x);
    free(dy);
}

static void pool_instances_agree(void **state)
{
    (void) state;
    for (int k = 0; k < POOLS; k++)
        for (int b = 0; b < BATCHES; b++)
            check_pool(k, batches[b], (k + b) % 2);
}

/* Sample 0 of a 1 x 3 x 3 image under overlapping windows of 2 x 2. */
static void pool_by_hand(void **state)
{
    static const float image[9] = {1, 5, 5, 4, 5, -6, -7, -8, -6};
    static const float gradient[4] = {1, 10, 100, 1000};
    static const float max[4] = {5, 5, 5, 5}, mean[4] = {3.75f, 2.25f, -1.5f, -3.75f};
    static const float max_dx[9] = {0, 11, 0, 0, 1100, 0, 0, 0, 0};
    static const float mean_dx[9] = {0.25f,  2.75f, 2.5f,   25.25f, 277.75f,
                                     252.5f, 25.0f, 275.0f, 250.0f};
    static const float masked[9] = {0.25f, 2.75f, 2.5f, 25.25f, 277.75f, 0, 0, 0, 0};
    float x[9 * 16] = {0}, dy[4 * 16] = {0}, y[4 * 16], dx[9 * 16];
    struct kern_pool p = {1, 1, 1, 3, 3, 2, 2, 2, 2, 1, .x = x, .dy = dy, .y = y, .dx = dx};

    (void) state;
    for (int i = 0; i < 9; i++)
        x[i * 16] = image[i];
    for (int i = 0; i < 4; i++)
        dy[i * 16] = gradient[i];
    kern_ref.maxpool(&p);
    for (int i = 0; i < 4; i++)
        assert_true(y[i * 16] == max[i]);
    kern_ref.maxpool_grad(&p);
    for (int i = 0; i < 9; i++)
        assert_true(dx[i * 16] == max_dx[i]);
    kern_ref.avgpool(&p);
    for (int i = 0; i < 4; i++)
        assert_true(y[i * 16] == mean[i]);
    kern_ref.avgpool_grad(&p);
    for (int i = 0; i < 9; i++)
        assert_true(dx[i * 16] == mean_dx[i]);
    p.relu = true;
    kern_ref.avgpool_grad(&p);
    for (int i = 0; i < 9; i++)
        assert_true(dx[i * 16] == masked[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_instances_agree),  cmocka_unit_test(conv_behind_a_pool),
        cmocka_unit_test(conv_with_its_pool),    cmocka_unit_test(ref_is_convolution),
        cmocka_unit_test(either_gradient_alone), cmocka_unit_test(pool_instances_agree),
        cmocka_unit_test(pool_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
