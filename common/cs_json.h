/*
 * cs_json.h - JSON as csweep writes and reads it, on jansson.
 *
 * One line, keys in the order set, numbers in their shortest form that reads back the same; a number that is not finite becomes the string
 * "nan", "inf" or "-inf" (product contract), and is read back from it.
 */
#ifndef CS_JSON_H
#define CS_JSON_H

#include <jansson.h>

#include "common/cs_str.h"

json_t *cs_json_number(double value); /* new reference */
/* New reference; NULL becomes null, text that is not UTF-8 keeps its ASCII and has ? for the rest. */
json_t *cs_json_text(const char *text);
void cs_json_set(json_t *object, const char *key, json_t *value); /* takes value */
void cs_json_line(struct cs_buf *out, const json_t *value);       /* compact, without line end */
double cs_json_number_value(const json_t *value, double missing); /* of a value itself */
double cs_json_get_number(const json_t *object, const char *key, double missing);
int64_t cs_json_get_int(const json_t *object, const char *key, int64_t missing);
const char *cs_json_get_text(const json_t *object, const char *key,
                             const char *missing); /* borrowed */

/* Strict: the whole text, duplicate keys refused. NULL when malformed. */
json_t *cs_json_read(const char *text, size_t size);

#endif
