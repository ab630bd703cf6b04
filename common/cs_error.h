/*
 * cs_error.h - how every csweep library reports failure.
 *
 * A function that can fail returns int: 0 on success, a negative CS_E* code
 * otherwise, and takes a struct cs_error * as its last parameter (NULL: the
 * caller wants the code only). The struct lives on the caller's stack; there
 * is no global "last error", so no message can go stale or cross threads.
 * Libraries never print and never exit; only sweep/ does both.
 *
 * Messages: one line, lower case, no full stop, the offending value, what was
 * expected, the nearest name where a name was wrong.
 */
#ifndef CS_ERROR_H
#define CS_ERROR_H

/* Append only: journals store the names. */
#define CS_ERRORS(X)                                \
    X(NOMEM, "out of memory")                       \
    X(IO, "input/output error")                     \
    X(PARSE, "malformed input")                     \
    X(RANGE, "value outside its range")             \
    X(NONAME, "no such name")                       \
    X(CORRUPT, "stored data fails its check")       \
    X(TRUNCATED, "data ends early")                 \
    X(DEVICE, "device error")                       \
    X(CHILD, "child process failed")                \
    X(BUSY, "held by another process")              \
    X(NOSPACE, "no space left")                     \
    X(UNAVAILABLE, "not available on this machine") \
    X(INTERRUPTED, "interrupted")

enum cs_code {
    CS_OK = 0,
    CS_ERROR_FIRST_ = -64,
#define X(name, text) CS_E##name,
    CS_ERRORS(X)
#undef X
};

struct cs_error {
    int code;
    int line;         /* 1-based line of `where` when it names a text file, else 0 */
    char where[256];  /* file, tag or trial; "" when none applies */
    char detail[512]; /* the message */
};

/* Fill *err (if any) and return code:  return cs_fail(err, CS_ERANGE, "..."); */
int cs_fail(struct cs_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with ": strerror(errno)" appended; ENOSPC and EDQUOT become CS_ENOSPACE, ENOMEM CS_ENOMEM. */
int cs_fail_errno(struct cs_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Name the place of a failure that has none yet; returns code. */
int cs_fail_at(struct cs_error *err, int code, const char *where, int line);

/* The fixed text of a code ("out of memory"). */
const char *cs_code_text(int code);

/* Forward a failure from a function that holds nothing to release. */
#define CS_TRY(call)      \
    do {                  \
        int rc_ = (call); \
        if (rc_ < 0)      \
            return rc_;   \
    } while (0)

#endif
