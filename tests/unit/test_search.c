/*
 * Points that are drawn: the registry, random numbers against the kernels' Philox, values on their decimals and steps,
 * Sobol' points against scipy's, the net property after scrambling, and the Parzen estimator against Optuna's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"
#include "kernels/math/philox.h"
#include "sweep/search/search_impl.h"

static struct search_param number(const char *key, double low, double high, double step, bool log)
{
    return (struct search_param){.key = key,
                                 .name = key,
                                 .kind = SEARCH_NUMBER,
                                 .low = low,
                                 .high = high,
                                 .step = step,
                                 .log = log,
                                 .share = 1};
}

static struct search_param choice(const char *key, size_t count)
{
    return (struct search_param){
        .key = key, .name = key, .kind = SEARCH_CHOICE, .count = count, .share = 1};
}

static struct search *make(const char *method, const struct search_param *params, size_t count,
                           uint64_t seed)
{
    const struct search_options options = {.seed = seed, .startup = 10, .candidates = 24};
    return sweep_search_create(sweep_search_method_find(method), params, count, &options);
}

static void test_registry(void **state)
{
    size_t count;
    const struct search_method *const *methods = sweep_search_methods(&count);

    (void) state;
    assert_true(count >= 4);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(sweep_search_method_find(methods[i]->name), methods[i]);
        assert_true(strlen(methods[i]->help) > 10);
        assert_true(methods[i]->drawn == (methods[i]->suggest != NULL));
        assert_true(methods[i]->drawn || !methods[i]->sequential);
    }
    assert_null(sweep_search_method_find("annealing"));
}

static void test_philox(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < 100; i++) {
        const uint32_t counter[4] = {i, i * 7, ~i, i << 20};
        const uint64_t key = 0x123456789abcdefu * (i + 1);
        const struct search_words ours = sweep_search_philox(key, counter);
        const struct kern_philox theirs =
            kern_philox(key, counter[0], counter[1], counter[2], counter[3]);
        assert_memory_equal(ours.v, theirs.v, sizeof ours.v);
    }
}

/* Every method: suggestions lie in the space, and depend on no other parameter and no later question. */
static void test_methods(void **state)
{
    const struct search_param params[] = {
        number("lr", 1e-4, 1e-1, 0, true), number("dropout", 0, 0.5, 0, false),
        number("momentum", 0.1, 0.95, 0.1, false), number("hidden", 16, 500, 1, true),
        choice("optimizer", 3)};
    size_t count;
    const struct search_method *const *methods = sweep_search_methods(&count);

    (void) state;
    for (size_t m = 0; m < count; m++) {
        if (!methods[m]->drawn)
            continue;
        struct search *all = make(methods[m]->name, params, 5, 3);
        struct search *some = make(methods[m]->name, params, 5, 3);
        double values[60][5];
        for (uint32_t draw = 0; draw < 60; draw++) {
            sweep_search_begin(all, draw);
            for (size_t p = 0; p < 5; p++) {
                const double x = values[draw][p] = sweep_search_suggest(all, p);
                assert_true(params[p].kind == SEARCH_CHOICE
                                ? x >= 0 && x < 3 && x == floor(x)
                                : x >= params[p].low && x <= params[p].high);
            }
            assert_true(values[draw][3] == floor(values[draw][3]));
            sweep_search_accept(all);
            sweep_search_begin(some, draw); /* in another order, one out of force */
            assert_true(sweep_search_suggest(some, 4) == values[draw][4]);
            assert_true(sweep_search_suggest(some, 2) == values[draw][2]);
            for (size_t p = 0; p < 5; p++)
                sweep_search_put(some, p, values[draw][p]);
            sweep_search_accept(some);
            const struct search_result result = {SEARCH_DONE, values[draw][0], 0};
            sweep_search_tell(all, draw, &result);
            sweep_search_tell(some, draw, &result);
        }
        sweep_search_free(all);
        sweep_search_free(some);
    }
}

/* A key's numbers are its own, whatever keys there are besides and in whatever order. */
static void test_random_names(void **state)
{
    const struct search_param one[] = {number("lr", 0, 1, 0, false)};
    const struct search_param two[] = {choice("optimizer", 4), number("lr", 0, 1, 0, false)};
    struct search *a = make("random", one, 1, 9), *b = make("random", two, 2, 9);
    struct search *other = make("random", one, 1, 10);
    double sum = 0;
    int same = 0;

    (void) state;
    for (uint32_t draw = 0; draw < 1000; draw++) {
        sweep_search_begin(a, draw);
        sweep_search_begin(b, draw);
        sweep_search_begin(other, draw);
        const double x = sweep_search_suggest(a, 0);
        assert_true(x == sweep_search_suggest(b, 1));
        same += x == sweep_search_suggest(other, 0);
        sum += x;
    }
    assert_true(same < 5 && fabs(sum / 1000 - 0.5) < 0.03);
    sweep_search_free(a);
    sweep_search_free(b);
    sweep_search_free(other);
}

static void test_values(void **state)
{
    struct search_param p = number("lr", 1e-4, 1e-1, 0, true);
    char text[CS_DOUBLE_MAX];

    (void) state;
    assert_true(sweep_search_at(&p, 0) == 1e-4);
    assert_true(sweep_search_at(&p, nextafter(1, 0)) == 1e-1);
    assert_true(sweep_search_at(&p, 1.0 / 3) == 1e-3);
    for (int i = 0; i < 200; i++) {
        const double x = sweep_search_at(&p, (i + 0.4) / 200);
        assert_true(strlen(cs_format_double(text, x)) <= 11);
        assert_true(x >= 1e-4 && x <= 1e-1);
        assert_true(fabs(log(x / 1e-4) / log(1e3) - (i + 0.4) / 200) < 1e-5);
    }
    p = number("momentum", 0.1, 0.95, 0.1, false);
    for (int i = 0; i < 9; i++)
        assert_true(sweep_search_at(&p, (i + 0.5) / 9) ==
                    strtod((const char *[]){"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8",
                                            "0.9"}[i],
                           NULL));
    p = number("betas", 0.999, 0.9999, 0, false);
    assert_true(sweep_search_at(&p, 0.123456789) == 0.999111111);
    p = number("big", -3e9, 5e9, 0, false);
    assert_true(fmod(sweep_search_at(&p, 0.3333333), 1e4) == 0);
    p = number("hidden", 1, 8, 1, true);
    int seen[9] = {0};
    for (int i = 0; i < 10000; i++)
        seen[(int) sweep_search_at(&p, (i + 0.5) / 10000)]++;
    for (int k = 1; k <= 8; k++) /* a whole number has the share of log x within half a step */
        assert_true(fabs(seen[k] - 10000 * log((k + 0.5) / (k - 0.5)) / log(8.5 / 0.5)) <= 2);
    p = number("same", 3, 3, 0, false);
    assert_true(sweep_search_at(&p, 0.7) == 3);
    p = number("mixed", 0, 1, 0, false); /* the third of four alternatives */
    p.share = 4;
    assert_true(fabs(sweep_search_at(&p, 0.625) - 0.5) < 1e-9);
}

/* The first points of dimensions 1 to 10, and FNV-1a over 1024 points of all: those of scipy.stats.qmc.Sobol. */
static void test_sobol_points(void **state)
{
    static const double expected[10][10] = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
        {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5},
        {0.75, 0.25, 0.25, 0.25, 0.75, 0.75, 0.25, 0.75, 0.75, 0.75},
        {0.25, 0.75, 0.75, 0.75, 0.25, 0.25, 0.75, 0.25, 0.25, 0.25},
        {0.375, 0.375, 0.625, 0.875, 0.375, 0.125, 0.375, 0.875, 0.875, 0.625},
        {0.875, 0.875, 0.125, 0.375, 0.875, 0.625, 0.875, 0.375, 0.375, 0.125},
        {0.625, 0.125, 0.875, 0.625, 0.625, 0.875, 0.125, 0.125, 0.125, 0.375},
        {0.125, 0.625, 0.375, 0.125, 0.125, 0.375, 0.625, 0.625, 0.625, 0.875},
        {0.1875, 0.3125, 0.9375, 0.4375, 0.5625, 0.3125, 0.4375, 0.9375, 0.9375, 0.3125},
        {0.6875, 0.8125, 0.4375, 0.9375, 0.0625, 0.8125, 0.9375, 0.4375, 0.4375, 0.8125}};

    (void) state;
    for (uint32_t i = 0; i < 10; i++)
        for (size_t d = 0; d < 10; d++)
            assert_true(sweep_search_sobol_point(i, d) * 0x1p-32 == expected[i][d]);
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < 1024; i++)
        for (size_t d = 0; d < SEARCH_SOBOL_MAX; d++)
            h = (h ^ (sweep_search_sobol_point(i, d) >> 2 << 2)) * 0x100000001b3u;
    assert_true(h == 0x86599089dcb62325u);
}

/* Scrambled: of 2^m points one lies in every interval of length 2^-m, in all dimensions. */
static void test_scrambled_nets(void **state)
{
    struct search_param params[SEARCH_SOBOL_MAX];
    char names[SEARCH_SOBOL_MAX][8];

    (void) state;
    for (int d = 0; d < SEARCH_SOBOL_MAX; d++) {
        snprintf(names[d], sizeof names[d], "k%02d", d);
        params[d] = choice(names[d], 256);
    }
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct search *s = make("sobol", params, SEARCH_SOBOL_MAX, seed);
        static double points[512][SEARCH_SOBOL_MAX];
        for (uint32_t i = 0; i < 512; i++) {
            sweep_search_begin(s, i);
            for (size_t d = 0; d < SEARCH_SOBOL_MAX; d++)
                points[i][d] = sweep_search_suggest(s, d);
        }
        for (size_t d = 0; d < SEARCH_SOBOL_MAX; d++)
            for (int m = 0; m <= 8; m++)
                for (int block = 0; block < 512 >> m; block++) {
                    bool seen[256] = {false};
                    for (int i = block << m; i < (block + 1) << m; i++) {
                        const int cell = (int) points[i][d] >> (8 - m);
                        assert_false(seen[cell]);
                        seen[cell] = true;
                    }
                }
        for (int a = 0; a <= 8; a++) { /* dimensions 1 and 2: a (0, 8, 2)-net, every shape of box */
            bool seen[256] = {false};
            for (int i = 0; i < 256; i++) {
                const int cell = (int) points[i][0] >> (8 - a) << (8 - a) | (int) points[i][1] >> a;
                assert_false(seen[cell]);
                seen[cell] = true;
            }
        }
        sweep_search_free(s);
    }
}

/* Scrambling is nested: two numbers that share their first bits share them afterwards, and differ in the next. */
static void test_scramble_is_nested(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < 2000; i++) {
        const uint32_t counter[4] = {i, 1, 2, 3};
        const struct search_words r = sweep_search_philox(5, counter);
        const int bit = (int) (r.v[2] % 32);
        const uint32_t a = r.v[0],
                       b = a ^ (UINT32_C(1) << bit) ^ (r.v[3] & ((UINT32_C(1) << bit) - 1));
        const uint32_t difference =
            sweep_search_owen_scramble(a, r.v[1]) ^ sweep_search_owen_scramble(b, r.v[1]);
        assert_true(difference >> bit == 1);
    }
}

/* tpe */

static double share(uint64_t i, uint64_t k)
{
    return (double) ((i * 2654435761u + k * 40503u) % 0x100000000u) / 4294967296.0;
}

enum { TPE_KINDS = 5 };

static const struct search_param *tpe_params(void)
{
    static struct search_param params[TPE_KINDS];

    params[0] = number("float", 0, 0.5, 0, false);
    params[1] = number("log", 1e-4, 1e-1, 0, true);
    params[2] = number("logint", 16, 500, 1, true);
    params[3] = number("step", 0.1, 0.9, 0.1, false);
    params[4] = choice("choice", 3);
    return params;
}

/* The i-th observation, as the script that asked Optuna has it. */
static double observation(size_t kind, uint64_t i)
{
    const double u = share(i + 1, 0);
    char text[64];

    switch (kind) {
    case 0:
        snprintf(text, sizeof text, "%.6f", 0.5 * u);
        return strtod(text, NULL);
    case 1:
        snprintf(text, sizeof text, "%.6g", 1e-4 * pow(1000, u));
        return strtod(text, NULL);
    case 2:
        return floor(16 + u * 485);
    case 3:
        snprintf(text, sizeof text, "%.1f", 0.1 * (1 + floor(u * 9)));
        return strtod(text, NULL);
    default:
        return floor(u * 3);
    }
}

static void observe(struct search *s, uint64_t i, double value, enum search_state state)
{
    const struct search_result result = {state, value, 1};

    sweep_search_begin(s, (uint32_t) i);
    for (size_t p = 0; p < TPE_KINDS; p++)
        sweep_search_put(s, p, observation(p, i));
    sweep_search_tell(s, sweep_search_accept(s), &result);
}

/* log l(x) - log g(x) after n observations, from optuna 5.0 (_ParzenEstimator with its defaults, its
 * sort of the observations made stable). */
static void test_tpe_densities(void **state)
{
    static const double places[TPE_KINDS][4] = {{0, 0.1, 0.25, 0.4999},
                                                {1e-4, 1e-3, 0.02, 0.1},
                                                {16, 40, 100, 500},
                                                {0.1, 0.4, 0.5, 0.9},
                                                {0, 1, 2, 2}};
    static const struct {
        uint64_t n;
        double gain[TPE_KINDS][4];
    } expected[] = {
        {10,
         {{1.671442252, -0.1030091777, -0.1172993165, -0.02149058093},
          {1.671441735, 0.1248419041, 0.03375787443, -0.0203611721},
          {2.308851581, 2.29539278, 0.09081279396, -0.927190327},
          {0.6842704792, 0.2425661447, 0.0737198914, -0.08641247161},
          {0.3364722366, -0.2231435513, -0.2231435513, -0.2231435513}}},
        {12,
         {{2.813099231, 1.020605036, -0.4198002515, -0.7963184189},
          {2.813101919, 0.2446581243, -1.162596056, -0.7946748125},
          {1.877397173, 2.533606857, 1.076100201, -1.643058894},
          {2.455442282, 0.08833233151, -0.3072205778, -1.154592262},
          {0.8472978604, -0.5389965007, -0.5389965007, -0.5389965007}}},
        {60,
         {{5.139681136, 0.7194800196, -1.940804144, -2.072741382},
          {5.139685528, -0.6192882882, -2.061571838, -2.066053401},
          {3.555172421, 4.514789423, 0.002385678652, -3.057791281},
          {2.847797456, -1.332325545, -2.032716125, -2.129299974},
          {1.039546374, -1.074165451, -0.9660588945, -0.9660588945}}},
    };

    (void) state;
    for (size_t e = 0; e < CS_COUNT(expected); e++) {
        struct search *s = make("tpe", tpe_params(), TPE_KINDS, 1);
        for (uint64_t i = 0; i < expected[e].n; i++) {
            observe(s, i, share(i + 1, 7), SEARCH_DONE);
            for (size_t p = 0; p < TPE_KINDS; p++) /* failed ones count for nothing */
                sweep_search_put(s, p, places[p][0]);
            sweep_search_tell(s, sweep_search_accept(s),
                              &(struct search_result){SEARCH_FAILED, -1, 0});
        }
        for (size_t p = 0; p < TPE_KINDS; p++)
            for (int k = 0; k < 4; k++) {
                const double gain = sweep_search_tpe_gain(s, p, places[p][k]);
                const double wanted = expected[e].gain[p][k];
                assert_true(fabs(gain - wanted) < 1e-8);
            }
        sweep_search_free(s);
    }
}

/* With one candidate a suggestion is a draw from the good points' density. */
static void test_tpe_draws(void **state)
{
    enum { DRAWS = 4000, CELLS = 2000 };
    const struct search_options options = {.seed = 4, .startup = 1, .candidates = 1};
    const struct search_param p = number("x", 0, 1, 0, false);
    struct search *s = sweep_search_create(sweep_search_method_find("tpe"), &p, 1, &options);
    static double density[CELLS], sum;
    int below[CELLS + 1] = {0}, total = 0;
    double cumulated = 0, distance = 0;

    (void) state;
    sweep_search_begin(s, 0);
    sweep_search_put(s, 0, 0.2);
    sweep_search_tell(s, sweep_search_accept(s), &(struct search_result){SEARCH_DONE, 1, 0});
    for (int i = 0; i < CELLS; i++) { /* the only result is good: g is the prior */
        const double x = (i + 0.5) / CELLS, prior = exp(-0.5 * (x - 0.5) * (x - 0.5));
        sum += density[i] = exp(sweep_search_tpe_gain(s, 0, x)) * prior;
    }
    for (uint32_t i = 1; i <= DRAWS; i++) {
        sweep_search_begin(s, i);
        s->rejected = 1;
        below[(int) (sweep_search_suggest(s, 0) * CELLS)]++;
    }
    for (int i = 0; i < CELLS; i++) {
        cumulated += density[i] / sum;
        total += below[i];
        distance = fmax(distance, fabs(cumulated - (double) total / DRAWS));
    }
    assert_true(distance * sqrt(DRAWS) < 1.63); /* Kolmogorov and Smirnov, 1 % */
    sweep_search_free(s);
}

/* Pruned points come after complete ones, the farthest first; those that wait are not good. */
static void test_tpe_ranks(void **state)
{
    static const struct {
        double x;
        struct search_result result;
    } points[] = {
        {0.1, {SEARCH_PRUNED, 5, 3}},    {0.3, {SEARCH_PRUNED, 9, 4}},
        {0.5, {SEARCH_DONE, 100, 0}},    {0.7, {SEARCH_PRUNED, -9, 2}},
        {0.8, {SEARCH_FAILED, -100, 0}}, {0.9, {SEARCH_PENDING, 0, 0}},
    };
    const struct search_options options = {.seed = 4, .startup = 1, .candidates = 24};
    const struct search_param p = choice("x", 10);

    (void) state;
    /* Without the points before `from` the good one is the next in rank. */
    static const size_t ranks[] = {2, 1, 0, 3};
    for (size_t from = 0; from < CS_COUNT(ranks); from++) {
        struct search *s = sweep_search_create(sweep_search_method_find("tpe"), &p, 1, &options);
        for (size_t i = 0; i < CS_COUNT(points); i++) {
            bool gone = false;
            for (size_t r = 0; r < from; r++)
                gone = gone || ranks[r] == i;
            if (gone)
                continue;
            sweep_search_begin(s, 0);
            sweep_search_put(s, 0, floor(points[i].x * 10 + 0.5));
            sweep_search_tell(s, sweep_search_accept(s), &points[i].result);
        }
        double best = -INFINITY;
        int at = -1;
        for (int c = 0; c < 10; c++)
            if (sweep_search_tpe_gain(s, 0, c) > best) {
                best = sweep_search_tpe_gain(s, 0, c);
                at = c;
            }
        assert_int_equal(at, (int) (points[ranks[from]].x * 10 + 0.5));
        assert_true(sweep_search_tpe_gain(s, 0, 9) <
                    sweep_search_tpe_gain(s, 0, 8)); /* waits; failed */
        sweep_search_free(s);
    }
}

/* The search finds the bowl's bottom, better than random draws do. */
static void test_tpe_searches(void **state)
{
    const struct search_param params[] = {number("x", -5, 5, 0, false),
                                          number("y", -5, 5, 0, false)};
    int wins = 0;

    (void) state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        double best[2] = {INFINITY, INFINITY};
        for (int m = 0; m < 2; m++) {
            struct search *s = make(m ? "tpe" : "random", params, 2, seed);
            for (uint32_t i = 0; i < 80; i++) {
                sweep_search_begin(s, i);
                const double x = sweep_search_suggest(s, 0) - 1, y = sweep_search_suggest(s, 1) + 2;
                const struct search_result result = {SEARCH_DONE, x * x + y * y, 0};
                sweep_search_tell(s, sweep_search_accept(s), &result);
                best[m] = fmin(best[m], result.value);
            }
            sweep_search_free(s);
        }
        wins += best[1] < best[0];
    }
    assert_true(wins >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),       cmocka_unit_test(test_philox),
        cmocka_unit_test(test_methods),        cmocka_unit_test(test_random_names),
        cmocka_unit_test(test_values),         cmocka_unit_test(test_sobol_points),
        cmocka_unit_test(test_scrambled_nets), cmocka_unit_test(test_scramble_is_nested),
        cmocka_unit_test(test_tpe_densities),  cmocka_unit_test(test_tpe_draws),
        cmocka_unit_test(test_tpe_ranks),      cmocka_unit_test(test_tpe_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
