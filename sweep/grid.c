/*
 * grid.c - a grid file to definitions of keys, with presets and the command line applied.
 *
 * Sections are classified first, then presets and command line replace values, then every key is looked up, and
 * last every value is parsed. Each step reports what it finds and goes on, so that one run tells all faults.
 */
#include "sweep/grid.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "common/cs_ini.h"
#include "common/cs_io.h"
#include "sweep/plan.h"

/* Faults and warnings. */

__attribute__((format(printf, 4, 0))) static void
record(struct grid *grid, struct grid_faults *list, int line, const char *fmt, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof text, fmt, args);
    if (list->count == GRID_MAX_FAULTS)
        return;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].line == line && strcmp(list->items[i].text, text) == 0)
            return;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->items = cs_xrealloc(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->count++] =
        (struct sweep_grid_fault){line, cs_arena_strdup(&grid->arena, text)};
}

void sweep_grid_fault(struct grid *grid, int line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    record(grid, &grid->faults, line, fmt, args);
    va_end(args);
}

void sweep_grid_warn(struct grid *grid, int line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    record(grid, &grid->warnings, line, fmt, args);
    va_end(args);
}

static int fault_rank(const struct sweep_grid_fault *fault)
{
    if (fault->line == 0)
        return GRID_COMMAND_LINE - 1;
    return fault->line;
}

/* Insertion sort: stable, and there are GRID_MAX_FAULTS at most. */
void sweep_grid_faults_sort(struct grid_faults *faults)
{
    for (size_t i = 1; i < faults->count; i++) {
        const struct sweep_grid_fault fault = faults->items[i];
        size_t j = i;
        for (; j > 0 && fault_rank(&faults->items[j - 1]) > fault_rank(&fault); j--)
            faults->items[j] = faults->items[j - 1];
        faults->items[j] = fault;
    }
}

void sweep_grid_faults_print(struct cs_buf *out, struct grid_faults *faults, const char *path,
                             size_t index)
{
    const struct sweep_grid_fault *fault = &faults->items[index];

    if (fault->line >= GRID_COMMAND_LINE)
        cs_buf_addf(out, "command line: %s", fault->text);
    else if (fault->line)
        cs_buf_addf(out, "%s:%d: %s", path, fault->line, fault->text);
    else
        cs_buf_addf(out, "%s: %s", path, fault->text);
}

/* Sections. */

static const char *const train_sections[] = {"data", "model", "train", "optimizer", "scheduler"};

/* Words a later csweep will read. Refused, so that no file means less than it says. */
static const char *const later_sections[] = {"zip", "exclude"};
static const char *const later_keys[] = {"search", "trials", "prune", "keep", "include"};

#define GROUP_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0)
            return true;
    }
    return false;
}

static struct grid_section *add_section(struct grid *grid, enum grid_place place, const char *name,
                                        int line)
{
    if (grid->section_count == grid->section_capacity) {
        grid->section_capacity = grid->section_capacity ? 2 * grid->section_capacity : 16;
        grid->sections =
            cs_xrealloc(grid->sections, grid->section_capacity * sizeof *grid->sections);
    }
    struct grid_section *section = cs_arena_alloc(&grid->arena, sizeof *section);
    *section = (struct grid_section){
        .place = place, .name = name, .line = line, .number = grid->section_count};
    grid->sections[grid->section_count++] = section;
    return section;
}

static void report_section(struct grid *grid, const char *text, const char *word, int line)
{
    static const char *const all[] = {"sweep",     "data",  "model", "train", "optimizer",
                                      "scheduler", "group", "when",  "preset"};

    if (is_one_of(word, later_sections, CS_COUNT(later_sections))) {
        sweep_grid_fault(grid, line, "[%s%s] is not built yet", word,
                         strcmp(word, "exclude") == 0 ? "" : " ...");
        return;
    }
    const char *near = cs_nearest(word, all, CS_COUNT(all));
    if (near)
        sweep_grid_fault(grid, line, "[%.120s]: no such section; did you mean [%s%s]?", text, near,
                         is_one_of(near, all + 6, 3) ? " ..." : "");
    else
        sweep_grid_fault(
            grid, line,
            "[%.120s]: no such section; there are sweep, data, model, train, optimizer, "
            "scheduler, group NAME, when CONDITION, preset NAME",
            text);
}

static struct grid_section *open_section(struct grid *grid, const char *text, int line)
{
    const size_t size = strcspn(text, " \t");
    const char *word = cs_arena_strndup(&grid->arena, text, size);
    const char *rest = text + size + strspn(text + size, " \t");

    if (strcmp(text, "sweep") == 0)
        return add_section(grid, GRID_SWEEP, "sweep", line);
    if (is_one_of(text, train_sections, CS_COUNT(train_sections)))
        return add_section(grid, GRID_SETTINGS, word, line);
    if (strcmp(word, "when") == 0) {
        if (!*rest)
            sweep_grid_fault(grid, line, "[when]: no condition; expected [when KEY=VALUE]");
        return add_section(grid, *rest ? GRID_WHEN : GRID_SKIPPED, rest, line);
    }
    if (strcmp(word, "preset") == 0) {
        if (!*rest)
            sweep_grid_fault(grid, line, "[preset]: no name; expected [preset NAME]");
        return add_section(grid, *rest ? GRID_PRESET : GRID_SKIPPED, rest, line);
    }
    if (strcmp(word, "group") == 0) {
        const bool good = *rest && rest[strspn(rest, GROUP_LETTERS)] == '\0';
        if (!good)
            sweep_grid_fault(grid, line,
                             "[group]: expected [group NAME], NAME of letters, digits and _");
        return add_section(grid, good ? GRID_SETTINGS : GRID_SKIPPED,
                           cs_arena_printf(&grid->arena, "group %s", rest), line);
    }
    report_section(grid, text, word, line);
    return add_section(grid, GRID_SKIPPED, word, line);
}

/* Entries. */

static void add_entry(struct grid *grid, struct grid_section *section, const char *key,
                      const char *value, int line)
{
    if (grid->entry_count == grid->entry_capacity) {
        grid->entry_capacity = grid->entry_capacity ? 2 * grid->entry_capacity : 64;
        grid->entries = cs_xrealloc(grid->entries, grid->entry_capacity * sizeof *grid->entries);
    }
    grid->entries[grid->entry_count++] = (struct grid_entry){section, key, value, line, line};
}

static bool same_place(const struct grid_section *a, const struct grid_section *b)
{
    return a->place == b->place && strcmp(a->name, b->name) == 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct grid_entry *x = *(const struct grid_entry *const *) a;
    const struct grid_entry *y = *(const struct grid_entry *const *) b;
    const int order = strcmp(x->key, y->key);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* A key twice in one place. Its second line is kept out of what follows. */
static void find_duplicates(struct grid *grid)
{
    const size_t n = grid->entry_count;
    struct grid_entry **sorted = cs_xcalloc(n, sizeof *sorted);

    for (size_t i = 0; i < n; i++)
        sorted[i] = &grid->entries[i];
    qsort(sorted, n, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < n; i++) {
        for (size_t j = i; j > 0 && i - j < 64 && strcmp(sorted[j - 1]->key, sorted[i]->key) == 0;
             j--) {
            if (sorted[j - 1]->section->place == GRID_SKIPPED ||
                !same_place(sorted[j - 1]->section, sorted[i]->section))
                continue;
            sweep_grid_fault(grid, sorted[i]->line, "%.120s: given twice here; first in line %d",
                             sorted[i]->key, sorted[j - 1]->line);
            sorted[i]->section = add_section(grid, GRID_SKIPPED, "", sorted[i]->line);
            break;
        }
    }
    free(sorted);
}

static void take_bad_line(void *context, const struct cs_error *err)
{
    sweep_grid_fault(context, err->line, "%s", err->detail);
}

/* NAME of a section [group NAME]; NULL for another. */
static const char *group_of(const char *section)
{
    return strncmp(section, "group ", 6) == 0 ? section + 6 : NULL;
}

/* "group NAME" for NAME.KEY; NULL for another key. */
static const char *group_section(struct grid *grid, const char *key)
{
    const char *dot = strchr(key, '.');

    return dot ? cs_arena_printf(&grid->arena, "group %.*s", (int) (dot - key), key) : NULL;
}

static void read_entries(struct grid *grid, const char *text, size_t size)
{
    struct grid_section *section = NULL;
    struct cs_ini ini;

    cs_ini_parse(&ini, grid->path, text, size, take_bad_line, grid, &grid->arena);
    for (size_t i = 0; i < ini.count; i++) {
        const struct cs_ini_entry *entry = &ini.entries[i];
        if (!entry->key)
            section = open_section(grid, entry->section, entry->line);
        else if (section && section->place == GRID_SETTINGS && group_of(section->name))
            add_entry(grid, section,
                      cs_arena_printf(&grid->arena, "%s.%s", group_of(section->name), entry->key),
                      entry->value, entry->line);
        else if (section)
            add_entry(grid, section, entry->key, entry->value, entry->line);
    }
    find_duplicates(grid);
}

/* Keys: what a name is, and where it belongs. */

static const struct cs_param *find_sweep_key(const char *name)
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

/* Is key a variable of the user's own: unknown to csweep, and some layers text refers to it? */
static bool is_own(const struct grid *grid, const char *key)
{
    return !find_sweep_key(key) && !train_key_find(key, NULL) && grid->referred_count &&
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

static void report_unknown_key(struct grid *grid, const struct grid_entry *entry)
{
    const char *near = nearest_key(grid, entry->key);
    const bool model = entry->section && strcmp(entry->section->name, "model") == 0 &&
                       entry->section->place == GRID_SETTINGS;
    const char *own =
        model ? cs_arena_printf(&grid->arena, ", and layers has no ${%.80s}", entry->key) : "";

    if (is_one_of(entry->key, later_keys, CS_COUNT(later_keys)))
        sweep_grid_fault(grid, entry->line, "%s is not built yet", entry->key);
    else if (near)
        sweep_grid_fault(grid, entry->line, "%.80s: no such key%s; did you mean %s?", entry->key,
                         own, near);
    else
        sweep_grid_fault(grid, entry->line, "%.80s: no such key%s; see csweep describe key",
                         entry->key, own);
}

/* Report a key that is unknown or stands in the wrong section. */
static bool check_place(struct grid *grid, const struct grid_entry *entry)
{
    const struct grid_section *section = entry->section;
    const bool sweep = find_sweep_key(entry->key) != NULL, own = is_own(grid, entry->key);
    const struct train_key *row = train_key_find(entry->key, NULL);
    const char *group = group_section(grid, entry->key);
    const char *home = sweep ? "sweep" : own ? "model" : row ? group ? group : row->section : NULL;

    if (!row && group && section->place == GRID_SETTINGS) {
        sweep_grid_fault(grid, entry->line,
                         "%s: no such key of a group; expected match, freeze or a setting of the "
                         "optimizer",
                         strchr(entry->key, '.') + 1);
        return false;
    }
    if (!home) {
        report_unknown_key(grid, entry);
        return false;
    }
    if (section->place == GRID_PRESET)
        return true;
    if (section->place == GRID_WHEN) {
        if (sweep)
            sweep_grid_fault(grid, entry->line, "%s: belongs to [sweep], and not inside [when ...]",
                             entry->key);
        return !sweep;
    }
    if (strcmp(section->name, home) == 0 || (row && belongs_to(entry->key, section->name)))
        return true;
    sweep_grid_fault(grid, entry->line, "%s: belongs to [%s], not to [%s]", entry->key, home,
                     section->name);
    return false;
}

/* Presets and the command line. */

struct patch {
    const char *key, *value;
    int line;
};

struct patches {
    struct patch *items;
    size_t count, capacity;
};

static void add_patch(struct patches *patches, const char *key, const char *value, int line)
{
    if (patches->count == patches->capacity) {
        patches->capacity = patches->capacity ? 2 * patches->capacity : 16;
        patches->items = cs_xrealloc(patches->items, patches->capacity * sizeof *patches->items);
    }
    patches->items[patches->count++] = (struct patch){key, value, line};
}

static void report_preset(struct grid *grid, const char *name)
{
    const char **names = cs_xcalloc(grid->section_count, sizeof *names);
    size_t count = 0;

    for (size_t i = 0; i < grid->section_count; i++) {
        if (grid->sections[i]->place == GRID_PRESET)
            names[count++] = grid->sections[i]->name;
    }
    const char *near = cs_nearest(name, names, count);
    if (near)
        sweep_grid_fault(grid, GRID_COMMAND_LINE,
                         "--preset %.80s: no such preset; did you mean %s?", name, near);
    else if (count)
        sweep_grid_fault(grid, GRID_COMMAND_LINE, "--preset %.80s: no such preset; there is %s",
                         name, names[0]);
    else
        sweep_grid_fault(grid, GRID_COMMAND_LINE, "--preset %.80s: the file has no [preset ...]",
                         name);
    free(names);
}

static void collect_preset(struct grid *grid, struct patches *patches, const char *name)
{
    bool found = false;

    for (size_t i = 0; i < grid->section_count; i++)
        found = found || (grid->sections[i]->place == GRID_PRESET &&
                          strcmp(grid->sections[i]->name, name) == 0);
    if (!found)
        report_preset(grid, name);
    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place == GRID_PRESET && strcmp(entry->section->name, name) == 0 &&
            check_place(grid, entry))
            add_patch(patches, entry->key, entry->value, entry->line);
    }
}

static void ignore_bad_line(void *context, const struct cs_error *err)
{
    (void) context;
    (void) err;
}

/* Would the value read back from sweep.ini? Not with line ends, comment signs, control bytes, bad UTF-8. */
static bool can_be_written(struct grid *grid, const char *value)
{
    const char *text = cs_arena_printf(&grid->arena, "[x]\nx = %s\n", value);
    struct cs_ini ini;

    return cs_ini_parse(&ini, "", text, strlen(text), ignore_bad_line, NULL, &grid->arena) == 0 &&
           ini.count == 2 && ini.entries[1].key && strcmp(ini.entries[1].value, value) == 0;
}

static void collect_override(struct grid *grid, struct patches *patches, const char *word, int line)
{
    char *key = cs_arena_strdup(&grid->arena, word), *equals = strchr(key, '=');

    if (!equals) {
        sweep_grid_fault(grid, line, "%.120s: expected KEY=VALUE", word);
        return;
    }
    *equals = '\0';
    const struct grid_entry entry = {
        .key = cs_trim(key), .value = cs_trim(equals + 1), .line = line};
    if (!can_be_written(grid, entry.value))
        sweep_grid_fault(grid, line,
                         "%.80s: comments, control bytes and invalid UTF-8 are not allowed here",
                         entry.key);
    else if (find_sweep_key(entry.key) || train_key_find(entry.key, NULL) ||
             is_own(grid, entry.key))
        add_patch(patches, entry.key, entry.value, line);
    else
        report_unknown_key(grid, &entry);
}

static struct grid_section *home_section(struct grid *grid, const char *key)
{
    const struct train_key *row = train_key_find(key, NULL);
    const char *group = group_section(grid, key);
    const char *name = find_sweep_key(key) ? "sweep" : group ? group : row ? row->section : "model";

    for (size_t i = 0; i < grid->section_count; i++) {
        struct grid_section *section = grid->sections[i];
        if ((section->place == GRID_SWEEP || section->place == GRID_SETTINGS) &&
            strcmp(section->name, name) == 0)
            return section;
    }
    return add_section(grid, strcmp(name, "sweep") == 0 ? GRID_SWEEP : GRID_SETTINGS, name, 0);
}

/* `seed` and `seeds` say the same thing: a later one takes the other's place. */
static void drop_entries(struct grid *grid, const char *key)
{
    for (size_t i = 0; i < grid->entry_count; i++) {
        if (grid->entries[i].section->place == GRID_SWEEP && strcmp(grid->entries[i].key, key) == 0)
            grid->entries[i].section = add_section(grid, GRID_SKIPPED, "", 0);
    }
}

static void apply_patch(struct grid *grid, const struct patch *patch)
{
    bool found = false;

    if (strcmp(patch->key, "seed") == 0)
        drop_entries(grid, "seeds");
    if (strcmp(patch->key, "seeds") == 0)
        drop_entries(grid, "seed");
    for (size_t i = 0; i < grid->entry_count; i++) {
        struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place == GRID_PRESET || entry->section->place == GRID_SKIPPED ||
            strcmp(entry->key, patch->key) != 0)
            continue;
        entry->value = patch->value;
        entry->value_line = patch->line;
        found = true;
    }
    if (!found)
        add_entry(grid, home_section(grid, patch->key), patch->key, patch->value, patch->line);
}

static void apply_patches(struct grid *grid, const struct sweep_plan_input *input)
{
    struct patches patches = {0};

    for (size_t i = 0; i < input->preset_count; i++)
        collect_preset(grid, &patches, input->presets[i]);
    for (size_t i = 0; i < input->override_count; i++)
        collect_override(grid, &patches, input->overrides[i], GRID_COMMAND_LINE + 1 + (int) i);
    const char **keys = cs_arena_alloc(&grid->arena, patches.count * sizeof *keys);
    for (size_t i = 0; i < patches.count; i++) {
        apply_patch(grid, &patches.items[i]);
        keys[i] = patches.items[i].key;
    }
    grid->overridden = keys;
    grid->overridden_count = patches.count;
    free(patches.items);
}

bool sweep_grid_overridden(const struct grid *grid, const char *key)
{
    return is_one_of(key, grid->overridden, grid->overridden_count);
}

/* Definitions. */

struct grid_key *sweep_grid_key_find(const struct grid *grid, const char *name)
{
    for (size_t i = 0; i < grid->key_count; i++) {
        if (strcmp(grid->keys[i]->name, name) == 0)
            return grid->keys[i];
    }
    return NULL;
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
    add_rows(grid, key);
    if (key->own)
        get_key(grid, "layers"); /* decides whether it is in force */
    return key;
}

static struct grid_list parse_values(struct grid *grid, const struct grid_key *key,
                                     const struct grid_entry *entry)
{
    const struct cs_param **rows = cs_xcalloc(key->row_count, sizeof *rows);

    for (size_t i = 0; i < key->row_count; i++)
        rows[i] = key->rows[i].row->row;
    const struct grid_list list =
        sweep_grid_values(grid, key->name, rows, key->row_count, entry->value, entry->value_line);
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
                                             .when = section->place == GRID_WHEN ? section : NULL,
                                             .values = list.values,
                                             .count = list.count,
                                             .first = last ? last->first + last->count : 1};
    key->defs = defs;
    key->def_count++;
    key->numeric = key->numeric && list.numeric;
    if (list.count == 0 || (section->place == GRID_WHEN && !section->condition))
        key->broken = true;
}

/* Values of presets that are not chosen are checked all the same. */
static void check_preset_values(struct grid *grid)
{
    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place != GRID_PRESET || !check_place(grid, entry) ||
            !train_key_find(entry->key, NULL))
            continue;
        parse_values(grid, get_key(grid, entry->key), entry);
    }
}

/* Conditions. */

static void check_condition_value(struct grid *grid, const struct grid_section *section,
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
        sweep_grid_fault(grid, section->line, "[when %.120s]: %s", section->name, first.detail);
}

static bool check_condition_name(struct grid *grid, const struct grid_section *section,
                                 const struct cs_expr_use *use)
{
    const bool own = is_own(grid, use->name);

    if (train_key_find(use->name, NULL) || own) {
        get_key(grid, use->name);
        return true;
    }
    const char *near = nearest_key(grid, use->name);
    if (find_sweep_key(use->name))
        sweep_grid_fault(grid, section->line, "[when %.120s]: %s is of the sweep, not of a trial",
                         section->name, use->name);
    else if (near)
        sweep_grid_fault(grid, section->line, "[when %.120s]: %.80s: no such key; did you mean %s?",
                         section->name, use->name, near);
    else
        sweep_grid_fault(grid, section->line,
                         "[when %.120s]: %.80s: no such key; see csweep describe key",
                         section->name, use->name);
    return false;
}

static void compile_condition(struct grid *grid, struct grid_section *section)
{
    struct cs_error err;
    size_t count;

    if (cs_expr_compile(&section->condition, section->name, &grid->arena, &err) < 0) {
        sweep_grid_fault(grid, section->line, "[when %.120s]: %s", section->name, err.detail);
        return;
    }
    const struct cs_expr_use *uses = cs_expr_uses(section->condition, &count);
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        if (uses[i].value)
            check_condition_value(grid, section, &uses[i]);
        else
            good = check_condition_name(grid, section, &uses[i]) && good;
    }
    if (!good)
        section->condition = NULL;
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
        if ((place != GRID_SWEEP && place != GRID_SETTINGS && place != GRID_WHEN) ||
            !check_place(grid, entry) || place == GRID_SWEEP)
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

static int first_line(const struct grid_key *key)
{
    return key->def_count ? key->defs[0].entry->line : INT32_MAX;
}

/* File order: by the first definition; keys that are only referred to come last. */
static int compare_lines(const void *a, const void *b)
{
    const int x = first_line(*(struct grid_key *const *) a);
    const int y = first_line(*(struct grid_key *const *) b);

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
    struct cs_buf text = {0};
    struct cs_error err;

    grid->path = input->path;
    const int rc = cs_read_file(&text, input->path, CS_INI_MAX_BYTES, &err);
    if (rc == CS_ERANGE)
        sweep_grid_fault(grid, 0, "file over 1 MB");
    else if (rc < 0)
        sweep_grid_fault(grid, 0, "%s",
                         strlen(err.detail) > strlen(input->path) + 2
                             ? err.detail + strlen(input->path) + 2
                             : err.detail);
    else
        read_entries(grid, text.data, text.size);
    cs_buf_clear(&text);
    if (rc < 0)
        return rc == CS_ERANGE ? 0 : CS_EIO;
    find_references(grid, input);
    apply_patches(grid, input);
    for (size_t i = 0; i < grid->section_count; i++) {
        if (grid->sections[i]->place == GRID_WHEN)
            compile_condition(grid, grid->sections[i]);
    }
    define_keys(grid);
    check_preset_values(grid);
    if (grid->key_count)
        qsort(grid->keys, grid->key_count, sizeof *grid->keys, compare_lines);
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
    free(grid->sequence);
    free(grid->points);
    cs_arena_clear(&grid->arena);
    *grid = (struct grid){0};
}
