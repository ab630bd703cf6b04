/*
 * normal.h - standard normal numbers from random words, without libm.
 *
 * Marsaglia's polar method ("A convenient method for generating normal variables", SIAM Review 6, 1964): a point
 * drawn in the square [-1, 1) x [-1, 1) counts when it lies inside the unit circle, and gives one number. Who asks
 * draws again, from another place, until one counts: 1.27 times on average.
 */
#ifndef KERN_MATH_NORMAL_H
#define KERN_MATH_NORMAL_H

#include "kernels/math/elementary.h"
#include "kernels/math/philox.h"

/* False: these words give none, *out is not written. */
KERN_FN bool kern_normal(float *out, uint32_t word0, uint32_t word1)
{
    const float x = 2.0f * kern_uniform(word0) - 1.0f, y = 2.0f * kern_uniform(word1) - 1.0f;
    const float s = x * x + y * y;

    if (!(s < 1.0f && s > 0.0f))
        return false;
    *out = x * sqrtf(-2.0f * kern_log(s) / s);
    return true;
}

#endif
