/*
 * The activations: every instance against ref to the bit, values against double formulas, slopes against finite
 * differences of the values in double.
 */
#include "kernels/math/elementary.h"
#include "tests/unit/kern_help.h"

enum { ROWS = 5, COLS = 37 };

static double value_in_double(const char *name, double x, const double *a)
{
    const double k = sqrt(2 / 3.14159265358979323846);

    if (strcmp(name, "gelu") == 0)
        return x / 2 * (1 + erf(x / sqrt(2)));
    if (strcmp(name, "gelu_tanh") == 0)
        return x / 2 * (1 + tanh(k * (x + 0.044715 * x * x * x)));
    if (strcmp(name, "tanh") == 0)
        return tanh(x);
    if (strcmp(name, "sigmoid") == 0)
        return 1 / (1 + exp(-x));
    if (strcmp(name, "leaky_relu") == 0)
        return x > 0 ? x : a[0] * x;
    if (strcmp(name, "elu") == 0)
        return x > 0 ? x : a[0] * expm1(x);
    if (strcmp(name, "silu") == 0)
        return x / (1 + exp(-x));
    if (strcmp(name, "softplus") == 0)
        return a[0] * x > a[1] ? x : log1p(exp(a[0] * x)) / a[0];
    fail_msg("%s: no formula in double here", name);
    return 0;
}

static struct kern_activate make(const struct kern_activation *kind, float *memory,
                                 const float *args)
{
    const size_t size = ROWS * kern_pad(COLS);

    return (struct kern_activate){
        .kind = kind,
        .trials = 2,
        .rows = ROWS,
        .cols = COLS,
        .x = memory,
        .y = memory + 2 * size,
        .dy = memory + 4 * size,
        .x_stride = size,
        .y_stride = size,
        .dy_stride = size,
        .args = args,
    };
}

static void test_activate__every_instance_as_ref(void **state)
{
    const size_t size = ROWS * kern_pad(COLS), all = 6 * size;
    float *a = cs_alloc_aligned(all, sizeof *a), *b = cs_alloc_aligned(all, sizeof *b);
    const float args[] = {0.3f, 4, 1.5f, 20};
    uint32_t random = 3;

    (void) state;
    for (const struct kern_activation *const *k = kern_activations(); *k; k++)
        for (const struct kern_ops *const *ops = kern_cpu_instances(); *ops; ops++)
            for (int grad = 0; grad < 2; grad++) {
                for (size_t i = 0; i < all; i++)
                    a[i] = b[i] = ldexpf((float) test_random(&random) / 0x1p31f - 1,
                                         (int) (test_random(&random) % 12) - 4);
                const struct kern_activate of_a = make(*k, a, args), of_b = make(*k, b, args);
                (grad ? kern_ref.activate_grad : kern_ref.activate)(&of_a);
                (grad ? (*ops)->activate_grad : (*ops)->activate)(&of_b);
                if (memcmp(a, b, all * sizeof *a) != 0)
                    fail_msg("%s: %s%s differs from ref", (*ops)->instance, (*k)->name,
                             grad ? " gradient" : "");
                for (size_t r = 0; r < ROWS; r++)
                    for (size_t c = COLS; c < kern_pad(COLS); c++)
                        assert_int_equal(kern_bits(b[2 * size + kern_at(ROWS, r, c)]), 0);
            }
    free(a);
    free(b);
}

static void test_activate__values_and_slopes(void **state)
{
    const size_t size = ROWS * kern_pad(COLS);
    float *m = cs_alloc_aligned(6 * size, sizeof *m);

    (void) state;
    for (const struct kern_activation *const *k = kern_activations(); *k; k++) {
        const double own[2] = {(*k)->args > 0 ? (*k)->defaults[0] * 1.5 : 0, (*k)->defaults[1]};
        const float args[] = {(float) own[0], (float) own[1], (float) own[0], (float) own[1]};
        const struct kern_activate f = make(*k, m, args);
        for (size_t i = 0; i < size; i++) {
            m[i] = (float) i / 11 - 9.37f; /* never at a kink */
            m[4 * size + i] = 1;
        }
        kern_ref.activate(&f);
        for (size_t c = 0; c < COLS; c++)
            for (size_t r = 0; r < ROWS; r++) {
                const size_t at = kern_at(ROWS, r, c);
                const double y = value_in_double((*k)->name, (double) m[at], own);
                if (fabs((double) f.y[at] - y) > 1e-6 * fmax(fabs(y), 0.5))
                    fail_msg("%s(%g) = %.9g, not %.9g", (*k)->name, (double) m[at],
                             (double) f.y[at], y);
            }
        struct kern_activate g = f;
        float *dx = cs_alloc_aligned(2 * size, sizeof *dx);
        g.x = (*k)->from_output ? f.y : f.x;
        g.y = dx;
        kern_ref.activate_grad(&g);
        for (size_t c = 0; c < COLS; c++)
            for (size_t r = 0; r < ROWS; r++) {
                const size_t at = kern_at(ROWS, r, c);
                const double x = (double) m[at], h = 1e-5;
                const double slope = (value_in_double((*k)->name, x + h, own) -
                                      value_in_double((*k)->name, x - h, own)) /
                                     (2 * h);
                if (fabs((double) dx[at] - slope) > 2e-6)
                    fail_msg("slope of %s at %g = %.9g, not %.9g", (*k)->name, x, (double) dx[at],
                             slope);
            }
        free(dx);
    }
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activate__every_instance_as_ref),
        cmocka_unit_test(test_activate__values_and_slopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
