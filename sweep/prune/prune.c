/*
 * prune.c - the registry, and `prune` with its keys from [sweep] to numbers.
 */
#include "sweep/prune/prune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cs_error.h"
#include "sweep/prune/list.h"

#define X(name) extern const struct sweep_pruner sweep_pruner_##name;
SWEEP_PRUNERS(X)
#undef X

static const struct sweep_pruner *const pruners[] = {
#define X(name) &sweep_pruner_##name,
    SWEEP_PRUNERS(X)
#undef X
        NULL,
};

static const char *const names[] = {"none",
#define X(name) #name,
                                    SWEEP_PRUNERS(X)
#undef X
                                        NULL};

static const struct cs_param prune_row = {
    "prune", CS_NAME, "none", 0, 0, 0, names, "who judges, after epochs, what is not trained on"};

const struct sweep_pruner *const *sweep_pruners(void)
{
    return pruners;
}

const struct sweep_pruner *sweep_pruner_find(const char *name)
{
    for (size_t i = 0; pruners[i]; i++) {
        if (strcmp(pruners[i]->name, name) == 0)
            return pruners[i];
    }
    return NULL;
}

const struct cs_param *sweep_prune_row(void)
{
    return &prune_row;
}

const struct sweep_prune_key *sweep_prune_keys(size_t *count)
{
    static struct sweep_prune_key keys[CS_COUNT(pruners) * SWEEP_PRUNE_ARGS];
    static size_t filled;

    if (filled == 0) {
        for (size_t i = 0; pruners[i]; i++)
            for (int k = 0; k < pruners[i]->param_count; k++)
                keys[filled++] = (struct sweep_prune_key){pruners[i]->name, &pruners[i]->params[k]};
    }
    *count = filled;
    return keys;
}

static const struct cs_param whole_row = {
    .name = "", .type = CS_INT, .def = "1", .min = 1, .max = 1e9};

const char *sweep_prune_expected(const struct cs_param *row, struct cs_arena *arena)
{
    if (row->type != CS_TEXT)
        return cs_param_expected(row, arena);
    return cs_arena_printf(arena, "auto or %s", cs_param_expected(&whole_row, arena));
}

static int parse(double *out, const struct cs_param *row, const char *text, struct cs_arena *arena,
                 struct cs_error *err)
{
    struct cs_value value = {0};

    *out = 0;
    if (row->type != CS_TEXT) {
        CS_TRY(cs_param_parse(&value, row, text, arena, err));
    } else if (strcmp(text, "auto") != 0 &&
               cs_param_parse(&value, &whole_row, text, arena, NULL) < 0) {
        return cs_fail(err, CS_EPARSE, "%s = %.80s: must be %s", row->name, text,
                       sweep_prune_expected(row, arena));
    }
    *out = value.num;
    return 0;
}

/* Settings of one pruner; NULL with faults told. */
static struct sweep_pruning *read_kind(const struct sweep_pruner *kind,
                                       const struct sweep_prune_source *source,
                                       struct cs_arena *arena)
{
    struct sweep_pruning *p = cs_arena_alloc(arena, sizeof *p);
    struct cs_error err = {0};
    bool good = true;

    p->kind = kind;
    for (int i = 0; i < kind->param_count; i++) {
        const struct cs_param *row = &kind->params[i];
        const char *text = source->get(source->context, row->name);
        if (!text && !*row->def) {
            p->args[i] = NAN;
        } else if (parse(&p->args[i], row, text ? text : row->def, arena, &err) < 0) {
            source->fault(source->context, row->name, false, err.detail);
            good = false;
        }
    }
    if (good && kind->check && kind->check(p->args, &err) < 0) {
        char about[64];
        snprintf(about, sizeof about, "%.*s", (int) strcspn(err.detail, " :"), err.detail);
        source->fault(source->context, about, false, err.detail);
        good = false;
    }
    return good ? p : NULL;
}

static bool has_key(const struct sweep_pruning *p, const char *key)
{
    for (; p; p = p->wrapped) {
        for (int i = 0; i < p->kind->param_count; i++) {
            if (strcmp(p->kind->params[i].name, key) == 0)
                return true;
        }
    }
    return false;
}

/* Keys that are given and that the choice does not use. */
static void tell_unused(const struct sweep_pruning *p, const struct sweep_prune_source *source)
{
    size_t count;
    const struct sweep_prune_key *keys = sweep_prune_keys(&count);

    for (size_t i = 0; i < count; i++) {
        const char *key = keys[i].row->name;
        struct cs_buf text = {0};
        bool told = false;
        for (size_t k = 0; k < i; k++)
            told = told || strcmp(keys[k].row->name, key) == 0;
        if (told || has_key(p, key) || !source->get(source->context, key))
            continue;
        cs_buf_addf(&text, "%s: no choice of this grid uses it; it belongs to prune =", key);
        for (size_t k = i; k < count; k++) {
            if (strcmp(keys[k].row->name, key) == 0)
                cs_buf_addf(&text, "%s %s", k == i ? "" : ",", keys[k].owner);
        }
        source->fault(source->context, key, true, text.data);
        cs_buf_clear(&text);
    }
}

/* What patient wraps: false with a fault told. */
static bool read_wrapped(struct sweep_pruning *p, const struct sweep_prune_source *source,
                         struct cs_arena *arena)
{
    const char *name = source->get(source->context, "wrapped_pruner");
    const struct sweep_pruner *kind = name ? sweep_pruner_find(name) : NULL;

    if (!kind || strcmp(p->kind->name, "patient") != 0)
        return true;
    if (kind == p->kind) {
        source->fault(source->context, "wrapped_pruner", false,
                      "wrapped_pruner = patient: must be another pruner, or none");
        return false;
    }
    p->wrapped = read_kind(kind, source, arena);
    return p->wrapped != NULL;
}

const struct sweep_pruning *sweep_prune_read(const struct sweep_prune_source *source,
                                             struct cs_arena *arena)
{
    const char *text = source->get(source->context, "prune");
    struct sweep_pruning *p = NULL;
    struct cs_value value;
    struct cs_error err;

    if (cs_param_parse(&value, &prune_row, text ? text : prune_row.def, arena, &err) < 0) {
        source->fault(source->context, "prune", false, err.detail);
        return NULL;
    }
    const struct sweep_pruner *kind = sweep_pruner_find(value.text);
    if (kind) {
        p = read_kind(kind, source, arena);
        if (!p || !read_wrapped(p, source, arena))
            return NULL;
    }
    tell_unused(p, source);
    return p;
}
