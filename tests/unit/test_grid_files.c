/* Grid files that include others: what wins, whose lines are told, what is refused. */
#include "test_plan_util.h"

#include <sys/stat.h>

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static const char base[] = TEST_BASE "[optimizer]\noptimizer = sgd, adam\nlr = 0.1, 0.2\n"
                                     "[when optimizer = sgd]\nmomentum = 0, 0.9\n"
                                     "[preset quick]\nepochs = 1\nlr = 0.5\n";

static void the_file_wins_over_what_it_includes(void **state)
{
    (void) state;
    write_file("base.ini", base);
    /* In the place of the included definition: the order of axes is the base's. */
    test_trials(
        "include = base.ini\n[optimizer]\nlr = 1, 2\n[when optimizer=sgd]\nmomentum = 0.5\n",
        "optimizer=sgd lr=1|optimizer=sgd lr=2|optimizer=adam lr=1|optimizer=adam lr=2");
    /* From [sweep] too; what is new comes after; a value outside does not touch one inside. */
    test_trials("[train]\nepochs = 1, 2\n[sweep]\ninclude = base.ini\n[optimizer]\nlr = 0.1\n"
                "momentum = 0.1\n",
                "optimizer=sgd momentum=0 epochs=1|optimizer=sgd momentum=0 epochs=2|"
                "optimizer=sgd momentum=0.9 epochs=1|optimizer=sgd momentum=0.9 epochs=2|"
                "optimizer=adam epochs=1|optimizer=adam epochs=2");
    write_file("seeds.ini", "[sweep]\nseeds = 3\n");
    struct sweep_plan *plan = test_plan("include = base.ini, seeds.ini\n[sweep]\nseed = 7\n");
    assert_int_equal(plan->seed_count, 1);
    assert_int_equal(plan->trials[0].seed, 7);
    assert_string_equal(plan->name, "x");
    sweep_plan_free(plan);
    /* Presets of both, the file's keys first. */
    test_trials_with("include = base.ini\n[preset quick]\nlr = 0.7, 0.8\n",
                     (const char *const[]){"--preset quick", "optimizer=adam", NULL},
                     "lr=0.7|lr=0.8");
    unlink("base.ini");
    unlink("seeds.ini");
}

static void included_files_include(void **state)
{
    (void) state;
    assert_int_equal(mkdir("sub", 0777), 0);
    write_file("sub/base.ini", base);
    write_file("sub/a.ini", "include = base.ini\n[optimizer]\nlr = 3\noptimizer = adam\n");
    write_file("b.ini", "[optimizer]\nlr = 4, 5\n");
    test_trials("include = sub/a.ini, b.ini\n", "lr=4|lr=5"); /* the second wins over the first */
    test_trials("include = b.ini, sub/a.ini\n", "");
    test_trials("include = sub/a.ini, sub/base.ini\n[optimizer]\nlr = 1\n",
                "optimizer=sgd momentum=0|optimizer=sgd momentum=0.9|optimizer=adam");
    write_file("b.ini", "[sweep]\nseed = 2\n");
    write_file("c.ini", "[sweep]\nseeds = 3\n");
    struct sweep_plan *plan = test_plan("include = sub/base.ini, b.ini, c.ini\n");
    assert_int_equal(plan->seed_count, 3);
    sweep_plan_free(plan);
    unlink("sub/base.ini");
    unlink("sub/a.ini");
    unlink("b.ini");
    unlink("c.ini");
    rmdir("sub");
}

static void zips_and_rules_across_files(void **state)
{
    (void) state;
    write_file("base.ini", TEST_BASE "[zip a]\nlr = 0.1, 0.2\nbatch_size = 4, 8\n"
                                     "[exclude]\nr = lr = 0.1\n");
    test_trials("include = base.ini\n[exclude]\nr = lr > 100\n",
                "lr=0.1 batch_size=4|lr=0.2 batch_size=8");
    test_trials("include = base.ini\n[optimizer]\nlr = 0.7\n", "batch_size=4|batch_size=8");
    test_trials("include = base.ini\n[zip a]\nlr = 1, 2\n[train]\nepochs = 1, 2\n",
                "lr=1 batch_size=4 epochs=1|lr=1 batch_size=4 epochs=2|"
                "lr=2 batch_size=8 epochs=1|lr=2 batch_size=8 epochs=2");
    write_file("base.ini", TEST_BASE "[optimizer]\nlr = 0.1\n[train]\nepochs = 1, 2\n");
    test_trials("include = base.ini\n[zip a]\nlr = 1, 2\nbatch_size = 4, 8\n",
                "epochs=1 lr=1 batch_size=4|epochs=1 lr=2 batch_size=8|"
                "epochs=2 lr=1 batch_size=4|epochs=2 lr=2 batch_size=8");
    unlink("base.ini");
}

static void faults_name_their_file(void **state)
{
    (void) state;
    assert_int_equal(mkdir("sub", 0777), 0);
    write_file("sub/a.ini",
               "junk\n[optimizer]\noptimizer = adamm\n\xff\nlr = x\n[when lr>]\nlr = 1\n");
    test_refused(
        "include = sub/a.ini\n[optimizer]\nlrr = 1\n" TEST_BASE,
        "x.ini:3: lrr: no such key; did you mean lr?\n"
        "sub/a.ini:1: junk: expected `key = value` or `[section]`\n"
        "sub/a.ini:3: optimizer = adamm: no such optimizer; did you mean adam?\n"
        "sub/a.ini:4: control bytes or invalid UTF-8; expected text\n"
        "sub/a.ini:5: lr = x: must be a number >= 0\n"
        "sub/a.ini:6: [when lr>]: column 4: expected a number, a name or `(` and found the "
        "end\n");
    write_file("sub/a.ini",
               "[data]\ndataset = random 100x5 classes=2\n[model]\nlayers = linear 1\n");
    test_refused("[sweep]\ninclude = sub/a.ini\n",
                 "sub/a.ini:4: layers = linear 1: gives 1 outputs; random 100x5 classes=2 has 2 "
                 "classes\n");
    write_file("sub/a.ini", "[when optimizer=sgd]\nlr = 1\n");
    test_refused(
        "include = sub/a.ini\n" TEST_BASE "[when scheduler=none]\nlr = 2\n",
        "x.ini:7: lr: [when optimizer=sgd] (sub/a.ini:2) and [when scheduler=none] give it "
        "at once\n");
    unlink("sub/a.ini");
    rmdir("sub");
}

static void bad_includes(void **state)
{
    char deep[32], text[64];

    (void) state;
    test_refused("lr = 1\ninclude = ,none.ini\n[optimizer]\ninclude = y.ini\n" TEST_BASE,
                 "x.ini:1: lr: key before the first [section]\n"
                 "x.ini:2: include = ,none.ini: expected files, parted by commas\n"
                 "x.ini:2: include = none.ini: cannot open none.ini: No such file or directory\n"
                 "x.ini:4: include: belongs to [sweep], or before the first section, not to "
                 "[optimizer]\n");
    write_file("a.ini", "include = b.ini\n");
    write_file("b.ini", "include = a.ini\n");
    test_refused("include = a.ini\n" TEST_BASE,
                 "b.ini:1: include = a.ini: files in a circle: a.ini -> b.ini -> a.ini\n");
    test_refused("include = x.ini\n" TEST_BASE,
                 "x.ini:1: include = x.ini: files in a circle: x.ini -> x.ini\n");
    assert_int_equal(mkfifo("pipe.ini", 0600), 0);
    test_refused("include = pipe.ini, /dev/zero, /tmp\n" TEST_BASE,
                 "x.ini:1: include = pipe.ini: pipe.ini: is no regular file\n"
                 "x.ini:1: include = /dev/zero: /dev/zero: is no regular file\n"
                 "x.ini:1: include = /tmp: /tmp: is no regular file\n");
    test_refused_with(TEST_BASE, (const char *const[]){"include=a.ini", NULL},
                      "command line: include: a grid file includes others, in its lines\n");
    for (int i = 0; i < 10; i++) {
        snprintf(deep, sizeof deep, "deep%d.ini", i);
        snprintf(text, sizeof text, "include = deep%d.ini\n", i + 1);
        write_file(deep, i < 9 ? text : "");
    }
    test_refused("include = deep0.ini\n" TEST_BASE,
                 "deep7.ini:1: include = deep8.ini: more than 8 files deep\n");
    for (int i = 0; i < 10; i++) {
        snprintf(deep, sizeof deep, "deep%d.ini", i);
        unlink(deep);
    }
    unlink("a.ini");
    unlink("b.ini");
    unlink("pipe.ini");
}

static void the_resolved_text_includes_nothing(void **state)
{
    (void) state;
    write_file("base.ini", base);
    struct sweep_plan *plan = test_plan("include = base.ini\n[optimizer]\nlr = 1, 2\n[zip z when "
                                        "optimizer=adam]\nbatch_size = 2, 4\n"
                                        "eps = 1, 2\n[exclude]\nr = lr > 1\n");
    assert_string_equal(plan->resolved,
                        "[sweep]\nname = x\n\n"
                        "[data]\ndataset = random 100x5 classes=2\n\n"
                        "[model]\nlayers = linear 4 > relu > linear 2\n\n"
                        "[optimizer]\noptimizer = sgd, adam\nlr = 1, 2\n\n"
                        "[when optimizer = sgd]\nmomentum = 0, 0.9\n\n"
                        "[zip z when optimizer=adam]\nbatch_size = 2, 4\neps = 1, 2\n\n"
                        "[exclude]\nr = lr > 1\n");
    char *first = cs_xstrdup(plan->resolved), *trials = test_describe(plan);
    sweep_plan_free(plan);
    unlink("base.ini");
    test_trials(first, trials);
    free(first);
    free(trials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_wins_over_what_it_includes),
        cmocka_unit_test(included_files_include),
        cmocka_unit_test(zips_and_rules_across_files),
        cmocka_unit_test(faults_name_their_file),
        cmocka_unit_test(bad_includes),
        cmocka_unit_test(the_resolved_text_includes_nothing),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
