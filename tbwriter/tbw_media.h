/*
 * tbw_media.h - the larger summaries: histograms, images, curves, the graph. A part of tbw.h, which
 * includes it.
 *
 * Each takes a tag and a step under the rules of tbw.h, and a description (Markdown, used with the
 * tag's first point; may be NULL). What is drawn, binned or compressed is so outside the writer's
 * lock. Readers keep few points of these kinds (10 images, 100 histograms, 100 curves per tag).
 */
#ifndef TBW_MEDIA_H
#define TBW_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cs_error;
struct tbw_writer;

/* ---- histograms: the Histograms, Distributions and Time Series pages ---- */

/*
 * TBW_BINS_EQUAL      bins of equal width from the least to the largest value, TensorBoard's own
 *                     rule (plugins/histogram/summary_v2.py), stored as a tensor [bins, 3] of
 *                     doubles {left, right, count}. What both readers show best, and 0.7 KB.
 * TBW_BINS_TORCH      torch.utils.tensorboard's: edges 0, +-1e-12 * 1.1^k up to 1e20, those around
 *                     the values stored as a HistogramProto. Values beyond 1e20 are in its num,
 *                     sum, min and max, but in no bucket.
 * TBW_BINS_TENSORFLOW TensorFlow's tf.summary of version 1: the same edges and one of all that is
 *                     beyond, runs of empty buckets joined.
 * The last two are what readers of EventAccumulator.Histograms() see; they take no description.
 */
enum tbw_bins { TBW_BINS_EQUAL, TBW_BINS_TORCH, TBW_BINS_TENSORFLOW };

struct tbw_histogram {
    const float *values;
    size_t count;
    enum tbw_bins rule;
    int bins; /* TBW_BINS_EQUAL: how many, 1 to 1000; 0: 30 */
    const char *description;
};

/*
 * Values that are not finite have no place on an axis: they are left out, and *left_out (may be
 * NULL) tells how many; a scalar beside the histogram is the way to show it. Without any value it
 * is a histogram of zeros.
 */
int tbw_writer_histogram(struct tbw_writer *w, const char *tag, int64_t step,
                         const struct tbw_histogram *histogram, size_t *left_out,
                         struct cs_error *err);

/* ---- images ---- */

/* Rows from the top, pixels[height][width][channels]: 1 gray, 2 and alpha, 3 RGB, 4 and alpha. */
struct tbw_image {
    const uint8_t *pixels;
    int width, height, channels; /* sides up to 16384 */
    bool drawing; /* large areas of one color: packed without PNG's filters, faster and smaller */
};

/* The images of one step, shown one beside the other, as PNG. They may differ in size. */
int tbw_writer_images(struct tbw_writer *w, const char *tag, int64_t step,
                      const struct tbw_image *images, size_t count, const char *description,
                      struct cs_error *err);

/*
 * Many small images as one, each with a caption below: the samples a net is most wrong on, say.
 * Rows of `columns` (0: about square); every pixel is drawn scale x scale (0: so that sides come
 * to 56 at least). captions: one each, ASCII, of whose lines 24 letters show; NULL: none. The whole has sides up to 16384.
 */
struct tbw_grid {
    const struct tbw_image *images;
    const char *const *captions;
    size_t count;
    int columns, scale;
    const char *description;
};

int tbw_writer_grid(struct tbw_writer *w, const char *tag, int64_t step,
                    const struct tbw_grid *grid, struct cs_error *err);

/* ---- how a classifier errs ---- */

/*
 * The matrix as a drawn image at `tag`, and as a table at `tag`/table, since a tag is of one kind.
 * counts[classes][classes]: rows are what samples are, columns what they were taken for; 1 to 200
 * classes. Shades and numbers are fractions of the row. names: NULL for 0, 1, ...
 */
struct tbw_confusion {
    const uint64_t *counts;
    int classes;
    const char *const *names;
    const char *description; /* of the image */
};

int tbw_writer_confusion(struct tbw_writer *w, const char *tag, int64_t step,
                         const struct tbw_confusion *confusion, struct cs_error *err);

/*
 * A ROC curve as a drawn image: no page of TensorBoard has one, and the PR Curves page would name
 * its axes wrongly. Scores are finite, higher for members. *auc (may be NULL) is the area under it,
 * NaN when there are only members or none.
 */
struct tbw_roc {
    const float *scores;
    const uint8_t *labels; /* 0 or not */
    size_t count;
    const char *description;
};

int tbw_writer_roc(struct tbw_writer *w, const char *tag, int64_t step, const struct tbw_roc *roc,
                   double *auc, struct cs_error *err);

/* ---- precision and recall: the PR Curves page ---- */

/*
 * Of a class against the rest: scores in [0, 1] and whether each sample is of the class. The curve
 * is over thresholds 0 to 1 in equal steps: 2 to 1000 of them, 0: 201. A score counts as a member
 * at threshold k/(n - 1) when floor(score * (n - 1)) >= k, in float32, as TensorBoard's
 * pr_curve.summary and torch's add_pr_curve do. weights: one per sample, or NULL.
 */
struct tbw_pr_curve {
    const float *scores;
    const uint8_t *labels; /* 0 or not */
    const float *weights;
    size_t count;
    int thresholds;
    const char *description;
};

int tbw_writer_pr_curve(struct tbw_writer *w, const char *tag, int64_t step,
                        const struct tbw_pr_curve *curve, struct cs_error *err);

/* ---- audio ---- */

/* samples[frames][channels] in [-1, 1], what is beyond is cut; stored as WAV of 16 bits. */
struct tbw_audio {
    const float *samples;
    size_t frames;
    int channels, sample_rate; /* channels 1 to 8 */
    const char *description;
};

int tbw_writer_audio(struct tbw_writer *w, const char *tag, int64_t step,
                     const struct tbw_audio *audio, struct cs_error *err);

/* ---- meshes ---- */

/* Points, or a surface, at the tags `tag`_VERTEX, _FACE and _COLOR, as the Mesh page wants it. */
struct tbw_mesh {
    const float *vertices; /* [vertex_count][3] */
    size_t vertex_count;
    const int32_t *faces; /* [face_count][3] numbers of vertices; NULL: points only */
    size_t face_count;
    const uint8_t *colors; /* [vertex_count][3]; NULL: the page's own */
    const char *description;
};

int tbw_writer_mesh(struct tbw_writer *w, const char *tag, int64_t step,
                    const struct tbw_mesh *mesh, struct cs_error *err);

/* ---- the Projector page ---- */

/*
 * Vectors to be looked at in two or three dimensions, with a word and a picture each. Given to
 * tbw_writer_open() in its options, which puts their files beside the event file, since the page
 * looks for them when a run appears. Names are file names: letters, digits, - and _.
 */
struct tbw_embedding {
    const char *name;
    const float *vectors; /* [count][dims] */
    size_t count, dims;
    const char *const *labels;      /* one each, without tabs and line ends; NULL: none */
    const struct tbw_image *images; /* one each, of one size and kind; NULL: none */
};

/* ---- the Graphs page ---- */

/* A '/' in names makes boxes that open. Constants of more than a few bytes do not belong there. */
struct tbw_node {
    const char *name;
    const char *op;            /* "Linear": what the node does */
    const char *const *inputs; /* names of nodes, anywhere in the list */
    size_t input_count;
    const int64_t *shape; /* of what it puts out, written on its edges; -1: not known */
    size_t rank;
    const struct tbw_attr *attrs; /* shown in the node's box */
    size_t attr_count;
    const char *device; /* may be NULL */
};

struct tbw_attr {
    const char *name, *text;
};

/* The run's graph. Once per run: not again in the file of a resume. */
int tbw_writer_graph(struct tbw_writer *w, const struct tbw_node *nodes, size_t count,
                     struct cs_error *err);

/* ---- where it ran ---- */

/* A text card with the host's name, system, processor, memory and the process's number. */
int tbw_writer_host(struct tbw_writer *w, const char *tag, int64_t step, struct cs_error *err);

#endif
