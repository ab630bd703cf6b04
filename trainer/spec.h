/*
 * spec.h - what one trial trains: every setting, typed and checked, and its canonical text.
 *
 * A trial is a list of settings `key = value` over the keys of this table; keys not given take their defaults.
 * Keys that belong to a choice (`momentum` to optimizer = sgd) exist only where that choice is made; giving
 * one elsewhere is an error here (the grid leaves it out before it asks). Everything that can be known without
 * reading data is checked: types, ranges, rules between settings, layer shapes.
 *
 * Identity. The canonical text is one line `key = value` for every setting in effect that differs from its
 * default, sorted by key, and the seed's line last; keys about files (checkpoint_every) are left out, they change no result. id = git blob id of that text; point_id the same without
 * the seed. So spelling, order, comments and written-out defaults do not change it, and a key added to csweep
 * later, with its default, does not either.
 */
#ifndef TRAIN_SPEC_H
#define TRAIN_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_param.h"
#include "trainer/init.h"

struct cs_error;
struct kern_loss;
struct kern_loss_numbers;
struct kern_optim;
struct train_metric;
struct train_model;
struct train_schedule;
struct train_data_info;
struct train_shared;
struct train_shared_model;
struct train_shared_schedule;

/* A key of [data], [model], [train], [optimizer] or [scheduler]. One name may have several rows, one per owner. */
struct train_key {
    const char *section;        /* "optimizer" */
    const struct cs_param *row; /* name, type, default, range, help */
    const char *
        owner_key; /* NULL: always in force; else in force where `owner_key = owner`: "optimizer", */
    const char *owner; /* "sgd" */
};

/* All keys in documentation order; the table is built once and lives for ever. */
const struct train_key *train_keys(size_t *count);

/* match and freeze: keys of a [group NAME] besides the optimizer's own. */
const struct train_key *train_group_keys(size_t *count);

/* The first row named `name`, or the next one after `after`; NULL when there is none (left). NAME.KEY is a
 * key of [group NAME]: the optimizer's, match or freeze. */
const struct train_key *train_key_find(const char *name, const struct train_key *after);

struct train_setting {
    const char *key, *value;
    int line; /* of the grid file, 0 = none: put into err->line when this setting is at fault */
};

enum { TRAIN_ARGS = CS_LIST_MAX + 16 }; /* a list of open length, and the rest */
enum { TRAIN_GROUPS = 8 };

/* Parameters with optimizer settings of their own (PyTorch's parameter groups). [0] has what no other matches. */
struct train_group {
    const char *name, *match; /* "head", "6.*"; "" for [0] */
    double args[TRAIN_ARGS];  /* of the optimizer; [0] = lr */
    bool frozen;              /* not trained at all */
};

struct train_spec {
    struct cs_arena arena;
    struct train_shared *shared; /* owner of the settings' texts */
    struct train_setting
        *settings; /* all in effect, defaults included, canonical values, documentation order */
    const struct cs_value **values; /* [setting_count], as parsed */
    int16_t *places;                /* of a key by its number (spec_impl.h): in settings, -1: not */
    size_t setting_count;
    const char *identity; /* the canonical text without the seed */
    uint64_t seed;
    char id[41], point_id[41]; /* hexadecimal */
    char shape_key[41];        /* trials with equal shape keys can be trained in one bundle */

    const char *dataset, *path; /* as written; path "" = where the dataset is usually found */
    const struct train_data_info *data; /* as it was when the spec was made; lives with shared */
    int batch_size, eval_batch_size;
    bool shuffle;
    double
        val_split; /* 0: the dataset's own test set; < 1: fraction of the training set; >= 1: a count */
    int64_t limit;   /* 0 = all */
    float mean, std; /* after division by 255 */

    const struct train_model *model; /* layers with shapes; see model.h */
    struct train_shared_model *shared_model;
    struct train_shared_schedule *shared_schedule;
    struct train_init init; /* initial values */
    bool torch;             /* rng = torch: random numbers from PyTorch's stream */
    int epochs;
    const struct kern_loss *loss; /* kernels/loss.h */
    struct kern_loss_numbers *loss_numbers;
    int targets, width; /* enum kern_targets; classes, or numbers per target */
    const struct train_metric *const
        *metrics;            /* [metric_count], what is written every epoch: metric.h */
    const char *const *tags; /* theirs, NULL-terminated */
    int metric_count;
    bool loss_average_batches;        /* Loss/...: mean of batch means, else mean over samples */
    double clip_norm, clip_value, l1; /* 0: none */
    int accumulate;                   /* batches per update, >= 1 */
    int early_stopping;               /* epochs of patience, 0: none */
    double min_delta;
    bool restore_best;
    int lookahead; /* optimizer steps between its moves, 0: off */
    double lookahead_alpha;
    double ema;           /* decay, 0: off */
    int swa_start;        /* first epoch averaged, from 1; 0: off */
    int checkpoint_every; /* epochs; 0 = as often as costs at most 1 % of the time */
    int histograms;       /* epochs of which they are written; -1: see media.h */
    bool media;           /* pictures and curves at the end */

    const struct kern_optim *optim;
    double optim_args[TRAIN_ARGS]; /* see kernels/optim.h; [0] = lr */
    struct train_group groups[TRAIN_GROUPS];
    int group_count;
    uint8_t *segment_group; /* [segments of the model] */
    int momentum_arg;       /* place of momentum or of the first of betas in args, -1: none */
    struct train_schedule *schedule; /* trainer/schedulers/schedule.h */
    int64_t parameters;              /* trained numbers, for estimates */
    int64_t train_examples;          /* per epoch, as far as known without reading data */
};

/*
 * Check and complete settings[0..count). On failure err->line is the line of the setting at fault where one is,
 * and the message begins with `key = value: `. The caller frees *out with train_spec_free.
 */
int train_spec_create(struct train_spec **out, const struct train_setting *settings, size_t count,
                      uint64_t seed, struct cs_error *err);

/*
 * The same for many specs: what they have in common (parsed values, models, schedules) is made once and kept in
 * `shared`. A spec may outlive the caller's reference to it; so do the texts in spec->settings then, and only then.
 */
struct train_shared *train_shared_create(void);
void train_shared_free(struct train_shared *shared); /* the caller's reference; NULL is fine */
int train_spec_create_shared(struct train_spec **out, struct train_shared *shared,
                             const struct train_setting *settings, size_t count, uint64_t seed,
                             struct cs_error *err);

/* A copy that lives as long as shared; equal texts are one pointer. */
const char *train_shared_text(struct train_shared *shared, const char *text);

/* Another seed: seed and id change, all else stays. */
void train_spec_reseed(struct train_spec *spec, uint64_t seed);

/* Is the key about what is written, and not about what is trained? checkpoint_every, histograms, media. */
bool train_key_is_about_files(const char *key);

/* The value in effect, or NULL when the key is not in force. */
const char *train_spec_get(const struct train_spec *spec, const char *key);

/* config.ini: a grid file of this one trial, runnable, every setting written out. */
void train_spec_config(struct cs_buf *out, const struct train_spec *spec);

/* Read such a file back (name: for messages). */
int train_spec_load(struct train_spec **out, const char *name, const char *text, size_t size,
                    struct cs_error *err);

/*
 * Has training `longer` for so many epochs the very states of training `shorter`, so that it can go on from its
 * checkpoint? No when any setting but epochs and those about files differs, or a rate of a step up to there; why gets the
 * reason then: "scheduler = cosine: T_max = 20, was 10: other rates from epoch 2 on".
 */
bool train_spec_continues(const struct train_spec *shorter, const struct train_spec *longer,
                          int epochs, struct cs_buf *why);

/* How many trials of its shape are best trained together in one bundle; 1: alone. */
int train_spec_fuse(const struct train_spec *spec);

/*
 * Operations of an epoch with its validation, to compare trials with one another; and bytes on the disk when it is
 * done: two checkpoints, event file, log. Both roughly.
 */
double train_spec_work(const struct train_spec *spec);
double train_spec_bytes(const struct train_spec *spec);

/* Can its data be read on this machine? CS_EUNAVAILABLE with what to do about it; nothing is loaded. */
int train_spec_check_data(const struct train_spec *spec, struct cs_error *err);

/* Is the model's segment trained? Not when it is a buffer or its group is frozen. */
bool train_spec_trains(const struct train_spec *spec, int segment);

/* The optimizer's variant for a segment, its state tensors (none when it is not trained), and the most of any. */
int train_spec_variant(const struct train_spec *spec, int segment);
int train_spec_segment_slots(const struct train_spec *spec, int segment);
int train_spec_slots(const struct train_spec *spec);

void train_spec_free(struct train_spec *spec); /* NULL is fine */

/* The tag whose last or best value decides, when a grid names none: "max Accuracy/Val" or "min Loss/Val". */
const char *train_spec_default_metric(const struct train_spec *spec);

/* What can be chosen: for `describe`. kind: "optimizer", "scheduler", "loss", "layer", "init", "dataset"; NULL for
 * another. */
struct train_topic {
    const char *name, *usage, *help;
};
const struct train_topic *train_topics(const char *kind, size_t *count);

/* The scalar tags a trial writes every epoch, NULL-terminated; they live as long as spec->shared. */
const char *const *train_spec_tags(const struct train_spec *spec);

/* Is such a tag better high (1), low (-1), or neither (0)? */
int train_tag_better(const char *tag);

#endif
