/*
 * tbw_media_sample.c - writes the log directory that run_tbw_media.py compares with what the same
 * calls of torch's SummaryWriter give, and lets TensorBoard read: tbw_media_sample LOGDIR
 *
 * One run, "media". Numbers come from number(), which the script knows too.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "tbwriter/tbw.h"

enum { STEPS = 3, VALUES = 4000, SIDE = 12, SAMPLES = 500 };

/* In [0, 1), multiples of 2^-24. */
static float number(uint32_t i)
{
    return (float) ((i * 2654435761u) >> 8) / 16777216.0f;
}

static int add_histograms(tbw_writer *w, int step, struct cs_error *err)
{
    static const char *const tags[] = {"Weights/equal", "Weights/torch", "Weights/tensorflow"};
    float *values = cs_xcalloc(VALUES + 2, sizeof *values);
    int rc = 0;

    for (uint32_t i = 0; i < VALUES; i++)
        values[i] = (number(i) - 0.5f) * (float) (step + 1) * (i % 2 ? 1 : 0.001f);
    values[VALUES] = INFINITY; /* of the first rule only: torch does not leave them out */
    values[VALUES + 1] = NAN;
    for (int rule = 0; rule < 3 && rc == 0; rule++) {
        const struct tbw_histogram h = {.values = values,
                                        .count = rule == TBW_BINS_EQUAL ? VALUES + 2 : VALUES,
                                        .rule = (enum tbw_bins) rule,
                                        .description =
                                            rule == TBW_BINS_EQUAL ? "of *one* layer" : NULL};
        size_t left_out;
        rc = tbw_writer_histogram(w, tags[rule], step, &h, &left_out, err);
        if (rc == 0 && left_out != (rule == TBW_BINS_EQUAL ? 2u : 0u))
            rc = cs_fail(err, CS_ERANGE, "%zu values were left out", left_out);
    }
    free(values);
    return rc;
}

/* Gray, RGB and with alpha: 12 rows of 16, 17, 18 and 19 pixels. */
static int add_images(tbw_writer *w, int step, struct cs_error *err)
{
    uint8_t pixels[4][SIDE * (SIDE + 7) * 4];
    struct tbw_image images[4];

    for (int n = 0; n < 4; n++) {
        images[n] = (struct tbw_image){pixels[n], SIDE + 4 + n, SIDE, n + 1};
        for (uint32_t i = 0; i < sizeof pixels[n]; i++)
            pixels[n][i] = (uint8_t) (256 * number(i + (uint32_t) (100 * step + n)));
    }
    CS_TRY(tbw_writer_images(w, "Images/rgb", step, &images[2], 1, NULL, err));
    return tbw_writer_images(w, "Images/all", step, images, 4, "four *kinds*", err);
}

static int add_curve(tbw_writer *w, int step, struct cs_error *err)
{
    float scores[SAMPLES];
    uint8_t labels[SAMPLES];
    struct tbw_pr_curve curve = {
        .scores = scores, .labels = labels, .count = SAMPLES, .thresholds = 127};

    for (uint32_t i = 0; i < SAMPLES; i++) {
        labels[i] = number(7 * i + (uint32_t) step) > 0.6f;
        scores[i] = 0.5f * number(i) + (labels[i] ? 0.5f : 0.0f) * number(3 * i);
    }
    scores[0] = 0;
    scores[1] = 1;
    CS_TRY(tbw_writer_pr_curve(w, "Curves/class", step, &curve, err));
    curve.thresholds = 0;
    curve.description = "201 thresholds";
    return tbw_writer_pr_curve(w, "Curves/fine", step, &curve, err);
}

static int add_graph(tbw_writer *w, struct cs_error *err)
{
    static const char *const to_linear[] = {"input"}, *const to_relu[] = {"net/0"},
                             *const to_output[] = {"net/1"};
    static const int64_t in[] = {-1, 20}, hidden[] = {-1, 64};
    static const struct tbw_attr attrs[] = {{"in_features", "20"}, {"out_features", "64"}};
    const struct tbw_node nodes[] = {
        {.name = "input", .op = "Input", .shape = in, .rank = 2},
        {.name = "net/0",
         .op = "Linear",
         .inputs = to_linear,
         .input_count = 1,
         .shape = hidden,
         .rank = 2,
         .attrs = attrs,
         .attr_count = 2},
        {.name = "net/1",
         .op = "ReLU",
         .inputs = to_relu,
         .input_count = 1,
         .shape = hidden,
         .rank = 2,
         .device = "cpu"},
        {.name = "output", .op = "Output", .inputs = to_output, .input_count = 1},
    };

    return tbw_writer_graph(w, nodes, CS_COUNT(nodes), err);
}

static int add_all(tbw_writer *w, struct cs_error *err)
{
    CS_TRY(add_graph(w, err));
    for (int step = 0; step < STEPS; step++) {
        const struct tbw_scalar scalar = {"Loss", (double) number((uint32_t) step), NULL};
        CS_TRY(tbw_writer_scalars(w, step, &scalar, 1, err));
        CS_TRY(tbw_writer_text(w, "Note", step, "| a | b |\n|---|---|\n| 1 | **2** |", err));
        CS_TRY(add_histograms(w, step, err));
        CS_TRY(add_images(w, step, err));
        CS_TRY(add_curve(w, step, err));
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct tbw_options options = {.wall_time = 1600000000.5};
    struct cs_error err = {0};
    tbw_writer *w;

    if (argc != 2) {
        fprintf(stderr, "usage: tbw_media_sample LOGDIR\n");
        return 2;
    }
    char *dir = cs_xasprintf("%s/media", argv[1]);
    int rc = tbw_writer_open(&w, dir, &options, &err);
    if (rc == 0) {
        rc = add_all(w, &err);
        const int closed = tbw_writer_close(w, rc == 0 ? &err : NULL);
        rc = rc < 0 ? rc : closed;
    }
    free(dir);
    if (rc < 0)
        fprintf(stderr, "tbw_media_sample: %s: %s\n", err.where, err.detail);
    return rc < 0;
}
