/*
 * cmd_board.c - `csweep board [SWEEP ...]`: TensorBoard on the runs of sweeps.
 *
 * TensorBoard is no part of csweep: CSWEEP_TENSORBOARD names it, else PATH is searched. It runs in a process group of
 * its own; every signal that asks csweep to end is passed on, and csweep ends with it. What it says comes through,
 * but for notes that it makes at every start. Several sweeps are shown through a folder of links, removed at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "common/cs_str.h"
#include "sweep/cmd.h"
#include "sweep/find.h"

extern const struct sweep_command sweep_command_board;

enum { OPT_LOGDIR = 256, OPT_PORT, OPT_HOST, FIXED_ARGS = 16 };

/* More than anybody writes. 0 means all to its readers, but none to the pages that ask them (2.20). */
static const char samples[] = "--samples_per_plugin=scalars=1000000,histograms=10000,images=10000,"
                              "text=10000,pr_curves=10000";

struct board {
    const char *logdir, *port, *host;
    char **rest; /* arguments for TensorBoard, [rest_count] */
    int rest_count;
    char *program, *dir; /* of TensorBoard; what it is to show */
    char *links;         /* the folder of links, NULL: none */
    struct sweep_names linked;
    char *view; /* of the address: "?pinnedCards=...", "" when there is none */
    pid_t child;
    struct cs_buf pending; /* of its words: what is no whole line yet */
    bool told;             /* its address was printed */
};

/* ---- which program ---- */

static char *find_in_path(const char *name)
{
    const char *path = getenv("PATH");
    char *copy = cs_xstrdup(path ? path : ""), *state = NULL, *found = NULL;

    for (char *dir = strtok_r(copy, ":", &state); dir && !found;
         dir = strtok_r(NULL, ":", &state)) {
        found = cs_xasprintf("%s/%s", dir, name);
        if (access(found, X_OK) < 0) {
            free(found);
            found = NULL;
        }
    }
    free(copy);
    return found;
}

static char *find_tensorboard(void)
{
    const char *named = getenv("CSWEEP_TENSORBOARD");

    if (!named || !*named)
        named = "tensorboard";
    if (!strchr(named, '/'))
        return find_in_path(named);
    return access(named, X_OK) == 0 ? cs_xstrdup(named) : NULL;
}

/* ---- what to show ---- */

static void add_encoded(struct cs_buf *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";

    for (; *text; text++) {
        if (strchr(plain, *text))
            cs_buf_add(out, text, 1);
        else
            cs_buf_addf(out, "%%%02X", (unsigned char) *text);
    }
}

static bool takes_several(const struct sweep_state *state, const char *key)
{
    const char *first = NULL;

    for (size_t r = 0; r < state->count; r++) {
        size_t i;
        const json_t *one;
        json_array_foreach(sweep_record_params(&state->records[r]), i, one)
        {
            const char *value = cs_json_get_text(one, "value", "");
            if (strcmp(cs_json_get_text(one, "key", ""), key) != 0)
                continue;
            if (first && strcmp(first, value) != 0)
                return true;
            first = first ? first : value;
        }
    }
    return false;
}

/* What to colour runs by: the first parameter that takes several values, words before numbers; NULL: none does. */
static const char *colour_key(const struct sweep_state *state)
{
    const char *number = NULL;

    for (size_t r = 0; r < state->count; r++) {
        size_t i;
        const json_t *one;
        json_array_foreach(sweep_record_params(&state->records[r]), i, one)
        {
            const char *key = cs_json_get_text(one, "key", "");
            const bool numeric = json_object_get(one, "num") != NULL;
            if ((numeric && number) || !takes_several(state, key))
                continue;
            if (!numeric)
                return key;
            number = key;
        }
    }
    return number;
}

/* The metric's chart on top, colours by the first axis: TensorBoard takes both from its address. */
static char *make_view(const struct sweep_state *state)
{
    struct cs_buf out = {0};
    const char *key = colour_key(state);
    char *pinned = cs_xasprintf("[{\"plugin\":\"scalars\",\"tag\":\"%s\"}]", state->metric);

    cs_buf_adds(&out, "?pinnedCards=");
    add_encoded(&out, pinned);
    if (key) {
        char *group = cs_xasprintf("regex:%s=([^,]+)", key);
        cs_buf_adds(&out, "&runColorGroup=");
        add_encoded(&out, group);
        free(group);
    }
    cs_buf_adds(&out, "#timeseries");
    free(pinned);
    return out.data;
}

static int show_one(struct board *b, const char *word, struct cs_error *err)
{
    struct sweep_state *state;

    CS_TRY(sweep_find(&state, &b->dir, b->logdir, word, err));
    b->view = make_view(state);
    sweep_state_free(state);
    return 0;
}

/* A link LINKS/name to the sweep's folder. */
static int add_link(struct board *b, const char *word, struct cs_error *err)
{
    struct sweep_state *state;
    char *dir = NULL;

    CS_TRY(sweep_find(&state, &dir, b->logdir, word, err));
    const char *name = strrchr(dir, '/') + 1;
    char *target = realpath(dir, NULL), *link = cs_xasprintf("%s/%s", b->links, name);
    int rc = 0;
    if (target && symlink(target, link) == 0)
        b->linked.list[b->linked.count++] = cs_xstrdup(link);
    else if (!target || errno != EEXIST) /* one named twice is shown once */
        rc = cs_fail_errno(err, "%s: cannot link it", dir);
    free(target);
    free(link);
    free(dir);
    sweep_state_free(state);
    return rc;
}

static int show_several(struct board *b, char *const *words, int count, struct cs_error *err)
{
    const char *tmp = getenv("TMPDIR");
    int rc = 0;

    b->links = cs_xasprintf("%s/csweep-board-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(b->links)) {
        rc = cs_fail_errno(err, "%s: cannot make it", b->links);
        free(b->links);
        b->links = NULL;
        return rc;
    }
    b->linked.list = cs_xcalloc((size_t) count, sizeof(char *));
    for (int i = 0; i < count && rc == 0; i++)
        rc = add_link(b, words[i], err);
    b->dir = cs_xstrdup(b->links);
    return rc;
}

/* All sweeps; a single one by its own folder. */
static int show_all(struct board *b, struct cs_error *err)
{
    struct sweep_names names;

    CS_TRY(sweep_names_load(&names, b->logdir, err));
    const size_t count = names.count;
    sweep_names_free(&names);
    if (count < 2)
        return show_one(b, NULL, err);
    b->dir = cs_xstrdup(b->logdir);
    return 0;
}

static void clear(struct board *b)
{
    for (size_t i = 0; i < b->linked.count; i++)
        unlink(b->linked.list[i]);
    if (b->links)
        rmdir(b->links);
    sweep_names_free(&b->linked);
    free(b->links);
    free(b->dir);
    free(b->view);
    free(b->program);
    cs_buf_clear(&b->pending);
}

/* ---- its words ---- */

static bool is_note(const char *line)
{
    static const char *const notes[] = {
        "TensorFlow installation not found",
        "NOTE: Using experimental fast data loading logic",
        "    \"--load_fast=false\" and report issues",
        "    https://github.com/tensorflow/tensorboard/issues/4784",
        "Serving TensorBoard on localhost; to expose",
    };

    for (size_t i = 0; i < CS_COUNT(notes); i++) {
        if (strncmp(line, notes[i], strlen(notes[i])) == 0)
            return true;
    }
    return *line == '\0';
}

/* "TensorBoard 2.20.0 at http://localhost:6006/ (Press CTRL+C to quit)" */
static bool tell_address(struct board *b, const char *line)
{
    const char *at = strstr(line, " at http");

    if (strncmp(line, "TensorBoard ", 12) != 0 || !at)
        return false;
    const char *address = at + 4;
    const int size = (int) strcspn(address, " ");
    printf("%.*s on %s; Ctrl-C ends it\n  %.*s\n", (int) (at - line), line, b->dir, size, address);
    if (b->view)
        printf("  %.*s%s\n", size, address, b->view);
    else
        puts("  its HParams page shows one sweep: csweep board SWEEP for each");
    fflush(stdout);
    b->told = true;
    return true;
}

static void take_words(struct board *b, int from)
{
    char chunk[4096];
    const ssize_t n = read(from, chunk, sizeof chunk);
    char *end;

    if (n > 0)
        cs_buf_add(&b->pending, chunk, (size_t) n);
    while (b->pending.size && (end = memchr(b->pending.data, '\n', b->pending.size))) {
        const size_t size = (size_t) (end - b->pending.data) + 1;
        *end = '\0';
        if (!tell_address(b, b->pending.data) && !is_note(b->pending.data))
            fprintf(stderr, "%s\n", b->pending.data);
        memmove(b->pending.data, b->pending.data + size, b->pending.size - size);
        b->pending.size -= size;
    }
}

/* ---- its life ---- */

static volatile sig_atomic_t asked; /* the last signal that asks to end, 0 = none */

static void on_signal(int number)
{
    if (number != SIGCHLD)
        asked = number;
}

static char **make_args(const struct board *b)
{
    char **args = cs_xcalloc((size_t) b->rest_count + FIXED_ARGS, sizeof(char *));
    int n = 0;

    args[n++] = cs_xstrdup("tensorboard");
    args[n++] = cs_xasprintf("--logdir=%s", b->dir);
    args[n++] = cs_xstrdup("--reload_interval=5");
    args[n++] = cs_xstrdup(samples);
    if (b->port)
        args[n++] = cs_xasprintf("--port=%s", b->port);
    if (b->host)
        args[n++] = cs_xasprintf("--host=%s", b->host);
    for (int i = 0; i < b->rest_count; i++)
        args[n++] = cs_xstrdup(b->rest[i]);
    return args;
}

/* In the child: nothing is left of csweep but its words' pipe. */
static void become(const struct board *b, char **args, int words, const sigset_t *mask,
                   pid_t parent)
{
    const int null = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(SWEEP_EXIT_ENVIRONMENT);
    dup2(null, STDIN_FILENO);
    dup2(words, STDOUT_FILENO);
    dup2(words, STDERR_FILENO);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(b->program, args);
    dprintf(STDERR_FILENO, "csweep: %s: %s\n", b->program, strerror(errno));
    _exit(SWEEP_EXIT_ENVIRONMENT);
}

static int start(struct board *b, int *from, const sigset_t *mask, struct cs_error *err)
{
    char **args = make_args(b);
    const pid_t parent = getpid();
    int words[2];

    if (pipe2(words, O_CLOEXEC) < 0)
        return cs_fail_errno(err, "pipe");
    b->child = fork();
    if (b->child == 0)
        become(b, args, words[1], mask, parent);
    if (b->child < 0) {
        close(words[0]);
        close(words[1]);
        return cs_fail_errno(err, "cannot start %s", b->program);
    }
    setpgid(b->child, b->child); /* both sides: whoever comes first */
    close(words[1]);
    fcntl(words[0], F_SETFL, O_NONBLOCK);
    *from = words[0];
    for (char **a = args; *a; a++)
        free(*a);
    free(args);
    return 0;
}

/* Until it has ended; its wait status. A second signal ends it at once. */
static int attend(struct board *b, int from, const sigset_t *mask)
{
    struct pollfd poll_words = {.fd = from, .events = POLLIN};
    int status = 0, signals = 0;

    while (waitpid(b->child, &status, WNOHANG) == 0) {
        ppoll(&poll_words, 1, NULL, mask);
        if (asked) {
            kill(-b->child, ++signals == 1 ? (int) asked : SIGKILL);
            asked = 0;
        }
        if (poll_words.revents & POLLIN)
            take_words(b, from);
        else if (poll_words.revents)
            poll_words.fd = -1;
    }
    take_words(b, from);
    kill(-b->child, SIGTERM); /* its data server, if that is left */
    if (signals > 0)
        return 0;
    return status;
}

static int serve(struct board *b)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    const struct sigaction action = {.sa_handler = on_signal};
    sigset_t held, mask;
    struct cs_error err;
    int from = -1;

    sigemptyset(&held);
    for (size_t i = 0; i < CS_COUNT(numbers); i++) {
        sigaddset(&held, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &held, &mask);
    if (start(b, &from, &mask, &err) < 0) {
        sweep_print_error(&err);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    const int status = attend(b, from, &mask);
    close(from);
    if (status == 0)
        return SWEEP_EXIT_OK;
    if (WIFSIGNALED(status))
        fprintf(stderr, "csweep: %s: killed by signal %d\n", b->program, WTERMSIG(status));
    else
        fprintf(stderr, "csweep: %s: ended with exit code %d\n", b->program, WEXITSTATUS(status));
    return SWEEP_EXIT_ENVIRONMENT;
}

static int show(struct board *b, char *const *words, int count)
{
    struct cs_error err;
    const int rc = count == 0   ? show_all(b, &err)
                   : count == 1 ? show_one(b, words[0], &err)
                                : show_several(b, words, count, &err);

    if (rc < 0) {
        sweep_print_error(&err);
        return sweep_exit_code(&err);
    }
    b->program = find_tensorboard();
    if (!b->program) {
        const char *named = getenv("CSWEEP_TENSORBOARD");
        if (named && *named)
            fprintf(stderr, "csweep: CSWEEP_TENSORBOARD = %s: no such program\n", named);
        else
            fputs("csweep: tensorboard is not installed (not in PATH): pip install tensorboard, or "
                  "name it in CSWEEP_TENSORBOARD\n",
                  stderr);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    return serve(b);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {{"logdir", required_argument, NULL, OPT_LOGDIR},
                                            {"port", required_argument, NULL, OPT_PORT},
                                            {"host", required_argument, NULL, OPT_HOST},
                                            {NULL, 0, NULL, 0}};
    struct board b = {.logdir = "runs"};
    int option, own = 1;

    while (own < argc && strcmp(argv[own], "--") != 0)
        own++;
    if (own < argc) {
        b.rest = argv + own + 1;
        b.rest_count = argc - own - 1;
    }
    opterr = 0;
    while ((option = getopt_long(own, argv, "", options, NULL)) != -1) {
        if (option == OPT_LOGDIR)
            b.logdir = optarg;
        else if (option == OPT_PORT)
            b.port = optarg;
        else if (option == OPT_HOST)
            b.host = optarg;
        else
            return sweep_usage(&sweep_command_board, "%s: unknown option or missing value",
                               argv[optind - 1]);
    }
    const int code = show(&b, argv + optind, own - optind);
    clear(&b);
    return code;
}

const struct sweep_command sweep_command_board = {
    .name = "board",
    .summary = "TensorBoard on the sweeps' runs",
    .help =
        "usage: csweep board [SWEEP ...] [options] [-- TENSORBOARD'S OWN OPTIONS]\n"
        "\n"
        "Starts TensorBoard (PATH, or what CSWEEP_TENSORBOARD names), prints its address and ends "
        "with it. Without SWEEP:\n"
        "all of them. With one sweep a second address has the metric on top and a colour for each "
        "value of its first axis.\n"
        "No point is left out: TensorBoard keeps all samples.\n"
        "\n"
        "  --port PORT     default 6006, or the next one that is free\n"
        "  --host ADDRESS  default localhost\n"
        "  --logdir DIR    default runs\n"
        "\n"
        "example: csweep board optimizers\n",
    .run = run,
};
