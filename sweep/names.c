#include "sweep/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/ckpt.h"
#include "sweep/plan.h"

enum { HASH_DIGITS = 8, PLAIN_MAX = 32, SWEEP_MAX = 100 };

static bool is_plain_char(char c)
{
    return isalnum((unsigned char) c) || (c && strchr("._+-", c));
}

static void add_hash(struct cs_buf *out, const char *text)
{
    char id[CKPT_ID_SIZE];

    ckpt_hash(id, text, strlen(text));
    cs_buf_add(out, id, HASH_DIGITS);
}

/* Numbers, also several with blanks between, and short words are readable; all else is a hash. */
static void add_value(struct cs_buf *out, const char *value)
{
    size_t size = 0;
    bool words = true, numbers = true;

    for (; value[size]; size++) {
        words = words && is_plain_char(value[size]);
        numbers = numbers && strchr("0123456789.+-einf ", value[size]) != NULL;
    }
    if (size == 0 || size > PLAIN_MAX || (!words && !numbers)) {
        add_hash(out, value);
        return;
    }
    for (const char *p = value; *p; p++)
        cs_buf_add(out, *p == ' ' ? "_" : p, 1);
}

static void add_params(struct cs_buf *out, const struct sweep_plan *plan,
                       const struct sweep_trial *trial)
{
    for (size_t i = 0; i < trial->param_count; i++) {
        const struct sweep_param *param = &trial->params[i];
        if (!param->varies)
            continue;
        cs_buf_addf(out, ",%s=", param->key);
        add_value(out, param->value);
    }
    if (plan->seed_count > 1)
        cs_buf_addf(out, ",seed=%llu", (unsigned long long) trial->seed);
}

static void shorten(struct cs_buf *name)
{
    enum { KEPT = SWEEP_NAME_MAX - HASH_DIGITS - 2 };

    if (name->size < SWEEP_NAME_MAX)
        return;
    struct cs_buf hash = {0};
    add_hash(&hash, name->data);
    name->size = KEPT;
    cs_buf_addf(name, "-%s", hash.data);
    cs_buf_clear(&hash);
}

static void name_trial(struct sweep_plan *plan, struct sweep_trial *trial, int number, int digits,
                       bool grown)
{
    struct cs_buf name = {0};

    cs_buf_addf(&name, "%0*d", digits, number);
    const size_t bare = name.size;
    add_params(&name, plan, trial);
    if (grown && name.size == bare) /* "1000" would be a prefix of "10000,lr=0.1" */
        cs_buf_addf(&name, ",id=%.*s", HASH_DIGITS, trial->id);
    shorten(&name);
    trial->number = number;
    trial->name = cs_arena_strdup(&plan->arena, name.data);
    cs_buf_clear(&name);
}

void sweep_names_create(struct sweep_plan *plan)
{
    int digits = SWEEP_NAME_DIGITS;

    for (size_t limit = 9999; plan->trial_count > limit; limit = limit * 10 + 9)
        digits++;
    for (size_t i = 0; i < plan->trial_count; i++)
        name_trial(plan, &plan->trials[i], (int) i + 1, digits, false);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct sweep_known *) a)->id, ((const struct sweep_known *) b)->id);
}

void sweep_plan_adopt(struct sweep_plan *plan, const struct sweep_known *known, size_t count)
{
    int highest = 0;

    if (count == 0)
        return;
    struct sweep_known *sorted = cs_xcalloc(count, sizeof *sorted);
    memcpy(sorted, known, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_ids);
    for (size_t i = 0; i < count; i++)
        highest = known[i].number > highest ? known[i].number : highest;
    for (size_t i = 0; i < plan->trial_count; i++) {
        struct sweep_trial *trial = &plan->trials[i];
        const struct sweep_known wanted = {.id = trial->id};
        const struct sweep_known *old =
            bsearch(&wanted, sorted, count, sizeof *sorted, compare_ids);
        if (old) {
            trial->number = old->number;
            trial->name = cs_arena_strdup(&plan->arena, old->name);
        } else {
            name_trial(plan, trial, ++highest, SWEEP_NAME_DIGITS, true);
        }
    }
    free(sorted);
}

const char *sweep_name_fault(const char *name)
{
    const size_t size = strlen(name);

    if (size == 0 || size > SWEEP_MAX)
        return "must have 1 to 100 characters";
    if (*name == '.' || *name == '_' || *name == '-')
        return "must begin with a letter or digit";
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char) *p) && !strchr("._-", *p))
            return "must be made of letters, digits, `.`, `_` and `-`";
    }
    if (strstr(name, "..") || name[size - 1] == '.' ||
        (size > 5 && strcmp(name + size - 5, ".lock") == 0))
        return "git allows no `..`, no `.` at the end and no `.lock` in its tags";
    return NULL;
}

const char *sweep_name_from_path(const char *path, struct cs_arena *arena)
{
    const char *slash = strrchr(path, '/');
    char *name = cs_arena_strdup(arena, slash ? slash + 1 : path);
    char *dot = strrchr(name, '.');

    if (dot && dot != name)
        *dot = '\0';
    for (char *p = name; *p; p++) {
        if (!isalnum((unsigned char) *p) && *p != '_' && (*p != '.' || p[1] == '.' || !p[1]))
            *p = '-';
    }
    while (*name && !isalnum((unsigned char) *name))
        name++;
    if (strlen(name) > SWEEP_MAX)
        name[SWEEP_MAX] = '\0';
    return sweep_name_fault(name) ? "sweep" : name;
}
