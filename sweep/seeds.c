#include "sweep/seeds.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "tbwriter/tbw.h"

enum { TAGS_MAX = 32, SUFFIXES = 4 };

/* A `seeds` record of the journal. */
struct written {
    const char *point, *of;
    size_t at; /* its place: of equal points the last counts */
};

struct sweep_seeds {
    struct sweep_seeds_place place;
    struct cs_arena arena;
    int *epoch;              /* [trials], -1: not over */
    struct written *written; /* by point */
    size_t written_count;
};

/* The curves of one point. */
struct curves {
    const char *tag[TAGS_MAX];
    size_t tags, seeds;
    int epochs;     /* that all seeds have */
    double **value; /* [seeds][epochs x tags], as long as each has */
};

static int by_point(const void *a, const void *b)
{
    const struct written *x = a, *y = b;
    const int points = strcmp(x->point, y->point);

    return points != 0 ? points : (x->at > y->at) - (x->at < y->at);
}

static void read_records(sweep_seeds *s, const struct sweep_state *state)
{
    size_t i;
    const json_t *line;

    s->written = cs_xcalloc(json_array_size(state->lines) + 1, sizeof *s->written);
    json_array_foreach(state->lines, i, line)
    {
        if (strcmp(cs_json_get_text(line, "event", ""), "seeds") == 0)
            s->written[s->written_count++] =
                (struct written){cs_arena_strdup(&s->arena, cs_json_get_text(line, "point", "")),
                                 cs_arena_strdup(&s->arena, cs_json_get_text(line, "of", "")), i};
    }
    qsort(s->written, s->written_count, sizeof *s->written, by_point);
}

/* What was written last for a point, "" = nothing. */
static const char *last_written(const sweep_seeds *s, const char *point)
{
    size_t low = 0, high = s->written_count;

    while (low < high) { /* the first behind the point */
        const size_t middle = (low + high) / 2;
        if (strcmp(s->written[middle].point, point) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && strcmp(s->written[low - 1].point, point) == 0 ? s->written[low - 1].of : "";
}

sweep_seeds *sweep_seeds_create(const struct sweep_seeds_place *place)
{
    sweep_seeds *s = cs_xcalloc(1, sizeof *s);

    s->place = *place;
    s->place.records = NULL;
    s->epoch = cs_xcalloc(place->plan->trial_count + 1, sizeof *s->epoch);
    for (size_t i = 0; i < place->plan->trial_count; i++)
        s->epoch[i] = -1;
    read_records(s, place->records);
    return s;
}

void sweep_seeds_free(sweep_seeds *s)
{
    if (!s)
        return;
    free(s->epoch);
    free(s->written);
    cs_arena_clear(&s->arena);
    free(s);
}

void sweep_seeds_over(sweep_seeds *s, const struct sweep_trial *trial, int epoch)
{
    s->epoch[trial - s->place.plan->trials] = epoch;
}

char *sweep_seeds_name(const char *trial_name)
{
    const char *comma = strchr(trial_name, ',');
    char *out = cs_xstrdup(comma ? comma : "");
    char *last = strrchr(out, ',');

    if (last && strncmp(last, ",seed=", 6) == 0)
        *last = '\0';
    return out;
}

/* ---- curves ---- */

/* The tags of a header line "epoch,Loss/Train,..." that have a better end; column[] is their place. */
static void read_header(struct curves *c, int column[TAGS_MAX], struct cs_arena *arena,
                        const char *header)
{
    char *copy = cs_arena_strdup(arena, header), *state = NULL;
    int at = 0;

    copy[strcspn(copy, "\n")] = '\0';
    for (char *tag = strtok_r(copy, ",", &state); tag; tag = strtok_r(NULL, ",", &state), at++) {
        if (train_tag_better(tag) == 0 || c->tags == TAGS_MAX)
            continue;
        column[c->tags] = at;
        c->tag[c->tags++] = tag;
    }
}

/* The tags' values in a line; false where one is no number. Columns rise. */
static bool read_row(double *out, const struct curves *c, const int *column, const char *at)
{
    size_t t = 0;

    for (int i = 0; t < c->tags; i++) {
        char *end;
        const double value = strtod(at, &end);
        if (end == at || (i == column[t] && !isfinite(value)))
            return false;
        if (i == column[t])
            out[t++] = value;
        at = end + (*end == ',');
    }
    return true;
}

/* Rows up to the first that lacks a number; how many. */
static int read_rows(double *out, const struct curves *c, const int *column, const char *text,
                     int most)
{
    const char *line = strchr(text, '\n');
    int rows = 0;

    for (; line && line[1] && rows < most; line = strchr(line + 1, '\n'), rows++) {
        if (!read_row(out + (size_t) rows * c->tags, c, column, line + 1))
            break;
    }
    return rows;
}

static int load_curve(struct curves *c, int column[TAGS_MAX], const sweep_seeds *s,
                      const struct sweep_trial *trial, struct cs_arena *arena, struct cs_error *err)
{
    const char *tag = cs_arena_printf(arena, "%s/%04d/last", s->place.plan->name, trial->number);
    const int epochs = s->epoch[trial - s->place.plan->trials];
    ckpt_checkpoint *last;

    CS_TRY(ckpt_load_file(&last, s->place.store, tag, "curve.csv", err));
    const struct ckpt_file *file = ckpt_checkpoint_file(last, "curve.csv");
    const char *text = file ? file->data : "";
    if (c->seeds == 0)
        read_header(c, column, arena, text);
    double *rows = cs_xcalloc((size_t) epochs * c->tags + 1, sizeof *rows);
    const int count = read_rows(rows, c, column, text, epochs);
    if (c->seeds == 0 || count < c->epochs)
        c->epochs = count;
    c->value[c->seeds++] = rows;
    ckpt_checkpoint_free(last);
    return 0;
}

static double mean_of(const struct curves *c, size_t at)
{
    double sum = 0;

    for (size_t i = 0; i < c->seeds; i++)
        sum += c->value[i][at];
    return sum / (double) c->seeds;
}

static double std_of(const struct curves *c, size_t at, double mean)
{
    double sum = 0;

    for (size_t i = 0; i < c->seeds; i++)
        sum += (c->value[i][at] - mean) * (c->value[i][at] - mean);
    return sqrt(sum / (double) (c->seeds - 1));
}

/* ---- runs ---- */

static void remove_files_but(const char *dir, const char *kept)
{
    DIR *d = opendir(dir);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *path = cs_xasprintf("%s/%s", dir, e->d_name);
        if (strstr(e->d_name, "tfevents") && strcmp(path, kept) != 0)
            unlink(path);
        free(path);
    }
    if (d)
        closedir(d);
}

static int write_mean(tbw_writer *w, const struct curves *c, const char *help, struct cs_error *err)
{
    struct tbw_scalar points[TAGS_MAX];

    for (int e = 0; e < c->epochs; e++) {
        for (size_t t = 0; t < c->tags; t++)
            points[t] = (struct tbw_scalar){c->tag[t], mean_of(c, (size_t) e * c->tags + t), help};
        CS_TRY(tbw_writer_scalars(w, e + 1, points, c->tags, err));
    }
    return 0;
}

static int write_std(tbw_writer *w, const struct curves *c, const char *help, struct cs_error *err)
{
    static const char *const suffixes[SUFFIXES] = {"std", "mean", "low", "high"};
    struct tbw_scalar points[TAGS_MAX * SUFFIXES];
    char names[TAGS_MAX * SUFFIXES][96];

    for (int e = 0; e < c->epochs; e++) {
        size_t n = 0;
        for (size_t t = 0; t < c->tags; t++) {
            const size_t at = (size_t) e * c->tags + t;
            const double mean = mean_of(c, at), std = std_of(c, at, mean);
            const double values[SUFFIXES] = {std, mean, mean - std, mean + std};
            for (int i = 0; i < SUFFIXES; i++, n++) {
                snprintf(names[n], sizeof names[n], "Seeds/%.80s/%s", c->tag[t], suffixes[i]);
                points[n] = (struct tbw_scalar){names[n], values[i], help};
            }
        }
        CS_TRY(tbw_writer_scalars(w, e + 1, points, n, err));
    }
    return 0;
}

static int write_run(const sweep_seeds *s, const struct curves *c, const char *kind,
                     const struct sweep_trial *first, struct cs_error *err)
{
    char *name = sweep_seeds_name(first->name);
    char *dir = cs_xasprintf("%s/_sweep/%s%s", s->place.dir, kind, name);
    char help[64];
    tbw_writer *w = NULL;

    snprintf(help, sizeof help, "over %zu seeds", c->seeds);
    int rc = tbw_writer_open(&w, dir, NULL, err);
    if (rc == 0)
        rc = (strcmp(kind, "mean") == 0 ? write_mean : write_std)(w, c, help, err);
    if (rc == 0)
        rc = tbw_writer_flush(w, err);
    if (rc == 0)
        remove_files_but(dir, tbw_writer_path(w));
    const int closed = tbw_writer_close(w, rc == 0 ? err : NULL);
    free(dir);
    free(name);
    return rc < 0 ? rc : closed;
}

static int record(const sweep_seeds *s, const struct sweep_trial *first, const char *of,
                  struct cs_error *err)
{
    json_t *line = json_object();

    cs_json_set(line, "event", cs_json_text("seeds"));
    cs_json_set(line, "point", cs_json_text(first->point->id));
    cs_json_set(line, "of", cs_json_text(of));
    return sweep_journal_append(s->place.journal, line, false, err);
}

static int write_point(sweep_seeds *s, const struct sweep_trial *first, size_t count,
                       const char *of, struct cs_error *err)
{
    struct cs_arena arena = {0};
    struct curves c = {.value = cs_xcalloc(count, sizeof(double *))};
    int column[TAGS_MAX], rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = load_curve(&c, column, s, &first[i], &arena, err);
    if (rc == 0 && c.epochs > 0)
        rc = write_run(s, &c, "mean", first, err);
    if (rc == 0 && c.epochs > 0)
        rc = write_run(s, &c, "std", first, err);
    if (rc == 0)
        rc = record(s, first, of, err);
    for (size_t i = 0; i < c.seeds; i++)
        free(c.value[i]);
    free(c.value);
    cs_arena_clear(&arena);
    return rc;
}

/* The trials of a point stand together: from *first, *count of them. */
static void find_point(const struct sweep_plan *plan, const struct sweep_trial *trial,
                       const struct sweep_trial **first, size_t *count)
{
    const struct sweep_trial *end = plan->trials + plan->trial_count;

    *first = trial;
    while (*first > plan->trials && (*first)[-1].point == trial->point)
        --*first;
    for (*count = 0; *first + *count < end && (*first)[*count].point == trial->point;)
        ++*count;
}

int sweep_seeds_write(sweep_seeds *s, const struct sweep_trial *trial, struct cs_error *err)
{
    const struct sweep_trial *first;
    size_t count;
    struct cs_buf of = {0};
    int rc = 0;

    find_point(s->place.plan, trial, &first, &count);
    for (size_t i = 0; i < count; i++) {
        const int epoch = s->epoch[first - s->place.plan->trials + (ptrdiff_t) i];
        if (epoch < 0 || count < 2) {
            cs_buf_clear(&of);
            return 0;
        }
        cs_buf_addf(&of, "%s%d:%d", i ? " " : "", first[i].number, epoch);
    }
    if (strcmp(of.data, last_written(s, first->point->id)) != 0)
        rc = write_point(s, first, count, of.data, err);
    cs_buf_clear(&of);
    return rc;
}

int sweep_seeds_write_all(sweep_seeds *s, struct cs_error *err)
{
    const struct sweep_plan *plan = s->place.plan;

    for (size_t i = 0; i < plan->trial_count; i++) {
        if (i == 0 || plan->trials[i].point != plan->trials[i - 1].point)
            CS_TRY(sweep_seeds_write(s, &plan->trials[i], err));
    }
    return 0;
}
