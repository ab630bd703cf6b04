/* explain.c - the definitions of one key as a text. */
#include "sweep/explain.h"

#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "sweep/grid_impl.h"
#include "sweep/plan.h"

struct text {
    struct cs_buf *out;
    struct grid *grid;
    size_t points; /* of the grid */
};

static const char *source_of(struct grid *grid, const struct grid_entry *entry)
{
    if (entry->value_line >= GRID_COMMAND_LINE)
        return "command line";
    if (entry->preset)
        return cs_arena_printf(&grid->arena, "preset %s", entry->preset);
    return entry->value_line < GRID_FILE_LINES ? "file" : "include";
}

static const char *place_of(struct grid *grid, int line)
{
    if (line >= GRID_COMMAND_LINE)
        return "";
    return cs_arena_printf(&grid->arena, "%s:%d", grid->files[line / GRID_FILE_LINES].path,
                           line % GRID_FILE_LINES);
}

static int most(int a, size_t b)
{
    return a > (int) b ? a : (int) b;
}

/* An entry and what it took the place of. */
static void add_chain(struct text *t, const struct grid_entry *entry, bool counts)
{
    int source_width = 0, place_width = 0;

    for (const struct grid_entry *e = entry; e; e = e->under) {
        source_width = most(source_width, strlen(source_of(t->grid, e)));
        place_width = most(place_width, strlen(place_of(t->grid, e->value_line)));
    }
    for (const struct grid_entry *e = entry; e; e = e->under) {
        cs_buf_addf(t->out, "  %c %-*s  %-*s  %s", counts && e == entry ? '*' : ' ', source_width,
                    source_of(t->grid, e), place_width, place_of(t->grid, e->value_line),
                    *e->value ? e->value : "(empty)");
        if (e->env)
            cs_buf_addf(t->out, "  (of the environment: %s)", e->env);
        cs_buf_adds(t->out, "\n");
    }
}

static void add_count(struct text *t, size_t count)
{
    cs_buf_addf(t->out, ": %zu of %zu point%s\n", count, t->points, t->points == 1 ? "" : "s");
}

/* How many points take the definition: its codes are a range of their own. */
static size_t count_points(const struct grid *grid, size_t number, const struct grid_def *def)
{
    size_t count = 0;

    for (size_t p = 0; p < grid->point_count; p++) {
        const uint32_t code = grid->points[p * grid->key_count + number];
        count += code >= def->first && code < def->first + def->count;
    }
    return count;
}

static void add_defs(struct text *t, const struct grid_key *key, size_t number, bool inside)
{
    for (size_t i = 0; i < key->def_count; i++) {
        const struct grid_def *def = &key->defs[i];
        if ((def->when != NULL) != inside)
            continue;
        const size_t count = count_points(t->grid, number, def);
        cs_buf_addf(t->out, "[%s]", def->entry->section->title);
        add_count(t, count);
        add_chain(t, def->entry, count > 0);
    }
}

struct use {
    size_t points, by_default;
};

static void add_default(struct text *t, const struct grid_row *row, const struct use *use)
{
    if (row->owner && !use->points)
        return; /* of a choice that this grid does not make */
    if (row->owner)
        cs_buf_addf(t->out, "default where %s = %s", row->owner->name, row->row->owner);
    else
        cs_buf_adds(t->out, "default");
    add_count(t, use->by_default);
    cs_buf_addf(t->out, "  %c %s\n", use->by_default ? '*' : ' ',
                !row->def   ? "the optimizer's own"
                : *row->def ? row->def
                            : "(empty)");
}

/* Where it is not written: its default by the choice that has it, or absent. */
static void add_defaults(struct text *t, struct grid_key *key, size_t number)
{
    struct use *uses = cs_xcalloc(key->row_count + 1, sizeof *uses);

    for (size_t p = 0; p < t->grid->point_count; p++) {
        sweep_grid_restore(t->grid, p);
        struct use *use = &uses[key->row ? (size_t) (key->row - key->rows) : key->row_count];
        use->points++;
        use->by_default += t->grid->points[p * t->grid->key_count + number] == 0;
    }
    for (size_t i = 0; i < key->row_count; i++)
        add_default(t, &key->rows[i], &uses[i]);
    if (uses[key->row_count].by_default) {
        cs_buf_adds(t->out, key->own ? "absent, no value in force refers to it"
                                     : "absent, no choice made there has it");
        add_count(t, uses[key->row_count].by_default);
    }
    free(uses);
}

static void explain_key(struct text *t, struct grid_key *key)
{
    size_t number = 0;

    while (t->grid->keys[number] != key)
        number++;
    add_defs(t, key, number, true);
    add_defs(t, key, number, false);
    add_defaults(t, key, number);
}

/* A key of [sweep] has one value. */
static void explain_sweep(struct text *t, const char *name)
{
    const struct grid_entry *entry = sweep_grid_sweep_entry(t->grid, name);
    const struct cs_param *row = sweep_grid_sweep_key(name);

    cs_buf_adds(t->out, "[sweep]\n");
    if (entry)
        add_chain(t, entry, true);
    cs_buf_addf(t->out, "default\n  %c %s\n", entry ? ' ' : '*', *row->def ? row->def : "(empty)");
}

/* The files, each before those that it includes. */
static void explain_files(struct text *t)
{
    for (int i = 0; i < t->grid->file_count; i++) {
        const struct grid_file *file = &t->grid->files[i];
        if (file->parent < 0)
            cs_buf_addf(t->out, "%s\n", file->path);
        else
            cs_buf_addf(t->out, "  %s, included by %s\n", file->path,
                        t->grid->files[file->parent].path);
    }
}

int sweep_explain(struct cs_buf *out, const struct sweep_plan_input *input, const char *key,
                  struct cs_error *err)
{
    struct grid grid = {0};
    struct text text = {.out = out, .grid = &grid};
    const char *problem = NULL;

    sweep_grid_read(&grid, input);
    if (strcmp(key, "include") == 0) {
        explain_files(&text);
    } else if (sweep_grid_sweep_key(key)) {
        explain_sweep(&text, key);
    } else if ((problem = sweep_grid_name_problem(&grid, key)) == NULL) {
        struct grid_key *found = sweep_grid_key_get(&grid, key);
        sweep_grid_expand(&grid);
        text.points = grid.point_count;
        explain_key(&text, found);
    }
    const int rc = problem ? cs_fail(err, CS_ENONAME, "%.80s: %s", key, problem) : 0;
    sweep_grid_clear(&grid);
    return rc;
}
