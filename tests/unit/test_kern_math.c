/*
 * Philox against the known answers of its authors' test file; exp and log against double over their whole range;
 * the corners of both; the tie of the vector code to the scalar one is in test_kern_ops.
 */
#include <stdlib.h>

#include "kernels/math/elementary.h"
#include "kernels/math/philox.h"
#include "tests/unit/kern_help.h"

static void test_philox__known_answers(void **state)
{
    static const struct {
        uint64_t key;
        uint32_t counter[4], want[4];
    } rows[] = {
        {0, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {0xffffffffffffffffu,
         {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822u,
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        const uint32_t *c = rows[i].counter;
        const struct kern_philox r = kern_philox(rows[i].key, c[0], c[1], c[2], c[3]);
        assert_memory_equal(r.v, rows[i].want, sizeof r.v);
    }
}

static void test_philox__uniform_and_threshold(void **state)
{
    (void) state;
    assert_true(kern_uniform(0) == 0.0f);
    assert_true(kern_uniform(0xffffffffu) == 1.0f - 0x1p-24f);
    assert_int_equal(kern_dropout_threshold(0), 0);
    assert_int_equal(kern_dropout_threshold(0.5), 1 << 23);
    assert_int_equal(kern_dropout_threshold(0.1), 1677722); /* 1677721.6 */
}

/* Distance in units of the last place of a float near `exact`; denormals count 2^-149. */
static double ulps(float x, double exact)
{
    int exponent;

    (void) frexp(exact, &exponent);
    return fabs((double) x - exact) / ldexp(1, exponent < -125 ? -149 : exponent - 24);
}

/* Every 1009th float (a prime, so that no low bits repeat); in a long run all of them, sanitized every 7th. */
static uint32_t stride(void)
{
#ifdef __SANITIZE_ADDRESS__
    return getenv("CSWEEP_LONG") ? 7 : 1009;
#else
    return getenv("CSWEEP_LONG") ? 1 : 1009;
#endif
}

static void test_exp__accuracy(void **state)
{
    const uint32_t every = stride();
    double worst = 0;

    (void) state;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += every) {
        const float x = kern_float((uint32_t) bits);
        const double exact = exp((double) x);
        if (isnan(x) || exact > (double) 0x1.fffffep127f)
            continue;
        worst = fmax(worst, ulps(kern_exp(x), exact));
    }
    print_message("exp: %.3f ulp\n", worst);
    assert_true(worst < 1.01);
}

static void test_exp_below__as_exp(void **state)
{
    const uint32_t every = stride();

    (void) state;
    for (uint64_t bits = 0x80000000u; bits <= 0xff800000u; bits += every) { /* -0 ... -inf */
        const float x = kern_float((uint32_t) bits);
        assert_int_equal(kern_bits(kern_exp_below(x)), kern_bits(kern_exp(x)));
    }
    for (int i = 0; i <= 11000; i++)
        assert_int_equal(kern_bits(kern_exp_below((float) i * -0.01f)),
                         kern_bits(kern_exp((float) i * -0.01f)));
    assert_true(isnan(kern_exp_below(NAN)));
}

static void test_log__accuracy(void **state)
{
    const uint32_t every = stride();
    double worst = 0;

    (void) state;
    for (uint32_t bits = 1; bits < 0x7f800000u; bits += every)
        worst = fmax(worst, ulps(kern_log(kern_float(bits)), log((double) kern_float(bits))));
    print_message("log: %.3f ulp\n", worst);
    assert_true(worst < 0.9);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* The functions made of exp and log, over their domains. */
static void test_derived__accuracy(void **state)
{
    static const struct {
        const char *name;
        float (*ours)(float x);
        double (*exact)(double x);
        float low, high;
        double bound;
    } rows[] = {
        {"expm1", kern_expm1, expm1, -INFINITY, 88, 1.6},
        {"log1p", kern_log1p, log1p, 0, INFINITY, 1.5},
        {"sigmoid", kern_sigmoid, sigmoid, -87, INFINITY, 2.5},
        {"tanh", kern_tanh, tanh, -INFINITY, INFINITY, 2.7},
        {"erf", kern_erf, erf, -INFINITY, INFINITY, 1.4},
    };
    const uint32_t every = stride();

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        double worst = 0;
        float at = 0;
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += every) {
            const float x = kern_float((uint32_t) bits);
            if (!(x >= rows[i].low && x <= rows[i].high))
                continue;
            const double exact = rows[i].exact((double) x);
            const double off =
                isinf(exact) ? (double) !isinf(rows[i].ours(x)) * 9 : ulps(rows[i].ours(x), exact);
            at = off > worst ? x : at;
            worst = fmax(worst, off);
        }
        print_message("%s: %.3f ulp, at %a\n", rows[i].name, worst, (double) at);
        assert_true(worst < rows[i].bound);
    }
}

static void test_derived__corners(void **state)
{
    (void) state;
    assert_int_equal(kern_bits(kern_tanh(-0.0f)), 0x80000000u);
    assert_int_equal(kern_bits(kern_erf(-0.0f)), 0x80000000u);
    assert_true(kern_tanh(9.2f) == 1.0f && kern_tanh(-INFINITY) == -1.0f);
    assert_true(kern_erf(4.0f) == 1.0f && kern_erf(-INFINITY) == -1.0f);
    assert_true(kern_expm1(-INFINITY) == -1.0f && kern_expm1(89.0f) == INFINITY);
    assert_true(kern_log1p(0.0f) == 0.0f && kern_log1p(INFINITY) == INFINITY);
    assert_true(kern_sigmoid(0.0f) == 0.5f && kern_sigmoid(100.0f) == 1.0f);
    assert_true(kern_sigmoid(-100.0f) == 0.0f);
    assert_true(isnan(kern_tanh(NAN)) && isnan(kern_erf(NAN)) && isnan(kern_expm1(NAN)));
    assert_true(isnan(kern_log1p(NAN)) && isnan(kern_sigmoid(NAN)));
}

/* log near 1, where it goes through 0. */
static void test_log__near_one(void **state)
{
    (void) state;
    for (uint32_t bits = 0x3f7ff000u; bits < 0x3f801000u; bits++)
        assert_true(ulps(kern_log(kern_float(bits)), log((double) kern_float(bits))) < 0.9);
    assert_true(kern_log(1.0f) == 0.0f && !signbit(kern_log(1.0f)));
}

static void test_exp__corners(void **state)
{
    (void) state;
    assert_true(kern_exp(0.0f) == 1.0f);
    assert_true(kern_exp(-0.0f) == 1.0f);
    assert_true(kern_exp(INFINITY) == INFINITY);
    assert_true(kern_exp(88.73f) == INFINITY);
    assert_true(kern_exp(88.72f) < INFINITY);
    assert_true(isnan(kern_exp(NAN)));
    assert_int_equal(kern_bits(kern_exp(-INFINITY)), 0);
    assert_int_equal(kern_bits(kern_exp(-1e30f)), 0);
    assert_int_equal(kern_bits(kern_exp(-104.0f)), 0);
    assert_int_equal(kern_bits(kern_exp(-103.9f)), 1); /* the smallest denormal */
}

static void test_log__corners(void **state)
{
    (void) state;
    assert_true(kern_log(0.0f) == -INFINITY);
    assert_true(kern_log(-0.0f) == -INFINITY);
    assert_true(kern_log(INFINITY) == INFINITY);
    assert_true(isnan(kern_log(-1.0f)));
    assert_true(isnan(kern_log(-INFINITY)));
    assert_true(isnan(kern_log(NAN)));
}

static void test_flush__bounds(void **state)
{
    (void) state;
    assert_true(kern_flush(0x1p-126f) == 0x1p-126f);
    assert_true(kern_flush(-0x1p-126f) == -0x1p-126f);
    assert_int_equal(kern_bits(kern_flush(-0x1.fffffcp-127f)), 0);
    assert_int_equal(kern_bits(kern_flush(-0.0f)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox__known_answers),
        cmocka_unit_test(test_philox__uniform_and_threshold),
        cmocka_unit_test(test_exp__accuracy),
        cmocka_unit_test(test_exp_below__as_exp),
        cmocka_unit_test(test_log__accuracy),
        cmocka_unit_test(test_derived__accuracy),
        cmocka_unit_test(test_derived__corners),
        cmocka_unit_test(test_log__near_one),
        cmocka_unit_test(test_exp__corners),
        cmocka_unit_test(test_log__corners),
        cmocka_unit_test(test_flush__bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
