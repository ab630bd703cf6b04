#include "common/cs_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *cs_json_number(double value)
{
    char text[CS_DOUBLE_MAX];

    if (!isfinite(value))
        return json_string(cs_format_double(text, value));
    if (value == floor(value) && fabs(value) < 9007199254740992.0)
        return json_integer((json_int_t) value);
    return json_real(value);
}

json_t *cs_json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *value = json_string(text);
    if (value)
        return value;
    /* A path, or a message cut inside a character. */
    char *ascii = cs_xstrdup(text);
    for (char *p = ascii; *p; p++)
        *p = (unsigned char) *p < 0x80 ? *p : '?';
    value = json_string(ascii);
    free(ascii);
    return value;
}

void cs_json_set(json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) < 0)
        abort(); /* only invalid UTF-8 or no memory */
}

static void add_string(struct cs_buf *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    if (!text)
        abort(); /* no memory */
    cs_buf_adds(out, text);
    free(text);
}

/* Not json_dumps for the whole: it prints 0.1 as 0.10000000000000001. */
void cs_json_line(struct cs_buf *out, const json_t *value)
{
    char number[CS_DOUBLE_MAX];
    const char *separator = "", *key;
    const json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        cs_buf_adds(out, "{");
        json_object_foreach((json_t *) (uintptr_t) value, key, item)
        {
            json_t *name = cs_json_text(key);
            cs_buf_adds(out, separator);
            add_string(out, name);
            json_decref(name);
            cs_buf_adds(out, ":");
            cs_json_line(out, item);
            separator = ",";
        }
        cs_buf_adds(out, "}");
        return;
    case JSON_ARRAY:
        cs_buf_adds(out, "[");
        json_array_foreach(value, i, item)
        {
            cs_buf_adds(out, i ? "," : "");
            cs_json_line(out, item);
        }
        cs_buf_adds(out, "]");
        return;
    case JSON_REAL:
        cs_buf_adds(out, cs_format_double(number, json_real_value(value)));
        return;
    default:
        add_string(out, value);
    }
}

double cs_json_number_value(const json_t *value, double missing)
{
    if (json_is_number(value))
        return json_number_value(value);
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        if (strcmp(text, "nan") == 0)
            return NAN;
        if (strcmp(text, "inf") == 0)
            return INFINITY;
        if (strcmp(text, "-inf") == 0)
            return -INFINITY;
    }
    return missing;
}

double cs_json_get_number(const json_t *object, const char *key, double missing)
{
    return cs_json_number_value(json_object_get(object, key), missing);
}

int64_t cs_json_get_int(const json_t *object, const char *key, int64_t missing)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t) json_integer_value(value) : missing;
}

const char *cs_json_get_text(const json_t *object, const char *key, const char *missing)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_value(value) : missing;
}

json_t *cs_json_read(const char *text, size_t size)
{
    return json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}
