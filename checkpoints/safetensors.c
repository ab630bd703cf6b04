#include "checkpoints/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little endian");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE sizes");

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [ST_F32] = {"F32", 4},
    [ST_F64] = {"F64", 8},
    [ST_I64] = {"I64", 8},
};

static const char metadata_key[] = "__metadata__";

/* Bytes of a tensor; false when the shape is bad or the product overflows. */
static bool byte_size(size_t *out, const struct st_tensor *tensor)
{
    size_t bytes = dtypes[tensor->dtype].size;

    if (tensor->ndim < 0 || tensor->ndim > ST_DIMS_MAX)
        return false;
    for (int i = 0; i < tensor->ndim; i++)
        if (tensor->shape[i] < 0 ||
            __builtin_mul_overflow(bytes, (uint64_t) tensor->shape[i], &bytes))
            return false;
    if (bytes > PTRDIFF_MAX)
        return false;
    *out = bytes;
    return true;
}

size_t st_length(const struct st_tensor *tensor)
{
    size_t length = 1;
    for (int i = 0; i < tensor->ndim; i++)
        length *= (size_t) tensor->shape[i];
    return length;
}

/* --- writer --- */

static int add_metadata(json_t *header, const char *const *pairs, size_t pair_count,
                        struct cs_error *err)
{
    json_t *metadata = json_object();

    if (json_object_set_new(header, metadata_key, metadata) < 0)
        return cs_fail(err, CS_ENOMEM, "no memory for the header");
    for (size_t i = 0; i < pair_count; i++) {
        const char *key = pairs[2 * i], *value = pairs[2 * i + 1];
        if (json_object_get(metadata, key))
            return cs_fail(err, CS_ERANGE, "metadata key '%s' is given twice", key);
        if (json_object_set_new(metadata, key, json_string(value)) < 0)
            return cs_fail(err, CS_ERANGE, "metadata '%s' is not valid UTF-8", key);
    }
    return 0;
}

/* Describe one tensor in the header; *end is the data so far and grows by it. */
static int add_tensor(json_t *header, const struct st_tensor *tensor, size_t *end,
                      struct cs_error *err)
{
    const size_t begin = *end;
    size_t bytes;

    if (tensor->name[0] == '\0' || strcmp(tensor->name, metadata_key) == 0)
        return cs_fail(err, CS_ERANGE, "'%s' cannot name a tensor", tensor->name);
    if (json_object_get(header, tensor->name))
        return cs_fail(err, CS_ERANGE, "tensor '%s' is given twice", tensor->name);
    if (!byte_size(&bytes, tensor) || __builtin_add_overflow(begin, bytes, end) ||
        *end > PTRDIFF_MAX)
        return cs_fail(err, CS_ERANGE, "tensor '%s': bad shape", tensor->name);
    json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
    for (int i = 0; i < tensor->ndim; i++)
        json_array_append_new(shape, json_integer(tensor->shape[i]));
    json_array_append_new(offsets, json_integer((json_int_t) begin));
    json_array_append_new(offsets, json_integer((json_int_t) *end));
    json_object_set_new(entry, "dtype", json_string(dtypes[tensor->dtype].name));
    json_object_set_new(entry, "shape", shape);
    json_object_set_new(entry, "data_offsets", offsets);
    if (json_object_set_new(header, tensor->name, entry) < 0)
        return cs_fail(err, CS_ERANGE, "tensor name '%s' is not valid UTF-8", tensor->name);
    return 0;
}

/* Allocate the file whole: it is as large as the model, so "does not fit" must be an answer. */
static int write_file(struct cs_buf *out, const struct cs_buf *header,
                      const struct st_tensor *tensors, size_t count, size_t data_size,
                      struct cs_error *err)
{
    const size_t padded = (header->size + 7) / 8 * 8;
    const uint64_t length = padded;
    size_t capacity;

    if (padded > ST_HEADER_MAX)
        return cs_fail(err, CS_ERANGE, "the header would take %zu bytes, at most %d allowed",
                       padded, ST_HEADER_MAX);
    if (__builtin_add_overflow(padded + sizeof length + 1, data_size, &capacity) ||
        !(out->data = malloc(capacity)))
        return cs_fail(err, CS_ENOMEM, "no memory for %zu bytes of tensors", data_size);
    out->capacity = capacity;
    out->size = 0;
    cs_buf_add(out, &length, sizeof length);
    cs_buf_add(out, header->data, header->size);
    while (out->size < sizeof length + padded)
        cs_buf_adds(out, " ");
    for (size_t i = 0; i < count; i++)
        cs_buf_add(out, tensors[i].data, st_length(&tensors[i]) * dtypes[tensors[i].dtype].size);
    return 0;
}

int st_encode(struct cs_buf *out, const struct st_tensor *tensors, size_t count,
              const char *const *pairs, size_t pair_count, struct cs_error *err)
{
    json_t *header = json_object();
    struct cs_buf text = {0};
    size_t data_size = 0;
    int rc = 0;

    if (out->data) {
        rc = cs_fail(err, CS_ERANGE, "the output buffer is not empty");
        goto done;
    }
    if (pair_count)
        rc = add_metadata(header, pairs, pair_count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_tensor(header, &tensors[i], &data_size, err);
    if (rc < 0)
        goto done;
    cs_json_line(&text, header);
    rc = write_file(out, &text, tensors, count, data_size, err);
done:
    cs_buf_clear(&text);
    json_decref(header);
    return rc;
}

/* --- reader --- */

struct span {
    size_t begin, end;
    size_t tensor; /* index */
};

struct view_impl {
    struct st_view view; /* first: the public face */
    json_t *header;      /* owns every text */
    struct st_tensor *tensors;
    struct span *spans;
    const char **pairs;
    void **copies; /* per tensor, NULL where data points into the file */
};

void st_free(struct st_view *view)
{
    struct view_impl *impl = (struct view_impl *) view;

    if (!impl)
        return;
    for (size_t i = 0; impl->copies && i < view->count; i++)
        free(impl->copies[i]);
    free(impl->copies);
    free(impl->pairs);
    free(impl->spans);
    free(impl->tensors);
    json_decref(impl->header);
    free(impl);
}

/* Find the header, check its length and parse it; *data_at is where the data begins. */
static int read_header(json_t **out, size_t *data_at, const unsigned char *file, size_t size,
                       struct cs_error *err)
{
    uint64_t length;

    if (size < sizeof length)
        return cs_fail(err, CS_ETRUNCATED, "%zu bytes: too short for a safetensors file", size);
    memcpy(&length, file, sizeof length);
    if (length > ST_HEADER_MAX)
        return cs_fail(err, CS_EPARSE, "header of %llu bytes: at most %d allowed",
                       (unsigned long long) length, ST_HEADER_MAX);
    if (length > size - sizeof length)
        return cs_fail(err, CS_ETRUNCATED, "header of %llu bytes in a file of %zu",
                       (unsigned long long) length, size);
    const char *text = (const char *) file + sizeof length;
    if (length == 0 || text[0] != '{')
        return cs_fail(err, CS_EPARSE, "the header does not start with '{'");
    *out = cs_json_read(text, (size_t) length);
    if (!*out)
        return cs_fail(err, CS_EPARSE, "the header is not valid JSON, or repeats a key");
    *data_at = sizeof length + (size_t) length;
    return 0;
}

static int read_metadata(struct view_impl *impl, json_t *metadata, struct cs_error *err)
{
    const char *key;
    json_t *value;
    size_t used = 0;

    if (!json_is_object(metadata))
        return cs_fail(err, CS_EPARSE, "__metadata__ is not an object");
    impl->pairs = calloc(2 * json_object_size(metadata) + 1, sizeof *impl->pairs);
    if (!impl->pairs)
        return cs_fail(err, CS_ENOMEM, "no memory for the metadata");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return cs_fail(err, CS_EPARSE, "metadata '%.100s' is not a text", key);
        impl->pairs[used++] = key;
        impl->pairs[used++] = json_string_value(value);
    }
    impl->view.pair_count = used / 2;
    impl->view.pairs = impl->pairs;
    return 0;
}

static int read_dtype(struct st_tensor *tensor, const json_t *entry, struct cs_error *err)
{
    const char *name = cs_json_get_text(entry, "dtype", "");

    for (size_t i = 0; i < CS_COUNT(dtypes); i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            tensor->dtype = (enum st_dtype) i;
            return 0;
        }
    return cs_fail(err, CS_EPARSE, "tensor '%.100s': dtype '%.20s': must be F32, F64 or I64",
                   tensor->name, name);
}

static int read_shape(struct st_tensor *tensor, const json_t *shape, struct cs_error *err)
{
    if (!json_is_array(shape) || json_array_size(shape) > ST_DIMS_MAX)
        return cs_fail(err, CS_EPARSE,
                       "tensor '%.100s': shape must be a list of at most %d numbers", tensor->name,
                       ST_DIMS_MAX);
    tensor->ndim = (int) json_array_size(shape);
    for (int i = 0; i < tensor->ndim; i++) {
        const json_t *n = json_array_get(shape, (size_t) i);
        if (!json_is_integer(n) || json_integer_value(n) < 0)
            return cs_fail(err, CS_EPARSE, "tensor '%.100s': shape holds a bad number",
                           tensor->name);
        tensor->shape[i] = json_integer_value(n);
    }
    return 0;
}

static int read_offsets(struct span *span, const struct st_tensor *tensor, const json_t *offsets,
                        struct cs_error *err)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    size_t bytes;

    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return cs_fail(err, CS_EPARSE, "tensor '%.100s': data_offsets must be [begin, end]",
                       tensor->name);
    span->begin = (size_t) json_integer_value(begin);
    span->end = (size_t) json_integer_value(end);
    if (!byte_size(&bytes, tensor) || bytes != span->end - span->begin)
        return cs_fail(err, CS_EPARSE, "tensor '%.100s': %zu bytes of data do not fit its shape",
                       tensor->name, span->end - span->begin);
    return 0;
}

static int read_tensor(struct view_impl *impl, const char *name, const json_t *entry,
                       struct cs_error *err)
{
    const size_t i = impl->view.count;
    struct st_tensor *tensor = &impl->tensors[i];

    tensor->name = name;
    if (name[0] == '\0' || !json_is_object(entry) || json_object_size(entry) != 3)
        return cs_fail(err, CS_EPARSE, "tensor '%.100s': must have dtype, shape, data_offsets only",
                       name);
    CS_TRY(read_dtype(tensor, entry, err));
    CS_TRY(read_shape(tensor, json_object_get(entry, "shape"), err));
    CS_TRY(read_offsets(&impl->spans[i], tensor, json_object_get(entry, "data_offsets"), err));
    impl->spans[i].tensor = i;
    impl->view.count++;
    return 0;
}

static int read_entries(struct view_impl *impl, struct cs_error *err)
{
    const size_t count = json_object_size(impl->header);
    const char *key;
    json_t *entry;

    impl->tensors = calloc(count + 1, sizeof *impl->tensors);
    impl->spans = calloc(count + 1, sizeof *impl->spans);
    impl->copies = calloc(count + 1, sizeof *impl->copies);
    if (!impl->tensors || !impl->spans || !impl->copies)
        return cs_fail(err, CS_ENOMEM, "no memory for %zu tensors", count);
    impl->view.tensors = impl->tensors;
    json_object_foreach(impl->header, key, entry)
    {
        if (strcmp(key, metadata_key) == 0)
            CS_TRY(read_metadata(impl, entry, err));
        else
            CS_TRY(read_tensor(impl, key, entry, err));
    }
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The tensors must cover data[0..size) without hole or overlap. */
static int check_cover(struct view_impl *impl, size_t size, struct cs_error *err)
{
    size_t end = 0;

    qsort(impl->spans, impl->view.count, sizeof *impl->spans, by_offset);
    for (size_t i = 0; i < impl->view.count; i++) {
        const struct span *span = &impl->spans[i];
        if (span->begin != end)
            return cs_fail(err, CS_EPARSE, "tensor '%.100s' starts at %zu, expected %zu",
                           impl->tensors[span->tensor].name, span->begin, end);
        end = span->end;
    }
    if (end > size)
        return cs_fail(err, CS_ETRUNCATED, "%zu bytes of data, the header describes %zu", size,
                       end);
    if (end < size)
        return cs_fail(err, CS_EPARSE, "%zu bytes of data, the header describes %zu", size, end);
    return 0;
}

static int attach_data(struct view_impl *impl, const unsigned char *data, struct cs_error *err)
{
    for (size_t i = 0; i < impl->view.count; i++) {
        const struct span *span = &impl->spans[i];
        struct st_tensor *tensor = &impl->tensors[span->tensor];
        const void *at = data + span->begin;
        const size_t bytes = span->end - span->begin;
        if ((uintptr_t) at % dtypes[tensor->dtype].size != 0) {
            void *copy = cs_alloc_aligned(bytes, 1);
            if (!copy)
                return cs_fail(err, CS_ENOMEM, "no memory for tensor '%.100s'", tensor->name);
            impl->copies[span->tensor] = copy;
            at = memcpy(copy, at, bytes);
        }
        tensor->data = at;
    }
    return 0;
}

int st_decode(struct st_view **out, const void *data, size_t size, struct cs_error *err)
{
    struct view_impl *impl = cs_xcalloc(1, sizeof *impl);
    size_t data_at = 0;
    int rc = read_header(&impl->header, &data_at, data, size, err);

    if (rc == 0)
        rc = read_entries(impl, err);
    if (rc == 0)
        rc = check_cover(impl, size - data_at, err);
    if (rc == 0)
        rc = attach_data(impl, (const unsigned char *) data + data_at, err);
    if (rc < 0) {
        st_free(&impl->view);
        return rc;
    }
    *out = &impl->view;
    return 0;
}

const struct st_tensor *st_find(const struct st_view *view, const char *name)
{
    for (size_t i = 0; i < view->count; i++)
        if (strcmp(view->tensors[i].name, name) == 0)
            return &view->tensors[i];
    return NULL;
}

const char *st_metadata(const struct st_view *view, const char *key)
{
    for (size_t i = 0; i < view->pair_count; i++)
        if (strcmp(view->pairs[2 * i], key) == 0)
            return view->pairs[2 * i + 1];
    return NULL;
}
