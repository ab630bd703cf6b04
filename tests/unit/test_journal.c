/*
 * The journal: records fold to the state of every trial, one writer at a time, torn tails at every byte, damage
 * in the middle, a full disk.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_json.h"
#include "sweep/journal.h"

#define PATH "s/journal.jsonl"

static int enter_folder(void **state)
{
    static char folder[] = "/tmp/csweep-journal-XXXXXX";

    *state = folder;
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    unlink(PATH);
    rmdir("s");
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static int fresh(void **state)
{
    (void) state;
    unlink(PATH);
    return 0;
}

static json_t *record(const char *text)
{
    json_t *r = cs_json_read(text, strlen(text));
    assert_non_null(r);
    return r;
}

static sweep_journal *open_journal(void)
{
    sweep_journal *j = NULL;
    struct cs_error err;

    if (sweep_journal_open(&j, "s", &err) < 0)
        fail_msg("%s: %s", err.where, err.detail);
    return j;
}

/* Append these records, up to NULL, through a journal of their own. */
static void append(const char *const *texts)
{
    sweep_journal *j = open_journal();

    for (; *texts; texts++)
        assert_int_equal(sweep_journal_append(j, record(*texts), false, NULL), 0);
    sweep_journal_close(j);
}

static struct sweep_state *load(void)
{
    struct sweep_state *s = NULL;
    struct cs_error err;

    if (sweep_state_load(&s, "s", &err) < 0)
        fail_msg("%s:%d: %s", err.where, err.line, err.detail);
    return s;
}

static struct cs_buf bytes_of(void)
{
    struct cs_buf data = {0};
    assert_int_equal(cs_read_file(&data, PATH, 1 << 20, NULL), 0);
    return data;
}

static void put(const void *data, size_t size)
{
    FILE *file = fopen(PATH, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static const char *const three_trials[] = {
    "{\"event\":\"sweep\",\"sweep\":\"opt\",\"metric\":\"Accuracy/Val\",\"maximize\":true,"
    "\"target\":\"Accuracy/Val >= 0.85\"}",
    "{\"event\":\"trial\",\"number\":2,\"name\":\"0002,lr=0.2\",\"id\":\"bbbb\",\"point\":\"bb\","
    "\"seed\":9007199254740993,\"params\":[{\"key\":\"lr\",\"value\":\"0.2\",\"num\":0.2}]}",
    "{\"event\":\"trial\",\"number\":1,\"name\":\"0001,lr=0.1\",\"id\":\"aaaa\",\"point\":\"aa\","
    "\"seed\":3,\"params\":[]}",
    "{\"event\":\"trial\",\"number\":3,\"name\":\"0003,lr=0.3\",\"id\":\"cccc\",\"point\":\"cc\","
    "\"seed\":4,\"params\":[]}",
    "{\"event\":\"start\",\"number\":1,\"attempt\":1}",
    "{\"event\":\"start\",\"number\":2,\"attempt\":1}",
    "{\"event\":\"end\",\"number\":1,\"attempt\":1,\"state\":\"done\",\"cause\":\"\",\"detail\":"
    "\"\","
    "\"epoch\":5,\"epochs\":10,\"seconds\":1.5,\"last\":{\"Accuracy/Val\":0.5,\"Loss/"
    "Val\":\"nan\"},"
    "\"best\":{\"Accuracy/Val\":{\"value\":0.75,\"epoch\":4}},\"tags\":[\"refs/tags/x\"],"
    "\"target_epoch\":3}",
    NULL};

static void records_fold_to_the_state_of_trials(void **state)
{
    (void) state;
    append(three_trials);
    struct sweep_state *s = load();
    assert_false(s->held);
    assert_string_equal(s->sweep, "opt");
    assert_string_equal(s->metric, "Accuracy/Val");
    assert_string_equal(s->target, "Accuracy/Val >= 0.85");
    assert_true(s->maximize);
    assert_int_equal(json_array_size(s->lines), 7);
    assert_int_equal(s->count, 3);

    const struct sweep_record *r = &s->records[0]; /* by number, not by file order */
    assert_int_equal(r->number, 1);
    assert_string_equal(r->name, "0001,lr=0.1");
    assert_string_equal(r->id, "aaaa");
    assert_string_equal(r->point, "aa");
    assert_int_equal(r->seed, 3);
    assert_string_equal(r->state, "done");
    assert_string_equal(r->cause, "");
    assert_int_equal(r->attempts, 1);
    assert_int_equal(r->epoch, 5);
    assert_int_equal(r->epochs, 10);
    assert_int_equal(r->target_epoch, 3);
    assert_true(r->seconds == 1.5);
    assert_false(r->started);
    assert_true(cs_json_get_number(r->last, "Accuracy/Val", 0) == 0.5);
    assert_true(isnan(cs_json_get_number(r->last, "Loss/Val", 0)));
    assert_true(cs_json_get_int(json_object_get(r->best, "Accuracy/Val"), "epoch", 0) == 4);
    assert_string_equal(json_string_value(json_array_get(r->tags, 0)), "refs/tags/x");

    r = &s->records[1];
    assert_string_equal(r->state, "interrupted"); /* started, nobody holds the journal */
    assert_true(r->started);
    assert_true(r->seed == 9007199254740993u);
    assert_string_equal(cs_json_get_text(json_array_get(sweep_record_params(r), 0), "value", ""),
                        "0.2");
    assert_null(r->last);
    assert_null(r->best);
    assert_null(r->tags);

    r = &s->records[2];
    assert_string_equal(r->state, "queued");
    assert_int_equal(r->attempts, 0);
    assert_string_equal(r->detail, "");
    assert_ptr_equal(sweep_state_find(s, "cccc"), r);
    assert_null(sweep_state_find(s, "cc"));
    sweep_state_free(s);
    sweep_state_free(NULL);
}

static void the_last_end_decides(void **state)
{
    static const char *const more[] = {
        "{\"event\":\"end\",\"number\":2,\"state\":\"failed\",\"cause\":\"crash\","
        "\"detail\":\"signal 11\",\"epoch\":2,\"epochs\":10,\"seconds\":3}",
        "{\"event\":\"start\",\"number\":2,\"attempt\":2}",
        "{\"event\":\"end\",\"number\":2,\"state\":\"diverged\",\"epoch\":4,\"epochs\":10,"
        "\"seconds\":\"inf\",\"last\":{},\"target_epoch\":0}",
        /* What belongs to no trial changes nothing; a second trial of a number is not one. */
        "{\"event\":\"end\",\"number\":77,\"state\":\"done\"}",
        "{\"event\":\"start\",\"number\":77}", "{\"event\":\"comet\",\"number\":2}",
        "{\"event\":\"trial\",\"number\":2,\"name\":\"other\",\"id\":\"dddd\"}",
        "{\"event\":\"sweep\",\"sweep\":\"renamed\",\"metric\":\"Loss/Val\",\"maximize\":false,"
        "\"target\":\"\"}",
        NULL};

    (void) state;
    append(three_trials);
    append(more);
    struct sweep_state *s = load();
    assert_int_equal(s->count, 3);
    const struct sweep_record *r = sweep_state_find(s, "bbbb");
    assert_string_equal(r->name, "0002,lr=0.2");
    assert_string_equal(r->state, "diverged");
    assert_string_equal(r->cause, "");
    assert_string_equal(r->detail, "");
    assert_int_equal(r->attempts, 2);
    assert_int_equal(r->epoch, 4);
    assert_true(isinf(r->seconds));
    assert_non_null(r->last);
    assert_string_equal(s->sweep, "renamed");
    assert_string_equal(s->metric, "Loss/Val");
    assert_false(s->maximize);
    sweep_state_free(s);
}

/* Queued by hand: it waits, with what it had, or anew with nothing. */
static void a_queued_trial_waits_again(void **state)
{
    static const char *const again[] = {"{\"event\":\"queue\",\"number\":1}",
                                        "{\"event\":\"queue\",\"number\":2}",
                                        "{\"event\":\"queue\",\"number\":77}", NULL};
    static const char *const anew[] = {"{\"event\":\"queue\",\"number\":1,\"anew\":true}", NULL};
    static const char *const start[] = {"{\"event\":\"start\",\"number\":1,\"epochs\":10}", NULL};
    static const char *const left[] = {
        "{\"event\":\"end\",\"number\":1,\"state\":\"interrupted\",\"epoch\":1}", NULL};
    static const char *const over[] = {
        "{\"event\":\"end\",\"number\":1,\"state\":\"pruned\",\"epoch\":2}", NULL};

    (void) state;
    append(three_trials);
    append(again);
    struct sweep_state *s = load();
    const struct sweep_record *r = sweep_state_find(s, "aaaa");
    assert_string_equal(r->state, "queued");
    assert_true(r->again);
    assert_false(r->anew);
    assert_int_equal(r->epoch, 5);
    assert_non_null(r->last);
    r = sweep_state_find(s, "bbbb"); /* was started and left */
    assert_string_equal(r->state, "queued");
    assert_false(r->started);
    assert_int_equal(s->count, 3);
    sweep_state_free(s);

    append(anew);
    s = load();
    r = sweep_state_find(s, "aaaa");
    assert_string_equal(r->state, "queued");
    assert_true(r->anew);
    assert_int_equal(r->epoch, 0);
    assert_int_equal(r->target_epoch, 0);
    assert_null(r->last);
    assert_null(r->best);
    assert_null(r->tags);
    assert_int_equal(r->attempts, 1);
    sweep_state_free(s);

    append(start); /* from here on it goes on like any other, and still is wanted to its end */
    append(left);
    s = load();
    r = sweep_state_find(s, "aaaa");
    assert_string_equal(r->state, "interrupted");
    assert_false(r->anew);
    assert_true(r->again);
    sweep_state_free(s);
    append(over);
    s = load();
    assert_false(sweep_state_find(s, "aaaa")->again);
    sweep_state_free(s);
}

/* Another target: the first epoch that met it is told anew, and the next end is of the target of its time. */
static void a_target_is_of_its_time(void **state)
{
    static const char *const other[] = {
        "{\"event\":\"target\",\"number\":1,\"target\":\"Loss/Val < 1\",\"target_epoch\":2}", NULL};
    static const char *const later[] = {
        "{\"event\":\"sweep\",\"sweep\":\"opt\",\"metric\":\"Loss/Val\",\"target\":\"Loss/Val < "
        "1\"}",
        "{\"event\":\"end\",\"number\":2,\"state\":\"done\",\"target_epoch\":7}", NULL};

    (void) state;
    append(three_trials);
    struct sweep_state *s = load();
    assert_string_equal(sweep_state_find(s, "aaaa")->target, "Accuracy/Val >= 0.85");
    assert_string_equal(sweep_state_find(s, "cccc")->target, "");
    sweep_state_free(s);
    append(other);
    append(later);
    s = load();
    assert_int_equal(sweep_state_find(s, "aaaa")->target_epoch, 2);
    assert_string_equal(sweep_state_find(s, "aaaa")->target, "Loss/Val < 1");
    assert_string_equal(sweep_state_find(s, "aaaa")->state, "done");
    assert_int_equal(sweep_state_find(s, "bbbb")->target_epoch, 7);
    assert_string_equal(sweep_state_find(s, "bbbb")->target, "Loss/Val < 1");
    sweep_state_free(s);
}

/* Stopped for its time is over, but not done. */
static void a_slow_trial_is_over(void **state)
{
    static const char *const ends[] = {
        "{\"event\":\"end\",\"number\":1,\"state\":\"stopped\",\"epoch\":4}",
        "{\"event\":\"end\",\"number\":2,\"state\":\"stopped\",\"cause\":\"slow\",\"epoch\":4}",
        NULL};

    (void) state;
    append(three_trials);
    append(ends);
    struct sweep_state *s = load();
    const struct sweep_record *early = sweep_state_find(s, "aaaa"),
                              *slow = sweep_state_find(s, "bbbb");
    assert_true(sweep_record_is_done(early) && sweep_record_is_over(early));
    assert_false(sweep_record_is_slow(early));
    assert_true(sweep_record_is_slow(slow) && sweep_record_is_over(slow));
    assert_false(sweep_record_is_done(slow));
    sweep_state_free(s);
}

/* {"t":...,"event":...,"crc":"xxxxxxxx"}, and the CRC is zlib's over what stands before it. */
static void a_line_is_as_described(void **state)
{
    static const char *const one[] = {"{\"event\":\"start\",\"number\":1,\"x\":0.1}", NULL};

    (void) state;
    const double before = cs_wall_seconds();
    append(one);
    struct cs_buf data = bytes_of();
    assert_int_equal(data.data[data.size - 1], '\n');
    assert_ptr_equal(memchr(data.data, '\n', data.size), data.data + data.size - 1);
    const char *comma = strstr(data.data, ",\"crc\":\"");
    assert_non_null(comma);
    char tail[32];
    snprintf(tail, sizeof tail, ",\"crc\":\"%08lx\"}\n",
             crc32(0, (const unsigned char *) data.data, (unsigned) (comma - data.data)));
    assert_string_equal(comma, tail);
    assert_true(strncmp(data.data, "{\"t\":", 5) == 0);
    const char *rest = strchr(data.data, ',');
    assert_true(strncmp(rest, ",\"event\":\"start\",\"number\":1,\"x\":0.1,\"crc\"", 40) == 0);
    json_t *whole = cs_json_read(data.data, data.size);
    assert_non_null(whole);
    const double t = cs_json_get_number(whole, "t", 0);
    assert_true(t >= before && t <= cs_wall_seconds());
    json_decref(whole);
    cs_buf_clear(&data);
}

/* A child takes the journal, says so, and holds it until its end of the pipe closes. */
static pid_t hold(int *release)
{
    int ready[2], stay[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(stay), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sweep_journal *j;
        close(stay[1]);
        const char said = sweep_journal_open(&j, "s", NULL) == 0 ? 'y' : 'n';
        if (write(ready[1], &said, 1) != 1 || read(stay[0], &byte, 1) != 0)
            _exit(2);
        _exit(said == 'y' ? 0 : 1); /* as a killed one: never closed */
    }
    close(ready[1]);
    close(stay[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_int_equal(byte, 'y');
    *release = stay[1];
    return child;
}

static void release(pid_t child, int fd)
{
    int status;
    close(fd);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Pruned is over until someone asks for it again; set aside is queued, and interrupted once nobody is at it. */
static void pruned_and_waiting_trials(void **state)
{
    static const char *const more[] = {"{\"event\":\"end\",\"number\":2,\"state\":\"pruned\","
                                       "\"cause\":\"median\",\"detail\":\"why\","
                                       "\"epoch\":3,\"epochs\":10,\"seconds\":3}",
                                       "{\"event\":\"start\",\"number\":3,\"attempt\":1}",
                                       "{\"event\":\"end\",\"number\":3,\"state\":\"waiting\","
                                       "\"epoch\":2,\"epochs\":10,\"seconds\":3}",
                                       NULL};
    static const char *const again[] = {"{\"event\":\"queue\",\"number\":2}",
                                        "{\"event\":\"queue\",\"number\":1}", NULL};
    int fd;

    (void) state;
    append(three_trials);
    append(more);
    struct sweep_state *s = load();
    assert_string_equal(sweep_state_find(s, "bbbb")->state, "pruned");
    assert_string_equal(sweep_state_find(s, "bbbb")->cause, "median");
    assert_true(sweep_record_is_over(sweep_state_find(s, "bbbb")));
    assert_false(sweep_record_is_done(sweep_state_find(s, "bbbb")));
    assert_false(sweep_state_find(s, "bbbb")->spared);
    assert_string_equal(sweep_state_find(s, "cccc")->state, "interrupted");
    assert_false(sweep_record_is_over(sweep_state_find(s, "cccc")));
    sweep_state_free(s);
    append(again);
    const pid_t child = hold(&fd);
    s = load();
    assert_string_equal(sweep_state_find(s, "bbbb")->state, "queued");
    assert_true(sweep_state_find(s, "bbbb")->spared);
    assert_int_equal(sweep_state_find(s, "bbbb")->epoch, 3);
    assert_false(sweep_record_is_over(sweep_state_find(s, "bbbb")));
    assert_string_equal(sweep_state_find(s, "aaaa")->state, "queued");
    assert_false(sweep_state_find(s, "aaaa")->spared);
    assert_string_equal(sweep_state_find(s, "cccc")->state, "queued");
    sweep_state_free(s);
    release(child, fd);
}

static void one_writer_at_a_time(void **state)
{
    sweep_journal *j = NULL;
    struct cs_error err;
    int fd;

    (void) state;
    append(three_trials);
    struct cs_buf before = bytes_of();
    const pid_t child = hold(&fd);
    assert_int_equal(sweep_journal_open(&j, "s", &err), CS_EBUSY);
    assert_string_equal(err.detail, PATH ": another csweep works on this sweep");
    assert_null(j);
    struct sweep_state *s = load();
    assert_true(s->held);
    assert_string_equal(sweep_state_find(s, "aaaa")->state, "done");
    assert_string_equal(sweep_state_find(s, "bbbb")->state, "running");
    assert_string_equal(sweep_state_find(s, "cccc")->state, "queued");
    sweep_state_free(s);
    release(child, fd);

    s = load();
    assert_false(s->held);
    assert_string_equal(sweep_state_find(s, "bbbb")->state, "interrupted");
    sweep_state_free(s);
    j = open_journal(); /* also refused inside one process */
    sweep_journal *second = NULL;
    assert_int_equal(sweep_journal_open(&second, "s", &err), CS_EBUSY);
    s = load();
    assert_true(s->held); /* looking does not take the lock away */
    sweep_state_free(s);
    assert_int_equal(sweep_journal_open(&second, "s", &err), CS_EBUSY);
    sweep_journal_close(j);
    sweep_journal_close(NULL);
    struct cs_buf after = bytes_of();
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.data, before.data, after.size);
    cs_buf_clear(&before);
    cs_buf_clear(&after);
}

/* The last record cut anywhere: ignored by readers, cut off by the next writer, whose record is whole. */
static void a_torn_tail_is_cut_at_every_byte(void **state)
{
    static const char *const next[] = {"{\"event\":\"start\",\"number\":3,\"attempt\":1}", NULL};

    (void) state;
    append(three_trials);
    struct cs_buf whole = bytes_of();
    size_t last = whole.size - 1;
    while (whole.data[last - 1] != '\n')
        last--;
    assert_true(whole.size - last > 200);
    for (size_t size = last; size < whole.size; size++) {
        put(whole.data, size);
        struct sweep_state *s = load();
        assert_int_equal(json_array_size(s->lines), 6);
        assert_string_equal(sweep_state_find(s, "aaaa")->state, "interrupted");
        sweep_state_free(s);
        struct stat st; /* a reader changes nothing */
        assert_int_equal(stat(PATH, &st), 0);
        assert_int_equal(st.st_size, size);
        append(next);
        struct cs_buf data = bytes_of();
        assert_true(data.size > last);
        assert_memory_equal(data.data, whole.data, last);
        cs_buf_clear(&data);
        s = load();
        assert_int_equal(json_array_size(s->lines), 7);
        assert_int_equal(sweep_state_find(s, "cccc")->attempts, 1);
        sweep_state_free(s);
    }
    cs_buf_clear(&whole);
}

/* Blocks that never reached the disk: the tail is there, as zeros. */
static void a_tail_of_zeros_is_cut(void **state)
{
    char zeros[4096] = {0};

    (void) state;
    append(three_trials);
    struct cs_buf whole = bytes_of();
    FILE *file = fopen(PATH, "ab");
    assert_non_null(file);
    fwrite(zeros, 1, sizeof zeros, file);
    fclose(file);
    sweep_journal_close(open_journal());
    struct cs_buf data = bytes_of();
    assert_int_equal(data.size, whole.size);
    assert_memory_equal(data.data, whole.data, whole.size);
    cs_buf_clear(&whole);
    cs_buf_clear(&data);
}

/* One bit of any byte of records 1 to 6 of 7: an error with file and line, and no writer touches the file. */
static void a_flipped_bit_before_the_last_record_is_an_error(void **state)
{
    int line = 1;

    (void) state;
    append(three_trials);
    struct cs_buf whole = bytes_of();
    for (size_t at = 0; line < 6; at++) {
        struct sweep_state *s = NULL;
        sweep_journal *j = NULL;
        struct cs_error err;
        const int expected = line;
        if (whole.data[at] == '\n')
            line++;
        whole.data[at] = (char) (whole.data[at] ^ 1 << at % 8);
        put(whole.data, whole.size);
        assert_int_equal(sweep_state_load(&s, "s", &err), CS_ECORRUPT);
        assert_null(s);
        assert_string_equal(err.where, PATH);
        assert_int_equal(err.line, expected);
        assert_string_equal(err.detail, "damaged record; expected JSON with its crc");
        assert_int_equal(sweep_journal_open(&j, "s", &err), CS_ECORRUPT);
        assert_int_equal(err.line, expected);
        assert_null(j);
        if (at % 50 == 0) {
            struct cs_buf data = bytes_of();
            assert_int_equal(data.size, whole.size);
            assert_memory_equal(data.data, whole.data, whole.size);
            cs_buf_clear(&data);
        }
        whole.data[at] = (char) (whole.data[at] ^ 1 << at % 8);
    }
    cs_buf_clear(&whole);
}

/* A right CRC over what is no record is not enough. */
static void a_line_with_a_good_crc_must_be_an_object(void **state)
{
    static const char *const bodies[] = {"[1,2,3,4,5,6", "{\"t\":1,\"t\":2", "{\"t\":1,}",
                                         "nonsense"};
    struct sweep_state *s = NULL;
    struct cs_error err;

    (void) state;
    append(three_trials);
    struct cs_buf good = bytes_of();
    for (size_t i = 0; i < CS_COUNT(bodies); i++) {
        struct cs_buf data = {0};
        cs_buf_addf(&data, "%s,\"crc\":\"%08lx\"}\n", bodies[i],
                    crc32(0, (const unsigned char *) bodies[i], (unsigned) strlen(bodies[i])));
        cs_buf_add(&data, good.data, good.size);
        put(data.data, data.size);
        assert_int_equal(sweep_state_load(&s, "s", &err), CS_ECORRUPT);
        assert_int_equal(err.line, 1);
        cs_buf_clear(&data);
    }
    cs_buf_clear(&good);
}

static void a_full_disk_leaves_a_journal_that_opens(void **state)
{
    static const char *const next[] = {"{\"event\":\"start\",\"number\":3,\"attempt\":1}", NULL};
    struct cs_error err;
    struct rlimit limit;

    (void) state;
    append(three_trials);
    struct cs_buf whole = bytes_of();
    for (size_t room = 0; room < 60; room += 7) {
        sweep_journal *j = open_journal();
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = whole.size + room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        const int rc = sweep_journal_append(
            j,
            record("{\"event\":\"end\",\"number\":2,\"state\":\"done\",\"text\":\"long enough\"}"),
            true, &err);
        limit.rlim_cur = RLIM_INFINITY;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(rc, CS_EIO);
        assert_string_equal(err.detail, "cannot write: File too large");
        assert_string_equal(err.where, PATH);
        struct cs_buf data = bytes_of();
        assert_int_equal(data.size, whole.size); /* what was written of the record is gone */
        cs_buf_clear(&data);
        /* When there is room again, the same journal goes on, and another. */
        assert_int_equal(sweep_journal_append(j, record(next[0]), true, &err), 0);
        sweep_journal_close(j);
        append(next);
        struct sweep_state *s = load();
        assert_int_equal(json_array_size(s->lines), 9);
        assert_string_equal(sweep_state_find(s, "bbbb")->state, "interrupted");
        assert_int_equal(sweep_state_find(s, "cccc")->attempts, 2);
        sweep_state_free(s);
        put(whole.data, whole.size);
    }
    cs_buf_clear(&whole);
}

static void journals_that_are_not_there(void **state)
{
    struct sweep_state *s = NULL;
    sweep_journal *j = NULL;
    struct cs_error err;

    (void) state;
    assert_int_equal(sweep_state_load(&s, "s", &err), CS_ENONAME);
    assert_string_equal(err.detail, "s: no sweep here (no journal.jsonl)");
    sweep_journal_close(open_journal()); /* made, empty */
    s = load();
    assert_int_equal(s->count, 0);
    assert_string_equal(s->sweep, "");
    assert_string_equal(s->metric, "");
    assert_string_equal(s->target, "");
    sweep_state_free(s);
    assert_int_equal(sweep_journal_open(&j, PATH, &err), CS_EIO);
    assert_string_equal(err.detail, PATH ": is not a folder");
    assert_null(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(journals_that_are_not_there, fresh),
        cmocka_unit_test_setup(records_fold_to_the_state_of_trials, fresh),
        cmocka_unit_test_setup(the_last_end_decides, fresh),
        cmocka_unit_test_setup(a_queued_trial_waits_again, fresh),
        cmocka_unit_test_setup(a_target_is_of_its_time, fresh),
        cmocka_unit_test_setup(a_slow_trial_is_over, fresh),
        cmocka_unit_test_setup(pruned_and_waiting_trials, fresh),
        cmocka_unit_test_setup(a_line_is_as_described, fresh),
        cmocka_unit_test_setup(one_writer_at_a_time, fresh),
        cmocka_unit_test_setup(a_torn_tail_is_cut_at_every_byte, fresh),
        cmocka_unit_test_setup(a_tail_of_zeros_is_cut, fresh),
        cmocka_unit_test_setup(a_flipped_bit_before_the_last_record_is_an_error, fresh),
        cmocka_unit_test_setup(a_line_with_a_good_crc_must_be_an_object, fresh),
        cmocka_unit_test_setup(a_full_disk_leaves_a_journal_that_opens, fresh),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
