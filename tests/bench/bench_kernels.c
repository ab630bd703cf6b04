/*
 * bench_kernels - products and whole training steps of the backend "cpu" on one pinned core.
 *
 *     bench_kernels            the first two tables
 *     bench_kernels gemm       GFLOP/s per product, 5 % quickest and median, beside the core's measured peak
 *     bench_kernels floor      the same, and exit status 1 where a large product is below 85 % of the peak
 *     bench_kernels step       one step of an MLP 784-512-512-10, batch 64, from u8 samples to new weights, all
 *                              products dense: the samples are made up, and so would be a gain from their zeros
 *     bench_kernels skip       products of operands with zeros: dense, by A's zeros, by B's zeros
 *     bench_kernels fashion N  the step on Fashion-MNIST through N epochs: dense and skipping zeros, in turn, with the
 *                              weights of both compared
 *
 * CSWEEP_CPU picks the instance. The peak is a loop of independent fused multiply-adds in fixed registers, measured
 * again before each table: clocks move. Floor: the products' operations at that peak, nothing else.
 */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "kernels/backend_impl.h"
#include "kernels/kernels.h"
#include "trainer/data/data.h"

enum { BATCH = 64, PIXELS = 784, HIDDEN = 512, CLASSES = 10, SAMPLES = 60000 };

/* Processor time: what other processes take does not count. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* Seconds of one call: 5th percentile and median. */
struct timing {
    double quick, median;
};

static struct timing summarise(double *seconds, int count)
{
    qsort(seconds, (size_t) count, sizeof *seconds, compare_doubles);
    return (struct timing){seconds[getenv("BENCH_MIN") ? 1 : count / 20], seconds[count / 2]};
}

static struct timing measure(void (*call)(void *), void *arg, int repeats, int inner)
{
    double *seconds = cs_xcalloc((size_t) repeats, sizeof *seconds);
    struct timing t;

    for (int i = 0; i < 1 + repeats / 20; i++)
        call(arg);
    for (int i = 0; i < repeats; i++) {
        const double start = now();
        for (int j = 0; j < inner; j++)
            call(arg);
        seconds[i] = (now() - start) / inner;
    }
    t = summarise(seconds, repeats);
    free(seconds);
    return t;
}

#ifdef __x86_64__

enum { PEAK_LOOPS = 100000 };

/* 12 independent chains of 8 lanes; the registers hold zeros. */
__attribute__((target("avx2,fma"))) static void peak_loop(void *arg)
{
    long n = PEAK_LOOPS;

    (void) arg;
    __asm__ volatile("vzeroall\n"
                     "1:\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm0\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm1\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm2\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm3\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm4\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm5\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm6\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm7\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm8\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm9\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm10\n\t"
                     "vfmadd231ps %%ymm12, %%ymm13, %%ymm11\n\t"
                     "dec %0\n\t"
                     "jnz 1b\n\t"
                     "vzeroupper"
                     : "+r"(n)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* The same with 16 lanes. */
__attribute__((target("avx512f"))) static void peak_loop_512(void *arg)
{
    long n = PEAK_LOOPS;

    (void) arg;
    __asm__ volatile("vzeroall\n"
                     "1:\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm0\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm1\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm2\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm3\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm4\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm5\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm6\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm7\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm8\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm9\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm10\n\t"
                     "vfmadd231ps %%zmm12, %%zmm13, %%zmm11\n\t"
                     "dec %0\n\t"
                     "jnz 1b\n\t"
                     "vzeroupper"
                     : "+r"(n)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* Operations per second with the vectors of the instance (AVX2's for those narrower). */
static double measure_peak(const struct kern_ops *ops)
{
    const bool wide = strcmp(ops->instance, "avx512") == 0;
    return 12.0 * (wide ? 16 : 8) * 2 * PEAK_LOOPS /
           measure(wide ? peak_loop_512 : peak_loop, NULL, 60, 1).quick;
}

#else

static double measure_peak(const struct kern_ops *ops)
{
    (void) ops;
    return NAN;
}

#endif

static float *panels(size_t rows, size_t cols)
{
    float *x = cs_alloc_aligned(rows * kern_pad(cols), sizeof *x);

    if (!x)
        abort();
    for (size_t c = 0; c < cols; c++)
        for (size_t r = 0; r < rows; r++)
            x[kern_at(rows, r, c)] = (float) rand() / (float) RAND_MAX - 0.5f;
    return x;
}

struct product_call {
    const struct kern_ops *ops;
    struct kern_matmul m;
};

static void call_product(void *arg)
{
    const struct product_call *p = arg;
    p->ops->matmul(&p->m);
}

static const struct {
    const char *name;
    int rows, cols, depth;
} products[] = {
    {"f1", 64, 512, 784},     {"f2", 64, 512, 512},    {"f3", 64, 10, 512},
    {"dX2", 512, 64, 512},    {"dX3", 512, 64, 10},    {"dW1", 784, 512, 64},
    {"dW2", 512, 512, 64},    {"dW3", 512, 10, 64},    {"f1 b32", 32, 512, 784},
    {"f2 b32", 32, 512, 512}, {"C f1", 32, 64, 20},    {"C f2", 32, 32, 64},
    {"C f3", 32, 2, 32},      {"C dW1", 20, 64, 32},   {"C dW2", 64, 32, 32},
    {"long", 64, 256, 4096},  {"cube", 512, 512, 512}, {"odd", 37, 53, 91},
    {"odd", 97, 47, 785},
};

/* Returns whether every product of `most` operations or more is above `share` of the peak. */
static bool print_products(const struct kern_ops *ops, double most, double share)
{
    const double peak = measure_peak(ops);
    bool above = true;

    printf("instance %s, peak of this core %.1f GFLOP/s\n", ops->instance, peak / 1e9);
    printf("%-7s %14s %9s %9s %8s\n", "", "rows cols depth", "p5", "median", "% of peak");
    for (size_t i = 0; i < CS_COUNT(products); i++) {
        const size_t rows = (size_t) products[i].rows, cols = (size_t) products[i].cols;
        const size_t depth = (size_t) products[i].depth;
        const double work = 2.0 * (double) rows * (double) cols * (double) depth;
        float *a = panels(rows, depth), *b = panels(depth, cols), *c = panels(rows, cols);
        struct product_call call = {ops,
                                    {.trials = 1,
                                     .rows = products[i].rows,
                                     .cols = products[i].cols,
                                     .depth = products[i].depth,
                                     .a = a,
                                     .b = b,
                                     .c = c}};
        const int inner = work > 1e6 ? 1 : 1 + (int) (1e6 / work);
        const struct timing t = measure(call_product, &call, work > 1e8 ? 60 : 300, inner);
        printf("%-7s %4zu %4zu %4zu %9.1f %9.1f %8.1f\n", products[i].name, rows, cols, depth,
               work / t.quick / 1e9, work / t.median / 1e9, 100 * work / t.quick / peak);
        above = above && !(work >= most && work / t.quick < share * peak);
        free(a);
        free(b);
        free(c);
    }
    return above;
}

enum { LAYERS = 3, SLOT_SHIFT = 21 * 16 }; /* as in trainer/bundle.c */

static const int widths[LAYERS + 1] = {PIXELS, HIDDEN, HIDDEN, CLASSES};

/* Layer l maps x[l] (batch x widths[l]) to x[l + 1]; dy[l] is the gradient of x[l]. */
struct mlp {
    double memory[KERN_MEMORY];
    const struct kern_ops *ops;
    const uint8_t *pixels;
    const int32_t *labels; /* of the samples */
    uint32_t random;
    float *x[LAYERS + 1], *xt[LAYERS + 1];
    float *dy[LAYERS + 1], *dyt[LAYERS + 1];
    float *w[LAYERS], *b[LAYERS], *db;
    float *w_slot[LAYERS][KERN_SLOTS], *b_slot[LAYERS][KERN_SLOTS];
    struct kern_step step;
    double args[KERN_OPTIM_ARGS];
    int64_t t;
    struct kern_loss_sums sums;
};

static void mlp_init(struct mlp *m, const struct kern_ops *ops, const uint8_t *pixels,
                     const int32_t *labels, const char *optim, const double *args, size_t arg_count)
{
    memset(m, 0, sizeof *m);
    m->ops = ops;
    m->pixels = pixels;
    m->labels = labels;
    m->random = 1;
    m->db = panels(1, HIDDEN);
    memcpy(m->args, args, arg_count * sizeof *args);
    m->step.optim = kern_optim_find(optim);
    m->step.variant = m->step.optim->variant(m->args);
    for (int l = 0; l <= LAYERS; l++) {
        const size_t width = (size_t) widths[l];
        m->x[l] = panels(BATCH, width);
        m->xt[l] = panels(width, BATCH);
        m->dy[l] = panels(BATCH, width);
        m->dyt[l] = panels(width, BATCH);
    }
    for (int l = 0; l < LAYERS; l++) {
        const size_t in = (size_t) widths[l], out = (size_t) widths[l + 1];
        m->w[l] = panels(in, out);
        for (size_t i = 0; i < in * kern_pad(out); i++)
            m->w[l][i] *= 2 / sqrtf((float) in);
        m->b[l] = panels(1, out);
        for (size_t i = 0; i < out; i++)
            m->b[l][i] *= 2 / sqrtf((float) in);
        for (int k = 0; k < m->step.optim->slots(m->step.variant); k++) {
            const size_t shift = (size_t) (k + 1) * SLOT_SHIFT;
            float *memory = cs_alloc_aligned(in * kern_pad(out) + shift, sizeof *memory);
            m->w_slot[l][k] = memory + shift;
            m->b_slot[l][k] = cs_alloc_aligned(kern_pad(out), sizeof(float));
        }
    }
}

static void mlp_gather(struct mlp *m, int32_t *label)
{
    uint32_t index[BATCH];

    for (int r = 0; r < BATCH; r++) {
        m->random = m->random * 1664525u + 1013904223u;
        index[r] = (m->random >> 8) % SAMPLES;
        label[r] = m->labels[index[r]];
    }
    m->ops->gather(&(struct kern_gather){.trials = 1,
                                         .rows = BATCH,
                                         .features = PIXELS,
                                         .pixels = m->pixels,
                                         .index = index,
                                         .mean = 0,
                                         .std = 1,
                                         .x = m->x[0],
                                         .xt = m->xt[0]});
}

static void mlp_forward(struct mlp *m, int l)
{
    const bool top = l + 1 == LAYERS;

    m->ops->matmul(&(struct kern_matmul){.trials = 1,
                                         .rows = BATCH,
                                         .cols = widths[l + 1],
                                         .depth = widths[l],
                                         .a = m->x[l],
                                         .b = m->w[l],
                                         .c = m->x[l + 1],
                                         .epilogue = top ? KERN_BIAS : KERN_BIAS_RELU,
                                         .extra = m->b[l]});
    if (!top)
        m->ops->transpose(m->xt[l + 1], m->x[l + 1], BATCH, widths[l + 1]);
}

/* The gradient of the layer's input, by the weights before their step; then the steps. */
static void mlp_backward(struct mlp *m, int l)
{
    struct kern_matmul dw = {.trials = 1,
                             .rows = widths[l],
                             .cols = widths[l + 1],
                             .depth = BATCH,
                             .a = m->xt[l],
                             .b = m->dy[l + 1],
                             .c = m->w[l],
                             .epilogue = KERN_UPDATE,
                             .step = &m->step};
    struct kern_update db = {.trials = 1,
                             .count = kern_pad((size_t) widths[l + 1]),
                             .w = m->b[l],
                             .g = m->db,
                             .step = &m->step};

    if (l > 0) {
        m->ops->matmul(&(struct kern_matmul){.trials = 1,
                                             .rows = widths[l],
                                             .cols = BATCH,
                                             .depth = widths[l + 1],
                                             .a = m->w[l],
                                             .b = m->dyt[l + 1],
                                             .c = m->dyt[l],
                                             .epilogue = KERN_MASK,
                                             .extra = m->xt[l]});
        m->ops->transpose(m->dy[l], m->dyt[l], widths[l], BATCH);
    }
    for (int k = 0; k < KERN_SLOTS; k++) {
        dw.slot[k] = m->w_slot[l][k];
        db.slot[k] = m->b_slot[l][k];
    }
    m->ops->matmul(&dw);
    m->ops->bias_grad(m->db, m->dy[l + 1], BATCH, widths[l + 1]);
    m->ops->update(&db);
}

static void mlp_step(void *arg)
{
    struct mlp *m = arg;
    int32_t label[BATCH];

    m->t++;
    m->step.optim->begin(&m->step.hyper, m->memory, m->args, m->args[0], m->t);
    mlp_gather(m, label);
    for (int l = 0; l < LAYERS; l++)
        mlp_forward(m, l);
    const struct kern_loss_numbers plain = kern_loss_plain();
    m->ops->loss(&(struct kern_loss_call){.kind = kern_loss_find("cross_entropy"),
                                          .trials = 1,
                                          .rows = BATCH,
                                          .outputs = CLASSES,
                                          .x = m->x[LAYERS],
                                          .label = label,
                                          .dx = m->dy[LAYERS],
                                          .dxt = m->dyt[LAYERS],
                                          .numbers = &plain,
                                          .sums = &m->sums});
    for (int l = LAYERS - 1; l >= 0; l--)
        mlp_backward(m, l);
}

/* Samples that can be learnt: ten blurred patterns, far from white noise, most pixels 0. */
static void make_samples(uint8_t *pixels, int32_t *labels)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        labels[s] = rand() % CLASSES;
        for (size_t f = 0; f < PIXELS; f++) {
            const bool lit = (f / 28 * 10 / 28 + (size_t) labels[s] * 3 + f % 28 / 7) % 5 == 0;
            pixels[s * PIXELS + f] = (uint8_t) (lit ? 100 + rand() % 150 : 0);
        }
    }
}

static void print_steps(const struct kern_ops *ops)
{
    static const double sgd[] = {0.01, 0, 0, 0, 0}, adam[] = {1e-3, 0.9, 0.999, 1e-8, 0, 0};
    static struct mlp m;
    uint8_t *pixels = cs_xmalloc((size_t) SAMPLES * PIXELS);
    int32_t *labels = cs_xcalloc(SAMPLES, sizeof *labels);
    const double work =
        2.0 * BATCH * (2 * PIXELS * HIDDEN + 3 * HIDDEN * HIDDEN + 3 * HIDDEN * CLASSES);
    double floor_us;

    kern_cpu_skip = KERN_SKIP_NONE;
    make_samples(pixels, labels);
    floor_us = 1e6 * work / measure_peak(ops);
    printf("step of an MLP 784-512-512-10, batch 64, dense, instance %s; floor %.0f us\n",
           ops->instance, floor_us);
    for (int k = 0; k < 2; k++) {
        struct timing t;
        if (k == 0)
            mlp_init(&m, ops, pixels, labels, "sgd", sgd, CS_COUNT(sgd));
        else
            mlp_init(&m, ops, pixels, labels, "adam", adam, CS_COUNT(adam));
        t = measure(mlp_step, &m, 1000, 1);
        printf("step %-4s p5 %7.1f median %7.1f us, %.3f x floor, mean loss %.4f\n",
               m.step.optim->name, 1e6 * t.quick, 1e6 * t.median, 1e6 * t.quick / floor_us,
               m.sums.loss / (double) (m.t * BATCH));
    }
    kern_cpu_skip = KERN_SKIP_CHOOSE;
    free(pixels);
    free(labels);
}

enum { SHARES = 8 };

static const float shares[SHARES] = {0.0f, 0.1f, 0.2f, 0.3f, 0.5f, 0.7f, 0.8f, 0.9f};

static void put_zeros(float *x, size_t count, float share)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float) rand() < share * (float) RAND_MAX ? 0.0f : 0.5f;
}

/* A product whose sparse operand is `by`, at every share of zeros; us, p5. */
static void print_skipping(const struct kern_ops *ops, struct kern_matmul *m, enum kern_skip by,
                           const char *name)
{
    const size_t a_count = (size_t) m->rows * kern_pad((size_t) m->depth);
    const size_t b_count = (size_t) m->depth * kern_pad((size_t) m->cols);
    float *a = panels((size_t) m->rows, (size_t) m->depth);
    float *b = panels((size_t) m->depth, (size_t) m->cols);
    struct product_call call = {ops, *m};

    call.m.a = a;
    call.m.b = b;
    printf("%-9s %c", name, by == KERN_SKIP_A ? 'A' : 'B');
    kern_cpu_skip = KERN_SKIP_NONE;
    printf(" %7.0f", 1e6 * measure(call_product, &call, 200, 1).quick);
    kern_cpu_skip = by;
    for (int i = 0; i < SHARES; i++) {
        if (by == KERN_SKIP_A)
            put_zeros(a, a_count, shares[i]);
        else
            put_zeros(b, b_count, shares[i]);
        printf(" %7.0f", 1e6 * measure(call_product, &call, 200, 1).quick);
    }
    printf("\n");
    kern_cpu_skip = KERN_SKIP_CHOOSE;
    free(a);
    free(b);
}

/* The five large products of the step, the updates by SGD and Adam. */
static void print_skips(const struct kern_ops *ops)
{
    static const double sgd[] = {0, 0, 0, 0, 0}, adam[] = {0, 0.9, 0.999, 1e-8, 0, 0};
    struct kern_step step[2] = {{.optim = kern_optim_find("sgd")},
                                {.optim = kern_optim_find("adam")}};
    float *c = panels(PIXELS, HIDDEN), *extra = panels(PIXELS, HIDDEN), *slot[2];

    for (int k = 0; k < 2; k++) {
        step[k].variant = step[k].optim->variant(k ? adam : sgd);
        step[k].optim->begin(&step[k].hyper, (double[KERN_MEMORY]){0}, k ? adam : sgd, 0, 1);
        slot[k] = panels(PIXELS + 42, HIDDEN) + (k + 1) * SLOT_SHIFT;
        memset(slot[k], 0, (size_t) PIXELS * HIDDEN * sizeof **slot);
    }
    printf("%-9s %c %7s", "us, p5", ' ', "dense");
    for (int i = 0; i < SHARES; i++)
        printf(" %7.1f", (double) shares[i]);
    printf("\n");
    for (int l = 0; l < 2; l++) {
        const int in = widths[l];
        struct kern_matmul y = {1, BATCH, HIDDEN, in, .c = c, .epilogue = KERN_BIAS_RELU};
        struct kern_matmul dx = {1, in, BATCH, HIDDEN, .c = c, .epilogue = KERN_MASK};
        struct kern_matmul dw = {1, in, HIDDEN, BATCH, .c = c, .epilogue = KERN_UPDATE};
        y.extra = dx.extra = extra;
        print_skipping(ops, &y, KERN_SKIP_A, l ? "f2" : "f1");
        if (l)
            print_skipping(ops, &dx, KERN_SKIP_B, "dX2");
        for (int k = 0; k < 2; k++) {
            dw.step = &step[k];
            dw.slot[0] = k ? slot[0] : NULL;
            dw.slot[1] = k ? slot[1] : NULL;
            print_skipping(ops, &dw, KERN_SKIP_A, k ? "dW adam" : "dW sgd");
            print_skipping(ops, &dw, KERN_SKIP_B, k ? "dW adam" : "dW sgd");
        }
    }
}

enum { EPOCH = 938, TIMED = 300, TURN = 10 };

static bool same_state(const struct mlp *m, const struct mlp *n)
{
    bool same = m->sums.loss == n->sums.loss && m->sums.correct == n->sums.correct;

    for (int l = 0; l < LAYERS; l++) {
        const size_t out = kern_pad((size_t) widths[l + 1]);
        const size_t bytes = (size_t) widths[l] * out * sizeof(float);
        same = same && memcmp(m->w[l], n->w[l], bytes) == 0 &&
               memcmp(m->b[l], n->b[l], out * sizeof(float)) == 0;
        for (int k = 0; k < m->step.optim->slots(m->step.variant); k++)
            same = same && memcmp(m->w_slot[l][k], n->w_slot[l][k], bytes) == 0;
    }
    return same;
}

/* Both nets through the next `steps` steps, ten in turn; seconds[net][step]. */
static void step_both(struct mlp *net, int steps, double *const seconds[2])
{
    for (int i = 0; i < steps; i += TURN)
        for (int k = 0; k < 2; k++)
            for (int j = i; j < steps && j < i + TURN; j++) {
                const double start = now();
                kern_cpu_skip = k ? KERN_SKIP_CHOOSE : KERN_SKIP_NONE;
                mlp_step(&net[k]);
                if (seconds)
                    seconds[k][j] = now() - start;
            }
    kern_cpu_skip = KERN_SKIP_CHOOSE;
}

/* Returns whether the weights were equal at every look. */
static bool print_fashion(const struct kern_ops *ops, const struct train_side *side,
                          const char *optim, const double *args, size_t arg_count, int epochs)
{
    static struct mlp net[2];
    double dense[TIMED], skipping[TIMED], *const seconds[2] = {dense, skipping};
    bool all_same = true;

    for (int k = 0; k < 2; k++) {
        srand(1);
        mlp_init(&net[k], ops, side->pixels, side->labels, optim, args, arg_count);
    }
    for (int epoch = 0; epoch <= epochs; epoch = epoch ? epoch * 3 : 1) {
        const int64_t start = epoch ? epoch * EPOCH : 20;
        struct timing t[2];
        bool same;
        step_both(net, (int) (start - net[0].t), NULL);
        step_both(net, TIMED, seconds);
        t[0] = summarise(dense, TIMED);
        t[1] = summarise(skipping, TIMED);
        same = same_state(&net[0], &net[1]);
        all_same = all_same && same;
        printf("%-4s after %4d steps: dense %5.0f / %5.0f us, skipping %5.0f / %5.0f, %.3f x, %s\n",
               optim, (int) start, 1e6 * t[0].quick, 1e6 * t[0].median, 1e6 * t[1].quick,
               1e6 * t[1].median, t[1].quick / t[0].quick, same ? "same bits" : "OTHER BITS");
    }
    return all_same;
}

static int run_fashion(const struct kern_ops *ops, int epochs)
{
    static const double sgd[] = {0.1, 0, 0, 0, 0}, adam[] = {1e-3, 0.9, 0.999, 1e-8, 0, 0};
    const struct train_dataset_kind *const *kind = train_dataset_kinds();
    struct train_data_info info;
    struct train_data data = {0};
    struct cs_error err;
    bool same;

    while (strcmp((*kind)->name, "fashion-mnist") != 0)
        kind++;
    const struct train_data_source from = {*kind, "", ""};
    if ((*kind)->describe(&info, &from, &err) < 0 || (*kind)->load(&data, &from, &info, &err) < 0) {
        fprintf(stderr, "bench_kernels: %s\n", err.detail);
        return 1;
    }
    printf("instance %s, p5 / median of %d steps\n", ops->instance, TIMED);
    same = print_fashion(ops, &data.train, "sgd", sgd, CS_COUNT(sgd), epochs);
    same = print_fashion(ops, &data.train, "adam", adam, CS_COUNT(adam), epochs) && same;
    return same ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    const struct kern_ops *ops;
    struct cs_error err;
    cpu_set_t core;

    CPU_ZERO(&core);
    CPU_SET(1, &core);
    if (sched_setaffinity(0, sizeof core, &core) != 0)
        fprintf(stderr, "bench_kernels: not pinned: no core 1\n");
    if (kern_backend_find(&ops, "cpu", &err) < 0) {
        fprintf(stderr, "bench_kernels: %s\n", err.detail);
        return 1;
    }
    if (strcmp(what, "fashion") == 0)
        return run_fashion(ops, argc > 2 ? atoi(argv[2]) : 1);
    if (strcmp(what, "skip") == 0) {
        print_skips(ops);
        return 0;
    }
    if (strcmp(what, "floor") == 0)
        return print_products(ops, 1e7, 0.85) ? 0 : 1;
    if (strcmp(what, "step") != 0)
        print_products(ops, 0, 0);
    if (strcmp(what, "gemm") != 0)
        print_steps(ops);
    return 0;
}
