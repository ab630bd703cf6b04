/* A card about the machine: Linux's /proc and uname(2). What is not known is left out. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "tbwriter/tbw.h"
#include "tbwriter/tbw_text.h"

static void put_row(struct cs_buf *out, const char *name, const char *value)
{
    if (!*value || !tbw_utf8_valid(value, strlen(value)))
        return;
    cs_buf_addf(out, "| %s | ", name);
    for (; *value; value++)
        cs_buf_add(out, *value == '|' || (unsigned char) *value < 0x20 ? " " : value, 1);
    cs_buf_adds(out, " |\n");
}

/* What follows "key :" in a file of such lines, the first time; "" when it is not there. */
static void find_line(char out[256], const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    char line[512];

    out[0] = '\0';
    while (file && !out[0] && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        (void) snprintf(out, 256, "%.255s", colon + 1 + strspn(colon + 1, " \t"));
    }
    if (file)
        (void) fclose(file); /* only read from */
}

int tbw_writer_host(tbw_writer *w, const char *tag, int64_t step, struct cs_error *err)
{
    struct cs_buf out = {0};
    struct utsname system;
    char text[256];
    const time_t now = time(NULL);
    struct tm parts;

    cs_buf_adds(&out, "| host | |\n|---|---|\n");
    if (uname(&system) == 0) {
        put_row(&out, "name", system.nodename);
        (void) snprintf(text, sizeof text, "%.60s %.120s, %.60s", system.sysname, system.release,
                        system.machine);
        put_row(&out, "system", text);
    }
    find_line(text, "/proc/cpuinfo", "model name");
    put_row(&out, "processor", text);
    (void) snprintf(text, sizeof text, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    put_row(&out, "cores", text);
    find_line(text, "/proc/meminfo", "MemTotal");
    put_row(&out, "memory", text);
    (void) snprintf(text, sizeof text, "%ld", (long) getpid());
    put_row(&out, "process", text);
    if (gmtime_r(&now, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts))
        put_row(&out, "time", text);
    const int rc = tbw_writer_text(w, tag, step, out.data, err);
    cs_buf_clear(&out);
    return rc;
}
