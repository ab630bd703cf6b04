/* idx.c - IDX files: the reader, the sets of MNIST's form, and `idx`, the user's own. */
#include "trainer/data/idx.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/cs_error.h"
#include "common/cs_io.h"

enum { SIDE = 28, CLASSES = 10, TRAIN = 60000, TEST = 10000, HEADER_MAX = 20 };
enum { MOST_ITEM = 1 << 24, MOST_CLASSES = 256 };

enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

static const char *const names[FILES] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/* What a file holds. */
struct idx {
    int dims;         /* 1 to 4 */
    uint32_t size[4]; /* size[0]: items */
};

static size_t item_bytes(const struct idx *idx)
{
    size_t bytes = 1;

    for (int i = 1; i < idx->dims; i++)
        bytes *= idx->size[i];
    return bytes;
}

static size_t header_bytes(const struct idx *idx)
{
    return 4 + 4 * (size_t) idx->dims;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static bool has_header(const uint8_t *header, const struct idx *idx)
{
    bool same = big_endian(header) == 0x800u + (uint32_t) idx->dims;

    for (int i = 0; i < idx->dims; i++)
        same = same && big_endian(header + 4 + 4 * i) == idx->size[i];
    return same;
}

/* ---- where ---- */

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

static int missing(const char *dataset, const char *folder, const char *name, const char *hint,
                   struct cs_error *err)
{
    return cs_fail(err, CS_EUNAVAILABLE, "dataset %s: no readable %s(.gz) in %s; %s", dataset, name,
                   folder, hint);
}

static bool has_images(const char *folder)
{
    char *found = locate(folder, names[TRAIN_IMAGES]);

    free(found);
    return found != NULL;
}

/* Where Debian's packages put data sets, where downloads of one's own belong, and the tutorials' root. */
static char *known_folder(const struct train_idx_set *set, int i)
{
    const char *home = getenv("HOME"), *own = getenv("XDG_DATA_HOME");

    if (i == 0)
        return cs_xasprintf("/usr/share/datasets/%s", set->name);
    if (i == 1)
        return cs_xasprintf("data/%s/raw", set->torchvision);
    if (own && *own)
        return cs_xasprintf("%s/csweep/%s", own, set->name);
    return cs_xasprintf("%s/.local/share/csweep/%s", home ? home : "", set->name);
}

/* The first folder with images; the first of all when there is none. */
static char *set_folder(const struct train_idx_set *set, const char *path)
{
    char *first = *path ? cs_xstrdup(path) : known_folder(set, 0);

    for (int i = 0; i < 3; i++) {
        char *folder = i == 0   ? cs_xstrdup(first)
                       : !*path ? known_folder(set, i)
                       : i == 1 ? cs_xasprintf("%s/%s/raw", path, set->torchvision)
                                : cs_xasprintf("%s/raw", path);
        if (has_images(folder)) {
            free(first);
            return folder;
        }
        free(folder);
    }
    return first;
}

/* ---- reading ---- */

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

/* Open a file and read past its header, which must be this one. */
static int open_idx(gzFile *out, const char *path, const struct idx *idx, struct cs_error *err)
{
    uint8_t header[HEADER_MAX];
    gzFile file = gzopen(path, "rbe");

    if (!file)
        return cs_fail_errno(err, "%s: cannot open", path);
    gzbuffer(file, 1 << 17);
    int rc = read_exactly(file, path, header, (unsigned) header_bytes(idx), err);
    if (rc == 0 && !has_header(header, idx))
        rc = cs_fail(err, CS_ECORRUPT, "%s: not an IDX file of %u items of %zu bytes", path,
                     idx->size[0], item_bytes(idx));
    if (rc < 0)
        gzclose(file);
    else
        *out = file;
    return rc;
}

/* A good .gz of one member into a block whose items begin behind the header; false: anything else. */
static bool unpack(uint8_t **out, const char *path, const struct idx *idx)
{
    const size_t size = header_bytes(idx) + idx->size[0] * item_bytes(idx);
    struct cs_buf packed = {0};
    size_t used = 0, got = 0;

    if (cs_read_file(&packed, path, 2 * size, NULL) < 0) {
        cs_buf_clear(&packed);
        return false;
    }
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

/* zlib reads at most 2^31 bytes at a time. */
static int read_items(gzFile file, const char *path, uint8_t *out, size_t size,
                      struct cs_error *err)
{
    while (size > 0) {
        const unsigned part = size < 1u << 30 ? (unsigned) size : 1u << 30;
        CS_TRY(read_exactly(file, path, out, part, err));
        out += part;
        size -= part;
    }
    return read_end(file, path, err);
}

/* The whole file into *block (malloc'ed), its items at *out. */
static int read_idx(uint8_t **block, uint8_t **out, const char *path, const struct idx *idx,
                    struct cs_error *err)
{
    const size_t size = idx->size[0] * item_bytes(idx);
    gzFile file;

    if (unpack(block, path, idx)) {
        *out = *block + header_bytes(idx);
        return 0;
    }
    CS_TRY(open_idx(&file, path, idx, err));
    uint8_t *data = malloc(size);
    int rc = data ? read_items(file, path, data, size, err)
                  : cs_fail(err, CS_ENOMEM, "no memory for %s", path);
    gzclose(file);
    if (rc < 0)
        free(data);
    else
        *block = *out = data;
    return rc;
}

/* A data set in one folder, and what its files must be. */
struct place {
    const char *dataset, *folder, *hint;
    struct idx files[FILES];
    int classes;
};

static int read_file(uint8_t **block, uint8_t **out, const struct place *place, int which,
                     struct cs_error *err)
{
    char *path = locate(place->folder, names[which]);

    if (!path)
        return missing(place->dataset, place->folder, names[which], place->hint, err);
    const int rc = read_idx(block, out, path, &place->files[which], err);
    free(path);
    return rc;
}

static int take_labels(struct train_side *side, void **owned, const uint8_t *bytes, int64_t count,
                       const struct place *place, struct cs_error *err)
{
    int32_t *labels = cs_xcalloc((size_t) count, sizeof *labels);

    *owned = labels;
    side->labels = labels;
    for (int64_t i = 0; i < count; i++) {
        labels[i] = bytes[i];
        if (bytes[i] >= place->classes)
            return cs_fail(err, CS_ECORRUPT,
                           "dataset %s: label %d of example %lld; expected 0 to %d", place->dataset,
                           bytes[i], (long long) i, place->classes - 1);
    }
    return 0;
}

/* first: the images; the labels come after. */
static int load_side(struct train_side *side, void **owned, const struct place *place, int first,
                     struct cs_error *err)
{
    uint8_t *block = NULL, *images = NULL, *labels = NULL;

    CS_TRY(read_file(&block, &images, place, first, err));
    owned[0] = block;
    side->pixels = images;
    CS_TRY(read_file(&block, &labels, place, first + 1, err));
    const int rc =
        take_labels(side, &owned[1], labels, place->files[first + 1].size[0], place, err);
    free(block);
    return rc;
}

static int load_place(struct train_data *data, const struct place *place, struct cs_error *err)
{
    CS_TRY(load_side(&data->train, &data->owned[0], place, TRAIN_IMAGES, err));
    if (place->files[TEST_IMAGES].dims == 0)
        return 0;
    return load_side(&data->val, &data->owned[2], place, TEST_IMAGES, err);
}

/* ---- sets that are known ---- */

static struct place set_place(const struct train_idx_set *set, const char *folder)
{
    return (struct place){
        .dataset = set->name,
        .folder = folder,
        .hint = set->hint,
        .files = {{3, {TRAIN, SIDE, SIDE}}, {1, {TRAIN}}, {3, {TEST, SIDE, SIDE}}, {1, {TEST}}},
        .classes = CLASSES,
    };
}

int train_idx_set_describe(struct train_data_info *out, const struct train_data_source *from,
                           struct cs_error *err)
{
    const struct train_idx_set *set = from->kind->of;
    if (*from->args)
        return cs_fail(err, CS_EPARSE, "unexpected %s after %s", from->args, set->name);
    *out = (struct train_data_info){.shape = {.ndim = 3, .dim = {1, SIDE, SIDE}},
                                    .width = CLASSES,
                                    .train_count = TRAIN,
                                    .test_count = TEST};
    return 0;
}

/* All four are there, with the right headers. */
int train_idx_set_check(const struct train_data_source *from, struct cs_error *err)
{
    const struct train_idx_set *set = from->kind->of;
    char *folder = set_folder(set, from->path);
    const struct place place = set_place(set, folder);
    int rc = 0;

    for (int i = 0; i < FILES && rc == 0; i++) {
        gzFile file = NULL;
        char *found = locate(folder, names[i]);
        rc = found ? open_idx(&file, found, &place.files[i], err)
                   : missing(set->name, folder, names[i], set->hint, err);
        free(found);
        if (rc == 0)
            gzclose(file);
    }
    free(folder);
    return rc;
}

int train_idx_set_load(struct train_data *data, const struct train_data_source *from,
                       const struct train_data_info *info, struct cs_error *err)
{
    const struct train_idx_set *set = from->kind->of;
    char *folder = set_folder(set, from->path);
    const struct place place = set_place(set, folder);
    const int rc = load_place(data, &place, err);

    (void) info;
    free(folder);
    return rc;
}

/* ---- idx: the user's own ---- */

#define OWN_HINT "expected the files of an MNIST folder; set path"

/* A .gz holds at most 1032 times its size (zlib's documentation). */
static int check_size(const char *path, const struct idx *idx, struct cs_error *err)
{
    struct stat status;
    size_t bytes = 1, items;

    for (int i = 1; i < idx->dims; i++) {
        if (idx->size[i] == 0 || __builtin_mul_overflow(bytes, idx->size[i], &bytes) ||
            bytes > MOST_ITEM)
            return cs_fail(err, CS_ECORRUPT,
                           "%s: items of %u in a dimension; expected 1 to %d "
                           "bytes an item",
                           path, idx->size[i], MOST_ITEM);
    }
    if (stat(path, &status) < 0)
        return cs_fail_errno(err, "%s: cannot read", path);
    items = idx->size[0];
    if (items == 0 || items > INT32_MAX ||
        (double) items * (double) bytes > 1032.0 * (double) status.st_size)
        return cs_fail(err, CS_ECORRUPT,
                       "%s: its header says %zu items of %zu bytes, the file has "
                       "%lld bytes",
                       path, items, bytes, (long long) status.st_size);
    return 0;
}

/* What the header says. */
static int read_header(struct idx *out, const char *path, int least, int most, struct cs_error *err)
{
    uint8_t header[HEADER_MAX];
    gzFile file = gzopen(path, "rbe");

    if (!file)
        return cs_fail_errno(err, "%s: cannot open", path);
    int rc = read_exactly(file, path, header, 4, err);
    const uint32_t dims = rc == 0 ? big_endian(header) - 0x800 : 0;
    if (rc == 0 && (dims < (uint32_t) least || dims > (uint32_t) most))
        rc = cs_fail(err, CS_ECORRUPT,
                     "%s: not an IDX file of bytes with %d to %d dimensions; it begins with "
                     "0x%08x",
                     path, least, most, big_endian(header));
    *out = (struct idx){.dims = (int) dims};
    if (rc == 0)
        rc = read_exactly(file, path, header, 4 * (unsigned) dims, err);
    for (uint32_t i = 0; i < dims && rc == 0; i++)
        out->size[i] = big_endian(header + 4 * i);
    gzclose(file);
    return rc == 0 ? check_size(path, out, err) : rc;
}

/* The headers of both sides, which must fit together; without t10k files there is no test set. */
static int read_headers(struct place *place, struct cs_error *err)
{
    for (int i = 0; i < FILES; i++) {
        char *path = locate(place->folder, names[i]);
        const bool images = i % 2 == 0;
        if (!path && i == TEST_IMAGES)
            return 0;
        int rc = path ? read_header(&place->files[i], path, images ? 2 : 1, images ? 4 : 1, err)
                      : missing(place->dataset, place->folder, names[i], place->hint, err);
        if (rc == 0 && !images && place->files[i].size[0] != place->files[i - 1].size[0])
            rc = cs_fail(err, CS_ECORRUPT, "%s: %u labels for %u images", path,
                         place->files[i].size[0], place->files[i - 1].size[0]);
        if (rc == 0 && i == TEST_IMAGES &&
            (place->files[i].dims != place->files[0].dims ||
             memcmp(place->files[i].size + 1, place->files[0].size + 1, 3 * sizeof(uint32_t)) != 0))
            rc = cs_fail(err, CS_ECORRUPT, "%s: not the shape of %s", path, names[0]);
        free(path);
        CS_TRY(rc);
    }
    return 0;
}

/* One more than the highest label to train on. */
static int count_classes(struct place *place, struct cs_error *err)
{
    uint8_t *block = NULL, *labels = NULL;
    int highest = 0;

    CS_TRY(read_file(&block, &labels, place, TRAIN_LABELS, err));
    for (uint32_t i = 0; i < place->files[TRAIN_LABELS].size[0]; i++)
        highest = labels[i] > highest ? labels[i] : highest;
    free(block);
    place->classes = highest + 1;
    return 0;
}

static int open_own(struct place *place, const char *path, struct cs_error *err)
{
    *place = (struct place){.dataset = "idx", .folder = *path ? path : ".", .hint = OWN_HINT};
    CS_TRY(read_headers(place, err));
    return count_classes(place, err);
}

static struct train_data_info info_of(const struct place *place)
{
    const struct idx *images = &place->files[TRAIN_IMAGES];
    const int at = images->dims - 2;
    struct train_data_info info = {.width = place->classes > 2 ? place->classes : 2,
                                   .train_count = images->size[0],
                                   .test_count = place->files[TEST_IMAGES].size[0]};

    if (images->dims == 2)
        info.shape = (struct train_shape){.ndim = 1, .dim = {(int) images->size[1]}};
    else
        info.shape =
            (struct train_shape){.ndim = 3,
                                 .dim = {at == 2 ? (int) images->size[1] : 1,
                                         (int) images->size[at], (int) images->size[at + 1]}};
    return info;
}

static int describe(struct train_data_info *out, const struct train_data_source *from,
                    struct cs_error *err)
{
    struct place place;

    if (*from->args)
        return cs_fail(err, CS_EPARSE, "unexpected %s after idx", from->args);
    CS_TRY(open_own(&place, from->path, err));
    *out = info_of(&place);
    return 0;
}

static int check(const struct train_data_source *from, struct cs_error *err)
{
    struct place place;

    return open_own(&place, from->path, err);
}

static int load(struct train_data *data, const struct train_data_source *from,
                const struct train_data_info *info, struct cs_error *err)
{
    struct place place;

    CS_TRY(open_own(&place, from->path, err));
    const struct train_data_info now = info_of(&place);
    CS_TRY(train_data_unchanged(&now, info, from, err));
    place.classes = info->width;
    return load_place(data, &place, err);
}

const struct train_dataset_kind train_dataset_idx = {
    .name = "idx",
    .usage = "idx",
    .help = "images or rows of bytes and their labels in the four IDX files of an MNIST folder, "
            ".gz or not: `path`; "
            "without t10k files set val_split",
    .describe = describe,
    .check = check,
    .load = load,
};
