/*
 * trial_save.c - a trial's checkpoints: what is in them and how it is read back.
 *
 *   config.ini             the trial alone, runnable
 *   metrics.json           {"epoch", "state", "metrics": {TAG: value}, "best": {TAG: {"value", "epoch"}}}
 *   model.safetensors      what was evaluated, named and shaped as torch.nn.Sequential's state_dict
 *   optimizer.safetensors  "<parameter>.<PyTorch's state key>", metadata: optimizer, step; where averages are evaluated
 *                          the weights they are made from besides: "<parameter>.raw" (trained), "<parameter>.slow"
 *   state.json             struct train_standing; doubles in their shortest exact form
 *   curve.csv              epoch and the tags of train_spec_tags, one line an epoch
 *
 * All but state.json's seconds depend on nothing but the configuration, so equal trials share these objects.
 */
#include "trainer/trial_save_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/safetensors.h"
#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_json.h"
#include "trainer/average.h"
#include "trainer/model.h"
#include "version.h"

enum { FILES = 6 };

static const char *const state_names[] = {"running", "done", "diverged", "stopped", "pruned"};

/* Where weights, state tensors and standing come from: the bundle, or the best epoch's snapshot. */
struct source {
    const struct train_trial *trial;
    const float *w, *slot[TRAIN_STATES];
    const struct train_standing *standing;
};

/* How a parameter is named there, behind a dot, as part of this state tensor or TRAIN_WEIGHTS; NULL: it has none. */
static const char *suffix_of(const struct train_spec *spec, int segment, int state, int evaluated)
{
    if (state == evaluated)
        return "";
    if (state == TRAIN_WEIGHTS)
        return "raw";
    if (state == TRAIN_SLOW)
        return train_spec_has_state(spec, state) ? "slow" : NULL;
    if (state == TRAIN_AVERAGE || state >= train_spec_segment_slots(spec, segment))
        return NULL; /* an average that is not evaluated has not begun */
    return spec->optim->slot_name(train_spec_variant(spec, segment), state);
}

static const float *tensor_of(const struct source *src, int state)
{
    return state == TRAIN_WEIGHTS ? src->w : src->slot[state];
}

static int evaluated_of(const struct source *src)
{
    return train_spec_evaluated(src->trial->spec, src->standing->epoch, src->standing->step);
}

static void set_tensor(struct st_tensor *t, struct cs_arena *arena, const struct train_segment *s,
                       const char *suffix, const float *memory)
{
    *t = (struct st_tensor){
        .name = *suffix ? cs_arena_printf(arena, "%s.%s", s->name, suffix) : s->name,
        .ndim = s->ndim,
    };
    if (s->counter) {
        int64_t *count = cs_arena_alloc(arena, sizeof *count);
        *count = train_segment_count(s, memory);
        t->dtype = ST_I64;
        t->i64 = count;
    } else {
        float *data = cs_arena_alloc(arena, (size_t) s->elements * sizeof *data);
        train_segment_unpack(s, data, memory);
        t->data = data;
    }
    for (int i = 0; i < s->ndim; i++)
        t->shape[i] = s->dim[i];
}

static int encode_model(struct cs_buf *out, const struct source *src, struct cs_error *err)
{
    const struct train_model *model = src->trial->spec->model;
    struct cs_arena arena = {0};
    struct st_tensor *tensors =
        cs_arena_alloc(&arena, (size_t) model->segment_count * sizeof *tensors);

    for (int i = 0; i < model->segment_count; i++)
        set_tensor(&tensors[i], &arena, &model->segments[i], "", tensor_of(src, evaluated_of(src)));
    const int rc = st_encode(out, tensors, (size_t) model->segment_count, NULL, 0, err);
    cs_arena_clear(&arena);
    return rc;
}

static int64_t steps_done(const struct train_trial *trial, const struct train_standing *s)
{
    const int64_t batch = trial->spec->batch_size, every = trial->spec->accumulate;
    const int64_t steps = (trial->spec->train_examples + batch - 1) / batch;
    return s->epoch * ((steps + every - 1) / every) + s->step / every;
}

static int encode_optimizer(struct cs_buf *out, const struct source *src, struct cs_error *err)
{
    const struct train_spec *spec = src->trial->spec;
    const struct train_model *model = spec->model;
    struct cs_arena arena = {0};
    const size_t most = (size_t) model->segment_count * (TRAIN_STATES + 1);
    struct st_tensor *tensors = cs_arena_alloc(&arena, most * sizeof *tensors);
    const int evaluated = evaluated_of(src);
    size_t count = 0;

    for (int i = 0; i < model->segment_count; i++) {
        for (int state = TRAIN_WEIGHTS; state < TRAIN_STATES; state++) {
            const char *suffix = suffix_of(spec, i, state, evaluated);
            if (suffix && *suffix)
                set_tensor(&tensors[count++], &arena, &model->segments[i], suffix,
                           tensor_of(src, state));
        }
    }
    const char *const pairs[] = {
        "optimizer", spec->optim->name, "step",
        cs_arena_printf(&arena, "%lld", (long long) steps_done(src->trial, src->standing))};
    const int rc = st_encode(out, tensors, count, pairs, 2, err);
    cs_arena_clear(&arena);
    return rc;
}

static json_t *encode_rate(const struct train_rate *rate)
{
    json_t *out = json_object(), *state = json_array();

    for (int i = 0; i < TRAIN_RATE_STATE; i++)
        json_array_append_new(state, cs_json_number(rate->state[i]));
    cs_json_set(out, "lr", cs_json_number(rate->lr));
    cs_json_set(out, "momentum", cs_json_number(rate->momentum));
    cs_json_set(out, "state", state);
    return out;
}

static void encode_rng(json_t *root, const struct source *src)
{
    char text[TRAIN_TORCH_TEXT + 1];

    cs_json_set(root, "rng", cs_json_text(src->trial->spec->torch ? "torch" : "philox"));
    if (!src->trial->spec->torch)
        return;
    train_torch_text(text, &src->standing->torch);
    cs_json_set(root, "rng_state", cs_json_text(text));
}

static json_t *encode_sums(const struct train_sums *s)
{
    json_t *out = json_object();

    cs_json_set(out, "loss", cs_json_number(s->of.loss));
    cs_json_set(out, "weight", cs_json_number(s->of.weight));
    cs_json_set(out, "samples", json_integer(s->of.samples));
    cs_json_set(out, "correct", json_integer(s->of.correct));
    cs_json_set(out, "top", json_integer(s->of.top));
    cs_json_set(out, "both", json_integer(s->of.both));
    cs_json_set(out, "said", json_integer(s->of.said));
    cs_json_set(out, "wanted", json_integer(s->of.wanted));
    cs_json_set(out, "absolute", cs_json_number(s->of.absolute));
    cs_json_set(out, "squared", cs_json_number(s->of.squared));
    cs_json_set(out, "batch_means", cs_json_number(s->batch_means));
    cs_json_set(out, "batches", json_integer(s->batches));
    cs_json_set(out, "norm", cs_json_number(s->norm));
    cs_json_set(out, "norms", json_integer(s->norms));
    return out;
}

static struct train_sums decode_sums(const json_t *from)
{
    const int64_t samples = cs_json_get_int(from, "samples", 0);

    return (struct train_sums){
        .of = {.loss = cs_json_get_number(from, "loss", 0),
               .weight = cs_json_get_number(from, "weight", (double) samples),
               .samples = samples,
               .correct = cs_json_get_int(from, "correct", 0),
               .top = cs_json_get_int(from, "top", 0),
               .both = cs_json_get_int(from, "both", 0),
               .said = cs_json_get_int(from, "said", 0),
               .wanted = cs_json_get_int(from, "wanted", 0),
               .absolute = cs_json_get_number(from, "absolute", 0),
               .squared = cs_json_get_number(from, "squared", 0)},
        .batch_means = cs_json_get_number(from, "batch_means", 0),
        .batches = cs_json_get_int(from, "batches", 0),
        .norm = cs_json_get_number(from, "norm", 0),
        .norms = cs_json_get_int(from, "norms", 0),
    };
}

static void encode_state(struct cs_buf *out, const struct source *src)
{
    const struct train_standing *s = src->standing;
    json_t *root = json_object(), *rates = json_array(), *memory = json_array();

    for (int g = 0; g < src->trial->spec->group_count; g++)
        json_array_append_new(rates, encode_rate(&s->rate[g]));
    for (int i = 0; i < src->trial->spec->group_count * KERN_MEMORY; i++)
        json_array_append_new(memory, cs_json_number(s->memory[i]));
    cs_json_set(root, "id", cs_json_text(src->trial->spec->id));
    cs_json_set(root, "state", cs_json_text(state_names[s->state]));
    cs_json_set(root, "epoch", json_integer(s->epoch));
    cs_json_set(root, "step", json_integer(s->step));
    cs_json_set(root, "sums", encode_sums(&s->sums));
    cs_json_set(root, "rates", rates);
    cs_json_set(root, "optimizer", memory);
    cs_json_set(root, "best_epoch", json_integer(s->best_epoch));
    cs_json_set(root, "best_value", cs_json_number(s->best_value));
    cs_json_set(root, "stop_value", cs_json_number(s->stop_value));
    cs_json_set(root, "bad_epochs", json_integer(s->bad_epochs));
    encode_rng(root, src);
    cs_json_set(root, "seed", json_integer((json_int_t) src->trial->spec->seed));
    cs_json_set(root, "seconds", cs_json_number(s->seconds));
    cs_json_line(out, root);
    cs_buf_adds(out, "\n");
    json_decref(root);
}

static void encode_curve(struct cs_buf *out, const struct source *src)
{
    const char *const *tags = train_spec_tags(src->trial->spec);
    char number[CS_DOUBLE_MAX];

    cs_buf_adds(out, "epoch");
    for (int i = 0; i < src->trial->spec->metric_count; i++)
        cs_buf_addf(out, ",%s", tags[i]);
    cs_buf_adds(out, "\n");
    for (int e = 0; e < src->standing->epoch; e++) {
        cs_buf_addf(out, "%d", e + 1);
        for (int i = 0; i < src->trial->spec->metric_count; i++)
            cs_buf_addf(out, ",%s", cs_format_double(number, src->trial->rows[e].value[i]));
        cs_buf_adds(out, "\n");
    }
}

/* A view of the trial as it stood, so that the JSON of its curve ends at that epoch. */
static struct train_trial at_standing(const struct source *src)
{
    struct train_trial view = *src->trial;
    view.now = *src->standing;
    return view;
}

static void encode_metrics(struct cs_buf *out, const struct source *src)
{
    const struct train_trial view = at_standing(src);
    json_t *root = json_object();

    cs_json_set(root, "epoch", json_integer(view.now.epoch));
    cs_json_set(root, "state", cs_json_text(state_names[view.now.state]));
    cs_json_set(root, "metrics", train_trial_last_json(&view));
    cs_json_set(root, "best", train_trial_best_json(&view));
    cs_json_line(out, root);
    cs_buf_adds(out, "\n");
    json_decref(root);
}

static struct ckpt_trailer *make_trailers(size_t *count, const struct source *src,
                                          struct cs_arena *arena)
{
    const struct train_trial *trial = src->trial;
    const char *const *tags = train_spec_tags(trial->spec);
    struct ckpt_trailer *t =
        cs_arena_alloc(arena, (trial->spec->setting_count + TRAIN_METRICS_MAX + 8) * sizeof *t);
    char number[CS_DOUBLE_MAX];
    size_t n = 0;

    for (size_t i = 0; i < trial->spec->setting_count; i++) {
        if (*trial->spec->settings[i].value)
            t[n++] =
                (struct ckpt_trailer){trial->spec->settings[i].key, trial->spec->settings[i].value};
    }
    t[n++] = (struct ckpt_trailer){
        "seed", cs_arena_printf(arena, "%llu", (unsigned long long) trial->spec->seed)};
    t[n++] = (struct ckpt_trailer){"trial-id", trial->spec->id};
    t[n++] = (struct ckpt_trailer){"epoch", cs_arena_printf(arena, "%d", src->standing->epoch)};
    for (int i = 0; i < src->trial->spec->metric_count && src->standing->epoch > 0; i++) {
        const double v = trial->rows[src->standing->epoch - 1].value[i];
        t[n++] =
            (struct ckpt_trailer){tags[i], cs_arena_strdup(arena, cs_format_double(number, v))};
    }
    t[n++] = (struct ckpt_trailer){"state", state_names[src->standing->state]};
    t[n++] = (struct ckpt_trailer){"csweep-version", CSWEEP_VERSION};
    *count = n;
    return t;
}

static int save_one(struct train_trial *trial, const struct source *src, const char *which,
                    ckpt_store *store, struct cs_error *err)
{
    struct cs_buf data[FILES] = {{0}};
    struct cs_arena arena = {0};
    struct ckpt_saved saved = {.superseded_bytes = 0};
    static const char *const names[FILES] = {"config.ini",        "metrics.json",
                                             "model.safetensors", "optimizer.safetensors",
                                             "state.json",        "curve.csv"};
    size_t trailer_count;

    train_spec_config(&data[0], trial->spec);
    encode_metrics(&data[1], src);
    int rc = encode_model(&data[2], src, err);
    if (rc == 0)
        rc = encode_optimizer(&data[3], src, err);
    encode_state(&data[4], src);
    encode_curve(&data[5], src);
    if (rc == 0) {
        struct ckpt_file files[FILES];
        for (int i = 0; i < FILES; i++)
            files[i] = (struct ckpt_file){names[i], data[i].data, data[i].size};
        const struct ckpt_trailer *trailers = make_trailers(&trailer_count, src, &arena);
        const int epoch = src->standing->epoch;
        const double value = epoch ? trial->rows[epoch - 1].value[trial->metric_column] : 0;
        const char *title =
            epoch
                ? cs_arena_printf(&arena, "%s %s: %s %.4g at epoch %d", trial->job.title, which,
                                  trial->job.metric, value, epoch)
                : cs_arena_printf(&arena, "%s %s: before the first epoch", trial->job.title, which);
        rc = ckpt_save(store, cs_arena_printf(&arena, "%s/%s", trial->job.tag, which), title,
                       trailers, trailer_count, files, FILES, &saved, err);
    }
    trial->superseded_bytes += saved.superseded_bytes;
    for (int i = 0; i < FILES; i++)
        cs_buf_clear(&data[i]);
    cs_arena_clear(&arena);
    return rc;
}

static struct source source_of(const struct train_trial *trial,
                               const struct train_snapshot *snapshot,
                               const struct train_standing *standing)
{
    struct source src = {trial, snapshot->w, {0}, standing};

    for (int i = 0; i < TRAIN_STATES; i++)
        src.slot[i] = snapshot->slot[i];
    return src;
}

static int save_both(struct train_trial *trial, const struct source *last, ckpt_store *store,
                     struct cs_error *err)
{
    const double start = cs_mono_seconds();
    const struct source best = source_of(trial, &trial->best, &trial->best.standing);

    /* best first: `last` says which epoch is best, so it must not be ahead of the tag */
    if (trial->best.w && !trial->best_saved) {
        CS_TRY(save_one(trial, &best, "best", store, err));
        trial->best_saved = true;
        train_snapshot_clear(&trial->best); /* need_best finds it in its tag */
    }
    CS_TRY(save_one(trial, last, "last", store, err));
    trial->saved_at = cs_mono_seconds();
    trial->save_cost = trial->saved_at - start;
    return 0;
}

int train_trial_save(struct train_trial *trial, train_bundle *bundle, int k, ckpt_store *store,
                     struct cs_error *err)
{
    struct source last = {trial, train_bundle_weights(bundle, k), {0}, &trial->now};

    for (int i = 0; i < TRAIN_STATES; i++)
        last.slot[i] = train_bundle_slot(bundle, k, i);
    return save_both(trial, &last, store, err);
}

int train_trial_save_read(struct train_trial *trial, ckpt_store *store, struct cs_error *err)
{
    const struct source last = source_of(trial, &trial->resume, &trial->now);
    return save_both(trial, &last, store, err);
}

static int corrupt(const struct train_trial *trial, const char *what, struct cs_error *err)
{
    return cs_fail(err, CS_ECORRUPT, "checkpoint %s/last: %s", trial->job.tag, what);
}

static struct train_rate decode_rate(const json_t *from, double initial_lr)
{
    const json_t *state = json_object_get(from, "state");
    struct train_rate rate = {.initial_lr = initial_lr,
                              .lr = cs_json_get_number(from, "lr", 0),
                              .momentum = cs_json_get_number(from, "momentum", 0)};

    for (size_t i = 0; i < TRAIN_RATE_STATE; i++)
        rate.state[i] = cs_json_number_value(json_array_get(state, i), 0);
    return rate;
}

static int decode_state(struct train_trial *trial, const json_t *root, struct cs_error *err)
{
    struct train_standing *s = &trial->now;
    const json_t *rates = json_object_get(root, "rates");
    const char *state = cs_json_get_text(root, "state", "");

    if (strcmp(cs_json_get_text(root, "id", ""), trial->spec->id) != 0)
        return corrupt(trial, "state.json is of another configuration", err);
    s->state = TRAIN_RUNNING;
    for (size_t i = 0; i < CS_COUNT(state_names); i++) {
        if (strcmp(state, state_names[i]) == 0)
            s->state = (enum train_state) i;
    }
    if (s->state == TRAIN_PRUNED) /* whoever asks for it again wants it trained */
        s->state = TRAIN_RUNNING;
    s->epoch = (int) cs_json_get_int(root, "epoch", -1);
    s->step = (int) cs_json_get_int(root, "step", -1);
    s->sums = decode_sums(json_object_get(root, "sums"));
    for (int i = 0; i < trial->spec->group_count * KERN_MEMORY; i++)
        s->memory[i] =
            cs_json_number_value(json_array_get(json_object_get(root, "optimizer"), (size_t) i), 0);
    if (json_array_size(rates) != (size_t) trial->spec->group_count)
        return corrupt(trial, "state.json: the rates of a parameter group are missing", err);
    for (int g = 0; g < trial->spec->group_count; g++)
        s->rate[g] = decode_rate(json_array_get(rates, (size_t) g), trial->spec->groups[g].args[0]);
    if (trial->spec->torch &&
        !train_torch_parse(&s->torch, cs_json_get_text(root, "rng_state", "")))
        return corrupt(trial, "state.json: rng_state is not one", err);
    s->best_epoch = (int) cs_json_get_int(root, "best_epoch", 0);
    s->best_value = cs_json_get_number(root, "best_value", 0);
    s->stop_value = cs_json_get_number(root, "stop_value", 0);
    s->bad_epochs = (int) cs_json_get_int(root, "bad_epochs", 0);
    s->seconds = cs_json_get_number(root, "seconds", 0);
    if (s->epoch < 0 || s->epoch > trial->spec->epochs || s->step < 0)
        return corrupt(trial, "state.json: epoch or step out of range", err);
    return 0;
}

/*
 * The columns of the header line, as places in a row; -1 for one that is none of the trial's tags. How many; *at ends up
 * behind the line.
 */
static int decode_header(int *place, const struct train_trial *trial, const char **at)
{
    int count = 0;

    *at += strcspn(*at, ",\n");
    for (; **at == ',' && count < TRAIN_METRICS_MAX; count++) {
        char tag[64];
        const size_t size = strcspn(++*at, ",\n");
        snprintf(tag, sizeof tag, "%.*s", (int) size, *at);
        place[count] = train_spec_column(trial->spec, tag);
        *at += size;
    }
    *at += **at == '\n';
    return count;
}

/*
 * "inf" and "nan" are written by cs_format_double; strtod reads them back. A column that an older csweep did not write
 * is NaN.
 */
static int decode_curve(struct train_trial *trial, const char *text, struct cs_error *err)
{
    const char *at = text;
    int place[TRAIN_METRICS_MAX];
    const int columns = decode_header(place, trial, &at);

    for (int e = 0; e < trial->now.epoch; e++) {
        char *end;
        for (int i = 0; i < trial->spec->metric_count; i++)
            trial->rows[e].value[i] = NAN;
        if (strtol(at, &end, 10) != e + 1)
            return corrupt(trial, "curve.csv: an epoch is missing", err);
        for (int i = 0; i < columns; i++) {
            if (*end != ',')
                return corrupt(trial, "curve.csv: a column is missing", err);
            const double value = strtod(end + 1, &end);
            if (place[i] >= 0)
                trial->rows[e].value[place[i]] = value;
        }
        at = end + (*end == '\n');
    }
    return 0;
}

/* One state tensor, or TRAIN_WEIGHTS, of every parameter that has it. */
static int decode_tensors(struct train_trial *trial, const struct ckpt_file *file, int state,
                          int evaluated, float **out, struct cs_error *err)
{
    const struct train_spec *spec = trial->spec;
    const struct train_model *model = trial->spec->model;
    struct st_view *view;
    int rc = file ? st_decode(&view, file->data, file->size, err)
                  : corrupt(trial, "a file is missing", err);

    if (rc < 0)
        return rc;
    *out = cs_xcalloc(model->floats, sizeof **out);
    for (int i = 0; i < model->segment_count && rc == 0; i++) {
        const struct train_segment *s = &model->segments[i];
        const char *suffix = suffix_of(spec, i, state, evaluated);
        char name[TRAIN_NAME + 96];
        if (!suffix)
            continue;
        snprintf(name, sizeof name, "%s%s%s", s->name, *suffix ? "." : "", suffix);
        const struct st_tensor *t = st_find(view, name);
        if (!t || t->dtype != (s->counter ? ST_I64 : ST_F32) ||
            (int64_t) st_length(t) != s->elements)
            rc = corrupt(trial, "a tensor is missing or has another shape", err);
        else if (s->counter)
            train_segment_set_count(s, *out, *t->i64);
        else
            train_segment_pack(s, *out, t->data);
    }
    st_free(view);
    return rc;
}

/* Weights and state tensors of a checkpoint taken at a place of the training. */
static int decode_snapshot(struct train_trial *trial, const ckpt_checkpoint *c, int epoch, int step,
                           struct train_snapshot *out, struct cs_error *err)
{
    const struct ckpt_file *model = ckpt_checkpoint_file(c, "model.safetensors"),
                           *rest = ckpt_checkpoint_file(c, "optimizer.safetensors");
    const int evaluated = train_spec_evaluated(trial->spec, epoch, step);
    int rc = 0;

    for (int i = TRAIN_WEIGHTS; i < TRAIN_STATES && rc == 0; i++) {
        if (i == TRAIN_WEIGHTS || train_spec_has_state(trial->spec, i))
            rc = decode_tensors(trial, i == evaluated ? model : rest, i, evaluated,
                                i == TRAIN_WEIGHTS ? &out->w : &out->slot[i], err);
    }
    return rc;
}

int train_trial_decode(struct train_trial *trial, const ckpt_checkpoint *c, struct cs_error *err)
{
    const struct ckpt_file *state = ckpt_checkpoint_file(c, "state.json"),
                           *curve = ckpt_checkpoint_file(c, "curve.csv");
    json_t *root = state ? cs_json_read(state->data, state->size) : NULL;

    if (!root || !curve) {
        json_decref(root);
        return corrupt(trial, "state.json or curve.csv is missing or malformed", err);
    }
    int rc = decode_state(trial, root, err);
    json_decref(root);
    if (rc == 0)
        rc = decode_curve(trial, curve->data, err);
    if (rc == 0)
        rc = decode_snapshot(trial, c, trial->now.epoch, trial->now.step, &trial->resume, err);
    trial->resumed = rc == 0;
    trial->best_saved = true;
    return rc;
}

/* The best epoch's snapshot; a trial that was resumed may have it in its tag alone. */
static int need_best(struct train_trial *trial, ckpt_store *store, struct cs_error *err)
{
    ckpt_checkpoint *c = NULL;

    if (trial->best.w)
        return 0;
    char *tag = cs_xasprintf("%s/best", trial->job.tag);
    int rc = ckpt_load(&c, store, tag, err);
    free(tag);
    if (rc == 0)
        rc = decode_snapshot(trial, c, trial->now.best_epoch, 0, &trial->best, err);
    ckpt_checkpoint_free(c);
    return rc;
}

int train_trial_restore_best(struct train_trial *trial, train_bundle *bundle, int k,
                             ckpt_store *store, struct cs_error *err)
{
    const size_t bytes = trial->spec->model->floats * sizeof(float);
    const struct train_snapshot *best = &trial->best;

    if (!trial->spec->restore_best || trial->now.best_epoch == 0 ||
        trial->now.best_epoch == trial->now.epoch)
        return 0;
    CS_TRY(need_best(trial, store, err));
    memcpy(train_bundle_weights(bundle, k), best->w, bytes);
    for (int i = 0; i < TRAIN_STATES; i++)
        if (best->slot[i])
            memcpy(train_bundle_slot(bundle, k, i), best->slot[i], bytes);
    /* an average that began later is now what was evaluated then */
    const int then = train_spec_evaluated(trial->spec, trial->now.best_epoch, 0);
    const int last = train_spec_evaluated(trial->spec, trial->now.epoch, 0);
    if (last != then)
        memcpy(train_bundle_slot(bundle, k, last),
               then == TRAIN_WEIGHTS ? best->w : best->slot[then], bytes);
    train_trial_log(trial, "weights of epoch %d restored", trial->now.best_epoch);
    return 0;
}

int train_trial_load(struct train_trial *trial, ckpt_store *store, struct cs_error *err)
{
    char *tag = cs_xasprintf("%s/last", trial->job.tag);
    ckpt_checkpoint *c = NULL;
    int rc = ckpt_load(&c, store, tag, err);

    free(tag);
    if (rc == CS_ENONAME)
        return 0;
    if (rc == 0)
        rc = train_trial_decode(trial, c, err);
    ckpt_checkpoint_free(c);
    return rc;
}
