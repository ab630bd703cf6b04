/*
 * cs_ini.h - the lines of an INI file, with their places.
 *
 * `[section]`, `key = value` (the first `=` splits), comments from `;` or `#` at the start of a line or after a
 * blank. Blanks around section, key and value are dropped; `\r` before the line end too; a UTF-8 byte order
 * mark is skipped. Nothing is interpreted: values stay text, order and repeats are kept. Refused, with the
 * line: text before the first section that is no comment, a line without `=`, an empty key, an unclosed
 * section, control bytes, invalid UTF-8, a file over 1 MB. Not inih: its lines end at 200 bytes and its
 * handler gets no line numbers in Debian's build.
 */
#ifndef CS_INI_H
#define CS_INI_H

#include <stddef.h>

#include "common/cs_str.h"

struct cs_error;

enum { CS_INI_MAX_BYTES = 1 << 20 };

struct cs_ini_entry {
    const char *section; /* text between the brackets */
    const char *key;     /* NULL: this entry is the section header itself */
    const char *value;   /* may be "" */
    int line;            /* 1-based */
};

struct cs_ini {
    const struct cs_ini_entry *entries; /* in the arena */
    size_t count;
};

/*
 * Parse text[0..size). Every bad line is reported through bad(context, err) (err->where = name, err->line set)
 * and skipped, so that all faults of a file are told in one go; returns the number of bad lines.
 */
int cs_ini_parse(struct cs_ini *out, const char *name, const char *text, size_t size,
                 void (*bad)(void *context, const struct cs_error *err), void *context,
                 struct cs_arena *arena);

/* The same, and keys may stand before the first section: theirs is "". */
int cs_ini_parse_top(struct cs_ini *out, const char *name, const char *text, size_t size,
                     void (*bad)(void *context, const struct cs_error *err), void *context,
                     struct cs_arena *arena);

#endif
