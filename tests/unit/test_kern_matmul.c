/*
 * Products and optimizer steps of every instance against "ref": shapes, epilogues, every optimizer and variant,
 * bit for bit.
 */
#include "tests/unit/kern_help.h"

struct shape {
    int trials, rows, cols, depth;
};

static const enum kern_skip skips[] = {KERN_SKIP_CHOOSE, KERN_SKIP_NONE, KERN_SKIP_A, KERN_SKIP_B};

/* Odd sizes round the tile, the panel, the piece of 256 k and the update's group of 192 rows. */
static const struct shape shapes[] = {
    {1, 1, 1, 1},      {3, 2, 7, 10},    {1, 7, 16, 2},    {3, 10, 15, 17},  {1, 15, 17, 16},
    {1, 16, 2, 63},    {3, 17, 33, 15},  {1, 5, 64, 64},   {1, 63, 10, 65},  {3, 12, 48, 128},
    {1, 64, 65, 7},    {1, 13, 31, 300}, {3, 6, 20, 513},  {1, 32, 10, 784}, {1, 65, 16, 255},
    {1, 193, 17, 257}, {1, 400, 3, 32},  {1, 24, 128, 31},
};

/* A problem, ready for one backend: c and the slots are its own. */
struct problem {
    struct kern_matmul m;
    size_t c_count;
    float *c, *slot[KERN_SLOTS];
};

struct operands {
    float *a, *b, *extra, *c, *slot[KERN_SLOTS];
};

static void make_operands(struct operands *o, struct shape s, bool bias, uint32_t *state)
{
    o->a = test_matrices(s.trials, s.rows, s.depth, state);
    o->b = test_matrices(s.trials, s.depth, s.cols, state);
    o->extra = test_matrices(s.trials, bias ? 1 : s.rows, s.cols, state);
    o->c = test_matrices(s.trials, s.rows, s.cols, state);
    for (int k = 0; k < KERN_SLOTS; k++) {
        o->slot[k] = test_matrices(s.trials, s.rows, s.cols, state);
        for (size_t i = 0; i < (size_t) s.trials * test_stride((size_t) s.rows, (size_t) s.cols);
             i++)
            o->slot[k][i] = fabsf(o->slot[k][i]);
    }
}

static void free_operands(struct operands *o)
{
    free(o->a);
    free(o->b);
    free(o->extra);
    free(o->c);
    for (int k = 0; k < KERN_SLOTS; k++)
        free(o->slot[k]);
}

static void make_problem(struct problem *p, const struct operands *o, struct shape s,
                         enum kern_epilogue epilogue, const struct kern_step *step)
{
    const size_t c_stride = test_stride((size_t) s.rows, (size_t) s.cols);
    const bool bias = epilogue == KERN_BIAS || epilogue == KERN_BIAS_RELU;

    p->c_count = (size_t) s.trials * c_stride;
    p->c = test_copy(o->c, p->c_count);
    p->m = (struct kern_matmul){
        .trials = s.trials,
        .rows = s.rows,
        .cols = s.cols,
        .depth = s.depth,
        .a = o->a,
        .b = o->b,
        .c = p->c,
        .a_stride = test_stride((size_t) s.rows, (size_t) s.depth),
        .b_stride = test_stride((size_t) s.depth, (size_t) s.cols),
        .c_stride = c_stride,
        .epilogue = epilogue,
        .extra = epilogue == KERN_STORE || epilogue == KERN_UPDATE ? NULL : o->extra,
        .extra_stride = bias ? test_stride(1, (size_t) s.cols) : c_stride,
        .step = step,
    };
    for (int k = 0; k < KERN_SLOTS; k++) {
        p->slot[k] = test_copy(o->slot[k], p->c_count);
        if (step && k < step->optim->slots(step->variant))
            p->m.slot[k] = p->slot[k];
    }
}

static void free_problem(struct problem *p)
{
    free(p->c);
    for (int k = 0; k < KERN_SLOTS; k++)
        free(p->slot[k]);
}

static void check_same(const struct problem *is, const struct problem *want, const char *instance)
{
    const struct kern_matmul *m = &want->m;
    bool same = test_equal(is->c, want->c, want->c_count, "c");

    for (int k = 0; k < KERN_SLOTS; k++)
        same = test_equal(is->slot[k], want->slot[k], want->c_count, "slot") && same;
    if (!same)
        fail_msg("%s: %d trials, %d x %d x %d, epilogue %d, optimizer %s, skip %d", instance,
                 m->trials, m->rows, m->cols, m->depth, (int) m->epilogue,
                 m->step ? m->step->optim->name : "none", (int) kern_cpu_skip);
}

/* The problem on "ref" and on every instance, `steps` times on the same c and slots, whichever zeros are skipped. */
static void compare_operands(const struct operands *o, struct shape s, enum kern_epilogue epilogue,
                             const struct kern_step *step, int steps)
{
    struct problem want, is;

    make_problem(&want, o, s, epilogue, step);
    for (int i = 0; i < steps; i++)
        kern_ref.matmul(&want.m);
    for (const struct kern_ops *const *k = test_instances(); *k; k++)
        for (size_t skip = 0; skip < CS_COUNT(skips); skip++) {
            kern_cpu_skip = skips[skip];
            make_problem(&is, o, s, epilogue, step);
            for (int i = 0; i < steps; i++)
                (*k)->matmul(&is.m);
            check_same(&is, &want, (*k)->instance);
            free_problem(&is);
        }
    kern_cpu_skip = KERN_SKIP_CHOOSE;
    free_problem(&want);
}

static void compare(struct shape s, enum kern_epilogue epilogue, const struct kern_step *step,
                    int steps)
{
    uint32_t state = 12345;
    struct operands o;

    make_operands(&o, s, epilogue == KERN_BIAS || epilogue == KERN_BIAS_RELU, &state);
    compare_operands(&o, s, epilogue, step, steps);
    free_operands(&o);
}

static void test_matmul__epilogues(void **state)
{
    (void) state;
    for (size_t i = 0; i < CS_COUNT(shapes); i++)
        for (int e = KERN_STORE; e <= KERN_MASK; e++)
            compare(shapes[i], (enum kern_epilogue) e, NULL, 1);
}

/* Settings that reach every variant, by the names of the rows. */
static const struct {
    const char *optim;
    double args[8];
} settings[] = {
    {"sgd", {0.1, 0, 0, 0.01, 0}},
    {"sgd", {0.1, 0.9, 0.5, 0, 0}},
    {"sgd", {0.1, 0.9, 0, 0.01, 1}},
    {"adam", {0.01, 0.9, 0.999, 1e-8, 0.01, 0}},
    {"adam", {0.01, 0.5, 0.9, 1e-8, 0, 1}},
    {"adamw", {0.01, 0.9, 0.999, 1e-8, 0.01, 0}},
    {"adamw", {0.01, 0.9, 0.999, 1e-8, 0.01, 1}},
    {"rmsprop", {0.01, 0.99, 1e-8, 0, 0, 0}},
    {"rmsprop", {0.01, 0.99, 1e-8, 0.01, 0.9, 0}},
    {"rmsprop", {0.01, 0.9, 1e-8, 0, 0, 1}},
    {"rmsprop", {0.01, 0.9, 1e-8, 0, 0.9, 1}},
    {"adagrad", {0.01, 0.1, 0.01, 0, 1e-10}},
    {"adadelta", {1, 0.9, 1e-6, 0.01}},
    {"adamax", {0.002, 0.9, 0.999, 1e-8, 0.01}},
    {"radam", {0.001, 0.9, 0.999, 1e-8, 0.01, 0}},
    {"radam", {0.001, 0.9, 0.75, 1e-8, 0.01, 1}},
    {"lion", {0.0001, 0.9, 0.99, 0.01}},
    {"nadam", {0.002, 0.9, 0.999, 1e-8, 0.01, 4e-3, 0}},
    {"rprop", {0.01, 0.5, 1.2, 1e-6, 50}},
    {"asgd", {0.01, 0.1, 0.75, 1, 0.01}},
    {"lamb", {0.01, 0.9, 0.999, 1e-6, 0.01, 0}},
};

static void make_steps(struct kern_step steps[3], size_t setting)
{
    const double *args = settings[setting].args;

    for (int t = 0; t < 3; t++) {
        steps[t].optim = kern_optim_find(settings[setting].optim);
        steps[t].variant = steps[t].optim->variant(args);
        steps[t].optim->begin(&steps[t].hyper, (double[KERN_MEMORY]){0}, args, args[0] * (t + 1),
                              t + 1);
    }
}

static void test_matmul__updates(void **state)
{
    struct kern_step steps[3];

    (void) state;
    for (size_t k = 0; k < CS_COUNT(settings); k++) {
        make_steps(steps, k);
        for (size_t i = k % 2; i < CS_COUNT(shapes); i += 2)
            compare(shapes[i], KERN_UPDATE, steps, 2);
    }
}

/* A much larger than L2: groups of rows, pieces of k for all panels in turn. */
static void test_matmul__large(void **state)
{
    struct kern_step steps[3];

    (void) state;
    make_steps(steps, 0);
    for (int e = KERN_STORE; e <= KERN_MASK; e++)
        compare((struct shape){1, 2030, 19, 260}, (enum kern_epilogue) e, NULL, 1);
    compare((struct shape){1, 8100, 17, 65}, KERN_UPDATE, steps, 1);
    compare((struct shape){1, 1200, 17, 450}, KERN_UPDATE, steps, 1);
}

enum { UPDATE_ROWS = 37, UPDATE_TRIALS = 3, UPDATE_COUNT = UPDATE_ROWS * KERN_PANEL };

/* Three stand-alone steps from the same start; weights and slots afterwards. */
static void run_updates(const struct kern_ops *ops, const struct kern_step *steps,
                        float *out[1 + KERN_SLOTS])
{
    const size_t stride = test_stride(UPDATE_ROWS, KERN_PANEL);
    uint32_t random = 7;
    float *g = test_matrices(UPDATE_TRIALS, UPDATE_ROWS, KERN_PANEL, &random);
    struct kern_update u = {.trials = UPDATE_TRIALS,
                            .count = UPDATE_COUNT,
                            .g = g,
                            .w_stride = stride,
                            .g_stride = stride,
                            .step = steps};

    for (int s = 0; s <= KERN_SLOTS; s++) {
        out[s] = test_matrices(UPDATE_TRIALS, UPDATE_ROWS, KERN_PANEL, &random);
        for (size_t i = 0; s > 0 && i < UPDATE_TRIALS * stride; i++)
            out[s][i] = fabsf(out[s][i]);
    }
    u.w = out[0];
    for (int k = 0; k < steps->optim->slots(steps->variant); k++)
        u.slot[k] = out[k + 1];
    for (int i = 0; i < 3; i++)
        ops->update(&u);
    free(g);
}

static void test_update__instances(void **state)
{
    struct kern_step steps[UPDATE_TRIALS];
    float *want[1 + KERN_SLOTS], *is[1 + KERN_SLOTS];

    (void) state;
    for (size_t i = 0; i < CS_COUNT(settings); i++) {
        make_steps(steps, i);
        for (const struct kern_ops *const *k = test_instances(); *k; k++) {
            run_updates(&kern_ref, steps, want);
            run_updates(*k, steps, is);
            for (int s = 0; s <= KERN_SLOTS; s++) {
                assert_true(test_equal(is[s], want[s],
                                       UPDATE_TRIALS * test_stride(UPDATE_ROWS, KERN_PANEL),
                                       settings[i].optim));
                free(is[s]);
                free(want[s]);
            }
        }
    }
}

/* More lines than one group of lists holds or parks, for rows and for columns; strips with something left beside. */
static const struct shape sparse_shapes[] = {
    {2, 64, 64, 64},   {1, 65, 80, 97},   {1, 80, 130, 145}, {1, 100, 64, 784},
    {1, 64, 100, 784}, {1, 270, 64, 200}, {1, 64, 270, 200}, {1, 1100, 70, 50},
};

/* Zeros in a share of x: single numbers; `rows` whole rows, else columns. One in eight of them is -0. */
static void put_zeros(float *x, size_t rows, size_t cols, float share, bool whole, bool by_rows,
                      uint32_t *state)
{
    const uint32_t below = (uint32_t) ((double) share * 0xffffffff), salt = test_random(state) | 1;

    for (size_t c = 0; c < cols; c++)
        for (size_t r = 0; r < rows; r++) {
            const uint32_t line = ((uint32_t) (by_rows ? r : c) + 1) * 2654435769u * salt;
            if ((whole ? line : test_random(state)) <= below && share > 0)
                x[kern_at(rows, r, c)] = test_random(state) % 8 ? 0.0f : -0.0f;
        }
}

static void make_sparse(struct operands *o, struct shape s, bool bias, float share, bool whole,
                        uint32_t *state)
{
    const size_t rows = (size_t) s.rows, cols = (size_t) s.cols, depth = (size_t) s.depth;

    make_operands(o, s, bias, state);
    for (size_t t = 0; t < (size_t) s.trials; t++) {
        put_zeros(o->a + t * test_stride(rows, depth), rows, depth, share, whole, true, state);
        put_zeros(o->b + t * test_stride(depth, cols), depth, cols, share, whole, false, state);
    }
}

static void compare_sparse(struct shape s, float share, bool whole, uint32_t *state)
{
    struct kern_step steps[3];
    struct operands o;

    make_sparse(&o, s, true, share, whole, state);
    compare_operands(&o, s, KERN_BIAS, NULL, 1);
    compare_operands(&o, s, KERN_BIAS_RELU, NULL, 1);
    free_operands(&o);
    make_sparse(&o, s, false, share, whole, state);
    compare_operands(&o, s, KERN_STORE, NULL, 1);
    compare_operands(&o, s, KERN_MASK, NULL, 1);
    for (size_t k = 0; k < 4; k += 3) { /* SGD and Adam */
        make_steps(steps, k);
        compare_operands(&o, s, KERN_UPDATE, steps, 1);
    }
    free_operands(&o);
}

static void test_matmul__zeros(void **state)
{
    static const float share[] = {0.0f, 0.3f, 0.5f, 0.9f, 1.0f};
    uint32_t random = 4711;

    (void) state;
    for (size_t i = 0; i < CS_COUNT(sparse_shapes); i++)
        for (size_t k = i < 3 ? 0 : 2; k < (i < 3 ? CS_COUNT(share) : 3); k++)
            compare_sparse(sparse_shapes[i], share[k], (i + k) % 3 == 0, &random);
}

/* A chain too deep for a list: dense, asked or not. */
static void test_matmul__deep(void **state)
{
    uint32_t random = 5;
    struct operands o;

    (void) state;
    make_operands(&o, (struct shape){1, 64, 64, 4200}, false, &random);
    put_zeros(o.a, 64, 4200, 0.9f, false, true, &random);
    compare_operands(&o, (struct shape){1, 64, 64, 4200}, KERN_STORE, NULL, 1);
    free_operands(&o);
}

/* NaN and Inf are not zeros: where "ref" has a NaN or an Inf of a finite other operand, so has every way to skip. */
/* A mask that sets whole rows to 0: some, nearly all, all; one of its numbers a NaN. */
static void test_matmul__dead_rows(void **state)
{
    static const struct shape s[] = {{1, 200, 20, 70}, {2, 64, 33, 30}, {1, 130, 64, 513}};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(s); i++)
        for (size_t dead = 2; dead <= 100; dead *= 7) {
            const size_t rows = (size_t) s[i].rows, cols = (size_t) s[i].cols;
            uint32_t random = 77;
            struct operands o;
            make_operands(&o, s[i], false, &random);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < cols && (r % dead != 1 || dead == 98); c++)
                    o.extra[kern_at(rows, r, c)] = c % 3 ? -0.0f : -1.5f;
            o.extra[kern_at(rows, 5, 9)] = dead == 98 ? 0.0f : NAN;
            compare_operands(&o, s[i], KERN_MASK, NULL, 1);
            free_operands(&o);
        }
}

static void test_matmul__not_finite(void **state)
{
    const struct shape s = {1, 96, 80, 128};
    const size_t count = 96 * 80;
    uint32_t random = 31;
    struct operands o;
    struct problem want, is;

    (void) state;
    for (int by_a = 0; by_a < 2; by_a++) {
        make_operands(&o, s, false, &random);
        float *x = by_a ? o.a : o.b;
        const size_t x_count = by_a ? 96 * 128 : 128 * 80;
        for (size_t i = 0; i < x_count; i++)
            x[i] = i % 997 == 5 ? NAN : i % 1009 == 7 ? INFINITY : i % 2 ? 0.0f : x[i];
        make_problem(&want, &o, s, KERN_STORE, NULL);
        kern_ref.matmul(&want.m);
        for (const struct kern_ops *const *k = test_instances(); *k; k++) {
            kern_cpu_skip = by_a ? KERN_SKIP_A : KERN_SKIP_B;
            make_problem(&is, &o, s, KERN_STORE, NULL);
            (*k)->matmul(&is.m);
            for (size_t i = 0; i < count; i++)
                assert_true(isnan(want.c[i]) ? isnan(is.c[i])
                                             : memcmp(&is.c[i], &want.c[i], sizeof is.c[i]) == 0);
            free_problem(&is);
        }
        kern_cpu_skip = KERN_SKIP_CHOOSE;
        free_problem(&want);
        free_operands(&o);
    }
}

/* Operands shared by the trials: strides of 0. */
static void test_matmul__shared_operand(void **state)
{
    const struct shape s = {3, 20, 40, 33};
    uint32_t random = 99;
    struct operands o;
    struct problem want, is;

    (void) state;
    make_operands(&o, s, false, &random);
    make_problem(&want, &o, s, KERN_STORE, NULL);
    want.m.a_stride = 0;
    kern_ref.matmul(&want.m);
    for (const struct kern_ops *const *k = test_instances(); *k; k++) {
        make_problem(&is, &o, s, KERN_STORE, NULL);
        is.m.a_stride = 0;
        (*k)->matmul(&is.m);
        check_same(&is, &want, (*k)->instance);
        free_problem(&is);
    }
    free_problem(&want);
    free_operands(&o);
}

/* A chain whose terms underflow to -0 ends in +0. */
static void test_matmul__no_minus_zero(void **state)
{
    _Alignas(64) float a[16] = {1e-30f}, b[16] = {-1e-30f}, c[16];
    const struct kern_matmul m = {
        .trials = 1, .rows = 1, .cols = 1, .depth = 1, .a = a, .b = b, .c = c};

    (void) state;
    for (const struct kern_ops *const *k = test_instances(); *k; k++) {
        (*k)->matmul(&m);
        assert_false(signbit(c[0]));
    }
    kern_ref.matmul(&m);
    assert_false(signbit(c[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul__epilogues),     cmocka_unit_test(test_matmul__updates),
        cmocka_unit_test(test_update__instances),     cmocka_unit_test(test_matmul__shared_operand),
        cmocka_unit_test(test_matmul__no_minus_zero), cmocka_unit_test(test_matmul__zeros),
        cmocka_unit_test(test_matmul__deep),          cmocka_unit_test(test_matmul__not_finite),
        cmocka_unit_test(test_matmul__dead_rows),     cmocka_unit_test(test_matmul__large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
