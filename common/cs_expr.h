/*
 * cs_expr.h - the one expression language: [when] conditions, --where, a sweep's target, lr_lambda.
 *
 *     expr    = and-expr { "or" and-expr }
 *     and     = not-expr { "and" not-expr }
 *     not     = "not" not-expr | compare
 *     compare = sum [ ("=" | "!=") value { "|" value }  |  ("<" | "<=" | ">" | ">=") sum ]
 *     value   = word | "quoted text" | sum
 *     sum     = product { ("+" | "-") product }
 *     product = sign { ("*" | "/") sign }
 *     sign    = "-" sign | power
 *     power   = atom [ "^" sign ]
 *     atom    = number | name | function "(" expr { "," expr } ")" | "(" expr ")"
 *
 * Functions: min max (one argument or more), abs exp log sqrt cos floor, if(condition, a, b).
 *
 * A name is made of letters, digits, `_` and `.`, and may hold `/` before a letter: `Accuracy/Val` is one name,
 * `lr/10` and `lr / x` are divisions. To the right of = and != a bare word is a value, not a name
 * (`optimizer = adam|adamw`, `dataset = fashion-mnist`); parentheses make it a name (`lr = (max_lr)`).
 *
 * A name that is absent makes the comparison around it false, `!=` included, and arithmetic with it absent;
 * an absent condition is false. Numbers are doubles under IEEE rules; a truth value is the number 1 or 0.
 * Texts over 4096 bytes, more than 64 open levels and more than 1024 parts are refused. Messages begin with
 * `column N: `.
 */
#ifndef CS_EXPR_H
#define CS_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cs_str.h"

struct cs_error;
struct cs_expr;

enum { CS_EXPR_MAX_BYTES = 4096, CS_EXPR_MAX_DEPTH = 64, CS_EXPR_MAX_PARTS = 1024 };

enum cs_expr_kind {
    CS_EXPR_ABSENT,
    CS_EXPR_NUMBER,
    CS_EXPR_BOOL, /* num is 0 or 1; equals the words yes no true false on off */
    CS_EXPR_WORD,
};

struct cs_expr_value {
    enum cs_expr_kind kind;
    double num;
    const char *word; /* CS_EXPR_WORD: borrowed */
};

/* What a name stands for now; CS_EXPR_ABSENT (all zero) when it stands for nothing. */
typedef struct cs_expr_value (*cs_expr_lookup)(void *context, const char *name);

/* A name the expression reads, or one `name = value` of it: to check before anything is evaluated. */
struct cs_expr_use {
    const char *name;
    const char *value; /* NULL: the name alone */
    int column;        /* 1-based, of the name, or of the value where there is one */
};

/* CS_EPARSE with the column. *out and what it points to live in the arena. */
int cs_expr_compile(struct cs_expr **out, const char *text, struct cs_arena *arena,
                    struct cs_error *err);

/* The same where no name holds `/`: epoch/epochs is a division. */
int cs_expr_compile_rule(struct cs_expr **out, const char *text, struct cs_arena *arena,
                         struct cs_error *err);

/* CS_EPARSE when a word stands where a number is needed. */
int cs_expr_eval(struct cs_expr_value *out, const struct cs_expr *expr, cs_expr_lookup lookup,
                 void *context, struct cs_error *err);

/* The same as a condition. */
int cs_expr_test(bool *out, const struct cs_expr *expr, cs_expr_lookup lookup, void *context,
                 struct cs_error *err);

/* The text as compiled. */
const char *cs_expr_text(const struct cs_expr *expr);

/* In order of the text; a name that is compared with values appears once alone and once per value. */
const struct cs_expr_use *cs_expr_uses(const struct cs_expr *expr, size_t *count);

#endif
