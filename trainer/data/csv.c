/*
 * csv.c - the user's own tables: `csv [target=NAME] [classes|values]`, with train.csv and, if there, val.csv in `path`.
 *
 * The first line names the columns; one is the target (NAME, else the last), all others are numbers, read as double and
 * rounded to float. A target column of words, or of whole numbers alone, holds classes: the different values of train.csv in their order (numbers by
 * value, else by their bytes), so 1 2 3 are classes 0 1 2. Numbers otherwise are values. `classes` or `values` says so where
 * that guess is wrong.
 *
 * Refused, with file, line and column: what csv_file.h refuses, a missing value, a word among numbers, a class that
 * only val.csv has, other columns in val.csv, a first line of numbers.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "trainer/data/csv_file.h"
#include "trainer/data/data.h"

enum { MOST_CLASSES = 100000 };

enum meaning { GUESS, CLASSES, VALUES };

struct csv_args {
    char target[128]; /* "": the last column */
    enum meaning meaning;
};

/* One file, read: targets always, the other columns where values is wanted. */
struct table {
    char *path;
    struct train_csv file;
    int target; /* column */
    size_t rows;
    double *numbers; /* [rows] of the target, NaN where it is no number */
    char **words;    /* [rows] of the target, as written; NULL while all are numbers */
    float *values;   /* [rows x (columns - 1)], or NULL */
};

static void close_table(struct table *t)
{
    for (size_t i = 0; t->words && i < t->rows; i++)
        free(t->words[i]);
    free(t->words);
    free(t->numbers);
    free(t->values);
    train_csv_close(&t->file);
    free(t->path);
    *t = (struct table){NULL};
}

static int parse_args(struct csv_args *out, const char *args, struct cs_error *err)
{
    *out = (struct csv_args){.meaning = GUESS};
    while (*args) {
        const size_t size = strcspn(args, " ");
        if (strncmp(args, "target=", 7) == 0 && size > 7 && size - 7 < sizeof out->target)
            snprintf(out->target, sizeof out->target, "%.*s", (int) size - 7, args + 7);
        else if (size == 7 && strncmp(args, "classes", 7) == 0)
            out->meaning = CLASSES;
        else if (size == 6 && strncmp(args, "values", 6) == 0)
            out->meaning = VALUES;
        else
            return cs_fail(err, CS_EPARSE,
                           "%.*s: expected target=NAME, classes or values after csv", (int) size,
                           args);
        args += size + (args[size] == ' ');
    }
    return 0;
}

static bool is_name(const struct train_csv_field *field, const char *name)
{
    char *text = train_csv_text(field);
    const bool same = strcmp(text, name) == 0;

    free(text);
    return same;
}

/* The first line: which column is the target. */
static int read_names(struct table *t, const struct csv_args *args, struct cs_error *err)
{
    const struct train_csv *file = &t->file;
    bool numbers = true;
    double number;

    const int rc = train_csv_row(&t->file, err);
    if (rc <= 0)
        return rc < 0 ? rc : cs_fail(err, CS_ECORRUPT, "%s: no line of names", t->path);
    for (int c = 0; c < file->columns; c++)
        numbers = numbers && train_csv_number(&number, &file->fields[c]);
    if (numbers)
        return cs_fail(err, CS_ECORRUPT, "%s:%d: numbers; expected the names of the columns",
                       t->path, file->line);
    if (file->columns < 2)
        return cs_fail(err, CS_ECORRUPT, "%s:%d: one column; expected numbers and a target",
                       t->path, file->line);
    t->target = file->columns - 1;
    for (int c = 0; *args->target && c < file->columns; c++) {
        if (is_name(&file->fields[c], args->target)) {
            t->target = c;
            return 0;
        }
    }
    if (*args->target)
        return cs_fail(err, CS_ENONAME, "%s:%d: no column %s for target=%s", t->path, file->line,
                       args->target, args->target);
    return 0;
}

static int bad_field(const struct table *t, int column, const char *expected, struct cs_error *err)
{
    const struct train_csv_field *field = &t->file.fields[column];

    if (field->size == 0)
        return cs_fail(err, CS_ECORRUPT, "%s:%d: column %d: no value; expected %s", t->path,
                       t->file.line, column + 1, expected);
    return cs_fail(err, CS_ECORRUPT, "%s:%d: column %d: %.*s; expected %s", t->path, t->file.line,
                   column + 1, field->size > 60 ? 60 : (int) field->size, field->text, expected);
}

/* Keep the target's text; from the first word on, of all rows. */
static int take_target(struct table *t, size_t most, struct cs_error *err)
{
    const struct train_csv_field *field = &t->file.fields[t->target];
    double number;

    if (field->size == 0)
        return bad_field(t, t->target, "a target", err);
    const bool is_number = train_csv_number(&number, field);
    if (!is_number && !t->words) {
        t->words = cs_xcalloc(most, sizeof *t->words);
        for (size_t i = 0; i < t->rows; i++) {
            char text[CS_DOUBLE_MAX];
            t->words[i] = cs_xstrdup(cs_format_double(text, t->numbers[i]));
        }
    }
    t->numbers[t->rows] = is_number ? number : NAN;
    if (t->words)
        t->words[t->rows] = train_csv_text(field);
    return 0;
}

static int take_row(struct table *t, size_t most, struct cs_error *err)
{
    const int features = t->file.columns - 1;
    float *out = t->values ? t->values + t->rows * (size_t) features : NULL;

    for (int c = 0; c < t->file.columns; c++) {
        double number;
        if (c == t->target)
            continue;
        if (!train_csv_number(&number, &t->file.fields[c]))
            return bad_field(t, c, "a number", err);
        if (!isfinite((float) number))
            return bad_field(t, c, "a number in the range of float", err);
        if (out)
            *out++ = (float) number;
    }
    return take_target(t, most, err);
}

static int read_rows(struct table *t, bool values, struct cs_error *err)
{
    const size_t most = train_csv_most_rows(&t->file), features = (size_t) t->file.columns - 1;
    int rc;

    t->numbers = cs_xcalloc(most, sizeof *t->numbers);
    if (values) {
        t->values = cs_alloc_aligned(most * features, sizeof *t->values);
        if (!t->values)
            return cs_fail(err, CS_ENOMEM, "no memory for %s", t->path);
    }
    while ((rc = train_csv_row(&t->file, err)) > 0) {
        CS_TRY(take_row(t, most, err));
        t->rows++;
    }
    if (rc == 0 && t->rows == 0)
        return cs_fail(err, CS_ECORRUPT, "%s: no rows", t->path);
    return rc;
}

static int read_table(struct table *out, const char *folder, const char *name,
                      const struct csv_args *args, bool values, struct cs_error *err)
{
    out->path = cs_xasprintf("%s/%s", *folder ? folder : ".", name);
    CS_TRY(train_csv_open(&out->file, out->path, err));
    CS_TRY(read_names(out, args, err));
    return read_rows(out, values, err);
}

static bool has_val(const char *folder)
{
    char *path = cs_xasprintf("%s/val.csv", *folder ? folder : ".");
    const bool there = access(path, F_OK) == 0;

    free(path);
    return there;
}

/* train.csv, and val.csv or an empty table. */
static int read_both(struct table tables[2], const char *folder, const struct csv_args *args,
                     bool values, struct cs_error *err)
{
    CS_TRY(read_table(&tables[0], folder, "train.csv", args, values, err));
    if (!has_val(folder))
        return 0;
    CS_TRY(read_table(&tables[1], folder, "val.csv", args, values, err));
    if (tables[1].file.columns != tables[0].file.columns || tables[1].target != tables[0].target)
        return cs_fail(err, CS_ECORRUPT, "%s: not the columns of %s", tables[1].path,
                       tables[0].path);
    return 0;
}

/* ---- what the target means ---- */

/* The classes, in order: numbers, or words where there is one. */
struct classes {
    bool by_word;
    double *numbers;
    const char **words; /* borrowed of the table */
    size_t count;
};

static void clear_classes(struct classes *c)
{
    free(c->numbers);
    free(c->words);
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void find_classes(struct classes *out, const struct table *train)
{
    const size_t n = train->rows;
    size_t kept = 0;

    *out = (struct classes){.by_word = train->words != NULL};
    if (out->by_word) {
        out->words = cs_xcalloc(n, sizeof *out->words);
        memcpy(out->words, train->words, n * sizeof *out->words);
        qsort(out->words, n, sizeof *out->words, compare_words);
        for (size_t i = 0; i < n; i++) {
            if (i == 0 || strcmp(out->words[i], out->words[kept - 1]) != 0)
                out->words[kept++] = out->words[i];
        }
    } else {
        out->numbers = cs_xcalloc(n, sizeof *out->numbers);
        memcpy(out->numbers, train->numbers, n * sizeof *out->numbers);
        qsort(out->numbers, n, sizeof *out->numbers, compare_numbers);
        for (size_t i = 0; i < n; i++) {
            if (i == 0 || out->numbers[i] > out->numbers[kept - 1])
                out->numbers[kept++] = out->numbers[i];
        }
    }
    out->count = kept;
}

/* The class of row i, -1: none. */
static int class_of(const struct classes *c, const struct table *t, size_t i)
{
    char text[CS_DOUBLE_MAX];

    if (!c->by_word) {
        const double *found = isnan(t->numbers[i]) ? NULL
                                                   : bsearch(&t->numbers[i], c->numbers, c->count,
                                                             sizeof *c->numbers, compare_numbers);
        return found ? (int) (found - c->numbers) : -1;
    }
    const char *word = t->words ? t->words[i] : cs_format_double(text, t->numbers[i]);
    const char **found = bsearch(&word, c->words, c->count, sizeof *c->words, compare_words);
    return found ? (int) (found - c->words) : -1;
}

static bool all_whole(const struct table *t)
{
    for (size_t i = 0; i < t->rows; i++) {
        if (t->numbers[i] != floor(t->numbers[i]))
            return false;
    }
    return true;
}

/* Settle *meaning by the training rows, and count the classes. */
static int settle(struct classes *classes, enum meaning *meaning, const struct table tables[2],
                  struct cs_error *err)
{
    const struct table *train = &tables[0];

    if (*meaning == GUESS)
        *meaning = train->words || all_whole(train) ? CLASSES : VALUES;
    for (int i = 0; i < 2 && *meaning == VALUES; i++) {
        for (size_t r = 0; tables[i].words && r < tables[i].rows; r++) {
            if (isnan(tables[i].numbers[r]))
                return cs_fail(err, CS_ECORRUPT, "%s: row %zu: target %.60s; expected a number",
                               tables[i].path, r + 1, tables[i].words[r]);
        }
    }
    if (*meaning == VALUES)
        return 0;
    find_classes(classes, train);
    if (classes->count < 2 || classes->count > MOST_CLASSES)
        return cs_fail(err, CS_ERANGE,
                       "%s: %zu different targets; expected 2 to %d classes, or numbers and "
                       "`csv values`",
                       train->path, classes->count, MOST_CLASSES);
    for (size_t r = 0; r < tables[1].rows; r++) {
        char text[CS_DOUBLE_MAX];
        if (class_of(classes, &tables[1], r) < 0)
            return cs_fail(err, CS_ECORRUPT, "%s: row %zu: class %.60s, which %s does not have",
                           tables[1].path, r + 1,
                           tables[1].words ? tables[1].words[r]
                                           : cs_format_double(text, tables[1].numbers[r]),
                           train->path);
    }
    return 0;
}

/* ---- the kind ---- */

static int read_set(struct table tables[2], struct classes *classes, struct csv_args *args,
                    const char *words, const char *path, bool values, struct cs_error *err)
{
    CS_TRY(parse_args(args, words, err));
    CS_TRY(read_both(tables, path, args, values, err));
    return settle(classes, &args->meaning, tables, err);
}

static struct train_data_info info_of(const struct table tables[2], const struct classes *classes,
                                      const struct csv_args *args)
{
    return (struct train_data_info){
        .shape = {.ndim = 1, .dim = {tables[0].file.columns - 1}},
        .targets = args->meaning == VALUES ? KERN_VALUES : KERN_CLASSES,
        .width = args->meaning == VALUES ? 1 : (int) classes->count,
        .train_count = (int64_t) tables[0].rows,
        .test_count = (int64_t) tables[1].rows,
    };
}

static int describe(struct train_data_info *out, const struct train_data_source *from,
                    struct cs_error *err)
{
    struct table tables[2] = {{NULL}, {NULL}};
    struct classes classes = {.by_word = false};
    struct csv_args args;
    const int rc = read_set(tables, &classes, &args, from->args, from->path, false, err);

    if (rc == 0)
        *out = info_of(tables, &classes, &args);
    clear_classes(&classes);
    close_table(&tables[0]);
    close_table(&tables[1]);
    return rc;
}

static int check(const struct train_data_source *from, struct cs_error *err)
{
    char *train = cs_xasprintf("%s/train.csv", *from->path ? from->path : ".");
    const int rc = access(train, R_OK) == 0 ? 0 : cs_fail_errno(err, "%s: cannot open", train);

    free(train);
    return rc;
}

static void keep_side(struct train_data *data, struct train_side *side, struct table *t, int which,
                      const struct classes *classes, bool is_values)
{
    float *targets = is_values ? cs_xcalloc(t->rows, sizeof *targets) : NULL;
    int32_t *labels = is_values ? NULL : cs_xcalloc(t->rows, sizeof *labels);

    for (size_t i = 0; i < t->rows; i++) {
        if (is_values)
            targets[i] = (float) t->numbers[i];
        else
            labels[i] = class_of(classes, t, i);
    }
    *side = (struct train_side){.values = t->values, .labels = labels, .targets = targets};
    data->owned[4 * which] = t->values;
    data->owned[4 * which + 1] = is_values ? (void *) targets : (void *) labels;
    t->values = NULL;
}

static int load(struct train_data *data, const struct train_data_source *from,
                const struct train_data_info *info, struct cs_error *err)
{
    struct table tables[2] = {{NULL}, {NULL}};
    struct classes classes = {.by_word = false};
    struct csv_args args;
    int rc = read_set(tables, &classes, &args, from->args, from->path, true, err);

    if (rc == 0) {
        const struct train_data_info now = info_of(tables, &classes, &args);
        rc = train_data_unchanged(&now, info, from, err);
    }
    if (rc == 0)
        keep_side(data, &data->train, &tables[0], 0, &classes, args.meaning == VALUES);
    if (rc == 0 && tables[1].rows > 0)
        keep_side(data, &data->val, &tables[1], 1, &classes, args.meaning == VALUES);
    clear_classes(&classes);
    close_table(&tables[0]);
    close_table(&tables[1]);
    return rc;
}

const struct train_dataset_kind train_dataset_csv = {
    .name = "csv",
    .usage = "csv [target=NAME] [classes|values]",
    .help = "a table train.csv and, if there, val.csv in `path`: a line of names, numbers, and a "
            "target "
            "column (the last, or NAME) of classes or values",
    .describe = describe,
    .check = check,
    .load = load,
};
