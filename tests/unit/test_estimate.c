/* Estimates: a measured time for every kind of net and data, counted work and bytes, finished trials before measuring. */
#include "test_plan_util.h"

#include <math.h>

#include "common/cs_io.h"
#include "common/cs_json.h"
#include "sweep/estimate.h"
#include "sweep/journal.h"
#include "trainer/worker.h"

static const char *const grids[] = {
    TEST_BASE,
    "[data]\ndataset = random 100x5 labels=3\n[model]\nlayers = linear 3\n"
    "[train]\nloss = bce_with_logits\n",
    "[data]\ndataset = regression 90x4 outputs=2\n[model]\nlayers = linear 8 > relu > linear 2\n"
    "[train]\nloss = mse\n",
    "[data]\ndataset = random 3x5 classes=2\nbatch_size = 64\n[model]\nlayers = linear 2\n",
    "[data]\ndataset = fashion-mnist\nbatch_size = 16\nlimit = 200\n[model]\n"
    "layers = conv 2 3 > batchnorm > relu > maxpool 2 > flatten > dropout 0.5 > linear 10\n"
    "[train]\naccumulate = 3\nclip_norm = 1\nema = 0.9\n",
    TEST_BASE "[train]\nrng = torch\n[optimizer]\noptimizer = adam\n"
              "[scheduler]\nscheduler = one_cycle\nmax_lr = 1\ntotal_steps = 1000\n",
};

static void every_kind_is_measured(void **state)
{
    (void) state;
    for (size_t i = 0; i < CS_COUNT(grids); i++) {
        struct sweep_plan *plan = test_plan(grids[i]);
        struct train_spec *spec = sweep_trial_spec(plan, &plan->trials[0]);
        for (int trials = 1; trials <= 4; trials += 3) {
            struct cs_error err = {0};
            double seconds = NAN;
            const double start = cs_mono_seconds();
            if (train_estimate(&seconds, spec, trials, 0.01, &err) < 0)
                fail_msg("%s: %s", grids[i], err.detail);
            assert_true(seconds > 0 && seconds < 60);
            assert_true(cs_mono_seconds() - start < 30); /* sanitized, on a busy machine */
        }
        train_spec_free(spec);
        sweep_plan_free(plan);
    }
}

static double work_of(const char *grid)
{
    struct sweep_plan *plan = test_plan(grid);
    const double work = plan->trials[0].point->work;

    sweep_plan_free(plan);
    return work;
}

static double bytes_of(const char *grid)
{
    struct sweep_plan *plan = test_plan(grid);
    const double bytes = plan->trials[0].point->bytes;

    sweep_plan_free(plan);
    return bytes;
}

/* 7840 weights at 1000 samples: a forward and twice as much backward, and the forward of validation. */
static void work_is_counted(void **state)
{
    static const char net[] = "[data]\ndataset = random 1000x784 classes=10\nbatch_size = 10\n"
                              "[model]\nlayers = linear 10\n";
    struct sweep_plan *plan = test_plan(net);
    struct train_spec *spec = sweep_trial_spec(plan, &plan->trials[0]);
    const double train = (double) spec->train_examples;

    (void) state;
    const double sample = 2 * 7840.0, updates = 4 * 7850.0 * ceil(train / 10);
    assert_true(plan->trials[0].point->work > sample * 3 * train + updates);
    assert_true(plan->trials[0].point->work < 1.05 * (sample * 4 * train + updates));
    train_spec_free(spec);
    sweep_plan_free(plan);
    /* A convolution's weights are used at every place: 28 x 28 - borders. */
    assert_true(work_of("[data]\ndataset = fashion-mnist\n[model]\n"
                        "layers = conv 4 5 > flatten > linear 10\n") >
                24 * 24 * 2 * 100.0 * 3 * 60000);
}

static void bytes_are_counted(void **state)
{
    static const char net[] = "[data]\ndataset = random 100x1000 classes=2\n[model]\n"
                              "layers = linear 1000 > relu > linear 2\n[optimizer]\noptimizer = ";
    const double numbers = 1000 * 1000 + 1000 + 2 * 1000 + 2;
    char *sgd = cs_xasprintf("%ssgd\n", net), *adam = cs_xasprintf("%sadam\n", net),
         *ema = cs_xasprintf("%ssgd\n[train]\nema = 0.9\n", net);

    (void) state;
    assert_true(fabs(bytes_of(sgd) - 2 * 4 * numbers) < 2e5);
    assert_true(fabs(bytes_of(adam) - 3 * 2 * 4 * numbers) < 2e5);
    assert_true(fabs(bytes_of(ema) - 2 * 2 * 4 * numbers) < 2e5);
    free(sgd);
    free(adam);
    free(ema);
}

static void append(sweep_journal *j, json_t *line)
{
    assert_int_equal(sweep_journal_append(j, line, false, NULL), 0);
}

static void journal_done(const struct sweep_plan *plan, size_t trial, double seconds)
{
    const struct sweep_trial *t = &plan->trials[trial];
    sweep_journal *j = NULL;

    assert_int_equal(sweep_journal_open(&j, "logs/x", NULL), 0);
    append(j, json_pack("{s:s,s:i,s:s,s:s,s:s,s:i,s:[]}", "event", "trial", "number", t->number,
                        "name", t->name, "id", t->id, "point", t->point->id, "seed", (int) t->seed,
                        "params"));
    append(j, json_pack("{s:s,s:i,s:i,s:i}", "event", "start", "number", t->number, "attempt", 1,
                        "epochs", t->point->epochs));
    append(j, json_pack("{s:s,s:i,s:s,s:i,s:i,s:f}", "event", "end", "number", t->number, "state",
                        "done", "epoch", t->point->epochs, "epochs", t->point->epochs, "seconds",
                        seconds));
    sweep_journal_close(j);
}

static void near(double x, double expected)
{
    if (!(fabs(x - expected) < 1e-6 * expected))
        fail_msg("%.9g, expected %.9g", x, expected);
}

/* Ten epochs took 20 seconds: ten more, and ten of twice the steps' work, are told from that. */
static void finished_trials_tell(void **state)
{
    struct sweep_plan *plan = test_plan("[data]\ndataset = random 100x5 classes=2\n[model]\n"
                                        "layers = linear 64 > relu > linear 2\n"
                                        "[train]\nepochs = 10, 30\n[optimizer]\nlr = 0.1, 0.2\n");
    struct sweep_estimate e;

    (void) state;
    sweep_estimate_plan(&e, plan, "logs", 1);
    assert_string_equal(e.basis, "measured");
    assert_int_equal(e.trials, 4);
    near(e.bytes, 2 * (plan->trials[0].point->bytes + plan->trials[2].point->bytes));
    journal_done(plan, 0, 20);
    sweep_estimate_plan(&e, plan, "logs", 1);
    assert_string_equal(e.basis, "journal");
    assert_int_equal(e.trials, 3);
    near(e.seconds, 20 + 2 * 60 + 3 * 0.012 + 70 * 0.001);
    sweep_estimate_plan(&e, plan, "logs", 2);
    near(e.seconds, (20 + 2 * 60 + 3 * 0.012 + 70 * 0.001) / 2);
    sweep_estimate_plan(&e, plan, "logs", 16); /* no more slots than trials */
    assert_int_equal(e.slots, 3);
    for (size_t i = 1; i < 4; i++)
        journal_done(plan, i, 1);
    sweep_estimate_plan(&e, plan, "logs", 1);
    assert_int_equal(e.trials, 0);
    assert_string_equal(e.basis, "");
    assert_true(e.seconds == 0 && e.bytes == 0);
    sweep_plan_free(plan);
    unlink("logs/x/journal.jsonl");
    rmdir("logs/x");
    rmdir("logs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_measured),
        cmocka_unit_test(work_is_counted),
        cmocka_unit_test(bytes_are_counted),
        cmocka_unit_test(finished_trials_tell),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
