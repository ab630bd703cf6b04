/*
 * grid.c - entries to definitions of keys.
 *
 * The files are read, presets and the command line replace values, then every key is looked up, and last every
 * value and condition is parsed. Each step reports what it finds and goes on, so that one run tells all faults.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "sweep/grid_impl.h"
#include "sweep/plan.h"

/* Words a later csweep will read. Refused, so that no file means less than it says. */
static const char *const later_keys[] = {"search", "trials", "prune", "keep"};

/* Keys: what a name is, and where it belongs. */

const struct cs_param *sweep_grid_sweep_key(const char *name)
{
    size_t count;
    const struct cs_param *rows = sweep_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

const char *sweep_grid_reference(const char *text, const char **name, size_t *size)
{
    for (const char *at = strstr(text, "${"); at; at = strstr(at + 2, "${")) {
        const char *end = strchr(at, '}');
        if (!end)
            return NULL;
        *name = at + 2;
        *size = (size_t) (end - at) - 2;
        return at;
    }
    return NULL;
}

bool sweep_grid_refers(const char *text, const char *name)
{
    const char *found;
    size_t size;

    while ((text = sweep_grid_reference(text, &found, &size)) != NULL) {
        if (strlen(name) == size && memcmp(found, name, size) == 0)
            return true;
        text = found + size;
    }
    return false;
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void collect_references(struct grid *grid, const char *text, size_t *capacity)
{
    const char *name;
    size_t size;

    while ((text = sweep_grid_reference(text, &name, &size)) != NULL) {
        if (grid->referred_count == *capacity) {
            *capacity = *capacity ? 2 * *capacity : 16;
            grid->referred = cs_xrealloc(grid->referred, *capacity * sizeof *grid->referred);
        }
        grid->referred[grid->referred_count++] = cs_arena_strndup(&grid->arena, name, size);
        text = name + size;
    }
}

/* Every name that some `layers` of the file or of the command line refers to, sorted. */
static void find_references(struct grid *grid, const struct sweep_plan_input *input)
{
    size_t capacity = 0;

    for (size_t i = 0; i < grid->entry_count; i++) {
        if (strcmp(grid->entries[i].key, "layers") == 0)
            collect_references(grid, grid->entries[i].value, &capacity);
    }
    for (size_t i = 0; i < input->override_count; i++) {
        if (strncmp(input->overrides[i], "layers", 6) == 0)
            collect_references(grid, input->overrides[i], &capacity);
    }
    if (grid->referred_count)
        qsort(grid->referred, grid->referred_count, sizeof *grid->referred, compare_words);
}

bool sweep_grid_is_own(const struct grid *grid, const char *key)
{
    return !sweep_grid_sweep_key(key) && !train_key_find(key, NULL) && grid->referred_count &&
           bsearch(&key, grid->referred, grid->referred_count, sizeof key, compare_words);
}

static bool belongs_to(const char *key, const char *section)
{
    for (const struct train_key *row = train_key_find(key, NULL); row;
         row = train_key_find(key, row)) {
        if (strcmp(row->section, section) == 0)
            return true;
    }
    return false;
}

/* The name nearest to key among all that a grid file may use. */
static const char *nearest_key(const struct grid *grid, const char *key)
{
    size_t train_count, sweep_count, count = 0;
    const struct train_key *rows = train_keys(&train_count);
    const struct cs_param *sweep = sweep_keys(&sweep_count);
    const char **names = cs_xcalloc(train_count + sweep_count + grid->key_count, sizeof *names);

    for (size_t i = 0; i < train_count; i++)
        names[count++] = rows[i].row->name;
    for (size_t i = 0; i < sweep_count; i++)
        names[count++] = sweep[i].name;
    for (size_t i = 0; i < grid->key_count; i++) {
        if (grid->keys[i]->own)
            names[count++] = grid->keys[i]->name;
    }
    const char *near = cs_nearest(key, names, count);
    free(names);
    return near;
}

void sweep_grid_report_unknown(struct grid *grid, const struct grid_entry *entry)
{
    const char *near = nearest_key(grid, entry->key);
    const bool model = entry->section && strcmp(entry->section->name, "model") == 0 &&
                       entry->section->place == GRID_SETTINGS;
    const char *own =
        model ? cs_arena_printf(&grid->arena, ", and layers has no ${%.80s}", entry->key) : "";

    if (sweep_grid_one_of(entry->key, later_keys, CS_COUNT(later_keys)))
        sweep_grid_fault(grid, entry->line, "%s is not built yet", entry->key);
    else if (strcmp(entry->key, "include") == 0)
        sweep_grid_fault(grid, entry->line, "include: a grid file includes others, in its lines");
    else if (near)
        sweep_grid_fault(grid, entry->line, "%.80s: no such key%s; did you mean %s?", entry->key,
                         own, near);
    else
        sweep_grid_fault(grid, entry->line, "%.80s: no such key%s; see csweep describe key",
                         entry->key, own);
}

bool sweep_grid_check_place(struct grid *grid, const struct grid_entry *entry)
{
    const struct grid_section *section = entry->section;
    const bool sweep = sweep_grid_sweep_key(entry->key) != NULL,
               own = sweep_grid_is_own(grid, entry->key);
    const struct train_key *row = train_key_find(entry->key, NULL);
    const char *group = sweep_grid_group_section(grid, entry->key);
    const char *home = sweep ? "sweep" : own ? "model" : row ? group ? group : row->section : NULL;

    if (!row && group && section->place == GRID_SETTINGS) {
        sweep_grid_fault(grid, entry->line,
                         "%s: no such key of a group; expected match, freeze or a setting of the "
                         "optimizer",
                         strchr(entry->key, '.') + 1);
        return false;
    }
    if (!home) {
        sweep_grid_report_unknown(grid, entry);
        return false;
    }
    if (section->place == GRID_PRESET)
        return true;
    if (section->place == GRID_WHEN || section->place == GRID_ZIP) {
        if (sweep)
            sweep_grid_fault(grid, entry->line, "%s: belongs to [sweep], and not inside [%s ...]",
                             entry->key, section->place == GRID_WHEN ? "when" : "zip");
        return !sweep;
    }
    if (strcmp(section->name, home) == 0 || (row && belongs_to(entry->key, section->name)))
        return true;
    sweep_grid_fault(grid, entry->line, "%s: belongs to [%s], not to [%s]", entry->key, home,
                     section->name);
    return false;
}

/* Definitions. */

static uint32_t hash(const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name; name++)
        h = (h ^ (unsigned char) *name) * 16777619u;
    return h ^ (h >> 15);
}

/* Where the key's number stands in the table, or would. */
static uint32_t *find_slot(const struct grid *grid, const char *name)
{
    size_t at = hash(name) & (grid->key_table_size - 1);

    while (grid->key_table[at] && strcmp(grid->keys[grid->key_table[at] - 1]->name, name) != 0)
        at = (at + 1) & (grid->key_table_size - 1);
    return &grid->key_table[at];
}

/* The table anew: keys have moved, or it gets too full. */
static void fill_table(struct grid *grid, size_t size)
{
    free(grid->key_table);
    grid->key_table_size = size;
    grid->key_table = cs_xcalloc(size, sizeof *grid->key_table);
    for (size_t i = 0; i < grid->key_count; i++)
        *find_slot(grid, grid->keys[i]->name) = (uint32_t) i + 1;
}

struct grid_key *sweep_grid_key_find(const struct grid *grid, const char *name)
{
    const uint32_t number = grid->key_table_size ? *find_slot(grid, name) : 0;

    return number ? grid->keys[number - 1] : NULL;
}

static struct grid_key *get_key(struct grid *grid, const char *name);

static void add_rows(struct grid *grid, struct grid_key *key)
{
    size_t count = 0;

    for (const struct train_key *row = train_key_find(key->name, NULL); row;
         row = train_key_find(key->name, row))
        count++;
    key->rows = cs_arena_alloc(&grid->arena, count * sizeof *key->rows);
    for (const struct train_key *row = train_key_find(key->name, NULL); row;
         row = train_key_find(key->name, row)) {
        struct cs_value value = {0};
        struct grid_row *out = &key->rows[key->row_count++];
        out->row = row;
        out->owner = row->owner_key ? get_key(grid, row->owner_key) : NULL;
        out->def = row->row->def;
        if (cs_param_parse(&value, row->row, row->row->def, &grid->arena, NULL) == 0)
            out->def = value.text;
        cs_parse_double(&out->num, out->def);
        if (row->row->type == CS_BOOL)
            out->num = value.num;
        if (strchr(key->name, '.'))
            out->def = NULL; /* of a group: where it is not written the common value counts */
    }
}

/* The key of that name, made when it is new. */
static struct grid_key *get_key(struct grid *grid, const char *name)
{
    struct grid_key *key = sweep_grid_key_find(grid, name);

    if (key)
        return key;
    if (grid->key_count == grid->key_capacity) {
        grid->key_capacity = grid->key_capacity ? 2 * grid->key_capacity : 64;
        grid->keys = cs_xrealloc(grid->keys, grid->key_capacity * sizeof *grid->keys);
    }
    key = cs_arena_alloc(&grid->arena, sizeof *key);
    key->name = name;
    key->own = train_key_find(name, NULL) == NULL;
    key->numeric = key->own;
    grid->keys[grid->key_count++] = key;
    if (2 * grid->key_count > grid->key_table_size)
        fill_table(grid, grid->key_table_size ? 2 * grid->key_table_size : 128);
    else
        *find_slot(grid, name) = (uint32_t) grid->key_count;
    add_rows(grid, key);
    if (key->own)
        get_key(grid, "layers"); /* decides whether it is in force */
    return key;
}

static struct grid_list parse_values(struct grid *grid, const struct grid_key *key,
                                     const struct grid_entry *entry)
{
    const bool keep = entry->section->place == GRID_ZIP;
    const struct cs_param **rows = cs_xcalloc(key->row_count, sizeof *rows);

    for (size_t i = 0; i < key->row_count; i++)
        rows[i] = key->rows[i].row->row;
    const struct grid_list list = sweep_grid_values(grid, key->name, rows, key->row_count,
                                                    entry->value, entry->value_line, keep);
    free(rows);
    return list;
}

static void check_own_name(struct grid *grid, const struct grid_entry *entry)
{
    for (const char *p = entry->key; *p; p++) {
        if (!isalnum((unsigned char) *p) && *p != '_') {
            sweep_grid_fault(grid, entry->line,
                             "%.80s: a name of one's own has letters, digits and _", entry->key);
            return;
        }
    }
}

static struct grid_zip *get_zip(struct grid *grid, const struct grid_section *section)
{
    for (size_t i = 0; i < grid->zip_count; i++) {
        if (strcmp(grid->zips[i]->same, section->same) == 0)
            return grid->zips[i];
    }
    struct grid_zip *zip = cs_arena_alloc(&grid->arena, sizeof *zip);
    *zip = (struct grid_zip){.same = section->same, .index = -1};
    grid->zips = cs_xrealloc(grid->zips, (grid->zip_count + 1) * sizeof *grid->zips);
    grid->zips[grid->zip_count++] = zip;
    return zip;
}

/* The zip of a definition; NULL: of none, or given one value by something that wins over the zip's file. */
static struct grid_zip *join_zip(struct grid *grid, const struct grid_key *key,
                                 const struct grid_entry *entry, const struct grid_list *list)
{
    if (entry->section->place != GRID_ZIP || list->faulty ||
        (list->count == 1 && entry->under && entry->under->section->place == GRID_ZIP))
        return NULL;
    struct grid_zip *zip = get_zip(grid, entry->section);
    if (!zip->first) {
        zip->first = entry;
        zip->count = list->count;
    } else if (list->count != zip->count) {
        sweep_grid_fault(grid, entry->value_line,
                         "%s: %zu value%s, and %s (%s) has %zu; the keys of [%.120s] need equally "
                         "many",
                         key->name, list->count, list->count == 1 ? "" : "s", zip->first->key,
                         sweep_grid_where(grid, zip->first->value_line, entry->value_line),
                         zip->count, entry->section->title);
        return NULL;
    }
    return zip;
}

static void add_def(struct grid *grid, const struct grid_entry *entry)
{
    struct grid_key *key = get_key(grid, entry->key);
    struct grid_section *section = entry->section;

    if (key->def_count == GRID_MAX_DEFS) {
        sweep_grid_fault(grid, entry->line, "%s: given more than %d times", key->name,
                         GRID_MAX_DEFS);
        grid->stopped = true;
        return;
    }
    const struct grid_list list = parse_values(grid, key, entry);
    if (key->own)
        check_own_name(grid, entry);
    struct grid_def *defs = cs_arena_alloc(&grid->arena, (key->def_count + 1) * sizeof *defs);
    if (key->def_count)
        memcpy(defs, key->defs, key->def_count * sizeof *defs);
    const struct grid_def *last = key->def_count ? &defs[key->def_count - 1] : NULL;
    defs[key->def_count] = (struct grid_def){.entry = entry,
                                             .when = section->rule ? section : NULL,
                                             .zip = join_zip(grid, key, entry, &list),
                                             .values = list.values,
                                             .count = list.count,
                                             .first = last ? last->first + last->count : 1};
    key->defs = defs;
    key->def_count++;
    key->numeric = key->numeric && list.numeric;
    if (list.count == 0 || (section->rule && !section->condition))
        key->broken = true;
}

/* Values of presets that are not chosen are checked all the same. */
static void check_preset_values(struct grid *grid)
{
    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place != GRID_PRESET || !sweep_grid_check_place(grid, entry) ||
            !train_key_find(entry->key, NULL))
            continue;
        parse_values(grid, get_key(grid, entry->key), entry);
    }
}

/* Conditions. */

/* One condition and how messages name it: "[when a=b]", "[exclude] NAME". */
struct condition {
    const char *title, *text;
    int line;
};

static void check_condition_value(struct grid *grid, const struct condition *condition,
                                  const struct cs_expr_use *use)
{
    struct cs_error first = {0}, err;
    struct cs_value value;

    for (const struct train_key *row = train_key_find(use->name, NULL); row;
         row = train_key_find(use->name, row)) {
        if (row->row->type == CS_TEXT ||
            cs_param_parse(&value, row->row, use->value, &grid->arena, &err) == 0)
            return;
        if (!first.code)
            first = err;
    }
    if (first.code)
        sweep_grid_fault(grid, condition->line, "%s: %s", condition->title, first.detail);
}

static bool check_condition_name(struct grid *grid, const struct condition *condition,
                                 const struct cs_expr_use *use)
{
    const bool own = sweep_grid_is_own(grid, use->name);

    if (train_key_find(use->name, NULL) || own) {
        if (grid->key_count < 2 * GRID_MAX_KEYS)
            get_key(grid, use->name);
        return true;
    }
    const char *near = nearest_key(grid, use->name);
    if (sweep_grid_sweep_key(use->name))
        sweep_grid_fault(grid, condition->line, "%s: %s is of the sweep, not of a trial",
                         condition->title, use->name);
    else if (near)
        sweep_grid_fault(grid, condition->line, "%s: %.80s: no such key; did you mean %s?",
                         condition->title, use->name, near);
    else
        sweep_grid_fault(grid, condition->line, "%s: %.80s: no such key; see csweep describe key",
                         condition->title, use->name);
    return false;
}

/* NULL: faulty. */
static struct cs_expr *compile_condition(struct grid *grid, const struct condition *condition)
{
    struct cs_expr *expr;
    struct cs_error err;
    size_t count;

    if (cs_expr_compile(&expr, condition->text, &grid->arena, &err) < 0) {
        sweep_grid_fault(grid, condition->line, "%s: %s", condition->title, err.detail);
        return NULL;
    }
    const struct cs_expr_use *uses = cs_expr_uses(expr, &count);
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        if (uses[i].value)
            check_condition_value(grid, condition, &uses[i]);
        else
            good = check_condition_name(grid, condition, &uses[i]) && good;
    }
    return good ? expr : NULL;
}

static void compile_conditions(struct grid *grid)
{
    for (size_t i = 0; i < grid->section_count; i++) {
        struct grid_section *section = grid->sections[i];
        if (!section->rule || section->place == GRID_SKIPPED)
            continue;
        const struct condition condition = {
            cs_arena_printf(&grid->arena, "[%.120s]", section->title), section->rule,
            section->line};
        section->condition = compile_condition(grid, &condition);
    }
}

static void compile_rules(struct grid *grid)
{
    size_t capacity = 0;

    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place != GRID_EXCLUDE)
            continue;
        const struct condition condition = {
            cs_arena_printf(&grid->arena, "%.80s = %.120s", entry->key, entry->value), entry->value,
            entry->value_line};
        struct cs_expr *expr = compile_condition(grid, &condition);
        if (!expr)
            continue;
        if (grid->rule_count == capacity) {
            capacity = capacity ? 2 * capacity : 8;
            grid->rules = cs_xrealloc(grid->rules, capacity * sizeof *grid->rules);
        }
        grid->rules[grid->rule_count++] = (struct grid_rule){.entry = entry, .condition = expr};
    }
}

/* Make keys for the names in ${...}, so that their values are known at every point. */
static void add_referred_keys(struct grid *grid, const struct grid_entry *entry)
{
    const char *text = entry->value, *name;
    size_t size;

    while ((text = sweep_grid_reference(text, &name, &size)) != NULL) {
        const char *word = cs_arena_strndup(&grid->arena, name, size);
        text = name + size;
        if (train_key_find(word, NULL) && strcmp(word, "layers") != 0)
            get_key(grid, word);
    }
}

static void define_keys(struct grid *grid)
{
    for (size_t i = 0; i < grid->entry_count && !grid->stopped; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        const enum grid_place place = entry->section->place;
        if (place == GRID_PRESET || place == GRID_SKIPPED || place == GRID_EXCLUDE ||
            !sweep_grid_check_place(grid, entry) || place == GRID_SWEEP)
            continue;
        if (grid->key_count >= GRID_MAX_KEYS && !sweep_grid_key_find(grid, entry->key)) {
            sweep_grid_fault(grid, entry->line, "more than %d keys", GRID_MAX_KEYS);
            grid->stopped = true;
            return;
        }
        add_def(grid, entry);
        if (grid->faults.count == GRID_MAX_FAULTS)
            grid->stopped = true;
    }
    for (size_t i = 0; i < grid->entry_count; i++) {
        if (strcmp(grid->entries[i].key, "layers") == 0)
            add_referred_keys(grid, &grid->entries[i]);
    }
}

/* The definition that says where the key stands among the axes: that of a zip, else the first. */
static const struct grid_entry *first_entry(const struct grid_key *key)
{
    const struct grid_entry *first = NULL;

    for (size_t i = 0; i < key->def_count; i++) {
        const struct grid_entry *entry = key->defs[i].entry;
        if (entry->section->place == GRID_ZIP)
            return entry;
        if (!first || entry->section->number < first->section->number)
            first = entry;
    }
    return first;
}

/* Order of sections and of lines in them; keys that are only referred to come last, by name. */
static int compare_places(const void *a, const void *b)
{
    const struct grid_key *key_a = *(struct grid_key *const *) a;
    const struct grid_key *key_b = *(struct grid_key *const *) b;
    const struct grid_entry *x = first_entry(key_a), *y = first_entry(key_b);

    if (!x || !y)
        return x ? -1 : y ? 1 : strcmp(key_a->name, key_b->name);
    if (x->section != y->section)
        return x->section->number < y->section->number ? -1 : 1;
    return (x > y) - (x < y);
}

const struct grid_entry *sweep_grid_sweep_entry(const struct grid *grid, const char *key)
{
    for (size_t i = 0; i < grid->entry_count; i++) {
        if (grid->entries[i].section->place == GRID_SWEEP && strcmp(grid->entries[i].key, key) == 0)
            return &grid->entries[i];
    }
    return NULL;
}

int sweep_grid_read(struct grid *grid, const struct sweep_plan_input *input)
{
    const int rc = sweep_grid_read_files(grid, input->path);

    if (rc < 0)
        return rc;
    find_references(grid, input);
    sweep_grid_patch(grid, input);
    compile_conditions(grid);
    compile_rules(grid);
    define_keys(grid);
    check_preset_values(grid);
    if (grid->key_count)
        qsort(grid->keys, grid->key_count, sizeof *grid->keys, compare_places);
    fill_table(grid, grid->key_table_size ? grid->key_table_size : 128);
    return 0;
}

void sweep_grid_clear(struct grid *grid)
{
    free(grid->faults.items);
    free(grid->warnings.items);
    free(grid->sections);
    free(grid->entries);
    free(grid->keys);
    free(grid->referred);
    free(grid->key_table);
    free(grid->zips);
    free(grid->rules);
    free(grid->nodes);
    free(grid->points);
    cs_arena_clear(&grid->arena);
    *grid = (struct grid){0};
}
