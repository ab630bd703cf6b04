#include "sweep/print.h"

#include <stdio.h>
#include <string.h>

#include "common/cs_io.h"

enum { LOG_MAX = 1 << 26 };

void sweep_print_json(json_t *value)
{
    struct cs_buf text = {0};

    cs_json_line(&text, value);
    puts(text.data);
    fflush(stdout);
    cs_buf_clear(&text);
    json_decref(value);
}

void sweep_print_csv_field(const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

const char *sweep_log_tail(struct cs_buf *log, char **path, const char *dir, const char *name,
                           int lines)
{
    *path = cs_xasprintf("%s/%s/trial.log", dir, name);
    if (cs_read_file(log, *path, LOG_MAX, NULL) < 0 || log->size == 0)
        return NULL;
    const char *at = log->data + log->size - 1;
    for (int found = 0; at > log->data && found < lines; at--)
        found += at[-1] == '\n';
    return at > log->data ? at + 1 : at;
}
