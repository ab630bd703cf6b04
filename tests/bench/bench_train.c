/*
 * bench_train - training as the engine does it, without files: every step of every epoch, on one pinned core.
 *
 *     bench_train [trials=K] [steps=N] KEY=VALUE ...      keys of a grid file, one value each; epochs=1 unless given
 *
 * Shuffle, gather, forward, backward, update and the epoch's gradient norm are timed, evaluation apart. Prints a
 * line per epoch: processor time per trial and step, mean, median and 5 % quickest. steps=N ends after N steps in all:
 * for the guard of tests/conformance, which counts instructions of train_bundle_train_step. CSWEEP_CPU picks the instance.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/bundle.h"

enum { MOST = 64, SETTINGS = 64 };

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

static void fail(const char *what)
{
    fprintf(stderr, "bench_train: %s\n", what);
    exit(1);
}

struct options {
    struct train_setting settings[SETTINGS];
    size_t count;
    int trials;
    long steps; /* 0: all */
};

static void read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.trials = 1};
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value || o->count == SETTINGS)
            fail("usage: bench_train [trials=K] [steps=N] KEY=VALUE ...");
        *value++ = '\0';
        if (strcmp(argv[i], "trials") == 0)
            o->trials = atoi(value);
        else if (strcmp(argv[i], "steps") == 0)
            o->steps = atol(value);
        else
            o->settings[o->count++] = (struct train_setting){argv[i], value, 0};
    }
    if (o->trials < 1 || o->trials > MOST)
        fail("trials: expected 1 to 64");
}

/* Train one epoch, at most `left` steps; prints its line. Returns the steps done. */
static long run_epoch(train_bundle *b, int trials, long left)
{
    const int epoch = train_bundle_epoch(b), steps = train_bundle_steps(b);
    double norm[MOST], *us = cs_xcalloc((size_t) steps, sizeof *us), sum = 0;
    int count = 0;

    for (; train_bundle_epoch(b) == epoch && count < left; count++) {
        const double start = now();
        train_bundle_train_step(b, norm);
        us[count] = 1e6 * (now() - start) / trials;
        sum += us[count];
    }
    const struct train_sums *s = train_bundle_sums(b, 0);
    printf("epoch %2d: mean %8.2f median ", epoch + 1, sum / count);
    qsort(us, (size_t) count, sizeof *us, compare_doubles);
    printf("%8.2f p5 %8.2f us, loss %.4f\n", us[count / 2], us[count / 20],
           s->of.loss / s->of.weight);
    free(us);
    return count;
}

int main(int argc, char **argv)
{
    struct options o;
    const struct kern_ops *ops;
    struct train_spec *specs[MOST];
    struct train_data *data;
    train_bundle *b;
    struct cs_error err;
    cpu_set_t core;

    read_options(&o, argc, argv);
    CPU_ZERO(&core);
    CPU_SET(1, &core);
    if (sched_setaffinity(0, sizeof core, &core) != 0)
        fprintf(stderr, "bench_train: not pinned: no core 1\n");
    if (kern_backend_find(&ops, "cpu", &err) < 0)
        fail(err.detail);
    for (int k = 0; k < o.trials; k++)
        if (train_spec_create(&specs[k], o.settings, o.count, (uint64_t) k, &err) < 0)
            fail(err.detail);
    if (train_data_load(&data, specs[0], &err) < 0 ||
        train_bundle_create(&b, ops, specs, o.trials, data, 0, &err) < 0)
        fail(err.detail);
    for (int k = 0; k < o.trials; k++)
        train_bundle_init(b, k);
    printf("instance %s, %d trials\n", ops->instance, o.trials);
    long left = o.steps ? o.steps : (long) specs[0]->epochs * train_bundle_steps(b);
    while (left > 0) {
        struct train_sums val[MOST];
        left -= run_epoch(b, o.trials, left);
        train_bundle_clear_sums(b);
        if (o.steps)
            continue;
        const double start = now();
        train_bundle_evaluate(b, val);
        printf("          validation %.3f us a sample, accuracy %.4f\n",
               1e6 * (now() - start) / (double) (o.trials * val[0].of.samples),
               (double) val[0].of.correct / (double) val[0].of.samples);
    }
    train_bundle_free(b);
    train_data_free(data);
    for (int k = 0; k < o.trials; k++)
        train_spec_free(specs[k]);
    return 0;
}
