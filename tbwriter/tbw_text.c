#include "tbwriter/tbw_text.h"

#include <string.h>

#include "common/cs_error.h"

/*
 * The sequence lengths and the range of the second byte, which excludes what is not well-formed
 * (Unicode, table 3-7).
 */
static size_t sequence_size(const unsigned char *p, size_t left)
{
    size_t size = 1;
    unsigned char low = 0x80, high = 0xbf;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        size = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        size = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        size = 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (size == 1 || size > left || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* Offset of the first byte that is not part of valid text; size when all is valid. */
static size_t first_bad(const char *text, size_t size)
{
    size_t at = 0;

    while (at < size) {
        const size_t n = sequence_size((const unsigned char *) text + at, size - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

bool tbw_utf8_valid(const char *text, size_t size)
{
    return first_bad(text, size) == size;
}

int tbw_check_text(const char *what, const char *text, struct cs_error *err)
{
    const size_t size = text ? strlen(text) : 0;
    const size_t bad = first_bad(text, size);

    if (bad < size)
        return cs_fail(err, CS_EPARSE, "%s is not valid utf-8 at byte %zu (0x%02x)", what, bad,
                       (unsigned) (unsigned char) text[bad]);
    return 0;
}

int tbw_check_name(const char *what, const char *name, struct cs_error *err)
{
    if (!name || !*name)
        return cs_fail(err, CS_EPARSE, "%s is empty", what);
    for (const char *p = name; *p; p++)
        if ((unsigned char) *p < 0x20 || *p == 0x7f)
            return cs_fail(err, CS_EPARSE, "%s holds a control byte (0x%02x) at byte %zu", what,
                           (unsigned) (unsigned char) *p, (size_t) (p - name));
    return tbw_check_text(what, name, err);
}
