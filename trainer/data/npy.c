/*
 * npy.c - the user's own arrays: `npy`, with x_train.npy, y_train.npy and, if there, x_val.npy, y_val.npy in `path`.
 *
 * x: samples x features, or samples x height x width, or samples x channels x height x width; bytes (|u1) are pixels, divided by 255 as
 * those of images are, everything else is taken as float. y, by its type and dimensions:
 *
 *     whole numbers or bool, one a sample         classes 0 ... C - 1, C one more than the highest in y_train
 *     bool or bytes of 0 and 1, several a sample  labels that are set or not
 *     floats, one or several a sample             values
 *
 * x of bytes or <f4 is mapped by every worker, not read, and must stay as it is while csweep runs; the rest is converted once. Refused,
 * with one line: what npy.h refuses, sides that do not fit together, numbers that are not finite, classes below 0
 * or above 99,999 or that only y_val has, labels that are neither 0 nor 1.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "trainer/data/data.h"
#include "trainer/data/npy.h"

enum { MOST_FEATURES = 1 << 24, MOST_CLASSES = 100000, MOST_SAMPLES = 1000000000 };

/* One side's two files. */
struct arrays {
    char *x_path, *y_path;
    struct train_npy x, y;
};

static void close_arrays(struct arrays *a)
{
    train_npy_close(&a->x);
    train_npy_close(&a->y);
    free(a->x_path);
    free(a->y_path);
    *a = (struct arrays){NULL};
}

static char *path_of(const char *folder, const char *name)
{
    return cs_xasprintf("%s/%s.npy", *folder ? folder : ".", name);
}

static int open_arrays(struct arrays *out, const char *folder, const char *x, const char *y,
                       struct cs_error *err)
{
    out->x_path = path_of(folder, x);
    out->y_path = path_of(folder, y);
    CS_TRY(train_npy_open(&out->x, out->x_path, err));
    CS_TRY(train_npy_open(&out->y, out->y_path, err));
    if (out->x.dims < 2)
        return cs_fail(err, CS_ECORRUPT,
                       "%s: 1 dimension; expected samples x features, samples x height x width or "
                       "samples x channels x height x width",
                       out->x_path);
    int64_t features = 1;
    for (int i = 1; i < out->x.dims; i++)
        features *= out->x.size[i];
    if (features > MOST_FEATURES || out->x.size[0] > MOST_SAMPLES)
        return cs_fail(err, CS_ERANGE,
                       "%s: %lld samples of %lld numbers; expected at most %d of %d", out->x_path,
                       (long long) out->x.size[0], (long long) features, MOST_SAMPLES,
                       MOST_FEATURES);
    if (out->y.dims > 2 || (out->y.dims == 2 && out->y.size[1] > MOST_CLASSES))
        return cs_fail(err, CS_ECORRUPT,
                       "%s: expected one target a sample, or samples x targets with at most %d",
                       out->y_path, MOST_CLASSES);
    if (out->x.size[0] != out->y.size[0])
        return cs_fail(err, CS_ECORRUPT, "%s: %lld targets for %lld samples", out->y_path,
                       (long long) out->y.size[0], (long long) out->x.size[0]);
    return 0;
}

static bool is_float(const struct train_npy *npy)
{
    return npy->type == TRAIN_NPY_F4 || npy->type == TRAIN_NPY_F8;
}

static enum kern_targets targets_of(const struct train_npy *y)
{
    if (is_float(y))
        return KERN_VALUES;
    return y->dims == 1 ? KERN_CLASSES : KERN_FRACTIONS;
}

static int width_of(const struct train_npy *y)
{
    return y->dims == 2 ? (int) y->size[1] : 1;
}

static int check_class(const char *path, double class, size_t i, int classes, struct cs_error *err)
{
    if (class >= 0 && class < classes)
        return 0;
    return cs_fail(err, CS_ECORRUPT, "%s: class %.0f of sample %zu; expected 0 to %d", path, class,
                   i, classes - 1);
}

/* One more than the highest class, and at least 2. */
static int count_classes(int *out, const struct arrays *a, struct cs_error *err)
{
    double highest = 1;

    for (size_t i = 0; i < (size_t) a->y.size[0]; i++) {
        const double class = train_npy_get(&a->y, i);
        CS_TRY(check_class(a->y_path, class, i, MOST_CLASSES, err));
        highest = class > highest ? class : highest;
    }
    *out = (int) highest + 1;
    return 0;
}

static struct train_shape shape_of(const struct train_npy *x)
{
    const int at = x->dims - 2;

    if (x->dims == 2)
        return (struct train_shape){.ndim = 1, .dim = {(int) x->size[1]}};
    return (struct train_shape){
        .ndim = 3,
        .dim = {at == 2 ? (int) x->size[1] : 1, (int) x->size[at], (int) x->size[at + 1]}};
}

static bool has_val(const char *folder)
{
    char *path = path_of(folder, "x_val");
    const bool there = access(path, F_OK) == 0;

    free(path);
    return there;
}

/* The validation side is like the other. */
static int check_pair(const struct arrays *train, const struct arrays *val, struct cs_error *err)
{
    if (val->x.dims != train->x.dims || val->x.type != train->x.type ||
        memcmp(val->x.size + 1, train->x.size + 1, 3 * sizeof(int64_t)) != 0)
        return cs_fail(err, CS_ECORRUPT, "%s: not the type and shape of %s", val->x_path,
                       train->x_path);
    if (targets_of(&val->y) != targets_of(&train->y) || width_of(&val->y) != width_of(&train->y))
        return cs_fail(err, CS_ECORRUPT, "%s: not the targets of %s", val->y_path, train->y_path);
    return 0;
}

/* Both sides; without x_val the second is all zero. */
static int open_both(struct arrays sides[2], const char *path, struct cs_error *err)
{
    CS_TRY(open_arrays(&sides[0], path, "x_train", "y_train", err));
    if (!has_val(path))
        return 0;
    CS_TRY(open_arrays(&sides[1], path, "x_val", "y_val", err));
    return check_pair(&sides[0], &sides[1], err);
}

static int describe_sides(struct train_data_info *out, const struct arrays sides[2],
                          struct cs_error *err)
{
    const struct train_npy *y = &sides[0].y;

    *out = (struct train_data_info){.shape = shape_of(&sides[0].x),
                                    .targets = targets_of(y),
                                    .width = width_of(y),
                                    .train_count = sides[0].x.size[0],
                                    .test_count = sides[1].x.size[0]};
    return out->targets == KERN_CLASSES ? count_classes(&out->width, &sides[0], err) : 0;
}

static int describe(struct train_data_info *out, const struct train_data_source *from,
                    struct cs_error *err)
{
    struct arrays sides[2] = {{NULL}, {NULL}};

    if (*from->args)
        return cs_fail(err, CS_EPARSE, "unexpected %s after npy", from->args);
    int rc = open_both(sides, from->path, err);
    if (rc == 0)
        rc = describe_sides(out, sides, err);
    close_arrays(&sides[0]);
    close_arrays(&sides[1]);
    return rc;
}

/* Element i as a float; finite. */
static int take_float(float *out, const struct train_npy *npy, const char *path, size_t i,
                      struct cs_error *err)
{
    *out = (float) train_npy_get(npy, i);
    if (isfinite(*out))
        return 0;
    return cs_fail(err, CS_ECORRUPT, "%s: element %zu is %g; expected a finite float", path, i,
                   train_npy_get(npy, i));
}

static int check_finite(const struct train_npy *npy, const char *path, size_t count,
                        struct cs_error *err)
{
    const float *x = npy->numbers;

    for (size_t i = 0; i < count; i++) {
        if (!isfinite(x[i]))
            return cs_fail(err, CS_ECORRUPT, "%s: element %zu is %g; expected a finite float", path,
                           i, (double) x[i]);
    }
    return 0;
}

/* The numbers as they are; the file stays mapped, now by data. */
static int keep_x(struct train_data *data, struct train_side *side, struct arrays *a, int which,
                  size_t count, struct cs_error *err)
{
    if (a->x.type == TRAIN_NPY_U1)
        side->pixels = a->x.numbers;
    else
        side->values = a->x.numbers;
    data->mapped[which] = a->x.map;
    data->mapped_bytes[which] = a->x.map_bytes;
    a->x.map = NULL;
    return a->x.type == TRAIN_NPY_F4 ? check_finite(&a->x, a->x_path, count, err) : 0;
}

static int load_x(struct train_data *data, struct train_side *side, struct arrays *a, int which,
                  size_t features, struct cs_error *err)
{
    const size_t count = (size_t) a->x.size[0] * features;

    if (a->x.type == TRAIN_NPY_U1 || a->x.type == TRAIN_NPY_F4)
        return keep_x(data, side, a, which, count, err);
    float *values = cs_alloc_aligned(count, sizeof *values);
    data->owned[4 * which] = values;
    side->values = values;
    if (!values)
        return cs_fail(err, CS_ENOMEM, "no memory for %s", a->x_path);
    for (size_t i = 0; i < count; i++)
        CS_TRY(take_float(&values[i], &a->x, a->x_path, i, err));
    return 0;
}

static int load_classes(struct train_data *data, struct train_side *side, const struct arrays *a,
                        int which, int classes, struct cs_error *err)
{
    int32_t *labels = cs_xcalloc((size_t) a->y.size[0], sizeof *labels);

    data->owned[4 * which + 1] = labels;
    side->labels = labels;
    for (size_t i = 0; i < (size_t) a->y.size[0]; i++) {
        const double class = train_npy_get(&a->y, i);
        CS_TRY(check_class(a->y_path, class, i, classes, err));
        labels[i] = (int32_t) class;
    }
    return 0;
}

static int load_targets(struct train_data *data, struct train_side *side, const struct arrays *a,
                        int which, enum kern_targets targets, struct cs_error *err)
{
    const size_t count = (size_t) a->y.size[0] * (size_t) width_of(&a->y);
    float *out = cs_alloc_aligned(count, sizeof *out);

    data->owned[4 * which + 1] = out;
    side->targets = out;
    if (!out)
        return cs_fail(err, CS_ENOMEM, "no memory for %s", a->y_path);
    for (size_t i = 0; i < count; i++) {
        CS_TRY(take_float(&out[i], &a->y, a->y_path, i, err));
        if (targets == KERN_FRACTIONS && out[i] != 0.0f && out[i] != 1.0f)
            return cs_fail(err, CS_ECORRUPT, "%s: label %g as element %zu; expected 0 or 1",
                           a->y_path, (double) out[i], i);
    }
    return 0;
}

static int load_sides(struct train_data *data, struct arrays sides[2],
                      const struct train_data_info *info, struct cs_error *err)
{
    struct train_side *const to[2] = {&data->train, &data->val};
    const size_t features = (size_t) train_shape_size(&info->shape);

    for (int i = 0; i < 2 && sides[i].x.dims > 0; i++) {
        CS_TRY(load_x(data, to[i], &sides[i], i, features, err));
        CS_TRY(info->targets == KERN_CLASSES
                   ? load_classes(data, to[i], &sides[i], i, info->width, err)
                   : load_targets(data, to[i], &sides[i], i, info->targets, err));
    }
    return 0;
}

static int load(struct train_data *data, const struct train_data_source *from,
                const struct train_data_info *info, struct cs_error *err)
{
    struct arrays sides[2] = {{NULL}, {NULL}};
    struct train_data_info now;

    int rc = open_both(sides, from->path, err);
    if (rc == 0)
        rc = describe_sides(&now, sides, err);
    if (rc == 0)
        rc = train_data_unchanged(&now, info, from, err);
    if (rc == 0)
        rc = load_sides(data, sides, info, err);
    close_arrays(&sides[0]);
    close_arrays(&sides[1]);
    return rc;
}

static bool maps(const struct train_data_source *from)
{
    struct train_npy x;
    char *file = path_of(from->path, "x_train");
    const bool opened = train_npy_open(&x, file, NULL) == 0;
    const bool as_is = opened && (x.type == TRAIN_NPY_U1 || x.type == TRAIN_NPY_F4);

    train_npy_close(&x);
    free(file);
    return as_is;
}

static int check(const struct train_data_source *from, struct cs_error *err)
{
    struct train_data_info info;

    return describe(&info, from, err);
}

const struct train_dataset_kind train_dataset_npy = {
    .name = "npy",
    .usage = "npy",
    .help = "NumPy arrays x_train.npy, y_train.npy and, if there, x_val.npy, y_val.npy in `path`: "
            "classes, labels or values by the type of y",
    .describe = describe,
    .check = check,
    .maps = maps,
    .load = load,
};
