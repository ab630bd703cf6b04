/*
 * random.c - search = random: every parameter by a random number of its own (Bergstra and Bengio, "Random search for
 * hyper-parameter optimization", JMLR 13, 2012).
 */
#include "sweep/search/search_impl.h"

extern const struct search_method sweep_search_random;

double sweep_search_random_suggest(const struct search *search, size_t param)
{
    return sweep_search_at(
        &search->params[param],
        sweep_search_uniform(search, search->key_hashes[param], SEARCH_USE_DRAW, 0));
}

const struct search_method sweep_search_random = {
    .name = "random",
    .help = "independent draws; the first n of N points do not depend on N",
    .drawn = true,
    .suggest = sweep_search_random_suggest,
};
