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
};

/* The images of one step, shown one beside the other, as PNG. They may differ in size. */
int tbw_writer_images(struct tbw_writer *w, const char *tag, int64_t step,
                      const struct tbw_image *images, size_t count, const char *description,
                      struct cs_error *err);

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

#endif
