#include "sweep/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/ckpt.h"
#include "common/cs_table.h"
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

/* Names on their way: buffers to work in, and texts that were hashed already. */
struct naming {
    struct sweep_plan *plan;
    const struct sweep_point *point; /* whose parameters are in `params` */
    struct cs_buf params, name;
    struct cs_table hashes;
};

static void add_known_hash(struct naming *n, const char *text)
{
    struct cs_table_slot *slot = cs_table_add(&n->hashes, text);

    if (!slot->text) {
        struct cs_buf hash = {0};
        add_hash(&hash, text);
        slot->text = text;
        slot->item = cs_arena_strdup(&n->plan->arena, hash.data);
        cs_buf_clear(&hash);
    }
    cs_buf_adds(&n->params, slot->item);
}

/* Numbers, also several with blanks between, and short words are readable; all else is a hash. */
static void add_value(struct naming *n, const char *value)
{
    const size_t size = strlen(value);
    bool words = true;

    for (size_t i = 0; i < size && words; i++)
        words = is_plain_char(value[i]);
    if (size == 0 || size > PLAIN_MAX || (!words && strspn(value, "0123456789.+-einf ") != size)) {
        add_known_hash(n, value);
        return;
    }
    cs_buf_add(&n->params, value, size);
    for (char *p = n->params.data + n->params.size - size; *p; p++)
        *p = *p == ' ' ? '_' : *p;
}

/* Parameters are the same for the seeds of a point. */
static void set_params(struct naming *n, const struct sweep_trial *trial)
{
    if (n->point == trial->point)
        return;
    n->point = trial->point;
    n->params.size = 0;
    cs_buf_adds(&n->params, "");
    for (size_t i = 0; i < trial->param_count; i++) {
        const struct sweep_param *param = &trial->params[i];
        if (!param->varies)
            continue;
        cs_buf_add(&n->params, ",", 1);
        cs_buf_adds(&n->params, param->key);
        cs_buf_add(&n->params, "=", 1);
        add_value(n, param->value);
    }
}

/* The end is the trial's id, not a hash of the name: it stays when the grid grows and names get longer. */
static void shorten(struct cs_buf *name, const struct sweep_trial *trial)
{
    enum { KEPT = SWEEP_NAME_MAX - HASH_DIGITS - 2 };

    if (name->size < SWEEP_NAME_MAX)
        return;
    name->size = KEPT;
    cs_buf_addf(name, "-%.*s", HASH_DIGITS, trial->id);
}

static void name_trial(struct naming *n, struct sweep_trial *trial, int number, int digits,
                       bool grown)
{
    set_params(n, trial);
    n->name.size = 0;
    cs_buf_addf(&n->name, "%0*d", digits, number);
    cs_buf_add(&n->name, n->params.data, n->params.size);
    if (n->plan->seed_count > 1)
        cs_buf_addf(&n->name, ",seed=%llu", (unsigned long long) trial->seed);
    else if (grown && n->params.size == 0) /* "1000" would be a prefix of "10000,lr=0.1" */
        cs_buf_addf(&n->name, ",id=%.*s", HASH_DIGITS, trial->id);
    shorten(&n->name, trial);
    trial->number = number;
    trial->name = cs_arena_strdup(&n->plan->arena, n->name.data);
}

static void end_naming(struct naming *n)
{
    cs_buf_clear(&n->params);
    cs_buf_clear(&n->name);
    cs_table_clear(&n->hashes);
}

void sweep_names_create(struct sweep_plan *plan)
{
    struct naming naming = {.plan = plan};
    int digits = SWEEP_NAME_DIGITS;

    for (size_t limit = 9999; plan->wanted > limit; limit = limit * 10 + 9)
        digits++;
    for (size_t i = 0; i < plan->trial_count; i++)
        name_trial(&naming, &plan->trials[i], (int) i + 1, digits, false);
    end_naming(&naming);
}

void sweep_names_extend(struct sweep_plan *plan, size_t from)
{
    struct naming naming = {.plan = plan};
    int highest = 0;

    for (size_t i = 0; i < from; i++)
        highest = plan->trials[i].number > highest ? plan->trials[i].number : highest;
    for (size_t i = from; i < plan->trial_count; i++)
        name_trial(&naming, &plan->trials[i], ++highest, SWEEP_NAME_DIGITS, true);
    end_naming(&naming);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct sweep_known *) a)->id, ((const struct sweep_known *) b)->id);
}

void sweep_plan_adopt(struct sweep_plan *plan, const struct sweep_known *known, size_t count)
{
    struct naming naming = {.plan = plan};
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
            name_trial(&naming, trial, ++highest, SWEEP_NAME_DIGITS, true);
        }
    }
    end_naming(&naming);
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
