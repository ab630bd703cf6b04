/*
 * TensorProto, and the messages that TensorFlow 1 had in its place, as one struct. Numbers become
 * doubles. The old messages become the tensors that TensorBoard makes of them (data_compat.py),
 * except that histograms keep all their buckets.
 */
#include <math.h>

#include "tbwriter/tbw_decode.h"
#include "tbwriter/tbw_wire.h"

enum {
    DT_FLOAT = 1,
    DT_DOUBLE = 2,
    DT_INT32 = 3,
    DT_UINT8 = 4,
    DT_INT16 = 5,
    DT_INT8 = 6,
    DT_STRING = 7,
    DT_INT64 = 9,
    DT_BOOL = 10,
    DT_BFLOAT16 = 14,
    DT_UINT16 = 17,
    DT_HALF = 19,
    DT_UINT32 = 22,
    DT_UINT64 = 23,
};

/* ---- numbers ---- */

/* IEEE 754 binary16. */
static double half_of(uint32_t bits)
{
    const int exponent = (int) (bits >> 10 & 31), fraction = (int) (bits & 1023);
    const double sign = bits & 0x8000 ? -1 : 1;

    if (exponent == 31)
        return fraction ? (double) NAN : sign * (double) INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

/* Bytes of an element in tensor_content; 0: not a number that is known. */
static size_t width_of(int dtype)
{
    switch (dtype) {
    case DT_UINT8:
    case DT_INT8:
    case DT_BOOL:
        return 1;
    case DT_INT16:
    case DT_UINT16:
    case DT_BFLOAT16:
    case DT_HALF:
        return 2;
    case DT_FLOAT:
    case DT_INT32:
    case DT_UINT32:
        return 4;
    case DT_DOUBLE:
    case DT_INT64:
    case DT_UINT64:
        return 8;
    default:
        return 0;
    }
}

/* An element from its bits, which are at the low end. */
static double number_of(int dtype, uint64_t bits)
{
    switch (dtype) {
    case DT_FLOAT:
        return (double) tbw_float_of((uint32_t) bits);
    case DT_DOUBLE:
        return tbw_double_of(bits);
    case DT_HALF:
        return half_of((uint32_t) bits);
    case DT_BFLOAT16:
        return (double) tbw_float_of((uint32_t) bits << 16);
    case DT_INT8:
        return (int8_t) bits;
    case DT_INT16:
        return (int16_t) bits;
    case DT_INT32:
        return (int32_t) bits;
    case DT_INT64:
        return (double) (int64_t) bits;
    default:
        return (double) bits;
    }
}

static void numbers_of_content(struct tbw_tensor *t, struct tbw_blob content,
                               struct cs_arena *arena)
{
    const size_t width = width_of(t->dtype), count = width ? content.size / width : 0;

    if (count == 0 || count > TBW_NUMBERS_MAX)
        return;
    double *numbers = cs_arena_alloc(arena, count * sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        for (size_t k = 0; k < width; k++)
            bits |= (uint64_t) content.data[i * width + k] << 8 * k;
        numbers[i] = number_of(t->dtype, bits);
    }
    t->numbers = numbers;
    t->number_count = count;
}

/* Which fields of TensorProto hold numbers, and how: 1 and 5 fixed, 0 varints, all packed or not. */
static int wire_type_of(uint32_t field)
{
    switch (field) {
    case 5:
        return 5;
    case 6:
        return 1;
    case 7:  /* int_val */
    case 10: /* int64_val */
    case 11: /* bool_val */
    case 13: /* half_val */
    case 16: /* uint32_val */
    case 17: /* uint64_val */
        return 0;
    default:
        return -1;
    }
}

/* Append the elements of one field. */
static bool add_numbers(struct cs_buf *out, int dtype, const struct tbw_field *f)
{
    const int type = wire_type_of(f->number);
    struct tbw_wire w;
    double value;

    if (f->type != 2) {
        if (f->type != (uint32_t) type)
            return false;
        value = number_of(dtype, f->num);
        cs_buf_add(out, &value, sizeof value);
        return true;
    }
    w = tbw_wire_of(f->data, f->size);
    while (w.at < w.end) {
        uint64_t bits;
        const size_t left = (size_t) (w.end - w.at), width = type == 5 ? 4 : 8;
        if (type == 0) {
            if (!tbw_wire_varint(&w, &bits))
                return false;
        } else if (left < width) {
            return false;
        } else {
            bits = width == 4 ? tbw_load32(w.at) : tbw_load64(w.at);
            w.at += width;
        }
        value = number_of(dtype, bits);
        cs_buf_add(out, &value, sizeof value);
    }
    return true;
}

/* ---- TensorProto ---- */

static bool parse_shape(struct tbw_tensor *t, struct tbw_wire w)
{
    struct tbw_field f, size;

    while (tbw_wire_next(&w, &f)) {
        if (f.number != 2 || f.type != 2)
            continue;
        struct tbw_wire dim = tbw_wire_of(f.data, f.size);
        int64_t n = 0;
        while (tbw_wire_next(&dim, &size))
            if (size.number == 1 && size.type == 0)
                n = (int64_t) size.num;
        if (dim.bad || t->rank == TBW_RANK_MAX)
            return false;
        t->shape[t->rank++] = n;
    }
    return !w.bad;
}

/* How many elements the shape has; SIZE_MAX when that is no number, or too many to hold. */
static size_t elements_of(const struct tbw_tensor *t)
{
    uint64_t count = 1;

    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] < 0 || t->shape[i] > TBW_NUMBERS_MAX)
            return SIZE_MAX;
        count *= (uint64_t) t->shape[i];
        if (count > TBW_NUMBERS_MAX)
            return SIZE_MAX;
    }
    return (size_t) count;
}

/* Take over what was gathered; one element, or the last, stands for all the rest of the shape. */
static void keep_numbers(struct tbw_tensor *t, const struct cs_buf *found, struct cs_arena *arena)
{
    const size_t wanted = elements_of(t), have = found->size / sizeof(double);

    if (have == 0 || wanted == SIZE_MAX)
        return;
    const size_t count = wanted > have ? wanted : have;
    double *numbers = cs_arena_alloc(arena, count * sizeof *numbers);
    memcpy(numbers, found->data, have * sizeof *numbers);
    for (size_t i = have; i < count; i++)
        numbers[i] = numbers[have - 1];
    t->numbers = numbers;
    t->number_count = count;
}

/* What the fields of a message hold that is kept in lists. */
struct found {
    struct cs_buf numbers, blobs;
    struct tbw_blob content;
};

static bool take_field(struct tbw_tensor *t, struct found *found, const struct tbw_field *f)
{
    if (f->number == 2 && f->type == 2)
        return parse_shape(t, tbw_wire_of(f->data, f->size));
    if (f->number == 4 && f->type == 2)
        found->content = (struct tbw_blob){f->data, f->size};
    if (f->number == 8 && f->type == 2) {
        const struct tbw_blob blob = {f->data, f->size};
        cs_buf_add(&found->blobs, &blob, sizeof blob);
    }
    if (wire_type_of(f->number) >= 0)
        return add_numbers(&found->numbers, t->dtype, f);
    return true;
}

static void keep_found(struct tbw_tensor *t, const struct found *found, struct cs_arena *arena)
{
    if (found->blobs.size) {
        void *blobs = cs_arena_alloc(arena, found->blobs.size);
        memcpy(blobs, found->blobs.data, found->blobs.size);
        t->blobs = blobs;
        t->blob_count = found->blobs.size / sizeof *t->blobs;
    }
    if (found->content.size)
        numbers_of_content(t, found->content, arena);
    else
        keep_numbers(t, &found->numbers, arena);
}

struct tbw_tensor *tbw_tensor_parse(struct tbw_blob bytes, struct cs_arena *arena)
{
    struct tbw_tensor *t = cs_arena_alloc(arena, sizeof *t);
    struct tbw_wire w = tbw_wire_of(bytes.data, bytes.size);
    struct found found = {0};
    struct tbw_field f;
    bool good = true;

    /* The type first: it says what the numbers are, wherever it stands. */
    while (tbw_wire_next(&w, &f))
        if (f.number == 1 && f.type == 0)
            t->dtype = (int) f.num;
    good = !w.bad;
    w = tbw_wire_of(bytes.data, bytes.size);
    while (good && tbw_wire_next(&w, &f))
        good = take_field(t, &found, &f);
    if (good)
        keep_found(t, &found, arena);
    cs_buf_clear(&found.numbers);
    cs_buf_clear(&found.blobs);
    return good ? t : NULL;
}

/* ---- the old messages ---- */

/* Packed or single doubles of a field. */
static bool add_doubles(struct cs_buf *out, const struct tbw_field *f)
{
    const struct tbw_field as_double_val = {6, f->type, f->num, f->data, f->size};

    return add_numbers(out, DT_DOUBLE, &as_double_val);
}

/* HistogramProto: a bucket begins where the one before it ends; the outer ends are min and max. */
static void fill_rows(struct tbw_tensor *t, const struct cs_buf *limits,
                      const struct cs_buf *counts, double min, double max, struct cs_arena *arena)
{
    const double *limit = (const double *) (const void *) limits->data;
    const double *count = (const double *) (const void *) counts->data;
    const size_t n = limits->size / sizeof *limit;
    double *rows = cs_arena_alloc(arena, 3 * n * sizeof *rows);

    for (size_t i = 0; i < n; i++) {
        rows[3 * i] = i == 0 ? min : limit[i - 1];
        rows[3 * i + 1] = i == n - 1 ? max : limit[i];
        rows[3 * i + 2] = count[i];
    }
    t->dtype = DT_DOUBLE;
    t->rank = 2;
    t->shape[0] = (int64_t) n;
    t->shape[1] = 3;
    t->numbers = rows;
    t->number_count = 3 * n;
}

struct tbw_tensor *tbw_histo_parse(struct tbw_blob bytes, struct cs_arena *arena)
{
    struct tbw_tensor *t = cs_arena_alloc(arena, sizeof *t);
    struct tbw_wire w = tbw_wire_of(bytes.data, bytes.size);
    struct cs_buf limits = {0}, counts = {0};
    double min = 0, max = 0;
    struct tbw_field f;
    bool good = true;

    while (good && tbw_wire_next(&w, &f)) {
        if (f.number == 1 && f.type == 1)
            min = tbw_double_of(f.num);
        else if (f.number == 2 && f.type == 1)
            max = tbw_double_of(f.num);
        else if (f.number == 6)
            good = add_doubles(&limits, &f);
        else if (f.number == 7)
            good = add_doubles(&counts, &f);
    }
    good = good && !w.bad && limits.size == counts.size;
    if (good)
        fill_rows(t, &limits, &counts, min, max, arena);
    cs_buf_clear(&limits);
    cs_buf_clear(&counts);
    return good ? t : NULL;
}

/* A string tensor [1] of the bytes in field `data`; *extra is what fields 1 and 2 hold. */
static struct tbw_tensor *one_blob(struct tbw_blob bytes, uint32_t data, int extra[2],
                                   struct cs_arena *arena)
{
    struct tbw_tensor *t = cs_arena_alloc(arena, sizeof *t);
    struct tbw_blob *blob = cs_arena_alloc(arena, sizeof *blob);
    struct tbw_wire w = tbw_wire_of(bytes.data, bytes.size);
    struct tbw_field f;

    while (tbw_wire_next(&w, &f)) {
        if (f.number == data && f.type == 2)
            *blob = (struct tbw_blob){f.data, f.size};
        else if ((f.number == 1 || f.number == 2) && f.type == 0)
            extra[f.number - 1] = (int) f.num;
    }
    t->dtype = DT_STRING;
    t->rank = 1;
    t->shape[0] = 1;
    t->blobs = blob;
    t->blob_count = 1;
    return w.bad ? NULL : t;
}

struct tbw_tensor *tbw_image_parse(struct tbw_blob bytes, struct cs_arena *arena)
{
    int sides[2] = {0};
    struct tbw_tensor *t = one_blob(bytes, 4, sides, arena);

    if (t) {
        t->height = sides[0];
        t->width = sides[1];
    }
    return t;
}

struct tbw_tensor *tbw_audio_parse(struct tbw_blob bytes, struct cs_arena *arena)
{
    int ignored[2];

    return one_blob(bytes, 4, ignored, arena);
}
