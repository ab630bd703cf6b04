/*
 * batch.c - batch files to the points of a grid, and plans to batch files.
 *
 * A column is a definition of its key whose alternatives are the column's different fields, so that a point is a code
 * per key as in any grid. Definitions stand in "file" COLUMN_PLACE, one "line" each: what is found wrong with a row
 * says by that which setting it is about, and gets the row's line afterwards (sweep_batch_relocate).
 */
#include "sweep/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_table.h"
#include "sweep/grid_impl.h"
#include "sweep/plan.h"

enum { COLUMN_PLACE = GRID_FILE_LINES }; /* file 1 */

static const char sweep_mark[] = SWEEP_LINE;

enum what { SETTING, SEED, ID, IGNORED };

struct column {
    const char *name;
    enum what what;
    struct cs_table seen; /* fields: number is the code, from 1 */
    struct cs_buf texts;  /* those with ${name}s, one after another */
    struct field {
        const char *text;
        int line; /* the first that has it */
        bool bad; /* cannot be a value; told */
    } * fields;
    size_t count, capacity;
    struct grid_def *def;
    uint32_t *codes; /* of fields, as alternatives; 0: none */
};

struct reader {
    struct grid *grid;
    struct sweep_batch *batch;
    char *at; /* what is left of the text; fields are ended in place */
    int line; /* of at */
    char **fields;
    size_t field_count, field_capacity;
    struct column *columns;
    size_t column_count;
    uint32_t *cells; /* [rows][columns]: codes of fields, 0: empty */
    size_t row_count, row_capacity;
};

/* ---- records ---- */

static void add_field(struct reader *r, char *text)
{
    if (r->field_count == r->field_capacity) {
        r->field_capacity = r->field_capacity ? 2 * r->field_capacity : 32;
        r->fields = cs_xrealloc(r->fields, r->field_capacity * sizeof *r->fields);
    }
    r->fields[r->field_count++] = text;
}

static const char *column_name(const struct reader *r, size_t column)
{
    return cs_arena_printf(&r->grid->arena, "column %zu%s%.80s", column + 1,
                           column < r->column_count ? ", " : "",
                           column < r->column_count ? r->columns[column].name : "");
}

/* The field at r->at without its quotes; NULL with a fault. r->at moves to the comma or line end behind it. */
static char *read_quoted(struct reader *r)
{
    const int line = r->line;
    char *start = ++r->at, *to = start;

    for (; *r->at && (*r->at != '"' || r->at[1] == '"'); r->at++) {
        r->line += *r->at == '\n';
        r->at += *r->at == '"';
        *to++ = *r->at;
    }
    if (!*r->at) {
        sweep_grid_fault(r->grid, line, "%s: a quote without its end",
                         column_name(r, r->field_count));
        return NULL;
    }
    r->at++;
    const size_t size = (size_t) (to - start);
    if (!strchr(",\r\n", *r->at)) {
        sweep_grid_fault(r->grid, line,
                         "%s: expected a comma or the line's end behind the quote; a quote inside "
                         "a field is written twice",
                         column_name(r, r->field_count));
        return NULL;
    }
    start[size] = '\0'; /* at the quote's place, at the latest */
    return start;
}

/* The next record into r->fields; false at the end, or with a fault. *line: its first. */
static bool read_record(struct reader *r, int *line)
{
    r->field_count = 0;
    *line = r->line;
    for (;;) {
        char *text = r->at;
        if (*text == '"') {
            text = read_quoted(r);
            if (!text)
                return false;
        } else {
            r->at += strcspn(text, ",\r\n");
        }
        const char end = *r->at;
        *r->at = '\0';
        add_field(r, text);
        if (end == ',') {
            r->at++;
            continue;
        }
        r->at += end == '\r' || end == '\n';
        if (end == '\r' && *r->at == '\n')
            r->at++;
        r->line += end != '\0';
        return true;
    }
}

/* Pass over empty lines and comments; false: nothing follows. */
static bool skip_lines(struct reader *r, void (*comment)(struct reader *r, char *text))
{
    for (;;) {
        const size_t blank = strspn(r->at, " \t\r");
        if (r->at[blank] && r->at[blank] != '\n' && *r->at != '#')
            return true;
        char *end = strchr(r->at, '\n');
        if (*r->at == '#' && comment) {
            if (end)
                *end = '\0';
            comment(r, r->at);
        }
        if (!end)
            return false;
        r->at = end + 1;
        r->line++;
    }
}

/* ---- before the rows ---- */

static struct grid_section *sweep_section(struct grid *grid)
{
    for (size_t i = 0; i < grid->section_count; i++) {
        if (grid->sections[i]->place == GRID_SWEEP)
            return grid->sections[i];
    }
    return sweep_grid_section_add(grid, GRID_SWEEP, "sweep", 0);
}

static void read_comment(struct reader *r, char *text)
{
    struct grid *grid = r->grid;

    if (strncmp(text, SWEEP_VARIABLES, strlen(SWEEP_VARIABLES)) == 0)
        grid->variables = cs_arena_strdup(&grid->arena, text + strlen(SWEEP_VARIABLES));
    if (strncmp(text, sweep_mark, strlen(sweep_mark)) != 0)
        return;
    char *key = cs_arena_strdup(&grid->arena, text + strlen(sweep_mark));
    char *equals = strchr(key, '=');
    if (!equals) {
        sweep_grid_fault(grid, r->line, "%.80s: expected %sKEY = VALUE", cs_trim(key), sweep_mark);
        return;
    }
    *equals = '\0';
    struct grid_section *section = sweep_section(grid);
    const struct grid_entry entry = {.section = section,
                                     .key = cs_trim(key),
                                     .value = cs_trim(equals + 1),
                                     .line = r->line,
                                     .value_line = r->line};
    if (sweep_grid_sweep_entry(grid, entry.key))
        sweep_grid_fault(grid, r->line, "%.80s: given twice", entry.key);
    else if (strcmp(entry.key, "include") == 0)
        sweep_grid_fault(grid, r->line, "include: a batch file includes no others");
    else if (!sweep_grid_can_be_written(grid, entry.value))
        sweep_grid_fault(grid, r->line, "%.80s: comment signs, control bytes or invalid UTF-8",
                         entry.key);
    else if (sweep_grid_check_place(grid, &entry))
        sweep_grid_entry_add(grid, section, entry.key, entry.value, r->line);
}

static enum what what_of(const char *name)
{
    if (strcmp(name, "seed") == 0)
        return SEED;
    if (strcmp(name, "id") == 0)
        return ID;
    return strcmp(name, "number") == 0 || strcmp(name, "name") == 0 ? IGNORED : SETTING;
}

static bool read_header(struct reader *r)
{
    struct grid *grid = r->grid;
    int line;

    if (!skip_lines(r, read_comment)) {
        sweep_grid_fault(grid, 0, "no line that names the columns");
        return false;
    }
    if (!read_record(r, &line))
        return false;
    if (r->field_count > BATCH_COLUMNS) {
        sweep_grid_fault(grid, line, "more than %d columns", BATCH_COLUMNS);
        return false;
    }
    const size_t before = grid->faults.count;
    r->columns = cs_xcalloc(r->field_count, sizeof *r->columns);
    for (size_t i = 0; i < r->field_count; i++) {
        const char *name = cs_arena_strdup(&grid->arena, cs_trim(r->fields[i]));
        r->columns[i] = (struct column){.name = name, .what = what_of(name)};
        r->batch->has_seeds = r->batch->has_seeds || r->columns[i].what == SEED;
        if (!*name)
            sweep_grid_fault(grid, line, "column %zu has no name", i + 1);
        for (size_t k = 0; k < i && *name; k++) {
            if (strcmp(r->columns[k].name, name) == 0)
                sweep_grid_fault(grid, line, "%.80s: columns %zu and %zu", name, k + 1, i + 1);
        }
        if (sweep_grid_sweep_key(name) && r->columns[i].what == SETTING)
            sweep_grid_fault(grid, line,
                             "%s: of the sweep, not of a trial; expected a line %s%s = "
                             "VALUE",
                             name, sweep_mark, name);
    }
    r->column_count = r->field_count;
    return grid->faults.count == before;
}

/* ---- rows ---- */

static void take_seed(struct reader *r, struct sweep_batch_row *row, const char *text)
{
    errno = 0;
    row->seed = strtoull(text, NULL, 10);
    if (!*text || text[strspn(text, "0123456789")] || errno || row->seed > 9007199254740992u)
        sweep_grid_fault(r->grid, row->line,
                         "seed = %.80s: must be a whole number in [0, 9007199254740992]", text);
}

/* The number of the column's field, from 1. */
static uint32_t find_code(struct reader *r, struct column *c, const char *text, int line)
{
    struct cs_table_slot *slot = cs_table_add(&c->seen, text);

    if (slot->text)
        return (uint32_t) slot->number;
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 8;
        c->fields = cs_xrealloc(c->fields, c->capacity * sizeof *c->fields);
    }
    slot->text = text; /* in the file's text */
    slot->number = c->count + 1;
    const bool good = sweep_grid_can_be_written(r->grid, text);
    c->fields[c->count++] = (struct field){text, line, !good};
    if (good && sweep_grid_is_formula(text)) {
        cs_buf_adds(&c->texts, text);
        cs_buf_adds(&c->texts, " ");
    }
    if (!good)
        sweep_grid_fault(r->grid, line,
                         "%.80s: comment signs, line ends, control bytes or invalid UTF-8",
                         c->name);
    return (uint32_t) c->count;
}

static void add_row(struct reader *r, int line)
{
    if (r->row_count == r->row_capacity) {
        r->row_capacity = r->row_capacity ? 2 * r->row_capacity : 64;
        r->cells = cs_xrealloc(r->cells, r->row_capacity * r->column_count * sizeof *r->cells);
        r->batch->rows = cs_xrealloc(r->batch->rows, r->row_capacity * sizeof *r->batch->rows);
    }
    struct sweep_batch_row *row = &r->batch->rows[r->row_count];
    uint32_t *cells = r->cells + r->row_count++ * r->column_count;
    *row = (struct sweep_batch_row){.line = line};
    for (size_t i = 0; i < r->column_count; i++) {
        struct column *c = &r->columns[i];
        const char *text = cs_trim(r->fields[i]);
        cells[i] = c->what == SETTING && *text ? find_code(r, c, text, line) : 0;
        if (c->what == SEED)
            take_seed(r, row, text);
        else if (c->what == ID && *text)
            row->id = text;
    }
}

static void read_rows(struct reader *r)
{
    struct grid *grid = r->grid;
    int line;

    while (skip_lines(r, NULL) && grid->faults.count < GRID_MAX_FAULTS) {
        if (!read_record(r, &line))
            return;
        if (r->field_count != r->column_count) {
            sweep_grid_fault(grid, line, "%zu field%s; there are %zu columns", r->field_count,
                             r->field_count == 1 ? "" : "s", r->column_count);
        } else if (r->row_count == GRID_MAX_POINTS) {
            sweep_grid_fault(grid, line, "more than %d trials", GRID_MAX_POINTS);
            return;
        } else {
            add_row(r, line);
        }
    }
    if (r->row_count == 0 && grid->faults.count == 0)
        sweep_grid_fault(grid, 0, "no trials behind the line that names the columns");
}

/* ---- to the grid ---- */

static bool is_good(struct grid *grid, const struct grid_entry *entry)
{
    if (train_key_find(entry->key, NULL) || sweep_grid_is_own(grid, entry->key))
        return true;
    sweep_grid_report_unknown(grid, entry);
    return false;
}

/* Alternatives that are equal, such as 1e-3 and 0.001, have one code. */
static void define_column(struct reader *r, struct column *c, const struct grid_entry *entry)
{
    struct grid *grid = r->grid;
    struct grid_key *key = sweep_grid_key_get(grid, entry->key);
    struct grid_def *def = cs_arena_alloc(&grid->arena, sizeof *def);
    struct cs_table known = {0};

    *def = (struct grid_def){.entry = entry, .first = 1};
    def->values = cs_arena_alloc(&grid->arena, c->count * sizeof *def->values);
    c->codes = cs_xcalloc(c->count + 1, sizeof *c->codes);
    for (size_t i = 0; i < c->count; i++) {
        struct grid_value value;
        if (c->fields[i].bad ||
            !sweep_grid_value_one(&value, grid, key, c->fields[i].text, c->fields[i].line)) {
            key->broken = true;
            continue;
        }
        struct cs_table_slot *slot = cs_table_add(&known, value.text);
        if (!slot->text) {
            slot->text = value.text;
            slot->number = def->count + 1;
            def->values[def->count++] = value;
        }
        c->codes[i] = (uint32_t) slot->number;
    }
    key->defs = c->def = def;
    key->def_count = 1;
    cs_table_clear(&known);
}

/* A word of the command line is the value of every row. */
static void define_constant(struct reader *r, const struct grid_entry *entry)
{
    struct grid *grid = r->grid;
    struct grid_key *key = sweep_grid_key_get(grid, entry->key);
    struct grid_def *def = cs_arena_alloc(&grid->arena, sizeof *def);

    def->values = cs_arena_alloc(&grid->arena, sizeof *def->values);
    *def = (struct grid_def){.entry = entry, .values = def->values, .count = 1, .first = 1};
    if (!sweep_grid_value_one(def->values, grid, key, entry->value, entry->value_line))
        key->broken = true;
    key->defs = def;
    key->def_count = 1;
}

static struct column *find_column(struct reader *r, const char *key)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (r->columns[i].what == SETTING && strcmp(r->columns[i].name, key) == 0)
            return &r->columns[i];
    }
    return NULL;
}

static void define_keys(struct reader *r)
{
    struct grid *grid = r->grid;

    for (size_t i = 0; i < grid->entry_count; i++) {
        const struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place != GRID_SETTINGS || !is_good(grid, entry))
            continue;
        if (entry->value_line >= GRID_COMMAND_LINE)
            define_constant(r, entry);
        else
            define_column(r, find_column(r, entry->key), entry);
    }
}

static void fill_points(struct reader *r)
{
    struct grid *grid = r->grid;
    const size_t width = grid->key_count;

    if (r->row_count * width > GRID_MAX_CELLS) {
        sweep_grid_fault(grid, 0, "more than %d fields", GRID_MAX_CELLS);
        return;
    }
    grid->points = cs_xcalloc(r->row_count * width + 1, sizeof *grid->points);
    grid->point_count = r->row_count;
    for (size_t k = 0; k < width; k++) {
        const struct grid_key *key = grid->keys[k];
        struct column *c = find_column(r, key->name);
        for (size_t p = 0; p < r->row_count && key->def_count; p++) {
            const uint32_t cell = c ? r->cells[p * r->column_count + (size_t) (c - r->columns)] : 0;
            grid->points[p * width + k] = !c || c->def != key->defs ? 1
                                          : cell                    ? c->codes[cell - 1]
                                                                    : 0;
        }
    }
}

/* Columns become entries before the command line is read, which may replace them. */
static void add_entries(struct reader *r, int line)
{
    struct grid *grid = r->grid;
    struct grid_section *section = sweep_grid_section_add(grid, GRID_SETTINGS, "", line);

    for (size_t i = 0; i < r->column_count; i++) {
        const struct column *c = &r->columns[i];
        if (c->what == SETTING)
            sweep_grid_entry_add(grid, section, c->name,
                                 cs_arena_strdup(&grid->arena, c->texts.data ? c->texts.data : ""),
                                 line);
    }
}

static void place_columns(struct grid *grid)
{
    int number = 1;

    for (size_t i = 0; i < grid->entry_count; i++) {
        struct grid_entry *entry = &grid->entries[i];
        if (entry->section->place == GRID_SETTINGS && entry->value_line < GRID_COMMAND_LINE)
            entry->value_line = COLUMN_PLACE + number++;
    }
}

static void read_all(struct reader *r, const struct sweep_plan_input *input)
{
    struct grid *grid = r->grid;

    if (!read_header(r))
        return;
    const int header = r->line - 1;
    read_rows(r);
    if (grid->faults.count == GRID_MAX_FAULTS)
        return;
    add_entries(r, header);
    sweep_grid_open(grid, input);
    place_columns(grid);
    define_keys(r);
    sweep_grid_close(grid);
    fill_points(r);
    for (size_t p = 0; p < r->row_count && grid->overridden_count; p++)
        r->batch->rows[p].id = NULL;
}

static void free_reader(struct reader *r)
{
    for (size_t i = 0; i < r->column_count; i++) {
        cs_table_clear(&r->columns[i].seen);
        cs_buf_clear(&r->columns[i].texts);
        free(r->columns[i].fields);
        free(r->columns[i].codes);
    }
    free(r->columns);
    free(r->fields);
    free(r->cells);
}

int sweep_batch_read(struct sweep_batch *batch, struct grid *grid,
                     const struct sweep_plan_input *input)
{
    struct reader r = {.grid = grid, .batch = batch, .line = 1};
    struct cs_buf text = {0};
    struct cs_error err;
    const int rc = cs_read_file(&text, input->path, BATCH_BYTES, &err);

    *batch = (struct sweep_batch){0};
    grid->path = input->path;
    grid->files[grid->file_count++] = (struct grid_file){.path = input->path, .parent = -1};
    grid->skipped = sweep_grid_section_add(grid, GRID_SKIPPED, "", 0);
    if (rc == CS_ERANGE) {
        sweep_grid_fault(grid, 0, "file over %d MB", BATCH_BYTES >> 20);
    } else if (rc < 0) {
        sweep_grid_fault(grid, 0, "%s",
                         strlen(err.detail) > strlen(input->path) + 2
                             ? err.detail + strlen(input->path) + 2
                             : err.detail);
    } else if (strlen(text.data) != text.size) {
        sweep_grid_fault(grid, 0, "a byte 0 in the file; expected text");
    } else {
        batch->text = text.data;
        r.at = text.data + (memcmp(text.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
        text = (struct cs_buf){0};
        read_all(&r, input);
    }
    grid->stopped = grid->point_count == 0;
    sweep_grid_order(grid);
    free_reader(&r);
    cs_buf_clear(&text);
    return rc < 0 && rc != CS_ERANGE ? CS_EIO : 0;
}

void sweep_batch_clear(struct sweep_batch *batch)
{
    free(batch->rows);
    free(batch->text);
    *batch = (struct sweep_batch){0};
}

static void relocate(struct grid_faults *list, size_t from, int line)
{
    for (size_t i = from; i < list->count; i++) {
        if (list->items[i].line > COLUMN_PLACE && list->items[i].line < 2 * COLUMN_PLACE)
            list->items[i].line = line;
    }
}

void sweep_batch_relocate(struct grid *grid, int line, size_t faults, size_t warnings)
{
    relocate(&grid->faults, faults, line);
    relocate(&grid->warnings, warnings, line);
}

bool sweep_batch_is(const char *path)
{
    const size_t size = strlen(path);
    char begin[sizeof sweep_mark] = "";

    if (size > 4 && strcmp(path + size - 4, ".csv") == 0)
        return true;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    const size_t got = fread(begin, 1, strlen(sweep_mark), file);
    fclose(file);
    return got == strlen(sweep_mark) && strcmp(begin, sweep_mark) == 0;
}
