/*
 * fashion_mnist.c - Fashion-MNIST: 60,000 + 10,000 images of 28 x 28 bytes, 10 classes.
 *
 * Files: the four IDX files of the usual names, .gz or not, in `path`, else where Debian's package
 * dataset-fashion-mnist puts them. IDX (yann.lecun.com/exdb/mnist): u32be magic 0x00000803 (images) or 0x00000801
 * (labels), u32be count, for images u32be rows, u32be columns, then the bytes. A .gz that is as it should be is
 * unpacked by libdeflate, in about half of zlib's time; everything else, what is at fault above all, goes through
 * zlib, which passes plain files through and says where a file ends early. Sizes and labels are checked.
 */
#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "trainer/data/data.h"

#define DEBIAN_FOLDER "/usr/share/datasets/fashion-mnist"

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, TRAIN = 60000, TEST = 10000 };

struct idx_file {
    const char *name;
    uint32_t magic, count, item; /* item: bytes of one image or label */
};

enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS };

static const struct idx_file files[] = {
    [TRAIN_IMAGES] = {"train-images-idx3-ubyte", 0x803, TRAIN, PIXELS},
    [TRAIN_LABELS] = {"train-labels-idx1-ubyte", 0x801, TRAIN, 1},
    [TEST_IMAGES] = {"t10k-images-idx3-ubyte", 0x803, TEST, PIXELS},
    [TEST_LABELS] = {"t10k-labels-idx1-ubyte", 0x801, TEST, 1},
};

static int describe(struct train_data_info *out, const char *args, struct cs_error *err)
{
    if (*args)
        return cs_fail(err, CS_EPARSE, "unexpected %s after fashion-mnist", args);
    *out = (struct train_data_info){.shape = {.ndim = 3, .dim = {1, SIDE, SIDE}},
                                    .width = CLASSES,
                                    .train_count = TRAIN,
                                    .test_count = TEST};
    return 0;
}

/* The file's path with or without .gz, whichever exists; NULL when neither does. */
static char *locate(const char *folder, const char *name)
{
    char *path = cs_xasprintf("%s/%s.gz", folder, name);

    if (access(path, R_OK) == 0)
        return path;
    path[strlen(path) - 3] = '\0';
    if (access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static int missing(const char *folder, const char *name, struct cs_error *err)
{
    return cs_fail(err, CS_EUNAVAILABLE,
                   "dataset fashion-mnist: no readable %s(.gz) in %s; install the package "
                   "dataset-fashion-mnist "
                   "or set path",
                   name, folder);
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

/* zlib's messages begin with the path. */
static int damaged(gzFile file, const char *path, struct cs_error *err)
{
    int state;
    const char *message = gzerror(file, &state);
    const size_t size = strlen(path);

    if (strncmp(message, path, size) == 0 && strncmp(message + size, ": ", 2) == 0)
        message += size + 2;
    return cs_fail(err, CS_ECORRUPT, "%s: damaged (zlib: %s)", path, message);
}

static int read_exactly(gzFile file, const char *path, uint8_t *out, unsigned size,
                        struct cs_error *err)
{
    const int n = gzread(file, out, size);

    if (n < 0)
        return damaged(file, path, err);
    if ((unsigned) n != size)
        return cs_fail(err, CS_ETRUNCATED, "%s: ends early; expected %u bytes more", path,
                       size - (unsigned) n);
    return 0;
}

/* Nothing may follow; asking for more makes zlib check the whole against its checksum. */
static int read_end(gzFile file, const char *path, struct cs_error *err)
{
    uint8_t byte;
    int state;
    const int n = gzread(file, &byte, 1);

    gzerror(file, &state);
    if (n > 0)
        return cs_fail(err, CS_ECORRUPT, "%s: longer than expected", path);
    if (state == Z_BUF_ERROR)
        return cs_fail(err, CS_ETRUNCATED, "%s: ends early; expected its checksum", path);
    return n < 0 ? damaged(file, path, err) : 0;
}

static bool has_header(const uint8_t header[16], const struct idx_file *idx)
{
    const bool images = idx->magic == 0x803;

    return big_endian(header) == idx->magic && big_endian(header + 4) == idx->count &&
           (!images || (big_endian(header + 8) == SIDE && big_endian(header + 12) == SIDE));
}

static size_t header_size(const struct idx_file *idx)
{
    return idx->magic == 0x803 ? 16 : 8;
}

/* Open a file and read past its header, which must say what the data set is known to hold. */
static int open_idx(gzFile *out, const char *path, const struct idx_file *idx, struct cs_error *err)
{
    uint8_t header[16];
    gzFile file = gzopen(path, "rbe");

    if (!file)
        return cs_fail_errno(err, "%s: cannot open", path);
    gzbuffer(file, 1 << 17);
    int rc = read_exactly(file, path, header, (unsigned) header_size(idx), err);
    if (rc == 0 && !has_header(header, idx))
        rc = cs_fail(err, CS_ECORRUPT, "%s: not an IDX file of %u items of %u bytes", path,
                     idx->count, idx->item);
    if (rc < 0)
        gzclose(file);
    else
        *out = file;
    return rc;
}

/* A good .gz of one member into a block whose items begin at *out - header_size; false: anything else. */
static bool unpack(uint8_t **out, const char *path, const struct idx_file *idx)
{
    const size_t size = header_size(idx) + (size_t) idx->count * idx->item;
    struct cs_buf packed = {0};
    size_t used = 0, got = 0;

    if (cs_read_file(&packed, path, 2 * size, NULL) < 0)
        return false;
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    uint8_t *data = malloc(size);
    const bool good = inflater && data &&
                      libdeflate_gzip_decompress_ex(inflater, packed.data, packed.size, data, size,
                                                    &used, &got) == LIBDEFLATE_SUCCESS &&
                      used == packed.size && got == size && has_header(data, idx);
    libdeflate_free_decompressor(inflater);
    cs_buf_clear(&packed);
    if (!good) {
        free(data);
        return false;
    }
    *out = data;
    return true;
}

/* The whole file into *block (malloc'ed), its items at *out. */
static int read_idx(uint8_t **block, uint8_t **out, const char *path, const struct idx_file *idx,
                    struct cs_error *err)
{
    gzFile file;

    if (unpack(block, path, idx)) {
        *out = *block + header_size(idx);
        return 0;
    }
    CS_TRY(open_idx(&file, path, idx, err));
    uint8_t *data = malloc((size_t) idx->count * idx->item);
    int rc = data ? read_exactly(file, path, data, idx->count * idx->item, err)
                  : cs_fail(err, CS_ENOMEM, "no memory for %s", path);
    if (rc == 0)
        rc = read_end(file, path, err);
    gzclose(file);
    if (rc < 0)
        free(data);
    else
        *block = *out = data;
    return rc;
}

static int read_named(uint8_t **block, uint8_t **out, const char *folder,
                      const struct idx_file *idx, struct cs_error *err)
{
    char *path = locate(folder, idx->name);

    if (!path)
        return missing(folder, idx->name, err);
    const int rc = read_idx(block, out, path, idx, err);
    free(path);
    return rc;
}

/* All four are there, with the right headers. */
static int check(const char *path, struct cs_error *err)
{
    const char *folder = *path ? path : DEBIAN_FOLDER;

    for (size_t i = 0; i < CS_COUNT(files); i++) {
        gzFile file;
        char *found = locate(folder, files[i].name);
        const int rc =
            found ? open_idx(&file, found, &files[i], err) : missing(folder, files[i].name, err);
        free(found);
        CS_TRY(rc);
        gzclose(file);
    }
    return 0;
}

static int take_labels(struct train_side *side, void **owned, uint8_t *bytes, int count,
                       struct cs_error *err)
{
    int32_t *labels = cs_xcalloc((size_t) count, sizeof *labels);

    *owned = labels;
    side->labels = labels;
    for (int i = 0; i < count; i++) {
        labels[i] = bytes[i];
        if (bytes[i] >= CLASSES)
            return cs_fail(err, CS_ECORRUPT,
                           "dataset fashion-mnist: label %d of example %d; expected 0 to 9",
                           bytes[i], i);
    }
    return 0;
}

/* files[first] are the images, files[first + 1] the labels. */
static int load_side(struct train_side *side, void **owned, const char *folder, int first,
                     struct cs_error *err)
{
    uint8_t *block = NULL, *images = NULL, *labels = NULL;

    CS_TRY(read_named(&block, &images, folder, &files[first], err));
    owned[0] = block;
    side->pixels = images;
    CS_TRY(read_named(&block, &labels, folder, &files[first + 1], err));
    const int rc = take_labels(side, &owned[1], labels, (int) files[first + 1].count, err);
    free(block);
    return rc;
}

static int load(struct train_data *data, const char *args, const char *path,
                const struct train_data_info *info, struct cs_error *err)
{
    const char *folder = *path ? path : DEBIAN_FOLDER;

    (void) args;
    (void) info;
    CS_TRY(load_side(&data->train, &data->owned[0], folder, TRAIN_IMAGES, err));
    return load_side(&data->val, &data->owned[2], folder, TEST_IMAGES, err);
}

const struct train_dataset_kind train_dataset_fashion_mnist = {
    .name = "fashion-mnist",
    .usage = "fashion-mnist",
    .help = "70,000 images of clothes, 28 x 28, 10 classes (Debian's package "
            "dataset-fashion-mnist, or `path`)",
    .describe = describe,
    .check = check,
    .load = load,
};
