/*
 * tbw_sample.c - writes the log directory that tbw_tensorboard.py lets TensorBoard read:
 * tbw_sample LOGDIR
 *
 * _sweep holds the experiment, a layout, a text and a scalar. Four trials of 12 epochs, whose
 * numbers follow formulas that the script knows too; trial 3 was killed while it wrote epoch 8
 * and resumed from epoch 6; trial 4 diverged at epoch 7; trial 2 has no end.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "tbwriter/tbw.h"

enum { TRIALS = 4, EPOCHS = 12, KILLED = 8, RESUMED = 6, RATES = 12 };

static const char *const optimizers[] = {"sgd", "adam", "lion\xc3\xa9"};

static double rate(int i)
{
    return (i + 1) / 128.0;
}

/* The file of run `run` whose events have this wall time. */
static int open_run(tbw_writer **out, const char *logdir, const char *run, double wall_time,
                    int64_t start_step, struct cs_error *err)
{
    const struct tbw_options opt = {.wall_time = wall_time, .start_step = start_step};
    char *dir = cs_xasprintf("%s/%s", logdir, run);
    const int rc = tbw_writer_open(out, dir, &opt, err);

    free(dir);
    return rc;
}

/* ---- the sweep's own run ---- */

static int add_experiment(tbw_writer *w, struct cs_error *err)
{
    struct tbw_hvalue rates[RATES], names[CS_COUNT(optimizers)];
    const struct tbw_hvalue flags[] = {{NULL, TBW_BOOL, NULL, 0}, {NULL, TBW_BOOL, NULL, 1}};

    for (int i = 0; i < RATES; i++)
        rates[i] = (struct tbw_hvalue){NULL, TBW_FLOAT, NULL, rate(i)};
    for (size_t i = 0; i < CS_COUNT(optimizers); i++)
        names[i] = (struct tbw_hvalue){NULL, TBW_STRING, optimizers[i], 0};
    const struct tbw_hvalue sizes[] = {{NULL, TBW_FLOAT, NULL, 32}, {NULL, TBW_FLOAT, NULL, 64}};
    const struct tbw_hparam_info hparams[] = {
        {"lr", "learning rate", "step size", TBW_FLOAT, rates, RATES, true, false},
        {"optimizer", NULL, NULL, TBW_STRING, names, CS_COUNT(names), true, false},
        {"augment", NULL, NULL, TBW_BOOL, flags, 2, true, false},
        {"batch", NULL, NULL, TBW_FLOAT, sizes, 2, false, false},
    };
    const struct tbw_metric_info metrics[] = {
        {"Best/Loss", "best loss", "lowest so far", TBW_VALIDATION},
        {"Loss/Train", NULL, NULL, TBW_TRAINING},
    };
    const struct tbw_experiment experiment = {"sample",         "a **sweep**",     1600000000,
                                              hparams,          CS_COUNT(hparams), metrics,
                                              CS_COUNT(metrics)};
    return tbw_writer_experiment(w, &experiment, err);
}

static int write_sweep(const char *logdir, struct cs_error *err)
{
    static const char *const losses[] = {"Loss/Train", "Loss/Val"}, *const best[] = {"Best/.*"};
    const struct tbw_chart charts[] = {{.title = "Loss", .tags = losses, .tag_count = 2},
                                       {.title = "Best", .tags = best, .tag_count = 1}};
    const struct tbw_category category = {"Learning", charts, 2};
    const struct tbw_scalar done = {"Trials/Done", TRIALS, NULL};
    tbw_writer *w = NULL;

    CS_TRY(open_run(&w, logdir, "_sweep", 1600000000.5, 0, err));
    int rc = add_experiment(w, err);
    if (rc == 0)
        rc = tbw_writer_layout(w, &category, 1, err);
    if (rc == 0)
        rc = tbw_writer_text(w, "Report", 0, "# sample\n\n| a | b |\n|---|---|\n| 1 | 2 |", err);
    if (rc == 0)
        rc = tbw_writer_scalars(w, 1, &done, 1, err);
    const int closed = tbw_writer_close(w, rc == 0 ? err : NULL);
    return rc < 0 ? rc : closed;
}

/* ---- trials ---- */

static int start_trial(tbw_writer *w, int trial, struct cs_error *err)
{
    const struct tbw_hvalue values[] = {
        {"lr", TBW_FLOAT, NULL, rate(trial)},
        {"optimizer", TBW_STRING, optimizers[(size_t) trial % CS_COUNT(optimizers)], 0},
        {"augment", TBW_BOOL, NULL, trial % 2},
        {"batch", TBW_FLOAT, NULL, 32},
    };
    char *card = cs_xasprintf("trial **%d**", trial);
    int rc = tbw_writer_hparams_start(w, values, CS_COUNT(values), NULL, 1600000100 + trial, err);

    if (rc == 0)
        rc = tbw_writer_text(w, "Config", 0, card, err);
    free(card);
    return rc;
}

/*
 * Epochs first to last; `off` is added to every value, so that what a resume should have replaced
 * can be told.
 */
static int add_epochs(tbw_writer *w, int trial, int first, int last, double off,
                      struct cs_error *err)
{
    for (int epoch = first; epoch <= last; epoch++) {
        const double loss =
            trial == 4 && epoch >= 7 ? (double) NAN : trial + 1.0 / (epoch + 2) + off;
        const struct tbw_scalar values[] = {
            {"Loss/Train", loss, "mean over *samples*"},
            {"Loss/Val", 2 * loss, NULL},
            {"Accuracy/Val", epoch / 16.0 + off, "fraction"},
            {"Best/Loss", trial + 1.0 / (epoch + 2) + off, NULL},
        };
        CS_TRY(tbw_writer_scalars(w, epoch, values, CS_COUNT(values), err));
    }
    return 0;
}

static char *run_name(int trial)
{
    return cs_xasprintf("%04d,optimizer=%s,lr=%g", trial,
                        optimizers[(size_t) trial % CS_COUNT(optimizers)], rate(trial));
}

/* The killed first attempt: its last record is cut. */
static int write_killed(const char *logdir, const char *run, int trial, struct cs_error *err)
{
    tbw_writer *w = NULL;

    CS_TRY(open_run(&w, logdir, run, 1600000200.5, 0, err));
    char *path = cs_xstrdup(tbw_writer_path(w));
    int rc = start_trial(w, trial, err);
    if (rc == 0)
        rc = add_epochs(w, trial, 1, RESUMED - 1, 0, err);
    if (rc == 0)
        rc = add_epochs(w, trial, RESUMED, KILLED, 100, err);
    if (rc == 0)
        rc = tbw_writer_flush(w, err);
    struct stat st;
    if (rc == 0 && (stat(path, &st) < 0 || truncate(path, st.st_size - 5) < 0))
        rc = cs_fail_errno(err, "%s: cannot cut", path);
    free(path);
    const int closed = tbw_writer_close(w, rc == 0 ? err : NULL);
    return rc < 0 ? rc : closed;
}

static int write_trial(const char *logdir, int trial, struct cs_error *err)
{
    const bool resumed = trial == 3;
    char *run = run_name(trial);
    tbw_writer *w = NULL;
    int rc = resumed ? write_killed(logdir, run, trial, err) : 0;

    /*
     * The clock of the resumed file is behind that of the killed one: only the name's order may
     * count.
     */
    if (rc == 0)
        rc = open_run(&w, logdir, run, 1600000100.5 + trial, resumed ? RESUMED : 0, err);
    if (rc < 0)
        goto done;
    if (!resumed)
        rc = start_trial(w, trial, err);
    if (rc == 0)
        rc = add_epochs(w, trial, resumed ? RESUMED : 1, EPOCHS, 0, err);
    if (rc == 0 && trial != 2)
        rc = tbw_writer_hparams_end(w, trial == 4 ? TBW_FAILURE : TBW_SUCCESS, 1600000900 + trial,
                                    err);
    const int closed = tbw_writer_close(w, rc == 0 ? err : NULL);
    if (rc == 0)
        rc = closed;
done:
    free(run);
    return rc;
}

int main(int argc, char **argv)
{
    struct cs_error err = {0};
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: tbw_sample LOGDIR\n");
        return 2;
    }
    rc = write_sweep(argv[1], &err);
    for (int trial = 1; trial <= TRIALS && rc == 0; trial++)
        rc = write_trial(argv[1], trial, &err);
    if (rc < 0)
        fprintf(stderr, "tbw_sample: %s: %s\n", err.where, err.detail);
    return rc < 0;
}
