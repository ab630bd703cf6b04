#include "common/cs_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void set(struct cs_error *err, int code,
                                                      const char *fmt, va_list args)
{
    err->code = code;
    err->line = 0;
    err->where[0] = '\0';
    vsnprintf(err->detail, sizeof err->detail, fmt, args);
}

int cs_fail(struct cs_error *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, fmt, args);
        va_end(args);
    }
    return code;
}

int cs_fail_errno(struct cs_error *err, const char *fmt, ...)
{
    const int number = errno;
    int code = CS_EIO;

    if (number == ENOSPC || number == EDQUOT)
        code = CS_ENOSPACE;
    else if (number == ENOMEM)
        code = CS_ENOMEM;
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, fmt, args);
        va_end(args);
        const size_t used = strlen(err->detail);
        snprintf(err->detail + used, sizeof err->detail - used, ": %s", strerror(number));
    }
    return code;
}

int cs_fail_at(struct cs_error *err, int code, const char *where, int line)
{
    if (err && err->where[0] == '\0') {
        snprintf(err->where, sizeof err->where, "%s", where);
        err->line = line;
    }
    return code;
}

const char *cs_code_text(int code)
{
    switch (code) {
    case CS_OK:
        return "no error";
#define X(name, text) \
    case CS_E##name:  \
        return text;
        CS_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}
