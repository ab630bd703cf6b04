/* fuzz_data.h - a data set of the user's own from the bytes: its files are the parts between words ~~~~. */
#ifndef TESTS_FUZZ_DATA_H
#define TESTS_FUZZ_DATA_H

#include "common/cs_error.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/data/data.h"
#include "trainer/spec.h"

/* Everything that was loaded, read once. */
static inline void fuzz_walk(const struct train_data *d)
{
    const struct train_side *const sides[] = {&d->train, &d->val};
    const int64_t features = train_shape_size(&d->shape);

    for (size_t s = 0; s < 2; s++) {
        for (int64_t i = 0; i < sides[s]->count; i++) {
            const int64_t row = sides[s]->index[i];
            for (int64_t f = 0; f < features; f++)
                fuzz_sum += sides[s]->pixels ? sides[s]->pixels[row * features + f]
                                             : (double) sides[s]->values[row * features + f];
            if (sides[s]->labels &&
                (sides[s]->labels[row] < 0 || sides[s]->labels[row] >= d->width))
                abort();
            for (int w = 0; sides[s]->targets && w < d->width; w++)
                fuzz_sum += (double) sides[s]->targets[row * d->width + w];
        }
    }
}

static inline void fuzz_load(const char *kind, const struct train_data_info *info)
{
    char layers[64];
    struct train_spec *spec = NULL;
    struct train_data *loaded = NULL;
    struct cs_error err;

    snprintf(layers, sizeof layers, "flatten > linear %d", info->width);
    const struct train_setting settings[] = {{"dataset", kind, 0},
                                             {"path", fuzz_folder(), 0},
                                             {"val_split", "0.5", 0},
                                             {"loss", "mse", 0},
                                             {"layers", layers, 0}};
    if (train_spec_create(&spec, settings, sizeof settings / sizeof *settings, 0, &err) == 0 &&
        train_data_load(&loaded, spec, &err) == 0) {
        fuzz_walk(loaded);
        train_data_free(loaded);
    }
    train_spec_free(spec);
}

static inline void fuzz_dataset(const char *kind, const char *const *names, const uint8_t *data,
                                size_t size)
{
    struct train_data_info info;
    struct cs_error err;
    const uint8_t *at = data, *end = data + size;
    char path[256];

    for (; *names; names++) {
        const uint8_t *stop = at ? memmem(at, (size_t) (end - at), "~~~~", 4) : NULL;
        snprintf(path, sizeof path, "%s/%s", fuzz_folder(), *names);
        if (at)
            fuzz_write(*names, at, (size_t) ((stop ? stop : end) - at));
        else
            unlink(path);
        at = stop ? stop + 4 : NULL;
    }
    /* A layer as wide as a thousand classes is enough. */
    if (train_data_describe(&info, kind, fuzz_folder(), &err) == 0 && info.width <= 1000 &&
        train_shape_size(&info.shape) <= 100000)
        fuzz_load(kind, &info);
}

#endif
