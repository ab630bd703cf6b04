/*
 * media_classes.c - what a trial of classes shows at its end: confusion matrix, most wrong images, precision and recall.
 *
 * Scores are probabilities: softmax of the outputs where the loss takes one for every class; else each output by itself,
 * its sigmoid where the loss says yes above 0, cut to [0, 1] where it does above a half. The class said is the first
 * with the largest output, of one output by the loss's own yes, as in Accuracy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "kernels/math/elementary.h"
#include "trainer/media.h"
#include "trainer/model.h"

enum {
    CONFUSION_MAX = 200, /* classes */
    THRESHOLDS = 101,
    WRONG_MAX = 20,
    WRONG_COLUMNS = 4,
    WRONG_LETTERS = 13,
    WRONG_SIDE = 112 /* an image's dots, about */
};

/* The validation set as the trial sees it: those samples that count. */
struct seen {
    int classes;
    size_t count;
    float *score;     /* [count][classes] */
    int32_t *label;   /* [count] */
    int32_t *said;    /* [count] */
    uint32_t *row;    /* [count], of the data set */
    uint64_t *counts; /* [classes][classes]: of the true class, said to be */
    const char *const *names;
};

/* ---- scores ---- */

static void softmax(float *out, const float *x, int n)
{
    float max = x[0], sum = 0;

    for (int i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (int i = 0; i < n; i++)
        sum += out[i] = kern_exp(x[i] - max);
    for (int i = 0; i < n; i++)
        out[i] /= sum;
}

static float single(const struct kern_loss *loss, float x)
{
    if (loss->half > 0)
        return x < 0 ? 0 : x > 1 ? 1 : x;
    return kern_sigmoid(x);
}

static int32_t take_scores(float *score, const struct kern_loss *loss, const float *x, int outputs)
{
    int32_t said = 0;

    if (outputs == 1) {
        score[1] = single(loss, x[0]);
        score[0] = 1 - score[1];
        return x[0] > loss->half;
    }
    for (int i = 1; i < outputs; i++)
        said = x[i] > x[said] ? i : said;
    if (loss->by_class)
        softmax(score, x, outputs);
    for (int i = 0; i < outputs && !loss->by_class; i++)
        score[i] = single(loss, x[i]);
    return said;
}

static void see(struct seen *s, const struct train_trial *trial, train_bundle *bundle, int k,
                const struct train_data *data)
{
    const struct train_side *val = &data->val;
    const int outputs = trial->spec->model->outputs;
    const size_t rows = (size_t) val->count;
    float *x = cs_xmalloc(rows * (size_t) outputs * sizeof *x);

    s->classes = outputs > 1 ? outputs : 2;
    s->score = cs_xcalloc(rows * (size_t) s->classes, sizeof *s->score);
    s->label = cs_xcalloc(rows, sizeof *s->label);
    s->said = cs_xcalloc(rows, sizeof *s->said);
    s->row = cs_xcalloc(rows, sizeof *s->row);
    s->counts = cs_xcalloc((size_t) s->classes * (size_t) s->classes, sizeof *s->counts);
    s->names = train_data_class_names(trial->spec->dataset);
    train_bundle_outputs(bundle, k, x);
    for (size_t r = 0; r < rows; r++) {
        const int32_t label = val->labels[val->index[r]];
        const size_t n = s->count;
        if (label == trial->spec->loss_numbers->ignore || label < 0 || label >= s->classes)
            continue;
        s->row[n] = val->index[r];
        s->label[n] = label;
        s->said[n] = take_scores(s->score + n * (size_t) s->classes, trial->spec->loss,
                                 x + r * (size_t) outputs, outputs);
        s->counts[label * s->classes + s->said[n]]++;
        s->count++;
    }
    free(x);
}

static void forget(struct seen *s)
{
    free(s->score);
    free(s->label);
    free(s->said);
    free(s->row);
    free(s->counts);
}

static const char *class_name(char out[64], const struct seen *s, int class)
{
    if (s->names)
        snprintf(out, 64, "%.60s", s->names[class]);
    else
        snprintf(out, 64, "%d", class);
    return out;
}

/* ---- the confusion matrix ---- */

static uint64_t count_of(const struct seen *s, int class)
{
    uint64_t sum = 0;

    for (int c = 0; c < s->classes; c++)
        sum += s->counts[class * s->classes + c];
    return sum;
}

static int write_confusion(struct train_trial *trial, const struct seen *s, struct cs_error *err)
{
    if (s->classes > CONFUSION_MAX)
        return 0;
    return tbw_writer_confusion(
        trial->events, "Confusion", trial->now.epoch,
        &(struct tbw_confusion){.counts = s->counts,
                                .classes = s->classes,
                                .names = s->names,
                                .description = "validation set; per cent of the true class"},
        err);
}

/* ---- the most wrong images ---- */

/* Samples by the score of their own class, lowest first, then by place. */
struct wrong {
    float score;
    size_t at;
};

static int compare_wrong(const void *a, const void *b)
{
    const struct wrong *x = a, *y = b;

    if (x->score < y->score || x->score > y->score)
        return x->score < y->score ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static size_t find_wrong(struct wrong *out, const struct seen *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->said[i] != s->label[i])
            out[n++] = (struct wrong){s->score[i * (size_t) s->classes + (size_t) s->label[i]], i};
    }
    qsort(out, n, sizeof *out, compare_wrong);
    return n;
}

/* "Coat\n>Shirt 95%" */
static const char *caption_of(struct cs_arena *arena, const struct seen *s, size_t at)
{
    const double said = s->score[at * (size_t) s->classes + (size_t) s->said[at]];
    char label[64], name[64];

    class_name(label, s, s->label[at]);
    class_name(name, s, s->said[at]);
    return cs_arena_printf(arena, "%.*s\n>%.*s %.0f%%", WRONG_LETTERS, label, WRONG_LETTERS - 6,
                           name, 100 * said);
}

/* The sample's bytes, [channels][height][width], as an image has them. */
static struct tbw_image image_of(struct cs_arena *arena, const struct train_data *data,
                                 uint32_t row)
{
    const struct train_shape *shape = &data->shape;
    const size_t channels = (size_t) shape->dim[0],
                 plane = (size_t) shape->dim[1] * (size_t) shape->dim[2];
    const uint8_t *from = data->val.pixels + row * channels * plane;
    uint8_t *pixels = cs_arena_alloc(arena, channels * plane);

    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < plane; i++)
            pixels[i * channels + c] = from[c * plane + i];
    return (struct tbw_image){.pixels = pixels,
                              .width = shape->dim[2],
                              .height = shape->dim[1],
                              .channels = shape->dim[0]};
}

static int write_grid(struct train_trial *trial, const struct seen *s, const struct wrong *wrong,
                      size_t count, const struct train_data *data, struct cs_error *err)
{
    struct tbw_image images[WRONG_MAX];
    const char *captions[WRONG_MAX];
    struct cs_arena arena = {0};
    const int scale = WRONG_SIDE / data->shape.dim[2];

    for (size_t i = 0; i < count; i++) {
        images[i] = image_of(&arena, data, s->row[wrong[i].at]);
        captions[i] = caption_of(&arena, s, wrong[i].at);
    }
    const struct tbw_grid grid = {
        .images = images,
        .captions = captions,
        .count = count,
        .columns = WRONG_COLUMNS,
        .scale = scale > 0 ? scale : 1,
        .description =
            "validation images whose own class got the lowest scores: what they are, and "
            "what was said with which score"};
    const int rc = tbw_writer_grid(trial->events, "Most_Wrong", trial->now.epoch, &grid, err);
    cs_arena_clear(&arena);
    return rc;
}

static int write_wrong(struct train_trial *trial, const struct seen *s,
                       const struct train_data *data, struct cs_error *err)
{
    const struct train_shape *shape = &data->shape;
    int rc = 0;

    if (!data->val.pixels || shape->ndim != 3 || (shape->dim[0] != 1 && shape->dim[0] != 3) ||
        shape->dim[1] > 256 || shape->dim[2] > 256)
        return 0;
    struct wrong *wrong = cs_xcalloc(s->count + 1, sizeof *wrong);
    const size_t all = find_wrong(wrong, s);
    if (all > 0)
        rc = write_grid(trial, s, wrong, all < WRONG_MAX ? all : WRONG_MAX, data, err);
    free(wrong);
    return rc;
}

/* ---- precision and recall ---- */

static int write_curves(struct train_trial *trial, const struct seen *s, struct cs_error *err)
{
    float *scores = cs_xmalloc((s->count + 1) * sizeof *scores);
    uint8_t *labels = cs_xmalloc(s->count + 1);
    int rc = 0;

    for (int c = 0; c < s->classes && c < TRAIN_CURVES && rc == 0; c++) {
        char name[64], tag[80];
        for (size_t i = 0; i < s->count; i++) {
            scores[i] = s->score[i * (size_t) s->classes + (size_t) c];
            labels[i] = s->label[i] == c;
        }
        const struct tbw_pr_curve curve = {.scores = scores,
                                           .labels = labels,
                                           .count = s->count,
                                           .thresholds = THRESHOLDS,
                                           .description = "validation set, against all others"};
        snprintf(tag, sizeof tag, "PR/%s", class_name(name, s, c));
        rc = tbw_writer_pr_curve(trial->events, tag, trial->now.epoch, &curve, err);
    }
    free(scores);
    free(labels);
    return rc;
}

static void add_part(struct cs_buf *out, uint64_t part, uint64_t all)
{
    if (all > 0)
        cs_buf_addf(out, " %.4f |", (double) part / (double) all);
    else
        cs_buf_adds(out, " - |");
}

static int write_table(struct train_trial *trial, const struct seen *s, struct cs_error *err)
{
    struct cs_buf text = {0};
    char name[64];

    cs_buf_adds(&text, "Validation set, after the last epoch.\n\n"
                       "| class | precision | recall | F1 | samples |\n| --- | --- | --- | --- | "
                       "--- |\n");
    for (int c = 0; c < s->classes; c++) {
        const uint64_t right = s->counts[c * s->classes + c], all = count_of(s, c);
        uint64_t said = 0;
        for (int t = 0; t < s->classes; t++)
            said += s->counts[t * s->classes + c];
        cs_buf_addf(&text, "| %s |", class_name(name, s, c));
        add_part(&text, right, said);
        add_part(&text, right, all);
        add_part(&text, 2 * right, said + all);
        cs_buf_addf(&text, " %llu |\n", (unsigned long long) all);
    }
    const int rc = tbw_writer_text(trial->events, "Classes", trial->now.epoch, text.data, err);
    cs_buf_clear(&text);
    return rc;
}

int train_media_end(struct train_trial *trial, train_bundle *bundle, int k,
                    const struct train_data *data, struct cs_error *err)
{
    struct seen s = {0};

    if (!trial->spec->media || trial->spec->targets != KERN_CLASSES ||
        trial->now.state == TRAIN_DIVERGED)
        return 0;
    see(&s, trial, bundle, k, data);
    int rc = write_confusion(trial, &s, err);
    if (rc == 0)
        rc = write_wrong(trial, &s, data, err);
    if (rc == 0)
        rc = write_curves(trial, &s, err);
    if (rc == 0)
        rc = write_table(trial, &s, err);
    forget(&s);
    return rc;
}
