/*
 * tbw_text.h - which text may go into an event file.
 *
 * One bad byte in any string makes TensorBoard's data server drop the whole file, so every string
 * is checked here first.
 */
#ifndef TBW_TEXT_H
#define TBW_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct cs_error;

/* Well-formed UTF-8: no overlong forms, surrogates or code points over U+10FFFF. */
bool tbw_utf8_valid(const char *text, size_t size);

/*
 * CS_EPARSE unless text is valid UTF-8; NULL passes. what names it in the message: "description".
 */
int tbw_check_text(const char *what, const char *text, struct cs_error *err);

/* The same for a tag or name, which may also be neither NULL nor empty nor hold control bytes. */
int tbw_check_name(const char *what, const char *name, struct cs_error *err);

#endif
