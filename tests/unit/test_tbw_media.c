/* The larger summaries: what comes back, what is refused, writers that threads share. */
#include <math.h>
#include <pthread.h>

#include "tbwriter/tbw.h"
#include "tests/unit/test_tbw_util.h"

struct fixture {
    char dir[SCRATCH_MAX];
    char *path;
    tbw_writer *w;
};

static int setup(void **state)
{
    struct fixture *f = cs_xcalloc(1, sizeof *f);

    scratch_make(f->dir);
    assert_int_equal(tbw_writer_open(&f->w, f->dir, NULL, NULL), 0);
    f->path = cs_xstrdup(tbw_writer_path(f->w));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tbw_writer_close(f->w, NULL), 0);
    scratch_remove(f->dir);
    free(f->path);
    free(f);
    return 0;
}

/* Behind the first two records. */
static tbw_reader *begin(struct fixture *f)
{
    struct tbw_event event;
    tbw_reader *r = NULL;

    assert_int_equal(tbw_writer_flush(f->w, NULL), 0);
    assert_int_equal(tbw_reader_open(&r, f->path, NULL), 0);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    return r;
}

static void expect_nothing(struct fixture *f)
{
    struct tbw_event event;
    tbw_reader *r = begin(f);

    assert_int_equal(tbw_reader_next(&event, r, NULL), 0);
    tbw_reader_close(r);
}

static void test_histogram__comes_back(void **state)
{
    const float values[] = {0, 1, 2, 3, NAN, 4, 10, INFINITY};
    const double rows[] = {0, 2, 2, 2, 4, 2, 4, 6, 1, 6, 8, 0, 8, 10, 1};
    const struct tbw_histogram h = {values, CS_COUNT(values), TBW_BINS_EQUAL, 5, "d"};
    struct fixture *f = *state;
    struct tbw_event event;
    size_t left_out = 0;

    assert_int_equal(tbw_writer_histogram(f->w, "h", 3, &h, &left_out, NULL), 0);
    assert_int_equal(left_out, 2);
    tbw_reader *r = begin(f);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(event.points[0].kind, TBW_POINT_HISTOGRAM);
    assert_string_equal(event.points[0].description, "d");
    assert_int_equal(event.points[0].tensor->number_count, 15);
    assert_memory_equal(event.points[0].tensor->numbers, rows, sizeof rows);
    tbw_reader_close(r);
}

/* No value, one value, all equal: readers get rows all the same. */
static void test_histogram__of_next_to_nothing(void **state)
{
    static const float values[] = {7, 7, 7};
    struct fixture *f = *state;

    for (size_t count = 0; count <= 3; count++) {
        for (int rule = 0; rule < 3; rule++) {
            const struct tbw_histogram h = {
                .values = values, .count = count, .rule = (enum tbw_bins) rule};
            const char tag[] = {(char) ('a' + rule), '\0'};
            assert_int_equal(tbw_writer_histogram(f->w, tag, (int64_t) count, &h, NULL, NULL), 0);
        }
    }
    tbw_reader *r = begin(f);
    for (int i = 0; i < 12; i++) {
        struct tbw_event event;
        double sum = 0;
        assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
        assert_int_equal(event.points[0].kind, TBW_POINT_HISTOGRAM);
        const struct tbw_tensor *t = event.points[0].tensor;
        for (size_t k = 2; k < t->number_count; k += 3)
            sum += t->numbers[k];
        assert_true(sum == i / 3);
    }
    tbw_reader_close(r);
}

static void test_histogram__refused(void **state)
{
    const float value = 1;
    const struct tbw_histogram rows[] = {{&value, 1, TBW_BINS_EQUAL, -1, NULL},
                                         {&value, 1, TBW_BINS_EQUAL, 1001, NULL},
                                         {&value, 1, TBW_BINS_TORCH, 0, "d"},
                                         {&value, 1, (enum tbw_bins) 7, 0, NULL}};
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(rows); i++)
        assert_int_equal(tbw_writer_histogram(f->w, "h", 0, &rows[i], NULL, NULL), CS_ERANGE);
    expect_nothing(f);
}

static void test_images__refused(void **state)
{
    static const uint8_t pixels[16];
    const struct tbw_image rows[] = {{.pixels = pixels, .width = 0, .height = 1, .channels = 1},
                                     {.pixels = pixels, .width = 1, .height = -1, .channels = 1},
                                     {.pixels = pixels, .width = 1, .height = 20000, .channels = 1},
                                     {.pixels = pixels, .width = 1, .height = 1, .channels = 0},
                                     {.pixels = pixels, .width = 1, .height = 1, .channels = 5}};
    const struct tbw_image good = {.pixels = pixels, .width = 2, .height = 2, .channels = 4};
    const char *bad = "\xff";
    const struct tbw_grid grid = {&good, &bad, 1, 0, 0, NULL};
    const struct tbw_grid huge = {&good, NULL, 1, 0, 10000, NULL};
    struct fixture *f = *state;
    struct cs_error err;

    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        const struct tbw_grid one = {&rows[i], NULL, 1, 0, 0, NULL};
        assert_int_equal(tbw_writer_images(f->w, "i", 0, &rows[i], 1, NULL, NULL), CS_ERANGE);
        assert_int_equal(tbw_writer_grid(f->w, "g", 0, &one, NULL), CS_ERANGE);
    }
    assert_int_equal(tbw_writer_images(f->w, "i", 0, &good, 0, NULL, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_images(f->w, "i", 0, &good, 1, "\xff", &err), CS_EPARSE);
    assert_int_equal(tbw_writer_grid(f->w, "g", 0, &grid, NULL), CS_EPARSE);
    assert_int_equal(tbw_writer_grid(f->w, "g", 0, &huge, NULL), CS_ERANGE);
    expect_nothing(f);
}

static void test_curves__refused_and_the_area(void **state)
{
    const float scores[] = {0.1f, 0.4f, 0.35f, 0.8f}, high[] = {1.5f}, nan[] = {NAN};
    const uint8_t labels[] = {0, 0, 1, 1}, same[] = {1, 1, 1, 1};
    const struct tbw_pr_curve bad[] = {{high, labels, NULL, 1, 0, NULL},
                                       {nan, labels, NULL, 1, 0, NULL},
                                       {scores, labels, high, 1, 1, NULL},
                                       {scores, labels, nan, 1, 0, NULL}};
    const struct tbw_roc roc = {scores, labels, 4, NULL}, one_sided = {scores, same, 4, NULL};
    const struct tbw_roc not_finite = {nan, labels, 1, NULL};
    struct fixture *f = *state;
    double auc = 0;

    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(tbw_writer_pr_curve(f->w, "p", 0, &bad[i], NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_roc(f->w, "r", 0, &not_finite, &auc, NULL), CS_ERANGE);
    expect_nothing(f);
    assert_int_equal(tbw_writer_roc(f->w, "r", 0, &roc, &auc, NULL), 0);
    assert_true(auc == 0.75); /* scikit-learn's example of roc_auc_score */
    assert_int_equal(tbw_writer_roc(f->w, "r", 1, &one_sided, &auc, NULL), 0);
    assert_true(isnan(auc));
}

static void test_graph__refused(void **state)
{
    static const char *const inputs[] = {"nobody"};
    static const int64_t shape[] = {-2};
    static const struct tbw_attr twice[] = {{"a", "1"}, {"a", "2"}};
    const struct tbw_node good = {.name = "a", .op = "Op"};
    const struct tbw_node same[] = {good, good};
    const struct tbw_node rows[] = {{.name = "", .op = "Op"},
                                    {.name = "^a", .op = "Op"},
                                    {.name = "a"},
                                    {.name = "a", .op = "Op", .inputs = inputs, .input_count = 1},
                                    {.name = "a", .op = "Op", .shape = shape, .rank = 1},
                                    {.name = "a", .op = "Op", .attrs = twice, .attr_count = 2}};
    struct fixture *f = *state;
    struct cs_error err;

    for (size_t i = 0; i < CS_COUNT(rows); i++)
        assert_true(tbw_writer_graph(f->w, &rows[i], 1, NULL) < 0);
    assert_int_equal(tbw_writer_graph(f->w, same, 2, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_graph(f->w, &rows[3], 1, &err), CS_ENONAME);
    assert_string_equal(err.detail, "node 'a': no node is named 'nobody'");
    expect_nothing(f);
    assert_int_equal(tbw_writer_graph(f->w, &good, 1, NULL), 0);
    assert_int_equal(tbw_writer_graph(f->w, &good, 1, NULL), CS_ERANGE);
}

static void test_others__refused(void **state)
{
    static const uint64_t counts[1];
    const float vertices[] = {0, 0, NAN}, fine[] = {0, 0, 0};
    const int32_t face[] = {0, 0, 1};
    const struct tbw_mesh meshes[] = {{vertices, 1, NULL, 0, NULL, NULL},
                                      {fine, 1, face, 1, NULL, NULL},
                                      {fine, 0, NULL, 0, NULL, NULL}};
    const struct tbw_audio audios[] = {
        {fine, 3, 0, 8000, NULL}, {fine, 3, 1, 0, NULL}, {vertices, 3, 1, 8000, NULL}};
    const struct tbw_confusion matrices[] = {{counts, 0, NULL, NULL}, {counts, 201, NULL, NULL}};
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(meshes); i++)
        assert_int_equal(tbw_writer_mesh(f->w, "m", 0, &meshes[i], NULL), CS_ERANGE);
    for (size_t i = 0; i < CS_COUNT(audios); i++)
        assert_int_equal(tbw_writer_audio(f->w, "a", 0, &audios[i], NULL), CS_ERANGE);
    for (size_t i = 0; i < CS_COUNT(matrices); i++)
        assert_int_equal(tbw_writer_confusion(f->w, "c", 0, &matrices[i], NULL), CS_ERANGE);
    expect_nothing(f);
}

/* ---- threads ---- */

enum { THREADS = 4, STEPS = 2000 };

struct worker {
    tbw_writer *w;
    char tag[16];
};

static void *write_steps(void *context)
{
    const struct worker *worker = context;
    const float values[] = {1, 2, 3};
    char second[32];

    (void) snprintf(second, sizeof second, "%s/h", worker->tag);
    for (int64_t step = 0; step < STEPS; step++) {
        const struct tbw_scalar scalar = {worker->tag, (double) step, NULL};
        const struct tbw_histogram h = {.values = values, .count = 3};
        if (tbw_writer_scalars(worker->w, step, &scalar, 1, NULL) < 0 ||
            (step % 50 == 0 && tbw_writer_histogram(worker->w, second, step, &h, NULL, NULL) < 0) ||
            (step % 97 == 0 && tbw_writer_flush(worker->w, NULL) < 0))
            return context;
    }
    return NULL;
}

/* Every point of every thread is there, each tag's in order. */
static void test_threads__share_a_writer(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct tbw_view view = {.rules = TBW_RULE_STEPS};
    struct tbw_log_item item;
    tbw_log *log = NULL;

    for (int i = 0; i < THREADS; i++) {
        workers[i].w = f->w;
        (void) snprintf(workers[i].tag, sizeof workers[i].tag, "t%d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, write_steps, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(tbw_writer_flush(f->w, NULL), 0);
    assert_int_equal(tbw_log_open(&log, f->dir, NULL), 0);
    while (tbw_log_next(&item, log, NULL) == 1) {
        assert_true(item.kind == TBW_LOG_EVENT || item.kind == TBW_LOG_FILE);
        tbw_view_take(&view, &item);
    }
    assert_int_equal(view.count, 2 * THREADS);
    for (size_t i = 0; i < view.count; i++) {
        const struct tbw_series *s = view.series[i];
        assert_int_equal(s->count, s->kind == TBW_POINT_SCALAR ? STEPS : STEPS / 50);
        assert_int_equal(s->dropped, 0);
    }
    tbw_view_clear(&view);
    tbw_log_close(log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_histogram__comes_back),
        TEST(test_histogram__of_next_to_nothing),
        TEST(test_histogram__refused),
        TEST(test_images__refused),
        TEST(test_curves__refused_and_the_area),
        TEST(test_graph__refused),
        TEST(test_others__refused),
        TEST(test_threads__share_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
