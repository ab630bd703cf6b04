/* The expression language: compiled both ways, evaluated with names that are numbers, words and absent. */
#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "tests/fuzz/fuzz.h"

static struct cs_expr_value look_up(void *context, const char *name)
{
    (void) context;
    switch (name[0] % 4) {
    case 0:
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = (double) strlen(name) - 2};
    case 1:
        return (struct cs_expr_value){.kind = CS_EXPR_WORD, .word = name};
    case 2:
        return (struct cs_expr_value){.kind = CS_EXPR_BOOL, .num = 1};
    default:
        return (struct cs_expr_value){.kind = CS_EXPR_ABSENT};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    for (int rule = 0; rule < 2; rule++) {
        struct cs_arena arena = {0};
        struct cs_expr *expr;
        struct cs_expr_value value;
        struct cs_error err;
        size_t count;
        bool yes;
        const int rc = rule ? cs_expr_compile_rule(&expr, text, &arena, &err)
                            : cs_expr_compile(&expr, text, &arena, &err);
        if (rc == 0) {
            cs_expr_eval(&value, expr, look_up, NULL, &err);
            cs_expr_test(&yes, expr, look_up, NULL, &err);
            const struct cs_expr_use *uses = cs_expr_uses(expr, &count);
            for (size_t i = 0; i < count; i++)
                fuzz_sum += (double) strlen(uses[i].name);
        }
        cs_arena_clear(&arena);
    }
    free(text);
    return 0;
}
