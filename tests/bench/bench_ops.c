/*
 * bench_ops - what surrounds the products of a training step, on one pinned core: time per element, or per batch.
 *
 * Dropout, gather, transpose, softmax cross-entropy, norms, noise, every activation and every optimizer of the registries,
 * on matrices of 64 x 512 (updates: 512 x 512; images: 16 channels of 14 x 14). 5 % quickest of 400 calls, processor time. CSWEEP_CPU picks the instance.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "kernels/kernels.h"

enum { BATCH = 64, WIDTH = 512, PIXELS = 784, CLASSES = 10, SAMPLES = 60000, CALLS = 400 };

static const struct kern_ops *ops;

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

/* Seconds of one call, of `inner` at a time. */
static double measure(void (*call)(void *), void *arg, int inner)
{
    double seconds[CALLS];

    for (int i = 0; i < CALLS; i++) {
        const double start = now();
        for (int j = 0; j < inner; j++)
            call(arg);
        seconds[i] = (now() - start) / inner;
    }
    qsort(seconds, CALLS, sizeof *seconds, compare_doubles);
    return seconds[CALLS / 20];
}

static float *numbers(size_t count, float scale)
{
    float *x = cs_alloc_aligned(count, sizeof *x);

    if (!x)
        abort();
    for (size_t i = 0; i < count; i++)
        x[i] = scale * ((float) rand() / (float) RAND_MAX - 0.5f);
    return x;
}

static void print_each(const char *what, double seconds, double elements)
{
    printf("%-24s %7.3f ns an element\n", what, 1e9 * seconds / elements);
}

static void print_batch(const char *what, double seconds)
{
    printf("%-24s %7.3f us a batch\n", what, 1e6 * seconds);
}

static void call_dropout(void *arg)
{
    ops->dropout(arg);
}

static void call_gather(void *arg)
{
    ops->gather(arg);
}

static void call_loss(void *arg)
{
    ops->loss(arg);
}

static void call_activate(void *arg)
{
    ops->activate(arg);
}

static void call_activate_grad(void *arg)
{
    ops->activate_grad(arg);
}

static void call_update(void *arg)
{
    ops->update(arg);
}

struct transposition {
    float *out, *in;
};

static void call_transpose(void *arg)
{
    const struct transposition *t = arg;
    ops->transpose(t->out, t->in, BATCH, WIDTH);
}

static void bench_batch(void)
{
    double p = 0.2;
    uint64_t seed = 1;
    int32_t label[BATCH];
    uint32_t index[BATCH];
    float *x = numbers((size_t) BATCH * PIXELS, 1), *xt = numbers((size_t) BATCH * PIXELS, 1);
    uint8_t *pixels = cs_xcalloc(SAMPLES, PIXELS);
    struct kern_dropout drop = {
        .trials = 1, .rows = BATCH, .cols = WIDTH, .x = x, .p = &p, .seed = &seed};
    struct kern_gather gather = {.trials = 1,
                                 .rows = BATCH,
                                 .features = PIXELS,
                                 .pixels = pixels,
                                 .index = index,
                                 .mean = 0,
                                 .std = 1,
                                 .x = x,
                                 .xt = xt};
    const struct kern_loss_numbers plain = kern_loss_plain();
    struct kern_loss_sums sums = {0};
    float *target = numbers(BATCH * 16, 1);
    struct kern_loss_call loss = {.trials = 1,
                                  .rows = BATCH,
                                  .outputs = CLASSES,
                                  .x = numbers(BATCH * 16, 1),
                                  .label = label,
                                  .target = target,
                                  .dx = x,
                                  .dxt = xt,
                                  .numbers = &plain,
                                  .sums = &sums};

    for (int i = 0; i < BATCH; i++) {
        label[i] = i % CLASSES;
        index[i] = (uint32_t) rand() % SAMPLES;
    }
    memset(pixels, 7, (size_t) SAMPLES * PIXELS);
    print_each("dropout", measure(call_dropout, &drop, 1), BATCH * WIDTH);
    print_each("gather, both forms", measure(call_gather, &gather, 1), BATCH * PIXELS);
    print_each("transpose", measure(call_transpose, &(struct transposition){x, xt}, 1),
               BATCH * WIDTH);
    for (const struct kern_loss *const *kind = kern_losses(); *kind; kind++) {
        char name[64];
        loss.kind = *kind;
        loss.targets = (*kind)->takes[KERN_VALUES] ? KERN_VALUES : KERN_CLASSES;
        snprintf(name, sizeof name, "%s, 64 x 10", (*kind)->name);
        print_batch(name, measure(call_loss, &loss, 20));
    }
    free(x);
    free(xt);
    free(pixels);
    free((float *) loss.x);
    free(target);
}

static void call_batchnorm(void *arg)
{
    ops->batchnorm(arg);
}

static void call_batchnorm_grad(void *arg)
{
    ops->batchnorm_grad(arg);
}

static void call_layernorm(void *arg)
{
    ops->layernorm(arg);
}

static void call_layernorm_grad(void *arg)
{
    ops->layernorm_grad(arg);
}

static void call_dropout2d(void *arg)
{
    ops->dropout2d(arg);
}

static void call_noise(void *arg)
{
    ops->noise(arg);
}

enum { CHANNELS = 16, POSITIONS = 14 * 14, IMAGES = BATCH * CHANNELS * POSITIONS };

static void bench_norms(void)
{
    float *v[] = {numbers(IMAGES, 1), numbers(IMAGES, 1), numbers(IMAGES, 1),   numbers(IMAGES, 1),
                  numbers(WIDTH, 1),  numbers(WIDTH, 1),  numbers(WIDTH, 1),    numbers(WIDTH, 1),
                  numbers(WIDTH, 1),  numbers(WIDTH, 1),  numbers(2 * WIDTH, 1)};
    double half = 0.5;
    uint64_t seed = 1;
    struct kern_batchnorm b = {1,    BATCH, WIDTH, 0,    1e-5, 0.1,  v[0], v[1],
                               v[2], v[3],  0,     0,    v[4], v[5], v[6], v[7],
                               0,    v[10], 0,     v[8], v[9], 0,    false};
    struct kern_layernorm n = {1,    BATCH, WIDTH, 1e-5,  v[0], v[1], v[2], v[3], 0,    0,
                               v[4], v[5],  0,     v[10], 0,    v[8], v[9], 0,    false};
    struct kern_noise noise = {1, BATCH, WIDTH, false, v[0], 0, &half, &seed, 0, 0};
    struct kern_dropout2d drop = {1, BATCH, CHANNELS, POSITIONS, v[0], 0, &half, &seed, 0, 0};

    print_each("batchnorm", measure(call_batchnorm, &b, 1), BATCH * WIDTH);
    print_each("batchnorm, gradient", measure(call_batchnorm_grad, &b, 1), BATCH * WIDTH);
    b.channels = CHANNELS;
    b.positions = POSITIONS;
    print_each("batchnorm of images", measure(call_batchnorm, &b, 1), IMAGES);
    print_each("  gradient", measure(call_batchnorm_grad, &b, 1), IMAGES);
    print_each("layernorm", measure(call_layernorm, &n, 1), BATCH * WIDTH);
    print_each("layernorm, gradient", measure(call_layernorm_grad, &n, 1), BATCH * WIDTH);
    print_each("dropout2d", measure(call_dropout2d, &drop, 1), IMAGES);
    print_each("noise", measure(call_noise, &noise, 1), BATCH * WIDTH);
    noise.rows = WIDTH;
    noise.cols = BATCH;
    noise.transposed = true;
    print_each("noise, turned", measure(call_noise, &noise, 1), BATCH * WIDTH);
    for (size_t i = 0; i < CS_COUNT(v); i++)
        free(v[i]);
}

static void bench_activations(void)
{
    float *x = numbers(BATCH * WIDTH, 8), *y = numbers(BATCH * WIDTH, 1);
    float *dy = numbers(BATCH * WIDTH, 1);

    for (const struct kern_activation *const *kind = kern_activations(); *kind; kind++) {
        const float args[KERN_ACTIVATION_ARGS] = {(float) (*kind)->defaults[0],
                                                  (float) (*kind)->defaults[1]};
        struct kern_activate a = {.kind = *kind,
                                  .trials = 1,
                                  .rows = BATCH,
                                  .cols = WIDTH,
                                  .x = x,
                                  .y = y,
                                  .dy = dy,
                                  .args = args};
        char name[64];
        print_each((*kind)->name, measure(call_activate, &a, 1), BATCH * WIDTH);
        snprintf(name, sizeof name, "%s, gradient", (*kind)->name);
        print_each(name, measure(call_activate_grad, &a, 1), BATCH * WIDTH);
    }
    free(x);
    free(y);
    free(dy);
}

static void read_defaults(double *args, const struct kern_optim *optim)
{
    struct cs_arena arena = {0};
    int place = 0;

    for (int i = 0; i < optim->param_count; i++) {
        const struct cs_param *row = &optim->params[i];
        struct cs_value value;
        if (cs_param_parse(&value, row, row->def, &arena, NULL) < 0)
            abort();
        place += cs_value_flatten(args + place, KERN_OPTIM_ARGS - place, row, &value);
    }
    cs_arena_clear(&arena);
}

static void bench_updates(void)
{
    const size_t count = (size_t) WIDTH * WIDTH;

    for (const struct kern_optim *const *optim = kern_optim_all(); *optim; optim++) {
        double args[KERN_OPTIM_ARGS] = {0}, memory[KERN_MEMORY] = {0};
        struct kern_step step = {.optim = *optim};
        struct kern_update u = {.trials = 1, .count = count, .step = &step};
        if ((*optim)->by_tensor)
            continue; /* two calls with norms between: the trainer's */
        read_defaults(args, *optim);
        step.variant = (*optim)->variant(args);
        (*optim)->begin(&step.hyper, memory, args, args[0], 1);
        u.w = numbers(count, 1);
        u.g = numbers(count, 1);
        for (int s = 0; s < (*optim)->slots(step.variant); s++)
            u.slot[s] = numbers(count, 0);
        print_each((*optim)->name, measure(call_update, &u, 1), (double) count);
        free(u.w);
        free((float *) u.g);
        for (int s = 0; s < KERN_SLOTS; s++)
            free(u.slot[s]);
    }
}

int main(void)
{
    struct cs_error err;
    cpu_set_t core;

    CPU_ZERO(&core);
    CPU_SET(1, &core);
    if (sched_setaffinity(0, sizeof core, &core) != 0)
        fprintf(stderr, "bench_ops: not pinned: no core 1\n");
    if (kern_backend_find(&ops, "cpu", &err) < 0) {
        fprintf(stderr, "bench_ops: %s\n", err.detail);
        return 1;
    }
    printf("instance %s\n", ops->instance);
    bench_batch();
    bench_norms();
    bench_activations();
    bench_updates();
    return 0;
}
