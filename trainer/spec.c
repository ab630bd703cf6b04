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

const char *train_spec_get(const struct train_spec *spec, const char *key)
{
    const struct train_setting *s = find_setting(spec->settings, spec->setting_count, key);
    return s ? s->value : NULL;
}

/* Number of a setting in effect; its row has parsed it already. */
static double number(const struct train_spec *spec, const char *key)
{
    double value = 0;
    cs_parse_double(&value, train_spec_get(spec, key));
    return value;
}

static bool is_yes(const struct train_spec *spec, const char *key)
{
    return strcmp(train_spec_get(spec, key), "yes") == 0;
}

/* Is the row in force, given the settings made so far (owners come before what they own)? */
static bool in_force(const struct train_key *key, const struct train_spec *spec)
{
    if (!key->owner)
        return true;
    const char *chosen = train_spec_get(spec, key->owner_key);
    return chosen && strcmp(chosen, key->owner) == 0;
}

/* Every key in force with its value, given or default, canonical; non-default ones are marked by line < 0 copies. */
static int complete(struct train_spec *spec, bool *is_default, const struct train_setting *given,
                    size_t count, struct cs_error *err)
{
    size_t key_count;
    const struct train_key *all = train_keys(&key_count);

    for (size_t i = 0; i < key_count; i++) {
        const struct cs_param *row = all[i].row;
        struct cs_value value, standard;
        if (!in_force(&all[i], spec))
            continue;
        const struct train_setting *s = find_setting(given, count, row->name);
        CS_TRY(cs_param_parse(&standard, row, row->def, &spec->arena, err));
        CS_TRY(at_line(cs_param_parse(&value, row, s ? s->value : row->def, &spec->arena, err), s,
                       err));
        is_default[spec->setting_count] = strcmp(value.text, standard.text) == 0;
        spec->settings[spec->setting_count++] =
            (struct train_setting){row->name, value.text, s ? s->line : 0};
    }
    return 0;
}

/* What [group NAME] sections set, behind the rest: never a default, for they stand beside the common value. */
static int complete_groups(struct train_spec *spec, bool *is_default,
                           const struct train_setting *given, size_t count, struct cs_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct train_setting *s = &given[i];
        const struct train_key *key =
            train_key_group_part(s->key) ? train_key_find(s->key, NULL) : NULL;
        struct cs_value value;

        while (key && !in_force(key, spec))
            key = train_key_find(s->key, key);
        if (!key)
            continue; /* check_given tells */
        if (spec->setting_count == TRAIN_KEYS_MAX)
            return cs_fail(err, CS_ERANGE, "%s: more than %d settings", s->key, TRAIN_KEYS_MAX);
        CS_TRY(at_line(cs_param_parse(&value, key->row, s->value, &spec->arena, err), s, err));
        is_default[spec->setting_count] = false;
        spec->settings[spec->setting_count++] =
            (struct train_setting){cs_arena_strdup(&spec->arena, s->key), value.text, s->line};
    }
    return 0;
}

static int check_given(const struct train_spec *spec, const struct train_setting *given,
                       size_t count, struct cs_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct train_setting *s = &given[i];
        const struct train_key *key = train_key_find(s->key, NULL);
        if (!key)
            return at_line(train_key_unknown(s->key, err), s, err);
        if (!train_spec_get(spec, s->key) && train_key_group_part(s->key))
            return at_line(cs_fail(err, CS_ENONAME, "%s: not a key of optimizer = %s", s->key,
                                   train_spec_get(spec, "optimizer")),
                           s, err);
        if (!train_spec_get(spec, s->key))
            return at_line(cs_fail(err, CS_ENONAME, "%s: not a key of %s = %s", s->key,
                                   key->owner_key, train_spec_get(spec, key->owner_key)),
                           s, err);
        if (find_setting(given, count, s->key) != s)
            return at_line(cs_fail(err, CS_EPARSE, "%s: given twice", s->key), s, err);
    }
    return 0;
}

void train_spec_fill_args(double *args, int space, const struct train_spec *spec,
                          const struct cs_param *rows, int count, const char *group)
{
    struct cs_arena arena = {0};
    int at = 0;

    for (int i = 0; i < count; i++) {
        struct cs_value value;
        const char *own =
            *group ? train_spec_get(spec, cs_arena_printf(&arena, "%s.%s", group, rows[i].name))
                   : NULL;
        const char *text = own ? own : train_spec_get(spec, rows[i].name);
        if (cs_param_parse(&value, &rows[i], text, &arena, NULL) == 0)
            at += cs_value_flatten(args + at, space - at, &rows[i], &value);
    }
    cs_arena_clear(&arena);
}

static void set_value(struct train_spec *spec, const char *key, const char *canonical)
{
    for (size_t i = 0; i < spec->setting_count; i++) {
        if (strcmp(spec->settings[i].key, key) == 0)
            spec->settings[i].value = cs_arena_strdup(&spec->arena, canonical);
    }
}

static int take_normalize(struct train_spec *spec, struct cs_error *err)
{
    static const struct cs_param row = {"normalize", CS_FLOATS, "0 1", -INFINITY,
                                        INFINITY,    2,         NULL,  "mean, std"};
    const char *text = train_spec_get(spec, "normalize");
    struct cs_value value;

    spec->mean = 0;
    spec->std = 1;
    if (strcmp(text, "unit") == 0)
        return 0;
    if (cs_param_parse(&value, &row, text, &spec->arena, NULL) < 0 ||
        !isfinite((float) value.list[0]) || !isfinite((float) value.list[1]) ||
        !((float) value.list[1] > 0))
        return cs_fail(err, CS_EPARSE, "normalize = %s: must be unit, or MEAN STD with STD > 0",
                       text);
    spec->mean = (float) value.list[0];
    spec->std = (float) value.list[1];
    set_value(spec, "normalize", value.text);
    return 0;
}

static int take_data(struct train_spec *spec, struct train_data_info *info, struct cs_error *err)
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
    int rc = train_data_describe(info, spec->dataset, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "dataset = %s: %s", spec->dataset, inner.detail);
    rc = train_data_sizes(&spec->train_examples, &val, info, spec->limit, spec->val_split, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "val_split = %s, limit = %lld: %s",
                       train_spec_get(spec, "val_split"), (long long) spec->limit, inner.detail);
    return take_normalize(spec, err);
}

/* Spacing around > does not make another model. */
static void set_canonical_layers(struct train_spec *spec)
{
    struct cs_buf text = {0};

    train_model_text(&text, spec->model);
    set_value(spec, "layers", text.data);
    cs_buf_clear(&text);
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
    const int rc = train_model_create(&spec->model, layers, &info->shape, &inner);
    if (rc < 0)
        return cs_fail(err, rc, "layers = %.200s: %s", layers, inner.detail);
    set_canonical_layers(spec);
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

static const char *look_up(void *context, const char *key)
{
    return train_spec_get(context, key);
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
    const char *canonical, *key;

    CS_TRY(train_schedule_create(&spec->schedule, look_up, spec, &spec->arena, err));
    key = train_schedule_text_key(spec->schedule, &canonical);
    if (key)
        set_value(spec, key, canonical);
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

static void identify(struct train_spec *spec, const bool *is_default)
{
    struct cs_buf text = {0};
    struct train_setting *sorted = cs_xcalloc(spec->setting_count + 1, sizeof *sorted);
    size_t count = 0;

    for (size_t i = 0; i < spec->setting_count; i++) {
        if (!is_default[i] && strcmp(spec->settings[i].key, "checkpoint_every") != 0)
            sorted[count++] = spec->settings[i];
    }
    qsort(sorted, count, sizeof *sorted, compare_settings);
    cs_buf_adds(&text, "");
    for (size_t i = 0; i < count; i++)
        cs_buf_addf(&text, "%s = %s\n", sorted[i].key, sorted[i].value);
    ckpt_hash(spec->point_id, text.data, text.size);
    cs_buf_addf(&text, "seed = %llu\n", (unsigned long long) spec->seed);
    ckpt_hash(spec->id, text.data, text.size);
    cs_buf_clear(&text);
    free(sorted);

    char *data = train_data_key(spec);
    cs_buf_addf(&text, "%s|%d|%d|%d|%s|%s|", data, spec->batch_size, spec->eval_batch_size,
                spec->shuffle, train_spec_get(spec, "normalize"), spec->loss->name);
    train_model_shape_text(&text, spec->model);
    cs_buf_adds(&text, spec->torch ? "|torch" : "");
    for (int i = 0; i < spec->model->segment_count; i++)
        cs_buf_adds(&text,
                    train_spec_trains(spec, i) ? "" : cs_arena_printf(&spec->arena, "|%d", i));
    ckpt_hash(spec->shape_key, text.data, text.size);
    cs_buf_clear(&text);
    free(data);
}

static int build(struct train_spec *spec, const struct train_setting *settings, size_t count,
                 struct cs_error *err)
{
    struct train_data_info info;
    bool is_default[TRAIN_KEYS_MAX];

    spec->settings = cs_arena_alloc(&spec->arena, TRAIN_KEYS_MAX * sizeof *spec->settings);
    CS_TRY(complete(spec, is_default, settings, count, err));
    CS_TRY(complete_groups(spec, is_default, settings, count, err));
    CS_TRY(check_given(spec, settings, count, err));
    CS_TRY(find_fault(take_data(spec, &info, err), spec, err));
    CS_TRY(find_fault(take_training(spec, err), spec, err));
    CS_TRY(find_fault(take_model(spec, &info, err), spec, err));
    CS_TRY(find_fault(train_spec_take_loss(spec, &info, err), spec, err));
    CS_TRY(find_fault(take_init(spec, err), spec, err));
    CS_TRY(find_fault(take_groups(spec, err), spec, err));
    identify(spec, is_default);
    return 0;
}

int train_spec_create(struct train_spec **out, const struct train_setting *settings, size_t count,
                      uint64_t seed, struct cs_error *err)
{
    struct train_spec *spec = cs_xcalloc(1, sizeof *spec);

    spec->seed = seed;
    const int rc = build(spec, settings, count, err);
    if (rc < 0)
        train_spec_free(spec);
    else
        *out = spec;
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
    train_model_free(spec->model);
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
