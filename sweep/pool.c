#include "sweep/pool.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "common/cs_str.h"

enum { WORDS_MAX = 4096, LINE_MAX_BYTES = 64 << 20 };

struct slot {
    sweep_pool *pool;
    int index;
    bool alive, exited, signalled;
    int open_handles; /* of process, in, out, err: freed when all are closed */
    uv_process_t process;
    uv_pipe_t in, out, err;
    struct cs_buf lines; /* of stdout, not ended yet */
    struct cs_buf words; /* the end of stderr */
    int64_t status;
    int signal;
};

struct sweep_pool {
    uv_loop_t *loop;
    struct sweep_pool_hooks hooks;
    struct slot *slots;
    int count;
    char **environment;
};

/* CPUs of the cgroup's quota (v2 cpu.max: "QUOTA PERIOD" in microseconds), 0 = no limit known. */
static int quota_cpus(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    long long quota = 0, period = 0;

    if (!file)
        return 0;
    const int n = fscanf(file, "%lld %lld", &quota, &period);
    fclose(file);
    if (n != 2 || quota <= 0 || period <= 0)
        return 0;
    return (int) ((quota + period - 1) / period);
}

int sweep_cpu_count(void)
{
    cpu_set_t set;
    int count = 1;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    const int quota = quota_cpus();
    return quota > 0 && quota < count ? quota : count;
}

/* The CPU of slot i: the i-th that this process may use, round and round. */
static int slot_cpu(int index)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) == 0)
        return -1;
    int skip = index % CPU_COUNT(&set);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set) && skip-- == 0)
            return (int) cpu;
    }
    return -1;
}

static char **make_environment(void)
{
    static const char *const single[] = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1"};
    size_t count = 0, n = 0;

    while (environ[count])
        count++;
    char **out = cs_xcalloc(count + CS_COUNT(single) + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "OPENBLAS_NUM_THREADS=", 21) != 0 &&
            strncmp(environ[i], "OMP_NUM_THREADS=", 16) != 0)
            out[n++] = cs_xstrdup(environ[i]);
    }
    for (size_t i = 0; i < CS_COUNT(single); i++)
        out[n++] = cs_xstrdup(single[i]);
    return out;
}

sweep_pool *sweep_pool_create(uv_loop_t *loop, int slots, const struct sweep_pool_hooks *hooks)
{
    sweep_pool *pool = cs_xcalloc(1, sizeof *pool);

    pool->loop = loop;
    pool->hooks = *hooks;
    pool->count = slots;
    pool->slots = cs_xcalloc((size_t) slots, sizeof *pool->slots);
    pool->environment = make_environment();
    for (int i = 0; i < slots; i++) {
        pool->slots[i].pool = pool;
        pool->slots[i].index = i;
    }
    return pool;
}

void sweep_pool_free(sweep_pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < pool->count; i++) {
        cs_buf_clear(&pool->slots[i].lines);
        cs_buf_clear(&pool->slots[i].words);
    }
    for (char **e = pool->environment; *e; e++)
        free(*e);
    free(pool->environment);
    free(pool->slots);
    free(pool);
}

bool sweep_pool_alive(const sweep_pool *pool, int slot)
{
    return pool->slots[slot].alive;
}

/* The last of the worker's handles is closed: now, and only now, its end is told. */
static void on_closed(uv_handle_t *handle)
{
    struct slot *s = handle->data;

    if (--s->open_handles > 0)
        return;
    s->alive = false;
    const struct sweep_exit_info how = {
        .status = s->status,
        .signal = s->signal,
        .ours = s->signalled,
        .words = s->words.data ? s->words.data : "",
    };
    s->pool->hooks.exited(s->pool->hooks.context, s->index, &how);
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void on_exited(uv_process_t *process, int64_t status, int signal_number)
{
    struct slot *s = process->data;

    s->exited = true;
    s->status = status;
    s->signal = signal_number;
    close_handle(&s->process);
    close_handle(&s->in); /* out and err close at their end, after what is in them was read */
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void) handle;
    *buf = uv_buf_init(cs_xmalloc(suggested), (unsigned) suggested);
}

static void take_lines(struct slot *s)
{
    size_t start = 0;
    char *end;

    while ((end = memchr(s->lines.data + start, '\n', s->lines.size - start))) {
        const size_t size = (size_t) (end - s->lines.data) - start;
        json_t *line = cs_json_read(s->lines.data + start, size);
        if (json_is_object(line))
            s->pool->hooks.report(s->pool->hooks.context, s->index, line);
        json_decref(line);
        start += size + 1;
    }
    memmove(s->lines.data, s->lines.data + start, s->lines.size - start);
    s->lines.size -= start;
}

static void on_out(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct slot *s = stream->data;

    if (n > 0) {
        cs_buf_add(&s->lines, buf->base, (size_t) n);
        take_lines(s);
    }
    free(buf->base);
    if (n < 0 || s->lines.size > LINE_MAX_BYTES)
        close_handle(stream);
}

static void on_err(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct slot *s = stream->data;

    if (n > 0)
        cs_buf_add(&s->words, buf->base, (size_t) n);
    free(buf->base);
    if (s->words.size > 2 * WORDS_MAX) {
        memmove(s->words.data, s->words.data + s->words.size - WORDS_MAX, WORDS_MAX + 1);
        s->words.size = WORDS_MAX;
    }
    if (n < 0)
        close_handle(stream);
}

static void init_slot(struct slot *s)
{
    s->lines.size = s->words.size = 0;
    if (s->words.data)
        s->words.data[0] = '\0';
    s->exited = s->signalled = false;
    uv_pipe_t *const pipes[] = {&s->in, &s->out, &s->err};
    for (size_t i = 0; i < CS_COUNT(pipes); i++) {
        uv_pipe_init(s->pool->loop, pipes[i], 0);
        pipes[i]->data = s;
    }
    s->process.data = s;
    s->open_handles = 4;
}

int sweep_pool_start(sweep_pool *pool, int slot, struct cs_error *err)
{
    struct slot *s = &pool->slots[slot];
    char self[] = "csweep", command[] = "worker", cpu_option[] = "--cpu",
         parent_option[] = "--parent";
    char cpu[16], parent[16], exe[] = "/proc/self/exe";
    char *args[] = {self, command, cpu_option, cpu, parent_option, parent, NULL};
    uv_stdio_container_t stdio[3];
    uv_process_options_t options = {0};

    snprintf(cpu, sizeof cpu, "%d", slot_cpu(slot));
    snprintf(parent, sizeof parent, "%ld", (long) getpid());
    init_slot(s);
    stdio[0].flags = (uv_stdio_flags) (UV_CREATE_PIPE | UV_READABLE_PIPE);
    stdio[0].data.stream = (uv_stream_t *) &s->in;
    stdio[1].flags = (uv_stdio_flags) (UV_CREATE_PIPE | UV_WRITABLE_PIPE);
    stdio[1].data.stream = (uv_stream_t *) &s->out;
    stdio[2].flags = (uv_stdio_flags) (UV_CREATE_PIPE | UV_WRITABLE_PIPE);
    stdio[2].data.stream = (uv_stream_t *) &s->err;
    options.file = exe;
    options.args = args;
    options.env = pool->environment;
    options.stdio = stdio;
    options.stdio_count = 3;
    options.exit_cb = on_exited;
    options.flags =
        UV_PROCESS_DETACHED; /* setsid: the terminal's Ctrl-C reaches only the controller */
    const int rc = uv_spawn(pool->loop, &s->process, &options);
    if (rc < 0) { /* the handles must be closed all the same; exited() follows */
        s->status = -1;
        void *const handles[] = {&s->process, &s->in, &s->out, &s->err};
        for (size_t i = 0; i < CS_COUNT(handles); i++)
            close_handle(handles[i]);
    }
    if (rc < 0)
        return cs_fail(err, CS_ECHILD, "cannot start a worker: %s", uv_strerror(rc));
    s->alive = true;
    uv_read_start((uv_stream_t *) &s->out, on_alloc, on_out);
    uv_read_start((uv_stream_t *) &s->err, on_alloc, on_err);
    return 0;
}

struct pending_write {
    uv_write_t request;
    struct cs_buf text;
};

static void on_written(uv_write_t *request, int status)
{
    struct pending_write *p = request->data;

    (void) status; /* a worker that cannot be written to has exited, which is reported */
    cs_buf_clear(&p->text);
    free(p);
}

void sweep_pool_send(sweep_pool *pool, int slot, const json_t *command)
{
    struct slot *s = &pool->slots[slot];
    struct pending_write *p = cs_xcalloc(1, sizeof *p);

    cs_json_line(&p->text, command);
    cs_buf_adds(&p->text, "\n");
    p->request.data = p;
    uv_buf_t buf = uv_buf_init(p->text.data, (unsigned) p->text.size);
    if (uv_is_closing((uv_handle_t *) &s->in) ||
        uv_write(&p->request, (uv_stream_t *) &s->in, &buf, 1, on_written) < 0)
        on_written(&p->request, -1);
}

void sweep_pool_finish(sweep_pool *pool, int slot)
{
    struct slot *s = &pool->slots[slot];

    if (s->alive)
        close_handle(&s->in);
}

void sweep_pool_signal_slot(sweep_pool *pool, int slot, int signal_number)
{
    struct slot *s = &pool->slots[slot];

    if (!s->alive || s->exited)
        return;
    s->signalled = true;
    kill(-s->process.pid, signal_number);
}

void sweep_pool_signal(sweep_pool *pool, int signal_number)
{
    for (int i = 0; i < pool->count; i++)
        sweep_pool_signal_slot(pool, i, signal_number);
}
