/* The expression language: values, absence, precedence, the text of errors, hostile input. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"

static struct cs_expr_value look_up(void *context, const char *name)
{
    (void) context;
    if (strcmp(name, "lr") == 0)
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = 0.1};
    if (strcmp(name, "Accuracy/Val") == 0)
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = 0.875};
    if (strcmp(name, "optimizer") == 0)
        return (struct cs_expr_value){.kind = CS_EXPR_WORD, .word = "adam"};
    if (strcmp(name, "dataset") == 0)
        return (struct cs_expr_value){.kind = CS_EXPR_WORD, .word = "fashion-mnist"};
    if (strcmp(name, "nesterov") == 0)
        return (struct cs_expr_value){.kind = CS_EXPR_BOOL, .num = 1};
    return (struct cs_expr_value){0};
}

static struct cs_expr_value evaluate(const char *text)
{
    struct cs_arena arena = {0};
    struct cs_expr *expr;
    struct cs_error err = {0};
    struct cs_expr_value value;

    if (cs_expr_compile(&expr, text, &arena, &err) < 0 ||
        cs_expr_eval(&value, expr, look_up, NULL, &err) < 0)
        fail_msg("%s: %s", text, err.detail);
    cs_arena_clear(&arena);
    return value;
}

static void number_is(const char *text, double expected)
{
    const struct cs_expr_value value = evaluate(text);
    if (value.kind != CS_EXPR_NUMBER || value.num != expected)
        fail_msg("%s gives %.17g, not %.17g", text, value.num, expected);
}

static bool test(const char *text)
{
    struct cs_arena arena = {0};
    struct cs_expr *expr;
    struct cs_error err = {0};
    bool result = false;

    if (cs_expr_compile(&expr, text, &arena, &err) < 0 ||
        cs_expr_test(&result, expr, look_up, NULL, &err) < 0)
        fail_msg("%s: %s", text, err.detail);
    cs_arena_clear(&arena);
    return result;
}

static void fails_with(const char *text, const char *message)
{
    struct cs_arena arena = {0};
    struct cs_expr *expr;
    struct cs_error err = {0};
    bool result;
    int rc = cs_expr_compile(&expr, text, &arena, &err);

    if (rc == 0)
        rc = cs_expr_test(&result, expr, look_up, NULL, &err);
    assert_int_equal(rc, CS_EPARSE);
    assert_string_equal(err.detail, message);
    cs_arena_clear(&arena);
}

static void arithmetic(void **state)
{
    (void) state;
    number_is("1 + 2 * 3", 7);
    number_is("(1 + 2) * 3", 9);
    number_is("-2^2", -4);
    number_is("2^3^2", 512);
    number_is("2^-1", 0.5);
    number_is("7 - 2 - 1", 4);
    number_is("12 / 2 / 3", 2);
    number_is("lr/10", 0.1 / 10);
    number_is(" lr * 10 ", 1);
    number_is("1e-3", 1e-3);
    number_is("min(3, 1, 2) + max(1, 5) + abs(-2) + floor(2.7)", 10);
    number_is("exp(0) + log(1) + sqrt(16) + cos(0)", 6);
    number_is("if(lr > 1, 5, 6)", 6);
    number_is("max(4)", 4);
    assert_true(isinf(evaluate("1/0").num));
}

static void conditions(void **state)
{
    (void) state;
    assert_true(test("Accuracy/Val >= 0.85"));
    assert_false(test("Accuracy/Val < 0.85"));
    assert_true(test("optimizer = sgd|adam"));
    assert_false(test("optimizer=sgd"));
    assert_true(test("optimizer != sgd|rmsprop"));
    assert_false(test("optimizer != sgd|adam"));
    assert_true(test("dataset = fashion-mnist"));
    assert_true(test("dataset = \"fashion-mnist\""));
    assert_true(test("lr = 0.01|0.1"));
    assert_true(test("lr = .1 and not optimizer = sgd"));
    assert_true(test("lr > 1 or nesterov = yes"));
    assert_true(test("nesterov = on and nesterov != no and nesterov"));
    assert_true(test("lr = (lr)"));
    assert_true(test("lr > 1 and lr > 2 or lr < 1")); /* and before or */
}

static void absent_is_false(void **state)
{
    (void) state;
    assert_false(test("momentum = 0.9"));
    assert_false(test("momentum != 0.9"));
    assert_false(test("momentum + 1 > 0"));
    assert_false(test("momentum"));
    assert_true(test("not momentum = 0.9"));
    assert_int_equal(evaluate("1 + momentum").kind, CS_EXPR_ABSENT);
}

static void messages(void **state)
{
    (void) state;
    fails_with("lr >", "column 5: expected a number, a name or `(` and found the end");
    fails_with("lr > 1 x", "column 8: expected an operator and found `x`");
    fails_with("(lr", "column 4: expected `)` and found the end");
    fails_with("sqr(2)", "column 1: no such function sqr; did you mean sqrt?");
    fails_with("if(1, 2)", "column 1: if takes 3 arguments, not 2");
    fails_with("0.1 < lr < 1", "column 10: comparisons do not chain; write a < b and b < c");
    fails_with("optimizer > 2", "column 1: `adam` is a word; expected a number");
    fails_with("optimizer", "column 1: `adam` is a word; expected a condition");
    fails_with("2x > 1", "column 1: `2x...` is neither a number nor a name");
    fails_with("lr = and", "column 6: expected a value and found `and`");
    fails_with("dataset = 'x", "column 11: no closing '");
}

static void uses(void **state)
{
    struct cs_arena arena = {0};
    struct cs_expr *expr;
    size_t count;

    (void) state;
    assert_int_equal(cs_expr_compile(&expr, "optimizer = adam|sgd and lr > 1", &arena, NULL), 0);
    const struct cs_expr_use *use = cs_expr_uses(expr, &count);
    assert_int_equal(count, 4);
    assert_string_equal(use[0].name, "optimizer");
    assert_null(use[0].value);
    assert_string_equal(use[1].value, "adam");
    assert_int_equal(use[2].column, 18);
    assert_string_equal(use[3].name, "lr");
    cs_arena_clear(&arena);
}

static void hostile(void **state)
{
    char *text = malloc(100001);

    (void) state;
    memset(text, '(', 100000);
    text[100000] = '\0';
    fails_with(text, "column 1: longer than 4096 bytes");
    text[4000] = '\0';
    fails_with(text, "column 65: more than 64 levels");
    memset(text, '-', 4000);
    fails_with(text, "column 65: more than 64 levels");
    for (int i = 0; i < 4000; i += 2)
        memcpy(text + i, "1+", 2);
    fails_with(text, "column 1024: more than 1024 parts");
    free(text);
}

/* In a rule no name holds a slash. */
static void rules_divide(void **state)
{
    static const struct {
        const char *text;
        double value; /* lr is 0.1 */
    } rows[] = {
        {"lr/lr", 1},     {"1/lr/lr", 1 / 0.1 / 0.1}, {"lr/lr/2", 0.5}, {"2*lr/lr", 2 * 0.1 / 0.1},
        {"lr / 2", 0.05}, {"if(lr=0.1,lr/lr,0)", 1},
    };
    struct cs_arena arena = {0};
    struct cs_expr_value value;
    struct cs_expr *expr;
    struct cs_error err;

    (void) state;
    for (size_t r = 0; r < CS_COUNT(rows); r++) {
        if (cs_expr_compile_rule(&expr, rows[r].text, &arena, &err) < 0 ||
            cs_expr_eval(&value, expr, look_up, NULL, &err) < 0)
            fail_msg("%s: %s", rows[r].text, err.detail);
        assert_int_equal(value.kind, CS_EXPR_NUMBER);
        assert_true(value.num == rows[r].value);
    }
    assert_int_equal(cs_expr_compile_rule(&expr, "lr/", &arena, &err), CS_EPARSE);
    assert_string_equal(err.detail, "column 4: expected a number, a name or `(` and found the end");
    cs_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_divide), cmocka_unit_test(arithmetic),
        cmocka_unit_test(conditions),   cmocka_unit_test(absent_is_false),
        cmocka_unit_test(messages),     cmocka_unit_test(uses),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
