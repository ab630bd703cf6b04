/*
 * grid_read.c - a grid file and those it includes as sections and entries.
 *
 * An included file is read before the lines of its includer, so that a later entry of the same key in the same
 * section, or under the same condition, is the one that wins; it takes the earlier one's place in the order of axes.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cs_error.h"
#include "common/cs_ini.h"
#include "common/cs_io.h"
#include "sweep/grid_impl.h"

/* Sections. */

static const char *const train_sections[] = {"data", "model", "train", "optimizer", "scheduler"};

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

bool sweep_grid_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0)
            return true;
    }
    return false;
}

static bool in_word(char c)
{
    return isalnum((unsigned char) c) || c == '_' || c == '.';
}

/* A copy with the blanks that part two words as one blank each, and no others. */
static const char *without_blanks(struct grid *grid, const char *text)
{
    char *copy = cs_arena_alloc(&grid->arena, strlen(text) + 1), *out = copy;

    for (; *text; text++) {
        const char *next = text + strspn(text, " \t");
        if (next == text)
            *out++ = *text;
        else if (out > copy && in_word(out[-1]) && in_word(*next))
            *out++ = ' ';
        if (next != text)
            text = next - 1;
    }
    return copy;
}

struct grid_section *sweep_grid_section_add(struct grid *grid, enum grid_place place,
                                            const char *title, int line)
{
    if (grid->section_count == grid->section_capacity) {
        grid->section_capacity = grid->section_capacity ? 2 * grid->section_capacity : 16;
        grid->sections =
            cs_xrealloc(grid->sections, grid->section_capacity * sizeof *grid->sections);
    }
    struct grid_section *section = cs_arena_alloc(&grid->arena, sizeof *section);
    *section = (struct grid_section){.place = place,
                                     .title = title,
                                     .same = without_blanks(grid, title),
                                     .name = title,
                                     .line = line,
                                     .number = grid->section_count};
    grid->sections[grid->section_count++] = section;
    return section;
}

static void report_section(struct grid *grid, const char *text, const char *word, int line)
{
    static const char *const all[] = {"sweep",     "data",      "model",   "train",
                                      "optimizer", "scheduler", "exclude", "group",
                                      "when",      "zip",       "preset"};
    const char *near = cs_nearest(word, all, CS_COUNT(all));

    if (near)
        sweep_grid_fault(grid, line, "[%.120s]: no such section; did you mean [%s%s]?", text, near,
                         sweep_grid_one_of(near, all + 7, 4) ? " ..." : "");
    else
        sweep_grid_fault(
            grid, line,
            "[%.120s]: no such section; there are sweep, data, model, train, optimizer, "
            "scheduler, exclude, group NAME, when CONDITION, zip NAME, preset NAME",
            text);
}

/* NAME or NAME when CONDITION: the zip's name and rule are set; false: neither. */
static bool read_zip(struct grid *grid, struct grid_section *section, const char *rest)
{
    const size_t size = strspn(rest, NAME_LETTERS);
    const char *after = rest + size + strspn(rest + size, " \t");

    section->name = cs_arena_strndup(&grid->arena, rest, size);
    if (size == 0)
        return false;
    if (!*after)
        return true;
    if (after == rest + size || strncmp(after, "when", 4) != 0 || !strchr(" \t", after[4]))
        return false;
    section->rule = after + 4 + strspn(after + 4, " \t");
    return *section->rule != '\0';
}

/* A section of two words or more. */
static void open_named(struct grid *grid, struct grid_section *section, const char *word,
                       const char *rest)
{
    const int line = section->line;
    bool good = *rest != '\0';

    section->name = rest;
    if (strcmp(word, "when") == 0) {
        section->place = GRID_WHEN;
        section->rule = rest;
        if (!good)
            sweep_grid_fault(grid, line, "[when]: no condition; expected [when KEY=VALUE]");
    } else if (strcmp(word, "preset") == 0) {
        section->place = GRID_PRESET;
        if (!good)
            sweep_grid_fault(grid, line, "[preset]: no name; expected [preset NAME]");
    } else if (strcmp(word, "zip") == 0) {
        section->place = GRID_ZIP;
        good = read_zip(grid, section, rest);
        if (!good)
            sweep_grid_fault(grid, line,
                             "[%.120s]: expected [zip NAME] or [zip NAME when CONDITION], NAME of "
                             "letters, digits and _",
                             section->title);
    } else {
        section->place = GRID_SETTINGS;
        section->name = section->title;
        good = good && rest[strspn(rest, NAME_LETTERS)] == '\0';
        if (!good)
            sweep_grid_fault(grid, line,
                             "[group]: expected [group NAME], NAME of letters, digits and _");
    }
    if (!good)
        section->place = GRID_SKIPPED;
}

static struct grid_section *open_section(struct grid *grid, const char *text, int line)
{
    static const char *const named[] = {"when", "preset", "zip", "group"};
    const size_t size = strcspn(text, " \t");
    char *word = cs_arena_strndup(&grid->arena, text, size);
    const char *rest = text + size + strspn(text + size, " \t");

    if (strcmp(text, "sweep") == 0)
        return sweep_grid_section_add(grid, GRID_SWEEP, text, line);
    if (strcmp(text, "exclude") == 0)
        return sweep_grid_section_add(grid, GRID_EXCLUDE, text, line);
    if (sweep_grid_one_of(text, train_sections, CS_COUNT(train_sections)))
        return sweep_grid_section_add(grid, GRID_SETTINGS, text, line);
    struct grid_section *section = sweep_grid_section_add(
        grid, GRID_SKIPPED, *rest ? cs_arena_printf(&grid->arena, "%s %s", word, rest) : word,
        line);
    if (sweep_grid_one_of(word, named, CS_COUNT(named)))
        open_named(grid, section, word, rest);
    else
        report_section(grid, text, word, line);
    return section;
}

/* Entries. */

void sweep_grid_entry_add(struct grid *grid, struct grid_section *section, const char *key,
                          const char *value, int line)
{
    if (grid->entry_count == grid->entry_capacity) {
        grid->entry_capacity = grid->entry_capacity ? 2 * grid->entry_capacity : 64;
        grid->entries = cs_xrealloc(grid->entries, grid->entry_capacity * sizeof *grid->entries);
    }
    grid->entries[grid->entry_count++] = (struct grid_entry){
        .section = section, .key = key, .value = value, .line = line, .value_line = line};
}

void sweep_grid_entry_replace(struct grid *grid, struct grid_entry *entry,
                              const struct grid_entry *other)
{
    struct grid_entry *under = cs_arena_alloc(&grid->arena, sizeof *under);

    *under = *entry;
    entry->under = under;
    entry->value = other->value;
    entry->value_line = other->value_line;
    entry->preset = other->preset;
}

/* Outside of any condition it is all one where a key stands: of settings and zips one definition counts. */
static bool is_outside(const struct grid_section *section)
{
    return section->place == GRID_SETTINGS || (section->place == GRID_ZIP && !section->rule);
}

static int compare_sections(const struct grid_section *a, const struct grid_section *b)
{
    const int x = is_outside(a) ? -1 : (int) a->place, y = is_outside(b) ? -1 : (int) b->place;

    if (x != y)
        return x < y ? -1 : 1;
    return x < 0 ? 0 : strcmp(a->same, b->same);
}

static int compare_entries(const void *a, const void *b)
{
    const struct grid_entry *x = *(const struct grid_entry *const *) a;
    const struct grid_entry *y = *(const struct grid_entry *const *) b;
    int order = strcmp(x->key, y->key);

    if (order == 0)
        order = compare_sections(x->section, y->section);
    return order ? order : (x > y) - (x < y);
}

static bool same_place(const struct grid_entry *a, const struct grid_entry *b)
{
    return a->section->place != GRID_SKIPPED && strcmp(a->key, b->key) == 0 &&
           compare_sections(a->section, b->section) == 0;
}

static int file_of(const struct grid_entry *entry)
{
    return entry->line / GRID_FILE_LINES;
}

static void report_twice(struct grid *grid, const struct grid_entry *first,
                         const struct grid_entry *second)
{
    const bool here = strcmp(first->section->same, second->section->same) == 0;

    sweep_grid_fault(grid, second->line, "%.120s: given twice%s; first in %s%s%.80s%s", second->key,
                     here ? " here" : "", sweep_grid_where(grid, first->line, second->line),
                     here ? "" : ", [", here ? "" : first->section->title, here ? "" : "]");
}

/* What a later file says of the same key; the entry that counts. */
static struct grid_entry *supersede(struct grid *grid, struct grid_entry *old,
                                    struct grid_entry *later)
{
    const bool moves =
        later->section->place == GRID_ZIP && strcmp(later->section->same, old->section->same) != 0;
    struct grid_entry *under;

    if (!moves) {
        sweep_grid_entry_replace(grid, old, later);
        old->line = later->line;
        later->section = grid->skipped;
        return old;
    }
    under = cs_arena_alloc(&grid->arena, sizeof *under);
    *under = *old;
    later->under = under;
    old->section = grid->skipped;
    return later;
}

/* One key several times in one place: a fault in one file, else the later one wins. */
static void settle_repeats(struct grid *grid)
{
    const size_t n = grid->entry_count;
    struct grid_entry **sorted = cs_xcalloc(n, sizeof *sorted), *last = NULL;

    for (size_t i = 0; i < n; i++)
        sorted[i] = &grid->entries[i];
    qsort(sorted, n, sizeof *sorted, compare_entries);
    for (size_t i = 0; i < n; i++) {
        if (!last || !same_place(last, sorted[i])) {
            last = sorted[i];
        } else if (file_of(last) == file_of(sorted[i])) {
            report_twice(grid, last, sorted[i]);
            sorted[i]->section = grid->skipped;
        } else {
            last = supersede(grid, last, sorted[i]);
        }
    }
    free(sorted);
}

/* `seed` and `seeds` say the same thing: the one read later goes before the other, as in settle_repeats. */
static void settle_seeds(struct grid *grid)
{
    struct grid_entry *last = NULL;

    for (size_t i = 0; i < grid->entry_count; i++) {
        struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place != GRID_SWEEP ||
            (strcmp(entry->key, "seed") != 0 && strcmp(entry->key, "seeds") != 0))
            continue;
        if (last && file_of(last) != file_of(entry)) {
            const bool later = grid->files[file_of(entry)].rank > grid->files[file_of(last)].rank;
            (later ? last : entry)->section = grid->skipped;
            last = later ? entry : last;
        } else {
            last = entry;
        }
    }
}

const char *sweep_grid_group_section(struct grid *grid, const char *key)
{
    const char *dot = strchr(key, '.');

    return dot ? cs_arena_printf(&grid->arena, "group %.*s", (int) (dot - key), key) : NULL;
}

/* NAME of a section [group NAME]; NULL for another. */
static const char *group_of(const struct grid_section *section)
{
    return section->place == GRID_SETTINGS && strncmp(section->name, "group ", 6) == 0
               ? section->name + 6
               : NULL;
}

/* Files. */

struct reading {
    struct grid *grid;
    int file, depth;
};

static int place_of(const struct reading *r, int line)
{
    return r->file * GRID_FILE_LINES + line;
}

static void take_bad_line(void *context, const struct cs_error *err)
{
    const struct reading *r = context;

    sweep_grid_fault(r->grid, place_of(r, err->line), "%s", err->detail);
}

static void include_files(const struct reading *from, const char *value, int line);

static void read_text(struct reading *r, const char *text, size_t size)
{
    struct grid *grid = r->grid;
    struct grid_section *section = NULL;
    struct cs_ini ini;

    cs_ini_parse_top(&ini, grid->files[r->file].path, text, size, take_bad_line, r, &grid->arena);
    for (size_t i = 0; i < ini.count; i++) { /* what is included goes first */
        const struct cs_ini_entry *entry = &ini.entries[i];
        if (entry->key && strcmp(entry->key, "include") == 0 &&
            (!*entry->section || strcmp(entry->section, "sweep") == 0))
            include_files(r, entry->value, place_of(r, entry->line));
    }
    grid->files[r->file].rank = grid->ranks++;
    for (size_t i = 0; i < ini.count; i++) {
        const struct cs_ini_entry *entry = &ini.entries[i];
        const int line = place_of(r, entry->line);
        if (!entry->key) {
            section = open_section(grid, entry->section, line);
        } else if (strcmp(entry->key, "include") == 0) {
            if (*entry->section && strcmp(entry->section, "sweep") != 0)
                sweep_grid_fault(
                    grid, line,
                    "include: belongs to [sweep], or before the first section, not to [%.80s]",
                    entry->section);
        } else if (!section) {
            sweep_grid_fault(grid, line, "%.80s: key before the first [section]", entry->key);
        } else {
            const char *group = group_of(section);
            sweep_grid_entry_add(grid, section,
                                 group ? cs_arena_printf(&grid->arena, "%s.%s", group, entry->key)
                                       : entry->key,
                                 entry->value, line);
        }
    }
}

/* The file's path, as seen from here: relative to the folder of the one that includes it. */
static const char *join(struct grid *grid, const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');

    if (!slash || *path == '/')
        return path;
    return cs_arena_printf(&grid->arena, "%.*s/%s", (int) (slash - from), from, path);
}

/* "x.ini -> a.ini -> x.ini" when the file is among those that are being read, else NULL. */
static const char *find_cycle(struct grid *grid, int from, const char *path, const struct stat *st)
{
    const char *chain = path;

    for (int i = from; i >= 0; i = grid->files[i].parent) {
        const struct grid_file *file = &grid->files[i];
        chain = cs_arena_printf(&grid->arena, "%s -> %s", file->path, chain);
        if (file->device == (uint64_t) st->st_dev && file->inode == (uint64_t) st->st_ino)
            return chain;
    }
    return NULL;
}

static void include_file(const struct reading *from, const char *word, int line)
{
    struct grid *grid = from->grid;
    struct reading r = {grid, grid->file_count, from->depth + 1};
    const char *path = join(grid, grid->files[from->file].path, word), *cycle;
    struct cs_buf text = {0};
    struct cs_error err;
    struct stat st;

    if (stat(path, &st) < 0) {
        sweep_grid_fault(grid, line, "include = %.120s: cannot open %.200s: %s", word, path,
                         strerror(errno));
    } else if ((cycle = find_cycle(grid, from->file, path, &st)) != NULL) {
        sweep_grid_fault(grid, line, "include = %.120s: files in a circle: %.600s", word, cycle);
    } else if (r.depth > GRID_MAX_INCLUDES) {
        sweep_grid_fault(grid, line, "include = %.120s: more than %d files deep", word,
                         GRID_MAX_INCLUDES);
    } else if (grid->file_count == GRID_MAX_FILES) {
        sweep_grid_fault(grid, line, "include = %.120s: more than %d files", word, GRID_MAX_FILES);
    } else {
        const int rc = cs_read_regular_file(&text, path, CS_INI_MAX_BYTES - grid->bytes, &err);
        if (rc == CS_ERANGE)
            sweep_grid_fault(grid, line, "include = %.120s: over 1 MB with all files", word);
        else if (rc < 0)
            sweep_grid_fault(grid, line, "include = %.120s: %.400s", word, err.detail);
        grid->bytes += text.size;
        grid->files[grid->file_count++] = (struct grid_file){.path = path,
                                                             .parent = from->file,
                                                             .device = (uint64_t) st.st_dev,
                                                             .inode = (uint64_t) st.st_ino};
        if (rc == 0)
            read_text(&r, text.data, text.size);
        cs_buf_clear(&text);
    }
}

static void include_files(const struct reading *from, const char *value, int line)
{
    const char *note, *files = sweep_grid_env(from->grid, "include", value, line, &note);
    char *list = files ? cs_arena_strdup(&from->grid->arena, files) : NULL;

    for (char *word = strsep(&list, ","); word; word = strsep(&list, ",")) {
        word = cs_trim(word);
        if (*word)
            include_file(from, word, line);
        else
            sweep_grid_fault(from->grid, line, "include = %.120s: expected files, parted by commas",
                             value);
    }
}

int sweep_grid_read_files(struct grid *grid, const char *path)
{
    struct reading r = {grid, 0, 0};
    struct cs_buf text = {0};
    struct cs_error err;
    struct stat st = {0};

    grid->path = path;
    grid->files[grid->file_count++] = (struct grid_file){.path = path, .parent = -1};
    grid->skipped = sweep_grid_section_add(grid, GRID_SKIPPED, "", 0);
    if (stat(path, &st) == 0) {
        grid->files[0].device = (uint64_t) st.st_dev;
        grid->files[0].inode = (uint64_t) st.st_ino;
    }
    const int rc = cs_read_file(&text, path, CS_INI_MAX_BYTES, &err);
    grid->bytes = text.size;
    if (rc == CS_ERANGE)
        sweep_grid_fault(grid, 0, "file over 1 MB");
    else if (rc < 0)
        sweep_grid_fault(grid, 0, "%s",
                         strlen(err.detail) > strlen(path) + 2 ? err.detail + strlen(path) + 2
                                                               : err.detail);
    else
        read_text(&r, text.data, text.size);
    cs_buf_clear(&text);
    settle_repeats(grid);
    settle_seeds(grid);
    return rc < 0 && rc != CS_ERANGE ? CS_EIO : 0;
}
