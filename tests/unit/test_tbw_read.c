/* The reader on whole, cut and damaged files. */
#include "tbwriter/tbw.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_crc.h"
#include "tbwriter/tbw_read.h"
#include "tests/unit/test_tbw_util.h"

enum { EVENTS_MAX = 16 };

struct fixture {
    char dir[SCRATCH_MAX];
    struct cs_buf bytes;
    size_t ends[EVENTS_MAX]; /* of the records */
    size_t count;
};

/* A file with every kind of event. */
static int setup(void **state)
{
    const struct tbw_options opt = {.wall_time = 1600000000.5};
    const struct tbw_scalar both[] = {{"loss", 0.25, "d"}, {"acc", 0.5, NULL}};
    const struct tbw_hvalue lr = {"lr", TBW_FLOAT, NULL, 0.5};
    struct fixture *f = cs_xcalloc(1, sizeof *f);
    tbw_writer *w = NULL;

    scratch_make(f->dir);
    assert_int_equal(tbw_writer_open(&w, f->dir, &opt, NULL), 0);
    char *path = cs_xstrdup(tbw_writer_path(w));
    assert_int_equal(tbw_writer_hparams_start(w, &lr, 1, "g", 1.0, NULL), 0);
    assert_int_equal(tbw_writer_text(w, "t", 0, "hello", NULL), 0);
    assert_int_equal(tbw_writer_scalars(w, 1, both, 2, NULL), 0);
    assert_int_equal(tbw_writer_scalars(w, 2, both, 2, NULL), 0);
    assert_int_equal(tbw_writer_close(w, NULL), 0);
    assert_int_equal(cs_read_file(&f->bytes, path, 1 << 20, NULL), 0);
    for (size_t at = 0; at < f->bytes.size;) {
        at += 16 + (size_t) tbw_load64((const uint8_t *) f->bytes.data + at);
        f->ends[f->count++] = at;
    }
    assert_int_equal(f->ends[f->count - 1], f->bytes.size);
    assert_int_equal(f->count, 6);
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

/* Read a file of these bytes to its end: the number of events, how it ended and the torn bytes. */
static size_t read_bytes(const struct fixture *f, const void *data, size_t size, int *rc,
                         uint64_t *torn)
{
    struct tbw_event event;
    tbw_reader *r = NULL;
    size_t count = 0;
    char *path = cs_xasprintf("%s/bytes", f->dir);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
    while ((*rc = tbw_reader_next(&event, r, NULL)) == 1)
        count++;
    assert_int_equal(tbw_reader_next(&event, r, NULL), *rc); /* it stays ended */
    *torn = tbw_reader_torn_bytes(r);
    tbw_reader_close(r);
    free(path);
    return count;
}

static void test_read__cut_at_every_byte(void **state)
{
    struct fixture *f = *state;

    for (size_t size = 0; size <= f->bytes.size; size++) {
        size_t whole = 0;
        uint64_t torn;
        int rc;
        while (whole < f->count && f->ends[whole] <= size)
            whole++;
        assert_int_equal(read_bytes(f, f->bytes.data, size, &rc, &torn), whole);
        assert_int_equal(rc, 0);
        assert_int_equal(torn, size - (whole ? f->ends[whole - 1] : 0));
    }
}

/* Any changed byte is found, in the record it belongs to. */
static void test_read__every_changed_byte_is_found(void **state)
{
    struct fixture *f = *state;
    size_t record = 0;

    for (size_t at = 0; at < f->bytes.size; at++) {
        uint64_t torn;
        int rc;
        record += at == f->ends[record];
        f->bytes.data[at] = (char) (f->bytes.data[at] ^ (1 << at % 8));
        assert_int_equal(read_bytes(f, f->bytes.data, f->bytes.size, &rc, &torn), record);
        assert_int_equal(rc, CS_ECORRUPT);
        f->bytes.data[at] = (char) (f->bytes.data[at] ^ (1 << at % 8));
    }
}

static void test_read__zeros_behind_the_end(void **state)
{
    struct fixture *f = *state;
    const size_t size = f->bytes.size;
    char zeros[64] = {0};
    uint64_t torn;
    int rc;

    cs_buf_add(&f->bytes, zeros, sizeof zeros);
    for (size_t more = 1; more <= sizeof zeros; more++) {
        assert_int_equal(read_bytes(f, f->bytes.data, size + more, &rc, &torn), f->count);
        assert_int_equal(rc, more < 12 ? 0 : CS_ECORRUPT);
        if (more < 12)
            assert_int_equal(torn, more);
    }
}

static void add_record(struct cs_buf *out, uint64_t length, const void *data, size_t size)
{
    uint8_t head[12], tail[4];

    tbw_store64(head, length);
    tbw_store32(head + 8, tbw_crc32c_masked(head, 8));
    tbw_store32(tail, tbw_crc32c_masked(data, size));
    cs_buf_add(out, head, sizeof head);
    cs_buf_add(out, data, size);
    cs_buf_add(out, tail, sizeof tail);
}

/* Correct checksums do not make an event. */
static void test_read__bad_contents(void **state)
{
    static const struct {
        const char *data;
        size_t size;
        int rc;
    } rows[] = {
        {"", 0, 1},                                               /* an event with nothing set */
        {"\x1a\x01v", 3, 1},                                      /* file_version "v" */
        {"\x1a\x05v", 3, CS_ECORRUPT},                            /* cut string */
        {"\x1a\x01\xff", 3, CS_ECORRUPT},                         /* not UTF-8 */
        {"\x52\x03\x0a\x01\xff\x1a\x01v", 8, CS_ECORRUPT},        /* writer */
        {"\x2a\x05\x0a\x03\x0a\x01t", 7, 1},                      /* a value of no kind */
        {"\x2a\x05\x0a\x03\x0a\x01\xff", 7, CS_ECORRUPT},         /* tag */
        {"\x2a\x07\x0a\x05\x4a\x03\x12\x01\xff", 9, CS_ECORRUPT}, /* display name */
        {"\x2a\x07\x0a\x05\x4a\x03\x1a\x01\xff", 9, CS_ECORRUPT}, /* description */
        {"\x2a\x09\x0a\x07\x4a\x05\x0a\x03\x0a\x01\xff", 11, CS_ECORRUPT}, /* plugin name */
        {"\x2a\x13\x0a\x11\x42\x05\x08\x07\x42\x01\xff\x4a\x08\x0a\x06\x0a\x04text", 21,
         CS_ECORRUPT}, /* text */
        {"\xff\xff\xff", 3, CS_ECORRUPT},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct cs_buf bytes = {0};
        uint64_t torn;
        int rc;
        add_record(&bytes, rows[i].size, rows[i].data, rows[i].size);
        const size_t count = read_bytes(f, bytes.data, bytes.size, &rc, &torn);
        assert_int_equal(rc, rows[i].rc < 0 ? rows[i].rc : 0);
        assert_int_equal(count, rows[i].rc == 1);
        cs_buf_clear(&bytes);
    }
}

static void test_read__length_is_capped(void **state)
{
    struct fixture *f = *state;
    struct cs_buf bytes = {0};
    uint64_t torn;
    int rc;

    add_record(&bytes, (uint64_t) TBW_RECORD_MAX + 1, "", 0);
    assert_int_equal(read_bytes(f, bytes.data, bytes.size, &rc, &torn), 0);
    assert_int_equal(rc, CS_ECORRUPT);
    bytes.size = 0;
    add_record(&bytes, TBW_RECORD_MAX, "", 0);
    assert_int_equal(read_bytes(f, bytes.data, bytes.size, &rc, &torn), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(torn, 16);
    cs_buf_clear(&bytes);
}

/* Scalars as tensors, the way TensorFlow writes them; metadata only with the first. */
static void test_read__tensor_scalars(void **state)
{
    static const char first[] = "\x2a\x20\x0a\x1e\x0a\x01"
                                "a\x42\x0a\x08\x01\x12\x00\x2a\x04\0\0\x80\x3e"
                                "\x4a\x0d\x0a\x09\x0a\x07scalars\x20\x01";
    static const char later[] = "\x2a\x0f\x0a\x0d\x0a\x01"
                                "a\x42\x08\x08\x01\x22\x04\0\0\x00\x3f";
    static const char matrix[] = "\x2a\x13\x0a\x11\x0a\x01"
                                 "a\x42\x0c\x08\x01\x12\x04\x12\x02\x08\x02\x22\x02\0\0";
    struct fixture *f = *state;
    struct cs_buf bytes = {0};
    struct tbw_event event;
    tbw_reader *r = NULL;
    char *path;

    add_record(&bytes, sizeof first - 1, first, sizeof first - 1);
    add_record(&bytes, sizeof later - 1, later, sizeof later - 1);
    add_record(&bytes, sizeof matrix - 1, matrix, sizeof matrix - 1);
    scratch_write(&path, f->dir, "tensors", bytes.data, bytes.size);
    assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(event.points[0].kind, TBW_POINT_SCALAR);
    assert_true(event.points[0].value == 0.25);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(event.points[0].kind, TBW_POINT_SCALAR);
    assert_string_equal(event.points[0].plugin, "scalars");
    assert_true(event.points[0].value == 0.5);
    assert_int_equal(event.offset, 16 + sizeof first - 1);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(event.points[0].kind, TBW_POINT_OTHER);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 0);
    tbw_reader_close(r);
    cs_buf_clear(&bytes);
    free(path);
}

static void test_read__errors_name_file_and_place(void **state)
{
    struct fixture *f = *state;
    struct tbw_event event;
    struct cs_error err = {0};
    tbw_reader *r = NULL;
    char *path, expected[128];

    f->bytes.data[f->ends[2] - 1] ^= 1;
    scratch_write(&path, f->dir, "damaged", f->bytes.data, f->bytes.size);
    assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    for (int i = 0; i < 2; i++) {
        memset(&err, 0, sizeof err);
        assert_int_equal(tbw_reader_next(&event, r, &err), CS_ECORRUPT);
        snprintf(expected, sizeof expected,
                 "record at byte %zu: checksum of the data does not match", f->ends[1]);
        assert_string_equal(err.detail, expected);
        assert_string_equal(err.where, path);
    }
    tbw_reader_close(r);
    free(path);
}

static void test_read__no_such_file(void **state)
{
    struct cs_error err;
    tbw_reader *r = NULL;

    (void) state;
    assert_int_equal(tbw_reader_open(&r, "/nonexistent/tfevents", &err), CS_EIO);
    assert_null(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read__cut_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read__every_changed_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read__zeros_behind_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read__bad_contents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read__length_is_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read__tensor_scalars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read__errors_name_file_and_place, setup, teardown),
        cmocka_unit_test(test_read__no_such_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
