#include "common/cs_param.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "common/cs_error.h"

const char *cs_type_name(enum cs_type type)
{
    static const char *const names[] = {
        [CS_FLOAT] = "float", [CS_INT] = "int",       [CS_BOOL] = "bool", [CS_NAME] = "name",
        [CS_TEXT] = "text",   [CS_FLOATS] = "floats", [CS_INTS] = "ints",
    };
    return names[type];
}

static void add_range(struct cs_buf *buf, const struct cs_param *row)
{
    char lo[CS_DOUBLE_MAX], hi[CS_DOUBLE_MAX];

    if (isinf(row->min) && isinf(row->max))
        return;
    if (isinf(row->max))
        cs_buf_addf(buf, " >= %s", cs_format_double(lo, row->min));
    else if (isinf(row->min))
        cs_buf_addf(buf, " <= %s", cs_format_double(hi, row->max));
    else
        cs_buf_addf(buf, " in [%s, %s]", cs_format_double(lo, row->min),
                    cs_format_double(hi, row->max));
}

const char *cs_param_expected(const struct cs_param *row, struct cs_arena *arena)
{
    struct cs_buf buf = {0};

    switch (row->type) {
    case CS_FLOAT:
        cs_buf_adds(&buf, "a number");
        add_range(&buf, row);
        break;
    case CS_INT:
        cs_buf_adds(&buf, "a whole number");
        add_range(&buf, row);
        break;
    case CS_BOOL:
        cs_buf_adds(&buf, "yes or no");
        break;
    case CS_NAME:
        cs_buf_adds(&buf, "one of ");
        for (const char *const *c = row->choices; *c; c++)
            cs_buf_addf(&buf, "%s%s", c == row->choices ? "" : ", ", *c);
        break;
    case CS_TEXT:
        cs_buf_adds(&buf, "text");
        break;
    case CS_FLOATS:
    case CS_INTS:
        if (row->count)
            cs_buf_addf(&buf, "%d ", row->count);
        cs_buf_addf(&buf, "%snumbers", row->type == CS_INTS ? "whole " : "");
        add_range(&buf, row);
        cs_buf_adds(&buf, ", separated by blanks");
        break;
    }
    const char *text = cs_arena_strdup(arena, buf.data);
    cs_buf_clear(&buf);
    return text;
}

static int bad(const struct cs_param *row, const char *text, int code, struct cs_error *err)
{
    struct cs_arena arena = {0};
    cs_fail(err, code, "%s = %s: must be %s", row->name, text, cs_param_expected(row, &arena));
    cs_arena_clear(&arena);
    return code;
}

static int parse_number(double *out, const struct cs_param *row, bool whole, const char *word,
                        const char *text, struct cs_error *err)
{
    double value;

    if (!cs_parse_double(&value, word))
        return bad(row, text, CS_EPARSE, err);
    if (whole && (value != floor(value) || fabs(value) > 9007199254740992.0))
        return bad(row, text, CS_EPARSE, err);
    if (!(value >= row->min && value <= row->max))
        return bad(row, text, CS_ERANGE, err);
    *out = value == 0 ? 0 : value; /* -0 and 0 are one value */
    return 0;
}

static int parse_list(struct cs_value *out, const struct cs_param *row, const char *text,
                      struct cs_arena *arena, struct cs_error *err)
{
    double list[CS_LIST_MAX];
    int count = 0, rc = 0;
    struct cs_buf canonical = {0};
    char *copy = cs_arena_strdup(arena, text), *state = NULL;
    char number[CS_DOUBLE_MAX];

    for (char *word = strtok_r(copy, " \t", &state); word && rc == 0;
         word = strtok_r(NULL, " \t", &state)) {
        if (count == CS_LIST_MAX)
            rc = cs_fail(err, CS_ERANGE, "%s: more than %d numbers", row->name, CS_LIST_MAX);
        else
            rc = parse_number(&list[count], row, row->type == CS_INTS, word, text, err);
        if (rc == 0)
            cs_buf_addf(&canonical, "%s%s", count ? " " : "",
                        cs_format_double(number, list[count]));
        count++;
    }
    if (rc == 0 && (count == 0 || (row->count && count != row->count)))
        rc = bad(row, text, CS_EPARSE, err);
    if (rc == 0) {
        double *copy_list = cs_arena_alloc(arena, (size_t) count * sizeof *copy_list);
        memcpy(copy_list, list, (size_t) count * sizeof *copy_list);
        *out = (struct cs_value){.text = cs_arena_strdup(arena, canonical.data),
                                 .num = list[0],
                                 .count = count,
                                 .list = copy_list};
    }
    cs_buf_clear(&canonical);
    return rc;
}

static int parse_bool(struct cs_value *out, const struct cs_param *row, const char *text,
                      struct cs_error *err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < CS_COUNT(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = (struct cs_value){.text = words[i % 2], .num = (double) (i % 2)};
            return 0;
        }
    }
    return bad(row, text, CS_EPARSE, err);
}

static int parse_name(struct cs_value *out, const struct cs_param *row, const char *text,
                      struct cs_error *err)
{
    size_t count = 0;

    for (; row->choices[count]; count++) {
        if (strcmp(text, row->choices[count]) == 0) {
            *out = (struct cs_value){.text = row->choices[count], .num = (double) count};
            return 0;
        }
    }
    const char *near = cs_nearest(text, row->choices, count);
    if (near)
        return cs_fail(err, CS_ENONAME, "%s = %s: no such %s; did you mean %s?", row->name, text,
                       row->name, near);
    return bad(row, text, CS_ENONAME, err);
}

static void parse_text(struct cs_value *out, const char *text, struct cs_arena *arena)
{
    char *copy = cs_arena_strdup(arena, text), *to = copy;

    for (const char *from = copy; *from; from++) {
        const bool blank = *from == ' ' || *from == '\t';
        if (!blank)
            *to++ = *from;
        else if (to > copy && to[-1] != ' ')
            *to++ = ' ';
    }
    while (to > copy && to[-1] == ' ')
        to--;
    *to = '\0';
    *out = (struct cs_value){.text = copy};
}

int cs_param_parse(struct cs_value *out, const struct cs_param *row, const char *text,
                   struct cs_arena *arena, struct cs_error *err)
{
    char number[CS_DOUBLE_MAX];
    double value;

    switch (row->type) {
    case CS_FLOAT:
    case CS_INT:
        CS_TRY(parse_number(&value, row, row->type == CS_INT, text, text, err));
        *out = (struct cs_value){.text = cs_arena_strdup(arena, cs_format_double(number, value)),
                                 .num = value};
        return 0;
    case CS_BOOL:
        return parse_bool(out, row, text, err);
    case CS_NAME:
        return parse_name(out, row, text, err);
    case CS_TEXT:
        parse_text(out, text, arena);
        return 0;
    case CS_FLOATS:
    case CS_INTS:
        return parse_list(out, row, text, arena, err);
    }
    return cs_fail(err, CS_EPARSE, "%s: unknown type", row->name);
}

int cs_value_flatten(double *out, int space, const struct cs_param *row,
                     const struct cs_value *value)
{
    const bool list = row->type == CS_FLOATS || row->type == CS_INTS;
    int at = 0;

    if (space > 0 && (!list || row->count == 0))
        out[at++] = list ? value->count : value->num;
    for (int i = 0; list && i < value->count && at < space; i++)
        out[at++] = value->list[i];
    return at;
}

int cs_fail_unknown(struct cs_error *err, const char *what, const char *word,
                    const char *const *names, size_t count)
{
    const char *near = cs_nearest(word, names, count);
    struct cs_buf list = {0};

    if (near)
        return cs_fail(err, CS_ENONAME, "no such %s; did you mean %s?", what, near);
    cs_buf_adds(&list, "");
    for (size_t i = 0; i < count; i++)
        cs_buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
    cs_fail(err, CS_ENONAME, "no such %s; %ss are %s", what, what, list.data);
    cs_buf_clear(&list);
    return CS_ENONAME;
}
