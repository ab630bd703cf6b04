#include "trainer/data/csv_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"

enum { MOST_COLUMNS = 100000, MOST_LINES = 2000000000 };

int train_csv_open(struct train_csv *out, const char *path, struct cs_error *err)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    int rc = 0;

    *out = (struct train_csv){.path = path};
    if (file < 0)
        return cs_fail(err, errno == ENOENT ? CS_EUNAVAILABLE : CS_EIO, "%s: cannot open: %s", path,
                       strerror(errno));
    if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
        rc = cs_fail(err, CS_ECORRUPT, "%s: empty, or no file", path);
    void *start = rc == 0 ? mmap(NULL, (size_t) status.st_size, PROT_READ,
                                 MAP_PRIVATE | MAP_POPULATE, file, 0)
                          : MAP_FAILED;
    if (rc == 0 && start == MAP_FAILED)
        rc = cs_fail_errno(err, "%s: cannot map", path);
    close(file);
    if (rc < 0)
        return rc;
    out->map = start;
    out->map_bytes = (size_t) status.st_size;
    out->at = start;
    out->end = out->at + out->map_bytes;
    if (out->map_bytes >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0)
        out->at += 3;
    return 0;
}

void train_csv_close(struct train_csv *csv)
{
    if (csv->map)
        munmap(csv->map, csv->map_bytes);
    free(csv->fields);
    *csv = (struct train_csv){NULL};
}

size_t train_csv_most_rows(const struct train_csv *csv)
{
    size_t rows = 1;

    for (const char *p = csv->at; (p = memchr(p, '\n', (size_t) (csv->end - p))) != NULL; p++)
        rows++;
    return rows;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The line's next field; *p moves to the comma behind it, or to end. */
static const char *take_field(struct train_csv_field *out, const char **p, const char *end)
{
    const char *at = *p;

    while (at < end && is_blank(*at))
        at++;
    *out = (struct train_csv_field){.text = at};
    if (at < end && *at == '"') {
        const char *q = ++at;
        while (q < end && (*q != '"' || (q + 1 < end && q[1] == '"')))
            q += *q == '"' ? 2 : 1;
        *out = (struct train_csv_field){.text = at, .size = (size_t) (q - at), .quoted = true};
        if (q >= end)
            return "a quote that is not closed";
        for (q++; q < end && is_blank(*q);)
            q++;
        *p = q;
        return q == end || *q == ',' ? NULL : "text behind a closing quote";
    }
    const char *stop = at;
    while (stop < end && *stop != ',')
        stop++;
    *p = stop;
    while (stop > at && is_blank(stop[-1]))
        stop--;
    out->size = (size_t) (stop - at);
    return NULL;
}

/* The first row: as many fields as there are. */
static int count_fields(struct train_csv *csv, const char *at, const char *end,
                        struct cs_error *err)
{
    struct train_csv_field field;

    for (csv->columns = 1;; csv->columns++) {
        const char *fault = take_field(&field, &at, end);
        if (fault)
            return cs_fail(err, CS_ECORRUPT, "%s:%d: %s", csv->path, csv->line, fault);
        if (at == end)
            break;
        at++;
    }
    if (csv->columns > MOST_COLUMNS)
        return cs_fail(err, CS_ERANGE, "%s: %d columns; expected at most %d", csv->path,
                       csv->columns, MOST_COLUMNS);
    csv->fields = cs_xcalloc((size_t) csv->columns, sizeof *csv->fields);
    return 0;
}

static int split(struct train_csv *csv, const char *at, const char *end, struct cs_error *err)
{
    int count = 0;

    for (;;) {
        struct train_csv_field field;
        const char *fault = take_field(&field, &at, end);
        if (fault)
            return cs_fail(err, CS_ECORRUPT, "%s:%d: %s", csv->path, csv->line, fault);
        if (count < csv->columns)
            csv->fields[count] = field;
        count++;
        if (at == end)
            break;
        at++;
    }
    if (count != csv->columns)
        return cs_fail(err, CS_ECORRUPT, "%s:%d: %d fields; expected %d, as in the first line",
                       csv->path, csv->line, count, csv->columns);
    return 1;
}

int train_csv_row(struct train_csv *csv, struct cs_error *err)
{
    while (csv->at < csv->end) {
        const char *start = csv->at;
        const char *end = memchr(start, '\n', (size_t) (csv->end - start));
        csv->at = end ? end + 1 : csv->end;
        if (!end)
            end = csv->end;
        if (++csv->line == MOST_LINES)
            return cs_fail(err, CS_ERANGE, "%s: more than %d lines", csv->path, MOST_LINES);
        if (end > start && end[-1] == '\r')
            end--;
        const char *text = start;
        while (text < end && is_blank(*text))
            text++;
        if (text == end)
            continue;
        if (memchr(start, '\0', (size_t) (end - start)))
            return cs_fail(err, CS_ECORRUPT, "%s:%d: a NUL byte", csv->path, csv->line);
        if (csv->columns == 0)
            CS_TRY(count_fields(csv, start, end, err));
        return split(csv, start, end, err);
    }
    return 0;
}

char *train_csv_text(const struct train_csv_field *field)
{
    char *out = cs_xcalloc(field->size + 1, 1);
    size_t n = 0;

    for (size_t i = 0; i < field->size; i++) {
        out[n++] = field->text[i];
        if (field->quoted && field->text[i] == '"')
            i++;
    }
    return out;
}

/* Digits into *value; how many, or -1 for more than fit. */
static int take_digits(uint64_t *value, const char **at, const char *end)
{
    const char *start = *at, *p = start;
    uint64_t v = *value;

    for (; p < end && (unsigned char) (*p - '0') < 10; p++)
        v = 10 * v + (uint64_t) (*p - '0');
    *value = v;
    *at = p;
    return p - start > 15 ? -1 : (int) (p - start);
}

/*
 * Digits that fit a double exactly, times or divided by a power of ten that does too: rounded once (Clinger 1990, "How to
 * read floating point numbers accurately"). Everything else the slow way.
 */
static bool read_short(double *out, const char *at, const char *end)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const bool negative = at < end && *at == '-';
    uint64_t digits = 0, exponent = 0;
    int places = 0;

    at += negative;
    const int whole = take_digits(&digits, &at, end);
    if (at < end && *at == '.') {
        at++;
        places = take_digits(&digits, &at, end);
    }
    if (whole < 0 || places < 0 || whole + places == 0 || whole + places > 15)
        return false;
    int scale = -places;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        const bool down = at < end && *at == '-';
        at += at < end && (*at == '-' || *at == '+');
        const int count = take_digits(&exponent, &at, end);
        if (count < 1 || count > 3)
            return false;
        scale += down ? -(int) exponent : (int) exponent;
    }
    if (at != end || scale < -22 || scale > 22)
        return false;
    const double value =
        scale < 0 ? (double) digits / powers[-scale] : (double) digits * powers[scale];
    *out = negative ? -value : value;
    return true;
}

bool train_csv_number(double *out, const struct train_csv_field *field)
{
    char text[512];

    if (read_short(out, field->text, field->text + field->size))
        return true;
    if (field->size == 0 || field->size >= sizeof text)
        return false;
    memcpy(text, field->text, field->size);
    text[field->size] = '\0';
    return cs_parse_double(out, text) && isfinite(*out);
}
