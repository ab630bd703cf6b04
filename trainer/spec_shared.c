/*
 * spec_shared.c - what many specs have in common, made once: parsed values, data sets, models, schedules, hashes.
 *
 * Values, data sets and hashes are small and stay. Models and schedules are kept up to KEPT_MAX, then all are let
 * go and collected anew: each counts its references, so specs keep theirs.
 */
#include <stdlib.h>
#include <string.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "trainer/data/data.h"
#include "trainer/model.h"
#include "trainer/schedulers/schedule.h"
#include "trainer/spec_impl.h"

enum { KEPT_MAX = 1024 };

struct parsed {
    const struct cs_param *row;
    struct cs_value value;
    struct parsed *next; /* the same text by another row */
};

struct train_shared *train_shared_create(void)
{
    struct train_shared *shared = cs_xcalloc(1, sizeof *shared);

    shared->references = 1;
    return shared;
}

static void drop_models(struct train_shared *shared)
{
    for (size_t i = 0; i < shared->models.size; i++) {
        if (shared->models.slots[i].text)
            train_shared_drop_model(shared->models.slots[i].item);
    }
    cs_table_clear(&shared->models);
}

static void drop_schedules(struct train_shared *shared)
{
    for (size_t i = 0; i < shared->schedules.size; i++) {
        if (shared->schedules.slots[i].text)
            train_shared_drop_schedule(shared->schedules.slots[i].item);
    }
    cs_table_clear(&shared->schedules);
}

void train_shared_free(struct train_shared *shared)
{
    if (!shared || --shared->references > 0)
        return;
    drop_models(shared);
    drop_schedules(shared);
    cs_table_clear(&shared->values);
    cs_table_clear(&shared->datasets);
    cs_table_clear(&shared->hashes);
    cs_table_clear(&shared->texts);
    cs_buf_clear(&shared->text);
    cs_arena_clear(&shared->arena);
    free(shared);
}

int train_shared_parse(const struct cs_value **out, struct train_shared *shared,
                       const struct cs_param *row, const char *text, struct cs_error *err)
{
    struct cs_table_slot *slot = cs_table_find(&shared->values, text);
    struct cs_value value;

    for (const struct parsed *p = slot ? slot->item : NULL; p; p = p->next) {
        if (p->row == row) {
            *out = &p->value;
            return 0;
        }
    }
    CS_TRY(cs_param_parse(&value, row, text, &shared->arena, err));
    struct parsed *made = cs_arena_alloc(&shared->arena, sizeof *made);
    slot = cs_table_add(&shared->values, text);
    *made = (struct parsed){row, value, slot->text ? slot->item : NULL};
    if (!slot->text)
        slot->text =
            strcmp(value.text, text) == 0 ? value.text : cs_arena_strdup(&shared->arena, text);
    slot->item = made;
    *out = &made->value;
    return 0;
}

int train_shared_dataset(const struct train_data_info **out, struct train_shared *shared,
                         const char *dataset, const char *path, struct cs_error *err)
{
    struct train_data_info info;

    shared->text.size = 0;
    cs_buf_adds(&shared->text, dataset);
    cs_buf_add(&shared->text, "\n", 1);
    cs_buf_adds(&shared->text, path);
    const char *key = shared->text.data;
    const struct cs_table_slot *known = cs_table_find(&shared->datasets, key);
    if (known) {
        *out = known->item;
        return 0;
    }
    CS_TRY(train_data_describe(&info, dataset, path, err));
    struct train_data_info *made = cs_arena_alloc(&shared->arena, sizeof *made);
    *made = info;
    struct cs_table_slot *slot = cs_table_add(&shared->datasets, key);
    slot->text = cs_arena_strdup(&shared->arena, key);
    slot->item = made;
    *out = made;
    return 0;
}

static const char *input_key(struct train_shared *shared, const char *layers,
                             const struct train_shape *input)
{
    shared->text.size = 0;
    for (int i = 0; i < input->ndim; i++)
        cs_buf_addf(&shared->text, "%d ", input->dim[i]);
    cs_buf_adds(&shared->text, layers);
    return shared->text.data;
}

static const char *take_text(struct cs_arena *arena,
                             void (*write)(struct cs_buf *out, const struct train_model *model),
                             const struct train_model *model)
{
    struct cs_buf text = {0};

    write(&text, model);
    const char *copy = cs_arena_strdup(arena, text.data);
    cs_buf_clear(&text);
    return copy;
}

int train_shared_take_model(struct train_shared_model **out, struct train_shared *shared,
                            const char *layers, const struct train_shape *input,
                            struct cs_error *err)
{
    const char *key = input_key(shared, layers, input);
    const struct cs_table_slot *known = cs_table_find(&shared->models, key);
    struct train_model *model;

    if (known) {
        *out = known->item;
        (*out)->references++;
        return 0;
    }
    CS_TRY(train_model_create(&model, layers, input, err));
    struct train_shared_model *made = cs_xcalloc(1, sizeof *made);
    made->references = 2;
    made->model = model;
    made->text = take_text(&made->arena, train_model_text, model);
    made->shape_text = take_text(&made->arena, train_model_shape_text, model);
    if (shared->models.count == KEPT_MAX)
        drop_models(shared);
    struct cs_table_slot *slot = cs_table_add(&shared->models, key);
    slot->text = cs_arena_strdup(&made->arena, key);
    slot->item = made;
    *out = made;
    return 0;
}

void train_shared_drop_model(struct train_shared_model *model)
{
    if (!model || --model->references > 0)
        return;
    train_model_free(model->model);
    cs_arena_clear(&model->arena);
    free(model);
}

static const char *look_up(void *context, const char *key)
{
    return train_spec_get(context, key);
}

/* All that a schedule is made from: its section is the last before the groups. */
static const char *schedule_key(struct train_shared *shared, const struct train_spec *spec)
{
    size_t i = (size_t) spec->places[train_key_name("scheduler")];

    shared->text.size = 0;
    for (; i < spec->setting_count && !train_key_group_part(spec->settings[i].key); i++) {
        cs_buf_adds(&shared->text, spec->settings[i].value);
        cs_buf_add(&shared->text, "\n", 1);
    }
    return shared->text.data;
}

int train_shared_take_schedule(struct train_shared_schedule **out, struct train_shared *shared,
                               struct train_spec *spec, struct cs_error *err)
{
    const char *key = schedule_key(shared, spec);
    const struct cs_table_slot *known = cs_table_find(&shared->schedules, key);

    if (known) {
        *out = known->item;
        (*out)->references++;
        return 0;
    }
    struct train_shared_schedule *made = cs_xcalloc(1, sizeof *made);
    made->references = 1;
    const int rc = train_schedule_create(&made->schedule, look_up, spec, &made->arena, err);
    if (rc < 0) {
        train_shared_drop_schedule(made);
        return rc;
    }
    made->key = train_schedule_text_key(made->schedule, &made->canonical);
    if (shared->schedules.count == KEPT_MAX)
        drop_schedules(shared);
    struct cs_table_slot *slot = cs_table_add(&shared->schedules, key);
    slot->text = cs_arena_strdup(&made->arena, key);
    slot->item = made;
    made->references++;
    *out = made;
    return 0;
}

void train_shared_drop_schedule(struct train_shared_schedule *schedule)
{
    if (!schedule || --schedule->references > 0)
        return;
    cs_arena_clear(&schedule->arena);
    free(schedule);
}

const char *train_shared_hash(struct train_shared *shared, const char *text)
{
    struct cs_table_slot *slot = cs_table_add(&shared->hashes, text);

    if (!slot->text) {
        char *id = cs_arena_alloc(&shared->arena, CKPT_ID_SIZE);
        ckpt_hash(id, text, strlen(text));
        slot->text = cs_arena_strdup(&shared->arena, text);
        slot->item = id;
    }
    return slot->item;
}

const char *train_shared_text(struct train_shared *shared, const char *text)
{
    struct cs_table_slot *slot = cs_table_add(&shared->texts, text);

    if (!slot->text)
        slot->text = cs_arena_strdup(&shared->arena, text);
    return slot->text;
}
