/*
 * data.h - data sets: found, checked, loaded once per worker, or once for all workers (share.h).
 *
 * A data set is known by its text (`fashion-mnist`, `random 1000x20 sum>0`) and, where it is the user's own, its
 * path. Its shape is known without reading it, or from its headers. Images stay u8 (the gather divides by 255), other data are float. Training and validation rows are index
 * lists into the same store, so limit and val_split copy nothing.
 *
 * The split: validation = the data set's own test set; with val_split its rows are cut from the training set by
 * a permutation that depends on nothing but the sizes: the same for every trial. limit comes before the split.
 * Targets are a class per sample, or rows of floats: fractions in [0, 1] (labels that are set or not, probabilities) or
 * any values; which, is known without reading too.
 * Refused, with one line: files missing, cut short or with a wrong header; labels out of range; limit or split
 * that leave a side empty.
 */
#ifndef TRAIN_DATA_H
#define TRAIN_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/loss.h"
#include "trainer/model.h"

struct cs_error;
struct train_spec;

/* Rows of one side: row i is sample index[i] of pixels or values. */
struct train_side {
    const uint8_t *pixels; /* samples x features, row-major; or NULL and */
    const float *values;   /* the same as float */
    const int32_t *labels; /* labels[sample]: KERN_CLASSES; else NULL and */
    const float *targets;  /* samples x width, row-major */
    uint32_t *index;
    int64_t count;
};

struct train_data {
    char *key; /* train_data_key of the specs it serves */
    struct train_shape shape;
    enum kern_targets targets;
    int width;
    double spread
        [2]; /* KERN_VALUES: sums of squared differences from the outputs' means, of train and val */
    struct train_side train, val;
    void *owned[8];  /* memory behind the sides, or */
    void *mapped[2]; /* what share.h mapped, or the files themselves */
    size_t mapped_bytes[2];
};

struct train_data_info {
    struct train_shape shape;
    enum kern_targets targets;
    int width;                       /* classes, or numbers per target */
    int64_t train_count, test_count; /* before limit and split */
};

struct train_dataset_kind;

/* What a data set is read from. */
struct train_data_source {
    const struct train_dataset_kind *kind;
    const char *args; /* the words after the name, "" when none */
    const char *path; /* where its files are, "" = where they usually are */
};

/* One kind of data set: one file trainer/data/NAME.c and one line in trainer/data/list.h. */
struct train_dataset_kind {
    const char *name;
    const char *usage; /* "random NxD sum>0 | random NxD classes=C" */
    const char *help;
    /* CS_EPARSE or CS_ERANGE with the message. Files of the user's own are looked into. */
    int (*describe)(struct train_data_info *out, const struct train_data_source *from,
                    struct cs_error *err);
    /* Are its files there, with the right headers? NULL: it needs none. */
    int (*check)(const struct train_data_source *from, struct cs_error *err);
    /* Does load map the files themselves, so that workers need no copy to share? NULL: no. */
    bool (*maps)(const struct train_data_source *from);
    /* Fill data->train/val pixels or values, labels or targets; index and count are made by the caller. info: what
     * describe said when the trial was planned. */
    int (*load)(struct train_data *data, const struct train_data_source *from,
                const struct train_data_info *info, struct cs_error *err);
    const void *of;             /* for kinds that share these functions: which one it is */
    const char *const *classes; /* their names; NULL: they have none but their numbers */
};

const struct train_dataset_kind *const *train_dataset_kinds(void); /* NULL-terminated */

/* path: where its files are, "" = where they usually are. */
int train_data_describe(struct train_data_info *out, const char *dataset, const char *path,
                        struct cs_error *err);

/* What a data set's classes are called, NULL: numbers. */
const char *const *train_data_class_names(const char *dataset);

/* For `load` of files that the user may change: CS_ECORRUPT unless they are still what the plan was made for. */
int train_data_unchanged(const struct train_data_info *now, const struct train_data_info *then,
                         const struct train_data_source *from, struct cs_error *err);

/* Can this spec's data be read here? Cheap: nothing is loaded. CS_EUNAVAILABLE with what to do about it. */
int train_data_check(const struct train_spec *spec, struct cs_error *err);

/* Training rows left after limit and split, from sizes alone. CS_ERANGE when a side is empty. */
int train_data_sizes(int64_t *train, int64_t *val, const struct train_data_info *info,
                     int64_t limit, double val_split, struct cs_error *err);

/* Text of all that decides which rows are seen: specs with equal keys share one train_data. */
char *train_data_key(const struct train_spec *spec);

int train_data_load(struct train_data **out, const struct train_spec *spec, struct cs_error *err);

/* The same from a copy that workers share, at share (share.h); "": a copy of its own. */
int train_data_load_shared(struct train_data **out, const struct train_spec *spec,
                           const char *share, struct cs_error *err);
void train_data_free(struct train_data *data);

/* Free the memory behind the sides, but for their indices. */
void train_data_drop(struct train_data *data);

/* The order of an epoch's rows: order[count] = positions 0..count-1, shuffled by (seed, epoch) when shuffle. */
void train_data_order(uint32_t *order, int64_t count, bool shuffle, uint64_t seed, uint32_t epoch);

#endif
