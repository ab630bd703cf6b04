/*
 * cs_str.h - memory and text: the small pieces every folder needs.
 *
 * Small allocations abort on failure (a trial is its own process); anything
 * sized by the user's configuration is allocated with cs_alloc_aligned and
 * reports CS_ENOMEM.
 */
#ifndef CS_STR_H
#define CS_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cs_error;

#define CS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Never NULL: print "out of memory" and abort instead. */
void *cs_xmalloc(size_t size);
void *cs_xcalloc(size_t count, size_t size);
void *cs_xrealloc(void *old, size_t size);
char *cs_xstrdup(const char *text);
char *cs_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* 64-byte aligned and zeroed, count * size checked for overflow; free() releases it. NULL on failure. */
void *cs_alloc_aligned(size_t count, size_t size);

/* An arena: many small pieces, one free. A zeroed struct is empty and valid. */
struct cs_arena {
    struct cs_arena_block *head;
};
void *cs_arena_alloc(struct cs_arena *arena, size_t size); /* zeroed, 16-byte aligned */
char *cs_arena_strdup(struct cs_arena *arena, const char *text);
char *cs_arena_strndup(struct cs_arena *arena, const char *text, size_t size);
char *cs_arena_printf(struct cs_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void cs_arena_clear(struct cs_arena *arena);

/* A growing buffer; data is always NUL terminated after the first add. A zeroed struct is empty. */
struct cs_buf {
    char *data;
    size_t size, capacity;
};
void cs_buf_reserve(struct cs_buf *buf,
                    size_t more); /* room for that many bytes after size, and a zero */
void cs_buf_add(struct cs_buf *buf, const void *data, size_t size);
void cs_buf_adds(struct cs_buf *buf, const char *text);
void cs_buf_addf(struct cs_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cs_buf_clear(struct cs_buf *buf); /* frees */

/* Shortest decimal that reads back as the same double: "0.001", "1e-5", "64", "inf", "nan". */
enum { CS_DOUBLE_MAX = 32 };
const char *cs_format_double(char out[CS_DOUBLE_MAX], double value);

/* A whole text as one finite or infinite number ("1e-3", "inf"); false when anything is left over. */
bool cs_parse_double(double *out, const char *text);

/* Copy without leading and trailing blanks, in place; returns the start. */
char *cs_trim(char *text);

/*
 * The name among names[0..count) nearest to word by edit distance (swaps count one), or NULL when none is
 * near enough to be a likely slip.
 */
const char *cs_nearest(const char *word, const char *const *names, size_t count);

/* Shell style match: * and ? only. */
bool cs_glob(const char *pattern, const char *text);

#endif
