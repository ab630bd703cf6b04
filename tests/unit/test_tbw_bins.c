/* Counting into bins, against the rules taken literally, one value and one edge at a time. */
#include <float.h>
#include <math.h>

#include "tbwriter/tbw_bins.h"
#include "tests/unit/test_tbw_util.h"

enum { VALUES = 5000 };

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Sizes from 1e-14 to 1e22 of both signs, zeros, the least and the largest float. */
static void fill_wide(float *values, size_t count)
{
    const float special[] = {0, -0.0f, FLT_MAX, -FLT_MAX, FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MIN, 1};
    uint32_t state = 1;

    for (size_t i = 0; i < count; i++) {
        const double size = pow(10, draw(&state) / 16777216.0 * 36 - 14);
        values[i] = (float) (draw(&state) % 2 ? size : -size);
        if (i < CS_COUNT(special))
            values[i] = special[i];
    }
}

/* The floats at every edge and the two beside it. */
static void fill_borders(float *values, const double *edges)
{
    for (size_t k = 0; k < TBW_EDGES; k++) {
        const float at = (float) edges[k];
        values[6 * k] = at;
        values[6 * k + 1] = nextafterf(at, 0);
        values[6 * k + 2] = nextafterf(at, INFINITY);
        for (size_t i = 0; i < 3; i++)
            values[6 * k + 3 + i] = -values[6 * k + i];
    }
}

static void check_edges(const float *values, size_t count, bool all_finite)
{
    struct tbw_counts got, wanted = {0};
    const double *edges = tbw_edges();

    tbw_count_edges(&got, values, count, all_finite);
    for (size_t i = 0; i < count; i++) {
        const double x = (double) values[i];
        size_t k = 0;
        if (!isfinite(x))
            continue;
        while (k < TBW_EDGES && fabs(x) >= edges[k])
            k++;
        wanted.row[x < 0][k]++;
        wanted.sum += x;
        wanted.sum_squares += x * x;
    }
    assert_memory_equal(got.row, wanted.row, sizeof got.row);
    assert_true(fabs(got.sum - wanted.sum) <= 1e-12 * sqrt(wanted.sum_squares * (double) count));
    assert_true(fabs(got.sum_squares - wanted.sum_squares) <= 1e-12 * wanted.sum_squares);
}

static void test_edges__none_is_a_float(void **state)
{
    const double *edges = tbw_edges();
    double edge = 1e-12;
    size_t count = 0;

    (void) state;
    for (; edge < 1e20; edge *= 1.1, count++) {
        assert_true(edges[count] == edge);
        assert_true((double) (float) edge != edge);
    }
    assert_int_equal(count, TBW_EDGES);
}

static void test_edges__as_the_rule_says(void **state)
{
    float *values = cs_xcalloc(VALUES, sizeof *values);

    (void) state;
    fill_wide(values, VALUES);
    for (size_t count = 0; count < 40; count++)
        check_edges(values + count, count, count % 2);
    check_edges(values, VALUES, true);
    values[100] = NAN;
    values[2000] = INFINITY;
    values[VALUES - 1] = -INFINITY;
    check_edges(values, VALUES, false);
    fill_borders(values, tbw_edges());
    check_edges(values, 6 * TBW_EDGES, true);
    free(values);
}

static void check_equal(const float *values, size_t count, int bins)
{
    uint64_t got[100] = {0}, wanted[100] = {0};
    struct tbw_range range;
    double min = INFINITY, max = -INFINITY;
    size_t finite = 0;

    tbw_range_of(&range, values, count);
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i])) {
            min = fmin(min, (double) values[i]);
            max = fmax(max, (double) values[i]);
            finite++;
        }
    }
    assert_int_equal(range.finite, finite);
    assert_true(range.min == (finite ? min : 0) && range.max == (finite ? max : 0));
    if (!(range.min < range.max))
        return;
    const double width = (max - min) / bins;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i])) {
            const int at = (int) floor(((double) values[i] - min) / width);
            wanted[at < bins ? at : bins - 1]++;
        }
    }
    tbw_count_equal(got, bins, values, count, &range);
    assert_memory_equal(got, wanted, sizeof got);
}

static void test_equal__as_the_rule_says(void **state)
{
    float *values = cs_xcalloc(VALUES, sizeof *values);
    uint32_t seed = 7;

    (void) state;
    for (size_t i = 0; i < VALUES; i++)
        values[i] = (float) draw(&seed) / 16777216.0f * 3 - 1;
    for (size_t count = 0; count < 40; count++)
        check_equal(values + count, count, 30);
    for (int bins = 1; bins <= 100; bins += 9)
        check_equal(values, VALUES, bins);
    for (size_t i = 0; i < VALUES; i++)
        values[i] = (float) (draw(&seed) % 31) - 10; /* on the ends of bins */
    check_equal(values, VALUES, 30);
    for (size_t i = 0; i < VALUES; i++)
        values[i] = (float) (draw(&seed) % 31) * 0.1f;
    check_equal(values, VALUES, 30);
    check_equal(values, VALUES, 7);
    values[0] = -INFINITY;
    values[1200] = NAN;
    values[VALUES - 1] = INFINITY;
    check_equal(values, VALUES, 30);
    fill_wide(values, VALUES);
    check_equal(values, VALUES, 30);
    for (size_t i = 0; i < VALUES; i++)
        values[i] = (float) (i % 3) * FLT_TRUE_MIN;
    check_equal(values, VALUES, 30);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges__none_is_a_float),
        cmocka_unit_test(test_edges__as_the_rule_says),
        cmocka_unit_test(test_equal__as_the_rule_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
