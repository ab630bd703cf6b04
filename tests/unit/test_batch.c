/* Batch files: a plan written and read back is the same; lines written by hand; faults with line and column. */
#include "test_plan_util.h"

#include "sweep/batch.h"

static int try_batch(struct sweep_plan **out, char **faults, const char *text,
                     const char *const *words)
{
    struct sweep_plan_input input = {.path = "x.csv", .overrides = words};
    struct sweep_faults found = {0};
    FILE *file = fopen("x.csv", "wb");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    while (words && words[input.override_count])
        input.override_count++;
    *out = NULL;
    const int rc = sweep_plan_create(out, &input, &found);
    unlink("x.csv");
    cs_buf_adds(&found.text, "");
    *faults = found.text.data;
    return rc;
}

static struct sweep_plan *batch_with(const char *text, const char *const *words)
{
    struct sweep_plan *plan;
    char *faults;

    if (try_batch(&plan, &faults, text, words) < 0)
        fail_msg("%s", faults);
    free(faults);
    return plan;
}

static void batch_refused_with(const char *text, const char *const *words, const char *expected)
{
    struct sweep_plan *plan;
    char *faults;

    assert_int_equal(try_batch(&plan, &faults, text, words), CS_EPARSE);
    assert_string_equal(faults, expected);
    free(faults);
}

static void batch_refused(const char *text, const char *expected)
{
    batch_refused_with(text, NULL, expected);
}

static void same_params(const struct sweep_trial *a, const struct sweep_trial *b)
{
    assert_int_equal(a->param_count, b->param_count);
    for (size_t i = 0; i < a->param_count; i++) {
        const struct sweep_param *x = &a->params[i], *y = &b->params[i];
        assert_string_equal(x->key, y->key);
        assert_string_equal(x->value, y->value);
        assert_int_equal(x->varies, y->varies);
        assert_int_equal(x->numeric, y->numeric);
        assert_int_equal(x->own, y->own);
    }
}

/* A grid's plan as a batch file is the same plan: ids, numbers, names, parameters, points, metric. */
static void comes_back(const char *grid)
{
    struct sweep_plan *plan = test_plan(grid);
    struct cs_buf text = {0}, again = {0};

    sweep_batch_write(&text, plan, plan->sweep_lines);
    struct sweep_plan *back = batch_with(text.data, NULL);
    sweep_batch_write(&again, back, back->sweep_lines);
    assert_string_equal(text.data, again.data);
    assert_int_equal(plan->trial_count, back->trial_count);
    assert_int_equal(plan->point_count, back->point_count);
    assert_int_equal(plan->seed_count, back->seed_count);
    assert_int_equal(plan->axis_count, back->axis_count);
    assert_string_equal(plan->metric, back->metric);
    assert_string_equal(plan->target_text, back->target_text);
    for (size_t i = 0; i < plan->trial_count; i++) {
        assert_string_equal(plan->trials[i].id, back->trials[i].id);
        assert_string_equal(plan->trials[i].name, back->trials[i].name);
        assert_int_equal(plan->trials[i].number, back->trials[i].number);
        assert_string_equal(plan->trials[i].point->id, back->trials[i].point->id);
        same_params(&plan->trials[i], &back->trials[i]);
    }
    /* What the run folder keeps of it is a batch file too. */
    struct sweep_plan *kept = batch_with(back->resolved, NULL);
    assert_string_equal(kept->resolved, back->resolved);
    assert_string_equal(kept->name, back->name);
    sweep_plan_free(kept);
    sweep_plan_free(plan);
    sweep_plan_free(back);
    cs_buf_clear(&text);
    cs_buf_clear(&again);
}

static void grids_come_back(void **state)
{
    (void) state;
    comes_back(TEST_BASE);
    comes_back("[sweep]\nseeds = 3, 1, 7\nmetric = min Loss/Val\ntarget = Loss/Val < 0.5\n"
               "description = with, commas and \"quotes\"\n" TEST_BASE
               "[optimizer]\noptimizer = sgd, adam\nlr = log(1e-4, 1e-1, 4)\n"
               "[when optimizer=sgd]\nmomentum = 0, 0.9\n");
    comes_back("[data]\ndataset = random 100x5 classes=2\n"
               "[model]\nlayers = linear ${w} > dropout ${p} > linear 2, linear 2\nw = 4, 8\n"
               "p = 0.1, .5\n[optimizer]\nbetas = 0.9 0.999, 0.8 0.99\noptimizer = adam\n"
               "[group head]\nmatch = *.weight\nlr = 0.1, 1e-3\n");
    comes_back(TEST_BASE "[scheduler]\nscheduler = lambda, none\n[when scheduler=lambda]\n"
                         "lr_lambda = min(1, epoch/5), \"max(0.5, 1 - epoch/10)\"\n");
    comes_back(TEST_BASE "[optimizer]\nlr = 0.1, 0.2\nweight_decay = = 0.1 * lr\n"
                         "[zip z]\nbatch_size = 8, 16\nepochs = 1, 2\n");
    comes_back(TEST_BASE "[optimizer]\nbase = 1, 2\nlr = = base / 10\nweight_decay = ${lr}\n"
                         "[model]\nsize = a, b\n[when size=b]\nmomentum = 0.5, 0.6\n");
}

/* Only some columns, blanks, CRLF, empty lines, comments, a byte order mark, spellings. */
static void by_hand(void **state)
{
    struct sweep_plan *plan =
        batch_with("\xef\xbb\xbf# mine\r\n# sweep: metric = min Loss/Val\r\n\r\n"
                   "dataset, layers ,lr,momentum\r\n"
                   "random 100x5 classes=2,linear 2,1e-2,\r\n"
                   "# not this one\r\n   \r\n"
                   "\"random 100x5 classes=2\",\"linear 2\",.0100,0.9\r\n"
                   "random 100x5 classes=2,linear  2,0.01,0",
                   NULL);
    struct sweep_plan *grid = test_plan("[data]\ndataset = random 100x5 classes=2\n"
                                        "[model]\nlayers = linear 2\n"
                                        "[optimizer]\nlr = 0.01\nmomentum = 0, 0.9\n");

    (void) state;
    assert_string_equal(plan->name, "x");
    assert_string_equal(plan->metric, "Loss/Val");
    assert_false(plan->maximize);
    assert_int_equal(plan->trial_count, 2);
    assert_int_equal(plan->merged_count, 1); /* momentum = 0 is the default */
    assert_string_equal(plan->trials[0].id, grid->trials[0].id);
    assert_string_equal(plan->trials[1].id, grid->trials[1].id);
    assert_string_equal(plan->trials[1].name, "0002");
    sweep_plan_free(plan);
    sweep_plan_free(grid);
}

/* Seeds of a point stand together; points may have different ones. */
static void seeds_of_lines(void **state)
{
    struct sweep_plan *plan = batch_with("dataset,layers,lr,seed\n"
                                         "random 100x5 classes=2,linear 2,0.1,5\n"
                                         "random 100x5 classes=2,linear 2,0.2,1\n"
                                         "random 100x5 classes=2,linear 2,0.1,3\n"
                                         "random 100x5 classes=2,linear 2,0.10,5\n",
                                         NULL);

    (void) state;
    assert_int_equal(plan->point_count, 2);
    assert_int_equal(plan->seed_count, 2);
    assert_int_equal(plan->trial_count, 3);
    assert_string_equal(plan->trials[0].name, "0001,lr=0.1,seed=5");
    assert_string_equal(plan->trials[1].name, "0002,lr=0.1,seed=3");
    assert_string_equal(plan->trials[2].name, "0003,lr=0.2,seed=1");
    assert_int_equal(plan->warning_count, 1);
    assert_string_equal(plan->warnings[0], "x.csv:5: the same trial as line 2; kept once");
    sweep_plan_free(plan);
}

static void the_command_line_wins(void **state)
{
    static const char text[] = "# sweep: metric = min Loss/Val\n"
                               "number,id,dataset,layers,lr\n"
                               "9,77,random 100x5 classes=2,linear 2,0.1\n"
                               "8,78,random 100x5 classes=2,linear 3,0.2\n";
    static const char *const words[] =
        {"lr=0.3", "epochs=2", "seeds=2", "name=other", "metric=max Accuracy/Val", NULL},
                             *const two[] = {"lr=0.1,0.2", NULL};
    struct sweep_plan *plan = batch_with(text, words);

    (void) state;
    assert_string_equal(plan->name, "other");
    assert_string_equal(plan->metric, "Accuracy/Val");
    assert_int_equal(plan->trial_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(test_rate(plan, i) == 0.3);
        assert_int_equal(plan->trials[i].point->epochs, 2);
    }
    assert_int_equal(plan->trials[3].number, 4);
    sweep_plan_free(plan);
    batch_refused_with(text, two, "command line: lr = 0.1,0.2: must be a number >= 0\n");
}

static void faults_name_their_place(void **state)
{
    (void) state;
    batch_refused("", "x.csv: no line that names the columns\n");
    batch_refused("lr,layers\n", "x.csv: no trials behind the line that names the columns\n");
    batch_refused("lr,,lr,metric\n0.1,2,3,4\n",
                  "x.csv:1: column 2 has no name\n"
                  "x.csv:1: lr: columns 1 and 3\n"
                  "x.csv:1: metric: of the sweep, not of a trial; expected a line # sweep: metric "
                  "= VALUE\n");
    batch_refused(
        "# sweep: metrik = x\n# sweep: nothing\n# sweep: lr = 1\nlrr,optimizer\n0.1,adm\n",
        "x.csv:1: metrik: no such key; did you mean metric?\n"
        "x.csv:2: nothing: expected # sweep: KEY = VALUE\n"
        "x.csv:3: lr: belongs to [optimizer], not to [sweep]\n"
        "x.csv:4: lrr: no such key; did you mean lr?\n"
        "x.csv:5: optimizer = adm: no such optimizer; did you mean adam?\n");
    batch_refused("# sweep: include = x.ini\nlr\n1\n",
                  "x.csv:1: include: a batch file includes no others\n");
    batch_refused("lr,momentum\n0.1\n-1,2,3\n-1,0\n", "x.csv:2: 1 field; there are 2 columns\n"
                                                      "x.csv:3: 3 fields; there are 2 columns\n"
                                                      "x.csv:4: lr = -1: must be a number >= 0\n");
    batch_refused("lr,layers\n0.1,\"linear 2\n0.2,linear 2\n",
                  "x.csv:2: column 2, layers: a quote without its end\n");
    batch_refused("lr,layers\n0.1,\"linear\" 2\n",
                  "x.csv:2: column 2, layers: expected a comma or the line's end behind the quote; "
                  "a quote inside a field is written twice\n");
    batch_refused("lr,layers\n0.1,\"linear\n2\"\n",
                  "x.csv:2: layers: comment signs, line ends, control bytes or invalid UTF-8\n");
    batch_refused("layers,dataset,optimizer,momentum,seed\n"
                  "linear 1 > linear 2,random 100x5 classes=2,adam,0.9,x\n"
                  "linear 2,random 100x5 classes=2,adam,0.9,1\n"
                  "linear 1,random 100x5 classes=2,sgd,0.9,2\n",
                  "x.csv:2: seed = x: must be a whole number in [0, 9007199254740992]\n"
                  "x.csv:2: momentum: not a key of optimizer = adam\n"
                  "x.csv:3: momentum: not a key of optimizer = adam\n"
                  "x.csv:4: layers = linear 1: gives 1 outputs; random 100x5 classes=2 has 2 "
                  "classes\n");
    batch_refused("layers,dataset,w\nlinear ${w} > linear 2,random 100x5 classes=2,\n",
                  "x.csv:2: layers = linear ${w} > linear 2: w has no value in some trials\n");
}

static void ids_are_checked(void **state)
{
    struct sweep_plan *plan = test_plan(TEST_BASE "[optimizer]\nlr = 0.1, 0.2\n");
    struct cs_buf text = {0};

    (void) state;
    sweep_batch_write(&text, plan, plan->sweep_lines);
    char *rate = strstr(text.data, ",0.2");
    assert_non_null(rate);
    rate[3] = '3';
    char *expected =
        cs_xasprintf("x.csv:3: id = %s: the line's settings are those of ", plan->trials[1].id);
    struct sweep_plan *back;
    char *faults;
    assert_int_equal(try_batch(&back, &faults, text.data, NULL), CS_EPARSE);
    assert_memory_equal(faults, expected, strlen(expected));
    free(faults);
    free(expected);
    cs_buf_clear(&text);
    sweep_plan_free(plan);
}

static void zeros_and_missing_files(void **state)
{
    struct sweep_plan_input input = {.path = "x.csv"};
    struct sweep_faults faults = {0};
    struct sweep_plan *plan;

    (void) state;
    assert_int_equal(sweep_plan_create(&plan, &input, &faults), CS_EIO);
    assert_string_equal(faults.text.data, "x.csv: cannot open: No such file or directory\n");
    cs_buf_clear(&faults.text);
    faults = (struct sweep_faults){0};
    FILE *file = fopen("x.csv", "wb");
    fwrite("lr\n\0\n", 1, 5, file);
    fclose(file);
    assert_int_equal(sweep_plan_create(&plan, &input, &faults), CS_EPARSE);
    assert_string_equal(faults.text.data, "x.csv: a byte 0 in the file; expected text\n");
    cs_buf_clear(&faults.text);
    unlink("x.csv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids_come_back),         cmocka_unit_test(by_hand),
        cmocka_unit_test(seeds_of_lines),          cmocka_unit_test(the_command_line_wins),
        cmocka_unit_test(faults_name_their_place), cmocka_unit_test(ids_are_checked),
        cmocka_unit_test(zeros_and_missing_files),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
