/*
 * spec.c - settings to typed numbers. The table of keys: spec_keys.c.
 */
#include "trainer/spec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "common/cs_ini.h"
#include "kernels/loss.h"
#include "kernels/optim.h"
#include "trainer/data/data.h"
#include "trainer/model.h"
#include "trainer/schedulers/schedule.h"
#include "trainer/spec_impl.h"

static const struct train_setting *find_setting(const struct train_setting *settings, size_t count,
                                                const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    }
    return NULL;
}

static int at_line(int rc, const struct train_setting *setting, struct cs_error *err)
{
    if (rc < 0 && err && setting)
        err->line = setting->line;
    return rc;
}

/* The place of a key among the settings, -1: not in force. Groups' keys stand behind the others. */
static int find_place(const struct train_spec *spec, const char *key)
{
    const int name = train_key_name(key);

    if (name >= 0)
        return spec->places[name];
    for (size_t i = spec->setting_count; i-- > 0 && strchr(spec->settings[i].key, '.');) {
        if (strcmp(spec->settings[i].key, key) == 0)
            return (int) i;
    }
    return -1;
}

const char *train_spec_get(const struct train_spec *spec, const char *key)
{
    const int place = find_place(spec, key);
    return place < 0 ? NULL : spec->settings[place].value;
}

/* Number of a setting in effect. */
static double number(const struct train_spec *spec, const char *key)
{
    return spec->values[find_place(spec, key)]->num;
}

static bool is_yes(const struct train_spec *spec, const char *key)
{
    return strcmp(train_spec_get(spec, key), "yes") == 0;
}

/* Settings on their way into a spec. */
struct building {
    struct train_spec *spec;
    const struct train_setting *given;
    size_t count;
    int given_at[TRAIN_KEYS_MAX];    /* by number of the name: 1 + the first among given, 0: none */
    bool is_default[TRAIN_KEYS_MAX]; /* of the spec's settings */
    struct train_setting settings[TRAIN_KEYS_MAX];
    const struct cs_value *values[TRAIN_KEYS_MAX];
};

/* Is row i in force, given the settings made so far (owners come before what they own)? */
static bool in_force(const struct building *b, size_t i)
{
    size_t count;
    const struct train_key *key = &train_keys(&count)[i];
    const int place = key->owner ? b->spec->places[train_key_facts()[i].owner] : 0;

    if (!key->owner || place < 0)
        return !key->owner;
    return b->settings[place].value == key->owner; /* both are a row's choice (spec_keys.c) */
}

static void add_setting(struct building *b, const char *key, const struct cs_value *value, int line,
                        bool is_default)
{
    const size_t at = b->spec->setting_count++;

    b->settings[at] = (struct train_setting){key, value->text, line};
    b->values[at] = value;
    b->is_default[at] = is_default;
}

/* Every key in force with its value, given or default, canonical. */
static int complete(struct building *b, struct cs_error *err)
{
    size_t key_count;
    const struct train_key *all = train_keys(&key_count);
    const struct train_key_facts *facts = train_key_facts();

    memset(b->given_at, 0, sizeof b->given_at);
    for (size_t i = b->count; i-- > 0;) {
        const int name = train_key_name(b->given[i].key);
        if (name >= 0)
            b->given_at[name] = (int) i + 1;
    }
    for (size_t i = 0; i < key_count; i++) {
        const struct cs_value *value = &facts[i].standard;
        const int name = facts[i].name;
        if (!in_force(b, i)) {
            i = (size_t) facts[i].end - 1;
            continue;
        }
        const struct train_setting *s = b->given_at[name] ? &b->given[b->given_at[name] - 1] : NULL;
        if (s)
            CS_TRY(at_line(train_shared_parse(&value, b->spec->shared, all[i].row, s->value, err),
                           s, err));
        b->spec->places[name] = (int16_t) b->spec->setting_count;
        add_setting(b, all[i].row->name, value, s ? s->line : 0,
                    !s || strcmp(value->text, facts[i].standard.text) == 0);
    }
    return 0;
}

/* What [group NAME] sections set, behind the rest: never a default, for they stand beside the common value. */
static int complete_groups(struct building *b, struct cs_error *err)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct train_setting *s = &b->given[i];
        const struct train_key *key =
            train_key_group_part(s->key) ? train_key_find(s->key, NULL) : NULL;
        const struct cs_value *value;
        size_t count;

        while (key && key->owner && !in_force(b, (size_t) (key - train_keys(&count))))
            key = train_key_find(s->key, key);
        if (!key)
            continue; /* check_given tells */
        if (b->spec->setting_count == TRAIN_KEYS_MAX)
            return cs_fail(err, CS_ERANGE, "%s: more than %d settings", s->key, TRAIN_KEYS_MAX);
        CS_TRY(
            at_line(train_shared_parse(&value, b->spec->shared, key->row, s->value, err), s, err));
        add_setting(b, train_shared_text(b->spec->shared, s->key), value, s->line, false);
    }
    return 0;
}

static int check_given(const struct building *b, struct cs_error *err)
{
    const struct train_spec *spec = b->spec;

    for (size_t i = 0; i < b->count; i++) {
        const struct train_setting *s = &b->given[i];
        const struct train_key *key = train_key_find(s->key, NULL);
        const int name = train_key_name(s->key);
        if (!key)
            return at_line(train_key_unknown(s->key, err), s, err);
        if (find_place(spec, s->key) < 0 && name < 0)
            return at_line(cs_fail(err, CS_ENONAME, "%s: not a key of optimizer = %s", s->key,
                                   train_spec_get(spec, "optimizer")),
                           s, err);
        if (find_place(spec, s->key) < 0)
            return at_line(cs_fail(err, CS_ENONAME, "%s: not a key of %s = %s", s->key,
                                   key->owner_key, train_spec_get(spec, key->owner_key)),
                           s, err);
        const struct train_setting *first =
            name < 0 ? find_setting(b->given, b->count, s->key) : &b->given[b->given_at[name] - 1];
        if (first != s)
            return at_line(cs_fail(err, CS_EPARSE, "%s: given twice", s->key), s, err);
    }
    return 0;
}

/* All settings in effect, checked one by one. */
static int take_settings(struct building *b, struct cs_error *err)
{
    struct train_spec *spec = b->spec;
    size_t key_count;

    train_keys(&key_count);
    spec->places = cs_arena_alloc(&spec->arena, key_count * sizeof *spec->places);
    memset(spec->places, -1, key_count * sizeof *spec->places);
    spec->settings = b->settings;
    spec->values = b->values;
    int rc = complete(b, err);
    rc = rc < 0 ? rc : complete_groups(b, err);
    rc = rc < 0 ? rc : check_given(b, err);
    const size_t count = spec->setting_count;
    spec->settings = cs_arena_alloc(&spec->arena, count * sizeof *spec->settings);
    spec->values = cs_arena_alloc(&spec->arena, count * sizeof(struct cs_value *));
    memcpy(spec->settings, b->settings, count * sizeof *spec->settings);
    memcpy(spec->values, b->values, count * sizeof(struct cs_value *));
    return rc;
}

void train_spec_fill_args(double *args, int space, const struct train_spec *spec,
                          const struct cs_param *rows, int count, const char *group)
{
    int at = 0;

    for (int i = 0; i < count; i++) {
        int place = find_place(spec, rows[i].name);
        if (*group) {
            char *key = cs_xasprintf("%s.%s", group, rows[i].name);
            const int own = find_place(spec, key);
            place = own < 0 ? place : own;
            free(key);
        }
        at += cs_value_flatten(args + at, space - at, &rows[i], spec->values[place]);
    }
}

static void set_value(struct train_spec *spec, const char *key, const char *canonical)
{
    const int place = find_place(spec, key);

    if (strcmp(spec->settings[place].value, canonical) != 0)
        spec->settings[place].value = train_shared_text(spec->shared, canonical);
}

static int take_normalize(struct train_spec *spec, struct cs_error *err)
{
    static const struct cs_param row = {"normalize", CS_FLOATS, "0 1", -INFINITY,
                                        INFINITY,    2,         NULL,  "mean, std"};
    const char *text = train_spec_get(spec, "normalize");
    const struct cs_value *value;

    spec->mean = 0;
    spec->std = 1;
    if (strcmp(text, "unit") == 0)
        return 0;
    if (train_shared_parse(&value, spec->shared, &row, text, NULL) < 0 ||
        !isfinite((float) value->list[0]) || !isfinite((float) value->list[1]) ||
        !((float) value->list[1] > 0))
        return cs_fail(err, CS_EPARSE, "normalize = %s: must be unit, or MEAN STD with STD > 0",
                       text);
    spec->mean = (float) value->list[0];
    spec->std = (float) value->list[1];
    set_value(spec, "normalize", value->text);
    return 0;
}

static int take_data(struct train_spec *spec, const struct train_data_info **info,
                     struct cs_error *err)
{
    struct cs_error inner;
    int64_t val;

    spec->dataset = train_spec_get(spec, "dataset");
    spec->path = train_spec_get(spec, "path");
    spec->batch_size = (int) number(spec, "batch_size");
    spec->eval_batch_size = (int) number(spec, "eval_batch_size");
    if (spec->eval_batch_size == 0)
        spec->eval_batch_size = spec->batch_size;
    spec->shuffle = is_yes(spec, "shuffle");
    spec->val_split = number(spec, "val_split");
    spec->limit = (int64_t) number(spec, "limit");
    if (spec->val_split >= 1 && spec->val_split != floor(spec->val_split))
        return cs_fail(err, CS_ERANGE,
                       "val_split = %s: must be a fraction below 1 or a whole count",
                       train_spec_get(spec, "val_split"));
    int rc = train_shared_dataset(info, spec->shared, spec->dataset, spec->path, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "dataset = %s: %s", spec->dataset, inner.detail);
    spec->data = *info;
    rc = train_data_sizes(&spec->train_examples, &val, *info, spec->limit, spec->val_split, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "val_split = %s, limit = %lld: %s",
                       train_spec_get(spec, "val_split"), (long long) spec->limit, inner.detail);
    return take_normalize(spec, err);
}

/* The last batch of an epoch may be too small for a layer: 2001 examples in batches of 50 leave one alone. */
static int check_batches(const struct train_spec *spec, struct cs_error *err)
{
    const int64_t left = spec->train_examples % spec->batch_size;
    const int smallest = left ? (int) left : spec->batch_size;
    struct cs_error inner;
    const int rc = train_model_check_batch(spec->model, smallest, &inner);

    if (rc == 0)
        return 0;
    return cs_fail(
        err, rc,
        "batch_size = %d: %s, and of %lld examples the last batch of an epoch has %d; expected "
        "another batch_size or limit",
        spec->batch_size, inner.detail, (long long) spec->train_examples, smallest);
}

static int take_model(struct train_spec *spec, const struct train_data_info *info,
                      struct cs_error *err)
{
    const char *layers = train_spec_get(spec, "layers");
    struct cs_error inner;

    if (!*layers)
        return cs_fail(
            err, CS_EPARSE,
            "layers: missing; expected for example flatten > linear 512 > relu > linear 10");
    const int rc =
        train_shared_take_model(&spec->shared_model, spec->shared, layers, &info->shape, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "layers = %.200s: %s", layers, inner.detail);
    spec->model = spec->shared_model->model;
    set_value(spec, "layers", spec->shared_model->text); /* blanks do not make another model */
    spec->parameters = spec->model->parameters;
    return check_batches(spec, err);
}

/* How weights start, and where all random numbers come from. */
static int take_init(struct train_spec *spec, struct cs_error *err)
{
    struct train_init *init = &spec->init;

    init->scheme = train_init_find(train_spec_get(spec, "init"));
    train_spec_fill_args(init->args, TRAIN_INIT_ARGS, spec, init->scheme->params,
                         init->scheme->param_count, "");
    init->zero_bias = strcmp(train_spec_get(spec, "init_bias"), "zeros") == 0;
    spec->torch = strcmp(train_spec_get(spec, "rng"), "torch") == 0;
    if (spec->torch && !train_init_follows_torch(init->scheme))
        return cs_fail(err, CS_ERANGE,
                       "init = %s: rng = torch cannot draw it: PyTorch's normal numbers differ "
                       "between instruction sets; expected pytorch, xavier_uniform, "
                       "kaiming_uniform or zeros",
                       init->scheme->name);
    for (int i = 0; i < spec->model->layer_count && spec->torch; i++) {
        const struct train_layer_kind *kind = spec->model->layers[i].kind;
        if (kind->by_place_only)
            return cs_fail(err, CS_ERANGE,
                           "rng = torch: layer %s draws normal numbers, and PyTorch's differ "
                           "between instruction sets; expected philox",
                           kind->name);
    }
    return 0;
}

/* The place of momentum, or of the first of betas, among the optimizer's args; -1: there is none. */
static int momentum_place(const struct kern_optim *optim)
{
    int at = 0;

    for (int i = 0; i < optim->param_count; i++) {
        const struct cs_param *row = &optim->params[i];
        if (strcmp(row->name, "momentum") == 0 || strcmp(row->name, "betas") == 0)
            return at;
        at += row->type == CS_FLOATS || row->type == CS_INTS ? row->count : 1;
    }
    return -1;
}

static int take_schedule(struct train_spec *spec, struct cs_error *err)
{
    CS_TRY(train_shared_take_schedule(&spec->shared_schedule, spec->shared, spec, err));
    spec->schedule = spec->shared_schedule->schedule;
    if (spec->shared_schedule->key)
        set_value(spec, spec->shared_schedule->key, spec->shared_schedule->canonical);
    spec->momentum_arg = momentum_place(spec->optim);
    if (spec->momentum_arg < 0 && !isnan(train_schedule_momentum(spec->schedule)))
        return cs_fail(err, CS_ERANGE,
                       "scheduler = %s: optimizer = %s has no momentum to drive; expected "
                       "cycle_momentum = no",
                       train_spec_get(spec, "scheduler"), spec->optim->name);
    return 0;
}

static int take_averages(struct train_spec *spec, struct cs_error *err)
{
    spec->lookahead = (int) number(spec, "lookahead");
    spec->lookahead_alpha = number(spec, "lookahead_alpha");
    spec->ema = number(spec, "ema");
    spec->swa_start = (int) number(spec, "swa_start");
    if (spec->lookahead == 0 && spec->lookahead_alpha != 0.5)
        return cs_fail(
            err, CS_ERANGE,
            "lookahead_alpha = %s: does nothing with lookahead = 0; expected lookahead = K",
            train_spec_get(spec, "lookahead_alpha"));
    if (!(spec->lookahead_alpha > 0))
        return cs_fail(err, CS_ERANGE, "lookahead_alpha = 0: must be above 0, at most 1");
    if (!(spec->ema < 1))
        return cs_fail(err, CS_ERANGE, "ema = 1: must be a decay below 1, such as 0.999; 0: off");
    if (spec->swa_start > spec->epochs)
        return cs_fail(err, CS_ERANGE, "swa_start = %d: expected at most epochs = %d",
                       spec->swa_start, spec->epochs);
    if (spec->swa_start > 0 && spec->ema > 0)
        return cs_fail(
            err, CS_ERANGE,
            "swa_start = %d: ema = %s averages the weights already; expected one of them",
            spec->swa_start, train_spec_get(spec, "ema"));
    return 0;
}

static int take_training(struct train_spec *spec, struct cs_error *err)
{
    spec->epochs = (int) number(spec, "epochs");
    spec->loss_average_batches = strcmp(train_spec_get(spec, "loss_average"), "batches") == 0;
    spec->checkpoint_every = (int) number(spec, "checkpoint_every");
    spec->histograms = (int) number(spec, "histograms");
    spec->media = is_yes(spec, "media");
    spec->clip_norm = number(spec, "clip_norm");
    spec->clip_value = number(spec, "clip_value");
    spec->l1 = number(spec, "l1");
    spec->accumulate = (int) number(spec, "accumulate");
    spec->early_stopping = (int) number(spec, "early_stopping");
    spec->min_delta = number(spec, "min_delta");
    spec->restore_best = is_yes(spec, "restore_best");
    CS_TRY(take_averages(spec, err));
    spec->optim = kern_optim_find(train_spec_get(spec, "optimizer"));
    train_spec_fill_args(spec->optim_args, TRAIN_ARGS, spec, spec->optim->params,
                         spec->optim->param_count, "");
    if (spec->optim->check)
        CS_TRY(spec->optim->check(spec->optim_args, err));
    return take_schedule(spec, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The names of the groups, sorted: nothing depends on the order in the file. */
static int group_names(const char **names, struct train_spec *spec, struct cs_error *err)
{
    int count = 0;

    for (size_t i = 0; i < spec->setting_count; i++) {
        const char *key = spec->settings[i].key, *part = train_key_group_part(key);
        if (!part)
            continue;
        const char *name = cs_arena_strndup(&spec->arena, key, (size_t) (part - key) - 1);
        int k = 0;
        while (k < count && strcmp(names[k], name) != 0)
            k++;
        if (k == count && count == TRAIN_GROUPS - 1)
            return cs_fail(err, CS_ERANGE, "%s: more than %d groups", key, TRAIN_GROUPS - 1);
        if (k == count)
            names[count++] = name;
    }
    qsort(names, (size_t) count, sizeof *names, compare_names);
    return count;
}

static const struct train_setting *first_of_group(const struct train_spec *spec, const char *name)
{
    const size_t size = strlen(name);

    for (size_t i = 0; i < spec->setting_count; i++) {
        const struct train_setting *s = &spec->settings[i];
        if (strncmp(s->key, name, size) == 0 && s->key[size] == '.')
            return s;
    }
    return NULL;
}

static int take_group(struct train_spec *spec, const char *name, struct cs_error *err)
{
    const int g = spec->group_count++;
    struct train_group *group = &spec->groups[g];
    const char *freeze = train_spec_get(spec, cs_arena_printf(&spec->arena, "%s.freeze", name));
    bool used = false;

    group->name = name;
    group->match = train_spec_get(spec, cs_arena_printf(&spec->arena, "%s.match", name));
    group->frozen = freeze && strcmp(freeze, "yes") == 0;
    if (!group->match || !*group->match)
        return at_line(
            cs_fail(err, CS_EPARSE, "%s.match: missing; expected a pattern such as 4.*", name),
            first_of_group(spec, name), err);
    train_spec_fill_args(group->args, TRAIN_ARGS, spec, spec->optim->params,
                         spec->optim->param_count, name);
    for (int i = 0; i < spec->model->segment_count; i++) {
        if (spec->model->segments[i].buffer ||
            !cs_glob(group->match, spec->model->segments[i].name))
            continue;
        if (spec->segment_group[i])
            return cs_fail(err, CS_ERANGE, "%s.match = %s: parameter %s is in group %s already",
                           name, group->match, spec->model->segments[i].name,
                           spec->groups[spec->segment_group[i]].name);
        spec->segment_group[i] = (uint8_t) g;
        used = true;
    }
    if (!used)
        return cs_fail(err, CS_ENONAME, "%s.match = %s: matches no parameter; there are %s ... %s",
                       name, group->match, spec->model->segments[0].name,
                       spec->model->segments[spec->model->segment_count - 1].name);
    return spec->optim->check ? spec->optim->check(group->args, err) : 0;
}

/* A schedule that drives momentum sets it from the first step on: SGD keeps the state for it though momentum = 0. */
static void take_momentum(struct train_spec *spec)
{
    const double momentum = train_schedule_momentum(spec->schedule);

    for (int g = 0; g < spec->group_count && !isnan(momentum); g++)
        spec->groups[g].args[spec->momentum_arg] = momentum;
}

/* Which group each parameter tensor belongs to. */
static int take_groups(struct train_spec *spec, struct cs_error *err)
{
    const char *names[TRAIN_GROUPS];
    const int count = group_names(names, spec, err);
    bool trained = false;

    if (count < 0)
        return count;
    spec->group_count = 1;
    spec->groups[0].name = spec->groups[0].match = "";
    memcpy(spec->groups[0].args, spec->optim_args, sizeof spec->optim_args);
    spec->segment_group = cs_arena_alloc(&spec->arena, (size_t) spec->model->segment_count);
    for (int i = 0; i < count; i++)
        CS_TRY(take_group(spec, names[i], err));
    take_momentum(spec);
    for (int i = 0; i < spec->model->segment_count; i++)
        trained = trained || train_spec_trains(spec, i);
    return trained ? 0 : cs_fail(err, CS_ERANGE, "%s.freeze: nothing is left to train", names[0]);
}

int train_spec_variant(const struct train_spec *spec, int segment)
{
    const double *args = spec->groups[spec->segment_group[segment]].args;
    return spec->optim->variant(args);
}

int train_spec_segment_slots(const struct train_spec *spec, int segment)
{
    return train_spec_trains(spec, segment) ? spec->optim->slots(train_spec_variant(spec, segment))
                                            : 0;
}

int train_spec_slots(const struct train_spec *spec)
{
    int most = 0;

    for (int g = 0; g < spec->group_count; g++) {
        const int slots = spec->optim->slots(spec->optim->variant(spec->groups[g].args));
        most = slots > most ? slots : most;
    }
    return most;
}

bool train_spec_trains(const struct train_spec *spec, int segment)
{
    return !spec->model->segments[segment].buffer &&
           !spec->groups[spec->segment_group[segment]].frozen;
}

/* The line of the setting that the message begins with. */
static int find_fault(int rc, const struct train_spec *spec, struct cs_error *err)
{
    if (rc == 0 || !err || err->line)
        return rc;
    for (size_t i = 0; i < spec->setting_count; i++) {
        const size_t size = strlen(spec->settings[i].key);
        if (strncmp(err->detail, spec->settings[i].key, size) == 0 &&
            strchr(" :,", err->detail[size]))
            err->line = spec->settings[i].line;
    }
    return rc;
}

static int compare_settings(const void *a, const void *b)
{
    return strcmp(((const struct train_setting *) a)->key, ((const struct train_setting *) b)->key);
}

static void add_line(struct cs_buf *out, const char *key, const char *value)
{
    cs_buf_adds(out, key);
    cs_buf_add(out, " = ", 3);
    cs_buf_adds(out, value);
    cs_buf_add(out, "\n", 1);
}

void train_spec_reseed(struct train_spec *spec, uint64_t seed)
{
    struct cs_buf *text = &spec->shared->text;

    spec->seed = seed;
    text->size = 0;
    cs_buf_adds(text, spec->identity);
    cs_buf_addf(text, "seed = %llu\n", (unsigned long long) seed);
    ckpt_hash(spec->id, text->data, text->size);
}

/* What must agree between the trials of one bundle. */
static void find_shape(struct train_spec *spec)
{
    struct cs_buf *text = &spec->shared->text;
    const char *const parts[] = {
        spec->dataset,
        spec->path,
        train_spec_get(spec, "limit"),
        train_spec_get(spec, "val_split"),
        train_spec_get(spec, "batch_size"),
        train_spec_get(spec, spec->eval_batch_size == spec->batch_size ? "batch_size"
                                                                       : "eval_batch_size"),
        spec->shuffle ? "1" : "0",
        train_spec_get(spec, "normalize"),
        spec->loss->name,
        spec->shared_model->shape_text,
    };

    text->size = 0;
    for (size_t i = 0; i < CS_COUNT(parts); i++) {
        cs_buf_add(text, "|", i > 0);
        cs_buf_adds(text, parts[i]);
    }
    cs_buf_adds(text, spec->torch ? "|torch" : "");
    for (int i = 0; i < spec->model->segment_count; i++) {
        if (!train_spec_trains(spec, i))
            cs_buf_addf(text, "|%d", i);
    }
    memcpy(spec->shape_key, train_shared_hash(spec->shared, text->data), sizeof spec->shape_key);
}

bool train_key_is_about_files(const char *key)
{
    return strcmp(key, "checkpoint_every") == 0 || strcmp(key, "histograms") == 0 ||
           strcmp(key, "media") == 0;
}

static void identify(struct train_spec *spec, const bool *is_default)
{
    struct cs_buf *text = &spec->shared->text;
    struct train_setting sorted[TRAIN_KEYS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < spec->setting_count; i++) {
        if (!is_default[i] && !train_key_is_about_files(spec->settings[i].key))
            sorted[count++] = spec->settings[i];
    }
    qsort(sorted, count, sizeof *sorted, compare_settings);
    text->size = 0;
    cs_buf_adds(text, "");
    for (size_t i = 0; i < count; i++)
        add_line(text, sorted[i].key, sorted[i].value);
    ckpt_hash(spec->point_id, text->data, text->size);
    spec->identity = cs_arena_strdup(&spec->arena, text->data);
    train_spec_reseed(spec, spec->seed);
    find_shape(spec);
}

static int build(struct train_spec *spec, const struct train_setting *settings, size_t count,
                 struct cs_error *err)
{
    const struct train_data_info *info;
    struct building b;

    b.spec = spec;
    b.given = settings;
    b.count = count;
    CS_TRY(take_settings(&b, err));
    CS_TRY(find_fault(take_data(spec, &info, err), spec, err));
    CS_TRY(find_fault(take_training(spec, err), spec, err));
    CS_TRY(find_fault(take_model(spec, info, err), spec, err));
    CS_TRY(find_fault(train_spec_take_loss(spec, info, err), spec, err));
    CS_TRY(find_fault(take_init(spec, err), spec, err));
    CS_TRY(find_fault(take_groups(spec, err), spec, err));
    identify(spec, b.is_default);
    return 0;
}

int train_spec_create_shared(struct train_spec **out, struct train_shared *shared,
                             const struct train_setting *settings, size_t count, uint64_t seed,
                             struct cs_error *err)
{
    struct train_spec *spec = cs_xcalloc(1, sizeof *spec);

    spec->seed = seed;
    spec->shared = shared;
    shared->references++;
    const int rc = build(spec, settings, count, err);
    if (rc < 0)
        train_spec_free(spec);
    else
        *out = spec;
    return rc;
}

int train_spec_create(struct train_spec **out, const struct train_setting *settings, size_t count,
                      uint64_t seed, struct cs_error *err)
{
    struct train_shared *shared = train_shared_create();
    const int rc = train_spec_create_shared(out, shared, settings, count, seed, err);

    train_shared_free(shared);
    return rc;
}

int train_spec_check_data(const struct train_spec *spec, struct cs_error *err)
{
    return train_data_check(spec, err);
}

void train_spec_free(struct train_spec *spec)
{
    if (!spec)
        return;
    train_shared_drop_model(spec->shared_model);
    train_shared_drop_schedule(spec->shared_schedule);
    train_shared_free(spec->shared);
    cs_arena_clear(&spec->arena);
    free(spec);
}

void train_spec_config(struct cs_buf *out, const struct train_spec *spec)
{
    const char *section = "sweep";

    cs_buf_addf(out, "[sweep]\nseed = %llu\n", (unsigned long long) spec->seed);
    for (size_t i = 0; i < spec->setting_count; i++) {
        const struct train_setting *s = &spec->settings[i];
        const struct train_key *key = train_key_find(s->key, NULL);
        if (!*s->value || train_key_group_part(s->key))
            continue; /* empty: the default of a text key */
        if (strcmp(key->section, section) != 0)
            cs_buf_addf(out, "\n[%s]\n", key->section);
        section = key->section;
        cs_buf_addf(out, "%s = %s\n", s->key, s->value);
    }
    for (int g = 1; g < spec->group_count; g++) {
        const size_t size = strlen(spec->groups[g].name);
        cs_buf_addf(out, "\n[group %s]\n", spec->groups[g].name);
        for (size_t i = 0; i < spec->setting_count; i++) {
            const struct train_setting *s = &spec->settings[i];
            if (strncmp(s->key, spec->groups[g].name, size) == 0 && s->key[size] == '.')
                cs_buf_addf(out, "%s = %s\n", s->key + size + 1, s->value);
        }
    }
}

static void keep_first(void *context, const struct cs_error *err)
{
    struct cs_error *first = context;
    if (first->code == 0)
        *first = *err;
}

/* Digits only: a double would round seeds above 2^53. */
static bool take_seed(uint64_t *out, const char *text)
{
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return *text && text[strspn(text, "0123456789")] == '\0' && errno == 0;
}

int train_spec_load(struct train_spec **out, const char *name, const char *text, size_t size,
                    struct cs_error *err)
{
    struct cs_arena arena = {0};
    struct cs_error bad = {0};
    struct cs_ini ini;
    uint64_t seed = 0;
    size_t count = 0;
    int rc = 0;

    cs_ini_parse(&ini, name, text, size, keep_first, &bad, &arena);
    struct train_setting *settings = cs_arena_alloc(&arena, (ini.count + 1) * sizeof *settings);
    for (size_t i = 0; i < ini.count && rc == 0; i++) {
        const struct cs_ini_entry *e = &ini.entries[i];
        if (!e->key)
            continue;
        if (strncmp(e->section, "group ", 6) == 0)
            settings[count++] = (struct train_setting){
                cs_arena_printf(&arena, "%s.%s", e->section + 6, e->key), e->value, e->line};
        else if (strcmp(e->section, "sweep") != 0)
            settings[count++] = (struct train_setting){e->key, e->value, e->line};
        else if (strcmp(e->key, "seed") != 0 || !take_seed(&seed, e->value))
            rc = cs_fail_at(err,
                            cs_fail(err, CS_EPARSE, "%s = %s: expected seed = N", e->key, e->value),
                            name, e->line);
    }
    if (bad.code) {
        if (err)
            *err = bad;
        rc = bad.code;
    }
    if (rc == 0) {
        rc = train_spec_create(out, settings, count, seed, err);
        if (rc < 0 && err)
            cs_fail_at(err, rc, name, err->line);
    }
    cs_arena_clear(&arena);
    return rc;
}
