/* spec_impl.h - what spec.c, spec_keys.c and spec_shared.c share. Private to trainer/. */
#ifndef TRAIN_SPEC_IMPL_H
#define TRAIN_SPEC_IMPL_H

#include "common/cs_table.h"
#include "trainer/spec.h"

enum { TRAIN_KEYS_MAX = 384 };

/* Beside row i of train_keys(). */
struct train_key_facts {
    int name;                 /* the first row that has this name: the number of the name */
    int next;                 /* the next row that has it, -1: none */
    int owner;                /* number of the name of owner_key, -1: always in force */
    int end;                  /* the first row after this one that has another owner */
    struct cs_value standard; /* the default */
};
const struct train_key_facts *train_key_facts(void);

/* The number of a key's name, -1: there is no such key (or it is a group's). */
int train_key_name(const char *key);

/* The KEY of NAME.KEY; NULL for a name that is no group's key. */
const char *train_key_group_part(const char *name);

/* CS_ENONAME: there is no such key, and the nearest one. */
int train_key_unknown(const char *key, struct cs_error *err);

struct train_data_info;

/* ---- what specs share: spec_shared.c ---- */

/* A model, and the texts that follow from it. */
struct train_shared_model {
    int references;
    struct train_model *model;
    const char *text, *shape_text; /* train_model_text, train_model_shape_text */
    struct cs_arena arena;
};

struct train_shared_schedule {
    int references;
    struct train_schedule *schedule;
    const char *key, *canonical; /* train_schedule_text_key */
    struct cs_arena arena;
};

/* The metrics of data sets with such targets, as in struct train_spec. */
struct train_shared_metrics {
    int targets, width, count;
    const struct train_metric *const *metrics;
    const char *const *tags;
    struct train_shared_metrics *next;
};

struct train_shared {
    int references;
    struct cs_arena arena;
    struct train_shared_metrics *metrics;
    struct cs_table values, datasets, models, schedules, hashes, texts;
    struct cs_buf text; /* to work in */
};

/* cs_param_parse, once for each text; *out lives as long as shared. */
int train_shared_parse(const struct cs_value **out, struct train_shared *shared,
                       const struct cs_param *row, const char *text, struct cs_error *err);

/* train_data_describe, once for each text and path. */
int train_shared_dataset(const struct train_data_info **out, struct train_shared *shared,
                         const char *dataset, const char *path, struct cs_error *err);

/* train_model_create, once for each text and input. The caller's reference: train_shared_drop_model. */
int train_shared_take_model(struct train_shared_model **out, struct train_shared *shared,
                            const char *layers, const struct train_shape *input,
                            struct cs_error *err);
void train_shared_drop_model(struct train_shared_model *model);

/* train_schedule_create for the settings of the spec, once for each set of texts. */
int train_shared_take_schedule(struct train_shared_schedule **out, struct train_shared *shared,
                               struct train_spec *spec, struct cs_error *err);
void train_shared_drop_schedule(struct train_shared_schedule *schedule);

/* ckpt_hash of a text, once. */
const char *train_shared_hash(struct train_shared *shared, const char *text);

/* ---- the rest ---- */

/* The values of rows, a group's own before the common ones, one after another; args[space]. */
void train_spec_fill_args(double *args, int space, const struct train_spec *spec,
                          const struct cs_param *rows, int count, const char *group);

/* Loss, targets and metrics; after the model. */
int train_spec_take_loss(struct train_spec *spec, const struct train_data_info *info,
                         struct cs_error *err);

#endif
