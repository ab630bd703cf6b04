/* grid.c - search = grid: nothing is drawn, every point of the product runs. */
#include "sweep/search/search.h"

extern const struct search_method sweep_search_grid;

const struct search_method sweep_search_grid = {
    .name = "grid",
    .help = "every combination of the alternatives, in the order of the file",
};
