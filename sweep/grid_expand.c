/*
 * sweep_grid_expand.c - definitions to points.
 *
 * The keys are put in a sequence where each stands after those that decide about it (names in its [when]s, the
 * key that owns it, `layers` for one's own variables); a circle is a fault. A walk along the sequence then
 * branches at every alternative in force.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "sweep/grid.h"

/* The sequence. */

enum { NEW, OPEN, DONE };

static void visit(struct grid *grid, struct grid_key *key, struct grid_key **path, size_t depth);

static void report_circle(struct grid *grid, struct grid_key *key, struct grid_key **path,
                          size_t depth)
{
    struct cs_buf text = {0};
    size_t start = depth;
    int line = 0;

    while (start > 0 && path[start - 1] != key)
        start--;
    for (size_t i = start ? start - 1 : 0; i < depth; i++) {
        cs_buf_addf(&text, "%.80s -> ", path[i]->name);
        for (size_t d = 0; d < path[i]->def_count; d++) {
            if (path[i]->defs[d].when && line == 0)
                line = path[i]->defs[d].when->line;
        }
    }
    cs_buf_adds(&text, key->name);
    sweep_grid_fault(grid, line, "conditions in a circle: %.400s", text.data);
    cs_buf_clear(&text);
    grid->stopped = true;
}

static void visit_condition(struct grid *grid, const struct grid_section *when,
                            struct grid_key **path, size_t depth)
{
    size_t count;
    const struct cs_expr_use *uses = cs_expr_uses(when->condition, &count);

    for (size_t i = 0; i < count; i++) {
        if (!uses[i].value)
            visit(grid, sweep_grid_key_find(grid, uses[i].name), path, depth);
    }
}

static void visit(struct grid *grid, struct grid_key *key, struct grid_key **path, size_t depth)
{
    if (!key || key->mark == DONE || grid->stopped)
        return;
    if (key->mark == OPEN) {
        report_circle(grid, key, path, depth);
        return;
    }
    key->mark = OPEN;
    path[depth++] = key;
    for (size_t i = 0; i < key->row_count; i++)
        visit(grid, key->rows[i].owner, path, depth);
    if (key->own)
        visit(grid, sweep_grid_key_find(grid, "layers"), path, depth);
    for (size_t i = 0; i < key->def_count; i++) {
        if (key->defs[i].when && key->defs[i].when->condition)
            visit_condition(grid, key->defs[i].when, path, depth);
    }
    key->mark = DONE;
    grid->sequence[grid->sequence_count++] = key;
}

/* One definition, never conditional. */
static bool is_plain(const struct grid_key *key)
{
    bool always = false;

    for (size_t i = 0; i < key->row_count; i++)
        always = always || !key->rows[i].owner;
    return always && key->def_count == 1 && !key->defs[0].when;
}

/* Constants first: the walk passes them once instead of once per point. */
static void find_sequence(struct grid *grid)
{
    struct grid_key **path = cs_xcalloc(grid->key_count + 1, sizeof *path);

    grid->sequence = cs_xcalloc(grid->key_count + 1, sizeof *grid->sequence);
    for (size_t i = 0; i < grid->key_count; i++) {
        if (is_plain(grid->keys[i]) && grid->keys[i]->defs[0].count == 1)
            visit(grid, grid->keys[i], path, 0);
    }
    for (size_t i = 0; i < grid->key_count; i++)
        visit(grid, grid->keys[i], path, 0);
    free(path);
}

/* One key at a point. */

static struct cs_expr_value look_up(void *context, const char *name)
{
    const struct grid_key *key = sweep_grid_key_find(context, name);

    if (!key || !key->value)
        return (struct cs_expr_value){0};
    const enum cs_type type = key->row ? key->row->row->row->type : CS_TEXT;
    if (key->own ? key->numeric : type == CS_FLOAT || type == CS_INT)
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = key->num};
    if (type == CS_BOOL && !key->own)
        return (struct cs_expr_value){.kind = CS_EXPR_BOOL, .num = key->num};
    return (struct cs_expr_value){.kind = CS_EXPR_WORD, .word = key->value};
}

static bool holds(struct grid *grid, struct grid_section *when)
{
    struct cs_error err;
    bool result = false;

    if (!when->condition)
        return false;
    if (cs_expr_test(&result, when->condition, look_up, grid, &err) < 0)
        sweep_grid_fault(grid, when->line, "[when %.120s]: %s", when->name, err.detail);
    when->held = when->held || result;
    return result;
}

/* The definition that counts here: of a [when] that holds, else the one outside, else none. */
static struct grid_def *find_def(struct grid *grid, struct grid_key *key)
{
    struct grid_def *outside = NULL, *inside = NULL;

    for (size_t i = 0; i < key->def_count; i++) {
        struct grid_def *def = &key->defs[i];
        grid->steps++;
        if (!def->when) {
            outside = def;
        } else if (holds(grid, def->when)) {
            if (inside) {
                inside->used = true;
                sweep_grid_fault(grid, def->entry->line,
                                 "%s: [when %.100s] (line %d) and [when %.100s] give it at once",
                                 key->name, inside->when->name, inside->entry->line,
                                 def->when->name);
            }
            inside = def;
        }
    }
    return inside ? inside : outside;
}

static const struct grid_row *find_row(const struct grid_key *key)
{
    for (size_t i = 0; i < key->row_count; i++) {
        const struct grid_row *row = &key->rows[i];
        if (!row->owner || (row->owner->value && strcmp(row->owner->value, row->row->owner) == 0))
            return row;
    }
    return NULL;
}

static bool is_in_force(const struct grid *grid, struct grid_key *key)
{
    key->row = find_row(key);
    if (!key->own)
        return key->row != NULL;
    const struct grid_key *layers = sweep_grid_key_find(grid, "layers");
    return layers && layers->value && sweep_grid_refers(layers->value, key->name);
}

static void set_default(struct grid_key *key, bool in_force)
{
    key->def = NULL;
    key->code = 0;
    key->value = in_force && key->row ? key->row->def : NULL;
    key->num = in_force && key->row ? key->row->num : 0;
}

static void set_value(struct grid_key *key, const struct grid_def *def, size_t index)
{
    key->def = def;
    key->code = (uint32_t) (def->first + index);
    key->value = def->values[index].text;
    key->num = def->values[index].num;
}

/* The walk. */

static void add_point(struct grid *grid)
{
    const size_t width = grid->key_count;

    if (grid->point_count == GRID_MAX_POINTS || (grid->point_count + 1) * width > GRID_MAX_CELLS) {
        sweep_grid_fault(grid, 0, "the grid has more than %zu points; split it", grid->point_count);
        grid->stopped = true;
        return;
    }
    if (grid->point_count == grid->point_capacity) {
        grid->point_capacity = grid->point_capacity ? 2 * grid->point_capacity : 64;
        grid->points =
            cs_xrealloc(grid->points, grid->point_capacity * width * sizeof *grid->points);
    }
    uint32_t *point = grid->points + grid->point_count++ * width;
    for (size_t i = 0; i < width; i++)
        point[i] = grid->keys[i]->code;
}

static void walk(struct grid *grid, size_t depth)
{
    if (grid->stopped)
        return;
    if (depth == grid->sequence_count) {
        add_point(grid);
        return;
    }
    struct grid_key *key = grid->sequence[depth];
    if (++grid->steps > GRID_MAX_STEPS) {
        sweep_grid_fault(grid, 0, "the grid takes too long to expand; split it");
        grid->stopped = true;
        return;
    }
    const bool in_force = is_in_force(grid, key);
    struct grid_def *def = find_def(grid, key);
    if (!def || !in_force || def->count == 0) {
        set_default(key, in_force);
        walk(grid, depth + 1);
        return;
    }
    def->used = true;
    for (size_t i = 0; i < def->count && !grid->stopped; i++) {
        set_value(key, def, i);
        walk(grid, depth + 1);
    }
}

void sweep_grid_restore(struct grid *grid, size_t point)
{
    const uint32_t *codes = grid->points + point * grid->key_count;

    for (size_t i = 0; i < grid->key_count; i++)
        grid->keys[i]->code = codes[i];
    for (size_t i = 0; i < grid->sequence_count; i++) {
        struct grid_key *key = grid->sequence[i];
        const bool in_force = is_in_force(grid, key);
        size_t d = 0;
        if (key->code == 0) {
            set_default(key, in_force);
            continue;
        }
        while (key->code >= key->defs[d].first + key->defs[d].count)
            d++;
        set_value(key, &key->defs[d], key->code - key->defs[d].first);
    }
}

static int compare_points(const void *a, const void *b, void *context)
{
    const struct grid *grid = context;
    const uint32_t *x = a, *y = b;

    for (size_t i = 0; i < grid->key_count; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

/* Definitions that no point uses. */

static bool owner_is(const struct grid_key *key,
                     bool (*test)(const struct grid *grid, const struct grid_key *owner),
                     const struct grid *grid)
{
    if (key->own) {
        const struct grid_key *layers = sweep_grid_key_find(grid, "layers");
        return layers && test(grid, layers);
    }
    for (size_t i = 0; i < key->row_count; i++) {
        const struct grid_key *owner = key->rows[i].owner;
        if (owner && (test(grid, owner) || owner_is(owner, test, grid)))
            return true;
    }
    return false;
}

static bool is_broken(const struct grid *grid, const struct grid_key *key)
{
    (void) grid;
    return key->broken;
}

static bool is_overridden(const struct grid *grid, const struct grid_key *key)
{
    return sweep_grid_overridden(grid, key->name);
}

/* "optimizer = sgd, rmsprop" */
static char *owners(struct grid *grid, const struct grid_key *key)
{
    struct cs_buf text = {0};
    const struct grid_key *last = NULL;

    for (size_t i = 0; i < key->row_count; i++) {
        const struct grid_row *row = &key->rows[i];
        if (!row->owner)
            continue;
        if (row->owner == last)
            cs_buf_addf(&text, ", %s", row->row->owner);
        else
            cs_buf_addf(&text, "%s%s = %s", last ? " and to " : "", row->owner->name,
                        row->row->owner);
        last = row->owner;
    }
    char *copy = cs_arena_strdup(&grid->arena, text.data ? text.data : "");
    cs_buf_clear(&text);
    return copy;
}

static void report_unused(struct grid *grid, const struct grid_key *key, const struct grid_def *def)
{
    const int line = def->entry->value_line;
    const char *message =
        key->own
            ? cs_arena_printf(&grid->arena, "%.80s: layers has no ${%.80s} here", key->name,
                              key->name)
            : cs_arena_printf(&grid->arena, "%s: no choice of this grid uses it; it belongs to %s",
                              key->name, owners(grid, key));

    if (!sweep_grid_overridden(grid, key->name) && owner_is(key, is_overridden, grid))
        sweep_grid_warn(grid, line, "%s", message);
    else
        sweep_grid_fault(grid, line, "%s", message);
}

static bool condition_overridden(const struct grid *grid, const struct grid_section *when)
{
    size_t count;
    const struct cs_expr_use *uses = cs_expr_uses(when->condition, &count);

    for (size_t i = 0; i < count; i++) {
        if (sweep_grid_overridden(grid, uses[i].name))
            return true;
    }
    return false;
}

static void check_use(struct grid *grid, const struct grid_key *key, const struct grid_def *def)
{
    bool replaced = false;

    if (def->used || key->broken || owner_is(key, is_broken, grid))
        return;
    if (def->when && !def->when->held) {
        if (!condition_overridden(grid, def->when))
            sweep_grid_warn(grid, def->when->line, "[when %.120s] never holds", def->when->name);
        return;
    }
    for (size_t i = 0; i < key->def_count; i++)
        replaced = replaced || key->defs[i].used;
    if (replaced && !def->when)
        sweep_grid_warn(grid, def->entry->line, "%s: every trial takes it from a [when ...]",
                        key->name);
    else
        report_unused(grid, key, def);
}

/* The product of the axes that are always in force, before anything of that size exists. */
static void check_size(struct grid *grid)
{
    size_t product = 1;
    bool overflow = false;
    struct cs_buf axes = {0};

    for (size_t i = 0; i < grid->key_count; i++) {
        const struct grid_key *key = grid->keys[i];
        if (!is_plain(key) || key->defs[0].count < 2)
            continue;
        overflow = overflow || __builtin_mul_overflow(product, key->defs[0].count, &product);
        cs_buf_addf(&axes, "%s%s %zu", axes.size ? " x " : "", key->name, key->defs[0].count);
    }
    if (overflow || product > GRID_MAX_POINTS) {
        sweep_grid_fault(grid, 0, "the grid has more than %d points: %.400s; split it",
                         GRID_MAX_POINTS, axes.data);
        grid->stopped = true;
    }
    cs_buf_clear(&axes);
}

void sweep_grid_expand(struct grid *grid)
{
    if (!grid->stopped)
        check_size(grid);
    if (!grid->stopped)
        find_sequence(grid);
    walk(grid, 0); /* nothing when stopped */
    if (grid->stopped)
        return;
    if (grid->point_count > 1 && grid->key_count)
        qsort_r(grid->points, grid->point_count, grid->key_count * sizeof *grid->points,
                compare_points, grid);
    for (size_t i = 0; i < grid->key_count; i++) {
        for (size_t d = 0; d < grid->keys[i]->def_count; d++)
            check_use(grid, grid->keys[i], &grid->keys[i]->defs[d]);
    }
}

/* ${name} in layers. */

static int report_reference(struct grid *grid, const char *name, size_t size, struct cs_error *err)
{
    const char **names = cs_xcalloc(grid->key_count + 1, sizeof *names);
    const char *word = cs_arena_strndup(&grid->arena, name, size);
    const struct grid_key *key = sweep_grid_key_find(grid, word);
    size_t count = 0;

    for (size_t i = 0; i < grid->key_count; i++) {
        if (grid->keys[i]->value)
            names[count++] = grid->keys[i]->name;
    }
    const char *near = cs_nearest(word, names, count);
    free(names);
    if (key)
        return cs_fail(err, CS_ENONAME, "layers: ${%.80s} has no value in some trials", word);
    if (near)
        return cs_fail(err, CS_ENONAME, "layers: ${%.80s}: no such key; did you mean ${%s}?", word,
                       near);
    return cs_fail(err, CS_ENONAME, "layers: ${%.80s}: no such key; give it in [model]", word);
}

const char *sweep_grid_layers(struct grid *grid, const char *text, struct cs_buf *buf,
                              struct cs_error *err)
{
    const char *name, *at;
    size_t size;

    buf->size = 0;
    cs_buf_adds(buf, "");
    while ((at = sweep_grid_reference(text, &name, &size)) != NULL &&
           buf->size <= GRID_MAX_LAYERS) {
        char word[128];
        snprintf(word, sizeof word, "%.*s", size < sizeof word ? (int) size : 0, name);
        const struct grid_key *key = sweep_grid_key_find(grid, word);
        if (!key || !key->value || strcmp(word, "layers") == 0) {
            report_reference(grid, name, size, err);
            return NULL;
        }
        cs_buf_add(buf, text, (size_t) (at - text));
        cs_buf_adds(buf, key->value);
        text = name + size + 1;
    }
    cs_buf_adds(buf, text);
    if (buf->size > GRID_MAX_LAYERS) {
        cs_fail(err, CS_ERANGE, "layers: longer than %d bytes after ${...}", GRID_MAX_LAYERS);
        return NULL;
    }
    return buf->data;
}
