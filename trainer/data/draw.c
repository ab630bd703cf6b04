#include "trainer/data/draw.h"

#include "kernels/math/normal.h"
#include "kernels/math/philox.h"

/* Pairs are rejected until they fall inside the unit circle. */
float train_draw_normal(uint64_t seed, enum train_draw what, uint64_t i)
{
    for (uint32_t attempt = 0;; attempt++) {
        const struct kern_philox r =
            kern_philox(seed, (uint32_t) i, (uint32_t) (i >> 32), 2 * attempt,
                        (uint32_t) KERN_PURPOSE_DATA << 16 | (uint32_t) what);
        float z;
        if (kern_normal(&z, r.v[0], r.v[1]))
            return z;
    }
}

void train_draw_uniform(double out[2], uint64_t seed, enum train_draw what, uint64_t i)
{
    const struct kern_philox r = kern_philox(seed, (uint32_t) i, (uint32_t) (i >> 32), 0,
                                             (uint32_t) KERN_PURPOSE_DATA << 16 | (uint32_t) what);

    out[0] = (double) r.v[0] * 0x1p-32;
    out[1] = (double) r.v[1] * 0x1p-32;
}

/* Taylor's series of both on an eighth of a turn either way; the quarters before it only swap them. */
void train_draw_circle(double *cosine, double *sine, double turns)
{
    const int quarters = (int) (4 * turns + 0.5);
    const double x = (turns - 0.25 * quarters) * 6.283185307179586, square = x * x;
    double c = 0, s = 0;

    for (int k = 16; k >= 2; k -= 2) {
        c = (1 - c) * square / (k * (k - 1));
        s = (1 - s) * square / (k * (k + 1));
    }
    c = 1 - c;
    s = x * (1 - s);
    *cosine = quarters % 4 == 0 ? c : quarters % 4 == 1 ? -s : quarters % 4 == 2 ? -c : s;
    *sine = quarters % 4 == 0 ? s : quarters % 4 == 1 ? c : quarters % 4 == 2 ? -s : -c;
}

/* sscanf would wrap 4294967297 round to 1. */
bool train_take_count(int *out, const char **at)
{
    int64_t value = 0;
    const char *p = *at;

    for (; *p >= '0' && *p <= '9' && value <= 1000000000; p++)
        value = 10 * value + (*p - '0');
    *out = (int) value;
    const bool good = p > *at && **at != '0' && value <= 1000000000;
    *at = p;
    return good;
}

bool train_take_size(int *rows, int *columns, const char **at)
{
    return train_take_count(rows, at) && *(*at)++ == 'x' && train_take_count(columns, at) &&
           *rows <= 100000000 / *columns;
}
