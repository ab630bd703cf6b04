/*
 * random.c - the tutorials' random tensors: `random NxD sum>0`, `random NxD classes=C`, `random NxD labels=L`.
 *
 * Inputs are standard normal; the label is (sum of the row > 0), or a uniform class. With labels=L a row has L labels
 * that are set or not: label l where x . u_l > 0, u_l being D normal numbers, the sum in double in the order of the
 * columns. N rows to train on and ceil(N / 5) more, drawn after them, as the test set (val_split cuts from the N
 * instead). The numbers depend on nothing but the place (draw.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "kernels/math/philox.h"
#include "trainer/data/data.h"
#include "trainer/data/draw.h"

enum { STREAM_LABELS = 1, MOST_CLASSES = 100000 };

struct random_args {
    int rows, columns, classes, labels; /* labels: 0 = classes */
    bool sum;                           /* label = row sum > 0 */
};

static int parse(struct random_args *out, const char *args, struct cs_error *err)
{
    *out = (struct random_args){.classes = 2};
    if (!train_take_size(&out->rows, &out->columns, &args))
        return cs_fail(err, CS_EPARSE,
                       "expected `random NxD sum>0`, `random NxD classes=C` or `random NxD "
                       "labels=L` with N x D <= 10^8");
    out->sum = strcmp(args, " sum>0") == 0;
    if (out->sum)
        return 0;
    const bool labels = strncmp(args, " labels=", 8) == 0;
    if (labels || strncmp(args, " classes=", 9) == 0) {
        args += labels ? 8 : 9;
        int *count = labels ? &out->labels : &out->classes;
        if (train_take_count(count, &args) && !*args && *count >= (labels ? 1 : 2) &&
            *count <= MOST_CLASSES && (!labels || out->rows <= 100000000 / *count))
            return 0;
    }
    return cs_fail(err, CS_EPARSE,
                   "expected sum>0, classes=C (C >= 2) or labels=L after random %dx%d", out->rows,
                   out->columns);
}

static int describe(struct train_data_info *out, const struct train_data_source *from,
                    struct cs_error *err)
{
    struct random_args a;

    CS_TRY(parse(&a, from->args, err));
    *out = (struct train_data_info){.shape = {.ndim = 1, .dim = {a.columns}},
                                    .targets = a.labels ? KERN_FRACTIONS : KERN_CLASSES,
                                    .width = a.labels ? a.labels : a.classes,
                                    .train_count = a.rows,
                                    .test_count = (a.rows + 4) / 5};
    return 0;
}

static int32_t class_of(const struct random_args *a, const float *row, uint64_t i)
{
    if (a->sum) {
        float sum = 0;
        for (int c = 0; c < a->columns; c++)
            sum += row[c];
        return sum > 0;
    }
    const struct kern_philox r = kern_philox(0, (uint32_t) i, (uint32_t) (i >> 32), STREAM_LABELS,
                                             (uint32_t) KERN_PURPOSE_DATA << 16);
    return (int32_t) ((uint64_t) r.v[0] * (uint64_t) a->classes >> 32);
}

static void set_classes(int32_t *labels, const struct random_args *a, const float *values,
                        size_t rows)
{
    for (size_t r = 0; r < rows; r++)
        labels[r] = class_of(a, values + r * (size_t) a->columns, r);
}

/* Labels l of all rows, row-major. */
static void set_labels(float *targets, const struct random_args *a, const float *values,
                       size_t rows)
{
    const size_t columns = (size_t) a->columns, width = (size_t) a->labels;
    float *u = cs_xcalloc(columns, sizeof *u);

    for (size_t l = 0; l < width; l++) {
        for (size_t c = 0; c < columns; c++)
            u[c] = train_draw_normal(0, TRAIN_DRAW_WEIGHTS, l * (columns + 1) + c);
        for (size_t r = 0; r < rows; r++) {
            double sum = 0;
            for (size_t c = 0; c < columns; c++)
                sum += (double) values[r * columns + c] * (double) u[c];
            targets[r * width + l] = sum > 0 ? 1.0f : 0.0f;
        }
    }
    free(u);
}

static int load(struct train_data *data, const struct train_data_source *from,
                const struct train_data_info *info, struct cs_error *err)
{
    struct random_args a;
    const size_t rows = (size_t) (info->train_count + info->test_count);

    CS_TRY(parse(&a, from->args, err));
    const size_t columns = (size_t) a.columns, train = (size_t) info->train_count;
    const size_t width = (size_t) (a.labels ? a.labels : 1);
    float *values = cs_alloc_aligned(rows * columns, sizeof *values);
    void *targets = cs_alloc_aligned(rows * width, a.labels ? sizeof(float) : sizeof(int32_t));
    data->owned[0] = values;
    data->owned[1] = targets;
    if (!values || !targets)
        return cs_fail(err, CS_ENOMEM, "no memory for random %zu x %zu", rows, columns);
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = train_draw_normal(0, TRAIN_DRAW_INPUTS, i);
    if (a.labels)
        set_labels(targets, &a, values, rows);
    else
        set_classes(targets, &a, values, rows);
    const float *fractions = a.labels ? targets : NULL;
    const int32_t *labels = a.labels ? NULL : targets;
    data->train = (struct train_side){.values = values, .labels = labels, .targets = fractions};
    data->val = (struct train_side){.values = values + train * columns,
                                    .labels = labels ? labels + train : NULL,
                                    .targets = fractions ? fractions + train * width : NULL};
    return 0;
}

const struct train_dataset_kind train_dataset_random = {
    .name = "random",
    .usage = "random NxD sum>0 | random NxD classes=C | random NxD labels=L",
    .help = "N normal rows of D numbers; classes by their sum or at random, or L labels set or not "
            "(a random direction each); N/5 more as the test set",
    .describe = describe,
    .load = load,
};
