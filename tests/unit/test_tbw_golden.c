/*
 * Event files byte for byte. The expected bytes were made with TensorBoard's own protobuf classes
 * and checksum (wall time 1600000000.5); the two records of the first test are from a file
 * TensorFlow wrote.
 */
#include "tbwriter/tbw.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_read.h"
#include "tests/unit/test_tbw_util.h"

#define WALL "09000020 0084d7d741 "
#define VERSION_RECORD                                                                       \
    "2200000000000000 78113dfd " WALL "1a0d627261696e2e4576656e743a32 52080a06637377656570 " \
    "902b013e "
#define START5_RECORD "0f00000000000000 6d532b09 " WALL "10053a020801 ff35fe94 "

struct fixture {
    char dir[SCRATCH_MAX];
    tbw_writer *w;
    struct cs_buf bytes; /* of the closed file */
};

static void open_at(struct fixture *f, int64_t start_step)
{
    const struct tbw_options opt = {.start_step = start_step, .wall_time = 1600000000.5};

    memset(f, 0, sizeof *f);
    scratch_make(f->dir);
    assert_int_equal(tbw_writer_open(&f->w, f->dir, &opt, NULL), 0);
}

/* Close the writer, read its file and remove it. */
static void finish(struct fixture *f)
{
    char *path = cs_xstrdup(tbw_writer_path(f->w));

    assert_int_equal(tbw_writer_close(f->w, NULL), 0);
    assert_int_equal(cs_read_file(&f->bytes, path, 1 << 20, NULL), 0);
    scratch_remove(f->dir);
    free(path);
}

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t size = 0;
    unsigned value;

    for (; *hex; hex++) {
        if (*hex == ' ')
            continue;
        assert_int_equal(sscanf(hex, "%2x", &value), 1);
        out[size++] = (uint8_t) value;
        hex++;
    }
    return size;
}

static void expect_bytes(struct fixture *f, const char *hex)
{
    uint8_t expected[1024];
    const size_t size = from_hex(expected, hex);

    finish(f);
    assert_int_equal(f->bytes.size, size);
    assert_memory_equal(f->bytes.data, expected, size);
    cs_buf_clear(&f->bytes);
}

/*
 * The data of the last record must have this size and end in these bytes, and the record in this
 * checksum.
 */
static void expect_last(struct fixture *f, size_t data_size, const char *tail_hex,
                        const char *footer_hex)
{
    uint8_t tail[256], footer[4];
    const size_t tail_size = from_hex(tail, tail_hex);
    size_t at = 0, size = 0;

    from_hex(footer, footer_hex);
    finish(f);
    for (; at < f->bytes.size; at += 16 + size) {
        size = (size_t) tbw_load64((const uint8_t *) f->bytes.data + at);
        if (at + 16 + size == f->bytes.size)
            break;
    }
    assert_int_equal(at + 16 + size, f->bytes.size);
    if (data_size)
        assert_int_equal(size, data_size);
    assert_memory_equal(f->bytes.data + at + 12 + size - tail_size, tail, tail_size);
    assert_memory_equal(f->bytes.data + at + 12 + size, footer, 4);
    cs_buf_clear(&f->bytes);
}

static void test_golden__head(void **state)
{
    struct fixture f;

    (void) state;
    open_at(&f, 5);
    expect_bytes(&f, VERSION_RECORD START5_RECORD);
}

static void test_golden__first_file_starts_at_step_0(void **state)
{
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    finish(&f);
    assert_int_equal(f.bytes.size, 34 + 16 + 13 + 16);
    assert_memory_equal(f.bytes.data + 34 + 16 + 12 + 9, "\x3a\x02\x08\x01", 4);
    cs_buf_clear(&f.bytes);
}

/* The metadata goes with a tag's first point, so the plain records are those of its second. */
static void test_golden__scalar_first_point(void **state)
{
    const struct tbw_scalar loss = {"loss", 0.25, "d"};
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_scalars(f.w, 0, &loss, 1, NULL), 0);
    expect_last(&f, 42,
                WALL "2a1f 0a1d 0a046c6f7373 150000803e 4a10 0a090a077363616c617273 1a0164 2001",
                "00a1918c");
}

static void test_golden__scalar_later_point(void **state)
{
    const struct tbw_scalar loss = {"loss", 0.25, NULL};
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_scalars(f.w, 6, &loss, 1, NULL), 0);
    assert_int_equal(tbw_writer_scalars(f.w, 7, &loss, 1, NULL), 0);
    expect_last(&f, 26, WALL "1007 2a0d 0a0b 0a046c6f7373 150000803e", "4012b8c8");
}

static void test_golden__two_scalars_one_event(void **state)
{
    const struct tbw_scalar both[] = {{"loss", 0.25, NULL}, {"acc", 0.5, NULL}};
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_scalars(f.w, 6, both, 2, NULL), 0);
    assert_int_equal(tbw_writer_scalars(f.w, 7, both, 2, NULL), 0);
    expect_last(&f, 38, WALL "1007 2a19 0a0b 0a046c6f7373 150000803e 0a0a 0a03616363 150000003f",
                "4c9c9082");
}

static void test_golden__zero_is_written(void **state)
{
    const struct tbw_scalar zero = {"z", 0, NULL};
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_scalars(f.w, 1, &zero, 1, NULL), 0);
    assert_int_equal(tbw_writer_scalars(f.w, 2, &zero, 1, NULL), 0);
    finish(&f);
    assert_memory_equal(f.bytes.data + f.bytes.size - 4 - 8, "\x0a\x01z\x15\0\0\0\0", 8);
    cs_buf_clear(&f.bytes);
}

static void test_golden__hparams_start(void **state)
{
    const struct tbw_hvalue lr = {"lr", TBW_FLOAT, NULL, 0.5};
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_hparams_start(f.w, &lr, 1, "g", 1.0, NULL), 0);
    expect_last(&f, 99, "1a1d 0a0f 0a026c72 120911000000000000e03f 220167 29000000000000f03f 2002",
                "2af29349");
}

static void test_golden__hparams_end(void **state)
{
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_hparams_end(f.w, TBW_SUCCESS, 2.0, NULL), 0);
    expect_last(&f, 79, "220b 0801 110000000000000040 2002", "5df6752e");
}

/* Text: dtype STRING, an empty shape (rank 0), one string; class TENSOR. */
static void test_golden__text(void **state)
{
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_text(f.w, "t", 3, "hi", NULL), 0);
    finish(&f);
    static const char expected[] = "\x10\x03\x2a\x1b\x0a\x19\x0a\x01t\x42\x08\x08\x07\x12\x00\x42"
                                   "\x02hi\x4a\x0a\x0a\x06\x0a\x04text\x20\x02";
    assert_memory_equal(f.bytes.data + f.bytes.size - 4 - (sizeof expected - 1), expected,
                        sizeof expected - 1);
    cs_buf_clear(&f.bytes);
}

/* A file of TensorFlow's own, through our reader. */
static void test_golden__tensorflow_file(void **state)
{
    static const char hex[] =
        "1800000000000000 a37f4b22 0900008038 99d6d741 1a0d627261696e2e4576656e743a32 124b36ab"
        "3200000000000000 241956ec 09c405b73d99d6d741 104d 2a25 0a23 0a086163637572616379"
        "420a080112002204a4707d3f 4a0b0a090a077363616c617273 a55b6433";
    char dir[SCRATCH_MAX], *path;
    uint8_t bytes[256];
    struct tbw_event event;
    tbw_reader *r = NULL;
    const size_t size = from_hex(bytes, hex);

    (void) state;
    scratch_make(dir);
    scratch_write(&path, dir, "tfevents", bytes, size);
    assert_int_equal(tbw_reader_open(&r, path, NULL), 0);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(event.kind, TBW_EVENT_VERSION);
    assert_string_equal(event.version, "brain.Event:2");
    assert_int_equal(tbw_reader_next(&event, r, NULL), 1);
    assert_int_equal(event.kind, TBW_EVENT_SUMMARY);
    assert_int_equal(event.step, 77);
    assert_int_equal(event.count, 1);
    assert_int_equal(event.points[0].kind, TBW_POINT_SCALAR);
    assert_string_equal(event.points[0].tag, "accuracy");
    assert_true(event.points[0].value == (double) 0.99f);
    assert_int_equal(tbw_reader_next(&event, r, NULL), 0);
    assert_int_equal(tbw_reader_torn_bytes(r), 0);
    tbw_reader_close(r);
    scratch_remove(dir);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden__head),
        cmocka_unit_test(test_golden__first_file_starts_at_step_0),
        cmocka_unit_test(test_golden__scalar_first_point),
        cmocka_unit_test(test_golden__scalar_later_point),
        cmocka_unit_test(test_golden__two_scalars_one_event),
        cmocka_unit_test(test_golden__zero_is_written),
        cmocka_unit_test(test_golden__hparams_start),
        cmocka_unit_test(test_golden__hparams_end),
        cmocka_unit_test(test_golden__text),
        cmocka_unit_test(test_golden__tensorflow_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
