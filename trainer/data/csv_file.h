/*
 * csv_file.h - rows of a CSV file. Private to trainer/data/.
 *
 * Format (RFC 4180, a subset): fields separated by commas, lines ended by LF or CRLF, the last one by the end too. A
 * field in double quotes may hold commas and doubled quotes, but no line break. Blanks around other fields do not count;
 * nor do empty lines, nor a byte order mark. Refused, with file and line: a quote that is not closed or is followed by
 * text, NUL bytes, a line of other length than the first.
 */
#ifndef TRAIN_DATA_CSV_FILE_H
#define TRAIN_DATA_CSV_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct cs_error;

struct train_csv_field {
    const char *text; /* into the file */
    size_t size;
    bool quoted; /* between its quotes; "" stands for one */
};

struct train_csv {
    const char *path, *at, *end;
    int line, columns;              /* of the row last read; of the first row, 0 before it */
    struct train_csv_field *fields; /* [columns] */
    void *map;
    size_t map_bytes;
};

/* path is borrowed. */
int train_csv_open(struct train_csv *out, const char *path, struct cs_error *err);
void train_csv_close(struct train_csv *csv); /* all zero is fine */

/* The next row into csv->fields: 1; 0 at the end; negative: a code. */
int train_csv_row(struct train_csv *csv, struct cs_error *err);

/* How many rows there are at most from here on. */
size_t train_csv_most_rows(const struct train_csv *csv);

/* The field as text that csv_file.h knows nothing of: malloc'ed, quotes undone. */
char *train_csv_text(const struct train_csv_field *field);

/* A decimal number, finite; false: the field is none. */
bool train_csv_number(double *out, const struct train_csv_field *field);

#endif
