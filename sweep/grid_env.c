/*
 * grid_env.c - ${env:NAME} and ${env:NAME:DEFAULT} in values: replaced once, as text, before a value is split at commas.
 *
 * What stood there is kept with the entry, for a comment in the resolved text. Refused: a variable that is not set
 * and has no default; names that look like a secret's, since values are shown everywhere; values that an INI
 * line cannot hold or that would refer to something again.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cs_ini.h"
#include "sweep/grid_impl.h"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

struct env {
    struct grid *grid;
    const char *key;
    int line;
    struct cs_buf value, note;
};

static const char *secret_word(const char *name)
{
    static const char *const words[] = {"KEY", "TOKEN", "SECRET", "PASSWORD"};

    for (size_t i = 0; i < CS_COUNT(words); i++) {
        for (const char *p = name; *p; p++) {
            if (strncasecmp(p, words[i], strlen(words[i])) == 0)
                return words[i];
        }
    }
    return NULL;
}

/* NAME or NAME:DEFAULT, between `${env:` and `}`; false: a fault is recorded. */
static bool add_variable(struct env *e, char *inner)
{
    struct grid *grid = e->grid;
    char *def = strchr(inner, ':');
    const char *secret;

    if (def)
        *def++ = '\0';
    if (!*inner || inner[strspn(inner, NAME_LETTERS)]) {
        sweep_grid_fault(grid, e->line,
                         "%s: ${env:%.80s}: expected ${env:NAME} or ${env:NAME:DEFAULT}", e->key,
                         inner);
        return false;
    }
    if ((secret = secret_word(inner)) != NULL) {
        sweep_grid_fault(grid, e->line,
                         "%s: ${env:%.80s}: a name with %s may hold a secret, and values are "
                         "written to files",
                         e->key, inner, secret);
        return false;
    }
    const char *set = getenv(inner);
    if (!set && !def) {
        sweep_grid_fault(grid, e->line,
                         "%s: ${env:%.80s}: not set; set it or write ${env:%.80s:DEFAULT}", e->key,
                         inner, inner);
        return false;
    }
    const char *value = cs_trim(cs_arena_strdup(&grid->arena, set ? set : def));
    if (strlen(value) > CS_INI_MAX_BYTES - grid->bytes) {
        sweep_grid_fault(grid, e->line, "%s: ${env:%.80s}: over 1 MB with all files", e->key,
                         inner);
        return false;
    }
    grid->bytes += strlen(value);
    if (strstr(value, "${") || !sweep_grid_can_be_written(grid, value)) {
        sweep_grid_fault(grid, e->line,
                         "%s: ${env:%.80s}: its value must be a text without ${, comments, control "
                         "bytes and invalid UTF-8",
                         e->key, inner);
        return false;
    }
    cs_buf_adds(&e->value, value);
    cs_buf_addf(&e->note, "%s%s%s = %s", e->note.size ? ", " : "", inner, set ? "" : " (not set)",
                value);
    return true;
}

const char *sweep_grid_env(struct grid *grid, const char *key, const char *text, int line,
                           const char **note)
{
    struct env e = {.grid = grid, .key = key, .line = line};
    const char *result = NULL, *at;
    bool good = true;

    *note = NULL;
    if (!strstr(text, "${env:"))
        return text;
    for (; good && (at = strstr(text, "${env:")) != NULL;) {
        const char *end = strchr(at, '}');
        if (!end) {
            sweep_grid_fault(grid, line, "%s: %.120s: ${ without a }", key, at);
            good = false;
            break;
        }
        cs_buf_add(&e.value, text, (size_t) (at - text));
        good = add_variable(&e, cs_arena_strndup(&grid->arena, at + 6, (size_t) (end - at) - 6));
        text = end + 1;
    }
    cs_buf_adds(&e.value, text);
    if (good) {
        result = cs_trim(cs_arena_strdup(&grid->arena, e.value.data));
        *note = cs_arena_strdup(&grid->arena, e.note.data);
    }
    cs_buf_clear(&e.value);
    cs_buf_clear(&e.note);
    return result;
}
