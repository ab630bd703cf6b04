/* grid_patch.c - presets, in their order, and then the words of the command line replace the values of entries. */
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_ini.h"
#include "common/cs_param.h"
#include "sweep/grid_impl.h"
#include "sweep/plan.h"

enum { MAX_PATCHES = GRID_MAX_KEYS }; /* more keys cannot be in force */

struct patch {
    const char *key, *value, *preset; /* preset: NULL of the command line */
    int line;
};

struct patches {
    struct patch *items;
    size_t count, capacity;
};

static void add_patch(struct grid *grid, struct patches *patches, const struct grid_entry *entry,
                      const char *preset)
{
    if (patches->count == MAX_PATCHES) {
        sweep_grid_fault(grid, entry->line, "more than %d keys in presets and on the command line",
                         MAX_PATCHES);
        return;
    }
    if (patches->count == patches->capacity) {
        patches->capacity = patches->capacity ? 2 * patches->capacity : 16;
        patches->items = cs_xrealloc(patches->items, patches->capacity * sizeof *patches->items);
    }
    patches->items[patches->count++] = (struct patch){
        .key = entry->key, .value = entry->value, .preset = preset, .line = entry->line};
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
            sweep_grid_check_place(grid, entry))
            add_patch(grid, patches, entry, name);
    }
}

static void ignore_bad_line(void *context, const struct cs_error *err)
{
    (void) context;
    (void) err;
}

bool sweep_grid_can_be_written(struct grid *grid, const char *value)
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
    if (!sweep_grid_can_be_written(grid, entry.value))
        sweep_grid_fault(grid, line,
                         "%.80s: comments, control bytes and invalid UTF-8 are not allowed here",
                         entry.key);
    else if (strcmp(entry.key, "include") == 0)
        sweep_grid_fault(grid, line, "include: a grid file includes others, in its lines");
    else if (sweep_grid_sweep_key(entry.key) || train_key_find(entry.key, NULL) ||
             sweep_grid_is_own(grid, entry.key))
        add_patch(grid, patches, &entry, NULL);
    else
        sweep_grid_report_unknown(grid, &entry);
}

static struct grid_section *home_section(struct grid *grid, const char *key)
{
    const struct train_key *row = train_key_find(key, NULL);
    const char *group = sweep_grid_group_section(grid, key);
    const char *name = sweep_grid_sweep_key(key) ? "sweep"
                       : group                   ? group
                       : row                     ? row->section
                                                 : "model";

    for (size_t i = 0; i < grid->section_count; i++) {
        struct grid_section *section = grid->sections[i];
        if ((section->place == GRID_SWEEP || section->place == GRID_SETTINGS) &&
            strcmp(section->name, name) == 0)
            return section;
    }
    return sweep_grid_section_add(grid, strcmp(name, "sweep") == 0 ? GRID_SWEEP : GRID_SETTINGS,
                                  name, 0);
}

/* `seed` and `seeds` say the same thing: a later one takes the other's place. */
static void drop_entries(struct grid *grid, const char *key)
{
    for (size_t i = 0; i < grid->entry_count; i++) {
        if (grid->entries[i].section->place == GRID_SWEEP && strcmp(grid->entries[i].key, key) == 0)
            grid->entries[i].section = grid->skipped;
    }
}

static void apply_patch(struct grid *grid, const struct patch *patch)
{
    const struct grid_entry given = {
        .value = patch->value, .value_line = patch->line, .preset = patch->preset};
    bool found = false;

    if (strcmp(patch->key, "seed") == 0)
        drop_entries(grid, "seeds");
    if (strcmp(patch->key, "seeds") == 0)
        drop_entries(grid, "seed");
    for (size_t i = 0; i < grid->entry_count; i++) {
        struct grid_entry *entry = &grid->entries[i];
        const enum grid_place place = entry->section->place;
        if (place == GRID_PRESET || place == GRID_SKIPPED || place == GRID_EXCLUDE ||
            strcmp(entry->key, patch->key) != 0)
            continue;
        sweep_grid_entry_replace(grid, entry, &given);
        found = true;
    }
    if (!found) {
        sweep_grid_entry_add(grid, home_section(grid, patch->key), patch->key, patch->value,
                             patch->line);
        grid->entries[grid->entry_count - 1].preset = patch->preset;
    }
}

void sweep_grid_patch(struct grid *grid, const struct sweep_plan_input *input)
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
    return sweep_grid_one_of(key, grid->overridden, grid->overridden_count);
}
