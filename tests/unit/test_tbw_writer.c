/* What the writer takes and refuses, and that a refused call leaves nothing behind. */
#include <float.h>
#include <math.h>

#include "tbwriter/tbw.h"
#include "tbwriter/tbw_read.h"
#include "tbwriter/tbw_text.h"
#include "tests/unit/test_tbw_util.h"

struct fixture {
    char dir[SCRATCH_MAX];
    char *path;
    tbw_writer *w;
    tbw_reader *r;
};

static void open_at(struct fixture *f, int64_t start_step)
{
    const struct tbw_options opt = {.start_step = start_step, .wall_time = 1600000000.5};

    memset(f, 0, sizeof *f);
    scratch_make(f->dir);
    assert_int_equal(tbw_writer_open(&f->w, f->dir, &opt, NULL), 0);
    f->path = cs_xstrdup(tbw_writer_path(f->w));
}

/* Close the writer; the reader stands behind the first two records. */
static void read_back(struct fixture *f)
{
    struct tbw_event event;

    assert_int_equal(tbw_writer_close(f->w, NULL), 0);
    assert_int_equal(tbw_reader_open(&f->r, f->path, NULL), 0);
    assert_int_equal(tbw_reader_next(&event, f->r, NULL), 1);
    assert_int_equal(event.kind, TBW_EVENT_VERSION);
    assert_string_equal(event.version, "brain.Event:2");
    assert_string_equal(event.writer, "csweep");
    assert_int_equal(tbw_reader_next(&event, f->r, NULL), 1);
    assert_int_equal(event.kind, TBW_EVENT_SESSION);
    assert_int_equal(event.session_status, TBW_SESSION_START);
}

static void expect_end(struct fixture *f)
{
    struct tbw_event event;

    assert_int_equal(tbw_reader_next(&event, f->r, NULL), 0);
    assert_int_equal(tbw_reader_torn_bytes(f->r), 0);
    tbw_reader_close(f->r);
    scratch_remove(f->dir);
    free(f->path);
}

static int add(tbw_writer *w, const char *tag, int64_t step, double value, struct cs_error *err)
{
    const struct tbw_scalar scalar = {tag, value, NULL};

    return tbw_writer_scalars(w, step, &scalar, 1, err);
}

static void test_scalars__come_back(void **state)
{
    const double values[] = {0, -0.0, 1.0 / 3, -1e-30, 1e30, 1e300, -1e300, (double) INFINITY};
    struct tbw_scalar scalars[CS_COUNT(values) + 1];
    char tags[CS_COUNT(scalars)][32];
    struct tbw_event event;
    struct fixture f;

    (void) state;
    for (size_t i = 0; i < CS_COUNT(scalars); i++) {
        snprintf(tags[i], sizeof tags[i], "Group/%zu \xc3\xa9", i);
        scalars[i] = (struct tbw_scalar){tags[i], (double) NAN, "about *it*"};
        if (i < CS_COUNT(values))
            scalars[i].value = values[i];
    }
    open_at(&f, 0);
    assert_int_equal(tbw_writer_scalars(f.w, 1, scalars, CS_COUNT(scalars), NULL), 0);
    assert_int_equal(tbw_writer_scalars(f.w, INT64_MAX, scalars, CS_COUNT(scalars), NULL), 0);
    read_back(&f);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
        assert_int_equal(event.kind, TBW_EVENT_SUMMARY);
        assert_true(event.step == (round ? INT64_MAX : 1));
        assert_true(event.wall_time == 1600000000.5);
        assert_int_equal(event.count, CS_COUNT(scalars));
        for (size_t i = 0; i < event.count; i++) {
            assert_int_equal(event.points[i].kind, TBW_POINT_SCALAR);
            assert_string_equal(event.points[i].tag, tags[i]);
            assert_string_equal(event.points[i].plugin, "scalars");
            assert_string_equal(event.points[i].description, round ? "" : "about *it*");
            if (i < CS_COUNT(values))
                assert_true(event.points[i].value == (double) (float) values[i]);
            else
                assert_true(isnan(event.points[i].value));
        }
    }
    expect_end(&f);
}

static void test_scalars__none_is_no_event(void **state)
{
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_scalars(f.w, 1, NULL, 0, NULL), 0);
    read_back(&f);
    expect_end(&f);
}

/* Many tags, in changing groups: each keeps its own last step. */
static void test_scalars__many_tags(void **state)
{
    struct tbw_event event;
    struct fixture f;
    size_t points = 0;
    char tag[32];

    (void) state;
    open_at(&f, 0);
    for (int64_t step = 1; step <= 3; step++) {
        for (int i = 0; i < 500; i++) {
            snprintf(tag, sizeof tag, "tag/%d", i);
            assert_int_equal(add(f.w, tag, step, i, NULL), 0);
            assert_int_equal(add(f.w, tag, step, i, NULL), CS_ERANGE);
        }
    }
    read_back(&f);
    for (; tbw_reader_next(&event, f.r, NULL) == 1; points++) {
        snprintf(tag, sizeof tag, "tag/%d", (int) (points % 500));
        assert_string_equal(event.points[0].tag, tag);
        assert_true(event.points[0].value == (double) (points % 500));
        assert_int_equal(event.step, 1 + points / 500);
    }
    assert_int_equal(points, 1500);
    expect_end(&f);
}

static void test_steps__must_rise(void **state)
{
    struct tbw_event event;
    struct cs_error err;
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(add(f.w, "a", 5, 1, NULL), 0);
    assert_int_equal(add(f.w, "a", 5, 1, &err), CS_ERANGE);
    assert_string_equal(err.detail, "tag 'a': step 5 must be above 5, its last");
    assert_int_equal(add(f.w, "a", 4, 1, NULL), CS_ERANGE);
    assert_int_equal(add(f.w, "b", 4, 1, NULL), 0);
    assert_int_equal(add(f.w, "a", 6, 1, NULL), 0);
    assert_int_equal(tbw_writer_text(f.w, "t", 2, "x", NULL), 0);
    assert_int_equal(tbw_writer_text(f.w, "t", 2, "x", NULL), CS_ERANGE);
    read_back(&f);
    for (int i = 0; i < 4; i++)
        assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    expect_end(&f);
}

static void test_steps__not_below_the_start(void **state)
{
    struct cs_error err;
    struct tbw_event event;
    struct fixture f;

    (void) state;
    open_at(&f, 7);
    assert_int_equal(add(f.w, "a", 6, 1, &err), CS_ERANGE);
    assert_string_equal(err.detail, "step 6: this file starts at step 7");
    assert_int_equal(tbw_writer_text(f.w, "t", 6, "x", NULL), CS_ERANGE);
    assert_int_equal(add(f.w, "a", 7, 1, NULL), 0);
    read_back(&f);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    assert_int_equal(event.step, 7);
    expect_end(&f);
}

/* One bad scalar: none of the event's is taken, and all may be given again. */
static void test_scalars__all_or_none(void **state)
{
    const struct tbw_scalar twice[] = {{"new", 1, NULL}, {"b", 1, NULL}, {"new", 2, NULL}};
    const struct tbw_scalar old[] = {{"b", 1, NULL}, {"a", 1, NULL}};
    const struct tbw_scalar text[] = {{"b", 1, NULL}, {"t", 1, NULL}};
    const struct tbw_scalar described[] = {{"b", 1, NULL}, {"c", 1, "\xff"}};
    struct tbw_event event;
    struct cs_error err;
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(add(f.w, "a", 5, 1, NULL), 0);
    assert_int_equal(tbw_writer_text(f.w, "t", 1, "x", NULL), 0);
    assert_int_equal(tbw_writer_scalars(f.w, 5, twice, 3, &err), CS_ERANGE);
    assert_string_equal(err.detail, "tag 'new' given twice for step 5");
    assert_int_equal(tbw_writer_scalars(f.w, 5, old, 2, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_scalars(f.w, 5, text, 2, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_scalars(f.w, 5, described, 2, NULL), CS_EPARSE);
    assert_int_equal(tbw_writer_scalars(f.w, 5, twice, 2, NULL), 0);
    read_back(&f);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    assert_int_equal(event.count, 2);
    assert_string_equal(event.points[0].plugin, "scalars"); /* the metadata was not lost */
    expect_end(&f);
}

static void test_tags__one_plugin_each(void **state)
{
    struct cs_error err;
    struct fixture f;
    struct tbw_event event;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(add(f.w, "a", 1, 1, NULL), 0);
    assert_int_equal(tbw_writer_text(f.w, "a", 2, "x", &err), CS_ERANGE);
    assert_string_equal(err.detail, "tag 'a' belongs to scalars and cannot hold text");
    read_back(&f);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    expect_end(&f);
}

static void test_text__comes_back(void **state)
{
    struct tbw_event event;
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    assert_int_equal(tbw_writer_text(f.w, "card", 0, "| a |\n|---|\n| \xf0\x9f\x98\x80 |", NULL),
                     0);
    assert_int_equal(tbw_writer_text(f.w, "card", 1, "", NULL), 0);
    read_back(&f);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    assert_int_equal(event.points[0].kind, TBW_POINT_TEXT);
    assert_string_equal(event.points[0].plugin, "text");
    assert_int_equal(event.points[0].size, 20);
    assert_memory_equal(event.points[0].text, "| a |\n|---|\n| \xf0\x9f\x98\x80 |", 20);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    assert_int_equal(event.points[0].kind, TBW_POINT_TEXT);
    assert_int_equal(event.points[0].size, 0);
    expect_end(&f);
}

/* ---- UTF-8 ---- */

static const char *const bad_texts[] = {
    "\x80",             /* a lone continuation byte */
    "ab\xc3",           /* cut */
    "\xc0\xaf",         /* overlong, two bytes */
    "\xc1\xbf",         /* the same */
    "\xe0\x9f\xbf",     /* overlong, three */
    "\xf0\x8f\xbf\xbf", /* overlong, four */
    "\xed\xa0\x80",     /* a surrogate */
    "\xf4\x90\x80\x80", /* above U+10FFFF */
    "\xf5\x80\x80\x80",
    "\xff",
    "\xe2\x28\xa1",
    "\xe2\x82\x28",
    "\xf0\x9f\x98\x28",
};

static const char *const good_texts[] = {
    "",
    "plain",
    "\x7f",
    "\xc2\x80",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf",
};

static void test_utf8__both_sides_of_every_bound(void **state)
{
    (void) state;
    for (size_t i = 0; i < CS_COUNT(bad_texts); i++)
        assert_false(tbw_utf8_valid(bad_texts[i], strlen(bad_texts[i])));
    for (size_t i = 0; i < CS_COUNT(good_texts); i++)
        assert_true(tbw_utf8_valid(good_texts[i], strlen(good_texts[i])));
    assert_false(tbw_utf8_valid("\xe2\x82\xac", 2)); /* must not look behind the end */
}

static void test_utf8__refused_everywhere(void **state)
{
    struct fixture f;
    struct cs_error err;

    (void) state;
    open_at(&f, 0);
    for (size_t i = 0; i < CS_COUNT(bad_texts); i++) {
        const char *bad = bad_texts[i];
        const struct tbw_scalar described = {"ok", 1, bad};
        const struct tbw_hvalue name = {bad, TBW_FLOAT, NULL, 1};
        const struct tbw_hvalue text = {"ok", TBW_STRING, bad, 0};
        const struct tbw_hvalue ok = {"ok", TBW_FLOAT, NULL, 1};
        const struct tbw_chart chart = {.title = "ok", .tags = &bad, .tag_count = 1},
                               bad_chart = {.title = bad};
        const struct tbw_category categories[] = {
            {"ok", &chart, 1}, {"ok", &bad_chart, 1}, {bad, NULL, 0}};
        assert_int_equal(add(f.w, bad, 1, 1, NULL), CS_EPARSE);
        assert_int_equal(tbw_writer_scalars(f.w, 1, &described, 1, NULL), CS_EPARSE);
        assert_int_equal(tbw_writer_text(f.w, bad, 1, "ok", NULL), CS_EPARSE);
        assert_int_equal(tbw_writer_text(f.w, "ok", 1, bad, NULL), CS_EPARSE);
        assert_int_equal(tbw_writer_hparams_start(f.w, &name, 1, NULL, 0, NULL), CS_EPARSE);
        assert_int_equal(tbw_writer_hparams_start(f.w, &text, 1, NULL, 0, NULL), CS_EPARSE);
        assert_int_equal(tbw_writer_hparams_start(f.w, &ok, 1, bad, 0, NULL), CS_EPARSE);
        for (size_t k = 0; k < CS_COUNT(categories); k++)
            assert_int_equal(tbw_writer_layout(f.w, &categories[k], 1, NULL), CS_EPARSE);
    }
    assert_int_equal(tbw_writer_text(f.w, "ok", 1, "ab\xc3", &err), CS_EPARSE);
    assert_string_equal(err.detail, "text is not valid utf-8 at byte 2 (0xc3)");
    read_back(&f);
    expect_end(&f);
}

static void test_tags__no_control_bytes_and_not_empty(void **state)
{
    static const char *const bad[] = {"", "a\nb", "\x01", "a\x7f", NULL};
    struct fixture f;

    (void) state;
    open_at(&f, 0);
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        assert_int_equal(add(f.w, bad[i], 1, 1, NULL), CS_EPARSE);
        assert_int_equal(tbw_writer_text(f.w, bad[i], 1, "x", NULL), CS_EPARSE);
    }
    read_back(&f);
    expect_end(&f);
}

/* Without a fixed wall time events carry the clock's. */
static void test_wall_time__is_the_clock(void **state)
{
    struct tbw_event event;
    struct fixture f;
    const double before = cs_wall_seconds();

    (void) state;
    memset(&f, 0, sizeof f);
    scratch_make(f.dir);
    assert_int_equal(tbw_writer_open(&f.w, f.dir, NULL, NULL), 0);
    f.path = cs_xstrdup(tbw_writer_path(f.w));
    assert_int_equal(add(f.w, "a", 0, 1, NULL), 0);
    read_back(&f);
    assert_int_equal(tbw_reader_next(&event, f.r, NULL), 1);
    assert_true(event.wall_time >= before - 1 && event.wall_time <= cs_wall_seconds() + 1);
    expect_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars__come_back),
        cmocka_unit_test(test_scalars__none_is_no_event),
        cmocka_unit_test(test_scalars__many_tags),
        cmocka_unit_test(test_steps__must_rise),
        cmocka_unit_test(test_steps__not_below_the_start),
        cmocka_unit_test(test_scalars__all_or_none),
        cmocka_unit_test(test_tags__one_plugin_each),
        cmocka_unit_test(test_text__comes_back),
        cmocka_unit_test(test_utf8__both_sides_of_every_bound),
        cmocka_unit_test(test_utf8__refused_everywhere),
        cmocka_unit_test(test_tags__no_control_bytes_and_not_empty),
        cmocka_unit_test(test_wall_time__is_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
