/*
 * safetensors: what is written reads back, byte for byte as promised; everything malformed is
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/safetensors.h"
#include "common/cs_error.h"

/* With the sanitizer, malloc of 2^62 bytes must fail as it does without. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static const float six[6] = {1, -2.5f, 0, 1e-42f, 3e38f, 7};

/* [length][json][data_size bytes], as given. */
static struct cs_buf build(const char *json, uint64_t length, size_t data_size)
{
    struct cs_buf file = {0};

    cs_buf_add(&file, &length, sizeof length);
    cs_buf_adds(&file, json);
    for (size_t i = 0; i < data_size; i++)
        cs_buf_add(&file, "", 1);
    return file;
}

/* Decode an exact copy on the heap, so that a read past the end is seen by the sanitizer. */
static int decode_code(const void *data, size_t size)
{
    struct st_view *view = NULL;
    struct cs_error err;
    char *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    const int rc = st_decode(&view, copy, size, &err);
    if (rc == 0)
        st_free(view);
    else
        assert_null(view);
    free(copy);
    return rc;
}

static void round_trip(void **state)
{
    static const double pi[2] = {3.141592653589793, INFINITY};
    static const int64_t big = INT64_MIN;
    static const char *const pairs[] = {"format", "pt", "caf\xc3\xa9", "a\"\\\n"};
    const struct st_tensor tensors[] = {
        {.name = "w", .ndim = 2, .shape = {2, 3}, .data = six},
        {.name = "odd", .ndim = 1, .shape = {1}, .data = six},
        {.name = "pi",
         .ndim = 1,
         .shape = {2},
         .f64 = pi,
         .dtype = ST_F64}, /* not on a multiple of 8 */
        {.name = "step", .i64 = &big, .dtype = ST_I64},
        {.name = "none", .ndim = 4, .shape = {1, 0, 5, 1}},
    };
    struct cs_buf file = {0}, again = {0};
    struct st_view *view = NULL;
    uint64_t length;

    (void) state;
    assert_int_equal(st_encode(&file, tensors, 5, pairs, 2, NULL), 0);
    memcpy(&length, file.data, 8);
    assert_int_equal(length % 8, 0);
    assert_int_equal(file.size, 8 + length + 28 + 16 + 8);
    assert_int_equal(st_decode(&view, file.data, file.size, NULL), 0);
    assert_int_equal(view->count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct st_tensor *t = &view->tensors[i];
        assert_string_equal(t->name, tensors[i].name);
        assert_ptr_equal(st_find(view, t->name), t);
        assert_int_equal(t->dtype, tensors[i].dtype);
        assert_int_equal(t->ndim, tensors[i].ndim);
        assert_memory_equal(t->shape, tensors[i].shape, (size_t) t->ndim * 8);
        assert_int_equal((uintptr_t) t->data % (t->dtype == ST_F32 ? 4 : 8), 0);
        if (st_length(t))
            assert_memory_equal(t->data, tensors[i].data,
                                st_length(t) * (t->dtype == ST_F32 ? 4 : 8));
    }
    assert_null(st_find(view, "x"));
    assert_string_equal(st_metadata(view, "caf\xc3\xa9"), "a\"\\\n");
    assert_null(st_metadata(view, "none"));
    assert_int_equal(st_encode(&again, view->tensors, 5, view->pairs, 2, NULL), 0);
    assert_int_equal(again.size, file.size);
    assert_memory_equal(again.data, file.data, file.size);
    st_free(view);
    st_free(NULL);
    cs_buf_clear(&file);
    cs_buf_clear(&again);
}

static void exact_bytes(void **state)
{
    static const char expected[] =
        "\x38\0\0\0\0\0\0\0"
        "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  "
        "\0\0\x80\x3f\0\0\x20\xc0";
    const struct st_tensor tensor = {.name = "b", .ndim = 1, .shape = {2}, .data = six};
    struct cs_buf file = {0};

    (void) state;
    assert_int_equal(st_encode(&file, &tensor, 1, NULL, 0, NULL), 0);
    assert_int_equal(file.size, sizeof expected - 1);
    assert_memory_equal(file.data, expected, sizeof expected - 1);
    cs_buf_clear(&file);
}

static void any_alignment(void **state)
{
    const struct st_tensor tensor = {.name = "w", .ndim = 1, .shape = {6}, .data = six};
    struct cs_buf file = {0};
    struct st_view *view = NULL;

    (void) state;
    assert_int_equal(st_encode(&file, &tensor, 1, NULL, 0, NULL), 0);
    char *room = malloc(file.size + 8);
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(room + shift, file.data, file.size);
        assert_int_equal(st_decode(&view, room + shift, file.size, NULL), 0);
        assert_int_equal((uintptr_t) view->tensors[0].data % 4, 0);
        assert_memory_equal(view->tensors[0].data, six, sizeof six);
        st_free(view);
    }
    free(room);
    cs_buf_clear(&file);
}

#define T(dtype, shape, offsets) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct vector {
    const char *json;
    size_t data;
    int expected;
} vectors[] = {
    /* good ones, so that a reader that refuses everything fails */
    {"{}", 0, 0},
    {"{}   ", 0, 0},
    {"{\"a\":" T("F32", "[2]", "[0,8]") "}", 8, 0},
    {"{\"a\":" T("F32", "[]", "[0,4]") "}\n \t", 4, 0},
    {"{\"b\":" T("F32", "[1]", "[4,8]") ",\"a\":" T("F32", "[1]", "[0,4]") "}", 8, 0},
    {"{\"a\":" T("F32", "[0,9223372036854775807]", "[0,0]") ",\"b\":" T("I64", "[1]", "[0,8]") "}",
     8, 0},
    {"{\"__metadata__\":{}}", 0, 0},
    {"{\"__metadata__\":{\"a\":\"\"}}", 0, 0},
    /* header */
    {"", 0, CS_EPARSE},
    {" {}", 0, CS_EPARSE},
    {"[]", 0, CS_EPARSE},
    {"\"{}\"", 0, CS_EPARSE},
    {"{", 0, CS_EPARSE},
    {"{}}", 0, CS_EPARSE},
    {"{}x", 0, CS_EPARSE},
    {"{\"a\":1}", 0, CS_EPARSE},
    {"{\"a\":null}", 0, CS_EPARSE},
    {"{\"\xff\":" T("F32", "[2]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\\u0000\":" T("F32", "[2]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"\":" T("F32", "[2]", "[0,8]") "}", 8, CS_EPARSE},
    /* keys */
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[0,4]") "}", 4, CS_EPARSE},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[4,8]") "}", 8, CS_EPARSE},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, CS_EPARSE},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, CS_EPARSE},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, CS_EPARSE},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, CS_EPARSE},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     CS_EPARSE},
    {"{\"__metadata__\":[]}", 0, CS_EPARSE},
    {"{\"__metadata__\":{\"a\":1}}", 0, CS_EPARSE},
    {"{\"__metadata__\":{\"a\":{}}}", 0, CS_EPARSE},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, CS_EPARSE},
    /* dtype, shape */
    {"{\"a\":" T("F16", "[2]", "[0,4]") "}", 4, CS_EPARSE},
    {"{\"a\":" T("f32", "[1]", "[0,4]") "}", 4, CS_EPARSE},
    {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, CS_EPARSE},
    {"{\"a\":" T("F32", "2", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[2.0]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[\"2\"]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[-2]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[-1,-2]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[1,1,1,1,2]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[3]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F64", "[2]", "[0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[4611686018427387905]", "[0,4]") "}", 4, CS_EPARSE}, /* x 4 = 4 mod 2^64 */
    {"{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, CS_EPARSE},
    {"{\"a\":" T("F32", "[18446744073709551617]", "[0,4]") "}", 4, CS_EPARSE},
    /* offsets */
    {"{\"a\":" T("F32", "[2]", "[0]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[0,8,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "{}") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[0.0,8]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[8,0]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[-8,0]") "}", 8, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[0,16]") "}", 16, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[8,16]") "}", 16, CS_EPARSE}, /* hole at the start */
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[8,12]") "}", 12, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[0,8]") ",\"b\":" T("F32", "[2]", "[4,12]") "}", 12, CS_EPARSE},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[0,4]") "}", 4, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[0,8]") "}", 9, CS_EPARSE}, /* bytes left over */
    {"{}", 1, CS_EPARSE},
    {"{\"a\":" T("F32", "[2]", "[0,8]") "}", 7, CS_ETRUNCATED},
    {"{\"a\":" T("F32", "[2]", "[0,8]") "}", 0, CS_ETRUNCATED},
    {"{\"a\":" T("F32", "[2305843009213693951]", "[0,9223372036854775804]") "}", 8, CS_ETRUNCATED},
};

static void hostile_headers(void **state)
{
    (void) state;
    for (size_t i = 0; i < CS_COUNT(vectors); i++) {
        struct cs_buf file = build(vectors[i].json, strlen(vectors[i].json), vectors[i].data);
        const int rc = decode_code(file.data, file.size);
        if (rc != vectors[i].expected)
            fail_msg("%s with %zu bytes: %d", vectors[i].json, vectors[i].data, rc);
        cs_buf_clear(&file);
    }
}

static void hostile_lengths(void **state)
{
    static const struct {
        uint64_t length;
        int expected;
    } lengths[] = {
        {0, CS_EPARSE},
        {1, CS_EPARSE},
        {3, CS_ETRUNCATED},
        {100000000, CS_ETRUNCATED},
        {100000001, CS_EPARSE},
        {UINT64_MAX, CS_EPARSE},
        {UINT64_MAX - 7, CS_EPARSE},
        {(uint64_t) 1 << 63, CS_EPARSE},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(lengths); i++) {
        struct cs_buf file = build("{}", lengths[i].length, 0);
        assert_int_equal(decode_code(file.data, file.size), lengths[i].expected);
        cs_buf_clear(&file);
    }
    for (size_t size = 0; size < 8; size++)
        assert_int_equal(decode_code("\2\0\0\0\0\0\0\0", size), CS_ETRUNCATED);
}

/* A header that nests 10,000 deep must end in an answer, not in the stack's end. */
static void deep_header(void **state)
{
    struct cs_buf json = {0};

    (void) state;
    cs_buf_adds(&json, "{\"a\":");
    for (int i = 0; i < 10000; i++)
        cs_buf_adds(&json, "[");
    struct cs_buf file = build(json.data, json.size, 0);
    assert_int_equal(decode_code(file.data, file.size), CS_EPARSE);
    cs_buf_clear(&json);
    cs_buf_clear(&file);
}

/*
 * Every prefix, and every single byte changed: an answer each time, and never a view beyond the
 * buffer.
 */
static void cuts_and_flips(void **state)
{
    static const char *const pairs[] = {"k", "v"};
    const struct st_tensor tensors[] = {{.name = "w", .ndim = 2, .shape = {2, 3}, .data = six},
                                        {.name = "b", .ndim = 1, .shape = {1}, .data = six}};
    struct cs_buf file = {0};

    (void) state;
    assert_int_equal(st_encode(&file, tensors, 2, pairs, 1, NULL), 0);
    for (size_t cut = 0; cut < file.size; cut++)
        assert_int_equal(decode_code(file.data, cut), CS_ETRUNCATED);
    for (size_t at = 0; at < file.size; at++)
        for (int bit = 0; bit < 8; bit++) {
            file.data[at] = (char) (file.data[at] ^ (1 << bit));
            const int rc = decode_code(file.data, file.size);
            assert_true(rc == 0 || rc == CS_EPARSE || rc == CS_ETRUNCATED);
            file.data[at] = (char) (file.data[at] ^ (1 << bit));
        }
    cs_buf_clear(&file);
}

static int encode_code(const struct st_tensor *tensors, size_t count, const char *const *pairs,
                       size_t n)
{
    struct cs_buf file = {0};
    const int rc = st_encode(&file, tensors, count, pairs, n, NULL);

    if (rc < 0)
        assert_null(file.data);
    cs_buf_clear(&file);
    return rc;
}

static void refused_to_write(void **state)
{
    static const char *const twice[] = {"k", "v", "k", "w"}, *const bad[] = {"k", "\xff"};
    const struct st_tensor same[] = {{.name = "a", .data = six}, {.name = "a", .data = six}};
    const struct st_tensor one[] = {
        {.name = "", .data = six},
        {.name = "__metadata__", .data = six},
        {.name = "\xff", .data = six},
        {.name = "a", .ndim = 5, .data = six},
        {.name = "a", .ndim = -1, .data = six},
        {.name = "a", .ndim = 1, .shape = {-1}, .data = six},
        {.name = "a", .ndim = 2, .shape = {INT64_MAX, 4}, .data = six},
        {.name = "a", .ndim = 1, .shape = {INT64_MAX}, .data = six},
    };

    (void) state;
    assert_int_equal(encode_code(same, 1, twice, 1), 0);
    assert_int_equal(encode_code(same, 2, NULL, 0), CS_ERANGE);
    assert_int_equal(encode_code(same, 1, twice, 2), CS_ERANGE);
    assert_int_equal(encode_code(same, 1, bad, 1), CS_ERANGE);
    for (size_t i = 0; i < CS_COUNT(one); i++)
        assert_int_equal(encode_code(&one[i], 1, NULL, 0), CS_ERANGE);
    /* 2^60 floats: a fine shape that no memory holds */
    const struct st_tensor huge = {
        .name = "a", .ndim = 1, .shape = {INT64_C(1) << 60}, .data = six};
    assert_int_equal(encode_code(&huge, 1, NULL, 0), CS_ENOMEM);
    struct cs_buf used = {0};
    cs_buf_adds(&used, "x");
    assert_int_equal(st_encode(&used, same, 1, NULL, 0, NULL), CS_ERANGE);
    cs_buf_clear(&used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),      cmocka_unit_test(exact_bytes),
        cmocka_unit_test(any_alignment),   cmocka_unit_test(hostile_headers),
        cmocka_unit_test(hostile_lengths), cmocka_unit_test(deep_header),
        cmocka_unit_test(cuts_and_flips),  cmocka_unit_test(refused_to_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
