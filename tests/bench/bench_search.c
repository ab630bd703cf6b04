/*
 * bench_search.c - how near the minimum of known functions a search comes: `bench_search SEEDS` prints
 * "FUNCTION METHOD SEED regret_after_50 regret_after_100" a line; methods: random, sobol, tpe with batches of 1 and
 * of 8.. optuna_search.py has the same functions.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cs_str.h"
#include "sweep/search/search.h"

enum { PARAMS_MAX = 8, DRAWS = 100 };

struct function {
    const char *name;
    struct search_param params[PARAMS_MAX];
    size_t count;
    double (*value)(struct search *search);
    double minimum;
};

#define NUMBER(key_, low_, high_, step_, log_)                                        \
    {                                                                                 \
        .key = key_, .name = key_, .kind = SEARCH_NUMBER, .low = low_, .high = high_, \
        .step = step_, .log = log_, .share = 1                                        \
    }
#define CHOICE(key_, count_)                                   \
    {                                                          \
        .key = key_, .name = key_, .count = count_, .share = 1 \
    }

static double sphere(struct search *s)
{
    double sum = 0;

    for (size_t i = 0; i < 4; i++) {
        const double x = sweep_search_suggest(s, i) - 0.5 * (double) i;
        sum += x * x;
    }
    return sum;
}

static double branin_at(double x, double y)
{
    const double b = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;
    return b * b + 10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10;
}

static double branin(struct search *s)
{
    const double x = sweep_search_suggest(s, 0);
    return branin_at(x, sweep_search_suggest(s, 1));
}

static double hartmann(struct search *s)
{
    static const double alpha[4] = {1, 1.2, 3, 3.2};
    static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                   {0.05, 10, 17, 0.1, 8, 14},
                                   {3, 3.5, 1.7, 10, 17, 8},
                                   {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                   {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                   {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                   {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double x[6], sum = 0;

    for (size_t i = 0; i < 6; i++)
        x[i] = sweep_search_suggest(s, i);
    for (int k = 0; k < 4; k++) {
        double inner = 0;
        for (int i = 0; i < 6; i++)
            inner += a[k][i] * (x[i] - p[k][i]) * (x[i] - p[k][i]);
        sum -= alpha[k] * exp(-inner);
    }
    return sum;
}

/* A choice that decides which numbers there are, of every kind. */
static double mixed(struct search *s)
{
    const int kind = (int) sweep_search_suggest(s, 0);
    const double dropout = sweep_search_suggest(s, 1) - 0.3;

    if (kind == 0) {
        const double x = sweep_search_suggest(s, 2) - 1;
        return dropout * dropout + x * x + 0.5;
    }
    if (kind == 1) {
        const double lr = log10(sweep_search_suggest(s, 3)) + 3;
        const double width = log2(sweep_search_suggest(s, 4)) - 4;
        return dropout * dropout + lr * lr + width * width / 4;
    }
    const double x = sweep_search_suggest(s, 5);
    return dropout * dropout + branin_at(x, sweep_search_suggest(s, 6)) / 50 + 0.3;
}

static const struct function functions[] = {
    {"sphere",
     {NUMBER("a", -5, 5, 0, false), NUMBER("b", -5, 5, 0, false), NUMBER("c", -5, 5, 0, false),
      NUMBER("d", -5, 5, 0, false)},
     4,
     sphere,
     0},
    {"branin",
     {NUMBER("x", -5, 10, 0, false), NUMBER("y", 0, 15, 0, false)},
     2,
     branin,
     0.39788735772973816},
    {"hartmann6",
     {NUMBER("a", 0, 1, 0, false), NUMBER("b", 0, 1, 0, false), NUMBER("c", 0, 1, 0, false),
      NUMBER("d", 0, 1, 0, false), NUMBER("e", 0, 1, 0, false), NUMBER("f", 0, 1, 0, false)},
     6,
     hartmann,
     -3.322368011415515},
    {"mixed",
     {CHOICE("kind", 3), NUMBER("dropout", 0, 0.9, 0.1, false), NUMBER("z", -5, 5, 0, false),
      NUMBER("lr", 1e-5, 1, 0, true), NUMBER("width", 1, 64, 1, true),
      NUMBER("x", -5, 10, 0, false), NUMBER("y", 0, 15, 0, false)},
     7,
     mixed,
     0},
};

static void run(const struct function *f, const char *label, const char *method, size_t batch,
                uint64_t seed)
{
    const struct search_options options = {.seed = seed, .startup = 10, .candidates = 24};
    struct search *s =
        sweep_search_create(sweep_search_method_find(method), f->params, f->count, &options);
    double best = INFINITY, values[DRAWS], after[2];
    size_t told = 0;

    for (uint32_t i = 0; i < DRAWS; i++) {
        sweep_search_begin(s, i);
        values[i] = f->value(s);
        sweep_search_accept(s);
        best = fmin(best, values[i]);
        if (i + 1 == DRAWS / 2 || i + 1 == DRAWS)
            after[i + 1 == DRAWS] = best - f->minimum;
        if (i + 1 < 10 || (i + 1 - 10) % batch != 0)
            continue;
        for (; told <= i; told++) /* a batch is over */
            sweep_search_tell(s, told, &(struct search_result){SEARCH_DONE, values[told], 0});
    }
    printf("%s %s %llu %.10g %.10g\n", f->name, label, (unsigned long long) seed, after[0],
           after[1]);
    sweep_search_free(s);
}

int main(int argc, char **argv)
{
    const uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 24;

    for (size_t f = 0; f < CS_COUNT(functions); f++)
        for (uint64_t seed = 0; seed < seeds; seed++) {
            run(&functions[f], "random", "random", 1, seed);
            run(&functions[f], "sobol", "sobol", 1, seed);
            run(&functions[f], "tpe", "tpe", 1, seed);
            run(&functions[f], "tpe-batch-8", "tpe", 8, seed);
        }
    return 0;
}
