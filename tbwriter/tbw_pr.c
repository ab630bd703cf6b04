/*
 * Curves of precision and recall: a float tensor [6, thresholds], rows true positives, false
 * positives, true negatives, false negatives, precision, recall
 * (tensorboard/plugins/pr_curve/summary.py).
 */
#include <math.h>
#include <stdlib.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_writer_impl.h"

enum { DEFAULT_THRESHOLDS = 201, THRESHOLDS_MAX = 1000 };

/* in[k], weights of the samples in bucket k, becomes those in k and above. */
static void add_up(double *in, int n)
{
    for (int k = n - 2; k >= 0; k--)
        in[k] += in[k + 1];
}

static int fill_buckets(double *positive, double *negative, int n, const struct tbw_pr_curve *curve,
                        struct cs_error *err)
{
    for (size_t i = 0; i < curve->count; i++) {
        const float score = curve->scores[i];
        const double weight = curve->weights ? (double) curve->weights[i] : 1;
        if (!(score >= 0 && score <= 1))
            return cs_fail(err, CS_ERANGE, "score %zu = %g: must be in [0, 1]", i, (double) score);
        if (!(weight >= 0 && isfinite(weight)))
            return cs_fail(err, CS_ERANGE, "weight %zu = %g: must be finite and not below 0", i,
                           weight);
        (curve->labels[i] ? positive : negative)[(int) (score * (float) (n - 1))] += weight;
    }
    add_up(positive, n);
    add_up(negative, n);
    return 0;
}

static void put_number(struct cs_buf *out, double value)
{
    const float single = (float) value;
    uint8_t bytes[4];
    uint32_t bits;

    memcpy(&bits, &single, sizeof bits);
    tbw_store32(bytes, bits);
    cs_buf_add(out, bytes, sizeof bytes);
}

static void put_curve(struct cs_buf *out, const double *tp, const double *fp, int n)
{
    static const double least = 1e-7; /* in place of a sum that is 0 */

    for (int k = 0; k < n; k++)
        put_number(out, tp[k]);
    for (int k = 0; k < n; k++)
        put_number(out, fp[k]);
    for (int k = 0; k < n; k++)
        put_number(out, fp[0] - fp[k]);
    for (int k = 0; k < n; k++)
        put_number(out, tp[0] - tp[k]);
    for (int k = 0; k < n; k++)
        put_number(out, tp[k] / fmax(least, tp[k] + fp[k]));
    for (int k = 0; k < n; k++)
        put_number(out, tp[k] / fmax(least, tp[0]));
}

int tbw_writer_pr_curve(tbw_writer *w, const char *tag, int64_t step,
                        const struct tbw_pr_curve *curve, struct cs_error *err)
{
    const int n = curve->thresholds ? curve->thresholds : DEFAULT_THRESHOLDS;
    struct cs_buf content = {0}, numbers = {0};
    const struct tbw_what what = {.tag = tag,
                                  .step = step,
                                  .plugin = "pr_curves",
                                  .content = &content,
                                  .description = curve->description,
                                  .data_class = TBW__DATA_CLASS__TENSOR};

    if (n < 2 || n > THRESHOLDS_MAX)
        return cs_fail(err, CS_ERANGE, "%d thresholds: must be 2 to %d", n, (int) THRESHOLDS_MAX);
    double *buckets = cs_xcalloc(2 * (size_t) n, sizeof *buckets);
    int rc = fill_buckets(buckets, buckets + n, n, curve, err);
    if (rc == 0) {
        tbw_put_varint(&content, 2 << 3); /* PrCurvePluginData.num_thresholds */
        tbw_put_varint(&content, (uint64_t) n);
        put_curve(&numbers, buckets, buckets + n, n);
        rc = tbw_writer_matrix(w, &what, TBW__TENSOR__TYPE__FLOAT, 6, (size_t) n, &numbers, err);
    }
    cs_buf_clear(&content);
    cs_buf_clear(&numbers);
    free(buckets);
    return rc;
}
