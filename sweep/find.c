#include "sweep/find.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool has_journal(const char *logdir, const char *name)
{
    char *path = cs_xasprintf("%s/%s/journal.jsonl", logdir, name);
    const bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

int sweep_names_load(struct sweep_names *out, const char *logdir, struct cs_error *err)
{
    DIR *dir = opendir(logdir);
    size_t capacity = 0;

    *out = (struct sweep_names){0};
    if (!dir)
        return cs_fail(err, CS_ENONAME, "%s: no such log directory", logdir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.' || !has_journal(logdir, e->d_name))
            continue;
        if (out->count == capacity)
            out->list =
                cs_xrealloc(out->list, (capacity = capacity ? 2 * capacity : 16) * sizeof(char *));
        out->list[out->count++] = cs_xstrdup(e->d_name);
    }
    closedir(dir);
    if (out->count)
        qsort(out->list, out->count, sizeof(char *), compare_texts);
    return 0;
}

void sweep_names_free(struct sweep_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

/* The index of the name meant by word, or -1 with *matches = how many it could be. */
static long pick(char *const *list, size_t count, const char *word, size_t *matches)
{
    long found = -1;
    double number;

    *matches = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], word) == 0)
            return (long) i;
    }
    for (size_t i = 0; i < count; i++) {
        if (strncmp(list[i], word, strlen(word)) == 0) {
            found = (long) i;
            ++*matches;
        }
    }
    if (*matches == 1)
        return found;
    if (*matches == 0 && cs_parse_double(&number, word) && number >= 1 &&
        number <= (double) count && number == floor(number))
        return (long) number - 1;
    return -1;
}

static int not_found(const struct sweep_names *names, const char *logdir, const char *word,
                     size_t matches, struct cs_error *err)
{
    struct cs_buf list = {0};

    cs_buf_adds(&list, "");
    for (size_t i = 0; i < names->count && i < 10; i++)
        cs_buf_addf(&list, "%s%s", i ? ", " : "", names->list[i]);
    const int rc =
        names->count == 0 ? cs_fail(err, CS_ENONAME, "%s: no sweeps here", logdir)
        : !word           ? cs_fail(err, CS_ENONAME, "which sweep? %s has %s", logdir, list.data)
        : matches > 1
            ? cs_fail(err, CS_ENONAME, "%s: fits %zu sweeps of %s", word, matches, list.data)
            : cs_fail(err, CS_ENONAME, "%s: no such sweep; %s has %s", word, logdir, list.data);
    cs_buf_clear(&list);
    return rc;
}

int sweep_find(struct sweep_state **out, char **dir, const char *logdir, const char *word,
               struct cs_error *err)
{
    struct sweep_names names;
    size_t matches = 0;
    long index = -1;

    CS_TRY(sweep_names_load(&names, logdir, err));
    if (!word && names.count == 1)
        index = 0;
    else if (word)
        index = pick(names.list, names.count, word, &matches);
    int rc = index < 0 ? not_found(&names, logdir, word, matches, err) : 0;
    if (rc == 0) {
        *dir = cs_xasprintf("%s/%s", logdir, names.list[index]);
        rc = sweep_state_load(out, *dir, err);
        if (rc < 0) {
            free(*dir);
            *dir = NULL;
        }
    }
    sweep_names_free(&names);
    return rc;
}

static bool fits(const struct sweep_record *r, const char *word)
{
    return strncmp(r->name, word, strlen(word)) == 0 ||
           (strlen(word) >= 4 && strncmp(r->id, word, strlen(word)) == 0);
}

static const struct sweep_record *pick_trial(const struct sweep_state *state, const char *word,
                                             size_t *matches)
{
    const struct sweep_record *found = NULL;
    double number;

    *matches = 0;
    if (cs_parse_double(&number, word)) {
        for (size_t i = 0; i < state->count; i++) {
            if (state->records[i].number == number)
                return &state->records[i];
        }
    }
    for (size_t i = 0; i < state->count; i++) {
        if (strcmp(state->records[i].name, word) == 0)
            return &state->records[i];
        if (fits(&state->records[i], word)) {
            found = &state->records[i];
            ++*matches;
        }
    }
    return *matches == 1 ? found : NULL;
}

int sweep_find_record(const struct sweep_record **record, const struct sweep_state *state,
                      const char *word, struct cs_error *err)
{
    size_t matches;

    *record = pick_trial(state, word, &matches);
    if (*record)
        return 0;
    return matches > 1
               ? cs_fail(err, CS_ENONAME, "%s: fits %zu trials", word, matches)
               : cs_fail(err, CS_ENONAME,
                         "%s: no such trial; give its number or the start of its name", word);
}

int sweep_find_trial(struct sweep_state **out, const struct sweep_record **record, char **dir,
                     const char *logdir, const char *word, struct cs_error *err)
{
    const char *slash = strchr(word, '/');
    char *sweep = slash ? cs_xasprintf("%.*s", (int) (slash - word), word) : NULL;

    int rc = sweep_find(out, dir, logdir, sweep, err);
    free(sweep);
    CS_TRY(rc);
    rc = sweep_find_record(record, *out, slash ? slash + 1 : word, err);
    if (rc < 0) {
        sweep_state_free(*out);
        free(*dir);
    }
    return rc;
}
