/*
 * random.c - the tutorials' random tensors: `random NxD sum>0`, `random NxD classes=C`.
 *
 * Inputs are standard normal; the label is (sum of the row > 0), or a uniform class. N rows to train on and
 * ceil(N / 5) more, drawn after them, as the test set (val_split cuts from the N instead). The numbers depend
 * on nothing but the place: kernels/math/normal.h on Philox words with key 0, so they are the same on every
 * machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "kernels/math/normal.h"
#include "trainer/data/data.h"

enum { STREAM_VALUES = 0, STREAM_LABELS = 1 };

struct random_args {
    int rows, columns, classes;
    bool sum; /* label = row sum > 0 */
};

/* Decimal digits as a number in [1, 10^9]; *at moves past them. sscanf would wrap 4294967297 round to 1. */
static bool take_count(int *out, const char **at)
{
    int64_t value = 0;
    const char *p = *at;

    for (; *p >= '0' && *p <= '9' && value <= 1000000000; p++)
        value = 10 * value + (*p - '0');
    *out = (int) value;
    const bool good = p > *at && **at != '0' && value <= 1000000000;
    *at = p;
    return good;
}

static int parse(struct random_args *out, const char *args, struct cs_error *err)
{
    *out = (struct random_args){.classes = 2};
    if (!take_count(&out->rows, &args) || *args++ != 'x' || !take_count(&out->columns, &args) ||
        out->rows > 100000000 / out->columns)
        return cs_fail(err, CS_EPARSE,
                       "expected `random NxD sum>0` or `random NxD classes=C` with N x D <= 10^8");
    out->sum = strcmp(args, " sum>0") == 0;
    if (out->sum)
        return 0;
    if (strncmp(args, " classes=", 9) == 0) {
        args += 9;
        if (take_count(&out->classes, &args) && !*args && out->classes >= 2 &&
            out->classes <= 100000)
            return 0;
    }
    return cs_fail(err, CS_EPARSE, "expected sum>0 or classes=C (C >= 2) after random %dx%d",
                   out->rows, out->columns);
}

static int describe(struct train_data_info *out, const char *args, struct cs_error *err)
{
    struct random_args a;

    CS_TRY(parse(&a, args, err));
    *out = (struct train_data_info){.shape = {.ndim = 1, .dim = {a.columns}},
                                    .classes = a.classes,
                                    .train_count = a.rows,
                                    .test_count = (a.rows + 4) / 5};
    return 0;
}

/* Normal number of place i: pairs are rejected until they fall inside the unit circle. */
static float normal(uint64_t i)
{
    for (uint32_t attempt = 0;; attempt++) {
        const struct kern_philox r =
            kern_philox(0, (uint32_t) i, (uint32_t) (i >> 32), STREAM_VALUES + 2 * attempt,
                        (uint32_t) KERN_PURPOSE_DATA << 16);
        float z;
        if (kern_normal(&z, r.v[0], r.v[1]))
            return z;
    }
}

static int32_t label(const struct random_args *a, const float *row, uint64_t i)
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

static int load(struct train_data *data, const char *args, const char *path,
                const struct train_data_info *info, struct cs_error *err)
{
    struct random_args a;
    const size_t rows = (size_t) (info->train_count + info->test_count);

    (void) path;
    CS_TRY(parse(&a, args, err));
    const size_t columns = (size_t) a.columns;
    float *values = cs_alloc_aligned(rows * columns, sizeof *values);
    int32_t *labels = cs_alloc_aligned(rows, sizeof *labels);
    data->owned[0] = values;
    data->owned[1] = labels;
    if (!values || !labels)
        return cs_fail(err, CS_ENOMEM, "no memory for random %zu x %zu", rows, columns);
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = normal(i);
    for (size_t r = 0; r < rows; r++)
        labels[r] = label(&a, values + r * columns, r);
    const size_t train = (size_t) info->train_count;
    data->train = (struct train_side){.values = values, .labels = labels};
    data->val = (struct train_side){.values = values + train * columns, .labels = labels + train};
    return 0;
}

const struct train_dataset_kind train_dataset_random = {
    .name = "random",
    .usage = "random NxD sum>0 | random NxD classes=C",
    .help =
        "N normal rows of D numbers, labelled by their sum or at random; N/5 more as the test set",
    .describe = describe,
    .load = load,
};
