#include "trainer/data/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cs_error.h"
#include "common/cs_param.h"
#include "kernels/math/philox.h"
#include "trainer/data/list.h"
#include "trainer/data/share.h"
#include "trainer/spec.h"

#define X(name) extern const struct train_dataset_kind train_dataset_##name;
TRAIN_DATASETS(X)
#undef X

static const struct train_dataset_kind *const kinds[] = {
#define X(name) &train_dataset_##name,
    TRAIN_DATASETS(X)
#undef X
        NULL};

const struct train_dataset_kind *const *train_dataset_kinds(void)
{
    return kinds;
}

/* "random 1000x20 sum>0" -> the kind and its arguments. */
static int find(struct train_data_source *out, const char *dataset, const char *path,
                struct cs_error *err)
{
    const size_t size = strcspn(dataset, " ");
    const char *names[CS_COUNT(kinds)];
    char word[64];
    size_t count = 0;

    *out =
        (struct train_data_source){.args = dataset[size] ? dataset + size + 1 : "", .path = path};
    snprintf(word, sizeof word, "%.*s", (int) size, dataset);
    for (; kinds[count]; count++) {
        out->kind = kinds[count];
        if (strcmp(kinds[count]->name, word) == 0)
            return 0;
        names[count] = kinds[count]->name;
    }
    return cs_fail_unknown(err, "dataset", word, names, count);
}

int train_data_describe(struct train_data_info *out, const char *dataset, const char *path,
                        struct cs_error *err)
{
    struct train_data_source from;

    CS_TRY(find(&from, dataset, path, err));
    return from.kind->describe(out, &from, err);
}

const char *const *train_data_class_names(const char *dataset)
{
    struct train_data_source from;

    return find(&from, dataset, "", NULL) == 0 ? from.kind->classes : NULL;
}

int train_data_check(const struct train_spec *spec, struct cs_error *err)
{
    struct train_data_source from;

    CS_TRY(find(&from, spec->dataset, spec->path, err));
    return from.kind->check ? from.kind->check(&from, err) : 0;
}

int train_data_sizes(int64_t *train, int64_t *val, const struct train_data_info *info,
                     int64_t limit, double val_split, struct cs_error *err)
{
    int64_t n = info->train_count;

    if (limit > 0 && limit < n)
        n = limit;
    *val = info->test_count;
    if (val_split > 0) {
        *val = val_split < 1 ? (int64_t) floor(val_split * (double) n + 0.5) : (int64_t) val_split;
        n -= *val;
    }
    *train = n;
    if (n < 1 || *val < 1)
        return cs_fail(
            err, CS_ERANGE,
            "leaves %lld training and %lld validation examples; expected at least 1 of each",
            (long long) n, (long long) *val);
    return 0;
}

char *train_data_key(const struct train_spec *spec)
{
    char split[CS_DOUBLE_MAX];
    return cs_xasprintf("%s|%s|%lld|%s", spec->dataset, spec->path, (long long) spec->limit,
                        cs_format_double(split, spec->val_split));
}

/* Fisher-Yates over list[0..count) from words of (key, purpose, epoch). */
static void shuffle(uint32_t *list, int64_t count, uint64_t key, uint32_t purpose, uint32_t epoch)
{
    struct kern_philox words = {{0}};

    for (int64_t i = 0; i < count - 1; i++) {
        if (i % 4 == 0)
            words = kern_philox(key, (uint32_t) (i / 4), epoch, 0, purpose << 16);
        const int64_t j = i + (int64_t) ((uint64_t) words.v[i % 4] * (uint64_t) (count - i) >> 32);
        const uint32_t swap = list[i];
        list[i] = list[j];
        list[j] = swap;
    }
}

void train_data_order(uint32_t *order, int64_t count, bool shuffled, uint64_t seed, uint32_t epoch)
{
    for (int64_t i = 0; i < count; i++)
        order[i] = (uint32_t) i;
    if (shuffled)
        shuffle(order, count, seed, KERN_PURPOSE_SHUFFLE, epoch);
}

static void fill(struct train_side *side, int64_t count)
{
    side->index = cs_xcalloc((size_t) count, sizeof *side->index);
    side->count = count;
    for (int64_t i = 0; i < count; i++)
        side->index[i] = (uint32_t) i;
}

static void apply_split(struct train_data *data, int64_t train, int64_t val, bool cut)
{
    if (!cut) {
        fill(&data->train, train);
        fill(&data->val, val);
        return;
    }
    fill(&data->train, train + val);
    shuffle(data->train.index, train + val, 0, KERN_PURPOSE_SPLIT, 0);
    data->val = data->train;
    data->val.index = cs_xcalloc((size_t) val, sizeof *data->val.index);
    memcpy(data->val.index, data->train.index + train, (size_t) val * sizeof *data->val.index);
    data->val.count = val;
    data->train.count = train;
}

int train_data_unchanged(const struct train_data_info *now, const struct train_data_info *then,
                         const struct train_data_source *from, struct cs_error *err)
{
    bool same = now->targets == then->targets && now->width == then->width &&
                now->train_count == then->train_count && now->test_count == then->test_count &&
                now->shape.ndim == then->shape.ndim;

    for (int i = 0; same && i < now->shape.ndim; i++)
        same = now->shape.dim[i] == then->shape.dim[i];
    return same ? 0
                : cs_fail(err, CS_ECORRUPT, "dataset %s: its files were changed meanwhile",
                          from->kind->name);
}

/* What a data set is read with. */
struct reading {
    struct train_data_source from;
    const struct train_data_info *info;
};

static int read_data(void *context, struct train_data *data, struct cs_error *err)
{
    const struct reading *r = context;
    return r->from.kind->load(data, &r->from, r->info, err);
}

/* Squared differences of a side's values from their means, output by output. */
static double spread_of(const struct train_data *data, const struct train_side *side)
{
    const size_t width = (size_t) data->width;
    double spread = 0;

    for (size_t o = 0; data->targets == KERN_VALUES && o < width; o++) {
        double mean = 0;
        for (int64_t i = 0; i < side->count; i++)
            mean += (double) side->targets[side->index[i] * width + o] / (double) side->count;
        for (int64_t i = 0; i < side->count; i++) {
            const double d = (double) side->targets[side->index[i] * width + o] - mean;
            spread += d * d;
        }
    }
    return spread;
}

int train_data_load(struct train_data **out, const struct train_spec *spec, struct cs_error *err)
{
    return train_data_load_shared(out, spec, "", err);
}

/* From the copy that workers share, unless the files themselves are mapped. */
static int read_shared(struct train_data *data, struct reading *r, const char *share,
                       struct cs_error *err)
{
    const bool maps = r->from.kind->maps && r->from.kind->maps(&r->from);

    if (!*share || maps)
        return read_data(r, data, err);
    return train_share_load(data, share, r->info, &(struct train_share_source){read_data, r}, err);
}

int train_data_load_shared(struct train_data **out, const struct train_spec *spec,
                           const char *share, struct cs_error *err)
{
    struct train_data *data = cs_xcalloc(1, sizeof *data);
    struct reading r = {.info = spec->data};
    int64_t train = 0, val = 0;

    int rc = find(&r.from, spec->dataset, spec->path, err);
    if (rc == 0)
        rc = train_data_sizes(&train, &val, r.info, spec->limit, spec->val_split, err);
    if (rc == 0)
        rc = read_shared(data, &r, share, err);
    if (rc < 0) {
        train_data_free(data);
        return rc;
    }
    data->key = train_data_key(spec);
    data->shape = r.info->shape;
    data->targets = r.info->targets;
    data->width = r.info->width;
    apply_split(data, train, val, spec->val_split > 0);
    data->spread[0] = spread_of(data, &data->train);
    data->spread[1] = spread_of(data, &data->val);
    *out = data;
    return 0;
}

void train_data_drop(struct train_data *data)
{
    for (size_t i = 0; i < CS_COUNT(data->owned); i++) {
        free(data->owned[i]);
        data->owned[i] = NULL;
    }
    for (size_t i = 0; i < CS_COUNT(data->mapped); i++) {
        if (data->mapped[i])
            munmap(data->mapped[i], data->mapped_bytes[i]);
        data->mapped[i] = NULL;
    }
}

void train_data_free(struct train_data *data)
{
    if (!data)
        return;
    free(data->key);
    free(data->train.index);
    free(data->val.index);
    train_data_drop(data);
    free(data);
}
