/*
 * tbw_example.c - a run with a curve, a histogram and an image, then read back.
 *
 *     cc tbw_example.c $(pkg-config --cflags --libs tbw) -o tbw_example
 *     ./tbw_example runs/one && tensorboard --logdir runs
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "tbwriter/tbw.h"

enum { STEPS = 20, WEIGHTS = 1000, SIDE = 32 };

static int write_step(tbw_writer *w, int step, struct cs_error *err)
{
    const struct tbw_scalar scalars[] = {
        {"Loss/Train", exp(-0.2 * step), "what is *minimized*"},
        {"Loss/Val", exp(-0.15 * step) + 0.05, NULL},
    };
    float weights[WEIGHTS];
    uint8_t pixels[SIDE * SIDE];

    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (float) (sin(i) * (1 + 0.1 * step));
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = (uint8_t) (i % SIDE * (i / SIDE) * (step + 1));
    const struct tbw_histogram histogram = {.values = weights, .count = WEIGHTS};
    const struct tbw_image image = {.pixels = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    CS_TRY(tbw_writer_scalars(w, step, scalars, 2, err));
    CS_TRY(tbw_writer_histogram(w, "Weights", step, &histogram, NULL, err));
    return tbw_writer_images(w, "Pattern", step, &image, 1, NULL, err);
}

static int write_run(const char *dir, struct cs_error *err)
{
    tbw_writer *w;
    int rc = 0;

    CS_TRY(tbw_writer_open(&w, dir, NULL, err));
    for (int step = 1; step <= STEPS && rc == 0; step++)
        rc = write_step(w, step, err);
    const int closed = tbw_writer_close(w, rc == 0 ? err : NULL);
    return rc < 0 ? rc : closed;
}

static int read_run(const char *dir, struct cs_error *err)
{
    struct tbw_log_item item;
    tbw_log *log;
    int rc;

    CS_TRY(tbw_log_open(&log, dir, err));
    while ((rc = tbw_log_next(&item, log, err)) == 1)
        for (size_t i = 0; item.kind == TBW_LOG_EVENT && i < item.event.count; i++)
            if (item.event.points[i].kind == TBW_POINT_SCALAR)
                printf("%lld %s %g\n", (long long) item.event.step, item.event.points[i].tag,
                       item.event.points[i].value);
    tbw_log_close(log);
    return rc;
}

int main(int argc, char **argv)
{
    struct cs_error err = {0};

    if (argc != 2) {
        fprintf(stderr, "usage: tbw_example RUN_FOLDER\n");
        return 2;
    }
    if (write_run(argv[1], &err) < 0 || read_run(argv[1], &err) < 0) {
        fprintf(stderr, "tbw_example: %s%s%s\n", err.where, *err.where ? ": " : "", err.detail);
        return 1;
    }
    return 0;
}
