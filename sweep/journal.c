#include "sweep/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_json.h"

#define CRC_KEY ",\"crc\":\""

enum { CRC_TAIL = 8 + 8 + 2 /* ,"crc":" + 8 digits + "} */, JOURNAL_MAX = 1 << 30 };

struct sweep_journal {
    int fd;
    char *path;
};

static char *journal_path(const char *dir)
{
    return cs_xasprintf("%s/journal.jsonl", dir);
}

/* Is this line, without its end, a whole, undamaged record? */
static bool is_whole(const char *line, size_t size)
{
    char digits[9];

    if (size < CRC_TAIL + 2 || memcmp(line + size - CRC_TAIL, CRC_KEY, strlen(CRC_KEY)) != 0 ||
        memcmp(line + size - 2, "\"}", 2) != 0)
        return false;
    const uint32_t crc =
        (uint32_t) crc32(0, (const unsigned char *) line, (unsigned) (size - CRC_TAIL));
    snprintf(digits, sizeof digits, "%08x", crc);
    return memcmp(line + size - 10, digits, 8) == 0;
}

/*
 * A whole line as JSON. The params of a trial, the most of a long journal, are left out and found in *params: they
 * are its last member, and no name or id before them has a quote in it.
 */
static json_t *parse_line(struct sweep_written *params, const char *line, size_t size)
{
    static const char event[] = "\"event\":\"trial\"", key[] = ",\"params\":[";
    const bool trial = memmem(line, size < 64 ? size : 64, event, strlen(event)) != NULL;
    const char *at = trial ? memmem(line, size, key, strlen(key)) : NULL;
    json_t *record;

    if (!at) {
        record = cs_json_read(line, size);
    } else {
        struct cs_buf head = {0};
        cs_buf_add(&head, line, (size_t) (at - line));
        cs_buf_add(&head, "}", 1);
        record = cs_json_read(head.data, head.size);
        cs_buf_clear(&head);
        params->text = at + strlen(key) - 1;
        params->size = (size_t) (line + size - CRC_TAIL - params->text);
    }
    if (json_is_object(record))
        return record;
    json_decref(record);
    return NULL;
}

/*
 * Look at every line; *good is the size of the file up to the end of the last whole one. Only the last line may be
 * bad, and only if nothing whole follows it. state: gets the records; NULL: they are only checked.
 */
static int parse_all(struct sweep_state *state, size_t *good, const char *path, const char *data,
                     size_t size, struct cs_error *err)
{
    int number = 0, bad = 0;

    *good = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(data + at, '\n', size - at);
        const size_t stop = end ? (size_t) (end - data) : size;
        bool whole = end && is_whole(data + at, stop - at);
        json_t *record = NULL;
        number++;
        if (whole && state) {
            record =
                parse_line(&state->params[json_array_size(state->lines)], data + at, stop - at);
            whole = record != NULL;
        }
        if (whole && bad) {
            json_decref(record);
            return cs_fail_at(
                err, cs_fail(err, CS_ECORRUPT, "damaged record; expected JSON with its crc"), path,
                bad);
        }
        if (record)
            json_array_append_new(state->lines, record);
        if (whole)
            *good = stop + 1;
        else if (!bad)
            bad = number;
        at = stop + 1;
    }
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    return ((const struct sweep_record *) a)->number - ((const struct sweep_record *) b)->number;
}

static struct sweep_record *by_number(struct sweep_state *state, int number)
{
    const struct sweep_record wanted = {.number = number};

    return state->count
               ? bsearch(&wanted, state->records, state->count, sizeof wanted, compare_numbers)
               : NULL;
}

static void fold_trial(struct sweep_state *state, const json_t *line, struct sweep_written *params)
{
    struct sweep_record *at = state->records + state->count++;
    const int number = (int) cs_json_get_int(line, "number", 0);

    for (; at > state->records && at[-1].number > number; at--)
        at[0] = at[-1];
    if (!params->text)
        params->value = json_incref(json_object_get(line, "params"));
    *at = (struct sweep_record){
        .number = number,
        .name = cs_json_get_text(line, "name", ""),
        .id = cs_json_get_text(line, "id", ""),
        .point = cs_json_get_text(line, "point", ""),
        .seed = (uint64_t) cs_json_get_int(line, "seed", 0),
        .params = params,
        .state = "queued",
        .cause = "",
        .detail = "",
        .target = "",
    };
}

static void fold_end(struct sweep_record *r, const json_t *line, const char *target)
{
    r->started = false;
    r->state = cs_json_get_text(line, "state", "failed");
    r->cause = cs_json_get_text(line, "cause", "");
    r->detail = cs_json_get_text(line, "detail", "");
    r->epoch = (int) cs_json_get_int(line, "epoch", r->epoch);
    r->epochs = (int) cs_json_get_int(line, "epochs", r->epochs);
    r->target_epoch = (int) cs_json_get_int(line, "target_epoch", 0);
    r->target = target;
    r->seconds = cs_json_get_number(line, "seconds", r->seconds);
    r->last = json_object_get(line, "last");
    r->best = json_object_get(line, "best");
    r->tags = json_object_get(line, "tags");
    if (strcmp(r->state, "interrupted") != 0 && strcmp(r->state, "failed") != 0 &&
        strcmp(r->state, "waiting") != 0)
        r->again = false;
}

static void fold_queue(struct sweep_record *r, const json_t *line)
{
    r->started = false;
    r->spared = r->spared || strcmp(r->state, "pruned") == 0;
    r->state = "queued";
    r->cause = r->detail = "";
    r->again = true;
    r->anew = json_is_true(json_object_get(line, "anew"));
    if (!r->anew)
        return;
    r->epoch = r->target_epoch = 0;
    r->seconds = 0;
    r->last = r->best = r->tags = NULL;
}

static void fold(struct sweep_state *state)
{
    size_t i;
    const json_t *line;

    state->records = cs_xcalloc(json_array_size(state->lines) + 1, sizeof *state->records);
    json_array_foreach(state->lines, i, line)
    {
        const char *event = cs_json_get_text(line, "event", "");
        struct sweep_record *r = by_number(state, (int) cs_json_get_int(line, "number", -1));
        if (strcmp(event, "sweep") == 0) {
            state->sweep = cs_json_get_text(line, "sweep", "");
            state->metric = cs_json_get_text(line, "metric", "");
            state->target = cs_json_get_text(line, "target", "");
            state->maximize = json_is_true(json_object_get(line, "maximize"));
        } else if (strcmp(event, "trial") == 0 && !r) {
            fold_trial(state, line, &state->params[i]);
        } else if (strcmp(event, "start") == 0 && r) {
            r->started = true;
            r->anew = false;
            r->attempts++;
            r->epochs = (int) cs_json_get_int(line, "epochs", r->epochs);
        } else if (strcmp(event, "end") == 0 && r) {
            fold_end(r, line, state->target);
        } else if (strcmp(event, "target") == 0 && r) {
            r->target_epoch = (int) cs_json_get_int(line, "target_epoch", 0);
            r->target = cs_json_get_text(line, "target", "");
        } else if (strcmp(event, "queue") == 0 && r) {
            fold_queue(r, line);
        }
    }
    for (i = 0; i < state->count; i++) {
        struct sweep_record *r = &state->records[i];
        struct cs_table_slot *slot = cs_table_add(&state->ids, r->id);
        if (r->started)
            r->state = state->held ? "running" : "interrupted";
        else if (strcmp(r->state, "waiting") == 0) /* set aside (prune/judge.h) */
            r->state = state->held ? "queued" : "interrupted";
        if (slot->text)
            continue; /* the first of two counts */
        slot->text = r->id;
        slot->item = r;
    }
}

/* Is the journal locked by some process? Asks, takes nothing. */
static bool is_held(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fd < 0)
        return false;
    const bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

static size_t count_lines(const struct cs_buf *text)
{
    size_t count = 0;

    for (size_t i = 0; i < text->size; i++)
        count += text->data[i] == '\n';
    return count;
}

int sweep_state_load(struct sweep_state **out, const char *dir, struct cs_error *err)
{
    char *path = journal_path(dir);
    struct sweep_state *state = cs_xcalloc(1, sizeof *state);
    size_t good;
    int rc = 0;

    state->lines = json_array();
    state->sweep = state->metric = state->target = "";
    if (access(path, F_OK) < 0)
        rc = cs_fail(err, CS_ENONAME, "%s: no sweep here (no journal.jsonl)", dir);
    if (rc == 0)
        rc = cs_read_file(&state->text, path, JOURNAL_MAX, err);
    if (rc == 0) {
        state->held = is_held(path);
        state->params = cs_xcalloc(count_lines(&state->text) + 1, sizeof *state->params);
        rc = parse_all(state, &good, path, state->text.data, state->text.size, err);
    }
    if (rc == 0) {
        fold(state);
        *out = state;
    } else {
        sweep_state_free(state);
    }
    free(path);
    return rc;
}

void sweep_state_free(struct sweep_state *state)
{
    if (!state)
        return;
    for (size_t i = 0; i < state->count; i++) {
        if (state->records[i].params)
            json_decref(state->records[i].params->value);
    }
    json_decref(state->lines);
    cs_table_clear(&state->ids);
    cs_buf_clear(&state->text);
    free(state->params);
    free(state->records);
    free(state);
}

bool sweep_record_is_over(const struct sweep_record *record)
{
    return sweep_record_is_done(record) || strcmp(record->state, "diverged") == 0 ||
           strcmp(record->state, "pruned") == 0 || sweep_record_is_slow(record);
}

bool sweep_record_is_slow(const struct sweep_record *record)
{
    return strcmp(record->state, "stopped") == 0 && strcmp(record->cause, "slow") == 0;
}

bool sweep_record_is_done(const struct sweep_record *record)
{
    return strcmp(record->state, "done") == 0 ||
           (strcmp(record->state, "stopped") == 0 && !sweep_record_is_slow(record));
}

const struct sweep_record *sweep_state_find(const struct sweep_state *state, const char *id)
{
    const struct cs_table_slot *slot = cs_table_find(&state->ids, id);
    return slot ? slot->item : NULL;
}

const json_t *sweep_record_params(const struct sweep_record *record)
{
    struct sweep_written *p = record->params;

    if (!p->value && p->text)
        p->value = cs_json_read(p->text, p->size);
    return p->value;
}

static int lock(const sweep_journal *j, struct cs_error *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(j->fd, F_OFD_SETLK, &whole) == 0)
        return 0;
    if (errno == EAGAIN || errno == EACCES)
        return cs_fail(err, CS_EBUSY, "%s: another csweep works on this sweep", j->path);
    return cs_fail_errno(err, "%s: cannot lock", j->path);
}

/* Cut a torn last line. */
static int mend(const sweep_journal *j, struct cs_error *err)
{
    struct cs_buf data = {0};
    size_t good = 0;
    int rc = cs_read_file(&data, j->path, JOURNAL_MAX, err);

    if (rc == 0)
        rc = parse_all(NULL, &good, j->path, data.data, data.size, err);
    if (rc == 0 && good < data.size && ftruncate(j->fd, (off_t) good) < 0)
        rc = cs_fail_errno(err, "%s: cannot cut the torn last record", j->path);
    cs_buf_clear(&data);
    return rc;
}

int sweep_journal_open(sweep_journal **out, const char *dir, struct cs_error *err)
{
    sweep_journal *j = cs_xcalloc(1, sizeof *j);
    int rc = cs_make_dirs(dir, err);

    j->path = journal_path(dir);
    j->fd = -1;
    if (rc == 0) {
        j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (j->fd < 0)
            rc = cs_fail_errno(err, "%s: cannot open", j->path);
    }
    if (rc == 0)
        rc = lock(j, err);
    if (rc == 0)
        rc = mend(j, err);
    if (rc == 0)
        rc = cs_sync_parent(j->path, err);
    if (rc < 0)
        sweep_journal_close(j);
    else
        *out = j;
    return rc;
}

void sweep_journal_close(sweep_journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    free(j->path);
    free(j);
}

int sweep_journal_append(sweep_journal *j, json_t *record, bool sync, struct cs_error *err)
{
    struct cs_buf line = {0};
    json_t *whole = json_object();

    cs_json_set(whole, "t", cs_json_number(cs_wall_seconds()));
    json_object_update(whole, record);
    cs_json_line(&line, whole);
    line.size--; /* the closing brace comes after the crc */
    const uint32_t crc =
        (uint32_t) crc32(0, (const unsigned char *) line.data, (unsigned) line.size);
    cs_buf_addf(&line, CRC_KEY "%08x\"}\n", crc);
    const off_t before = lseek(j->fd, 0, SEEK_END);
    int rc = cs_write_all(j->fd, line.data, line.size, err);
    if (rc < 0)
        cs_fail_at(err, rc, j->path, 0);
    if (rc == 0 && sync && fdatasync(j->fd) < 0)
        rc = cs_fail_errno(err, "%s: cannot flush", j->path);
    if (rc < 0 && before >= 0 && ftruncate(j->fd, before) < 0) {
        /* the torn record stays the last line; the next open cuts it */
    }
    json_decref(whole);
    json_decref(record);
    cs_buf_clear(&line);
    return rc;
}
