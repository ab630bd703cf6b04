#include "trainer/data/draw.h"

#include "kernels/math/normal.h"
#include "kernels/math/philox.h"

/* Pairs are rejected until they fall inside the unit circle. */
float train_draw_normal(enum train_draw what, uint64_t i)
{
    for (uint32_t attempt = 0;; attempt++) {
        const struct kern_philox r =
            kern_philox(0, (uint32_t) i, (uint32_t) (i >> 32), 2 * attempt,
                        (uint32_t) KERN_PURPOSE_DATA << 16 | (uint32_t) what);
        float z;
        if (kern_normal(&z, r.v[0], r.v[1]))
            return z;
    }
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
