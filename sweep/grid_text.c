/* grid_text.c - values that are made at each point: texts with ${name}s, and expressions behind a `=`. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "sweep/grid_impl.h"

/* What a text refers to. */

/* The next ${name} at or after text: its `$`, with the name in *name and *size, or NULL. */
static const char *find_reference(const char *text, const char **name, size_t *size)
{
    const char *at = strstr(text, "${"), *end = at ? strchr(at, '}') : NULL;

    if (!end)
        return NULL;
    *name = at + 2;
    *size = (size_t) (end - at) - 2;
    return at;
}

const char *sweep_grid_next_reference(struct grid *grid, const char **text)
{
    const char *name;
    size_t size;

    if (!find_reference(*text, &name, &size))
        return NULL;
    *text = name + size;
    return cs_arena_strndup(&grid->arena, name, size);
}

const char *sweep_grid_next_word(struct grid *grid, const char **text)
{
    for (const char *p = *text; *p; p++) {
        const char *end = p;
        if (!isalpha((unsigned char) *p) && *p != '_')
            continue;
        while (isalnum((unsigned char) *end) || *end == '_' || *end == '.')
            end++;
        *text = end;
        return cs_arena_strndup(&grid->arena, p, (size_t) (end - p));
    }
    return NULL;
}

bool sweep_grid_is_formula(const char *text)
{
    return *text == '=' || strstr(text, "${");
}

/* Formulas. */

struct maker {
    struct grid *grid;
    struct grid_formula *formula;
    const char *key;
    int line;
    size_t capacity;
    bool good;
};

/* Sets good = false where the name stands for nothing. `shown`: "${widht}". */
static void add_ref(struct maker *m, const char *name, const char *shown)
{
    struct grid_formula *formula = m->formula;
    const char *problem =
        sweep_grid_key_find(m->grid, name) ? NULL : sweep_grid_name_problem(m->grid, name);

    if (problem) {
        sweep_grid_fault(m->grid, m->line, "%s: %.80s: %s", m->key, shown, problem);
        m->good = false;
        return;
    }
    struct grid_key *key = sweep_grid_key_get(m->grid, name);
    for (size_t i = 0; i < formula->ref_count; i++) {
        if (formula->refs[i] == key)
            return;
    }
    if (formula->ref_count == m->capacity) {
        struct grid_key **old = formula->refs;
        m->capacity = m->capacity ? 2 * m->capacity : 2;
        formula->refs = cs_arena_alloc(&m->grid->arena, m->capacity * sizeof *old);
        if (old)
            memcpy(formula->refs, old, formula->ref_count * sizeof *old);
    }
    formula->refs[formula->ref_count++] = key;
}

static void add_expression(struct maker *m, const char *text)
{
    struct cs_error err;
    size_t count;

    if (cs_expr_compile_rule(&m->formula->expr, text, &m->grid->arena, &err) < 0) {
        sweep_grid_fault(m->grid, m->line, "%s = =%.120s: %s", m->key, text, err.detail);
        m->good = false;
        return;
    }
    const struct cs_expr_use *uses = cs_expr_uses(m->formula->expr, &count);
    for (size_t i = 0; i < count; i++) {
        if (!uses[i].value)
            add_ref(m, uses[i].name, uses[i].name);
    }
}

struct grid_formula *sweep_grid_formula_create(struct grid *grid, const char *key, const char *text,
                                               int line)
{
    struct maker m = {.grid = grid,
                      .formula = cs_arena_alloc(&grid->arena, sizeof *m.formula),
                      .key = key,
                      .line = line,
                      .good = true};
    const char *rest = text, *name;

    m.formula->text = cs_arena_strdup(&grid->arena, text);
    if (*text == '=') {
        add_expression(&m, text + 1);
    } else {
        while ((name = sweep_grid_next_reference(grid, &rest)) != NULL)
            add_ref(&m, name, cs_arena_printf(&grid->arena, "${%.80s}", name));
        if (strstr(rest, "${")) {
            sweep_grid_fault(grid, line, "%s = %.120s: ${ without a }", key, text);
            m.good = false;
        }
    }
    return m.good ? m.formula : NULL;
}

/* Values. */

struct cs_expr_value sweep_grid_look_up(void *context, const char *name)
{
    const struct grid_key *key = sweep_grid_key_find(context, name);

    if (!key || !key->value)
        return (struct cs_expr_value){0};
    const enum cs_type type = key->row ? key->row->row->row->type : CS_TEXT;
    if (key->own ? key->numeric && isfinite(key->num) : type == CS_FLOAT || type == CS_INT)
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = key->num};
    if (type == CS_BOOL && !key->own)
        return (struct cs_expr_value){.kind = CS_EXPR_BOOL, .num = key->num};
    return (struct cs_expr_value){.kind = CS_EXPR_WORD, .word = key->value};
}

/* One fault per formula: the next points would tell the same with other numbers. */
static void report(struct grid *grid, struct grid_key *key, const char *text)
{
    struct grid_formula *formula = key->formula;

    if (!formula->faulty)
        sweep_grid_fault(grid, key->def->entry->value_line, "%s", text);
    formula->faulty = true;
    key->broken = true;
}

static bool check_refs(struct grid *grid, struct grid_key *key)
{
    const struct grid_formula *formula = key->formula;

    for (size_t i = 0; i < formula->ref_count; i++) {
        const struct grid_key *ref = formula->refs[i];
        if (ref->value)
            continue;
        if (!ref->broken)
            report(grid, key,
                   cs_arena_printf(&key->made, "%s = %.120s: %.80s has no value in some trials",
                                   key->name, formula->text, ref->name));
        key->broken = true;
        return false;
    }
    return true;
}

static bool insert(struct grid *grid, struct grid_key *key, struct cs_buf *out)
{
    const char *text = key->formula->text, *name, *at;
    size_t size;

    cs_buf_adds(out, "");
    if (!check_refs(grid, key))
        return false;
    for (; (at = find_reference(text, &name, &size)) != NULL; text = name + size + 1) {
        const char *word = cs_arena_strndup(&key->made, name, size);
        cs_buf_add(out, text, (size_t) (at - text));
        cs_buf_adds(out, sweep_grid_key_find(grid, word)->value);
        if (out->size > GRID_MAX_TEXT) {
            report(grid, key,
                   cs_arena_printf(&key->made, "%s = %.120s: longer than %d bytes after ${...}",
                                   key->name, key->formula->text, GRID_MAX_TEXT));
            return false;
        }
    }
    cs_buf_adds(out, text);
    return true;
}

/* An expression is absent where a name that counts is. */
static bool calculate(struct grid *grid, struct grid_key *key, struct cs_buf *out)
{
    struct cs_expr_value value = {0};
    struct cs_error err;
    char number[CS_DOUBLE_MAX];

    cs_buf_adds(out, "");
    if (cs_expr_eval(&value, key->formula->expr, sweep_grid_look_up, grid, &err) < 0) {
        report(grid, key,
               cs_arena_printf(&key->made, "%s = %.120s: %s", key->name, key->formula->text,
                               err.detail));
        return false;
    }
    if (value.kind == CS_EXPR_ABSENT) {
        check_refs(grid, key);
        return false;
    }
    if (value.kind == CS_EXPR_WORD)
        cs_buf_adds(out, value.word);
    else if (value.kind == CS_EXPR_BOOL && key->row && key->row->row->row->type == CS_BOOL)
        cs_buf_adds(out, value.num != 0 ? "yes" : "no");
    else
        cs_buf_adds(out, cs_format_double(number, sweep_grid_snap(value.num, 0)));
    return true;
}

/* By the row in force, or of one's own variable as text; false: not what the row takes. */
static bool parse(struct grid *grid, struct grid_key *key, const char *text)
{
    static const struct cs_param as_text = {.name = "", .type = CS_TEXT, .def = ""};
    const struct cs_param *row = key->own ? &as_text : key->row->row->row;
    struct cs_error err;
    struct cs_value value;

    if (key->own && key->formula->expr && strspn(text, "naif-") == strlen(text)) {
        report(grid, key,
               cs_arena_printf(&key->made, "%s = %.120s: is %s in some trials", key->name,
                               key->formula->text, text));
        return false;
    }
    if (cs_param_parse(&value, row, text, &key->made, &err) < 0) {
        report(grid, key,
               cs_arena_printf(&key->made, "%s (made of %.120s)", err.detail, key->formula->text));
        return false;
    }
    key->value = value.text;
    key->num = value.num;
    if (key->own && !cs_parse_double(&key->num, value.text))
        key->num = NAN;
    return true;
}

void sweep_grid_make_value(struct grid *grid, struct grid_key *key)
{
    if (!key->formula)
        return;
    struct cs_buf text = {0};
    cs_arena_clear(&key->made);
    const bool good = key->formula->expr ? calculate(grid, key, &text) : insert(grid, key, &text);
    grid->steps += 4 + strlen(key->formula->text) + text.size;
    key->value = NULL;
    if (good)
        parse(grid, key, text.data);
    cs_buf_clear(&text);
}

const char *sweep_grid_shown(const struct grid_key *key)
{
    if (key->formula && !key->formula->expr && !key->own && key->row->row->row->type == CS_TEXT)
        return key->def->values[key->code - key->def->first].text;
    return key->value;
}
