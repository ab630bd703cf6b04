/*
 * bench_tiny - a small net, 20-64-32-2, batch 32, as whole bundles on one pinned core: epochs of 1000 samples with
 * their shuffles, gradient norms and short last batch, no files.
 *
 *     bench_tiny                 us per trial and step for 1, 8 and 64 trials at once, SGD and Adam
 *     bench_tiny sizes           nets of growing width: 8 trials in lanes against one after the other (where lanes end)
 *     bench_tiny fill            1 ... 8 trials: the same
 *
 * CSWEEP_CPU picks the instance. 5 % quickest and median epoch, processor time.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/bundle.h"

enum { MOST = 64 };

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

struct timing {
    double quick, median; /* us per trial and step */
    double evaluate;      /* us per trial and validation sample, median */
};

static void fail(const struct cs_error *err)
{
    fprintf(stderr, "bench_tiny: %s\n", err->detail);
    exit(1);
}

static void make_specs(struct train_spec **specs, int count, const char *optimizer,
                       const char *layers)
{
    for (int k = 0; k < count; k++) {
        char lr[32];
        struct cs_error err;
        snprintf(lr, sizeof lr, "%g", 0.001 * (1 + k));
        const struct train_setting settings[] = {
            {"dataset", "random 1000x20 sum>0", 0},
            {"batch_size", "32", 0},
            {"layers", layers, 0},
            {"optimizer", optimizer, 0},
            {"lr", lr, 0},
        };
        if (train_spec_create(&specs[k], settings, CS_COUNT(settings), (uint64_t) k, &err) < 0)
            fail(&err);
    }
}

/* group 0: as csweep would; 1: one trial after the other. */
static struct timing measure(const struct kern_ops *ops, const char *optimizer, const char *layers,
                             int count, int group, int epochs)
{
    struct train_spec *specs[MOST];
    struct train_data *data;
    train_bundle *b;
    struct cs_error err;
    double norm[MOST], *seconds = cs_xcalloc((size_t) epochs, sizeof *seconds),
                       *evaluate = cs_xcalloc((size_t) epochs, sizeof *evaluate);
    struct train_sums val[MOST];

    make_specs(specs, count, optimizer, layers);
    if (train_data_load(&data, specs[0], &err) < 0 ||
        train_bundle_create(&b, ops, specs, count, data, group, &err) < 0)
        fail(&err);
    for (int k = 0; k < count; k++)
        train_bundle_init(b, k);
    for (int e = 0; e < epochs; e++) {
        const double start = now();
        while (train_bundle_epoch(b) == e)
            train_bundle_train_step(b, norm);
        const double trained = now();
        train_bundle_evaluate(b, val);
        seconds[e] = trained - start;
        evaluate[e] = now() - trained;
    }
    const double steps = (double) count * train_bundle_steps(b);
    qsort(seconds, (size_t) epochs, sizeof *seconds, compare_doubles);
    qsort(evaluate, (size_t) epochs, sizeof *evaluate, compare_doubles);
    const struct timing t = {1e6 * seconds[epochs / 20] / steps, 1e6 * seconds[epochs / 2] / steps,
                             1e6 * evaluate[epochs / 2] / (double) (count * val[0].of.samples)};
    train_bundle_free(b);
    train_data_free(data);
    for (int k = 0; k < count; k++)
        train_spec_free(specs[k]);
    free(seconds);
    free(evaluate);
    return t;
}

static const char net_c[] = "linear 64 > relu > linear 32 > relu > linear 2";

static void print_net(const struct kern_ops *ops)
{
    static const char *const optimizers[] = {"sgd", "adam"};
    static const int counts[] = {1, 8, 64};

    printf("net 20-64-32-2, batch 32, us per trial and step, instance %s\n", ops->instance);
    for (size_t o = 0; o < CS_COUNT(optimizers); o++)
        for (size_t i = 0; i < CS_COUNT(counts); i++) {
            const struct timing t =
                measure(ops, optimizers[o], net_c, counts[i], 0, 4000 / counts[i]);
            printf("tiny %-4s %2d trials p5 %6.2f median %6.2f us, validation %.4f us a sample\n",
                   optimizers[o], counts[i], t.quick, t.median, t.evaluate);
        }
}

static void print_sizes(const struct kern_ops *ops)
{
    for (int width = 16; width <= 512; width = width * 3 / 2) {
        char layers[64];
        snprintf(layers, sizeof layers, "linear %d > relu > linear %d > relu > linear 2", width,
                 width);
        for (int adam = 0; adam < 2; adam++) {
            const char *optimizer = adam ? "adam" : "sgd";
            const int epochs = width < 100 ? 60 : 12;
            const struct timing lanes = measure(ops, optimizer, layers, 16, 0, epochs);
            const struct timing turn = measure(ops, optimizer, layers, 16, 1, epochs);
            printf("20-%d-%d-2 %-4s: %8.2f us, one after the other %8.2f us: %.2f\n", width, width,
                   optimizer, lanes.quick, turn.quick, turn.quick / lanes.quick);
        }
    }
}

static void print_fill(const struct kern_ops *ops)
{
    for (int count = 1; count <= 8; count++) {
        const struct timing lanes = measure(ops, "adam", net_c, count, 0, 300);
        const struct timing turn = measure(ops, "adam", net_c, count, 1, 300);
        printf("%d trials: %6.2f us a trial, one after the other %6.2f us: %.2f\n", count,
               lanes.quick, turn.quick, turn.quick / lanes.quick);
    }
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
        fprintf(stderr, "bench_tiny: not pinned: no core 1\n");
    if (kern_backend_find(&ops, "cpu", &err) < 0)
        fail(&err);
    if (strcmp(what, "sizes") == 0)
        print_sizes(ops);
    else if (strcmp(what, "fill") == 0)
        print_fill(ops);
    else
        print_net(ops);
    return 0;
}
