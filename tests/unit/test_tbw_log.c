/* Reading on: behind damage, in files that grow, over the attempts of a run; and the checks. */
#include <fcntl.h>

#include "tbwriter/tbw.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_log.h"
#include "tests/unit/test_tbw_util.h"

enum { STEPS = 6, RECORDS = STEPS + 2 };

struct fixture {
    char dir[SCRATCH_MAX];
    struct cs_buf bytes;
    size_t ends[RECORDS];
};

static char *write_steps(const char *dir, int64_t first, int64_t last, int64_t start, double base)
{
    const struct tbw_options opt = {.wall_time = 1600000000.5, .start_step = start};
    tbw_writer *w = NULL;

    assert_int_equal(tbw_writer_open(&w, dir, &opt, NULL), 0);
    char *path = cs_xstrdup(tbw_writer_path(w));
    for (int64_t step = first; step <= last; step++) {
        const struct tbw_scalar values[] = {{"a", base + (double) step, NULL},
                                            {"b/c", base - (double) step, NULL}};
        assert_int_equal(tbw_writer_scalars(w, step, values, 2, NULL), 0);
    }
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    return path;
}

static int setup(void **state)
{
    struct fixture *f = cs_xcalloc(1, sizeof *f);
    size_t count = 0;

    scratch_make(f->dir);
    char *path = write_steps(f->dir, 1, STEPS, 0, 0);
    assert_int_equal(cs_read_file(&f->bytes, path, 1 << 20, NULL), 0);
    assert_int_equal(unlink(path), 0);
    for (size_t at = 0; at < f->bytes.size; count++) {
        at += 16 + (size_t) tbw_load64((const uint8_t *) f->bytes.data + at);
        f->ends[count] = at;
    }
    assert_int_equal(count, RECORDS);
    free(path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    scratch_remove(f->dir);
    cs_buf_clear(&f->bytes);
    free(f);
    return 0;
}

static char *store(const struct fixture *f, const void *data, size_t size)
{
    char *path = cs_xasprintf("%s/events.out.tfevents.0", f->dir);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* Any changed byte costs the record that it is in, and no other. */
static void test_recover__any_changed_byte_costs_one_record(void **state)
{
    struct fixture *f = *state;
    size_t record = 0;

    for (size_t at = 0; at < f->bytes.size; at++) {
        struct tbw_event event;
        struct tbw_gap gap;
        tbw_reader *r = NULL;
        size_t count = 0;
        int rc;
        record += at == f->ends[record];
        const size_t begin = record ? f->ends[record - 1] : 0;
        f->bytes.data[at] = (char) (f->bytes.data[at] ^ (1 << at % 8));
        char *path = store(f, f->bytes.data, f->bytes.size);
        assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
        while ((rc = tbw_reader_next(&event, r, NULL)) == 1)
            count++;
        assert_int_equal(rc, CS_ECORRUPT);
        assert_int_equal(count, record);
        rc = tbw_reader_recover(r, &gap, NULL);
        assert_int_equal(rc, record < RECORDS - 1);
        if (rc == 1) {
            assert_int_equal(gap.from, begin);
            assert_int_equal(gap.to, f->ends[record]);
        }
        while (rc == 1 && (rc = tbw_reader_next(&event, r, NULL)) == 1)
            count++;
        assert_int_equal(rc, 0);
        assert_int_equal(count, RECORDS - 1);
        tbw_reader_close(r);
        free(path);
        f->bytes.data[at] = (char) (f->bytes.data[at] ^ (1 << at % 8));
    }
}

/* A torn record and others behind it, as when someone appends after a crash. */
static void test_recover__appended_after_a_tear(void **state)
{
    struct fixture *f = *state;
    struct cs_buf bytes = {0};

    for (size_t cut = f->ends[2] + 1; cut < f->ends[3]; cut++) {
        struct tbw_event event;
        struct tbw_gap gap;
        tbw_reader *r = NULL;
        bytes.size = 0;
        cs_buf_add(&bytes, f->bytes.data, cut);
        cs_buf_add(&bytes, f->bytes.data + f->ends[3], f->bytes.size - f->ends[3]);
        char *path = store(f, bytes.data, bytes.size);
        assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
        assert_int_equal(tbw_reader_next(&event, r, NULL), CS_ECORRUPT);
        assert_int_equal(tbw_reader_recover(r, &gap, NULL), 1);
        assert_int_equal(gap.from, f->ends[2]);
        assert_int_equal(gap.to, cut);
        for (int64_t step = 3; step <= STEPS; step++) {
            assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
            assert_int_equal(event.step, step);
        }
        assert_int_equal(tbw_reader_next(&event, r, NULL), 0);
        tbw_reader_close(r);
        free(path);
    }
    cs_buf_clear(&bytes);
}

/* One byte at a time: each record comes when its last byte is there. */
static void test_follow__a_byte_at_a_time(void **state)
{
    struct fixture *f = *state;
    char *path = store(f, "", 0);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    struct tbw_event event;
    tbw_reader *r = NULL;
    size_t record = 0;

    assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
    for (size_t at = 0; at < f->bytes.size; at++) {
        const int wanted = at + 1 == f->ends[record];
        assert_int_equal(write(fd, f->bytes.data + at, 1), 1);
        assert_int_equal(tbw_reader_next(&event, r, NULL), wanted);
        if (wanted) {
            assert_int_equal(event.offset, record ? f->ends[record - 1] : 0);
            assert_int_equal(tbw_reader_next(&event, r, NULL), 0);
            record++;
        }
    }
    assert_int_equal(record, RECORDS);
    close(fd);
    tbw_reader_close(r);
    free(path);
}

/* A file that is cut or replaced is not read on as if nothing had happened. */
static void test_follow__a_file_cut_or_replaced(void **state)
{
    struct fixture *f = *state;

    for (int replaced = 0; replaced < 2; replaced++) {
        char *path = store(f, f->bytes.data, f->bytes.size);
        char *other = cs_xasprintf("%s/other", f->dir);
        struct tbw_event event;
        tbw_reader *r = NULL;
        assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
        for (size_t i = 0; i < RECORDS; i++)
            assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
        assert_int_equal(tbw_reader_next(&event, r, NULL), 0);
        if (replaced) {
            assert_int_equal(cs_write_file(other, f->bytes.data, f->bytes.size, NULL), 0);
            assert_int_equal(rename(other, path), 0);
        } else {
            assert_int_equal(truncate(path, 20), 0);
        }
        assert_int_equal(tbw_reader_next(&event, r, NULL), CS_EIO);
        tbw_reader_close(r);
        free(other);
        free(path);
    }
}

/* ---- runs ---- */

static void take_all(struct tbw_view *view, tbw_log *log)
{
    struct tbw_log_item item;

    while (tbw_log_next(&item, log, NULL) == 1)
        tbw_view_take(view, &item);
}

static const struct tbw_series *find(const struct tbw_view *view, const char *run, const char *tag)
{
    for (size_t i = 0; i < view->count; i++)
        if (strcmp(view->series[i]->run, run) == 0 && strcmp(view->series[i]->tag, tag) == 0)
            return view->series[i];
    return NULL;
}

/* Steps 1 to last, each once, from `changed` on of the second attempt. */
static void check_series(const struct tbw_series *s, int64_t last, int64_t changed)
{
    assert_non_null(s);
    assert_int_equal(s->count, last);
    for (int64_t i = 0; i < last; i++) {
        const double step = (double) (i + 1);
        assert_int_equal(s->samples[i].step, i + 1);
        assert_true(s->samples[i].value == (i + 1 >= changed ? 100 + step : step));
    }
}

static void test_view__attempts_become_one(void **state)
{
    static const unsigned rules[] = {TBW_RULE_STEPS, TBW_RULE_START,
                                     TBW_RULE_STEPS | TBW_RULE_START};
    struct fixture *f = *state;
    char *run = cs_xasprintf("%s/x/y", f->dir);
    tbw_log *log = NULL;

    free(write_steps(run, 1, 6, 0, 0));
    free(write_steps(run, 4, 8, 4, 100));
    for (size_t i = 0; i < CS_COUNT(rules); i++) {
        struct tbw_view view = {.rules = rules[i]};
        assert_int_equal(tbw_log_open(&log, f->dir, NULL), 0);
        take_all(&view, log);
        assert_int_equal(view.count, 2);
        check_series(find(&view, "x/y", "a"), 8, 4);
        assert_int_equal(find(&view, "x/y", "a")->dropped, 3);
        tbw_view_clear(&view);
        tbw_log_close(log);
    }
    struct tbw_view none = {0};
    assert_int_equal(tbw_log_open(&log, f->dir, NULL), 0);
    take_all(&none, log);
    assert_int_equal(find(&none, "x/y", "a")->count, 11);
    tbw_view_clear(&none);
    tbw_log_close(log);
    scratch_remove(run);
    run[strlen(run) - 2] = '\0';
    scratch_remove(run);
    free(run);
}

/* A run that appears later, and a second attempt of one that was read to its end. */
static void test_view__grows(void **state)
{
    struct fixture *f = *state;
    char *one = cs_xasprintf("%s/one", f->dir), *two = cs_xasprintf("%s/two", f->dir);
    struct tbw_view view = {.rules = TBW_RULE_STEPS | TBW_RULE_START};
    tbw_log *log = NULL;

    assert_int_equal(tbw_log_open(&log, f->dir, NULL), 0);
    take_all(&view, log);
    assert_int_equal(view.count, 0);
    free(write_steps(two, 1, 3, 0, 0));
    take_all(&view, log);
    check_series(find(&view, "two", "a"), 3, 100);
    free(write_steps(one, 1, 2, 0, 0));
    free(write_steps(two, 3, 5, 3, 100));
    take_all(&view, log);
    take_all(&view, log);
    check_series(find(&view, "one", "a"), 2, 100);
    check_series(find(&view, "two", "a"), 5, 3);
    tbw_view_clear(&view);
    tbw_log_close(log);
    scratch_remove(one);
    scratch_remove(two);
    free(one);
    free(two);
}

/* ---- checks ---- */

struct found {
    struct cs_buf text;
    size_t notes;
};

static void note(void *context, const char *path, uint64_t offset, bool fault, const char *text)
{
    struct found *found = context;

    (void) path;
    if (fault)
        cs_buf_addf(&found->text, "%llu: %s\n", (unsigned long long) offset, text);
    else
        found->notes++;
}

/* The faults of all below the fixture's folder. */
static void check_all(const struct fixture *f, const char *wanted, size_t notes)
{
    struct tbw_check_counts counts;
    struct found found = {0};

    cs_buf_adds(&found.text, "");
    assert_int_equal(tbw_check(&counts, f->dir, note, &found, NULL), 0);
    assert_string_equal(found.text.data, wanted);
    assert_int_equal(found.notes, notes);
    cs_buf_clear(&found.text);
}

static void test_check__damage(void **state)
{
    struct fixture *f = *state;
    char *path = store(f, f->bytes.data, f->bytes.size), wanted[256];

    check_all(f, "", 0);
    free(path);
    path = store(f, f->bytes.data, f->bytes.size - 3);
    snprintf(wanted, sizeof wanted, "%zu: torn record: the file ends after %zu bytes of it\n",
             f->ends[RECORDS - 2], f->ends[RECORDS - 1] - f->ends[RECORDS - 2] - 3);
    check_all(f, wanted, 0);
    free(path);
    path = write_steps(f->dir, 6, 7, 6, 0); /* goes on: then it is no fault */
    check_all(f, "", 1);
    assert_int_equal(unlink(path), 0);
    free(path);
    f->bytes.data[f->ends[3]] ^= 1;
    path = store(f, f->bytes.data, f->bytes.size);
    snprintf(
        wanted, sizeof wanted,
        "%zu: record at byte %zu: checksum of the length does not match; the next whole record "
        "follows after %zu bytes\n",
        f->ends[3], f->ends[3], f->ends[4] - f->ends[3]);
    check_all(f, wanted, 0);
    free(path);
}

/* Files put together of records of others. */
static void test_check__order(void **state)
{
    struct fixture *f = *state;
    struct cs_buf bytes = {0};
    char wanted[512];

    cs_buf_add(&bytes, f->bytes.data, f->ends[3]); /* version, START, steps 1 and 2 */
    cs_buf_add(&bytes, f->bytes.data + f->ends[2], f->ends[3] - f->ends[2]); /* 2 again */
    free(store(f, bytes.data, bytes.size));
    snprintf(wanted, sizeof wanted,
             "%zu: tag 'a': step 2 after 2: the data server drops what is at it and above\n"
             "%zu: tag 'b/c': step 2 after 2: the data server drops what is at it and above\n",
             f->ends[3], f->ends[3]);
    check_all(f, wanted, 0);
    bytes.size = 0;
    cs_buf_add(&bytes, f->bytes.data, f->ends[0]); /* no START */
    cs_buf_add(&bytes, f->bytes.data + f->ends[1], f->ends[3] - f->ends[1]);
    free(store(f, bytes.data, bytes.size));
    check_all(f, "", 1);
    bytes.size = 0;
    cs_buf_add(&bytes, f->bytes.data + f->ends[2], f->ends[3] - f->ends[2]); /* no version either */
    free(store(f, bytes.data, bytes.size));
    check_all(f, "", 2);
    cs_buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_recover__any_changed_byte_costs_one_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_recover__appended_after_a_tear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_follow__a_byte_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_follow__a_file_cut_or_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_view__attempts_become_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_view__grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check__damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check__order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
