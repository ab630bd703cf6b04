#include "common/cs_str.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(void)
{
    fputs("csweep: out of memory\n", stderr);
    abort();
}

void *cs_xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *cs_xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *cs_xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *cs_xstrdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    return memcpy(cs_xmalloc(size), text, size);
}

char *cs_xasprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    const int size = vasprintf(&text, fmt, args);
    va_end(args);
    if (size < 0)
        out_of_memory();
    return text;
}

void *cs_alloc_aligned(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 64)
        return NULL;
    bytes = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, bytes ? bytes : 64);
    if (p)
        memset(p, 0, bytes);
    return p;
}

struct cs_arena_block {
    struct cs_arena_block *next;
    size_t used, capacity;
    _Alignas(16) unsigned char data[];
};

void *cs_arena_alloc(struct cs_arena *arena, size_t size)
{
    size = (size + 15) / 16 * 16;
    struct cs_arena_block *block = arena->head;
    if (!block || block->capacity - block->used < size) {
        const size_t capacity = size > 8192 ? size : 8192;
        block = cs_xmalloc(sizeof *block + capacity);
        block->next = arena->head;
        block->used = 0;
        block->capacity = capacity;
        arena->head = block;
    }
    void *p = block->data + block->used;
    block->used += size;
    return memset(p, 0, size);
}

char *cs_arena_strndup(struct cs_arena *arena, const char *text, size_t size)
{
    char *copy = cs_arena_alloc(arena, size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *cs_arena_strdup(struct cs_arena *arena, const char *text)
{
    return cs_arena_strndup(arena, text, strlen(text));
}

char *cs_arena_printf(struct cs_arena *arena, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    const int size = vasprintf(&text, fmt, args);
    va_end(args);
    if (size < 0)
        out_of_memory();
    char *copy = cs_arena_strdup(arena, text);
    free(text);
    return copy;
}

void cs_arena_clear(struct cs_arena *arena)
{
    while (arena->head) {
        struct cs_arena_block *next = arena->head->next;
        free(arena->head);
        arena->head = next;
    }
}

void cs_buf_reserve(struct cs_buf *buf, size_t more)
{
    if (buf->capacity - buf->size > more)
        return;
    size_t capacity = buf->capacity ? buf->capacity * 2 : 256;
    while (capacity - buf->size <= more)
        capacity *= 2;
    buf->data = cs_xrealloc(buf->data, capacity);
    buf->capacity = capacity;
}

void cs_buf_add(struct cs_buf *buf, const void *data, size_t size)
{
    cs_buf_reserve(buf, size);
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void cs_buf_adds(struct cs_buf *buf, const char *text)
{
    cs_buf_add(buf, text, strlen(text));
}

void cs_buf_addf(struct cs_buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const int size = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (size < 0)
        out_of_memory();
    cs_buf_reserve(buf, (size_t) size + 1);
    va_start(args, fmt);
    vsnprintf(buf->data + buf->size, (size_t) size + 1, fmt, args);
    va_end(args);
    buf->size += (size_t) size;
}

void cs_buf_clear(struct cs_buf *buf)
{
    free(buf->data);
    *buf = (struct cs_buf){0};
}

/* "1e-05" -> "1e-5", "1e+20" -> "1e20". */
static void tidy_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (!e)
        return;
    char *from = e + 1, *to = e + 1;
    if (*from == '-')
        *to++ = *from++;
    else if (*from == '+')
        from++;
    while (*from == '0' && from[1])
        from++;
    memmove(to, from, strlen(from) + 1);
}

const char *cs_format_double(char out[CS_DOUBLE_MAX], double value)
{
    if (isnan(value))
        return strcpy(out, "nan");
    if (isinf(value))
        return strcpy(out, value > 0 ? "inf" : "-inf");
    if (value == 0) /* no "-0": equal values have one text */
        return strcpy(out, "0");
    if (fabs(value) < 1e15 && value == floor(value)) {
        snprintf(out, CS_DOUBLE_MAX, "%.0f", value);
        return out;
    }
    /* Up to 15 digits come back as they were written: %.15g is the shortest where it reads back (not below the normal
     * numbers, which have fewer). */
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(out, CS_DOUBLE_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    tidy_exponent(out);
    return out;
}

bool cs_parse_double(double *out, const char *text)
{
    char *end;

    if (!*text || isspace((unsigned char) *text))
        return false;
    const double value = strtod(text, &end);
    if (*end || isnan(value) || strpbrk(text, "xX"))
        return false;
    *out = value;
    return true;
}

char *cs_trim(char *text)
{
    while (isspace((unsigned char) *text))
        text++;
    size_t size = strlen(text);
    while (size && isspace((unsigned char) text[size - 1]))
        size--;
    text[size] = '\0';
    return text;
}

/* Optimal string alignment distance; words longer than 63 bytes are never near. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    const size_t n = strlen(a), m = strlen(b);
    size_t d[3][MAX];

    if (n >= MAX || m >= MAX)
        return MAX;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t cost =
                tolower((unsigned char) a[i - 1]) != tolower((unsigned char) b[j - 1]);
            size_t best = up[j - 1] + cost;
            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            row[j] = best;
        }
    }
    return d[n % 3][m];
}

const char *cs_nearest(const char *word, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;

    for (size_t i = 0; i < count; i++) {
        const size_t d = distance(word, names[i]);
        if (d < best_distance && d < strlen(names[i])) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

bool cs_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
