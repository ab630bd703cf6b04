/*
 * `idx`, the user's own IDX files: rows, images and channels, with and without a test set, .gz or not; headers that lie
 * or do not fit together; the folders in which known sets are found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "trainer/data/data.h"
#include "trainer/spec.h"

static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
static char folder[] = "/tmp/csweep-idx-XXXXXX";

static int make_folder(void **state)
{
    (void) state;
    return mkdtemp(folder) ? 0 : -1;
}

static void clear(void)
{
    for (size_t i = 0; i < 2 * CS_COUNT(names); i++) {
        char *path = cs_xasprintf("%s/%s%s", folder, names[i / 2], i % 2 ? ".gz" : "");
        unlink(path);
        free(path);
    }
}

static int remove_folder(void **state)
{
    (void) state;
    clear();
    return rmdir(folder);
}

/* Byte i of what is written. */
static uint8_t byte_of(size_t i)
{
    return (uint8_t) (i * 7 + i / 251);
}

/* The file, its items byte_of(0), ...; labels modulo classes when there are any. */
static void write_idx(size_t which, const uint32_t *size, int dims, int classes, bool gz)
{
    struct cs_buf out = {0};
    size_t bytes = 1;
    const char magic[4] = {0, 0, 8, (char) dims};

    cs_buf_add(&out, magic, 4);
    for (int i = 0; i < dims; i++) {
        const uint8_t big[4] = {(uint8_t) (size[i] >> 24), (uint8_t) (size[i] >> 16),
                                (uint8_t) (size[i] >> 8), (uint8_t) size[i]};
        cs_buf_add(&out, big, 4);
        bytes *= size[i];
    }
    for (size_t i = 0; i < bytes; i++) {
        const uint8_t b = (uint8_t) (classes ? i % (size_t) classes : byte_of(i));
        cs_buf_add(&out, &b, 1);
    }
    char *path = cs_xasprintf("%s/%s%s", folder, names[which], gz ? ".gz" : "");
    if (gz) {
        gzFile file = gzopen(path, "wb");
        assert_int_equal(gzwrite(file, out.data, (unsigned) out.size), out.size);
        assert_int_equal(gzclose(file), Z_OK);
    } else {
        assert_int_equal(cs_write_file(path, out.data, out.size, NULL), 0);
    }
    cs_buf_clear(&out);
    free(path);
}

static int make(struct train_spec **spec, const char *split, struct cs_error *err)
{
    const struct train_setting settings[] = {{"dataset", "idx", 0},
                                             {"path", folder, 0},
                                             {"val_split", split, 0},
                                             {"layers", "flatten > linear 256", 0}};
    return train_spec_create(spec, settings, CS_COUNT(settings), 0, err);
}

static struct train_data *load(const char *split)
{
    struct train_spec *spec = NULL;
    struct train_data *data = NULL;
    struct cs_error err;

    if (make(&spec, split, &err) < 0 || train_spec_check_data(spec, &err) < 0 ||
        train_data_load(&data, spec, &err) < 0)
        fail_msg("%s", err.detail);
    train_spec_free(spec);
    return data;
}

static void all_shapes_are_read(void **state)
{
    static const uint32_t sizes[][4] = {{9, 5}, {9, 4, 3}, {9, 2, 4, 3}};

    (void) state;
    for (int dims = 2; dims <= 4; dims++) {
        for (int gz = 0; gz < 2; gz++) {
            uint32_t test[4];
            memcpy(test, sizes[dims - 2], sizeof test);
            test[0] = 3;
            clear();
            write_idx(0, sizes[dims - 2], dims, 0, gz);
            write_idx(1, sizes[dims - 2], 1, 4, gz);
            write_idx(2, test, dims, 0, !gz);
            write_idx(3, test, 1, 4, gz);
            struct train_data *d = load("0");
            const int features = train_shape_size(&d->shape);
            assert_int_equal(d->shape.ndim, dims == 2 ? 1 : 3);
            assert_int_equal(d->shape.dim[0], dims == 2 ? 5 : dims == 3 ? 1 : 2);
            assert_int_equal(features, dims == 2 ? 5 : dims == 3 ? 12 : 24);
            assert_int_equal(d->width, 4);
            assert_int_equal(d->train.count, 9);
            assert_int_equal(d->val.count, 3);
            for (size_t i = 0; i < 9 * (size_t) features; i++)
                assert_int_equal(d->train.pixels[i], byte_of(i));
            for (size_t i = 0; i < 3 * (size_t) features; i++)
                assert_int_equal(d->val.pixels[i], byte_of(i));
            for (int i = 0; i < 9; i++)
                assert_int_equal(d->train.labels[i], i % 4);
            train_data_free(d);
        }
    }
}

static void without_a_test_set_it_is_cut(void **state)
{
    const uint32_t size[] = {10, 3, 3};

    (void) state;
    clear();
    write_idx(0, size, 3, 0, false);
    write_idx(1, size, 1, 2, true);
    struct train_data *d = load("0.3");
    assert_int_equal(d->train.count, 7);
    assert_int_equal(d->val.count, 3);
    train_data_free(d);
    struct train_spec *spec = NULL;
    struct cs_error err;
    assert_int_equal(make(&spec, "0", &err), CS_ERANGE);
    assert_non_null(strstr(err.detail, "leaves 10 training and 0 validation examples"));
}

static void refused(int code, const char *file, const char *message)
{
    struct train_spec *spec = NULL;
    struct cs_error err = {0};
    char *expected = file ? cs_xasprintf("dataset = idx: %s/%s: %s", folder, file, message)
                          : cs_xasprintf("dataset = idx: %s", message);

    const int rc = make(&spec, "0", &err);
    assert_string_equal(err.detail, expected);
    assert_int_equal(rc, code);
    free(expected);
}

static void what_does_not_fit_is_refused(void **state)
{
    const uint32_t size[] = {6, 2, 2}, other[] = {6, 2, 3}, fewer[] = {5};

    (void) state;
    clear();
    char *message =
        cs_xasprintf("dataset idx: no readable %s(.gz) in %s; expected the files of an MNIST "
                     "folder; set path",
                     names[0], folder);
    refused(CS_EUNAVAILABLE, NULL, message);
    free(message);
    write_idx(0, size, 3, 0, false);
    write_idx(1, fewer, 1, 3, false);
    refused(CS_ECORRUPT, names[1], "5 labels for 6 images");
    write_idx(1, size, 1, 3, false);
    write_idx(2, other, 3, 0, false);
    refused(CS_ECORRUPT, names[2], "not the shape of train-images-idx3-ubyte");
    write_idx(2, size, 2, 0, false);
    refused(CS_ECORRUPT, names[2], "not the shape of train-images-idx3-ubyte");
    write_idx(2, size, 3, 0, false);
    write_idx(3, size, 3, 0, false);
    refused(CS_ECORRUPT, names[3],
            "not an IDX file of bytes with 1 to 1 dimensions; it begins with 0x00000803");
    write_idx(3, size, 1, 4, false); /* a label that training never saw */
    struct train_spec *spec = NULL;
    struct train_data *data = NULL;
    struct cs_error err;
    assert_int_equal(make(&spec, "0", &err), 0);
    assert_int_equal(train_data_load(&data, spec, &err), CS_ECORRUPT);
    assert_string_equal(err.detail, "dataset idx: label 3 of example 3; expected 0 to 2");
    train_spec_free(spec);
}

/* Between the plan and the load; what was planned for would be read past its end. */
static void files_that_changed_are_refused(void **state)
{
    static const uint32_t then[] = {6, 2, 4}, now[][3] = {{5, 2, 4}, {6, 2, 2}, {6, 4, 2}};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(now); i++) {
        struct train_spec *spec = NULL;
        struct train_data *data = NULL;
        struct cs_error err;
        clear();
        write_idx(0, then, 3, 0, false);
        write_idx(1, then, 1, 3, false);
        assert_int_equal(make(&spec, "2", &err), 0);
        write_idx(0, now[i], 3, 0, false);
        write_idx(1, now[i], 1, 3, false);
        assert_int_equal(train_data_load(&data, spec, &err), CS_ECORRUPT);
        assert_string_equal(err.detail, "dataset idx: its files were changed meanwhile");
        train_spec_free(spec);
    }
}

/* Found by fuzzing: what had been read of a file much too long was lost. */
static void a_file_much_too_long_is_refused(void **state)
{
    const uint32_t size[] = {2, 2, 2};
    char bytes[200] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
    char *path = cs_xasprintf("%s/%s", folder, names[1]);

    (void) state;
    clear();
    write_idx(0, size, 3, 0, false);
    assert_int_equal(cs_write_file(path, bytes, sizeof bytes, NULL), 0);
    refused(CS_ECORRUPT, names[1], "longer than expected");
    free(path);
}

/* A few bytes that claim much; nothing is allocated for them. */
static void headers_that_lie_are_refused(void **state)
{
    static const struct {
        uint8_t bytes[20];
        size_t size;
        const char *message;
    } rows[] = {
        {{0, 0, 8, 3, 0x7f, 255, 255, 255, 0, 0, 0, 1, 0, 0, 0, 1},
         16,
         "its header says 2147483647 items of 1 bytes, the file has 16 bytes"},
        {{0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 0, 1, 0, 0, 0, 1},
         16,
         "its header says 4294967295 items of 1 bytes, the file has 16 bytes"},
        {{0, 0, 8, 3, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255},
         16,
         "items of 4294967295 in a dimension; expected 1 to 16777216 bytes an item"},
        {{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1},
         16,
         "items of 0 in a dimension; expected 1 to 16777216 bytes an item"},
        {{0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1},
         16,
         "its header says 0 items of 1 bytes, the file has 16 bytes"},
        {{0, 0, 8, 5, 0},
         5,
         "not an IDX file of bytes with 2 to 4 dimensions; it begins with 0x00000805"},
        {{0, 0, 13, 3, 0},
         5,
         "not an IDX file of bytes with 2 to 4 dimensions; it begins with 0x00000d03"},
    };

    (void) state;
    clear();
    char *path = cs_xasprintf("%s/%s", folder, names[0]);
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        assert_int_equal(cs_write_file(path, rows[i].bytes, rows[i].size, NULL), 0);
        refused(CS_ECORRUPT, names[0], rows[i].message);
    }
    assert_int_equal(cs_write_file(path, rows[0].bytes, 6, NULL), 0);
    refused(CS_ETRUNCATED, names[0], "ends early; expected 10 bytes more");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_shapes_are_read),
        cmocka_unit_test(without_a_test_set_it_is_cut),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(files_that_changed_are_refused),
        cmocka_unit_test(a_file_much_too_long_is_refused),
        cmocka_unit_test(headers_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
