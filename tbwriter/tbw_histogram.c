/* Histograms; the counting is in tbw_bins.c. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_bins.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_writer_impl.h"

enum { DEFAULT_BINS = 30, BINS_MAX = 1000 };

/* ---- equal width ---- */

static void put_row(struct cs_buf *out, double left, double right, double count)
{
    const double row[3] = {left, right, count};
    uint8_t bytes[sizeof row];

    for (size_t i = 0; i < 3; i++) {
        uint64_t bits;
        memcpy(&bits, &row[i], sizeof bits);
        tbw_store64(bytes + 8 * i, bits);
    }
    cs_buf_add(out, bytes, sizeof bytes);
}

/*
 * Rows {left, right, count}. All values equal: the reference's rows, edges and all, the count in
 * the last. None: zeros.
 */
static void put_rows(struct cs_buf *out, int bins, const struct tbw_histogram *h,
                     const struct tbw_range *range)
{
    uint64_t *counts = cs_xcalloc((size_t) bins, sizeof *counts);
    const double step = (range->max - range->min) / bins;

    if (range->min < range->max)
        tbw_count_equal(counts, bins, h->values, h->count, range);
    else
        counts[bins - 1] = range->finite;
    for (int i = 0; i < bins; i++)
        put_row(out, range->min + i * step,
                i == bins - 1 ? range->max : range->min + (i + 1) * step, (double) counts[i]);
    free(counts);
}

static int write_equal(tbw_writer *w, const char *tag, int64_t step, const struct tbw_histogram *h,
                       const struct tbw_range *range, struct cs_error *err)
{
    const struct tbw_what what = {.tag = tag,
                                  .step = step,
                                  .plugin = "histograms",
                                  .description = h->description,
                                  .data_class = TBW__DATA_CLASS__TENSOR};
    const int bins = h->bins ? h->bins : DEFAULT_BINS;
    struct cs_buf rows = {0};

    if (bins < 1 || bins > BINS_MAX)
        return cs_fail(err, CS_ERANGE, "histogram of %d bins: must be 1 to %d", bins,
                       (int) BINS_MAX);
    put_rows(&rows, bins, h, range);
    const int rc =
        tbw_writer_matrix(w, &what, TBW__TENSOR__TYPE__DOUBLE, (size_t) bins, 3, &rows, err);
    cs_buf_clear(&rows);
    return rc;
}

/* ---- widening bins ---- */

enum { LIMITS = 2 * TBW_EDGES + 2 }; /* -DBL_MAX, the negative edges, 0, the edges, DBL_MAX */

/*
 * All buckets by their upper ends, ascending: counts[i] of values from limits[i - 1], or from
 * below, up to limits[i].
 */
static void spread(double limits[LIMITS + 1], double counts[LIMITS + 1],
                   const struct tbw_counts *from)
{
    const double *edges = tbw_edges();
    size_t n = 0;

    limits[n] = -DBL_MAX;
    counts[n++] = 0;
    for (int k = TBW_EDGES; k > 0; k--) {
        limits[n] = -edges[k - 1];
        counts[n++] = (double) from->row[1][k];
    }
    limits[n] = 0;
    counts[n++] = (double) from->row[1][0];
    for (int k = 0; k < TBW_EDGES; k++) {
        limits[n] = edges[k];
        counts[n++] = (double) from->row[0][k];
    }
    limits[n] = DBL_MAX;
    counts[n] = (double) from->row[0][TBW_EDGES];
}

/* torch/utils/tensorboard/summary.py, make_histogram: from one empty bucket before the first. */
static void trim(Tbw__Histogram *out, double *limits, double *counts)
{
    size_t first = 2, last = LIMITS - 1; /* between the outermost edges */

    while (first < last && counts[first] <= 0)
        first++;
    while (last > first && counts[last] <= 0)
        last--;
    counts[first - 1] = 0;
    out->bucket_limit = limits + first - 1;
    out->bucket = counts + first - 1;
    out->n_bucket = last - first + 2;
    out->n_bucket_limit = out->n_bucket;
}

/* tensorflow/core/lib/histogram, EncodeToProto: a run of empty buckets is one, up to its end. */
static void join(Tbw__Histogram *out, double *limits, double *counts)
{
    size_t n = 0;

    for (size_t i = 0; i <= LIMITS; i++) {
        const bool goes_on = n > 0 && counts[i] <= 0 && counts[n - 1] <= 0;
        n -= goes_on;
        limits[n] = limits[i];
        counts[n++] = counts[i];
    }
    out->bucket_limit = limits;
    out->bucket = counts;
    out->n_bucket = out->n_bucket_limit = n;
}

static int write_edges(tbw_writer *w, const char *tag, int64_t step, const struct tbw_histogram *h,
                       const struct tbw_range *range, struct cs_error *err)
{
    const struct tbw_what what = {.tag = tag, .step = step, .plugin = "histograms"};
    struct tbw_counts *counts = cs_xmalloc(sizeof *counts);
    double *limits = cs_xcalloc(2 * (LIMITS + 1), sizeof *limits);
    Tbw__Histogram histo = TBW__HISTOGRAM__INIT;
    Tbw__Value value = TBW__VALUE__INIT;

    tbw_count_edges(counts, h->values, h->count, range->finite == h->count);
    spread(limits, limits + LIMITS + 1, counts);
    histo.min = range->min;
    histo.max = range->max;
    histo.num = (double) range->finite;
    histo.sum = counts->sum;
    histo.sum_squares = counts->sum_squares;
    (h->rule == TBW_BINS_TORCH ? trim : join)(&histo, limits, limits + LIMITS + 1);
    value.what_case = TBW__VALUE__WHAT_HISTO;
    value.histo = &histo;
    const int rc = tbw_writer_value(w, &what, &value, err);
    free(limits);
    free(counts);
    return rc;
}

int tbw_writer_histogram(tbw_writer *w, const char *tag, int64_t step,
                         const struct tbw_histogram *histogram, size_t *left_out,
                         struct cs_error *err)
{
    struct tbw_range range;

    tbw_range_of(&range, histogram->values, histogram->count);
    if (left_out)
        *left_out = histogram->count - range.finite;
    switch (histogram->rule) {
    case TBW_BINS_EQUAL:
        return write_equal(w, tag, step, histogram, &range, err);
    case TBW_BINS_TORCH:
    case TBW_BINS_TENSORFLOW:
        if (histogram->description)
            return cs_fail(err, CS_ERANGE, "a histogram of this rule takes no description");
        return write_edges(w, tag, step, histogram, &range, err);
    }
    return cs_fail(err, CS_ERANGE, "rule %d is not one of tbw_bins", (int) histogram->rule);
}
