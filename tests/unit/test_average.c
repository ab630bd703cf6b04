/*
 * test_average.c - lookahead, EMA and SWA: against plain trainings whose weights the test averages by itself, to the
 * bit and in double; in company of trials without; what is evaluated; what is refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/average.h"
#include "trainer/bundle.h"
#include "trainer/model.h"

enum { EPOCHS = 3, STEPS = 7, MOST = 6 };

static int try_spec(struct train_spec **out, const char *const *pairs, struct cs_error *err)
{
    struct train_setting settings[16] = {
        {"dataset", "random 101x7 classes=3", 0},
        {"batch_size", "16", 0},
        {"layers", "linear 17 > batchnorm > relu > dropout 0.2 > linear 3", 0},
        {"optimizer", "adam", 0},
        {"lr", "0.01", 0},
        {"epochs", "3", 0},
    };
    size_t n = 6;

    for (; *pairs; pairs += 2)
        settings[n++] = (struct train_setting){pairs[0], pairs[1], 0};
    return train_spec_create(out, settings, n, 5, err);
}

static struct train_spec *make_spec(const char *const *pairs)
{
    struct train_spec *spec = NULL;
    struct cs_error err;

    if (try_spec(&spec, pairs, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

static train_bundle *make_bundle(struct train_spec *const *specs, int count,
                                 const struct train_data *data, const char *backend, int group)
{
    const struct kern_ops *ops;
    train_bundle *b;

    assert_int_equal(kern_backend_find(&ops, backend, NULL), 0);
    assert_int_equal(train_bundle_create(&b, ops, specs, count, data, group, NULL), 0);
    for (int k = 0; k < count; k++)
        train_bundle_init(b, k);
    return b;
}

/* What the test keeps beside a plain training. */
struct mirror {
    const struct train_spec *spec;
    size_t floats;
    float *slow, *average;
    double *exact; /* the average in double */
    bool begun;
};

static struct mirror make_mirror(const struct train_spec *spec, const float *w)
{
    struct mirror m = {.spec = spec, .floats = spec->model->floats};

    m.slow = cs_xcalloc(m.floats, sizeof *m.slow);
    m.average = cs_xcalloc(m.floats, sizeof *m.average);
    m.exact = cs_xcalloc(m.floats, sizeof *m.exact);
    memcpy(m.slow, w, m.floats * sizeof *w);
    return m;
}

static void free_mirror(struct mirror *m)
{
    free(m->slow);
    free(m->average);
    free(m->exact);
}

static void mix(struct mirror *m, const float *w, double t)
{
    for (int k = 0; k < m->spec->model->segment_count; k++) {
        const struct train_segment *s = &m->spec->model->segments[k];
        const bool copied = !m->begun || s->counter;
        for (size_t i = s->offset; i < s->offset + s->count; i++) {
            m->average[i] = copied ? w[i] : fmaf((float) t, w[i] - m->average[i], m->average[i]);
            m->exact[i] = copied ? (double) w[i] : (1 - t) * m->exact[i] + t * (double) w[i];
        }
    }
    m->begun = true;
}

/* The trained segments; statistics are those of the trained weights. */
static void look(struct mirror *m, float *w, bool due)
{
    for (int k = 0; k < m->spec->model->segment_count; k++) {
        const struct train_segment *s = &m->spec->model->segments[k];
        for (size_t i = s->offset; i < s->offset + s->count; i++) {
            if (s->buffer)
                m->slow[i] = w[i];
            else if (due)
                w[i] = m->slow[i] =
                    fmaf((float) m->spec->lookahead_alpha, w[i] - m->slow[i], m->slow[i]);
        }
    }
}

/* The plain training is n optimizer steps and, where epoch > 0, so many epochs old. */
static void follow(struct mirror *m, float *w, int n, int epoch)
{
    if (m->spec->lookahead > 0)
        look(m, w, n % m->spec->lookahead == 0);
    if (m->spec->ema > 0)
        mix(m, w, 1 - m->spec->ema);
    if (m->spec->swa_start > 0 && epoch >= m->spec->swa_start)
        mix(m, w, 1.0 / (epoch - m->spec->swa_start + 1));
}

static void assert_follows(const struct mirror *m, train_bundle *b, int k, const float *w)
{
    const size_t bytes = m->floats * sizeof *w;

    assert_memory_equal(train_bundle_weights(b, k), w, bytes);
    if (m->spec->lookahead > 0)
        assert_memory_equal(train_bundle_slot(b, k, TRAIN_SLOW), m->slow, bytes);
    if (!train_spec_has_state(m->spec, TRAIN_AVERAGE))
        return;
    const float *is = train_bundle_slot(b, k, TRAIN_AVERAGE);
    assert_memory_equal(is, m->average, bytes);
    for (size_t i = 0; i < m->floats; i++)
        assert_true(fabs((double) is[i] - m->exact[i]) < 1e-6);
}

/* A plain training whose weights are those that count has the same validation sums. */
static void assert_evaluates(const struct mirror *m, const struct train_sums *is,
                             struct train_spec *plain, const float *w,
                             const struct train_data *data)
{
    train_bundle *b = make_bundle(&plain, 1, data, "cpu", 1);
    const int epoch = EPOCHS, state = train_spec_evaluated(m->spec, epoch, 0);
    const float *from = state == TRAIN_AVERAGE ? m->average : state == TRAIN_SLOW ? m->slow : w;
    struct train_sums want;

    memcpy(train_bundle_weights(b, 0), from, m->floats * sizeof *w);
    train_bundle_evaluate(b, &want);
    assert_memory_equal(is, &want, sizeof want);
    train_bundle_free(b);
}

static const char *const ways[MOST][12] = {
    {"lookahead", "5"},
    {"ema", "0.9"},
    {NULL}, /* plain */
    {"swa_start", "2"},
    {"lookahead", "3", "lookahead_alpha", "0.8", "ema", "0.99"},
    {"lookahead", "2", "swa_start", "1", "accumulate", "3"},
};

static struct train_spec *way(int i)
{
    return make_spec(ways[i]);
}

/* The plain training that trial i is to be compared with: accumulation is its own affair. */
static struct train_spec *plain_of(int i)
{
    static const char *const none[] = {NULL}, *const three[] = {"accumulate", "3", NULL};
    return make_spec(i == 5 ? three : none);
}

/* Trials ways[0 ... MOST) together; each must be as its mirror. */
static void check_together(const char *backend, int group)
{
    struct train_spec *specs[MOST], *plain[MOST];
    train_bundle *b, *alone[MOST];
    struct mirror mirror[MOST];
    struct train_data *data;
    struct train_sums sums[MOST];
    double norm[MOST] = {0}, other;

    for (int i = 0; i < MOST; i++) {
        specs[i] = way(i);
        plain[i] = plain_of(i);
        assert_string_equal(specs[i]->shape_key, specs[0]->shape_key);
    }
    assert_int_equal(train_data_load(&data, specs[0], NULL), 0);
    b = make_bundle(specs, MOST, data, backend, group);
    for (int i = 0; i < MOST; i++) {
        alone[i] = make_bundle(&plain[i], 1, data, "cpu", 0);
        mirror[i] = make_mirror(specs[i], train_bundle_weights(alone[i], 0));
    }
    for (int step = 1; step <= EPOCHS * STEPS; step++) {
        const bool last = step % STEPS == 0;
        train_bundle_train_step(b, norm);
        for (int i = 0; i < MOST; i++) {
            const int in_epoch = (step - 1) % STEPS + 1, every = specs[i]->accumulate;
            float *w = train_bundle_weights(alone[i], 0);
            train_bundle_train_step(alone[i], &other);
            if (last || in_epoch % every == 0)
                follow(&mirror[i], w,
                       (step - 1) / STEPS * ((STEPS + every - 1) / every) +
                           (in_epoch + every - 1) / every,
                       last ? step / STEPS : 0);
            assert_follows(&mirror[i], b, i, w);
        }
    }
    train_bundle_evaluate(b, sums);
    for (int i = 0; i < MOST; i++)
        assert_evaluates(&mirror[i], &sums[i], plain[i], train_bundle_weights(alone[i], 0), data);
    assert_memory_not_equal(&sums[0], &sums[2], sizeof sums[0]);
    assert_memory_not_equal(&sums[1], &sums[2], sizeof sums[0]);
    assert_memory_not_equal(&sums[3], &sums[2], sizeof sums[0]);
    train_bundle_remove(b, 1); /* the last one takes its place, with all it has */
    assert_follows(&mirror[MOST - 1], b, 1, train_bundle_weights(alone[MOST - 1], 0));
    train_bundle_free(b);
    for (int i = 0; i < MOST; i++) {
        train_bundle_free(alone[i]);
        free_mirror(&mirror[i]);
        train_spec_free(specs[i]);
        train_spec_free(plain[i]);
    }
    train_data_free(data);
}

static void test_average__as_by_hand_alone_and_together(void **state)
{
    (void) state;
    check_together("ref", 1);
    check_together("cpu", 1);
    check_together("cpu", 2);
    check_together("cpu", MOST);
    check_together("cpu", 0);
}

static void test_average__what_counts_when(void **state)
{
    static const struct {
        const char *pairs[8];
        int epoch, step, want;
    } table[] = {
        {{NULL}, 3, 0, TRAIN_WEIGHTS},
        {{"lookahead", "5"}, 0, 0, TRAIN_SLOW},
        {{"ema", "0.9"}, 0, 0, TRAIN_WEIGHTS},
        {{"ema", "0.9"}, 0, 1, TRAIN_AVERAGE},
        {{"ema", "0.9", "accumulate", "4"}, 0, 3, TRAIN_WEIGHTS},
        {{"ema", "0.9", "accumulate", "4"}, 0, 4, TRAIN_AVERAGE},
        {{"ema", "0.9", "accumulate", "40"}, 1, 0, TRAIN_AVERAGE},
        {{"swa_start", "2"}, 1, 6, TRAIN_WEIGHTS},
        {{"swa_start", "2"}, 2, 0, TRAIN_AVERAGE},
        {{"swa_start", "2", "lookahead", "5"}, 1, 0, TRAIN_SLOW},
        {{"swa_start", "2", "lookahead", "5"}, 2, 1, TRAIN_AVERAGE},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(table); i++) {
        struct train_spec *spec = make_spec(table[i].pairs);
        assert_int_equal(train_spec_evaluated(spec, table[i].epoch, table[i].step), table[i].want);
        train_spec_free(spec);
    }
}

static void test_average__refused_in_one_line(void **state)
{
    static const struct {
        const char *pairs[8];
        const char *want;
    } table[] = {
        {{"ema", "0.9", "swa_start", "2"},
         "swa_start = 2: ema = 0.9 averages the weights already; expected one of them"},
        {{"ema", "1"}, "ema = 1: must be a decay below 1, such as 0.999; 0: off"},
        {{"swa_start", "4"}, "swa_start = 4: expected at most epochs = 3"},
        {{"lookahead_alpha", "0.8"},
         "lookahead_alpha = 0.8: does nothing with lookahead = 0; expected lookahead = K"},
        {{"lookahead", "5", "lookahead_alpha", "0"},
         "lookahead_alpha = 0: must be above 0, at most 1"},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(table); i++) {
        struct train_spec *spec = NULL;
        struct cs_error err;
        assert_true(try_spec(&spec, table[i].pairs, &err) < 0);
        assert_string_equal(err.detail, table[i].want);
    }
}

/* Off, written out or not, is what a trial without averages was before there were any. */
static void test_average__off_is_no_setting(void **state)
{
    static const char *const none[] = {NULL}, *const off[] = {"ema",       "0", "swa_start", "0",
                                                              "lookahead", "0", NULL};
    struct train_spec *a = make_spec(none), *b = make_spec(off);

    (void) state;
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->id, "8a59eb4d0d95fd300bade8e62300c1f2e9ef4c44");
    train_spec_free(a);
    train_spec_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_average__as_by_hand_alone_and_together),
        cmocka_unit_test(test_average__what_counts_when),
        cmocka_unit_test(test_average__refused_in_one_line),
        cmocka_unit_test(test_average__off_is_no_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
