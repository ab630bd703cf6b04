/*
 * schedule_create.c - settings to a schedule.
 *
 * phases and chain are a small language: schedules joined by > or *, each `NAME [LENGTH] [KEY=VALUE ...]`. A value
 * reaches to the next KEY= (`milestones=3 6 gamma=0.5`); > * and KEY= inside parentheses belong to the value, and
 * parentheses around a whole value are taken off (`lr_lambda=(1 - 2*epoch/epochs)`). The canonical text names the
 * keys whose value differs from the default, in the order of their rows.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "trainer/schedulers/scheduler.h"

enum { PARTS_MAX = 16, WORDS_MAX = 16, ARGS_MAX = CS_LIST_MAX + 16 };

static int compile_rule(struct train_phase *phase, const char *key, const char *text,
                        struct cs_arena *arena, struct cs_error *err)
{
    static const char *const names[] = {"epoch", "epochs", "step", "steps", "lr"};
    struct cs_error inner;
    struct cs_expr *rule;
    size_t count;

    int rc = cs_expr_compile_rule(&rule, text, arena, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "%s = %.150s: %s", key, text, inner.detail);
    const struct cs_expr_use *uses = cs_expr_uses(rule, &count);
    for (size_t i = 0; i < count; i++) {
        size_t known = 0;
        while (known < CS_COUNT(names) && strcmp(names[known], uses[i].name) != 0)
            known++;
        if (known < CS_COUNT(names))
            continue;
        rc = cs_fail_unknown(&inner, "name", uses[i].name, names, CS_COUNT(names));
        return cs_fail(err, rc, "%s = %.150s: column %d: %s: %s", key, text, uses[i].column,
                       uses[i].name, inner.detail);
    }
    phase->rule = rule;
    return 0;
}

static int build_parts(struct train_phase *phase, const char *key, const char *text, bool per_step,
                       struct cs_arena *arena, struct cs_error *err);

/* All settings of phase->kind; a text that is no number is what the kind says it is. */
static int fill(struct train_phase *phase, train_lookup get, void *context, bool per_step,
                struct cs_arena *arena, struct cs_error *err)
{
    const struct train_scheduler *kind = phase->kind;
    double *args = cs_arena_alloc(arena, ARGS_MAX * sizeof *args);
    int at = 0;

    phase->args = args;
    for (int i = 0; i < kind->param_count; i++) {
        const struct cs_param *row = &kind->params[i];
        const char *text = get(context, row->name);
        struct cs_value value;
        CS_TRY(cs_param_parse(&value, row, text ? text : row->def, arena, err));
        at += cs_value_flatten(args + at, ARGS_MAX - at, row, &value);
        if (row->type == CS_TEXT && kind->text == TRAIN_RULE)
            CS_TRY(compile_rule(phase, row->name, value.text, arena, err));
        else if (row->type == CS_TEXT)
            CS_TRY(build_parts(phase, row->name, value.text, per_step, arena, err));
    }
    return 0;
}

/* ---- phases and chain ---- */

struct words {
    const char *key[WORDS_MAX], *value[WORDS_MAX];
    int count;
};

static const char *find_word(void *context, const char *key)
{
    const struct words *words = context;

    for (int i = 0; i < words->count; i++) {
        if (strcmp(words->key[i], key) == 0)
            return words->value[i];
    }
    return NULL;
}

/* The first of `stops` at text that stands outside parentheses, or the end. */
static char *find_stop(char *text, const char *stops)
{
    int depth = 0;

    for (; *text && (depth > 0 || !strchr(stops, *text)); text++)
        depth += *text == '(' ? 1 : *text == ')' ? -1 : 0;
    return text;
}

/* Take blanks, and parentheses around the whole, off both ends. */
static char *trim(char *text)
{
    text += strspn(text, " \t");
    char *end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    if (*text != '(' || end - text < 2 || end[-1] != ')')
        return text;
    end[-1] = '\0';
    int depth = 1;
    for (const char *at = text + 1; *at && depth > 0; at++)
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
    if (depth == 1)
        return trim(text + 1);
    end[-1] = ')'; /* (a) + (b) */
    return text;
}

/* Does a new KEY= begin at text? */
static bool is_key(const char *text)
{
    const char *at = text;

    while (isalnum((unsigned char) *at) || *at == '_')
        at++;
    return at > text && *at == '=';
}

static int split_words(struct words *out, char *text, struct cs_error *err)
{
    while (*text) {
        char *sign = strchr(text, '='), *end = sign + 1;
        if (out->count == WORDS_MAX)
            return cs_fail(err, CS_ERANGE, "more than %d settings", WORDS_MAX);
        do { /* to the blank before the next key */
            end = find_stop(end, " \t");
            end += strspn(end, " \t");
        } while (*end && !is_key(end));
        const char last = *end;
        *sign = '\0';
        if (last)
            end[-1] = '\0';
        if (find_word(out, text))
            return cs_fail(err, CS_EPARSE, "%s: given twice", text);
        out->key[out->count] = text;
        out->value[out->count++] = trim(sign + 1);
        text = end;
    }
    return 0;
}

static int check_words(const struct train_scheduler *kind, const struct words *words,
                       struct cs_error *err)
{
    const char *names[WORDS_MAX];
    struct cs_error inner;

    for (int i = 0; i < kind->param_count; i++)
        names[i] = kind->params[i].name;
    for (int w = 0; w < words->count; w++) {
        int i = 0;
        while (i < kind->param_count && strcmp(names[i], words->key[w]) != 0)
            i++;
        if (i < kind->param_count)
            continue;
        if (kind->param_count == 0)
            return cs_fail(err, CS_ENONAME, "%s: no such key; it has none", words->key[w]);
        const int rc =
            cs_fail_unknown(&inner, "key", words->key[w], names, (size_t) kind->param_count);
        return cs_fail(err, rc, "%s: %s", words->key[w], inner.detail);
    }
    return 0;
}

static int find_kind(const struct train_scheduler **out, const char *name, struct cs_error *err)
{
    const struct train_scheduler *const *all = train_schedulers();
    const char *names[WORDS_MAX * 4];
    size_t count = 0;
    struct cs_error inner;

    for (int i = 0; all[i] && count < CS_COUNT(names); i++) {
        if (all[i]->text == TRAIN_PHASES || all[i]->text == TRAIN_CHAIN)
            continue; /* they do not nest */
        if (strcmp(all[i]->name, name) == 0) {
            *out = all[i];
            return 0;
        }
        names[count++] = all[i]->name;
    }
    const int rc = cs_fail_unknown(&inner, "schedule", name, names, count);
    return cs_fail(err, rc, "%s: %s", name, inner.detail);
}

/* NAME, then a whole number where there is one; *text moves on to the settings. */
static int take_head(struct train_phase *part, char **text, struct cs_error *err)
{
    char *name = *text, *end = find_stop(name, " \t");
    double length;

    *text = end + strspn(end, " \t");
    *end = '\0';
    if (!*name)
        return cs_fail(err, CS_EPARSE, "a schedule is missing");
    CS_TRY(find_kind(&part->kind, name, err));
    if (!**text || is_key(*text))
        return 0;
    char *number = *text;
    end = find_stop(number, " \t");
    *text = end + strspn(end, " \t");
    *end = '\0';
    if (!cs_parse_double(&length, number) || length != floor(length) || length < 1 || length > 1e9)
        return cs_fail(err, CS_EPARSE,
                       "%s: %.60s: expected a length (a whole number, at most 10^9) or KEY=VALUE",
                       name, number);
    part->length = (int64_t) length;
    if (**text && !is_key(*text))
        return cs_fail(err, CS_EPARSE, "%s: %.60s: expected KEY=VALUE", name, *text);
    return 0;
}

/* Into the canonical text. */
static void write_part(struct cs_buf *out, const struct train_phase *part, struct words *words,
                       struct cs_arena *arena)
{
    struct cs_value value, standard;

    cs_buf_adds(out, part->kind->name);
    if (part->length)
        cs_buf_addf(out, " %lld", (long long) part->length);
    for (int i = 0; i < part->kind->param_count; i++) {
        const struct cs_param *row = &part->kind->params[i];
        const char *text = find_word(words, row->name);
        if (!text || cs_param_parse(&value, row, text, arena, NULL) < 0 ||
            cs_param_parse(&standard, row, row->def, arena, NULL) < 0 ||
            strcmp(value.text, standard.text) == 0)
            continue;
        const bool bare = row->type != CS_TEXT || !value.text[strcspn(value.text, " \t>*=")];
        cs_buf_addf(out, bare ? " %s=%s" : " %s=(%s)", row->name, value.text);
    }
}

static int build_part(struct train_phase *part, struct cs_buf *canonical, char *text, bool per_step,
                      struct cs_arena *arena, struct cs_error *err)
{
    struct words words = {.count = 0};
    struct cs_error inner;
    const char *name;

    CS_TRY(take_head(part, &text, err));
    name = part->kind->name;
    int rc = split_words(&words, text, &inner);
    if (rc == 0)
        rc = check_words(part->kind, &words, &inner);
    if (rc == 0 && part->kind->epochs_only && per_step)
        rc = cs_fail(&inner, CS_ERANGE, "needs interval = epoch");
    if (rc == 0)
        rc = fill(part, find_word, &words, per_step, arena, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "%s: %s", name, inner.detail);
    write_part(canonical, part, &words, arena);
    return 0;
}

static int check_lengths(const struct train_phase *phase, struct cs_error *err)
{
    int state = 0;

    for (int i = 0; i < phase->part_count; i++) {
        const struct train_phase *part = &phase->parts[i];
        const bool needs = phase->kind->text == TRAIN_PHASES && i < phase->part_count - 1;
        if (needs && !part->length)
            return cs_fail(err, CS_EPARSE, "%s: how long? expected for example %s 5",
                           part->kind->name, part->kind->name);
        if (!needs && part->length)
            return cs_fail(
                err, CS_EPARSE, "%s %lld: %s no length", part->kind->name, (long long) part->length,
                phase->kind->text == TRAIN_PHASES ? "the last phase lasts to the end: it takes"
                                                  : "what is chained runs all the time: it takes");
        if (phase->kind->text == TRAIN_CHAIN)
            state += part->kind->state;
    }
    if (state > TRAIN_RATE_STATE)
        return cs_fail(err, CS_ERANGE, "too much to remember: fewer of plateau, cosine_restarts");
    return 0;
}

static int split_parts(struct train_phase *phase, struct cs_buf *canonical, char *text,
                       bool per_step, struct cs_arena *arena, struct cs_error *err)
{
    const char *sign = phase->kind->text == TRAIN_PHASES ? ">" : "*";
    struct train_phase *parts = cs_arena_alloc(arena, PARTS_MAX * sizeof *parts);
    bool more = true;

    phase->parts = parts;
    while (more) {
        char *end = find_stop(text, sign);
        more = *end != '\0';
        *end = '\0';
        if (phase->part_count == PARTS_MAX)
            return cs_fail(err, CS_ERANGE, "more than %d schedules", PARTS_MAX);
        if (phase->part_count)
            cs_buf_addf(canonical, " %s ", sign);
        CS_TRY(
            build_part(&parts[phase->part_count++], canonical, trim(text), per_step, arena, err));
        text = end + 1;
    }
    return check_lengths(phase, err);
}

static int build_parts(struct train_phase *phase, const char *key, const char *text, bool per_step,
                       struct cs_arena *arena, struct cs_error *err)
{
    struct cs_buf canonical = {0};
    struct cs_error inner;

    if (!*text)
        return cs_fail(err, CS_EPARSE, "scheduler = %s: %s is missing; expected %s",
                       phase->kind->name, key, phase->kind->params[0].help);
    const int rc =
        split_parts(phase, &canonical, cs_arena_strdup(arena, text), per_step, arena, &inner);
    if (rc == 0)
        phase->canonical = cs_arena_strdup(arena, canonical.data);
    cs_buf_clear(&canonical);
    return rc == 0 ? 0 : cs_fail(err, rc, "%s = %.150s: %s", key, text, inner.detail);
}

/* ---- the whole ---- */

static double number(train_lookup get, void *context, const char *key, double missing)
{
    const char *text = get(context, key);
    double value = missing;

    if (text)
        cs_parse_double(&value, text);
    return value;
}

int train_schedule_create(struct train_schedule **out, train_lookup get, void *context,
                          struct cs_arena *arena, struct cs_error *err)
{
    struct train_schedule *s = cs_arena_alloc(arena, sizeof *s);
    const char *interval = get(context, "interval");
    const double epochs = number(get, context, "warmup_epochs", 0),
                 steps = number(get, context, "warmup_steps", 0);

    s->main.kind = train_scheduler_find(get(context, "scheduler"));
    s->per_step = interval ? strcmp(interval, "step") == 0 : s->main.kind->per_step;
    if (epochs > 0 && steps > 0)
        return cs_fail(err, CS_ERANGE,
                       "warmup_steps = %g: not beside warmup_epochs = %g; give one of them", steps,
                       epochs);
    s->warmup_by_step = steps > 0;
    s->warmup = (int64_t) (steps > 0 ? steps : epochs);
    s->warmup_start = number(get, context, "warmup_start", 1.0 / 3);
    CS_TRY(fill(&s->main, get, context, s->per_step, arena, err));
    *out = s;
    return 0;
}
