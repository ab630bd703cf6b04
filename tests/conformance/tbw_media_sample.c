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
        images[n] = (struct tbw_image){pixels[n], SIDE + 4 + n, SIDE, n + 1, n == 2};
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

static int add_drawn(tbw_writer *w, int step, struct cs_error *err)
{
    static const char *const names[] = {"T-shirt/top", "Bag|s", "Ankle_boot"};
    static const char *const captions[] = {"true 3, was 5", "two", "", "four", "five"};
    const uint64_t counts[9] = {80, 15, 5, 0, 99, 1, 7, 3, (uint64_t) (90 + step)};
    const struct tbw_confusion confusion = {counts, 3, names, "of the *test* set"};
    uint8_t pixels[5][28 * 28];
    struct tbw_image images[5];
    float scores[SAMPLES];
    uint8_t labels[SAMPLES];
    double auc;

    for (uint32_t n = 0; n < 5; n++) {
        images[n] = (struct tbw_image){pixels[n], 28, 28, 1, false};
        for (uint32_t i = 0; i < sizeof pixels[n]; i++)
            pixels[n][i] = (uint8_t) (i % 28 * 9);
    }
    for (uint32_t i = 0; i < SAMPLES; i++) {
        labels[i] = number(7 * i) > 0.6f;
        scores[i] = floorf(40 * number(3 * i)) / 40 + (labels[i] ? 0.3f : 0.0f);
    }
    const struct tbw_grid grid = {images, captions, 5, 3, 0, NULL};
    const struct tbw_roc roc = {scores, labels, SAMPLES, NULL};
    CS_TRY(tbw_writer_grid(w, "Drawn/grid", step, &grid, err));
    CS_TRY(tbw_writer_confusion(w, "Drawn/confusion", step, &confusion, err));
    CS_TRY(tbw_writer_roc(w, "Drawn/roc", step, &roc, &auc, err));
    const struct tbw_scalar scalar = {"Drawn/auc", auc, NULL};
    return tbw_writer_scalars(w, step, &scalar, 1, err);
}

/* Two channels of a second's tenth, with a value beyond 1. */
static int add_sound(tbw_writer *w, int step, struct cs_error *err)
{
    float samples[800];
    const struct tbw_audio audio = {samples, 800, 1, 8000, NULL};

    for (uint32_t i = 0; i < 800; i++)
        samples[i] = 2 * number(i + (uint32_t) step) - 1;
    return tbw_writer_audio(w, "Sound", step, &audio, err);
}

static int add_mesh(tbw_writer *w, int step, struct cs_error *err)
{
    static const int32_t faces[] = {0, 1, 2, 0, 1, 3, 0, 2, 3, 1, 2, 3};
    static const uint8_t colors[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0};
    float vertices[12];
    const struct tbw_mesh mesh = {vertices, 4, faces, 4, colors, NULL};

    for (uint32_t i = 0; i < 12; i++)
        vertices[i] = number(i + (uint32_t) step);
    return tbw_writer_mesh(w, "Mesh", step, &mesh, err);
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

/* What add_hparams and add_custom_scalars write; torch 1.13 makes numbers of truth values. */
static int add_tables(tbw_writer *w, struct cs_error *err)
{
    static const char *const tags[] = {"Loss", "Drawn/.*"};
    static const struct tbw_chart chart = {.title = "Loss", .tags = tags, .tag_count = 2};
    static const struct tbw_category category = {"Learning", &chart, 1};
    static const struct tbw_hvalue values[] = {{"lr", TBW_FLOAT, NULL, 0.5},
                                               {"optimizer", TBW_STRING, "adam", 0}};
    static const struct tbw_hparam_info infos[] = {{.name = "lr", .kind = TBW_FLOAT},
                                                   {.name = "optimizer", .kind = TBW_STRING}};
    static const struct tbw_metric_info metric = {.tag = "Result"};
    static const struct tbw_experiment experiment = {
        .hparams = infos, .hparam_count = 2, .metrics = &metric, .metric_count = 1};

    static const struct tbw_scalar result = {"Result", 0.5, NULL};

    CS_TRY(tbw_writer_scalars(w, 0, &result, 1, err));
    CS_TRY(tbw_writer_experiment(w, &experiment, err));
    CS_TRY(tbw_writer_hparams_start(w, values, CS_COUNT(values), NULL, 0, err));
    CS_TRY(tbw_writer_layout(w, &category, 1, err));
    return tbw_writer_hparams_end(w, TBW_SUCCESS, 0, err);
}

static int add_all(tbw_writer *w, struct cs_error *err)
{
    CS_TRY(add_tables(w, err));
    CS_TRY(add_graph(w, err));
    for (int step = 0; step < STEPS; step++) {
        const struct tbw_scalar scalar = {"Loss", (double) number((uint32_t) step), NULL};
        CS_TRY(tbw_writer_scalars(w, step, &scalar, 1, err));
        CS_TRY(tbw_writer_text(w, "Note", step, "| a | b |\n|---|---|\n| 1 | **2** |", err));
        CS_TRY(add_histograms(w, step, err));
        CS_TRY(add_images(w, step, err));
        CS_TRY(add_curve(w, step, err));
        CS_TRY(add_drawn(w, step, err));
        CS_TRY(add_sound(w, step, err));
        CS_TRY(add_mesh(w, step, err));
    }
    return tbw_writer_host(w, "Host", 0, err);
}

/* Ten vectors of three numbers, each with a word and a picture of 2 x 2. */
static int open_run(tbw_writer **out, const char *dir, struct cs_error *err)
{
    static const char *const labels[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    float vectors[30];
    uint8_t pixels[10][12];
    struct tbw_image images[10];
    const struct tbw_embedding embedding = {"features", vectors, 10, 3, labels, images};
    const struct tbw_options options = {
        .wall_time = 1600000000.5, .embeddings = &embedding, .embedding_count = 1};

    for (uint32_t i = 0; i < 30; i++)
        vectors[i] = number(i);
    for (uint32_t n = 0; n < 10; n++) {
        images[n] = (struct tbw_image){pixels[n], 2, 2, 3, false};
        for (uint32_t i = 0; i < 12; i++)
            pixels[n][i] = (uint8_t) (20 * n + i);
    }
    return tbw_writer_open(out, dir, &options, err);
}

int main(int argc, char **argv)
{
    struct cs_error err = {0};
    tbw_writer *w;

    if (argc != 2) {
        fprintf(stderr, "usage: tbw_media_sample LOGDIR\n");
        return 2;
    }
    char *dir = cs_xasprintf("%s/media", argv[1]);
    int rc = open_run(&w, dir, &err);
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
