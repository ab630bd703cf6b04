#include "sweep/longer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "sweep/compare.h"

/* A trial of the journal that may be gone on from, under a text that it is looked for by. */
struct entry {
    const char *text;
    const struct sweep_record *record;
};

struct reason {
    const char *text;
    size_t trials;
};

struct sweep_longer {
    struct cs_arena arena;
    const struct sweep_plan *plan;
    const struct sweep_state *state;
    ckpt_store *store;
    struct entry *ids,
        *params; /* [count], sorted by text: the id; the written settings that must be equal */
    size_t count;
    bool collected; /* the three above and the next: when the first trial asks */
    int *epochs;    /* the different ones, falling */
    size_t epochs_count;
    struct reason *reasons;
    size_t reason_count;
    size_t found;    /* trials that go on from a shorter one */
    int first, last; /* at the least and the highest epoch */
};

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *) a)->text, ((const struct entry *) b)->text);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int compare_falling(const void *a, const void *b)
{
    return *(const int *) b - *(const int *) a;
}

static bool is_scheduler_key(const char *name)
{
    const struct train_key *key = strchr(name, '.') ? NULL : train_key_find(name, NULL);
    return key && strcmp(key->section, "scheduler") == 0;
}

static bool is_free(const char *key)
{
    return strcmp(key, "epochs") == 0 || is_scheduler_key(key);
}

/* "key=value" of what must be equal, sorted, and the seed. */
static const char *join(struct cs_arena *arena, const char **texts, size_t count, uint64_t seed)
{
    struct cs_buf out = {0};

    qsort(texts, count, sizeof *texts, compare_texts);
    for (size_t i = 0; i < count; i++)
        cs_buf_addf(&out, "%s\n", texts[i]);
    cs_buf_addf(&out, "seed=%llu", (unsigned long long) seed);
    const char *text = cs_arena_strdup(arena, out.data);
    cs_buf_clear(&out);
    return text;
}

static const char *record_text(struct cs_arena *arena, const struct sweep_record *record)
{
    const json_t *params = sweep_record_params(record);
    const char **texts = cs_xcalloc(json_array_size(params) + 1, sizeof *texts);
    size_t count = 0, i;
    const json_t *one;

    json_array_foreach(params, i, one)
    {
        const char *key = cs_json_get_text(one, "key", "");
        if (!is_free(key))
            texts[count++] =
                cs_arena_printf(arena, "%s=%s", key, cs_json_get_text(one, "value", ""));
    }
    const char *text = join(arena, texts, count, record->seed);
    free(texts);
    return text;
}

static const char *trial_text(struct cs_arena *arena, const struct sweep_trial *trial)
{
    const char **texts = cs_xcalloc(trial->param_count + 1, sizeof *texts);
    size_t count = 0;

    for (size_t i = 0; i < trial->param_count; i++) {
        const struct sweep_param *p = &trial->params[i];
        if (!is_free(p->key))
            texts[count++] = cs_arena_printf(arena, "%s=%s", p->key, p->value);
    }
    const char *text = join(arena, texts, count, trial->seed);
    free(texts);
    return text;
}

static void add_epochs(struct sweep_longer *l, int epochs)
{
    for (size_t i = 0; i < l->epochs_count; i++) {
        if (l->epochs[i] == epochs)
            return;
    }
    l->epochs[l->epochs_count++] = epochs;
}

/* Trials that are over, and others that this run will not train. */
static void collect(struct sweep_longer *l)
{
    const struct sweep_plan *plan = l->plan;
    const char **ids = cs_xcalloc(plan->trial_count + 1, sizeof *ids);

    for (size_t i = 0; i < plan->trial_count; i++)
        ids[i] = plan->trials[i].id;
    qsort(ids, plan->trial_count, sizeof *ids, compare_texts);
    for (size_t i = 0; i < l->state->count; i++) {
        const struct sweep_record *r = &l->state->records[i];
        const bool planned =
            bsearch(&r->id, ids, plan->trial_count, sizeof *ids, compare_texts) != NULL;
        if (r->epochs <= 0 || (planned && !sweep_record_is_over(r)))
            continue;
        l->ids[l->count] = (struct entry){r->id, r};
        l->params[l->count++] = (struct entry){record_text(&l->arena, r), r};
        add_epochs(l, r->epochs);
    }
    qsort(l->ids, l->count, sizeof *l->ids, compare_entries);
    qsort(l->params, l->count, sizeof *l->params, compare_entries);
    qsort(l->epochs, l->epochs_count, sizeof *l->epochs, compare_falling);
    free(ids);
}

sweep_longer *sweep_longer_create(const struct sweep_plan *plan, const struct sweep_state *state,
                                  ckpt_store *store)
{
    struct sweep_longer *l = cs_xcalloc(1, sizeof *l);

    l->plan = plan;
    l->state = state;
    l->store = store;
    l->ids = cs_xcalloc(state->count + 1, sizeof *l->ids);
    l->params = cs_xcalloc(state->count + 1, sizeof *l->params);
    l->epochs = cs_xcalloc(state->count + 1, sizeof *l->epochs);
    l->reasons = cs_xcalloc(plan->trial_count + 1, sizeof *l->reasons);
    return l;
}

void sweep_longer_free(sweep_longer *l)
{
    if (!l)
        return;
    free(l->ids);
    free(l->params);
    free(l->epochs);
    free(l->reasons);
    cs_arena_clear(&l->arena);
    free(l);
}

/* ---- one trial ---- */

struct settings {
    struct train_setting list[512];
    size_t count;
};

static void add_setting(struct settings *s, const char *key, const char *value)
{
    if (*value && s->count < CS_COUNT(s->list)) /* empty: the default of a text key */
        s->list[s->count++] = (struct train_setting){key, value, 0};
}

/* The trial's settings with another number of epochs, and with the schedule of the record where one is given. */
static struct train_spec *shorter_spec(const struct train_spec *longer, int epochs,
                                       const struct sweep_record *record)
{
    struct settings s = {.count = 0};
    struct train_spec *spec = NULL;
    char number[16];
    size_t i;
    const json_t *one;

    snprintf(number, sizeof number, "%d", epochs);
    add_setting(&s, "epochs", number);
    for (i = 0; i < longer->setting_count; i++) {
        const struct train_setting *own = &longer->settings[i];
        if (strcmp(own->key, "epochs") != 0 && !(record && is_scheduler_key(own->key)))
            add_setting(&s, own->key, own->value);
    }
    json_array_foreach(record ? sweep_record_params(record) : NULL, i, one)
    {
        if (is_scheduler_key(cs_json_get_text(one, "key", "")))
            add_setting(&s, cs_json_get_text(one, "key", ""), cs_json_get_text(one, "value", ""));
    }
    return train_spec_create_shared(&spec, longer->shared, s.list, s.count, longer->seed, NULL) == 0
               ? spec
               : NULL;
}

/* A shorter trial, and how far it got; INT_MAX: to its own end. */
struct candidate {
    const struct sweep_record *record;
    struct train_spec *spec;
    int reach;
};

enum { CANDIDATES_MAX = 64 };

struct candidates {
    struct candidate list[CANDIDATES_MAX];
    int count;
};

static int reach_of(const struct sweep_record *r)
{
    const bool by_itself = (strcmp(r->state, "stopped") == 0 && !sweep_record_is_slow(r)) ||
                           strcmp(r->state, "diverged") == 0;
    return by_itself ? INT_MAX : r->epoch;
}

/* Takes the spec. */
static void add_candidate(struct candidates *c, const struct sweep_record *record,
                          struct train_spec *spec)
{
    for (int i = 0; i < c->count; i++) {
        if (c->list[i].record == record)
            record = NULL;
    }
    if (!record || c->count == CANDIDATES_MAX)
        train_spec_free(spec);
    else
        c->list[c->count++] = (struct candidate){record, spec, reach_of(record)};
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->reach != y->reach)
        return x->reach > y->reach ? -1 : 1;
    return x->record->number - y->record->number;
}

/* Equal but for epochs; then those whose schedule was written otherwise. An id proves that all the rest is equal. */
static void find_candidates(const struct sweep_longer *l, struct candidates *c,
                            const struct sweep_trial *trial, const struct train_spec *longer)
{
    struct cs_arena arena = {0};

    for (size_t i = 0; i < l->epochs_count; i++) {
        struct train_spec *spec =
            l->epochs[i] < longer->epochs ? shorter_spec(longer, l->epochs[i], NULL) : NULL;
        const struct entry wanted = {spec ? spec->id : "", NULL};
        const struct entry *found =
            bsearch(&wanted, l->ids, l->count, sizeof wanted, compare_entries);
        if (found)
            add_candidate(c, found->record, spec);
        else
            train_spec_free(spec);
    }
    const struct entry wanted = {trial_text(&arena, trial), NULL};
    const struct entry *at = bsearch(&wanted, l->params, l->count, sizeof wanted, compare_entries);
    while (at && at > l->params && strcmp(at[-1].text, wanted.text) == 0)
        at--;
    for (; at && at < l->params + l->count && strcmp(at->text, wanted.text) == 0; at++) {
        struct train_spec *spec = at->record->epochs < longer->epochs
                                      ? shorter_spec(longer, at->record->epochs, at->record)
                                      : NULL;
        if (spec && strcmp(spec->id, at->record->id) == 0)
            add_candidate(c, at->record, spec);
        else
            train_spec_free(spec);
    }
    cs_arena_clear(&arena);
}

static int count_tag(void *context, const char *tag, const char *message)
{
    (void) tag;
    (void) message;
    ++*(int *) context;
    return 0;
}

/* A trial that was killed may have one that the journal does not know; one that was stopped early may have none. */
static bool has_checkpoint(const struct sweep_longer *l, const struct sweep_record *r)
{
    char *tag = cs_xasprintf("%s/%04d/last", l->plan->name, r->number);
    int tags = 0;

    if (sweep_record_is_over(r))
        tags = 1;
    else
        ckpt_list(l->store, tag, count_tag, &tags, NULL);
    free(tag);
    return tags > 0;
}

static bool serves(const struct sweep_longer *l, const struct candidate *c,
                   const struct train_spec *longer, struct cs_buf *why)
{
    const struct sweep_record *r = c->record;
    const bool over = sweep_record_is_over(r);
    int best = 0;

    sweep_record_best(r, l->plan->metric, &best);
    if (strcmp(r->state, "done") == 0 && longer->restore_best && best > 0 && best != r->epoch) {
        cs_buf_adds(why,
                    "restore_best = yes: shorter trials ended with the weights of another epoch");
        return false;
    }
    return train_spec_continues(c->spec, longer,
                                over || r->epoch >= r->epochs ? r->epoch : r->epoch + 1, why);
}

static void add_reason(struct sweep_longer *l, const char *text)
{
    for (size_t i = 0; i < l->reason_count; i++) {
        if (strcmp(l->reasons[i].text, text) == 0) {
            l->reasons[i].trials++;
            return;
        }
    }
    l->reasons[l->reason_count++] = (struct reason){cs_arena_strdup(&l->arena, text), 1};
}

static const char *take(struct sweep_longer *l, const struct sweep_record *r)
{
    if (l->found == 0 || r->epoch < l->first)
        l->first = r->epoch;
    if (l->found == 0 || r->epoch > l->last)
        l->last = r->epoch;
    l->found++;
    return cs_arena_printf(&l->arena, "%s/%04d", l->plan->name, r->number);
}

const char *sweep_longer_find(sweep_longer *l, const struct sweep_trial *trial)
{
    struct candidates c = {.count = 0};
    const char *tag = NULL;
    struct cs_buf first = {0};

    if (!l->collected)
        collect(l);
    l->collected = true;
    if (l->epochs_count == 0 || l->epochs[l->epochs_count - 1] >= trial->point->epochs)
        return NULL;
    struct train_spec *longer = sweep_trial_spec(l->plan, trial);
    const char *scheduler = train_spec_get(longer, "scheduler");
    find_candidates(l, &c, trial, longer);
    qsort(c.list, (size_t) c.count, sizeof *c.list, compare_candidates);
    for (int i = 0; i < c.count && !tag; i++) {
        struct cs_buf why = {0};
        if (!has_checkpoint(l, c.list[i].record))
            continue;
        if (serves(l, &c.list[i], longer, &why))
            tag = take(l, c.list[i].record);
        else if (!first.data && strcmp(train_spec_get(c.list[i].spec, "scheduler"), scheduler) == 0)
            cs_buf_adds(&first, why.data); /* another scheduler was meant to be another training */
        cs_buf_clear(&why);
    }
    if (!tag && first.data)
        add_reason(l, first.data);
    for (int i = 0; i < c.count; i++)
        train_spec_free(c.list[i].spec);
    train_spec_free(longer);
    cs_buf_clear(&first);
    return tag;
}

/* ---- what is told ---- */

void sweep_longer_text(struct cs_buf *out, const sweep_longer *l)
{
    if (l->found > 0) {
        cs_buf_addf(out, "%zu trial%s on from %s, after epoch %d", l->found,
                    l->found == 1 ? " goes" : "s go",
                    l->found == 1 ? "a shorter one" : "shorter ones", l->first);
        if (l->last > l->first)
            cs_buf_addf(out, " to %d", l->last);
        cs_buf_adds(out, "\n");
    }
    for (size_t i = 0; i < l->reason_count; i++)
        cs_buf_addf(out, "%s; %zu trial%s anew\n", l->reasons[i].text, l->reasons[i].trials,
                    l->reasons[i].trials == 1 ? " starts" : "s start");
}

void sweep_longer_json(json_t *line, const sweep_longer *l)
{
    json_t *list = json_array();

    for (size_t i = 0; i < l->reason_count; i++) {
        json_t *one = json_object();
        cs_json_set(one, "why", cs_json_text(l->reasons[i].text));
        cs_json_set(one, "trials", json_integer((json_int_t) l->reasons[i].trials));
        json_array_append_new(list, one);
    }
    if (l->found > 0)
        cs_json_set(line, "continued", json_integer((json_int_t) l->found));
    if (l->reason_count > 0)
        cs_json_set(line, "anew", json_incref(list));
    json_decref(list);
}
