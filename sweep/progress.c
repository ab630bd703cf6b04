#include "sweep/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cs_io.h"
#include "common/cs_json.h"
#include "sweep/compare.h"
#include "sweep/print.h"

enum { BAR = 16, NAME_MAX_SHOWN = 200 };

struct line {
    bool busy;
    int number, epoch, epochs, step, steps;
    char name[NAME_MAX_SHOWN];
    const char *score_name; /* "acc", or what such a trial has instead */
    double loss, score, samples_per_second;
};

struct sweep_progress {
    struct sweep_progress_options options;
    bool terminal;
    struct line *lines; /* [slots] */
    int drawn;          /* lines of the block on the screen */
    int done, pruned, failed, interrupted;
    double start, epochs_left, epoch_seconds; /* epoch_seconds: mean of those seen */
    int64_t epochs_seen;
    double best;
    char best_name[NAME_MAX_SHOWN];
};

sweep_progress *sweep_progress_create(const struct sweep_progress_options *options)
{
    sweep_progress *p = cs_xcalloc(1, sizeof *p);

    p->options = *options;
    p->terminal = !options->json && !options->quiet && isatty(STDOUT_FILENO) && getenv("TERM") &&
                  strcmp(getenv("TERM"), "dumb") != 0;
    p->lines = cs_xcalloc((size_t) options->slots, sizeof *p->lines);
    p->done = options->done;
    p->pruned = options->pruned;
    p->failed = options->failed;
    p->start = cs_mono_seconds();
    p->best = options->best;
    snprintf(p->best_name, sizeof p->best_name, "%s", options->best_name);
    return p;
}

/* Back to the block's first line, all of it erased. */
static void erase(sweep_progress *p)
{
    if (p->drawn > 0)
        printf("\033[%dA\r\033[J", p->drawn);
    p->drawn = 0;
}

static void format_time(char out[32], double seconds)
{
    const long s = seconds > 0 ? lround(seconds) : 0;

    if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
}

static int width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

static void print_cut(const char *text, int columns)
{
    printf("%.*s\n", columns - 1, text);
}

static double fraction(const struct line *l)
{
    if (l->epochs <= 0)
        return 0;
    const double inside = l->steps > 0 ? (double) l->step / l->steps : 0;
    const double done = l->epoch > 0 ? l->epoch - 1 + inside : 0;
    return fmin(1, done / l->epochs);
}

static void draw_slot(const sweep_progress *p, int slot, int columns)
{
    const struct line *l = &p->lines[slot];
    char bar[BAR + 1], text[512];

    if (!l->busy) {
        snprintf(text, sizeof text, "  %2d  idle", slot);
        print_cut(text, columns);
        return;
    }
    const int filled = (int) (fraction(l) * BAR);
    for (int i = 0; i < BAR; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR] = '\0';
    char loss[16] = "-", score[16] = "-"; /* until they are known */
    if (!isnan(l->loss))
        snprintf(loss, sizeof loss, "%.4f", l->loss);
    if (!isnan(l->score))
        snprintf(score, sizeof score, "%.4f", l->score);
    snprintf(text, sizeof text, "  %2d [%s] %3d/%d  loss %-7s %s %-6s %7.0f/s  %s", slot, bar,
             l->epoch, l->epochs, loss, l->score_name, score, l->samples_per_second, l->name);
    print_cut(text, columns);
}

/* Epochs still to train over mean seconds per epoch, all slots busy. */
static double eta(const sweep_progress *p)
{
    const int left = p->options.total - p->done - p->pruned - p->failed - p->interrupted;
    double epochs = 0;
    int epochs_each = 0;

    for (int i = 0; i < p->options.slots; i++) {
        if (p->lines[i].busy) {
            epochs += (1 - fraction(&p->lines[i])) * p->lines[i].epochs;
            epochs_each = p->lines[i].epochs;
        }
    }
    int running = 0;
    for (int i = 0; i < p->options.slots; i++)
        running += p->lines[i].busy;
    epochs += (double) (left - running) * epochs_each;
    return p->epochs_seen ? epochs * p->epoch_seconds / (double) p->epochs_seen / p->options.slots
                          : -1;
}

static void draw(sweep_progress *p)
{
    char elapsed[32], remaining[32] = "?", text[512], best[300] = "", pruned[32] = "";
    const int columns = width();
    int running = 0;

    for (int i = 0; i < p->options.slots; i++)
        running += p->lines[i].busy;
    format_time(elapsed, cs_mono_seconds() - p->start);
    if (eta(p) >= 0)
        format_time(remaining, eta(p));
    if (!isnan(p->best))
        snprintf(best, sizeof best, "  best %s %.4f (%s)", p->options.metric, p->best,
                 p->best_name);
    if (p->pruned)
        snprintf(pruned, sizeof pruned, ", %d pruned", p->pruned);
    snprintf(text, sizeof text, "%d done%s, %d running, %d failed, %d trials  %s elapsed, ETA %s%s",
             p->done, pruned, running, p->failed, p->options.total, elapsed, remaining, best);
    print_cut(text, columns);
    for (int i = 0; i < p->options.slots; i++)
        draw_slot(p, i, columns);
    p->drawn = 1 + p->options.slots;
    fflush(stdout);
}

void sweep_progress_tick(sweep_progress *p)
{
    if (!p->terminal)
        return;
    erase(p);
    draw(p);
}

void sweep_progress_message(sweep_progress *p, const char *fmt, ...)
{
    va_list args;

    erase(p);
    fflush(stdout);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    if (p->terminal)
        draw(p);
}

void sweep_progress_json(sweep_progress *p, const json_t *line)
{
    if (!p->options.json)
        return;
    sweep_print_json(json_incref((json_t *) (uintptr_t) line));
}

/* The worker's line with the trial's name: the stable form of an event. */
static void pass_on(sweep_progress *p, const char *name, const json_t *line)
{
    if (!p->options.json)
        return;
    json_t *copy = json_copy((json_t *) (uintptr_t) line);
    cs_json_set(copy, "name", cs_json_text(name));
    sweep_progress_json(p, copy);
    json_decref(copy);
}

static bool speaks(const sweep_progress *p)
{
    return !p->terminal && !p->options.quiet && !p->options.json;
}

void sweep_progress_start(sweep_progress *p, int slot, int number, const char *name,
                          const json_t *line)
{
    struct line *l = &p->lines[slot];

    *l = (struct line){.busy = true,
                       .number = number,
                       .epoch = (int) cs_json_get_int(line, "epoch", 0),
                       .epochs = (int) cs_json_get_int(line, "epochs", 0),
                       .loss = NAN,
                       .score_name = "acc",
                       .score = NAN};
    snprintf(l->name, sizeof l->name, "%s", name);
    if (speaks(p)) {
        const int at = l->epoch;
        printf("start %s%s", name, at ? "" : "\n");
        if (at)
            printf(" (resumed after epoch %d)\n", at);
        fflush(stdout);
    }
    pass_on(p, name, line);
}

void sweep_progress_step(sweep_progress *p, int slot, const json_t *line)
{
    struct line *l = &p->lines[slot];

    l->number = (int) cs_json_get_int(line, "number", 0);
    l->epoch = (int) cs_json_get_int(line, "epoch", 0);
    l->step = (int) cs_json_get_int(line, "step", 0);
    l->steps = (int) cs_json_get_int(line, "steps", 0);
    l->loss = cs_json_get_number(line, "loss", NAN);
    l->samples_per_second = cs_json_get_number(line, "samples_per_second", 0);
}

static void take_best(sweep_progress *p, const char *name, double value)
{
    if (!isfinite(value) || !sweep_is_better(p->options.maximize, value, p->best))
        return;
    p->best = value;
    snprintf(p->best_name, sizeof p->best_name, "%s", name);
}

static void take_score(struct line *l, const json_t *metrics)
{
    static const struct {
        const char *tag, *name;
    } scores[] = {{"Accuracy/Val", "acc"}, {"MAE/Val", "mae"}};

    for (size_t i = 0; i < CS_COUNT(scores); i++) {
        if (!json_object_get(metrics, scores[i].tag))
            continue;
        l->score_name = scores[i].name;
        l->score = cs_json_get_number(metrics, scores[i].tag, NAN);
        return;
    }
}

void sweep_progress_epoch(sweep_progress *p, int slot, int number, const char *name,
                          const json_t *line)
{
    struct line *l = &p->lines[slot];
    const json_t *metrics = json_object_get(line, "metrics");
    const double value = cs_json_get_number(metrics, p->options.metric, NAN);

    l->number = number;
    l->epochs = (int) cs_json_get_int(line, "epochs", 0);
    const int epoch = (int) cs_json_get_int(line, "epoch", 0);
    l->epoch = epoch < l->epochs ? epoch + 1 : epoch;
    l->step = epoch < l->epochs ? 0 : l->steps;
    take_score(l, metrics);
    p->epoch_seconds += cs_json_get_number(line, "seconds", 0);
    p->epochs_seen++;
    take_best(p, name, value);
    if (speaks(p) && l->epochs > 0 && 4 * epoch / l->epochs != 4 * (epoch - 1) / l->epochs) {
        printf("epoch %d/%d %s  %s %.4f  %.2f s\n", epoch, l->epochs, name, p->options.metric,
               value, cs_json_get_number(line, "seconds", 0));
        fflush(stdout);
    }
    pass_on(p, name, line);
}

void sweep_progress_end(sweep_progress *p, int slot, int number, const char *name,
                        const json_t *line)
{
    const char *state = cs_json_get_text(line, "state", "?");
    const json_t *last = json_object_get(line, "last");

    if (p->lines[slot].number == number)
        p->lines[slot].busy = false;
    if (strcmp(state, "waiting") == 0) { /* set aside: it comes again */
        pass_on(p, name, line);
        return;
    }
    if (strcmp(state, "failed") == 0)
        p->failed++;
    else if (strcmp(state, "pruned") == 0)
        p->pruned++;
    else if (strcmp(state, "interrupted") == 0)
        p->interrupted++;
    else
        p->done++;
    if (speaks(p)) {
        const double value = cs_json_get_number(last, p->options.metric, NAN);
        printf("%s %s", state, name);
        if (!isnan(value))
            printf("  %s %.4f  %.2f s", p->options.metric, value,
                   cs_json_get_number(line, "seconds", 0));
        printf("  [%d of %d]\n", p->done + p->pruned + p->failed, p->options.total);
        fflush(stdout);
    }
    pass_on(p, name, line);
}

void sweep_progress_free(sweep_progress *p)
{
    if (!p)
        return;
    if (p->terminal)
        sweep_progress_tick(p);
    free(p->lines);
    free(p);
}
