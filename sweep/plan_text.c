/*
 * plan_text.c - plans as text: the grid as it runs, and the batch file of its trials.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"
#include "sweep/batch.h"
#include "sweep/plan_impl.h"

/* ---- sweep.ini ---- */

static void add_header(struct cs_buf *out, const struct grid_section *section)
{
    cs_buf_addf(out, "%s[%s]\n", out->size ? "\n" : "", section->title);
}

struct placed {
    size_t section, entry;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->section != y->section)
        return x->section < y->section ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Entries by section; those the command line added are at the end of the list. */
static struct placed *place_entries(const struct grid *grid, size_t *count)
{
    struct placed *placed = cs_xcalloc(grid->entry_count, sizeof *placed);

    *count = 0;
    for (size_t e = 0; e < grid->entry_count; e++) {
        const struct grid_section *section = grid->entries[e].section;
        if (section->place != GRID_PRESET && section->place != GRID_SKIPPED)
            placed[(*count)++] = (struct placed){section->number, e};
    }
    qsort(placed, *count, sizeof *placed, compare_placed);
    return placed;
}

/* The name is written out: sweep.ini has another stem than the file it comes from. */
char *sweep_plan_resolve(const struct grid *grid, const char *name)
{
    const struct grid_section *open = NULL;
    struct cs_buf out = {0};
    bool named = sweep_grid_sweep_entry(grid, "name") != NULL, has_sweep = false;
    size_t count;
    struct placed *placed = place_entries(grid, &count);

    for (size_t i = 0; i < count; i++)
        has_sweep = has_sweep || grid->entries[placed[i].entry].section->place == GRID_SWEEP;
    if (!named && !has_sweep)
        cs_buf_addf(&out, "[sweep]\nname = %s\n", name);
    for (size_t i = 0; i < count; i++) {
        const struct grid_entry *entry = &grid->entries[placed[i].entry];
        if (entry->section != open)
            add_header(&out, entry->section);
        open = entry->section;
        if (!named && open->place == GRID_SWEEP) {
            cs_buf_addf(&out, "name = %s\n", name);
            named = true;
        }
        if (entry->env)
            cs_buf_addf(&out, "; of the environment: %s\n", entry->env);
        cs_buf_addf(&out, "%s =%s%s\n", entry->key, *entry->value ? " " : "", entry->value);
    }
    free(placed);
    cs_buf_adds(&out, "");
    return out.data;
}

/* ---- the batch file ---- */

const char *sweep_plan_lines(struct grid *grid, const char *name)
{
    static const char *const of_points[] = {"seed", "seeds", "include"};
    struct cs_buf out = {0};

    cs_buf_adds(&out, "");
    if (name)
        cs_buf_addf(&out, SWEEP_LINE "name = %s\n", name);
    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place == GRID_SWEEP && !(name && strcmp(entry->key, "name") == 0) &&
            !sweep_grid_one_of(entry->key, of_points, CS_COUNT(of_points)) &&
            !sweep_plan_is_search_key(entry->key))
            cs_buf_addf(&out, SWEEP_LINE "%s = %s\n", entry->key, entry->value);
    }
    const char *lines = cs_arena_strdup(&grid->arena, out.data);
    cs_buf_clear(&out);
    return lines;
}

const char **sweep_plan_keys(const struct sweep_plan *plan, bool varying, size_t *count)
{
    const char **keys = NULL;
    const struct sweep_point *last = NULL;

    *count = 0;
    for (size_t t = 0; t < plan->trial_count; t++) {
        const struct sweep_point *point = plan->trials[t].point;
        size_t at = 0;
        if (point == last)
            continue; /* another seed */
        last = point;
        for (size_t i = 0; i < point->param_count; i++) {
            size_t k = 0;
            if (varying && !point->params[i].varies)
                continue;
            while (k < *count && keys[k] != point->params[i].key)
                k++;
            if (k == *count) {
                keys = cs_xrealloc(keys, (*count + 1) * sizeof *keys);
                memmove(&keys[at + 1], &keys[at], (*count - at) * sizeof *keys);
                keys[at] = point->params[i].key;
                k = at;
                ++*count;
            }
            at = k + 1;
        }
    }
    return keys;
}

const char *sweep_trial_value(const struct sweep_trial *trial, const char *key)
{
    for (size_t i = 0; i < trial->param_count; i++) {
        if (trial->params[i].key == key)
            return trial->params[i].value;
    }
    return NULL;
}

static void add_csv_field(struct cs_buf *out, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")] && *text != '#') {
        cs_buf_adds(out, text);
        return;
    }
    cs_buf_adds(out, "\"");
    for (; *text; text++)
        cs_buf_add(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    cs_buf_adds(out, "\"");
}

/* Is the key a variable of the user's own, in the trials that have it? */
static bool is_own(const struct sweep_plan *plan, const char *key)
{
    const struct sweep_point *last = NULL;

    for (size_t t = 0; t < plan->trial_count; t++) {
        const struct sweep_point *point = plan->trials[t].point;
        for (size_t i = 0; i < point->param_count && point != last; i++) {
            if (strcmp(point->params[i].key, key) == 0)
                return point->params[i].own;
        }
        last = point;
    }
    return false;
}

void sweep_batch_write(struct cs_buf *out, const struct sweep_plan *plan, const char *lines)
{
    size_t count;
    const char **keys = sweep_plan_keys(plan, false, &count);

    cs_buf_adds(out, lines);
    const char *before = SWEEP_VARIABLES, *after = "";
    for (size_t k = 0; k < count; k++) {
        if (!is_own(plan, keys[k]))
            continue;
        cs_buf_addf(out, "%s%s", before, keys[k]);
        before = ", ";
        after = "\n";
    }
    cs_buf_adds(out, after);
    cs_buf_adds(out, "number,name,id,seed");
    for (size_t k = 0; k < count; k++)
        cs_buf_addf(out, ",%s", keys[k]);
    cs_buf_adds(out, "\n");
    for (size_t t = 0; t < plan->trial_count; t++) {
        const struct sweep_trial *trial = &plan->trials[t];
        cs_buf_addf(out, "%d,", trial->number);
        add_csv_field(out, trial->name);
        cs_buf_addf(out, ",%s,%llu", trial->id, (unsigned long long) trial->seed);
        for (size_t k = 0; k < count; k++) {
            const char *value = sweep_trial_value(trial, keys[k]);
            cs_buf_adds(out, ",");
            add_csv_field(out, value ? value : "");
        }
        cs_buf_adds(out, "\n");
    }
    free(keys);
}
