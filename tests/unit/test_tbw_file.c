/* Names of event files, buffering, and what a failed write leaves behind. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "tbwriter/tbw.h"
#include "tbwriter/tbw_file.h"
#include "tbwriter/tbw_read.h"
#include "tests/unit/test_tbw_util.h"

static const struct tbw_options fixed = {.wall_time = 1600000000.5};

static const char *base_name(const tbw_writer *w)
{
    return strrchr(tbw_writer_path(w), '/') + 1;
}

/* ---- names ---- */

static void test_name__shape(void **state)
{
    char dir[SCRATCH_MAX], host[256], expected[600];
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_writer_open(&w, dir, &fixed, NULL), 0);
    assert_int_equal(gethostname(host, sizeof host), 0);
    snprintf(expected, sizeof expected, "events.out.tfevents.1600000000.%.64s.%ld.", host,
             (long) getpid());
    assert_int_equal(strncmp(base_name(w), expected, strlen(expected)), 0);
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    scratch_remove(dir);
}

static void test_name__small_times_are_padded(void **state)
{
    const struct tbw_options early = {.wall_time = 77.25};
    char dir[SCRATCH_MAX];
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_writer_open(&w, dir, &early, NULL), 0);
    assert_int_equal(strncmp(base_name(w), "events.out.tfevents.0000000077.", 31), 0);
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    scratch_remove(dir);
}

/* The clock stands still, then goes back a year: names rise all the same. */
static void test_name__rises_whatever_the_clock_says(void **state)
{
    char dir[SCRATCH_MAX], last[300] = "";
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    for (int i = 0; i < 12; i++) {
        const struct tbw_options opt = {.wall_time = i < 6 ? 1600000000 : 1570000000};
        assert_int_equal(tbw_writer_open(&w, dir, &opt, NULL), 0);
        assert_true(strcmp(base_name(w), last) > 0);
        snprintf(last, sizeof last, "%s", base_name(w));
        assert_int_equal(tbw_writer_close(w, NULL), 0);
    }
    assert_int_equal(scratch_count(dir), 12);
    scratch_remove(dir);
}

/* Files of other writers count too, and a copy of an event file under a longer name. */
static void test_name__sorts_after_foreign_files(void **state)
{
    static const char *const names[] = {
        "events.out.tfevents.1700000000.zzzz.99999.9.v2",
        "events.out.tfevents.170000000055.x",
        "a.tfevents.b",
        "tags.txt",
    };
    char dir[SCRATCH_MAX], *path;
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        scratch_write(&path, dir, names[i], "", 0);
        free(path);
    }
    assert_int_equal(tbw_writer_open(&w, dir, &fixed, NULL), 0);
    assert_int_equal(strncmp(base_name(w), "events.out.tfevents.1700000001.", 31), 0);
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    scratch_remove(dir);
}

static void test_name__refuses_what_it_cannot_follow(void **state)
{
    static const char *const names[] = {"z.tfevents", "events.out.tfevents.9999999999.host"};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        char dir[SCRATCH_MAX], *path;
        struct cs_error err = {0};
        tbw_writer *w = NULL;
        scratch_make(dir);
        scratch_write(&path, dir, names[i], "", 0);
        assert_int_equal(tbw_writer_open(&w, dir, &fixed, &err), CS_ERANGE);
        assert_non_null(strstr(err.detail, names[i]));
        assert_null(w);
        assert_int_equal(scratch_count(dir), 1);
        free(path);
        scratch_remove(dir);
    }
}

static void test_name__folders_are_made(void **state)
{
    char dir[SCRATCH_MAX], *inner;
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    inner = cs_xasprintf("%s/a", dir);
    assert_int_equal(tbw_writer_open(&w, inner, NULL, NULL), 0);
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    assert_int_equal(scratch_count(inner), 1);
    scratch_remove(inner);
    scratch_remove(dir);
    free(inner);
}

static void test_open__refuses_bad_options(void **state)
{
    static const struct tbw_options bad[] = {{.start_step = -1},
                                             {.wall_time = -1},
                                             {.wall_time = 1e300},
                                             {.wall_time = (double) __builtin_inff()},
                                             {.wall_time = (double) __builtin_nanf("")}};
    char dir[SCRATCH_MAX];
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(tbw_writer_open(&w, dir, &bad[i], NULL), CS_ERANGE);
    assert_int_equal(scratch_count(dir), 0);
    scratch_remove(dir);
}

/* ---- buffering ---- */

static int add_point(tbw_writer *w, int64_t step, struct cs_error *err)
{
    const struct tbw_scalar point = {"loss", (double) step, NULL};

    return tbw_writer_scalars(w, step, &point, 1, err);
}

static void test_buffer__head_is_written_at_once_and_points_on_flush(void **state)
{
    char dir[SCRATCH_MAX];
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_writer_open(&w, dir, &fixed, NULL), 0);
    const size_t head = file_size(tbw_writer_path(w));
    assert_int_equal(head, 34 + 16 + 13 + 16);
    assert_int_equal(add_point(w, 1, NULL), 0);
    assert_int_equal(file_size(tbw_writer_path(w)), head);
    assert_int_equal(tbw_writer_flush(w, NULL), 0);
    assert_true(file_size(tbw_writer_path(w)) > head);
    assert_int_equal(add_point(w, 2, NULL), 0);
    assert_int_equal(tbw_writer_sync(w, NULL), 0);
    const size_t synced = file_size(tbw_writer_path(w));
    assert_int_equal(tbw_writer_sync(w, NULL), 0);
    assert_int_equal(file_size(tbw_writer_path(w)), synced);
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    scratch_remove(dir);
}

/* How many events the file holds, and how many bytes of a torn one. */
static size_t count_events(const char *path, uint64_t *torn)
{
    struct tbw_event event;
    tbw_reader *r = NULL;
    size_t count = 0;
    int rc;

    assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
    while ((rc = tbw_reader_next(&event, r, NULL)) == 1)
        count++;
    assert_int_equal(rc, 0);
    *torn = tbw_reader_torn_bytes(r);
    tbw_reader_close(r);
    return count;
}

static void test_buffer__size_limit_flushes_whole_records(void **state)
{
    const struct tbw_options opt = {.wall_time = 1, .flush_bytes = 100};
    char dir[SCRATCH_MAX];
    tbw_writer *w = NULL;
    size_t changes = 0, size, last = 0;
    uint64_t torn;

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_writer_open(&w, dir, &opt, NULL), 0);
    for (int64_t step = 1; step <= 50; step++) {
        assert_int_equal(add_point(w, step, NULL), 0);
        count_events(tbw_writer_path(w), &torn);
        assert_int_equal(torn, 0);
        size = file_size(tbw_writer_path(w));
        changes += size != last;
        last = size;
    }
    assert_in_range(changes, 10, 30); /* every third point or so: 42 bytes each */
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    scratch_remove(dir);
}

static void test_buffer__age_flushes(void **state)
{
    char dir[SCRATCH_MAX];
    struct tbw_file file;

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_file_create(&file, dir, 1, 1 << 20, NULL), 0);
    assert_int_equal(tbw_file_add(&file, "abc", 3, NULL), 0);
    assert_int_equal(file_size(file.path), 0);
    file.flushed -= 5; /* as if five seconds had passed */
    assert_int_equal(tbw_file_add(&file, "def", 3, NULL), 0);
    assert_int_equal(file_size(file.path), 2 * 19);
    assert_int_equal(tbw_file_close(&file, NULL), 0);
    scratch_remove(dir);
}

static void test_buffer__oversized_event_is_refused(void **state)
{
    char dir[SCRATCH_MAX];
    struct tbw_file file;
    struct cs_error err;
    char *data = cs_xcalloc(1, (size_t) TBW_RECORD_MAX + 1);

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_file_create(&file, dir, 1, 1 << 20, NULL), 0);
    assert_int_equal(tbw_file_add(&file, data, (size_t) TBW_RECORD_MAX + 1, &err), CS_ERANGE);
    assert_int_equal(tbw_file_add(&file, "abc", 3, NULL), 0);
    assert_int_equal(tbw_file_flush(&file, NULL), 0);
    assert_int_equal(file_size(file.path), 19);
    assert_int_equal(tbw_file_close(&file, NULL), 0);
    scratch_remove(dir);
    free(data);
}

/* ---- failed writes ---- */

/*
 * From here on no file of this process grows beyond size: write(2) is cut there, then fails with
 * EFBIG.
 */
static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void unlimit_files(void)
{
    limit_files(RLIM_INFINITY);
}

enum { POINTS = 4 };

static size_t full_size(void)
{
    char dir[SCRATCH_MAX];
    tbw_writer *w = NULL;
    size_t size;

    scratch_make(dir);
    assert_int_equal(tbw_writer_open(&w, dir, &fixed, NULL), 0);
    for (int64_t step = 1; step <= POINTS; step++)
        assert_int_equal(add_point(w, step, NULL), 0);
    assert_int_equal(tbw_writer_flush(w, NULL), 0);
    size = file_size(tbw_writer_path(w));
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    scratch_remove(dir);
    return size;
}

/*
 * Everything fails with the same error after the disk was full at `limit` bytes; the writer stays
 * open.
 */
static void fill_disk(tbw_writer *w, size_t limit, struct cs_error *first)
{
    struct cs_error err = {0};

    for (int64_t step = 1; step <= POINTS; step++)
        assert_int_equal(add_point(w, step, NULL), 0);
    limit_files(limit);
    const int rc = tbw_writer_flush(w, first);
    const int again = add_point(w, 99, &err);
    unlimit_files();
    assert_int_equal(rc, CS_EIO);
    assert_non_null(strstr(first->detail, strerror(EFBIG)));
    assert_string_equal(first->where, tbw_writer_path(w));
    assert_int_equal(again, rc);
    assert_string_equal(err.detail, first->detail);
}

/* At every possible place: the torn record, and only it, is completed as soon as there is space. */
static void test_poison__cut_record_is_completed_and_nothing_more(void **state)
{
    const size_t head = 34 + 16 + 13 + 16, full = full_size();

    (void) state;
    for (size_t limit = head; limit < full; limit++) {
        char dir[SCRATCH_MAX], *path;
        struct cs_error first = {0}, err = {0};
        tbw_writer *w = NULL;
        uint64_t torn;
        scratch_make(dir);
        assert_int_equal(tbw_writer_open(&w, dir, &fixed, NULL), 0);
        path = cs_xstrdup(tbw_writer_path(w));
        fill_disk(w, limit, &first);
        assert_int_equal(file_size(path), limit);
        const size_t before = count_events(path, &torn);
        const bool was_torn = torn > 0;
        assert_int_equal(tbw_writer_close(w, &err), CS_EIO);
        assert_string_equal(err.detail, first.detail);
        assert_int_equal(count_events(path, &torn), before + was_torn);
        assert_int_equal(torn, 0);
        scratch_remove(dir);
        free(path);
    }
}

static void test_poison__every_call_fails(void **state)
{
    const struct tbw_hvalue lr = {"lr", TBW_FLOAT, NULL, 0.5};
    const struct tbw_experiment experiment = {.name = "e"};
    char dir[SCRATCH_MAX];
    struct cs_error first = {0};
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_writer_open(&w, dir, &fixed, NULL), 0);
    fill_disk(w, 100, &first);
    const size_t size = file_size(tbw_writer_path(w));
    assert_int_equal(add_point(w, 100, NULL), CS_EIO);
    assert_int_equal(tbw_writer_scalars(w, 100, NULL, 0, NULL), CS_EIO);
    assert_int_equal(tbw_writer_text(w, "t", 1, "x", NULL), CS_EIO);
    assert_int_equal(tbw_writer_hparams_start(w, &lr, 1, NULL, 0, NULL), CS_EIO);
    assert_int_equal(tbw_writer_hparams_end(w, TBW_SUCCESS, 0, NULL), CS_EIO);
    assert_int_equal(tbw_writer_experiment(w, &experiment, NULL), CS_EIO);
    assert_int_equal(tbw_writer_layout(w, NULL, 0, NULL), CS_EIO);
    assert_int_equal(tbw_writer_flush(w, NULL), CS_EIO);
    assert_int_equal(tbw_writer_sync(w, NULL), CS_EIO);
    assert_true(file_size(tbw_writer_path(w)) - size < 60); /* the rest of one record */
    assert_int_equal(tbw_writer_close(w, NULL), CS_EIO);
    scratch_remove(dir);
}

/* The limit never goes away: the file keeps a torn tail, and close says so. */
static void test_poison__torn_tail_stays_readable(void **state)
{
    char dir[SCRATCH_MAX], *path;
    struct cs_error first = {0};
    tbw_writer *w = NULL;
    uint64_t torn;

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_writer_open(&w, dir, &fixed, NULL), 0);
    path = cs_xstrdup(tbw_writer_path(w));
    for (int64_t step = 1; step <= POINTS; step++)
        assert_int_equal(add_point(w, step, NULL), 0);
    limit_files(full_size() - 3);
    const int rc = tbw_writer_close(w, &first);
    unlimit_files();
    assert_int_equal(rc, CS_EIO);
    assert_int_equal(count_events(path, &torn), 2 + POINTS - 1);
    assert_true(torn > 0);
    scratch_remove(dir);
    free(path);
}

static void test_open__full_disk_leaves_no_file(void **state)
{
    char dir[SCRATCH_MAX];
    struct cs_error err = {0};
    tbw_writer *w = NULL;

    (void) state;
    scratch_make(dir);
    limit_files(40);
    const int rc = tbw_writer_open(&w, dir, &fixed, &err);
    unlimit_files();
    assert_int_equal(rc, CS_EIO);
    assert_null(w);
    assert_int_equal(scratch_count(dir), 0);
    scratch_remove(dir);
}

/* A device that is always full. */
static void test_poison__no_space(void **state)
{
    char dir[SCRATCH_MAX];
    struct tbw_file file;
    struct cs_error err = {0};

    (void) state;
    scratch_make(dir);
    assert_int_equal(tbw_file_create(&file, dir, 1, 1 << 20, NULL), 0);
    FILE *full = fopen("/dev/full", "we");
    if (!full || dup2(fileno(full), file.fd) < 0) {
        tbw_file_close(&file, NULL);
        scratch_remove(dir);
        skip();
    }
    fclose(full);
    assert_int_equal(tbw_file_add(&file, "abc", 3, NULL), 0);
    assert_int_equal(tbw_file_flush(&file, &err), CS_ENOSPACE);
    assert_non_null(strstr(err.detail, "cannot write"));
    assert_int_equal(tbw_file_add(&file, "def", 3, NULL), CS_ENOSPACE);
    assert_int_equal(tbw_file_close(&file, &err), CS_ENOSPACE);
    scratch_remove(dir);
}

static void test_close__null_is_nothing(void **state)
{
    (void) state;
    assert_int_equal(tbw_writer_close(NULL, NULL), 0);
    tbw_reader_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name__shape),
        cmocka_unit_test(test_name__small_times_are_padded),
        cmocka_unit_test(test_name__rises_whatever_the_clock_says),
        cmocka_unit_test(test_name__sorts_after_foreign_files),
        cmocka_unit_test(test_name__refuses_what_it_cannot_follow),
        cmocka_unit_test(test_name__folders_are_made),
        cmocka_unit_test(test_open__refuses_bad_options),
        cmocka_unit_test(test_buffer__head_is_written_at_once_and_points_on_flush),
        cmocka_unit_test(test_buffer__size_limit_flushes_whole_records),
        cmocka_unit_test(test_buffer__age_flushes),
        cmocka_unit_test(test_buffer__oversized_event_is_refused),
        cmocka_unit_test(test_poison__cut_record_is_completed_and_nothing_more),
        cmocka_unit_test(test_poison__every_call_fails),
        cmocka_unit_test(test_poison__torn_tail_stays_readable),
        cmocka_unit_test(test_open__full_disk_leaves_no_file),
        cmocka_unit_test(test_poison__no_space),
        cmocka_unit_test(test_close__null_is_nothing),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
