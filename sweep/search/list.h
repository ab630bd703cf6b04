/*
 * list.h - the ways to choose points, in the order of `csweep describe search`. To add one: write
 * sweep/search/NAME.c ending in `const struct search_method sweep_search_NAME`, and add a line here.
 */
#define SEARCH_METHODS(X) \
    X(grid)               \
    X(random)             \
    X(sobol)              \
    X(tpe)
