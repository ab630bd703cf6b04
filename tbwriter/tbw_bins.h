/*
 * tbw_bins.h - counting floats into the bins of a histogram.
 *
 * Of finite values only: tbw_range_of() says how many there are, the others are left out here too.
 */
#ifndef TBW_BINS_H
#define TBW_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tbw_range {
    size_t finite;   /* how many values are */
    double min, max; /* of those; 0 without any */
};

void tbw_range_of(struct tbw_range *out, const float *values, size_t count);

/*
 * counts[i] += values x with floor((x - min) / ((max - min) / bins)) = i, in doubles, the last bin
 * taking the rest; min < max.
 */
void tbw_count_equal(uint64_t *counts, int bins, const float *values, size_t count,
                     const struct tbw_range *range);

/*
 * The edges of TensorFlow and torch: e_0 = 1e-12, e_k+1 = e_k * 1.1 in doubles while below 1e20.
 * Row 0 is of values >= 0, row 1 of those < 0: counts[row][k] += values whose size is at least
 * e_k-1 and below e_k, k = 0: below e_0, k = TBW_EDGES: the rest. None of the edges is a float, so
 * which end of a bin is closed makes no difference.
 */
enum { TBW_EDGES = 774 };

struct tbw_counts {
    uint64_t row[2][TBW_EDGES + 1];
    double sum, sum_squares;
};

const double *tbw_edges(void); /* [TBW_EDGES] */
void tbw_count_edges(struct tbw_counts *out, const float *values, size_t count, bool all_finite);

#endif
