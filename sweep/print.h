/*
 * print.h - what several commands print the same way: JSON lines, CSV fields, the end of a trial's log.
 */
#ifndef SWEEP_PRINT_H
#define SWEEP_PRINT_H

#include "common/cs_json.h"

/* value (taken) as one line on stdout, which is flushed: the reader of a pipe has it at once. */
void sweep_print_json(json_t *value);

/* text as a CSV field on stdout, quoted when it must be (RFC 4180). */
void sweep_print_csv_field(const char *text);

/*
 * The last `lines` lines of dir/name/trial.log: a place in *log, which the caller clears; NULL when the log is empty
 * or cannot be read. *path (the caller frees) is the log's.
 */
const char *sweep_log_tail(struct cs_buf *log, char **path, const char *dir, const char *name,
                           int lines);

#endif
