/* plan_impl.h - between plan.c, plan_search.c and plan_text.c. */
#ifndef SWEEP_PLAN_IMPL_H
#define SWEEP_PLAN_IMPL_H

#include "common/cs_table.h"
#include "sweep/batch.h"
#include "sweep/grid_impl.h"
#include "sweep/plan.h"

/* What is built. */
struct builder {
    struct grid grid;
    struct sweep_plan *plan;
    uint64_t *seeds;
    double max_trials;
    int max_trials_line;
    int metric_line, target_line;
    struct sweep_batch batch; /* rows: NULL of a grid */
    struct listed {           /* trials of a batch file that says their seeds */
        size_t unique;
        uint64_t seed;
        const char *id;
    } * listed;
    size_t listed_count;
    struct cs_table trial_ids; /* theirs */
    struct cs_table ids;       /* of the points that are left after merging; number: in unique */
    struct unique {
        size_t number; /* among the grid's points */
        struct sweep_point *point;
        const char *id; /* of the trial of the first seed */
    } * unique;
    size_t unique_count, unique_capacity;
    struct train_setting *settings; /* to work in: room for a point's */
    const char *default_metric;     /* of the first point */
    /* Where points are drawn: */
    struct search_options options;
    size_t wanted, first_batch, batch_size; /* points: in all, at first, and proposed at once */
    uint32_t draw;                          /* the next */
    bool exhausted;                         /* many draws brought nothing new */
};

/* plan.c: the point at hand, as number `number` of the grid, if it is a new one; a fault may be recorded. */
void sweep_plan_add_point(struct builder *b, size_t number);

/* plan_search.c: the keys of [sweep] about the search; where points are drawn, the first of them. */
void sweep_plan_read_search(struct builder *b);
void sweep_plan_draw(struct builder *b);
bool sweep_plan_is_search_key(const char *key);

/* Axes of drawn points, and which keys vary: by what is written, so that they do not depend on how many there are. */
void sweep_plan_search_axes(struct builder *b);

/* Trials of the points from number `unique` on. */
void sweep_plan_add_trials(struct builder *b, size_t unique);

void sweep_plan_free_builder(struct builder *b);

/* The grid as it ran, to be written as sweep.ini; the name is written out. The caller frees. */
char *sweep_plan_resolve(const struct grid *grid, const char *name);

/* [sweep] as lines of a batch file, without what its lines say themselves; name: written first, NULL: as given. */
const char *sweep_plan_lines(struct grid *grid, const char *name);

#endif
