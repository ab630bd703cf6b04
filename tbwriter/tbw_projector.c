/*
 * The files of the Projector page: projector_config.pbtxt names, per embedding, NAME.bytes (float32,
 * row-major), NAME.tsv (a label a line) and NAME.png (all pictures in one, row by row, in a square).
 * The page (plugins/projector) reads them from the run's folder; paths in it are relative to that.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_png.h"
#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_writer_impl.h"

enum { COUNT_MAX = 100000, DIMS_MAX = 65536, SPRITE_MAX = 8192 };

static int check_embedding(const struct tbw_embedding *e, struct cs_error *err)
{
    CS_TRY(tbw_check_name("name of an embedding", e->name, err));
    for (const char *p = e->name; *p; p++)
        if (!isalnum((unsigned char) *p) && *p != '-' && *p != '_')
            return cs_fail(err, CS_EPARSE, "embedding '%.200s': letters, digits, - and _ only",
                           e->name);
    if (e->count < 1 || e->count > COUNT_MAX || e->dims < 1 || e->dims > DIMS_MAX)
        return cs_fail(err, CS_ERANGE, "embedding '%.200s' of %zu x %zu: must be 1 to %d x 1 to %d",
                       e->name, e->count, e->dims, (int) COUNT_MAX, (int) DIMS_MAX);
    for (size_t i = 0; i < e->count * e->dims; i++)
        if (!isfinite(e->vectors[i]))
            return cs_fail(err, CS_ERANGE, "embedding '%.200s': vector %zu is not finite", e->name,
                           i / e->dims);
    for (size_t i = 0; e->labels && i < e->count; i++) {
        CS_TRY(tbw_check_text("label", e->labels[i], err));
        if (!e->labels[i] || strpbrk(e->labels[i], "\t\r\n"))
            return cs_fail(err, CS_EPARSE, "embedding '%.200s': label %zu has a tab or line end",
                           e->name, i);
    }
    return 0;
}

static int store(const char *dir, const char *name, const char *ending, const struct cs_buf *bytes,
                 struct cs_error *err)
{
    char *path = cs_xasprintf("%s/%s%s", dir, name, ending);
    const int rc = cs_write_file(path, bytes->data, bytes->size, err);

    free(path);
    return rc;
}

static int store_vectors(const char *dir, const struct tbw_embedding *e, struct cs_error *err)
{
    struct cs_buf bytes = {0};

    cs_buf_reserve(&bytes, 4 * e->count * e->dims);
    for (size_t i = 0; i < e->count * e->dims; i++) {
        uint8_t four[4];
        uint32_t bits;
        memcpy(&bits, &e->vectors[i], sizeof bits);
        tbw_store32(four, bits);
        cs_buf_add(&bytes, four, sizeof four);
    }
    const int rc = store(dir, e->name, ".bytes", &bytes, err);
    cs_buf_clear(&bytes);
    return rc;
}

static int store_labels(const char *dir, const struct tbw_embedding *e, struct cs_error *err)
{
    struct cs_buf bytes = {0};

    for (size_t i = 0; i < e->count; i++)
        cs_buf_addf(&bytes, "%s\n", e->labels[i]);
    const int rc = store(dir, e->name, ".tsv", &bytes, err);
    cs_buf_clear(&bytes);
    return rc;
}

static int store_sprite(const char *dir, const struct tbw_embedding *e, struct cs_error *err)
{
    const struct tbw_image *first = e->images;
    const size_t side = (size_t) ceil(sqrt((double) e->count));
    struct cs_buf bytes = {0};

    for (size_t i = 0; i < e->count; i++)
        if (e->images[i].width != first->width || e->images[i].height != first->height ||
            e->images[i].channels != first->channels)
            return cs_fail(err, CS_ERANGE,
                           "embedding '%.200s': image %zu is of another size or "
                           "kind than the first",
                           e->name, i);
    if (first->width < 1 || first->height < 1 || first->channels < 1 || first->channels > 4 ||
        side * (size_t) first->width > SPRITE_MAX || side * (size_t) first->height > SPRITE_MAX)
        return cs_fail(err, CS_ERANGE,
                       "embedding '%.200s': %zu images of %d x %d do not fit into "
                       "%d x %d",
                       e->name, e->count, first->width, first->height, (int) SPRITE_MAX,
                       (int) SPRITE_MAX);
    const size_t row = (size_t) first->width * (size_t) first->channels;
    uint8_t *pixels = cs_xcalloc(side * side * (size_t) first->height, row);
    for (size_t i = 0; i < e->count; i++)
        for (size_t y = 0; y < (size_t) first->height; y++)
            memcpy(pixels + ((i / side * (size_t) first->height + y) * side + i % side) * row,
                   e->images[i].pixels + y * row, row);
    const struct tbw_image sprite = {pixels, (int) side * first->width, (int) side * first->height,
                                     first->channels, false};
    int rc = tbw_png_encode(&bytes, &sprite, err);
    if (rc == 0)
        rc = store(dir, e->name, ".png", &bytes, err);
    cs_buf_clear(&bytes);
    free(pixels);
    return rc;
}

static void put_config(struct cs_buf *out, const struct tbw_embedding *e)
{
    cs_buf_addf(out,
                "embeddings {\n  tensor_name: \"%s\"\n  tensor_shape: %zu\n  tensor_shape: %zu\n"
                "  tensor_path: \"%s.bytes\"\n",
                e->name, e->count, e->dims, e->name);
    if (e->labels)
        cs_buf_addf(out, "  metadata_path: \"%s.tsv\"\n", e->name);
    if (e->images)
        cs_buf_addf(out,
                    "  sprite {\n    image_path: \"%s.png\"\n    single_image_dim: %d\n"
                    "    single_image_dim: %d\n  }\n",
                    e->name, e->images[0].width, e->images[0].height);
    cs_buf_adds(out, "}\n");
}

int tbw_projector_store(const char *dir, const struct tbw_embedding *list, size_t count,
                        struct cs_error *err)
{
    struct cs_buf config = {0};
    int rc = 0;

    for (size_t i = 0; i < count; i++) {
        CS_TRY(check_embedding(&list[i], err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(list[k].name, list[i].name) == 0)
                return cs_fail(err, CS_ERANGE, "embedding '%.200s' given twice", list[i].name);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = store_vectors(dir, &list[i], err);
        if (rc == 0 && list[i].labels)
            rc = store_labels(dir, &list[i], err);
        if (rc == 0 && list[i].images)
            rc = store_sprite(dir, &list[i], err);
        put_config(&config, &list[i]);
    }
    if (rc == 0)
        rc = store(dir, "projector_config", ".pbtxt", &config, err);
    cs_buf_clear(&config);
    return rc;
}
