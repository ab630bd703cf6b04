/*
 * grid_value.c - one value of the grid file: alternatives, ranges, distributions, duplicates.
 *
 * Ranges are inclusive. Their ends are the numbers written; a point between them is the shortest decimal within
 * 1e-12 of the computed one, so that log(1e-4,1e-1,4) holds 0.001 and not its neighbour.
 *
 * A distribution is one alternative, of which a search draws values (search/number.c). On a key of whole numbers
 * uniform and loguniform draw whole numbers too.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "sweep/grid_impl.h"

enum { SHOWN_FAULTS = 10, SHOWN = 120 };

struct list {
    struct grid *grid;
    const char *key;
    const struct cs_param *const *rows;
    size_t row_count;
    int line, faults;
    struct grid_value *values;
    size_t count, capacity;
    size_t *table; /* open addressing over texts: index + 1 */
    size_t table_size;
    bool numeric, keep;
};

__attribute__((format(printf, 2, 3))) static void fault(struct list *list, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (list->faults++ >= SHOWN_FAULTS)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sweep_grid_fault(list->grid, list->line, "%s", text);
}

/* Is there room for so many values? The grid has some in all, faulty ones too. */
static bool has_room(struct list *list, const char *text, double count)
{
    struct grid *grid = list->grid;

    if (count <= (double) (GRID_MAX_VALUES - grid->value_count)) {
        grid->value_count += (size_t) count;
        return true;
    }
    if (!grid->stopped)
        fault(list, "%s = %.120s: more than %d values in all", list->key, text, GRID_MAX_VALUES);
    grid->stopped = true;
    return false;
}

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *text; text++)
        h = (h ^ (unsigned char) *text) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static size_t *find_slot(const struct list *list, const char *text)
{
    size_t at = (size_t) hash(text) & (list->table_size - 1);

    while (list->table[at] && strcmp(list->values[list->table[at] - 1].text, text) != 0)
        at = (at + 1) & (list->table_size - 1);
    return &list->table[at];
}

static void grow_table(struct list *list)
{
    free(list->table);
    list->table_size = list->table_size ? 2 * list->table_size : 64;
    list->table = cs_xcalloc(list->table_size, sizeof *list->table);
    for (size_t i = 0; i < list->count; i++)
        *find_slot(list, list->values[i].text) = i + 1;
}

static void add(struct list *list, const char *text, double num, const char *written)
{
    if (2 * (list->count + 1) > list->table_size)
        grow_table(list);
    size_t *slot = find_slot(list, text);
    if (*slot && !list->keep) {
        sweep_grid_warn(list->grid, list->line, "%s: %.120s is given twice; kept once", list->key,
                        written);
        return;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 8;
        list->values = cs_xrealloc(list->values, list->capacity * sizeof *list->values);
    }
    list->values[list->count++] = (struct grid_value){.text = text, .num = num};
    *slot = list->count;
}

/* An alternative of a declared key: the first row that takes it decides. */
static void add_declared(struct list *list, const char *text)
{
    struct cs_error first = {0}, err;
    struct cs_value value;

    for (size_t i = 0; i < list->row_count; i++) {
        if (cs_param_parse(&value, list->rows[i], text, &list->grid->arena, &err) == 0) {
            add(list, value.text, value.num, text);
            return;
        }
        if (i == 0)
            first = err;
    }
    fault(list, "%s", first.detail);
}

/* An alternative of one's own variable: a number in its shortest form where all are numbers. */
static void add_own(struct list *list, char *text)
{
    static const struct cs_param as_text = {.name = "", .type = CS_TEXT, .def = ""};
    struct cs_value value;
    char number[CS_DOUBLE_MAX];
    double num = NAN;

    if (cs_parse_double(&num, text) && isfinite(num))
        text = cs_arena_strdup(&list->grid->arena, cs_format_double(number, num));
    else
        list->numeric = false;
    if (cs_param_parse(&value, &as_text, text, &list->grid->arena, NULL) == 0)
        add(list, value.text, num, text);
}

static void add_number(struct list *list, double number)
{
    char text[CS_DOUBLE_MAX];

    cs_format_double(text, number);
    if (list->row_count)
        add_declared(list, text);
    else
        add_own(list, text);
}

/* Can the decimal of that many digits behind the first be as near? mantissa: of 13 digits, good to half of the last. */
static bool may_snap(int64_t mantissa, int digits)
{
    int64_t unit = 1;

    for (int i = digits; i < 12; i++)
        unit *= 10;
    const int64_t over = mantissa % unit, off = over < unit - over ? over : unit - over;
    return (double) off <= 2e-12 * (double) mantissa;
}

double sweep_grid_snap(double value, double scale)
{
    char text[CS_DOUBLE_MAX];

    if (fabs(value) <= 1e-12 * scale || !isfinite(value))
        return isfinite(value) ? 0 : value;
    snprintf(text, sizeof text, "%.12e", fabs(value));
    text[1] = text[0]; /* d.dddddddddddd -> dddddddddddddd with the first twice */
    const int64_t mantissa = strtoll(text + 1, NULL, 10);
    for (int digits = 0; digits < 15; digits++) {
        if (!may_snap(mantissa, digits))
            continue;
        snprintf(text, sizeof text, "%.*e", digits, value);
        const double decimal = strtod(text, NULL);
        if (fabs(decimal - value) <= 1e-12 * fabs(value))
            return decimal;
    }
    return value;
}

enum { RANGE_ARGS = 3 };

static bool add_lin(struct list *list, const char *text, const double *a)
{
    const double scale = fmax(fabs(a[0]), fabs(a[1]));

    if (a[2] != floor(a[2]) || a[2] < 2) {
        fault(list, "%s = %.120s: the number of points must be a whole number >= 2", list->key,
              text);
        return false;
    }
    if (!has_room(list, text, a[2]))
        return false;
    const size_t n = (size_t) a[2];
    for (size_t i = 0; i < n; i++) {
        const double t = (double) i / (double) (n - 1);
        add_number(list, i == 0       ? a[0]
                         : i == n - 1 ? a[1]
                                      : sweep_grid_snap(a[0] * (1 - t) + a[1] * t, scale));
    }
    return true;
}

static bool add_log(struct list *list, const char *text, const double *a)
{
    if (a[0] <= 0 || a[1] <= 0) {
        fault(list, "%s = %.120s: both ends must be > 0", list->key, text);
        return false;
    }
    if (a[2] != floor(a[2]) || a[2] < 2)
        return add_lin(list, text, a); /* says what is wrong */
    if (!has_room(list, text, a[2]))
        return false;
    const size_t n = (size_t) a[2];
    const long double low = logl(a[0]), high = logl(a[1]);
    for (size_t i = 0; i < n; i++) {
        const long double t = (long double) i / (long double) (n - 1);
        add_number(list, i == 0 ? a[0]
                         : i == n - 1
                             ? a[1]
                             : sweep_grid_snap((double) expl(low * (1 - t) + high * t), 0));
    }
    return true;
}

static bool add_range(struct list *list, const char *text, const double *a)
{
    const double span = (a[1] - a[0]) / a[2];

    if (a[2] == 0 || !(span >= 0)) {
        fault(list, "%s = %.120s: the step does not lead from the first end to the second",
              list->key, text);
        return false;
    }
    if (!has_room(list, text, floor(span) + 1))
        return false;
    const size_t n = (size_t) floor(span + 1e-9) + 1;
    const double scale = fmax(fabs(a[0]), fabs(a[1]));
    for (size_t i = 0; i < n; i++)
        add_number(list, i == 0 ? a[0] : sweep_grid_snap(a[0] + (double) i * a[2], scale));
    return true;
}

static bool is_pow2(double value)
{
    int exponent;
    return value > 0 && frexp(value, &exponent) == 0.5;
}

static bool add_pow2(struct list *list, const char *text, const double *a)
{
    for (int i = 0; i < 2; i++) {
        if (!is_pow2(a[i])) {
            char number[CS_DOUBLE_MAX];
            fault(list, "%s = %.120s: %s is no power of two", list->key, text,
                  cs_format_double(number, a[i]));
            return false;
        }
    }
    const double factor = a[1] >= a[0] ? 2 : 0.5;
    for (double v = a[0];; v *= factor) {
        add_number(list, v);
        if (v == a[1])
            return true;
    }
}

static const struct range {
    const char *name, *usage;
    int args;
    bool (*add)(struct list *list, const char *text, const double *args);
} ranges[] = {
    {"lin", "lin(first, last, how many)", 3, add_lin},
    {"log", "log(first, last, how many)", 3, add_log},
    {"range", "range(first, last, step)", 3, add_range},
    {"pow2", "pow2(first, last)", 2, add_pow2},
};

static bool read_range_args(double *out, int count, char *inner)
{
    char *state = inner;
    int n = 0;

    for (char *word = strsep(&state, ","); word; word = strsep(&state, ",")) {
        if (n == count || !cs_parse_double(&out[n], cs_trim(word)) || !isfinite(out[n]))
            return false;
        n++;
    }
    return n == count;
}

/* Distributions. */

static const struct dist {
    const char *name, *usage, *instead; /* instead: in a grid */
    bool whole, log, steps;
} dists[] = {
    {"uniform", "uniform(low, high) or uniform(low, high, step)", "lin", false, false, true},
    {"loguniform", "loguniform(low, high)", "log", false, true, false},
    {"int", "int(low, high) or int(low, high, step)", "range", true, false, true},
    {"logint", "logint(low, high)", "pow2", true, true, false},
};

/* Are points drawn? Otherwise a fault tells what to write instead; where `search` itself is at fault it is not told. */
static bool is_drawn(struct list *list, const char *text, const char *instead)
{
    const struct search_method *method = list->grid->search;

    if (list->row_count && !train_key_find(list->key, NULL)) {
        fault(list, "%s = %.120s: only a trial's settings are drawn", list->key, text);
        return false;
    }
    if (method && !method->drawn)
        fault(list,
              "%s = %.120s: drawn only where [sweep] says search = random, sobol or tpe; in a grid "
              "write %s",
              list->key, text, instead);
    return !method || method->drawn;
}

/* Both ends by one row; the first row tells what is wrong. */
static const struct cs_param *find_row(struct list *list, const struct search_param *p, bool *good)
{
    struct cs_error first = {0}, err;
    struct cs_value value;
    char low[CS_DOUBLE_MAX], high[CS_DOUBLE_MAX];

    cs_format_double(low, p->low);
    cs_format_double(high, p->high);
    *good = true;
    for (size_t i = 0; i < list->row_count; i++) {
        const struct cs_param *row = list->rows[i];
        if (cs_param_parse(&value, row, low, &list->grid->arena, &err) == 0 &&
            cs_param_parse(&value, row, high, &list->grid->arena, &err) == 0)
            return row;
        if (!first.code)
            first = err;
    }
    *good = list->row_count == 0;
    if (!*good)
        fault(list, "%s", first.detail);
    return NULL;
}

static bool check_dist(struct list *list, const char *text, const struct search_param *p,
                       bool whole)
{
    const char *wrong = NULL;

    if (p->low > p->high)
        wrong = "the first number must not be above the second";
    else if (p->log && p->low <= 0)
        wrong = "both ends must be > 0";
    else if (p->step < 0 || (p->step > 0 && p->high > p->low && p->step > p->high - p->low))
        wrong = "the step must be > 0 and lead from the first number towards the second";
    else if (whole &&
             (p->low != floor(p->low) || p->high != floor(p->high) || p->step != floor(p->step)))
        wrong = "must be whole numbers";
    else if (fabs(p->low) > 0x1p53 || fabs(p->high) > 0x1p53 || p->high - p->low == INFINITY)
        wrong = "must be within 2^53";
    if (wrong)
        fault(list, "%s = %.120s: %s", list->key, text, wrong);
    return !wrong;
}

static void add_dist(struct list *list, const char *text, const struct dist *dist, char *inner)
{
    struct cs_arena *arena = &list->grid->arena;
    char *copy = cs_arena_strdup(arena, inner), number[3][CS_DOUBLE_MAX];
    double args[RANGE_ARGS] = {0};
    const bool stepped = dist->steps && read_range_args(args, 3, copy);
    bool good;

    if (!stepped && !read_range_args(args, 2, inner)) {
        fault(list, "%s = %.120s: expected %s", list->key, text, dist->usage);
        return;
    }
    if (stepped && args[2] == 0)
        args[2] = -1;
    struct search_param *p = cs_arena_alloc(arena, sizeof *p);
    *p = (struct search_param){.kind = SEARCH_NUMBER,
                               .low = args[0],
                               .high = args[1],
                               .step = stepped ? args[2] : 0,
                               .log = dist->log};
    const char *instead = cs_arena_printf(
        arena, strcmp(dist->instead, "pow2") == 0 ? "%s(%s, %s)" : "%s(%s, %s, %s)", dist->instead,
        cs_format_double(number[0], p->low), cs_format_double(number[1], p->high),
        *dist->instead == 'r' ? stepped ? cs_format_double(number[2], p->step) : "STEP" : "N");
    if (!is_drawn(list, text, instead))
        return;
    const struct cs_param *row = find_row(list, p, &good);
    const bool whole = dist->whole || (row && row->type == CS_INT);
    if (!good || !check_dist(list, text, p, whole))
        return;
    if (whole && p->step == 0)
        p->step = 1;
    const char *canonical =
        cs_arena_printf(arena, stepped ? "%s(%s, %s, %s)" : "%s(%s, %s)", dist->name,
                        cs_format_double(number[0], p->low), cs_format_double(number[1], p->high),
                        cs_format_double(number[2], p->step));
    const size_t count = list->count;
    add(list, canonical, NAN, text);
    if (list->count > count)
        list->values[count].dist = p;
}

static void add_unknown_range(struct list *list, const char *text, const char *name)
{
    const char *names[CS_COUNT(ranges) + CS_COUNT(dists)];
    size_t count = 0;

    for (size_t i = 0; i < CS_COUNT(ranges); i++)
        names[count++] = ranges[i].name;
    for (size_t i = 0; i < CS_COUNT(dists); i++)
        names[count++] = dists[i].name;
    const char *near = cs_nearest(name, names, count);
    if (near)
        fault(list, "%s = %.120s: no such range %s; did you mean %s?", list->key, text, name, near);
    else
        fault(list,
              "%s = %.120s: no such range %s; there are lin, log, range, pow2, and for a search "
              "uniform, loguniform, int, logint, choice",
              list->key, text, name);
}

/* NAME(...) where a number may stand: true when it was taken, or reported. */
static bool add_as_range(struct list *list, const char *text)
{
    const char *open = strchr(text, '(');
    const size_t size = strlen(text);
    double args[RANGE_ARGS];

    if (!open || open == text || text[size - 1] != ')')
        return false;
    struct cs_arena *arena = &list->grid->arena;
    const char *name = cs_trim(cs_arena_strndup(arena, text, (size_t) (open - text)));
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char) *p))
            return false;
    }
    for (size_t i = 0; i < CS_COUNT(ranges); i++) {
        if (strcmp(ranges[i].name, name) != 0)
            continue;
        char *inner = cs_arena_strndup(arena, open + 1, (size_t) (text + size - 1 - open - 1));
        if (!read_range_args(args, ranges[i].args, inner))
            fault(list, "%s = %.120s: expected %s", list->key, text, ranges[i].usage);
        else
            ranges[i].add(list, text, args);
        return true;
    }
    for (size_t i = 0; i < CS_COUNT(dists); i++) {
        if (strcmp(dists[i].name, name) != 0)
            continue;
        add_dist(list, text, &dists[i],
                 cs_arena_strndup(arena, open + 1, (size_t) (text + size - 1 - open - 1)));
        return true;
    }
    if (list->row_count == 0 && strchr(text, ' '))
        return false; /* one's own text */
    add_unknown_range(list, text, name);
    return true;
}

static bool takes_numbers(const struct list *list)
{
    return list->row_count == 0 || list->rows[0]->type == CS_FLOAT || list->rows[0]->type == CS_INT;
}

static bool is_text(const struct list *list)
{
    return list->row_count == 0 || list->rows[0]->type == CS_TEXT;
}

/* An alternative that is made at each point. */
static void add_formula(struct list *list, const char *text)
{
    static const struct cs_param as_text = {.name = "", .type = CS_TEXT, .def = ""};
    struct cs_value value;
    struct cs_error err;

    if (list->row_count && !train_key_find(list->key, NULL)) {
        if (*text == '=') /* of ${...} it is told already */
            fault(list, "%s = %.120s: of the sweep, not of a trial, and can have no expression",
                  list->key, text);
        list->faults++;
        return;
    }
    const int before = (int) list->grid->faults.count;
    struct grid_formula *formula =
        sweep_grid_formula_create(list->grid, list->key, text, list->line);
    list->faults += (int) list->grid->faults.count - before;
    if (!formula)
        return;
    if (cs_param_parse(&value, &as_text, text, &list->grid->arena, &err) < 0) {
        fault(list, "%s = %.120s: %s", list->key, text, err.detail);
        return;
    }
    const size_t count = list->count;
    add(list, value.text, NAN, text);
    if (list->count > count)
        list->values[count].formula = formula;
}

static void split(struct list *list, char *text);

/* choice(A, B, ...): the same as A, B, ... under a search, of values of any type. */
static bool add_as_choice(struct list *list, char *text)
{
    static const char word[] = "choice(";
    const size_t size = strlen(text);

    if (strncmp(text, word, strlen(word)) != 0 || text[size - 1] != ')')
        return false;
    char *inner =
        cs_arena_strndup(&list->grid->arena, text + strlen(word), size - strlen(word) - 1);
    if (is_drawn(list, text, cs_trim(inner)))
        split(list, inner);
    return true;
}

static void add_alternative(struct list *list, char *text)
{
    const size_t size = strlen(text);

    if (add_as_choice(list, text)) {
        return;
    } else if (*text == '=') {
        add_formula(list, text);
    } else if (is_text(list) && size >= 2 && text[0] == '"' && text[size - 1] == '"') {
        text[size - 1] = '\0';
        if (sweep_grid_is_formula(text + 1))
            add_formula(list, text + 1);
        else if (list->row_count)
            add_declared(list, text + 1);
        else
            add_own(list, text + 1);
    } else if (strstr(text, "${")) {
        add_formula(list, text);
    } else if (takes_numbers(list) && add_as_range(list, text)) {
        return;
    } else if (list->row_count) {
        add_declared(list, text);
    } else {
        add_own(list, text);
    }
}

/* The end of the alternative at text: a comma outside parentheses and quotes, or the end. */
static char *alternative_end(char *text)
{
    int depth = 0;
    bool quoted = false;

    for (; *text; text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (!quoted && *text == '(')
            depth++;
        else if (!quoted && *text == ')' && depth)
            depth--;
        else if (!quoted && *text == ',' && depth == 0)
            break;
    }
    return text;
}

static void split(struct list *list, char *text)
{
    for (bool more = true; more && list->faults <= SHOWN_FAULTS;) {
        char *end = alternative_end(text);
        more = *end == ',';
        *end = '\0';
        char *word = cs_trim(text);
        if (!has_room(list, word, 1))
            return;
        if (!*word)
            fault(list, "%s: an empty value between commas", list->key);
        else
            add_alternative(list, word);
        text = end + 1;
    }
}

struct grid_list sweep_grid_values(struct grid *grid, const char *key,
                                   const struct cs_param *const *rows, size_t row_count,
                                   const char *text, int line, bool keep)
{
    struct list list = {.grid = grid,
                        .key = key,
                        .rows = rows,
                        .row_count = row_count,
                        .line = line,
                        .keep = keep,
                        .numeric = row_count == 0};

    if (*text)
        split(&list, cs_arena_strdup(&grid->arena, text));
    else if (row_count && rows[0]->type == CS_TEXT && !*rows[0]->def)
        add_declared(&list, "");
    else
        fault(&list, "%s: no value", key);
    struct grid_list out = {
        .count = list.count, .numeric = list.numeric, .faulty = list.faults > 0};
    out.values = cs_arena_alloc(&grid->arena, list.count * sizeof *out.values);
    if (list.count)
        memcpy(out.values, list.values, list.count * sizeof *out.values);
    free(list.values);
    free(list.table);
    return out;
}

bool sweep_grid_value_one(struct grid_value *out, struct grid *grid, struct grid_key *key,
                          const char *text, int line)
{
    const struct cs_param **rows = cs_xcalloc(key->row_count + 1, sizeof *rows);
    struct list list = {.grid = grid,
                        .key = key->name,
                        .rows = rows,
                        .row_count = key->row_count,
                        .line = line,
                        .keep = true,
                        .numeric = key->own};

    for (size_t i = 0; i < key->row_count; i++)
        rows[i] = key->rows[i].row->row;
    if (sweep_grid_is_formula(text))
        add_formula(&list, text);
    else if (list.row_count)
        add_declared(&list, text);
    else
        add_own(&list, cs_arena_strdup(&grid->arena, text));
    const bool good = list.count == 1;
    if (good)
        *out = list.values[0];
    key->numeric = key->numeric && list.numeric;
    free(list.values);
    free(list.table);
    free(rows);
    return good;
}
