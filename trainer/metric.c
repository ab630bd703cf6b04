#include "trainer/metric.h"

#include <math.h>
#include <string.h>

#include "trainer/spec_impl.h"

#define OF_ALL           \
    {                    \
        true, true, true \
    }
#define OF_LABELS                                      \
    {                                                  \
        [KERN_CLASSES] = true, [KERN_FRACTIONS] = true \
    }
#define OF_CLASSES            \
    {                         \
        [KERN_CLASSES] = true \
    }
#define OF_FRACTIONS            \
    {                           \
        [KERN_FRACTIONS] = true \
    }
#define OF_VALUES            \
    {                        \
        [KERN_VALUES] = true \
    }

static double mean_loss(const struct train_measured *m, int side)
{
    const struct train_sums *s = m->sums[side];
    return m->batch_means ? s->batch_means / (double) s->batches : s->of.loss / s->of.weight;
}

static double accuracy(const struct train_measured *m, int side)
{
    const struct kern_loss_sums *s = &m->sums[side]->of;
    return (double) s->correct / (double) (s->samples * m->labels);
}

static double top(const struct train_measured *m, int side)
{
    const struct kern_loss_sums *s = &m->sums[side]->of;
    return (double) s->top / (double) s->samples;
}

static double f1(const struct train_measured *m, int side)
{
    return m->sums[side]->f1;
}

static double f1_of_labels(const struct train_measured *m, int side)
{
    const struct kern_loss_sums *s = &m->sums[side]->of;
    const int64_t all = s->said + s->wanted;
    return all ? 2 * (double) s->both / (double) all : 0;
}

static double mean_error(const struct train_measured *m, int side)
{
    const struct kern_loss_sums *s = &m->sums[side]->of;
    return s->absolute / (double) (s->samples * m->labels);
}

static double r2(const struct train_measured *m, int side)
{
    return 1 - m->sums[side]->of.squared / m->spread[side];
}

static double rate(const struct train_measured *m, int side)
{
    (void) side;
    return m->lr;
}

static double norm(const struct train_measured *m, int side)
{
    (void) side;
    return m->norm;
}

static const struct train_metric metrics[] = {
    {"Loss/Train", "mean training loss over the epoch, dropout on", -1, 0, false, OF_ALL, 0,
     mean_loss},
    {"Accuracy/Train", "fraction of training examples classified right during the epoch", 1, 0,
     false, OF_LABELS, 0, accuracy},
    {"Loss/Val", "mean loss on the validation set after the epoch", -1, 1, true, OF_ALL, 0,
     mean_loss},
    {"Accuracy/Val", "fraction of validation examples classified right after the epoch", 1, 1, true,
     OF_LABELS, 0, accuracy},
    {"Learning_Rate", "learning rate in force at the epoch's last step", 0, 0, false, OF_ALL, 0,
     rate},
    {"Grad/Norm", "norm of the gradient at the epoch's last step", 0, 0, true, OF_ALL, 0, norm},
    {"Accuracy_Top5/Train", "fraction of training examples whose class is among the 5 first", 1, 0,
     false, OF_CLASSES, KERN_TOP, top},
    {"Accuracy_Top5/Val", "fraction of validation examples whose class is among the 5 first", 1, 1,
     true, OF_CLASSES, KERN_TOP, top},
    {"F1/Val", "mean over the classes of their F1 on the validation set", 1, 1, true, OF_CLASSES, 0,
     f1},
    {"F1/Train", "F1 of all labels together, training", 1, 0, false, OF_FRACTIONS, 0, f1_of_labels},
    {"F1/Val", "F1 of all labels together, validation", 1, 1, true, OF_FRACTIONS, 0, f1_of_labels},
    {"MAE/Train", "mean absolute error of training outputs during the epoch", -1, 0, false,
     OF_VALUES, 0, mean_error},
    {"MAE/Val", "mean absolute error of validation outputs after the epoch", -1, 1, true, OF_VALUES,
     0, mean_error},
    {"R2/Train", "part of the training targets' variance that is explained", 1, 0, true, OF_VALUES,
     0, r2},
    {"R2/Val", "part of the validation targets' variance that is explained", 1, 1, true, OF_VALUES,
     0, r2},
};

static struct train_shared_metrics *choose(struct train_shared *shared, int targets, int width)
{
    struct train_shared_metrics *chosen = cs_arena_alloc(&shared->arena, sizeof *chosen);
    const struct train_metric **own =
        cs_arena_alloc(&shared->arena, CS_COUNT(metrics) * sizeof(struct train_metric *));
    const char **tags =
        cs_arena_alloc(&shared->arena, (CS_COUNT(metrics) + 1) * sizeof(const char *));
    int count = 0;

    for (size_t i = 0; i < CS_COUNT(metrics) && count < TRAIN_METRICS_MAX; i++) {
        if (!metrics[i].targets[targets] || width <= metrics[i].more_than)
            continue;
        own[count] = &metrics[i];
        tags[count++] = metrics[i].tag;
    }
    tags[count] = NULL;
    *chosen = (struct train_shared_metrics){targets, width, count, own, tags, shared->metrics};
    shared->metrics = chosen;
    return chosen;
}

void train_spec_take_metrics(struct train_spec *spec)
{
    const struct train_shared_metrics *m = spec->shared->metrics;

    while (m && (m->targets != spec->targets || m->width != spec->width))
        m = m->next;
    if (!m)
        m = choose(spec->shared, spec->targets, spec->width);
    spec->metrics = m->metrics;
    spec->tags = m->tags;
    spec->metric_count = m->count;
}

void train_row_fill(struct train_row *row, const struct train_spec *spec,
                    const struct train_measured *m)
{
    for (int i = 0; i < spec->metric_count; i++) {
        const struct train_metric *metric = spec->metrics[i];
        row->value[i] = metric->at_end && !m->whole ? NAN : metric->value(m, metric->side);
    }
}

int train_spec_column(const struct train_spec *spec, const char *tag)
{
    for (int i = 0; i < spec->metric_count; i++) {
        if (strcmp(spec->tags[i], tag) == 0)
            return i;
    }
    return -1;
}

double train_row_value(const struct train_row *row, const struct train_spec *spec, const char *tag)
{
    const int column = train_spec_column(spec, tag);
    return column < 0 ? NAN : row->value[column];
}

const char *const *train_spec_tags(const struct train_spec *spec)
{
    return spec->tags;
}

int train_tag_better(const char *tag)
{
    for (size_t i = 0; i < CS_COUNT(metrics); i++) {
        if (strcmp(metrics[i].tag, tag) == 0)
            return metrics[i].better;
    }
    return 0;
}

const char *train_spec_default_metric(const struct train_spec *spec)
{
    return spec->targets == KERN_CLASSES ? "max Accuracy/Val" : "min Loss/Val";
}
