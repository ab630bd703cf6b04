/*
 * plan.h - from a grid file to the list of trials: pure, writes nothing, trains nothing.
 *
 * grid text -> axes and conditions -> points (settings in force) -> merged by identity -> x seeds -> trials with
 * numbers and names. The same file gives the same plan, whatever the order of its keys, sections and comments.
 */
#ifndef SWEEP_PLAN_H
#define SWEEP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_str.h"
#include "sweep/limits.h"
#include "sweep/search/search.h"
#include "trainer/spec.h"

struct cs_error;
struct cs_expr;
struct sweep_pruning;

struct sweep_param {
    const char *key, *value; /* canonical; keys that are equal are one pointer in a plan */
    const char *inserted;    /* of a text with ${name}s: with their values put in; else NULL */
    double num;              /* where numeric */
    bool numeric, own;       /* own: a ${name} of [model], no setting of the trial */
    const char *made;        /* the expression that made the value; else NULL */
    bool
        varies; /* over the trials of the plan that have the key: part of the name and of HParams */
    bool chosen; /* varies, and not only because one expression follows other parameters */
};

/*
 * What the seeds of one point share. Texts that are equal are one pointer between the points of a plan where it says so.
 *
 * A plan holds no specs: every point was one while the plan was made, so that all faults are told, and sweep_trial_spec
 * makes it again for whoever needs it, who frees it. A trial costs well below a kilobyte so.
 */
struct sweep_point {
    char id[41]; /* spec->point_id */
    int epochs;
    const char *shape_key;      /* spec->shape_key; one pointer */
    const char *dataset, *path; /* one pointer each */
    const char *const *tags;    /* train_spec_tags */
    double work, bytes;         /* of an epoch, of the whole: train_spec_work, train_spec_bytes */
    struct sweep_param
        *params; /* settings written in the grid and in force here, file order, and own ${name}s */
    size_t param_count;
};

struct sweep_trial {
    int number;       /* from 1; stable: trials the journal knows keep theirs */
    const char *name; /* run directory: "0007,optimizer=adam,lr=0.001,seed=2" */
    const char *id;   /* spec->id */
    uint64_t seed;
    const struct sweep_point *point;
    const struct sweep_param *params; /* the point's */
    size_t param_count;
};

struct sweep_axis {
    const char *key;
    const char **
        values; /* canonical, in file order, over all trials; where points are drawn: those written */
    size_t count;
    bool numeric, drawn; /* drawn: also numbers in [low, high] */
    double low, high;
};

/* A line of [exclude], and how many points it took that no line before it did. */
struct sweep_rule {
    const char *name, *text;
    size_t removed;
};

struct sweep_plan {
    struct cs_arena arena;
    struct train_shared *shared; /* owner of the points' texts */
    const char *path;            /* of the grid file, as given */
    const char
        *name; /* [sweep] name, default the file's stem; [A-Za-z0-9._-], not starting with . or _ */
    const char *description; /* "" */
    const char *metric;      /* tag: "Accuracy/Val" */
    bool maximize;
    struct cs_expr *target;            /* NULL, or e.g. Accuracy/Val >= 0.85 */
    const char *target_text;           /* "" when none */
    const struct sweep_pruning *prune; /* NULL: none; see prune/prune.h */
    struct sweep_limits limits;
    size_t point_count, merged_count, excluded_count;
    size_t seed_count; /* of the point that has the most */
    struct sweep_rule *rules;
    size_t rule_count;
    struct sweep_axis *axes;
    size_t axis_count;
    struct sweep_trial *trials; /* the seeds of a point stand together */
    size_t trial_count, wanted; /* wanted: with those that follow; trials has room for them */
    const struct search_method *search;
    bool drawn;           /* points are drawn: search.h */
    const char *space;    /* names what proposals depend on but results; NULL: of a grid */
    size_t batches;       /* added by sweep_plan_extend */
    struct builder *more; /* draws the trials that follow: sweep_plan_extend; NULL: none do */
    char *
        resolved; /* the grid with presets, includes and command line applied: written as sweep.ini */
    const char *sweep_lines; /* [sweep] as it stands in a batch file: batch.h */
    const char **warnings;   /* whole lines, without "csweep: " */
    size_t warning_count;
};

struct sweep_plan_input {
    const char *path;           /* of a grid, or of a batch file (batch.h) */
    const char *const *presets; /* --preset NAME, in order */
    size_t preset_count;
    const char *const *overrides; /* KEY=VALUE words of the command line */
    size_t override_count;
};

/* Faults of the grid: whole lines "sweeps/x.ini:14: optimizer = adamm: ..." in out, in file order. */
struct sweep_faults {
    struct cs_buf text; /* lines, each ended */
    size_t count;
};

/*
 * 0, or CS_EPARSE with all faults of the file in *faults (the caller clears faults->text) and nothing planned;
 * CS_EIO when the file cannot be read (one fault, naming it).
 */
int sweep_plan_create(struct sweep_plan **out, const struct sweep_plan_input *input,
                      struct sweep_faults *faults);

/*
 * Give trials that are already known (from a journal) their old numbers and names; the others get new numbers
 * after the highest known one, in plan order. known is sorted by nothing.
 */
struct sweep_known {
    const char *id, *name;
    int number;
};
void sweep_plan_adopt(struct sweep_plan *plan, const struct sweep_known *known, size_t count);

/*
 * What became of a trial: state a word of the journal ("done", "pruned", "diverged", ...), value of the metric the best
 * of a done and the last of a pruned one.
 */
struct sweep_outcome {
    const char *state;
    double value;
    int epoch;
};

/*
 * Where plan->more: draw the next batch of points, given the outcomes of all trials so far, and add their trials, with
 * numbers and names after those there are. `batch` gets what was drawn as one line of text; with known, such a text,
 * these points are taken instead, and a text that does not fit the space adds nothing. Faults of drawn points, which are
 * left out, are added to `faults`, a line each. Returns how many trials were added; plan->more is NULL when no more follow.
 */
size_t sweep_plan_extend(struct sweep_plan *plan, const struct sweep_outcome *outcomes,
                         const char *known, struct cs_buf *batch, struct cs_buf *faults);

void sweep_plan_free(struct sweep_plan *plan);

/* The keys of all trials, or those that vary, in file order of their first appearance. The caller frees. */
const char **sweep_plan_keys(const struct sweep_plan *plan, bool varying, size_t *count);

/* The value of one of these keys, NULL: the trial has none. */
const char *sweep_trial_value(const struct sweep_trial *trial, const char *key);

/* The trial's spec, made anew; cannot fail. The caller frees it (train_spec_free), before or after the plan. */
struct train_spec *sweep_trial_spec(const struct sweep_plan *plan, const struct sweep_trial *trial);

/* Keys of [sweep], each once; those of pruners among them. */
const struct cs_param *sweep_keys(size_t *count);

#endif
