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
static const char *const later_keys[] = {"keep"};

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

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

struct words {
    const char **items;
    size_t count, capacity;
};

static void add_word(struct words *words, const char *word)
{
    if (words->count == words->capacity) {
        words->capacity = words->capacity ? 2 * words->capacity : 64;
        words->items = cs_xrealloc(words->items, words->capacity * sizeof *words->items);
    }
    words->items[words->count++] = word;
}

static void sort_words(struct words *words)
{
    size_t kept = 0;

    if (words->count)
        qsort(words->items, words->count, sizeof *words->items, compare_words);
    for (size_t i = 0; i < words->count; i++) {
        if (kept == 0 || strcmp(words->items[kept - 1], words->items[i]) != 0)
            words->items[kept++] = words->items[i];
    }
    words->count = kept;
}

static bool has_word(const char *const *items, size_t count, const char *word)
{
    return count && bsearch(&word, items, count, sizeof word, compare_words);
}

/* Every word of a condition or expression counts, those right of a `=` too: it is asked of unknown keys only. */
static void collect_words(struct grid *grid, struct words *words, const char *text)
{
    const char *word;

    while ((word = sweep_grid_next_word(grid, &text)) != NULL)
        add_word(words, word);
}

static void collect_references(struct grid *grid, struct words *words, const char *value)
{
    const char *text = value, *word;

    while ((word = sweep_grid_next_reference(grid, &text)) != NULL)
        add_word(words, word);
    for (text = value; text; text = strchr(text, ',')) {
        text += strspn(text, ", \t");
        if (*text == '=') {
            collect_words(grid, words, value);
            return;
        }
        if (!*text)
            return;
    }
}

/* Every name that some text of the files or of the command line refers to, sorted. */
static void find_references(struct grid *grid, const struct sweep_plan_input *input)
{
    struct words words = {0};

    if (grid->variables)
        collect_words(grid, &words, grid->variables);
    for (size_t i = 0; i < grid->section_count; i++) {
        if (grid->sections[i]->rule)
            collect_words(grid, &words, grid->sections[i]->rule);
    }
    for (size_t i = 0; i < grid->entry_count; i++) {
        if (grid->entries[i].section->place == GRID_EXCLUDE)
            collect_words(grid, &words, grid->entries[i].value);
        else
            collect_references(grid, &words, grid->entries[i].value);
    }
    for (size_t i = 0; i < input->override_count; i++) {
        const char *equals = strchr(input->overrides[i], '=');
        if (equals)
            collect_references(grid, &words, equals + 1);
    }
    sort_words(&words);
    grid->referred = words.items;
    grid->referred_count = words.count;
}

/* Every key that csweep does not know, sorted. */
static void find_given(struct grid *grid)
{
    struct words words = {0};

    free(grid->given);
    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        const enum grid_place place = entry->section->place;
        if ((place == GRID_SETTINGS || place == GRID_WHEN || place == GRID_ZIP) &&
            !train_key_find(entry->key, NULL))
            add_word(&words, entry->key);
    }
    sort_words(&words);
    grid->given = words.items;
    grid->given_count = words.count;
}

bool sweep_grid_is_own(const struct grid *grid, const char *key)
{
    return !sweep_grid_sweep_key(key) && !train_key_find(key, NULL) &&
           has_word(grid->referred, grid->referred_count, key);
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

/* The name nearest to key among all that a grid file may use; given: and those that this one gives itself. */
static const char *nearest_key(const struct grid *grid, const char *key, bool given)
{
    size_t given_count = grid->given_count > GRID_MAX_KEYS ? 0 : grid->given_count;
    size_t train_count, sweep_count, count = 0;
    const struct train_key *rows = train_keys(&train_count);
    const struct cs_param *sweep = sweep_keys(&sweep_count);
    const char **names = cs_xcalloc(train_count + sweep_count + given_count, sizeof *names);

    if (grid->faults.count == GRID_MAX_FAULTS) /* no more are told */
        given_count = train_count = sweep_count = 0;

    for (size_t i = 0; i < train_count; i++)
        names[count++] = rows[i].row->name;
    for (size_t i = 0; i < sweep_count; i++)
        names[count++] = sweep[i].name;
    for (size_t i = 0; i < given_count; i++) {
        if (given || sweep_grid_is_own(grid, grid->given[i]))
            names[count++] = grid->given[i];
    }
    const char *near = cs_nearest(key, names, count);
    free(names);
    return near;
}

const char *sweep_grid_name_problem(struct grid *grid, const char *name)
{
    if (sweep_grid_sweep_key(name))
        return "of the sweep, not of a trial";
    if (train_key_find(name, NULL) || has_word(grid->given, grid->given_count, name))
        return NULL;
    const char *near = nearest_key(grid, name, true);
    return near ? cs_arena_printf(&grid->arena, "no such key; did you mean %s?", near)
                : "no such key; see csweep describe key, or give it in [model]";
}

void sweep_grid_report_unknown(struct grid *grid, const struct grid_entry *entry)
{
    const char *near = nearest_key(grid, entry->key, false);
    const bool model = entry->section && entry->section->place == GRID_SETTINGS &&
                       strcmp(entry->section->name, "model") == 0;
    const char *own =
        model ? cs_arena_printf(&grid->arena, ", and no value has ${%.80s}", entry->key) : "";

    if (sweep_grid_one_of(entry->key, later_keys, CS_COUNT(later_keys)))
        sweep_grid_fault(grid, entry->line, "%s is not built yet", entry->key);
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
    if (own || strcmp(section->name, home) == 0 || (row && belongs_to(entry->key, section->name)))
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
        out->owner = row->owner_key ? sweep_grid_key_get(grid, row->owner_key) : NULL;
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

struct grid_key *sweep_grid_key_get(struct grid *grid, const char *name)
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
    struct grid_key *key = sweep_grid_key_get(grid, entry->key);
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
    const struct search_method *search = grid->search;

    grid->search = NULL; /* one may come with a search of its own */
    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place != GRID_PRESET || !sweep_grid_check_place(grid, entry) ||
            !train_key_find(entry->key, NULL) || strstr(entry->value, "${env:"))
            continue;
        parse_values(grid, sweep_grid_key_get(grid, entry->key), entry);
    }
    grid->search = search;
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
    struct grid_key *key = sweep_grid_key_find(grid, use->name);
    const char *problem = key ? NULL : sweep_grid_name_problem(grid, use->name);

    if (problem) {
        sweep_grid_fault(grid, condition->line, "%s: %.80s: %s", condition->title, use->name,
                         problem);
        return false;
    }
    if (!key && grid->key_count < 2 * GRID_MAX_KEYS)
        key = sweep_grid_key_get(grid, use->name);
    if (key)
        key->asked = true;
    return true;
}

/* NULL: faulty. */
static struct cs_expr *compile_condition(struct grid *grid, const struct condition *condition)
{
    struct cs_expr *expr;
    struct cs_error err;
    size_t count;

    if (cs_expr_compile_rule(&expr, condition->text, &grid->arena, &err) < 0) {
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

static void add_user(struct grid *grid, struct grid_key *key, struct grid_key *user)
{
    const size_t n = key->user_count;

    if (n && key->users[n - 1] == user)
        return;
    if ((n & (n - 1)) == 0) { /* 0 or a power of two: full */
        struct grid_key **users = cs_arena_alloc(&grid->arena, (n ? 2 * n : 1) * sizeof *users);
        if (n)
            memcpy(users, key->users, n * sizeof *users);
        key->users = users;
    }
    key->users[key->user_count++] = user;
}

/* Who refers to whom: what a variable of one's own follows from. */
static void link_users(struct grid *grid)
{
    for (size_t i = 0; i < grid->key_count; i++) {
        struct grid_key *key = grid->keys[i];
        for (size_t d = 0; d < key->def_count; d++) {
            for (size_t v = 0; v < key->defs[d].count; v++) {
                const struct grid_formula *formula = key->defs[d].values[v].formula;
                key->formed = key->formed || formula;
                for (size_t r = 0; formula && r < formula->ref_count; r++)
                    add_user(grid, formula->refs[r], key);
            }
        }
    }
}

static void check_sweep_value(struct grid *grid, const struct grid_entry *entry)
{
    if (strstr(entry->value, "${"))
        sweep_grid_fault(grid, entry->value_line,
                         "%s = %.120s: of the sweep, not of a trial, and can have no ${...}",
                         entry->key, entry->value);
}

static void define_keys(struct grid *grid)
{
    for (size_t i = 0; i < grid->entry_count && !grid->stopped; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        const enum grid_place place = entry->section->place;
        if (place == GRID_PRESET || place == GRID_SKIPPED || place == GRID_EXCLUDE ||
            !sweep_grid_check_place(grid, entry))
            continue;
        if (place == GRID_SWEEP) {
            check_sweep_value(grid, entry);
            continue;
        }
        if (grid->key_count >= GRID_MAX_KEYS && !sweep_grid_key_find(grid, entry->key)) {
            sweep_grid_fault(grid, entry->line, "more than %d keys", GRID_MAX_KEYS);
            grid->stopped = true;
            return;
        }
        add_def(grid, entry);
        if (grid->faults.count == GRID_MAX_FAULTS)
            grid->stopped = true;
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

/* An entry that cannot have its value is left out. Presets that are not chosen are not asked for theirs. */
static void put_in_environment(struct grid *grid)
{
    for (size_t i = 0; i < grid->entry_count; i++) {
        struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place == GRID_PRESET || entry->section->place == GRID_SKIPPED)
            continue;
        const char *value =
            sweep_grid_env(grid, entry->key, entry->value, entry->value_line, &entry->env);
        if (value)
            entry->value = value;
        else
            entry->section = grid->skipped;
    }
}

int sweep_grid_read(struct grid *grid, const struct sweep_plan_input *input)
{
    const int rc = sweep_grid_read_files(grid, input->path);

    if (rc < 0)
        return rc;
    sweep_grid_open(grid, input);
    put_in_environment(grid);
    find_given(grid); /* and what the command line gives */
    compile_conditions(grid);
    compile_rules(grid);
    const struct grid_entry *search = sweep_grid_sweep_entry(grid, "search");
    grid->search = sweep_search_method_find(search ? search->value : "grid");
    define_keys(grid);
    check_preset_values(grid);
    sweep_grid_close(grid);
    return 0;
}

void sweep_grid_open(struct grid *grid, const struct sweep_plan_input *input)
{
    find_references(grid, input);
    find_given(grid);
    sweep_grid_patch(grid, input);
}

void sweep_grid_close(struct grid *grid)
{
    link_users(grid);
    if (grid->key_count)
        qsort(grid->keys, grid->key_count, sizeof *grid->keys, compare_places);
    fill_table(grid, grid->key_table_size ? grid->key_table_size : 128);
}

void sweep_grid_clear(struct grid *grid)
{
    for (size_t i = 0; i < grid->key_count; i++)
        cs_arena_clear(&grid->keys[i]->made);
    free(grid->given);
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
    sweep_search_free(grid->drawer);
    cs_arena_clear(&grid->arena);
    *grid = (struct grid){0};
}
