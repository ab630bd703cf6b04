#include "sweep/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"

const char *const sweep_limit_keys[] = {"target_stops", "budget", "stop_trial", "halt", NULL};

/* A plain decimal number at *at, which moves behind it; strtod would take "inf", "0x1" and signs too. */
static bool take_number(double *out, const char **at)
{
    const size_t size = strspn(*at, "0123456789.");
    char *end;

    if (size == 0)
        return false;
    *out = strtod(*at, &end);
    const bool whole = end == *at + size && isfinite(*out);
    *at = end;
    return whole;
}

static void skip_blanks(const char **at)
{
    *at += strspn(*at, " ");
}

/* "1h 30m", in seconds. */
static bool take_time(double *out, const char *text)
{
    static const char units[] = "smhd";
    static const double seconds[] = {1, 60, 3600, 86400};
    const char *at = text;

    *out = 0;
    while (*at) {
        double number;
        if (!take_number(&number, &at))
            return false;
        skip_blanks(&at);
        const char *unit = *at ? strchr(units, *at) : NULL;
        if (!unit)
            return false;
        *out += number * seconds[unit - units];
        at++;
        skip_blanks(&at);
    }
    return *out > 0 && *out < 1e12;
}

/* "N WORDS" or "N% WORDS". */
static bool take_share(double *out, bool *percent, const char *text, const char *words)
{
    const char *at = text;

    if (!take_number(out, &at))
        return false;
    skip_blanks(&at);
    *percent = *at == '%';
    at += *percent;
    skip_blanks(&at);
    return strcmp(at, words) == 0;
}

static int take_stop_trial(struct sweep_limits *l, const char *text, struct cs_error *err)
{
    bool percent;

    l->stop_trial_text = text;
    if (!*text)
        return 0;
    if (!take_share(&l->stop_trial, &percent, text, "of median") || !percent ||
        l->stop_trial <= 100)
        return cs_fail(
            err, CS_EPARSE,
            "stop_trial = %.120s: must be N%% of median with N above 100, such as 200%% of median",
            text);
    l->stop_trial /= 100;
    return 0;
}

static int take_halt(struct sweep_limits *l, const char *text, struct cs_error *err)
{
    l->halt_text = text;
    if (!*text)
        return 0;
    const bool fits = take_share(&l->halt, &l->halt_percent, text, "failed");
    if (fits && l->halt > 0 && (l->halt_percent ? l->halt <= 100 : l->halt == floor(l->halt)))
        return 0;
    return cs_fail(err, CS_EPARSE,
                   "halt = %.120s: must be N failed, or N%% failed with N in (0, 100]", text);
}

static int take_budget(struct sweep_limits *l, const char *text, struct cs_error *err)
{
    l->budget_text = text;
    if (*text && !take_time(&l->budget, text))
        return cs_fail(err, CS_EPARSE,
                       "budget = %.120s: must be a time such as 90s, 30m, 2h, 1d or 1h 30m", text);
    return 0;
}

int sweep_limits_take(struct sweep_limits *limits, const char *key, const char *text,
                      struct cs_error *err)
{
    if (strcmp(key, "target_stops") == 0)
        limits->target_stops = strcmp(text, "yes") == 0;
    else if (strcmp(key, "budget") == 0)
        return take_budget(limits, text, err);
    else if (strcmp(key, "stop_trial") == 0)
        return take_stop_trial(limits, text, err);
    else if (strcmp(key, "halt") == 0)
        return take_halt(limits, text, err);
    return 0;
}
