/*
 * list.h - the commands, in the order of `csweep --help`. To add one: write sweep/cmd_NAME.c ending in
 * `const struct sweep_command sweep_command_NAME`, and add a line here.
 */
#define SWEEP_COMMANDS(X) \
    X(run)                \
    X(plan)               \
    X(rerun)              \
    X(ls)                 \
    X(show)               \
    X(verify)             \
    X(events)             \
    X(board)              \
    X(describe)           \
    X(worker)
