/*
 * regression.c - linear data: `regression NxD`, `regression NxD outputs=K noise=S`.
 *
 * Inputs are standard normal, and target k of a row x is x . w_k + b_k + S e: w_k and b_k D + 1 normal numbers, e a
 * normal number of its own for every target; the sum in double, begun at b_k, in the order of the columns, rounded to
 * float. K is 1 and S 0.1 unless given. N rows to train on and ceil(N / 5) more, drawn after them, as the test set
 * (val_split cuts from the N instead). The numbers depend on nothing but the place (draw.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "trainer/data/data.h"
#include "trainer/data/draw.h"

struct regression_args {
    int rows, columns, outputs;
    double noise;
};

static bool take_noise(double *out, const char *word)
{
    return cs_parse_double(out, word) && *out >= 0 && *out <= 1e6;
}

static int parse(struct regression_args *out, const char *args, struct cs_error *err)
{
    *out = (struct regression_args){.outputs = 1, .noise = 0.1};
    if (!train_take_size(&out->rows, &out->columns, &args) || (*args && *args != ' '))
        return cs_fail(err, CS_EPARSE,
                       "expected `regression NxD [outputs=K] [noise=S]` with N x D <= 10^8");
    while (*args) {
        char word[64];
        const size_t size = strcspn(++args, " ");
        const char *number = word + 8;
        snprintf(word, sizeof word, "%.*s", (int) size, args);
        args += size;
        if (strncmp(word, "noise=", 6) == 0 && take_noise(&out->noise, word + 6))
            continue;
        if (strncmp(word, "outputs=", 8) != 0 || !train_take_count(&out->outputs, &number) ||
            *number || out->rows > 100000000 / out->outputs)
            return cs_fail(err, CS_EPARSE,
                           "%s: expected outputs=K (K >= 1) or noise=S (S in [0, 1e6]) after "
                           "regression %dx%d",
                           word, out->rows, out->columns);
    }
    return 0;
}

static int describe(struct train_data_info *out, const struct train_data_source *from,
                    struct cs_error *err)
{
    struct regression_args a;

    CS_TRY(parse(&a, from->args, err));
    *out = (struct train_data_info){.shape = {.ndim = 1, .dim = {a.columns}},
                                    .targets = KERN_VALUES,
                                    .width = a.outputs,
                                    .train_count = a.rows,
                                    .test_count = (a.rows + 4) / 5};
    return 0;
}

/* Targets k of all rows. */
static void set_targets(float *targets, const struct regression_args *a, const float *values,
                        size_t rows, size_t k)
{
    const size_t columns = (size_t) a->columns, width = (size_t) a->outputs;
    float *w = cs_xcalloc(columns + 1, sizeof *w);

    for (size_t c = 0; c <= columns; c++)
        w[c] = train_draw_normal(0, TRAIN_DRAW_WEIGHTS, k * (columns + 1) + c);
    for (size_t r = 0; r < rows; r++) {
        double sum = (double) w[columns];
        for (size_t c = 0; c < columns; c++)
            sum += (double) values[r * columns + c] * (double) w[c];
        sum += a->noise * (double) train_draw_normal(0, TRAIN_DRAW_NOISE, r * width + k);
        targets[r * width + k] = (float) sum;
    }
    free(w);
}

static int load(struct train_data *data, const struct train_data_source *from,
                const struct train_data_info *info, struct cs_error *err)
{
    struct regression_args a;
    const size_t rows = (size_t) (info->train_count + info->test_count);

    CS_TRY(parse(&a, from->args, err));
    const size_t columns = (size_t) a.columns, width = (size_t) a.outputs;
    const size_t train = (size_t) info->train_count;
    float *values = cs_alloc_aligned(rows * columns, sizeof *values);
    float *targets = cs_alloc_aligned(rows * width, sizeof *targets);
    data->owned[0] = values;
    data->owned[1] = targets;
    if (!values || !targets)
        return cs_fail(err, CS_ENOMEM, "no memory for regression %zu x %zu", rows, columns);
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = train_draw_normal(0, TRAIN_DRAW_INPUTS, i);
    for (size_t k = 0; k < width; k++)
        set_targets(targets, &a, values, rows, k);
    data->train = (struct train_side){.values = values, .targets = targets};
    data->val =
        (struct train_side){.values = values + train * columns, .targets = targets + train * width};
    return 0;
}

const struct train_dataset_kind train_dataset_regression = {
    .name = "regression",
    .usage = "regression NxD [outputs=K] [noise=S]",
    .help = "N normal rows of D numbers; K (1) linear functions of them with normal noise of "
            "deviation S (0.1) as values to be met; N/5 more as the test set",
    .describe = describe,
    .load = load,
};
