/*
 * number.c - random numbers to values of a parameter.
 *
 * Values of a distribution without steps are rounded to a decimal place five below that of its span, and where it is
 * even over the logarithm also five below the value's own: 1e5 to 1e6 different values, log: per decade.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cs_str.h"
#include "sweep/search/search_impl.h"

/* The place of the first digit: x = d.ddd * 10^place. */
static int place(double x)
{
    char text[CS_DOUBLE_MAX];

    snprintf(text, sizeof text, "%.15e", fabs(x));
    const char *e = text;
    while (*e && *e != 'e')
        e++;
    return *e ? atoi(e + 1) : 0;
}

/* The decimal with its last digit at 10^last that is nearest to x. */
static double round_at(double x, int last)
{
    char text[64];

    if (x == 0)
        return 0;
    const int digits = place(x) - last;
    if (digits > 15)
        return x;
    if (digits >= 0) {
        snprintf(text, sizeof text, "%.*e", digits, x);
    } else {
        snprintf(text, sizeof text, "1e%d", last);
        const double unit = strtod(text, NULL);
        return fabs(x) >= unit / 2 ? copysign(unit, x) : 0;
    }
    return strtod(text, NULL);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* The index of the last step. */
static double last_step(const struct search_param *p)
{
    return floor((p->high - p->low) / p->step + 1e-9);
}

static double at_step(const struct search_param *p, double i)
{
    const double scale = fmax(fabs(p->low), fabs(p->high));

    if (i <= 0 || scale == 0)
        return p->low;
    return round_at(p->low + i * p->step, place(scale) - 13);
}

double sweep_search_near(const struct search_param *p, double x)
{
    if (p->step > 0)
        return at_step(p, clamp(rint((x - p->low) / p->step), 0, last_step(p)));
    if (p->high <= p->low)
        return p->low;
    int last = place(p->high - p->low) - 5;
    if (p->log && place(x) - 5 < last)
        last = place(x) - 5;
    return clamp(round_at(x, last), p->low, p->high);
}

double sweep_search_low(const struct search_param *p)
{
    const double low = p->low - p->step / 2;
    return p->log ? log(low) : low;
}

double sweep_search_high(const struct search_param *p)
{
    const double high = (p->step > 0 ? at_step(p, last_step(p)) : p->high) + p->step / 2;
    return p->log ? log(high) : high;
}

double sweep_search_at(const struct search_param *p, double u)
{
    if (p->kind == SEARCH_CHOICE)
        return clamp(floor(u * (double) p->count), 0, (double) p->count - 1);
    if (p->share > 1) {
        u *= (double) p->share;
        u -= floor(u);
    }
    if (p->step > 0 && !p->log)
        return at_step(p, clamp(floor(u * (last_step(p) + 1)), 0, last_step(p)));
    const double low = sweep_search_low(p), high = sweep_search_high(p), x = low + u * (high - low);
    return sweep_search_near(p, p->log ? exp(x) : x);
}
