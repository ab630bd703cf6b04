#include "trainer/data/toy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cs_error.h"
#include "trainer/data/draw.h"

enum { MOST_POINTS = 10000000 };

struct toy_args {
    int rows, classes;
    double noise;
    uint64_t seed;
};

static bool take_seed(uint64_t *out, const char *word)
{
    double value;

    if (!cs_parse_double(&value, word) || value < 0 || value > 0x1p53 || value != floor(value))
        return false;
    *out = (uint64_t) value;
    return true;
}

/* One of the words after the number; false: it is none of them. */
static bool take_word(struct toy_args *out, const struct train_toy *toy, const char *word)
{
    const char *number = word + 8;

    if (strncmp(word, "noise=", 6) == 0)
        return cs_parse_double(&out->noise, word + 6) && out->noise >= 0 && out->noise <= 1e6;
    if (strncmp(word, "seed=", 5) == 0)
        return take_seed(&out->seed, word + 5);
    return toy->most_classes > 2 && strncmp(word, "classes=", 8) == 0 &&
           train_take_count(&out->classes, &number) && !*number && out->classes >= 2 &&
           out->classes <= toy->most_classes;
}

static int parse(struct toy_args *out, const struct train_toy *toy, const char *args,
                 struct cs_error *err)
{
    char classes[64] = "";

    *out = (struct toy_args){.classes = 2, .noise = toy->noise};
    if (toy->most_classes > 2)
        snprintf(classes, sizeof classes, "classes=C (2 to %d), ", toy->most_classes);
    if (!train_take_count(&out->rows, &args) || out->rows > MOST_POINTS || (*args && *args != ' '))
        return cs_fail(err, CS_EPARSE, "expected `%s N`, N points in [1, %d]", toy->name,
                       MOST_POINTS);
    while (*args) {
        char word[64];
        const size_t size = strcspn(++args, " ");
        snprintf(word, sizeof word, "%.*s", (int) size, args);
        args += size;
        if (!take_word(out, toy, word))
            return cs_fail(err, CS_EPARSE,
                           "%s: expected %snoise=S (S in [0, 1e6]) or seed=K (a whole number) "
                           "after %s %d",
                           word, classes, toy->name, out->rows);
    }
    return 0;
}

int train_toy_describe(struct train_data_info *out, const struct train_data_source *from,
                       struct cs_error *err)
{
    struct toy_args a;

    CS_TRY(parse(&a, from->kind->of, from->args, err));
    *out = (struct train_data_info){.shape = {.ndim = 1, .dim = {2}},
                                    .targets = KERN_CLASSES,
                                    .width = a.classes,
                                    .train_count = a.rows,
                                    .test_count = (a.rows + 4) / 5};
    return 0;
}

int train_toy_load(struct train_data *data, const struct train_data_source *from,
                   const struct train_data_info *info, struct cs_error *err)
{
    const struct train_toy *toy = from->kind->of;
    struct toy_args a;
    const size_t train = (size_t) info->train_count, rows = train + (size_t) info->test_count;

    CS_TRY(parse(&a, from->kind->of, from->args, err));
    float *values = cs_alloc_aligned(2 * rows, sizeof *values);
    int32_t *labels = cs_alloc_aligned(rows, sizeof *labels);
    data->owned[0] = values;
    data->owned[1] = labels;
    if (!values || !labels)
        return cs_fail(err, CS_ENOMEM, "no memory for %s %zu", toy->name, rows);
    for (size_t i = 0; i < rows; i++) {
        double u[2], point[2];
        int label = (int) (i % (size_t) a.classes);
        train_draw_uniform(u, a.seed, TRAIN_DRAW_PLACES, i);
        toy->place(point, &label, a.classes, u);
        labels[i] = label;
        for (size_t c = 0; c < 2; c++)
            values[2 * i + c] =
                (float) (point[c] +
                         a.noise * (double) train_draw_normal(a.seed, TRAIN_DRAW_NOISE, 2 * i + c));
    }
    data->train = (struct train_side){.values = values, .labels = labels};
    data->val = (struct train_side){.values = values + 2 * train, .labels = labels + train};
    return 0;
}
