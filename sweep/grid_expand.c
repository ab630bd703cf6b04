/*
 * grid_expand.c - definitions to points.
 *
 * What has to be decided at a point, the conditions and the keys, is put in a sequence where each stands after those
 * that decide about it (names in its [when]s, the key that owns it, `layers` for one's own variables); a circle
 * is a fault. What follows from constants alone comes first, the rest right behind the last axis it follows from,
 * so that a walk along the sequence, which branches at every axis, decides nothing twice that stays the same.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "sweep/grid_impl.h"

/* The sequence. */

enum { NEW, OPEN, DONE };

struct order {
    struct grid *grid;
    struct grid_node *path; /* what is being visited */
    size_t depth, axes;
};

static size_t visit_value(struct order *o, struct grid_key *key);

static int value_line(const struct grid_key *key)
{
    for (size_t i = 0; i < key->def_count; i++) {
        for (size_t v = 0; v < key->defs[i].count; v++) {
            if (key->defs[i].values[v].formula)
                return key->defs[i].entry->value_line;
        }
    }
    return 0;
}

/* From where the key is on the path to the path's end, which leads to it again. */
static void report_circle(struct order *o, const struct grid_key *key, bool value)
{
    struct cs_buf text = {0};
    const struct grid_key *last = NULL;
    size_t start = o->depth;
    bool values = false;
    int line = 0;

    while (start > 1 && !(o->path[start - 1].key == key && o->path[start - 1].value == value))
        start--;
    for (size_t i = start - 1; i < o->depth; i++) {
        const struct grid_node *node = &o->path[i];
        const bool by_value = node->value || (node->key && node->key->own);
        values = values || by_value;
        if (line == 0 && (node->section || by_value))
            line = node->section ? node->section->line : value_line(node->key);
        if (node->key && node->key != last)
            cs_buf_addf(&text, "%.80s -> ", node->key->name);
        last = node->key ? node->key : last;
    }
    cs_buf_adds(&text, key->name);
    sweep_grid_fault(o->grid, line, "%s in a circle: %.400s", values ? "values" : "conditions",
                     text.data);
    cs_buf_clear(&text);
    o->grid->stopped = true;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void enter(struct order *o, struct grid_key *key, struct grid_section *section, bool value)
{
    o->path[o->depth++] = (struct grid_node){.key = key, .section = section, .value = value};
}

/* What the path ends with is known now: it gets its node. */
static void leave(struct order *o, size_t level)
{
    struct grid_node *node = &o->grid->nodes[o->grid->node_count++];

    *node = o->path[--o->depth];
    node->level = level;
}

/* The level of a condition; its node is added when it has none yet. */
static size_t visit_section(struct order *o, struct grid_section *section)
{
    size_t count, level = 0;

    if (section->marked || !section->condition)
        return section->level;
    section->marked = true;
    enter(o, NULL, section, false);
    const struct cs_expr_use *uses = cs_expr_uses(section->condition, &count);
    for (size_t i = 0; i < count; i++) {
        if (!uses[i].value)
            level = most(level, visit_value(o, sweep_grid_key_find(o->grid, uses[i].name)));
    }
    section->level = level;
    leave(o, level);
    return level;
}

static bool is_axis(const struct grid_key *key)
{
    for (size_t i = 0; i < key->def_count; i++) {
        if (key->defs[i].count > 1)
            return true;
    }
    return false;
}

/* Which alternative has the key? Of one's own variables only those exist that one in force refers to. */
static size_t visit_choice(struct order *o, struct grid_key *key)
{
    size_t level = 0;

    if (key->mark == DONE || o->grid->stopped)
        return key->level;
    if (key->mark == OPEN) {
        report_circle(o, key, false);
        return 0;
    }
    key->mark = OPEN;
    enter(o, key, NULL, false);
    for (size_t i = 0; i < key->row_count; i++)
        level = most(level, visit_value(o, key->rows[i].owner));
    for (size_t i = 0; key->own && i < key->user_count; i++)
        level = most(level, visit_choice(o, key->users[i]));
    for (size_t i = 0; i < key->def_count; i++) {
        if (key->defs[i].when)
            level = most(level, visit_section(o, key->defs[i].when));
    }
    key->mark = DONE;
    key->level = is_axis(key) ? ++o->axes : level;
    leave(o, key->level);
    return key->level;
}

/* And what is its value? */
static size_t visit_value(struct order *o, struct grid_key *key)
{
    if (!key)
        return 0;
    if (!key->formed)
        return visit_choice(o, key);
    if (key->value_mark == DONE || o->grid->stopped)
        return key->value_level;
    if (key->value_mark == OPEN) {
        report_circle(o, key, true);
        return 0;
    }
    key->value_mark = OPEN;
    enter(o, key, NULL, true);
    size_t level = visit_choice(o, key);
    for (size_t d = 0; d < key->def_count; d++) {
        for (size_t v = 0; v < key->defs[d].count; v++) {
            const struct grid_formula *formula = key->defs[d].values[v].formula;
            for (size_t r = 0; formula && r < formula->ref_count; r++)
                level = most(level, visit_value(o, formula->refs[r]));
        }
    }
    key->value_mark = DONE;
    key->value_level = level;
    leave(o, level);
    return level;
}

/* One definition, never conditional. */
static bool is_plain(const struct grid_key *key)
{
    bool always = false;

    for (size_t i = 0; i < key->row_count; i++)
        always = always || !key->rows[i].owner;
    return always && key->def_count == 1 && !key->defs[0].when;
}

/* Nodes by level; within one in the order in which they were added. */
static void sort_nodes(struct grid *grid, size_t levels)
{
    struct grid_node *sorted = cs_xcalloc(grid->node_count + 1, sizeof *sorted);
    size_t *starts = cs_xcalloc(levels + 2, sizeof *starts);

    for (size_t i = 0; i < grid->node_count; i++)
        starts[grid->nodes[i].level + 1]++;
    for (size_t i = 1; i <= levels; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < grid->node_count; i++)
        sorted[starts[grid->nodes[i].level]++] = grid->nodes[i];
    free(starts);
    free(grid->nodes);
    grid->nodes = sorted;
}

static void find_sequence(struct grid *grid)
{
    const size_t size = 2 * grid->key_count + grid->section_count + 1;
    struct order o = {.grid = grid, .path = cs_xcalloc(size, sizeof *o.path)};

    grid->nodes = cs_xcalloc(size, sizeof *grid->nodes);
    for (size_t i = 0; i < grid->key_count; i++)
        visit_value(&o, grid->keys[i]);
    free(o.path);
    sort_nodes(grid, o.axes);
}

/* One key at a point. */

/* What it costs to look whether a condition holds, in steps. */
static size_t cost(const struct cs_expr *condition)
{
    return 2 + strlen(cs_expr_text(condition));
}

static void decide_section(struct grid *grid, struct grid_section *section)
{
    struct cs_error err;

    grid->steps += cost(section->condition);
    section->holds = false;
    if (cs_expr_test(&section->holds, section->condition, sweep_grid_look_up, grid, &err) < 0)
        sweep_grid_fault(grid, section->line, "[%.120s]: %s", section->title, err.detail);
    section->held = section->held || section->holds;
}

struct grid_rule *sweep_grid_excluded(struct grid *grid)
{
    struct cs_error err;

    for (size_t i = 0; i < grid->rule_count; i++) {
        struct grid_rule *rule = &grid->rules[i];
        bool holds = false;
        grid->steps += cost(rule->condition);
        if (grid->steps > GRID_MAX_STEPS)
            return NULL;
        if (cs_expr_test(&holds, rule->condition, sweep_grid_look_up, grid, &err) < 0)
            sweep_grid_fault(grid, rule->entry->value_line, "%.80s = %.120s: %s", rule->entry->key,
                             rule->entry->value, err.detail);
        if (holds)
            return rule;
    }
    return NULL;
}

/* The definition that counts here: of a [when] that holds, else the one outside, else none. */
static struct grid_def *find_def(struct grid *grid, struct grid_key *key)
{
    struct grid_def *outside = NULL, *inside = NULL;

    grid->steps += key->def_count;
    for (size_t i = 0; i < key->def_count; i++) {
        struct grid_def *def = &key->defs[i];
        if (!def->when) {
            outside = def;
        } else if (def->when->holds) {
            if (inside) {
                inside->used = true;
                sweep_grid_fault(grid, def->entry->line,
                                 "%s: [%.100s] (%s) and [%.100s] give it at once", key->name,
                                 inside->when->title,
                                 sweep_grid_where(grid, inside->entry->line, def->entry->line),
                                 def->when->title);
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

/* Does an alternative in force refer to it? One that only conditions name is always in force. */
static bool is_used(const struct grid_key *key)
{
    for (size_t i = 0; i < key->user_count; i++) {
        const struct grid_formula *formula = key->users[i]->formula;
        for (size_t r = 0; formula && r < formula->ref_count; r++) {
            if (formula->refs[r] == key)
                return true;
        }
    }
    return key->user_count == 0 && key->asked;
}

static bool is_in_force(struct grid_key *key)
{
    key->row = find_row(key);
    return key->own ? is_used(key) : key->row != NULL;
}

static void set_default(struct grid_key *key, bool in_force)
{
    key->def = NULL;
    key->code = 0;
    key->formula = NULL;
    key->value = in_force && key->row ? key->row->def : NULL;
    key->num = in_force && key->row ? key->row->num : 0;
}

static void set_value(struct grid_key *key, const struct grid_def *def, size_t index)
{
    key->def = def;
    key->code = (uint32_t) (def->first + index);
    key->formula = def->values[index].formula;
    key->value = key->formula ? NULL : def->values[index].text;
    key->num = def->values[index].num;
}

/* The walk. */

static void stop(struct grid *grid, const char *why)
{
    sweep_grid_fault(grid, 0, "%s", why);
    grid->stopped = true;
}

static void add_point(struct grid *grid)
{
    const size_t width = grid->key_count;
    struct grid_rule *rule = sweep_grid_excluded(grid);

    if (grid->steps > GRID_MAX_STEPS) {
        stop(grid, "the grid takes too long to expand; split it");
        return;
    }
    if (rule) {
        rule->removed++;
        return;
    }
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

/* The definition whose alternatives the key takes here; NULL: none, and it stands at its default or is absent. */
static struct grid_def *decide_key(struct grid *grid, struct grid_key *key)
{
    const bool in_force = is_in_force(key);
    struct grid_def *def = in_force ? find_def(grid, key) : NULL;

    if (!def || def->count == 0) {
        set_default(key, in_force);
        return NULL;
    }
    def->used = true;
    return def;
}

static void walk(struct grid *grid, size_t at)
{
    struct grid_def *def = NULL;

    for (; at < grid->node_count && !grid->stopped; at++) {
        struct grid_node *node = &grid->nodes[at];
        if (++grid->steps > GRID_MAX_STEPS)
            stop(grid, "the grid takes too long to expand; split it");
        if (node->section) {
            decide_section(grid, node->section);
            continue;
        }
        if (node->value) {
            sweep_grid_make_value(grid, node->key);
            continue;
        }
        def = decide_key(grid, node->key);
        if (!def)
            continue;
        if (def->count > 1 && !(def->zip && def->zip->index >= 0))
            break;
        set_value(node->key, def, def->count > 1 ? (size_t) def->zip->index : 0);
    }
    if (grid->stopped)
        return;
    if (at == grid->node_count) {
        add_point(grid);
        return;
    }
    for (size_t i = 0; i < def->count && !grid->stopped; i++) {
        if (def->zip)
            def->zip->index = (int) i;
        set_value(grid->nodes[at].key, def, i);
        walk(grid, at + 1);
    }
    if (def->zip)
        def->zip->index = -1;
}

void sweep_grid_restore(struct grid *grid, size_t point)
{
    const uint32_t *codes = grid->points + point * grid->key_count;

    for (size_t i = 0; i < grid->key_count; i++)
        grid->keys[i]->code = codes[i];
    for (size_t i = 0; i < grid->node_count; i++) {
        struct grid_key *key = grid->nodes[i].key;
        size_t d = 0;
        if (!key)
            continue;
        if (grid->nodes[i].value) {
            sweep_grid_make_value(grid, key);
            continue;
        }
        const bool in_force = is_in_force(key);
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
    for (size_t i = 0; key->own && i < key->user_count; i++) {
        if (test(grid, key->users[i]) || owner_is(key->users[i], test, grid))
            return true;
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
            ? cs_arena_printf(&grid->arena, "%.80s: no value in force has ${%.80s}", key->name,
                              key->name)
            : cs_arena_printf(&grid->arena, "%s: no choice of this grid uses it; it belongs to %s",
                              key->name, owners(grid, key));

    if (!sweep_grid_overridden(grid, key->name) && owner_is(key, is_overridden, grid))
        sweep_grid_warn(grid, line, "%s", message);
    else
        sweep_grid_fault(grid, line, "%s", message);
}

static bool condition_overridden(const struct grid *grid, const struct cs_expr *condition)
{
    size_t count;
    const struct cs_expr_use *uses = cs_expr_uses(condition, &count);

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
    if (key->own && key->user_count == 0) /* what needs it is replaced, or of another preset */
        return;
    if (def->when && !def->when->held) {
        if (!condition_overridden(grid, def->when->condition))
            sweep_grid_warn(grid, def->when->line, "[%.120s] never holds", def->when->title);
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

static void check_rules(struct grid *grid)
{
    for (size_t i = 0; i < grid->rule_count; i++) {
        const struct grid_rule *rule = &grid->rules[i];
        if (!rule->removed && !condition_overridden(grid, rule->condition))
            sweep_grid_warn(grid, rule->entry->value_line, "%.80s = %.120s: removes nothing",
                            rule->entry->key, rule->entry->value);
    }
    if (grid->point_count == 0 && !grid->drawer && grid->rule_count && !grid->faults.count)
        sweep_grid_fault(grid, grid->rules[0].entry->section->line,
                         "[exclude]: nothing is left of the grid");
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
        struct grid_zip *zip = key->defs[0].zip;
        if (zip && zip->index >= 0)
            continue;
        if (zip)
            zip->index = 0;
        overflow = overflow || __builtin_mul_overflow(product, key->defs[0].count, &product);
        cs_buf_addf(&axes, "%s%s %zu", axes.size ? " x " : "", key->name, key->defs[0].count);
    }
    for (size_t i = 0; i < grid->zip_count; i++)
        grid->zips[i]->index = -1;
    if (overflow || product > GRID_MAX_POINTS) {
        sweep_grid_fault(grid, 0, "the grid has more than %d points: %.400s; split it",
                         GRID_MAX_POINTS, axes.data);
        grid->stopped = true;
    }
    cs_buf_clear(&axes);
}

void sweep_grid_order(struct grid *grid)
{
    if (!grid->stopped)
        find_sequence(grid);
}

static void check_uses(struct grid *grid)
{
    for (size_t i = 0; i < grid->key_count; i++) {
        for (size_t d = 0; d < grid->keys[i]->def_count; d++)
            check_use(grid, grid->keys[i], &grid->keys[i]->defs[d]);
    }
    check_rules(grid);
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
    check_uses(grid);
}

/* Draws. */

static double draw_param(struct grid *grid, size_t param, const double *known)
{
    if (!known || isnan(known[param]))
        return sweep_search_suggest(grid->drawer, param);
    sweep_search_put(grid->drawer, param, known[param]);
    return known[param];
}

static void draw_key(struct grid *grid, struct grid_key *key, struct grid_def *def,
                     const double *known)
{
    size_t index = 0;

    if (def->count > 1 && def->zip) {
        if (def->zip->index < 0)
            def->zip->index = (int) draw_param(grid, def->zip->param, known);
        index = (size_t) def->zip->index;
    } else if (def->count > 1) {
        index = (size_t) draw_param(grid, def->param, known);
    }
    set_value(key, def, index);
    if (!def->values[index].dist)
        return;
    key->num = draw_param(grid, def->values[index].param, known);
    key->value = cs_format_double(key->drawn, key->num);
}

bool sweep_grid_draw(struct grid *grid, uint32_t draw, const double *known)
{
    for (size_t i = 0; i < grid->zip_count; i++)
        grid->zips[i]->index = -1;
    sweep_search_begin(grid->drawer, draw);
    for (size_t i = 0; i < grid->node_count; i++) {
        struct grid_node *node = &grid->nodes[i];
        struct grid_def *def;
        if (node->section)
            decide_section(grid, node->section);
        else if (node->value)
            sweep_grid_make_value(grid, node->key);
        else if ((def = decide_key(grid, node->key)) != NULL)
            draw_key(grid, node->key, def, known);
    }
    struct grid_rule *rule = sweep_grid_excluded(grid);
    if (rule)
        rule->removed++;
    return !rule;
}

void sweep_grid_check_use(struct grid *grid)
{
    enum { LOOKED_AT = 2000 };
    size_t *removed = cs_xcalloc(grid->rule_count + 1, sizeof *removed);

    for (size_t i = 0; i < grid->rule_count; i++)
        removed[i] = grid->rules[i].removed;
    for (uint32_t draw = 0; draw < LOOKED_AT && grid->faults.count < GRID_MAX_FAULTS; draw++)
        sweep_grid_draw(grid, UINT32_MAX - draw, NULL);
    check_uses(grid);
    for (size_t i = 0; i < grid->rule_count; i++)
        grid->rules[i].removed = removed[i];
    free(removed);
}
