/*
 * bench_tbw.c - speed of tbwriter/: bench_tbw FOLDER [keep]
 *
 * Prints one line per measure, the median of ROUNDS: "name value unit". tbw.sh puts torch's writer
 * and TensorBoard's readers beside them. keep: only write a file of SCALARS and leave it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "tbwriter/tbw.h"
#include "tbwriter/tbw_read.h"

enum { ROUNDS = 9, SCALARS = 1000000, SHARED = 10, VALUES = 400000 };

static void die(const struct cs_error *err)
{
    fprintf(stderr, "bench_tbw: %s: %s\n", err->where, err->detail);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

/*
 * SCALARS of them, `shared` to an event; flush_bytes 0: the default, else all stay in memory until
 * the end. Seconds of the calls, and of all with close; the file is at *path.
 */
static void write_scalars(char **path, const char *dir, int shared, size_t flush_bytes,
                          double seconds[2])
{
    const struct tbw_options options = {.flush_bytes = flush_bytes,
                                        .flush_seconds = flush_bytes ? 1e9 : 0};
    struct tbw_scalar scalars[SHARED];
    char tags[SHARED][32];
    struct cs_error err;
    tbw_writer *w;

    for (int i = 0; i < shared; i++) {
        snprintf(tags[i], sizeof tags[i], "Loss/Part_%d", i);
        scalars[i] = (struct tbw_scalar){tags[i], 0.5, NULL};
    }
    if (tbw_writer_open(&w, dir, &options, &err) < 0)
        die(&err);
    *path = strdup(tbw_writer_path(w));
    const double start = cs_mono_seconds();
    for (int step = 0; step < SCALARS / shared; step++) {
        scalars[0].value = step * 1e-6;
        if (tbw_writer_scalars(w, step, scalars, (size_t) shared, &err) < 0)
            die(&err);
    }
    seconds[0] = cs_mono_seconds() - start;
    if (tbw_writer_close(w, &err) < 0)
        die(&err);
    seconds[1] = cs_mono_seconds() - start;
}

static double read_all(const char *path, size_t *points)
{
    const double start = cs_mono_seconds();
    struct tbw_event event;
    struct cs_error err;
    tbw_reader *r;
    int rc;

    *points = 0;
    if (tbw_reader_open(&r, path, &err) < 0)
        die(&err);
    while ((rc = tbw_reader_next(&event, r, &err)) == 1)
        *points += event.count;
    if (rc < 0)
        die(&err);
    tbw_reader_close(r);
    return cs_mono_seconds() - start;
}

static void measure_scalars(const char *dir, int shared)
{
    double enqueued[ROUNDS], written[ROUNDS], reading[ROUNDS];
    size_t points = 0, size = 0;

    for (int i = 0; i < ROUNDS; i++) {
        double seconds[2];
        char *path;
        struct stat st;
        write_scalars(&path, dir, shared, (size_t) 1 << 40, seconds);
        enqueued[i] = seconds[0] / SCALARS * 1e9;
        unlink(path);
        free(path);
        write_scalars(&path, dir, shared, 0, seconds);
        written[i] = seconds[1] / SCALARS * 1e9;
        if (stat(path, &st) == 0)
            size = (size_t) st.st_size;
        reading[i] = read_all(path, &points) / (double) size;
        unlink(path);
        free(path);
    }
    if (points != SCALARS)
        fprintf(stderr, "bench_tbw: %zu points were read\n", points);
    const double per_byte = median(reading);
    printf("enqueue_%d_an_event %.1f ns/scalar\n", shared, median(enqueued));
    printf("write_%d_an_event %.1f ns/scalar\n", shared, median(written));
    printf("size_%d_an_event %.1f bytes/scalar\n", shared, (double) size / SCALARS);
    printf("read_%d_an_event %.0f MB/s\n", shared, 1e-6 / per_byte);
    printf("read_%d_an_event %.1f ns/scalar\n", shared, 1e9 * per_byte * (double) size / SCALARS);
}

static void measure_histograms(const char *dir)
{
    static const char *const names[] = {"equal", "torch", "tensorflow"};
    float *values = malloc(VALUES * sizeof *values);
    struct cs_error err;
    tbw_writer *w;

    if (!values || tbw_writer_open(&w, dir, NULL, &err) < 0)
        exit(1);
    for (int i = 0; i < VALUES; i++) { /* about normal */
        float sum = 0;
        for (int k = 0; k < 6; k++)
            sum += (float) rand() / (float) RAND_MAX - 0.5f;
        values[i] = 0.05f * sum;
    }
    for (int rule = 0; rule < 3; rule++) {
        double seconds[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            const struct tbw_histogram h = {
                .values = values, .count = VALUES, .rule = (enum tbw_bins) rule};
            const double start = cs_mono_seconds();
            if (tbw_writer_histogram(w, names[rule], i, &h, NULL, &err) < 0)
                die(&err);
            seconds[i] = cs_mono_seconds() - start;
        }
        printf("histogram_%s %.3f ms/%d floats\n", names[rule], 1e3 * median(seconds), VALUES);
    }
    unlink(tbw_writer_path(w));
    (void) tbw_writer_close(w, NULL);
    free(values);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_tbw FOLDER [keep]\n");
        return 2;
    }
    if (argc == 3) {
        double seconds[2];
        char *path;
        write_scalars(&path, argv[1], SHARED, 0, seconds);
        free(path);
        return 0;
    }
    measure_scalars(argv[1], SHARED);
    measure_scalars(argv[1], 1);
    measure_histograms(argv[1]);
    return 0;
}
