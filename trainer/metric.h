/*
 * metric.h - what a trial writes every epoch: its tags, and how their values come from the epoch's sums.
 *
 * Which of them a trial has depends on what its data set has as targets; the order is that of the table, and of
 * curve.csv. Private to trainer/; others know the tags (spec.h).
 *
 *   classes     Accuracy: predictions that are right (of several outputs the first largest; one output: yes or no);
 *               Accuracy_Top5, of more than 5 classes: the right one is among the 5 first; F1/Val: mean over the classes
 *               (those that occur or are predicted) of 2 right / (predicted + there)
 *   fractions   Accuracy: outputs whose yes or no is that of the target; F1 of all of them (micro)
 *   values      MAE: mean |x - y|; R2: 1 - sum (x - y)^2 / sum (y - mean of the output's y)^2, over all outputs
 */
#ifndef TRAIN_METRIC_H
#define TRAIN_METRIC_H

#include <stdbool.h>

#include "trainer/bundle.h"
#include "trainer/spec.h"

enum { TRAIN_METRICS_MAX = 16 };

/* An epoch as it was measured: [0] training, [1] validation. */
struct train_measured {
    const struct train_sums *sums[2];
    double spread[2]; /* of the sides' values: train_data.spread */
    int labels;       /* what a sample is measured by: 1 class, or so many numbers */
    bool batch_means; /* of losses: mean of batch means, else over samples */
    double lr, norm;
    bool whole; /* else the epoch was cut short: there are no values of its end */
};

struct train_metric {
    const char *tag, *help;
    int better;  /* 1: high, -1: low, 0: neither */
    int side;    /* 0: training, 1: validation */
    bool at_end; /* NaN where the epoch was cut short */
    bool targets[KERN_TARGETS];
    int more_than; /* classes that it takes to be of interest */
    double (*value)(const struct train_measured *m, int side);
};

/* Set spec->metrics, tags and metric_count from its targets. */
void train_spec_take_metrics(struct train_spec *spec);

struct train_row {
    double value[TRAIN_METRICS_MAX]; /* [metric_count] */
};

void train_row_fill(struct train_row *row, const struct train_spec *spec,
                    const struct train_measured *m);

/* The place of a tag among the spec's, -1: there is none; and its value, NaN then. */
int train_spec_column(const struct train_spec *spec, const char *tag);
double train_row_value(const struct train_row *row, const struct train_spec *spec, const char *tag);

#endif
