/*
 * test_share.c - one copy of a data set for many: the same rows as a copy of one's own, written once, read-only; a
 * writer that dies on the way is followed by another; what is not a data set is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "sweep/shares.h"
#include "trainer/data/share.h"
#include "trainer/spec.h"

static struct train_spec *make_spec(const char *dataset, const char *limit, const char *val_split)
{
    const bool classes = !strstr(dataset, "labels=") && !strstr(dataset, "regression");
    const struct train_setting settings[] = {
        {"dataset", dataset, 0},
        {"limit", limit, 0},
        {"val_split", val_split, 0},
        {"layers", classes ? "flatten > linear 10" : "linear 3", 0},
        {"loss", classes ? "cross_entropy" : "mse", 0},
    };
    struct train_spec *spec = NULL;
    struct cs_error err;

    if (train_spec_create(&spec, settings, CS_COUNT(settings), 0, &err) < 0)
        fail_msg("%s", err.detail);
    return spec;
}

static struct train_data *load(const struct train_spec *spec, const char *path)
{
    struct train_data *data = NULL;
    struct cs_error err;

    if (train_data_load_shared(&data, spec, path, &err) < 0)
        fail_msg("%s", err.detail);
    return data;
}

static void assert_same_side(const struct train_side *a, const struct train_side *b,
                             size_t features, size_t width)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->index, b->index, (size_t) a->count * sizeof *a->index);
    assert_true(!a->pixels == !b->pixels && !a->values == !b->values);
    assert_true(!a->labels == !b->labels && !a->targets == !b->targets);
    for (int64_t i = 0; i < a->count; i++) {
        const size_t at = (size_t) a->index[i] * features;
        if (a->pixels)
            assert_memory_equal(a->pixels + at, b->pixels + at, features);
        if (a->values)
            assert_memory_equal(a->values + at, b->values + at, features * sizeof(float));
        if (a->labels)
            assert_int_equal(a->labels[a->index[i]], b->labels[a->index[i]]);
        else
            assert_memory_equal(a->targets + a->index[i] * width, b->targets + a->index[i] * width,
                                width * sizeof(float));
    }
}

static void assert_same(const struct train_data *a, const struct train_data *b)
{
    const size_t features = (size_t) train_shape_size(&a->shape);

    assert_same_side(&a->train, &b->train, features, (size_t) a->width);
    assert_same_side(&a->val, &b->val, features, (size_t) a->width);
}

static const char *share_name(struct sweep_shares *shares, const struct train_spec *spec)
{
    return sweep_shares_name(shares, spec->dataset, spec->path, NULL);
}

static void check_dataset(const char *dataset)
{
    struct sweep_shares shares = {0};
    struct train_spec *whole = make_spec(dataset, "0", "0"),
                      *part = make_spec(dataset, "50", "0.2");
    const char *path = share_name(&shares, whole);
    const char bytes[] = "neither";

    assert_string_equal(share_name(&shares, part), path);
    struct train_data *first = load(whole, path), *second = load(part, path);
    struct train_data *own = load(whole, ""), *own_part = load(part, "");
    assert_same(first, own);
    assert_same(second, own_part); /* other rows of the same copy */
    assert_int_equal(pwrite(shares.list[0].file, bytes, sizeof bytes, 0), -1);
    assert_int_equal(errno, EPERM);
    sweep_shares_clear(&shares); /* mappings outlive it */
    assert_same(first, own);
    train_data_free(first);
    train_data_free(second);
    train_data_free(own);
    train_data_free(own_part);
    train_spec_free(whole);
    train_spec_free(part);
}

static void test_share__has_the_rows_of_a_copy(void **state)
{
    (void) state;
    check_dataset("random 101x7 classes=3");
    check_dataset("random 64x16 sum>0");
    check_dataset("random 64x5 labels=3");
    check_dataset("regression 77x6 outputs=3");
    check_dataset("spirals 77 classes=3");
    if (access("/usr/share/datasets/fashion-mnist", R_OK) == 0)
        check_dataset("fashion-mnist");
}

/* Killed while it held the lock, with half a data set written. */
static void test_share__is_written_again_after_a_death(void **state)
{
    struct sweep_shares shares = {0};
    struct train_spec *spec = make_spec("random 101x7 classes=3", "0", "0");
    const char *path = share_name(&shares, spec);
    int ready[2];
    char byte;

    (void) state;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        const int file = open(path, O_RDWR);
        if (file < 0 || flock(file, LOCK_EX) < 0 || pwrite(file, "half", 4, 5000) != 4 ||
            write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    struct train_data *shared = load(spec, path), *own = load(spec, "");
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_same(shared, own);
    close(ready[0]);
    close(ready[1]);
    train_data_free(shared);
    train_data_free(own);
    train_spec_free(spec);
    sweep_shares_clear(&shares);
}

/* The others wait for the first, and all have the same. */
static void test_share__many_at_once(void **state)
{
    enum { MANY = 8 };
    struct sweep_shares shares = {0};
    struct train_spec *spec = make_spec("random 20000x20 classes=3", "0", "0");
    const char *path = share_name(&shares, spec);
    pid_t children[MANY];

    (void) state;
    for (int i = 0; i < MANY; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct train_data *shared = load(spec, path), *own = load(spec, "");
            const size_t bytes = 20000 * 20 * sizeof(float);
            _exit(memcmp(shared->train.values, own->train.values, bytes) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < MANY; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    train_spec_free(spec);
    sweep_shares_clear(&shares);
}

static void test_share__refusals(void **state)
{
    struct sweep_shares shares = {0};
    struct train_spec *spec = make_spec("random 101x7 classes=3", "0", "0"),
                      *other = make_spec("random 102x7 classes=3", "0", "0");
    struct train_data *data = NULL;
    struct cs_error err;
    const char *path = share_name(&shares, spec);

    (void) state;
    train_data_free(load(spec, path));
    assert_int_equal(train_data_load_shared(&data, other, path, &err), CS_ECORRUPT);
    assert_string_equal(err.detail, "the shared data set is another one");
    assert_true(train_data_load_shared(&data, spec, "/proc/self/fd/999", &err) < 0);
    assert_non_null(strstr(err.detail, "/proc/self/fd/999: cannot open the shared data set"));
    assert_null(data);
    train_spec_free(spec);
    train_spec_free(other);
    sweep_shares_clear(&shares);
}

static bool is_first(void *context, const char *dataset, const char *path)
{
    const struct train_spec *first = context;
    return strcmp(dataset, first->dataset) == 0 && strcmp(path, first->path) == 0;
}

static void test_share__pruned_when_no_trial_wants_it(void **state)
{
    struct sweep_shares shares = {0};
    struct train_spec *first = make_spec("random 101x7 classes=3", "0", "0"),
                      *second = make_spec("random 102x7 classes=3", "0", "0");

    (void) state;
    share_name(&shares, second);
    share_name(&shares, first);
    assert_int_equal(shares.count, 2);
    const int file = shares.list[0].file;
    sweep_shares_prune(&shares, is_first, first);
    assert_int_equal(shares.count, 1);
    assert_int_equal(fcntl(file, F_GETFD), -1);
    assert_string_equal(shares.list[0].dataset, first->dataset);
    train_spec_free(first);
    train_spec_free(second);
    sweep_shares_clear(&shares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share__has_the_rows_of_a_copy),
        cmocka_unit_test(test_share__is_written_again_after_a_death),
        cmocka_unit_test(test_share__many_at_once),
        cmocka_unit_test(test_share__refusals),
        cmocka_unit_test(test_share__pruned_when_no_trial_wants_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
