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
#include "trainer/picture.h"

enum {
    SIDE_MAX = 800,    /* dots of the matrix */
    CELL = 52,         /* of a class, where they fit */
    CELL_LETTERS = 38, /* from here on with numbers in it */
    NAME_LETTERS = 12,
    THRESHOLDS = 101,
    WRONG_COLUMNS = 4,
    WRONG_ROWS = 5,
    WRONG_LETTERS = 13,
    WRONG_SIDE = 112 /* an image's dots, about */
};

static const struct picture_color black = {0, 0, 0}, gray = {110, 110, 110};

/* The validation set as the trial sees it: those samples that count. */
struct seen {
    int classes;
    size_t count;
    float *score;    /* [count][classes] */
    int32_t *label;  /* [count] */
    int32_t *said;   /* [count] */
    uint32_t *row;   /* [count], of the data set */
    int64_t *counts; /* [classes][classes]: of the true class, said to be */
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

static int64_t count_of(const struct seen *s, int class)
{
    int64_t sum = 0;

    for (int c = 0; c < s->classes; c++)
        sum += s->counts[class * s->classes + c];
    return sum;
}

/* White to blue. */
static struct picture_color shade(double part)
{
    return (struct picture_color){(uint8_t) (247 - 239 * part), (uint8_t) (251 - 170 * part),
                                  (uint8_t) (255 - 99 * part)};
}

static void draw_cell(struct picture *p, int x, int y, int cell, double part, bool any)
{
    char text[8];

    train_picture_fill(p, x, y, cell - 1, cell - 1, shade(part));
    if (cell < CELL_LETTERS || !any)
        return;
    snprintf(text, sizeof text, "%.0f", 100 * part);
    const int width = (int) strlen(text) * PICTURE_LETTER - PICTURE_SCALE;
    train_picture_text(p, x + (cell - width) / 2, y + (cell - PICTURE_HEIGHT) / 2, text, 3,
                       part > 0.5 ? (struct picture_color){255, 255, 255} : black);
}

/* Letters of the longest name, at most NAME_LETTERS. */
static int longest_name(const struct seen *s)
{
    size_t longest = 1;
    char name[64];

    for (int c = 0; c < s->classes; c++) {
        const size_t length = strlen(class_name(name, s, c));
        longest = length > longest ? length : longest;
    }
    return longest < NAME_LETTERS ? (int) longest : NAME_LETTERS;
}

/* True classes down, said ones across; a row adds up to 100 %. */
static void draw_confusion(struct picture *p, const struct seen *s, int cell)
{
    const int left = (longest_name(s) + 1) * PICTURE_LETTER, top = left + PICTURE_LINE,
              side = s->classes * cell;
    static const char title[] = "TRUE DOWN, SAID ACROSS, %";
    char name[64];

    train_picture_create(p, left + side + 4, top + side + 4);
    if (p->width > (int) strlen(title) * PICTURE_LETTER)
        train_picture_text(p, 4, 4, title, 40, gray);
    for (int c = 0; c < s->classes; c++) {
        const int64_t all = count_of(s, c);
        const int middle = c * cell + (cell - PICTURE_HEIGHT) / 2;
        if (cell > PICTURE_HEIGHT) {
            class_name(name, s, c);
            const int length = (int) strlen(name);
            const int shown = length < NAME_LETTERS ? length : NAME_LETTERS;
            train_picture_text(p, left - shown * PICTURE_LETTER - 4, top + middle, name, shown,
                               black);
            train_picture_text_upwards(p, left + middle, top - 4, name, shown, black);
        }
        for (int said = 0; said < s->classes; said++) {
            const int64_t n = s->counts[c * s->classes + said];
            draw_cell(p, left + said * cell, top + c * cell, cell,
                      all ? (double) n / (double) all : 0, n > 0);
        }
    }
}

static int write_picture(struct train_trial *trial, const char *tag, const struct picture *p,
                         const char *help, struct cs_error *err)
{
    const struct tbw_image image = {p->rgb, p->width, p->height, 3, true};
    return tbw_writer_images(trial->events, tag, trial->now.epoch, &image, 1, help, err);
}

static int write_confusion(struct train_trial *trial, const struct seen *s, struct cs_error *err)
{
    const int fits = SIDE_MAX / s->classes, cell = fits < CELL ? fits : CELL;
    struct picture p;

    if (cell < 2)
        return 0;
    draw_confusion(&p, s, cell);
    const int rc = write_picture(trial, "Confusion", &p,
                                 "validation set: true classes down, said ones across; per cent of "
                                 "the true class",
                                 err);
    train_picture_free(&p);
    return rc;
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

static void draw_wrong(struct picture *p, const struct seen *s, const struct wrong *wrong,
                       size_t count, const struct train_data *data)
{
    const struct train_shape *shape = &data->shape;
    const int height = shape->dim[1], width = shape->dim[2];
    const int scale = WRONG_SIDE / width > 1 ? WRONG_SIDE / width : 1;
    const int text = WRONG_LETTERS * PICTURE_LETTER, image = scale * width;
    const int cell_width = (image > text ? image : text) + 12;
    const int cell_height = scale * height + 2 * PICTURE_LINE + 12;
    const size_t features = (size_t) train_shape_size(shape);

    train_picture_create(p, WRONG_COLUMNS * cell_width + 8,
                         (int) ((count + WRONG_COLUMNS - 1) / WRONG_COLUMNS) * cell_height + 8);
    for (size_t i = 0; i < count; i++) {
        const size_t at = wrong[i].at;
        const int x = 8 + (int) (i % WRONG_COLUMNS) * cell_width,
                  y = 8 + (int) (i / WRONG_COLUMNS) * cell_height, below = y + scale * height + 6;
        const struct picture_source source = {data->val.pixels + s->row[at] * features,
                                              shape->dim[0], height, width};
        const double said = s->score[at * (size_t) s->classes + (size_t) s->said[at]];
        char name[64], line[80];
        train_picture_image(p, x, y, scale, &source);
        train_picture_text(p, x, below, class_name(name, s, s->label[at]), WRONG_LETTERS, black);
        class_name(name, s, s->said[at]);
        snprintf(line, sizeof line, ">%.*s %.0f%%", WRONG_LETTERS - 6, name, 100 * said);
        train_picture_text(p, x, below + PICTURE_LINE, line, WRONG_LETTERS, gray);
    }
}

static int write_wrong(struct train_trial *trial, const struct seen *s,
                       const struct train_data *data, struct cs_error *err)
{
    const struct train_shape *shape = &data->shape;
    struct picture p;
    int rc = 0;

    if (!data->val.pixels || shape->ndim != 3 || (shape->dim[0] != 1 && shape->dim[0] != 3) ||
        shape->dim[1] > 256 || shape->dim[2] > 256)
        return 0;
    struct wrong *wrong = cs_xcalloc(s->count + 1, sizeof *wrong);
    const size_t all = find_wrong(wrong, s), most = WRONG_COLUMNS * WRONG_ROWS;
    if (all > 0) {
        draw_wrong(&p, s, wrong, all < most ? all : most, data);
        rc = write_picture(trial, "Most_Wrong", &p,
                           "validation images whose own class got the lowest scores: what they "
                           "are, and what was said with which score",
                           err);
        train_picture_free(&p);
    }
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

static void add_part(struct cs_buf *out, int64_t part, int64_t all)
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
        const int64_t right = s->counts[c * s->classes + c], all = count_of(s, c);
        int64_t said = 0;
        for (int t = 0; t < s->classes; t++)
            said += s->counts[t * s->classes + c];
        cs_buf_addf(&text, "| %s |", class_name(name, s, c));
        add_part(&text, right, said);
        add_part(&text, right, all);
        add_part(&text, 2 * right, said + all);
        cs_buf_addf(&text, " %lld |\n", (long long) all);
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
