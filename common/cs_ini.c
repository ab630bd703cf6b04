#include "common/cs_ini.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"

struct reader {
    const char *name;
    void (*bad)(void *context, const struct cs_error *err);
    void *context;
    int bad_count, line;
    bool top; /* keys may stand before the first section */
    struct cs_ini_entry *entries;
    size_t count, capacity;
    const char *section;
    struct cs_arena *arena;
};

static void complain(struct reader *r, const char *message, const char *text)
{
    struct cs_error err;

    if (text)
        cs_fail(&err, CS_EPARSE, "%.80s: %s", text, message);
    else
        cs_fail(&err, CS_EPARSE, "%s", message);
    cs_fail_at(&err, CS_EPARSE, r->name, r->line);
    r->bad(r->context, &err);
    r->bad_count++;
}

/* Length of the valid UTF-8 sequence at p (0: invalid, or a control byte other than tab). */
static size_t sequence(const unsigned char *p, size_t left)
{
    if (*p < 0x80)
        return *p >= 0x20 ? *p != 0x7f : *p == '\t';
    const size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc2 || *p > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
        (*p == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static bool clean(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *) text;

    while (size) {
        const size_t n = sequence(p, size);
        if (n == 0)
            return false;
        p += n;
        size -= n;
    }
    return true;
}

static void strip_comment(char *text)
{
    for (char *p = text; *p; p++) {
        if ((*p == ';' || *p == '#') && (p == text || p[-1] == ' ' || p[-1] == '\t')) {
            *p = '\0';
            return;
        }
    }
}

static void add(struct reader *r, const char *key, const char *value)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 64;
        r->entries = cs_xrealloc(r->entries, r->capacity * sizeof *r->entries);
    }
    r->entries[r->count++] =
        (struct cs_ini_entry){r->section ? r->section : "", key, value, r->line};
}

static void read_line(struct reader *r, const char *text, size_t size)
{
    if (size && text[size - 1] == '\r')
        size--;
    if (!clean(text, size)) {
        complain(r, "control bytes or invalid UTF-8; expected text", NULL);
        return;
    }
    char *copy = cs_arena_strndup(r->arena, text, size);
    strip_comment(copy);
    char *line = cs_trim(copy);
    if (!*line)
        return;
    if (*line == '[') {
        char *end = strrchr(line, ']');
        if (!end || end[1]) {
            complain(r, "section without a closing ]", line);
            return;
        }
        *end = '\0';
        r->section = cs_trim(line + 1);
        if (!*r->section)
            complain(r, "empty section name", "[]");
        add(r, NULL, NULL);
        return;
    }
    char *equals = strchr(line, '=');
    if (!equals) {
        complain(r, "expected `key = value` or `[section]`", line);
        return;
    }
    *equals = '\0';
    char *key = cs_trim(line);
    if (!*key)
        complain(r, "no key before the =", equals + 1);
    else if (!r->section && !r->top)
        complain(r, "key before the first [section]", key);
    else
        add(r, key, cs_trim(equals + 1));
}

static int parse(struct cs_ini *out, const char *name, const char *text, size_t size, bool top,
                 void (*bad)(void *context, const struct cs_error *err), void *context,
                 struct cs_arena *arena)
{
    struct reader r = {.name = name, .top = top, .bad = bad, .context = context, .arena = arena};

    if (size > CS_INI_MAX_BYTES) {
        complain(&r, "file over 1 MB", NULL);
        *out = (struct cs_ini){0};
        return r.bad_count;
    }
    size_t at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < size && r.bad_count < 100) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t stop = end ? (size_t) (end - text) : size;
        r.line++;
        read_line(&r, text + at, stop - at);
        at = stop + 1;
    }
    struct cs_ini_entry *entries = cs_arena_alloc(arena, r.count * sizeof *entries);
    if (r.count)
        memcpy(entries, r.entries, r.count * sizeof *entries);
    free(r.entries);
    *out = (struct cs_ini){entries, r.count};
    return r.bad_count;
}

int cs_ini_parse(struct cs_ini *out, const char *name, const char *text, size_t size,
                 void (*bad)(void *context, const struct cs_error *err), void *context,
                 struct cs_arena *arena)
{
    return parse(out, name, text, size, false, bad, context, arena);
}

int cs_ini_parse_top(struct cs_ini *out, const char *name, const char *text, size_t size,
                     void (*bad)(void *context, const struct cs_error *err), void *context,
                     struct cs_arena *arena)
{
    return parse(out, name, text, size, true, bad, context, arena);
}
