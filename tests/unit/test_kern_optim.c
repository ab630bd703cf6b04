/*
 * The optimizers: registry, settings, and each formula against a replay in double written from PyTorch's
 * definition, over 60 steps with a learning rate that changes.
 */
#include "tests/unit/kern_help.h"

enum { STEPS = 60, WEIGHTS = 16 };

/* State of one weight in double; what the members mean is up to the replay. */
struct exact {
    double w, m, v, x, b;
};

typedef void replay_fn(struct exact *e, double g, const double *args, double lr, int t);

static void replay_sgd(struct exact *e, double g, const double *args, double lr, int t)
{
    const double momentum = args[1], dampening = args[2], decay = args[3];

    g += decay * e->w;
    if (momentum != 0) {
        e->b = t == 1 ? g : momentum * e->b + (1 - dampening) * g;
        g = args[4] != 0 ? g + momentum * e->b : e->b;
    }
    e->w -= lr * g;
}

static void replay_adam(struct exact *e, double g, const double *args, double lr, int t)
{
    const double beta1 = args[1], beta2 = args[2], eps = args[3];
    double second;

    g += args[4] * e->w;
    e->m += (1 - beta1) * (g - e->m);
    e->v = beta2 * e->v + (1 - beta2) * g * g;
    e->x = fmax(e->x, e->v);
    second = args[5] != 0 ? e->x : e->v;
    e->w -= lr / (1 - pow(beta1, t)) * e->m / (sqrt(second) / sqrt(1 - pow(beta2, t)) + eps);
}

static void replay_adamw(struct exact *e, double g, const double *args, double lr, int t)
{
    double plain[6];

    memcpy(plain, args, sizeof plain);
    plain[4] = 0;
    e->w *= 1 - lr * args[4];
    replay_adam(e, g, plain, lr, t);
}

static void replay_rmsprop(struct exact *e, double g, const double *args, double lr, int t)
{
    const double alpha = args[1], eps = args[2], momentum = args[4];
    double root;

    (void) t;
    g += args[3] * e->w;
    e->v = alpha * e->v + (1 - alpha) * g * g;
    root = sqrt(e->v);
    if (args[5] != 0) {
        e->m += (1 - alpha) * (g - e->m);
        root = sqrt(e->v - e->m * e->m);
    }
    e->b = momentum > 0 ? momentum * e->b + g / (root + eps) : g / (root + eps);
    e->w -= lr * e->b;
}

static void replay_adagrad(struct exact *e, double g, const double *args, double lr, int t)
{
    g += args[2] * e->w;
    e->v = g * g + (t == 1 ? args[3] : e->v);
    e->w -= lr / (1 + (t - 1) * args[1]) * g / (sqrt(e->v) + args[4]);
}

static void replay_adadelta(struct exact *e, double g, const double *args, double lr, int t)
{
    const double rho = args[1], eps = args[2];
    double delta;

    (void) t;
    g += args[3] * e->w;
    e->v = rho * e->v + (1 - rho) * g * g;
    delta = sqrt(e->x + eps) / sqrt(e->v + eps) * g;
    e->x = rho * e->x + (1 - rho) * delta * delta;
    e->w -= lr * delta;
}

static void replay_adamax(struct exact *e, double g, const double *args, double lr, int t)
{
    g += args[4] * e->w;
    e->m = args[1] * e->m + (1 - args[1]) * g;
    e->x = fmax(args[2] * e->x, fabs(g) + args[3]);
    e->w -= lr / (1 - pow(args[1], t)) * e->m / e->x;
}

static void replay_radam(struct exact *e, double g, const double *args, double lr, int t)
{
    const double beta1 = args[1], beta2 = args[2], decay = args[4];
    const double correction1 = 1 - pow(beta1, t), correction2 = 1 - pow(beta2, t);
    const double rho_inf = 2 / (1 - beta2) - 1;
    const double rho = rho_inf - 2 * t * pow(beta2, t) / correction2;
    double step;

    if (args[5] != 0)
        e->w -= lr * decay * e->w;
    else
        g += decay * e->w;
    e->m = beta1 * e->m + (1 - beta1) * g;
    e->v = beta2 * e->v + (1 - beta2) * g * g;
    step = lr * e->m / correction1;
    if (rho > 5)
        step *= sqrt(correction2) / (sqrt(e->v) + args[3]) *
                sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho));
    e->w -= step;
}

static void replay_lion(struct exact *e, double g, const double *args, double lr, int t)
{
    const double mixed = args[1] * e->m + (1 - args[1]) * g;

    (void) t;
    e->w *= 1 - lr * args[3];
    e->w -= lr * ((mixed > 0) - (mixed < 0));
    e->m = args[2] * e->m + (1 - args[2]) * g;
}

static double nadam_momentum(const double *args, int t)
{
    return args[1] * (1 - 0.5 * pow(0.96, t * args[5]));
}

static void replay_nadam(struct exact *e, double g, const double *args, double lr, int t)
{
    const double mu = nadam_momentum(args, t), next = nadam_momentum(args, t + 1);
    double d;

    if (args[6] != 0)
        e->w -= lr * args[4] * e->w;
    else
        g += args[4] * e->w;
    e->b = t == 1 ? mu : e->b * mu;
    e->m = args[1] * e->m + (1 - args[1]) * g;
    e->v = args[2] * e->v + (1 - args[2]) * g * g;
    d = sqrt(e->v / (1 - pow(args[2], t))) + args[3];
    e->w -= lr * (1 - mu) / (1 - e->b) * g / d + lr * next / (1 - e->b * next) * e->m / d;
}

static void replay_rprop(struct exact *e, double g, const double *args, double lr, int t)
{
    const double same = g * e->m;

    (void) lr;
    if (t == 1)
        e->v = args[0];
    e->v *= same > 0 ? args[2] : same < 0 ? args[1] : 1;
    e->v = fmin(fmax(e->v, args[3]), args[4]);
    e->m = same < 0 ? 0 : g;
    e->w -= ((e->m > 0) - (e->m < 0)) * e->v;
}

static void replay_asgd(struct exact *e, double g, const double *args, double lr, int t)
{
    const double eta = t == 1 ? lr : e->v, mu = t == 1 ? 1 : e->b;

    g += args[4] * e->w;
    e->w = e->w * (1 - args[1] * eta) - eta * g;
    e->m = mu < 1 ? e->m + mu * (e->w - e->m) : e->w;
    e->v = lr / pow(1 + args[1] * lr * t, args[2]);
    e->b = 1 / fmax(1, t - args[3]);
}

static const struct {
    const char *name;
    replay_fn *replay;
    double args[7];
} settings[] = {
    {"sgd", replay_sgd, {0.1, 0, 0, 0, 0}},
    {"sgd", replay_sgd, {0.1, 0, 0, 0.01, 0}},
    {"sgd", replay_sgd, {0.1, 0.9, 0, 0.01, 0}},
    {"sgd", replay_sgd, {0.1, 0.9, 0.5, 0, 0}},
    {"sgd", replay_sgd, {0.1, 0.9, 0, 0.01, 1}},
    {"adam", replay_adam, {1e-3, 0.9, 0.999, 1e-8, 0, 0}},
    {"adam", replay_adam, {1e-2, 0.8, 0.99, 1e-6, 0.1, 0}},
    {"adam", replay_adam, {1e-2, 0, 0.9, 1e-8, 0, 0}},
    {"adam", replay_adam, {1e-2, 0.9, 0.9, 1e-8, 0.01, 1}},
    {"adamw", replay_adamw, {1e-3, 0.9, 0.999, 1e-8, 0.01, 0}},
    {"adamw", replay_adamw, {1e-2, 0.9, 0.99, 1e-8, 0.1, 1}},
    {"rmsprop", replay_rmsprop, {1e-2, 0.99, 1e-8, 0, 0, 0}},
    {"rmsprop", replay_rmsprop, {1e-2, 0.9, 1e-8, 0.1, 0.9, 0}},
    {"rmsprop", replay_rmsprop, {1e-2, 0.9, 1e-4, 0, 0, 1}},
    {"rmsprop", replay_rmsprop, {1e-3, 0.99, 1e-4, 0.1, 0.5, 1}},
    {"adagrad", replay_adagrad, {1e-2, 0, 0, 0, 1e-10}},
    {"adagrad", replay_adagrad, {1e-1, 0.1, 0.01, 0, 1e-6}},
    {"adagrad", replay_adagrad, {1e-1, 0, 0, 0.5, 1e-10}},
    {"adadelta", replay_adadelta, {1, 0.9, 1e-6, 0}},
    {"adadelta", replay_adadelta, {0.5, 0.8, 1e-3, 0.1}},
    {"adamax", replay_adamax, {2e-3, 0.9, 0.999, 1e-8, 0}},
    {"adamax", replay_adamax, {1e-2, 0.5, 0.9, 1e-3, 0.1}},
    {"radam", replay_radam, {1e-3, 0.9, 0.999, 1e-8, 0, 0}},
    {"radam", replay_radam, {1e-2, 0.8, 0.99, 1e-6, 0.1, 0}},
    {"radam", replay_radam, {1e-2, 0.9, 0.99, 1e-8, 0.1, 1}},
    {"radam", replay_radam, {1e-2, 0.9, 0.6, 1e-8, 0, 0}}, /* never rectified */
    {"lion", replay_lion, {1e-4, 0.9, 0.99, 0}},
    {"lion", replay_lion, {1e-2, 0.5, 0.8, 0.1}},
    {"nadam", replay_nadam, {2e-3, 0.9, 0.999, 1e-8, 0, 4e-3, 0}},
    {"nadam", replay_nadam, {1e-2, 0.8, 0.99, 1e-6, 0.1, 0.1, 0}},
    {"nadam", replay_nadam, {1e-2, 0.9, 0.99, 1e-8, 0.1, 0.01, 1}},
    {"rprop", replay_rprop, {1e-2, 0.5, 1.2, 1e-6, 50}},
    {"rprop", replay_rprop, {1e-3, 0.9, 1.5, 1e-4, 2e-2}},
    {"asgd", replay_asgd, {1e-2, 1e-4, 0.75, 1e6, 0}},
    {"asgd", replay_asgd, {1e-1, 1e-2, 0.5, 10, 0.1}},
};

/* Gradients of either sign with a trend, none near 0 for long. */
static float gradient(uint32_t *random, size_t i)
{
    return 0.3f * (float) (i % 5) - 0.5f + (float) (test_random(random) >> 8) * 0x1p-24f;
}

/* An optimizer that works by tensors takes its 16 weights as one. */
static void take_step(const struct kern_update *u, const struct kern_step *step)
{
    float direction[WEIGHTS];
    struct kern_update to_scratch = *u;
    double of_w, of_r, rate = (double) step->hyper.v[KERN_TENSOR_RATE];

    if (!step->optim->by_tensor) {
        kern_ref.update(u);
        return;
    }
    memcpy(direction, u->w, sizeof direction);
    to_scratch.w = direction;
    kern_ref.update(&to_scratch);
    of_w = sqrt(kern_ref.sum_squares(u->w, 1, WEIGHTS));
    of_r = sqrt(kern_ref.sum_squares(direction, 1, WEIGHTS));
    if (step->hyper.v[KERN_TENSOR_TRUST] > 0)
        rate *= of_w / of_r;
    kern_ref.add_scaled(u->w, direction, WEIGHTS, (float) rate);
}

static void replay_setting(size_t row)
{
    const struct kern_optim *optim = kern_optim_find(settings[row].name);
    const double *args = settings[row].args;
    _Alignas(64) float w[WEIGHTS], g[WEIGHTS], state[KERN_SLOTS][WEIGHTS] = {{0}};
    struct kern_step step = {.optim = optim, .variant = optim->variant(args)};
    struct kern_update u = {.trials = 1, .count = WEIGHTS, .w = w, .g = g, .step = &step};
    struct exact exact[WEIGHTS] = {{0}};
    double start[WEIGHTS];
    double memory[KERN_MEMORY] = {0};
    uint32_t random = 77;

    for (int k = 0; k < optim->slots(step.variant); k++) {
        u.slot[k] = state[k];
        for (size_t i = 0; i < WEIGHTS; i++)
            state[k][i] = (float) optim->slot_start(args, k);
    }
    for (size_t i = 0; i < WEIGHTS; i++) {
        w[i] = (float) i / 8 - 1;
        start[i] = exact[i].w = (double) w[i];
    }
    for (int t = 1; t <= STEPS; t++) {
        const double lr = args[0] * (1 + t % 3);
        for (size_t i = 0; i < WEIGHTS; i++) {
            g[i] = gradient(&random, i);
            settings[row].replay(&exact[i], (double) g[i], args, lr, t);
        }
        optim->begin(&step.hyper, memory, args, lr, t);
        take_step(&u, &step);
    }
    for (size_t i = 0; i < WEIGHTS; i++) {
        const double moved = fabs(exact[i].w - start[i]) + fabs(start[i]) + STEPS * args[0];
        if (fabs((double) w[i] - exact[i].w) > 2e-6 * moved)
            fail_msg("%s, setting %zu, weight %zu: %.9g, not %.9g", optim->name, row, i,
                     (double) w[i], exact[i].w);
    }
}

static void test_optim__replay(void **state)
{
    (void) state;
    for (size_t row = 0; row < CS_COUNT(settings); row++)
        replay_setting(row);
}

/* Each row of the registry is complete, and its defaults are PyTorch's. */
static void test_optim__registry(void **state)
{
    static const char *const names[] = {"sgd",      "adam",   "adamw", "rmsprop", "adagrad",
                                        "adadelta", "adamax", "radam", "lion",    "nadam",
                                        "rprop",    "asgd",   "lamb"};
    const struct kern_optim *const *all = kern_optim_all();

    (void) state;
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        assert_string_equal(all[i]->name, names[i]);
        assert_ptr_equal(kern_optim_find(names[i]), all[i]);
        assert_string_equal(all[i]->params[0].name, "lr");
        assert_true(strlen(all[i]->help) > 0);
    }
    assert_null(all[CS_COUNT(names)]);
    assert_null(kern_optim_find("adamww"));
}

/* Every default parses, and the numbers fill args in row order. */
static void test_optim__defaults(void **state)
{
    static const double want[][7] = {
        {1e-3, 0, 0, 0, 0},
        {1e-3, 0.9, 0.999, 1e-8, 0, 0},
        {1e-3, 0.9, 0.999, 1e-8, 1e-2, 0},
        {1e-2, 0.99, 1e-8, 0, 0, 0},
        {1e-2, 0, 0, 0, 1e-10},
        {1, 0.9, 1e-6, 0},
        {2e-3, 0.9, 0.999, 1e-8, 0},
        {1e-3, 0.9, 0.999, 1e-8, 0, 0},
        {1e-4, 0.9, 0.99, 0},
        {2e-3, 0.9, 0.999, 1e-8, 0, 4e-3, 0},
        {1e-2, 0.5, 1.2, 1e-6, 50},
        {1e-2, 1e-4, 0.75, 1e6, 0},
        {1e-3, 0.9, 0.999, 1e-6, 1e-2, 0},
    };
    struct cs_arena arena = {0};

    (void) state;
    for (size_t k = 0; k < CS_COUNT(want); k++) {
        const struct kern_optim *optim = kern_optim_all()[k];
        double args[KERN_OPTIM_ARGS] = {0};
        int filled = 0;
        for (int i = 0; i < optim->param_count; i++) {
            const struct cs_param *row = &optim->params[i];
            struct cs_value value;
            struct cs_error err;
            assert_int_equal(cs_param_parse(&value, row, row->def, &arena, &err), 0);
            if (row->type == CS_FLOATS)
                for (int n = 0; n < value.count; n++)
                    args[filled++] = value.list[n];
            else
                args[filled++] = value.num;
        }
        assert_memory_equal(args, want[k], sizeof want[k]);
        assert_true(filled <= (int) CS_COUNT(want[k]));
        assert_int_equal(optim->check(args, NULL), 0);
        assert_int_equal(optim->variant(args), 0);
    }
    cs_arena_clear(&arena);
}

static void test_optim__nesterov_needs_momentum(void **state)
{
    const struct kern_optim *sgd = kern_optim_find("sgd");
    const double good[] = {0.1, 0.9, 0, 0, 1};
    const double no_momentum[] = {0.1, 0, 0, 0, 1}, dampened[] = {0.1, 0.9, 0.1, 0, 1};
    struct cs_error err;

    (void) state;
    assert_int_equal(sgd->check(good, &err), 0);
    assert_int_equal(sgd->check(dampened, &err), CS_ERANGE);
    assert_int_equal(sgd->check(no_momentum, &err), CS_ERANGE);
    assert_string_equal(err.detail, "nesterov = yes: needs momentum > 0 and dampening = 0");
}

static void test_optim__slot_names(void **state)
{
    static const struct {
        const char *optim;
        double args[6];
        const char *names[KERN_SLOTS + 1];
    } rows[] = {
        {"sgd", {0.1, 0, 0, 0, 0}, {NULL}},
        {"sgd", {0.1, 0.9, 0, 0, 0}, {"momentum_buffer"}},
        {"sgd", {0.1, 0.9, 0, 0, 1}, {"momentum_buffer"}},
        {"adam", {0.1, 0.9, 0.999, 1e-8, 0, 0}, {"exp_avg", "exp_avg_sq"}},
        {"adamw", {0.1, 0.9, 0.999, 1e-8, 0, 1}, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}},
        {"rmsprop", {0.1, 0.99, 1e-8, 0, 0, 0}, {"square_avg"}},
        {"rmsprop", {0.1, 0.99, 1e-8, 0, 0.9, 0}, {"square_avg", "momentum_buffer"}},
        {"rmsprop", {0.1, 0.99, 1e-8, 0, 0, 1}, {"square_avg", "grad_avg"}},
        {"rmsprop", {0.1, 0.99, 1e-8, 0, 0.9, 1}, {"square_avg", "momentum_buffer", "grad_avg"}},
        {"adagrad", {0.1, 0, 0, 0, 1e-10}, {"sum"}},
        {"adadelta", {1, 0.9, 1e-6, 0}, {"square_avg", "acc_delta"}},
        {"adamax", {0.1, 0.9, 0.999, 1e-8, 0}, {"exp_avg", "exp_inf"}},
        {"radam", {0.1, 0.9, 0.999, 1e-8, 0, 0}, {"exp_avg", "exp_avg_sq"}},
        {"lion", {0.1, 0.9, 0.99, 0}, {"exp_avg"}},
        {"nadam", {0.1, 0.9, 0.99, 1e-8, 0, 4e-3}, {"exp_avg", "exp_avg_sq"}},
        {"rprop", {0.1, 0.5, 1.2, 1e-6, 50}, {"prev", "step_size"}},
        {"asgd", {0.1, 1e-4, 0.75, 1e6, 0}, {"ax"}},
        {"lamb", {0.1, 0.9, 0.99, 1e-6, 0.01, 0}, {"exp_avg", "exp_avg_sq"}},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        const struct kern_optim *optim = kern_optim_find(rows[i].optim);
        const int variant = optim->variant(rows[i].args), slots = optim->slots(variant);
        for (int k = 0; k < slots; k++)
            assert_string_equal(optim->slot_name(variant, k), rows[i].names[k]);
        assert_null(rows[i].names[slots]);
    }
}

/* LAMB over one tensor of 16 weights, its norms in double. */
static void test_optim__lamb_scales_by_tensor(void **state)
{
    static const double settings_of[][6] = {{1e-2, 0.9, 0.999, 1e-6, 0.01, 0},
                                            {1e-2, 0.8, 0.99, 1e-4, 0, 0},
                                            {1e-2, 0.8, 0.99, 1e-4, 0, 1}};
    const struct kern_optim *lamb = kern_optim_find("lamb");

    (void) state;
    for (size_t row = 0; row < CS_COUNT(settings_of); row++) {
        const double *args = settings_of[row];
        _Alignas(64) float w[WEIGHTS], g[WEIGHTS], slots[2][WEIGHTS] = {{0}};
        double e[WEIGHTS], m[WEIGHTS] = {0}, v[WEIGHTS] = {0}, r[WEIGHTS];
        struct kern_step step = {.optim = lamb};
        struct kern_update u = {
            .trials = 1, .count = WEIGHTS, .w = w, .g = g, .slot = {slots[0], slots[1]}};
        uint32_t random = 5;
        u.step = &step;
        for (size_t i = 0; i < WEIGHTS; i++)
            e[i] = (double) (w[i] = (float) i / 8 - 1);
        for (int t = 1; t <= STEPS; t++) {
            double of_w = 0, of_r = 0;
            for (size_t i = 0; i < WEIGHTS; i++) {
                g[i] = gradient(&random, i);
                m[i] += (1 - args[1]) * ((double) g[i] - m[i]);
                v[i] = args[2] * v[i] + (1 - args[2]) * (double) g[i] * (double) g[i];
                r[i] = m[i] / (1 - pow(args[1], t)) /
                           (sqrt(v[i]) / sqrt(1 - pow(args[2], t)) + args[3]) +
                       args[4] * e[i];
                of_w += e[i] * e[i];
                of_r += r[i] * r[i];
            }
            const double trust = args[4] > 0 || args[5] > 0 ? sqrt(of_w / of_r) : 1;
            for (size_t i = 0; i < WEIGHTS; i++)
                e[i] -= args[0] * trust * r[i];
            lamb->begin(&step.hyper, (double[KERN_MEMORY]){0}, args, args[0], t);
            take_step(&u, &step);
        }
        for (size_t i = 0; i < WEIGHTS; i++)
            assert_true(fabs((double) w[i] - e[i]) < 3e-6);
    }
}

/* A NaN gradient must reach the weight, whatever the flush does to the state; decayed state becomes 0. */
static void test_optim__nan_and_decay(void **state)
{
    (void) state;
    for (size_t row = 0; row < CS_COUNT(settings); row++) {
        const struct kern_optim *optim = kern_optim_find(settings[row].name);
        _Alignas(64) float w[WEIGHTS] = {1}, g[WEIGHTS] = {NAN}, s[KERN_SLOTS][WEIGHTS];
        struct kern_step step = {.optim = optim, .variant = optim->variant(settings[row].args)};
        struct kern_update u = {.trials = 1, .count = WEIGHTS, .w = w, .g = g, .step = &step};
        for (int k = 0; k < KERN_SLOTS; k++) {
            u.slot[k] = k < optim->slots(step.variant) ? s[k] : NULL;
            for (int i = 0; i < WEIGHTS; i++)
                s[k][i] = i == 1 ? 0x1p-126f : 0.0f;
        }
        optim->begin(&step.hyper, (double[KERN_MEMORY]){0.5, 0.5}, settings[row].args, 0.1, 2);
        kern_ref.update(&u);
        assert_true(isnan(w[0]));
        assert_true(w[1] == 0.0f || optim->slots(step.variant) > 0);
        for (int i = 2; i < WEIGHTS; i++)
            assert_true(w[i] == 0.0f && !signbit(w[i])); /* padding stays +0 */
        for (int k = 0; k < optim->slots(step.variant); k++)
            for (int i = 2; i < WEIGHTS; i++)
                assert_true(s[k][i] == 0.0f && !signbit(s[k][i])); /* in the state too */
        for (int k = 0; k < optim->slots(step.variant); k++)
            assert_true(s[k][1] == 0.0f || fabsf(s[k][1]) >= 0x1p-126f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optim__replay),
        cmocka_unit_test(test_optim__registry),
        cmocka_unit_test(test_optim__defaults),
        cmocka_unit_test(test_optim__nesterov_needs_momentum),
        cmocka_unit_test(test_optim__slot_names),
        cmocka_unit_test(test_optim__lamb_scales_by_tensor),
        cmocka_unit_test(test_optim__nan_and_decay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
