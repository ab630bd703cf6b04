/* Which sweep, which trial: names before prefixes before numbers, and what is said when nothing fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "sweep/find.h"

/* runs: depth, depth-2, optimizers, 7 and folders that are no sweeps; one: a single sweep; none: nothing. */
static void make_sweep(const char *dir, const char *name)
{
    static const char *const trials[][2] = {
        {"0001,lr=0.1", "abcd1234567890abcdef1234567890abcdef1234"},
        {"0002,lr=0.2", "abcd9999567890abcdef1234567890abcdef1234"},
        {"0010,lr=0.3", "0002567890abcdef1234567890abcdef12345678"},
    };
    static const int numbers[] = {1, 2, 10};
    sweep_journal *j;
    json_t *r = json_object();

    if (sweep_journal_open(&j, dir, NULL) < 0)
        abort();
    cs_json_set(r, "event", cs_json_text("sweep"));
    cs_json_set(r, "sweep", cs_json_text(name));
    if (sweep_journal_append(j, r, false, NULL) < 0)
        abort();
    for (size_t i = 0; i < CS_COUNT(numbers); i++) {
        r = json_object();
        cs_json_set(r, "event", cs_json_text("trial"));
        cs_json_set(r, "number", json_integer(numbers[i]));
        cs_json_set(r, "name", cs_json_text(trials[i][0]));
        cs_json_set(r, "id", cs_json_text(trials[i][1]));
        if (sweep_journal_append(j, r, false, NULL) < 0)
            abort();
    }
    sweep_journal_close(j);
}

static int enter_folder(void **state)
{
    static char folder[] = "/tmp/csweep-find-XXXXXX";
    static const char *const names[] = {"optimizers", "depth-2", "7", "depth"};

    *state = folder;
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        char *dir = cs_xasprintf("runs/%s", names[i]);
        make_sweep(dir, names[i]);
        free(dir);
    }
    make_sweep("runs/.hidden", "hidden");
    make_sweep("one/only", "only");
    FILE *file = fopen("runs/notes.txt", "w");
    return file && fclose(file) == 0 && mkdir("runs/empty", 0777) == 0 && mkdir("none", 0777) == 0
               ? 0
               : -1;
}

static int leave_folder(void **state)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf %s", (const char *) *state);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void sweeps_are_folders_with_a_journal_sorted(void **state)
{
    struct sweep_names names;
    struct cs_error err;

    (void) state;
    assert_int_equal(sweep_names_load(&names, "runs", &err), 0);
    assert_int_equal(names.count, 4);
    assert_string_equal(names.list[0], "7");
    assert_string_equal(names.list[1], "depth");
    assert_string_equal(names.list[2], "depth-2");
    assert_string_equal(names.list[3], "optimizers");
    sweep_names_free(&names);
    assert_int_equal(sweep_names_load(&names, "none", &err), 0);
    assert_int_equal(names.count, 0);
    sweep_names_free(&names);
    assert_int_equal(sweep_names_load(&names, "nowhere", &err), CS_ENONAME);
    assert_string_equal(err.detail, "nowhere: no such log directory");
    sweep_names_free(&names);
}

static void means(const char *logdir, const char *word, const char *expected)
{
    struct sweep_state *s = NULL;
    struct cs_error err;
    char *dir = NULL, *path = cs_xasprintf("%s/%s", logdir, expected);

    if (sweep_find(&s, &dir, logdir, word, &err) < 0)
        fail_msg("%s", err.detail);
    assert_string_equal(s->sweep, expected);
    assert_string_equal(dir, path);
    free(dir);
    free(path);
    sweep_state_free(s);
}

static void unknown(const char *logdir, const char *word, const char *message)
{
    struct sweep_state *s = NULL;
    struct cs_error err = {0};
    char *dir = NULL;

    assert_int_equal(sweep_find(&s, &dir, logdir, word, &err), CS_ENONAME);
    assert_string_equal(err.detail, message);
    assert_null(dir);
    assert_null(s);
    assert_int_equal(sweep_find(&s, &dir, logdir, word, NULL), CS_ENONAME);
}

static void sweeps_by_name_prefix_and_number(void **state)
{
    (void) state;
    means("runs", "depth", "depth"); /* a whole name, though a prefix of another */
    means("runs", "depth-", "depth-2");
    means("runs", "opt", "optimizers");
    means("runs", "optimizers", "optimizers");
    means("runs", "1", "7"); /* first in `csweep ls` */
    means("runs", "2", "depth");
    means("runs", "4", "optimizers");
    means("runs", "7", "7"); /* a name before a number */
    means("one", NULL, "only");
    means("one", "o", "only");
    means("one", "1", "only");
}

static void sweeps_that_do_not_fit(void **state)
{
    static const char has[] = "no such sweep; runs has 7, depth, depth-2, optimizers";
    static const char *const words[] = {"5",     "0",     "-1",       "1.5",   "inf",    "nan",
                                        "1e300", "Depth", "depth-22", "empty", ".hidden"};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(words); i++) {
        char *message = cs_xasprintf("%s: %s", words[i], has);
        unknown("runs", words[i], message);
        free(message);
    }
    unknown("runs", "de", "de: fits 2 sweeps of 7, depth, depth-2, optimizers");
    unknown("runs", NULL, "which sweep? runs has 7, depth, depth-2, optimizers");
    unknown("none", NULL, "none: no sweeps here");
    unknown("none", "x", "none: no sweeps here");
    unknown("nowhere", NULL, "nowhere: no such log directory");
}

static void trial_is(const char *logdir, const char *word, int number)
{
    struct sweep_state *s = NULL;
    const struct sweep_record *record = NULL;
    struct cs_error err;
    char *dir = NULL;

    if (sweep_find_trial(&s, &record, &dir, logdir, word, &err) < 0)
        fail_msg("%s: %s", word, err.detail);
    assert_int_equal(record->number, number);
    free(dir);
    sweep_state_free(s);
}

static void trial_unknown(const char *logdir, const char *word, const char *message)
{
    struct sweep_state *s = NULL;
    const struct sweep_record *record = NULL;
    struct cs_error err = {0};
    char *dir = NULL;

    assert_int_equal(sweep_find_trial(&s, &record, &dir, logdir, word, &err), CS_ENONAME);
    assert_string_equal(err.detail, message);
    assert_null(record);
}

static void trials_by_number_name_and_prefix(void **state)
{
    (void) state;
    trial_is("one", "1", 1);
    trial_is("one", "10", 10);
    trial_is("one", "0002", 2); /* a number before a prefix of an id */
    trial_is("one", "0001,lr=0.1", 1);
    trial_is("one", "0001,", 1);
    trial_is("one", "0010", 10);
    trial_is("one", "abcd1", 1);
    trial_is("one", "abcd9999567890abcdef1234567890abcdef1234", 2);
    trial_is("one", "00025", 10); /* digits, but no number of a trial */
    trial_is("one", "only/2", 2);
    trial_is("runs", "depth/10", 10);
    trial_is("runs", "opt/0002,", 2);
    trial_is("runs", "7/1", 1);
}

static void trials_that_do_not_fit(void **state)
{
    static const char *const words[] = {"3",          "-1",  "1.5",    "inf",  "1e300",
                                        "4294967297", "abc", "lr=0.1", "ABCD1"};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(words); i++) {
        char *message =
            cs_xasprintf("%s: no such trial; give its number or the start of its name", words[i]);
        trial_unknown("one", words[i], message);
        free(message);
    }
    trial_unknown("one", "000", "000: fits 2 trials"); /* too short for an id */
    trial_unknown("one", "00", "00: fits 3 trials");
    trial_unknown("one", "0", "0: fits 3 trials");       /* there is no trial 0 */
    trial_unknown("one", "abcd", "abcd: fits 2 trials"); /* four digits of an id are asked for */
    trial_unknown("runs", "1", "which sweep? runs has 7, depth, depth-2, optimizers");
    trial_unknown("runs", "de/1", "de: fits 2 sweeps of 7, depth, depth-2, optimizers");
    trial_unknown("runs", "x/1", "x: no such sweep; runs has 7, depth, depth-2, optimizers");
    trial_unknown("runs", "depth/77",
                  "77: no such trial; give its number or the start of its name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweeps_are_folders_with_a_journal_sorted),
        cmocka_unit_test(sweeps_by_name_prefix_and_number),
        cmocka_unit_test(sweeps_that_do_not_fit),
        cmocka_unit_test(trials_by_number_name_and_prefix),
        cmocka_unit_test(trials_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
