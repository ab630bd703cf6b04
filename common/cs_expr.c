/* cs_expr.c - a recursive descent parser into a tree, and a walk over it. */
#include "common/cs_expr.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cs_error.h"

enum op {
    OP_NUMBER,
    OP_NAME,
    OP_WORD,
    OP_NEG,
    OP_NOT,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_POW,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_AND,
    OP_OR,
    OP_MIN,
    OP_MAX,
    OP_ABS,
    OP_EXP,
    OP_LOG,
    OP_SQRT,
    OP_COS,
    OP_FLOOR,
    OP_IF,
};

static const struct function {
    const char *name;
    enum op op;
    int min, max; /* arguments */
} functions[] = {
    {"min", OP_MIN, 1, 64}, {"max", OP_MAX, 1, 64},    {"abs", OP_ABS, 1, 1},
    {"exp", OP_EXP, 1, 1},  {"log", OP_LOG, 1, 1},     {"sqrt", OP_SQRT, 1, 1},
    {"cos", OP_COS, 1, 1},  {"floor", OP_FLOOR, 1, 1}, {"if", OP_IF, 3, 3},
};

struct node {
    enum op op;
    int column;
    double num;
    const char *text;        /* OP_NAME, OP_WORD; the spelling of OP_NUMBER */
    struct node *kid, *next; /* first operand; next operand of the parent */
};

struct cs_expr {
    const char *text;
    struct node *root;
    struct cs_expr_use *uses;
    size_t use_count;
};

struct parser {
    const char *text;
    size_t at;
    int depth, parts;
    bool plain; /* no name holds `/` */
    struct cs_arena *arena;
    struct cs_error *err;
    struct cs_expr_use *uses; /* at most one per part */
    size_t use_count;
    int rc;
};

static struct node *parse_or(struct parser *p);
static struct node *parse_sum(struct parser *p);

__attribute__((format(printf, 3, 4))) static struct node *fail(struct parser *p, size_t at,
                                                               const char *fmt, ...)
{
    char message[256];
    va_list args;

    if (p->rc < 0)
        return NULL; /* the first message stands */
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    p->rc = cs_fail(p->err, CS_EPARSE, "column %zu: %s", at + 1, message);
    return NULL;
}

static void skip_blanks(struct parser *p)
{
    while (isspace((unsigned char) p->text[p->at]))
        p->at++;
}

static char peek(struct parser *p)
{
    skip_blanks(p);
    return p->text[p->at];
}

static bool is_letter(char c)
{
    return isalpha((unsigned char) c) || c == '_';
}

/* Length of the name at text, 0 when there is none. In a value (right of =) `-` belongs to the word. */
static size_t name_length(const char *text, bool value)
{
    size_t n = 0;

    if (!is_letter(*text))
        return 0;
    for (;; n++) {
        const char c = text[n];
        if (is_letter(c) || isdigit((unsigned char) c) || c == '.')
            continue;
        if ((c == '/' || (value && c == '-')) &&
            (is_letter(text[n + 1]) || (value && isdigit((unsigned char) text[n + 1]))))
            continue;
        return n;
    }
}

static bool is_word(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

static bool is_keyword(const char *text, size_t size)
{
    return is_word(text, size, "and") || is_word(text, size, "or") || is_word(text, size, "not");
}

static bool accept_keyword(struct parser *p, const char *word)
{
    skip_blanks(p);
    const char *text = p->text + p->at;
    const size_t size = name_length(text, false);
    if (size == 0 || !is_word(text, size, word))
        return false;
    p->at += size;
    return true;
}

static bool accept(struct parser *p, char c)
{
    if (peek(p) != c)
        return false;
    p->at++;
    return true;
}

static struct node *add_node(struct parser *p, enum op op, size_t at)
{
    if (++p->parts > CS_EXPR_MAX_PARTS)
        return fail(p, at, "more than %d parts", CS_EXPR_MAX_PARTS);
    struct node *node = cs_arena_alloc(p->arena, sizeof *node);
    node->op = op;
    node->column = (int) at + 1;
    return node;
}

static struct node *add_operation(struct parser *p, enum op op, size_t at, struct node *a,
                                  struct node *b)
{
    if (p->rc < 0 || !a || !b)
        return NULL;
    struct node *node = add_node(p, op, at);
    if (node) {
        node->kid = a;
        a->next = b;
    }
    return node;
}

static void add_use(struct parser *p, const char *name, const char *value, int column)
{
    p->uses[p->use_count++] = (struct cs_expr_use){name, value, column};
}

/* "`adam`" or "the end", for messages. */
static const char *found(struct parser *p)
{
    const char *text = p->text + p->at;
    size_t size = name_length(text, false);

    if (!*text)
        return "the end";
    if (size == 0) {
        for (size = 1; ((unsigned char) text[size] & 0xc0) == 0x80;)
            size++;
    }
    return cs_arena_printf(p->arena, "`%.*s`", size > 40 ? 40 : (int) size, text);
}

static struct node *parse_number(struct parser *p)
{
    const size_t at = p->at;
    const char *text = p->text + at;
    char *end;
    const double value = strtod(text, &end);

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return fail(p, at, "numbers are decimal");
    if (is_letter(*end))
        return fail(p, at, "`%.*s...` is neither a number nor a name", (int) (end - text) + 1,
                    text);
    struct node *node = add_node(p, OP_NUMBER, at);
    if (!node)
        return NULL;
    p->at += (size_t) (end - text);
    node->num = value;
    node->text = cs_arena_strndup(p->arena, text, (size_t) (end - text));
    return node;
}

static const struct function *find_function(struct parser *p, size_t at, const char *name)
{
    const char *names[CS_COUNT(functions)];

    for (size_t i = 0; i < CS_COUNT(functions); i++) {
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
        names[i] = functions[i].name;
    }
    const char *near = cs_nearest(name, names, CS_COUNT(names));
    if (near)
        fail(p, at, "no such function %.40s; did you mean %s?", name, near);
    else
        fail(p, at, "no such function %.40s; there are min max abs exp log sqrt cos floor if",
             name);
    return NULL;
}

static struct node *parse_call(struct parser *p, size_t at, const char *name)
{
    const struct function *function = find_function(p, at, name);
    struct node *node = function ? add_node(p, function->op, at) : NULL;
    struct node **tail;
    int count = 0;

    if (!node)
        return NULL;
    accept(p, '(');
    tail = &node->kid;
    do {
        struct node *kid = parse_or(p);
        if (!kid)
            return NULL;
        *tail = kid;
        tail = &kid->next;
        count++;
    } while (accept(p, ','));
    if (!accept(p, ')'))
        return fail(p, p->at, "expected `,` or `)` and found %s", found(p));
    if (count < function->min || count > function->max)
        return fail(p, at, "%s takes %d argument%s, not %d", name, function->min,
                    function->min == 1 ? "" : "s", count);
    return node;
}

static struct node *parse_name(struct parser *p, size_t size)
{
    const size_t at = p->at;
    const char *name = cs_arena_strndup(p->arena, p->text + at, size);

    if (is_keyword(name, size))
        return fail(p, at, "expected a number, a name or `(` and found `%s`", name);
    p->at += size;
    if (peek(p) == '(')
        return parse_call(p, at, name);
    struct node *node = add_node(p, OP_NAME, at);
    if (node) {
        node->text = name;
        add_use(p, name, NULL, node->column);
    }
    return node;
}

static struct node *parse_atom(struct parser *p)
{
    const char c = peek(p);
    size_t size = name_length(p->text + p->at, false);

    if (size && p->plain)
        size = strcspn(p->text + p->at, "/") < size ? strcspn(p->text + p->at, "/") : size;
    if (size)
        return parse_name(p, size);
    if (isdigit((unsigned char) c) || (c == '.' && isdigit((unsigned char) p->text[p->at + 1])))
        return parse_number(p);
    if (c != '(')
        return fail(p, p->at, "expected a number, a name or `(` and found %s", found(p));
    p->at++;
    struct node *inner = parse_or(p);
    if (inner && !accept(p, ')'))
        return fail(p, p->at, "expected `)` and found %s", found(p));
    return inner;
}

static bool enter(struct parser *p)
{
    if (++p->depth > CS_EXPR_MAX_DEPTH)
        fail(p, p->at, "more than %d levels", CS_EXPR_MAX_DEPTH);
    return p->depth <= CS_EXPR_MAX_DEPTH;
}

static struct node *parse_sign(struct parser *p)
{
    const char sign = peek(p);
    const size_t at = p->at;
    struct node *node = NULL, *kid;

    if (sign != '-') {
        node = parse_atom(p);
        if (!node || peek(p) != '^')
            return node;
    }
    const size_t sign_at = p->at++;
    if (!enter(p))
        return NULL;
    kid = parse_sign(p);
    p->depth--;
    if (sign != '-')
        return add_operation(p, OP_POW, sign_at, node, kid);
    node = kid ? add_node(p, OP_NEG, at) : NULL;
    if (node)
        node->kid = kid;
    return node;
}

static struct node *parse_product(struct parser *p)
{
    struct node *node = parse_sign(p);

    for (char c = node ? peek(p) : '\0'; c == '*' || c == '/'; c = node ? peek(p) : '\0') {
        const size_t at = p->at++;
        node = add_operation(p, c == '*' ? OP_MUL : OP_DIV, at, node, parse_sign(p));
    }
    return node;
}

static struct node *parse_sum(struct parser *p)
{
    struct node *node = parse_product(p);

    for (char c = node ? peek(p) : '\0'; c == '+' || c == '-'; c = node ? peek(p) : '\0') {
        const size_t at = p->at++;
        node = add_operation(p, c == '+' ? OP_ADD : OP_SUB, at, node, parse_product(p));
    }
    return node;
}

static struct node *parse_quoted(struct parser *p)
{
    const size_t at = p->at;
    const char quote = p->text[at];
    const char *end = strchr(p->text + at + 1, quote);

    if (!end)
        return fail(p, at, "no closing %c", quote);
    struct node *node = add_node(p, OP_WORD, at);
    if (!node)
        return NULL;
    node->text = cs_arena_strndup(p->arena, p->text + at + 1, (size_t) (end - p->text) - at - 1);
    p->at = (size_t) (end - p->text) + 1;
    return node;
}

/* One value to the right of = or !=. */
static struct node *parse_value(struct parser *p)
{
    const char c = peek(p);
    const size_t at = p->at, size = name_length(p->text + at, true);

    if (c == '"' || c == '\'')
        return parse_quoted(p);
    const char *after = p->text + at + size;
    while (isspace((unsigned char) *after))
        after++;
    if (size == 0 || *after == '(')
        return parse_sum(p);
    if (is_keyword(p->text + at, size))
        return fail(p, at, "expected a value and found %s", found(p));
    struct node *node = add_node(p, OP_WORD, at);
    if (!node)
        return NULL;
    node->text = cs_arena_strndup(p->arena, p->text + at, size);
    p->at += size;
    return node;
}

static bool accept_comparison(struct parser *p, enum op *op)
{
    static const struct {
        const char *text;
        enum op op;
    } signs[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE},
                 {"=", OP_EQ},  {"<", OP_LT},  {">", OP_GT}};

    skip_blanks(p);
    for (size_t i = 0; i < CS_COUNT(signs); i++) {
        const size_t size = strlen(signs[i].text);
        if (strncmp(p->text + p->at, signs[i].text, size) == 0) {
            *op = signs[i].op;
            p->at += size;
            return true;
        }
    }
    return false;
}

static struct node *parse_alternatives(struct parser *p, struct node *left, struct node *node)
{
    struct node *last = left;

    do {
        struct node *value = parse_value(p);
        if (!value)
            return NULL;
        if (left->op == OP_NAME && (value->op == OP_WORD || value->op == OP_NUMBER))
            add_use(p, left->text, value->text, value->column);
        last->next = value;
        last = value;
    } while (accept(p, '|'));
    return node;
}

static struct node *parse_comparison(struct parser *p)
{
    struct node *left = parse_sum(p);
    enum op op;

    skip_blanks(p);
    const size_t at = p->at;
    if (!left || !accept_comparison(p, &op))
        return left;
    if (op == OP_EQ || op == OP_NE) {
        struct node *node = add_node(p, op, at);
        if (!node)
            return NULL;
        node->kid = left;
        left = parse_alternatives(p, left, node);
    } else {
        left = add_operation(p, op, at, left, parse_sum(p));
    }
    if (left && accept_comparison(p, &op))
        return fail(p, p->at - 1, "comparisons do not chain; write a < b and b < c");
    return left;
}

static struct node *parse_not(struct parser *p)
{
    struct node *node = NULL;

    if (!enter(p))
        return NULL;
    skip_blanks(p);
    const size_t at = p->at;
    if (accept_keyword(p, "not")) {
        struct node *kid = parse_not(p);
        node = kid ? add_node(p, OP_NOT, at) : NULL;
        if (node)
            node->kid = kid;
    } else {
        node = parse_comparison(p);
    }
    p->depth--;
    return node;
}

static struct node *parse_and(struct parser *p)
{
    struct node *node = parse_not(p);

    for (size_t at = p->at; node && accept_keyword(p, "and"); at = p->at)
        node = add_operation(p, OP_AND, at, node, parse_not(p));
    return node;
}

static struct node *parse_or(struct parser *p)
{
    struct node *node = parse_and(p);

    for (size_t at = p->at; node && accept_keyword(p, "or"); at = p->at)
        node = add_operation(p, OP_OR, at, node, parse_and(p));
    return node;
}

static int compile(struct cs_expr **out, const char *text, bool plain, struct cs_arena *arena,
                   struct cs_error *err)
{
    struct parser p = {.text = text, .plain = plain, .arena = arena, .err = err};

    if (strlen(text) > CS_EXPR_MAX_BYTES)
        return cs_fail(err, CS_EPARSE, "column 1: longer than %d bytes", CS_EXPR_MAX_BYTES);
    p.uses = cs_xcalloc(CS_EXPR_MAX_PARTS + 1, sizeof *p.uses); /* one a part at most */
    struct node *root = parse_or(&p);
    if (root && peek(&p))
        fail(&p, p.at, "expected an operator and found %s", found(&p));
    if (p.rc == 0) {
        struct cs_expr *expr = cs_arena_alloc(arena, sizeof *expr);
        expr->text = cs_arena_strdup(arena, text);
        expr->root = root;
        expr->uses = cs_arena_alloc(arena, p.use_count * sizeof *p.uses);
        memcpy(expr->uses, p.uses, p.use_count * sizeof *p.uses);
        expr->use_count = p.use_count;
        *out = expr;
    }
    free(p.uses);
    return p.rc;
}

int cs_expr_compile(struct cs_expr **out, const char *text, struct cs_arena *arena,
                    struct cs_error *err)
{
    return compile(out, text, false, arena, err);
}

int cs_expr_compile_rule(struct cs_expr **out, const char *text, struct cs_arena *arena,
                         struct cs_error *err)
{
    return compile(out, text, true, arena, err);
}

const char *cs_expr_text(const struct cs_expr *expr)
{
    return expr->text;
}

const struct cs_expr_use *cs_expr_uses(const struct cs_expr *expr, size_t *count)
{
    *count = expr->use_count;
    return expr->uses;
}

struct walk {
    cs_expr_lookup lookup;
    void *context;
    struct cs_error *err;
};

static int evaluate(struct cs_expr_value *out, const struct node *node, const struct walk *w);

static struct cs_expr_value number(double value)
{
    return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = value};
}

static struct cs_expr_value truth(bool value)
{
    return (struct cs_expr_value){.kind = CS_EXPR_BOOL, .num = value};
}

/* A value that must be a number (or absent). */
static int evaluate_number(struct cs_expr_value *out, const struct node *node, const struct walk *w)
{
    CS_TRY(evaluate(out, node, w));
    if (out->kind == CS_EXPR_WORD)
        return cs_fail(w->err, CS_EPARSE, "column %d: `%.60s` is a word; expected a number",
                       node->column, out->word);
    return 0;
}

static int test_node(bool *out, const struct node *node, const struct walk *w)
{
    struct cs_expr_value value;

    CS_TRY(evaluate(&value, node, w));
    if (value.kind == CS_EXPR_WORD)
        return cs_fail(w->err, CS_EPARSE, "column %d: `%.60s` is a word; expected a condition",
                       node->column, value.word);
    *out = value.kind != CS_EXPR_ABSENT && value.num != 0 && !isnan(value.num);
    return 0;
}

/* The truth value a word names: 1, 0, or -1 for none. */
static int word_truth(const char *word)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};

    for (int i = 0; i < (int) CS_COUNT(words); i++) {
        if (strcasecmp(word, words[i]) == 0)
            return i % 2;
    }
    return -1;
}

static bool equals_word(const struct cs_expr_value *value, const char *word)
{
    double parsed;

    if (value->kind == CS_EXPR_WORD)
        return strcmp(value->word, word) == 0;
    if (value->kind == CS_EXPR_BOOL && word_truth(word) >= 0)
        return value->num == word_truth(word);
    return cs_parse_double(&parsed, word) && parsed == value->num;
}

static bool equals(const struct cs_expr_value *a, const struct cs_expr_value *b)
{
    if (b->kind == CS_EXPR_WORD)
        return equals_word(a, b->word);
    if (a->kind == CS_EXPR_WORD)
        return equals_word(b, a->word);
    return a->num == b->num;
}

static int evaluate_equality(struct cs_expr_value *out, const struct node *node,
                             const struct walk *w)
{
    struct cs_expr_value left, right;
    bool any = false, absent;

    CS_TRY(evaluate(&left, node->kid, w));
    absent = left.kind == CS_EXPR_ABSENT;
    for (const struct node *kid = node->kid->next; kid; kid = kid->next) {
        CS_TRY(evaluate(&right, kid, w));
        if (right.kind == CS_EXPR_ABSENT)
            absent = true;
        else if (!absent && equals(&left, &right))
            any = true;
    }
    *out = truth(node->op == OP_EQ ? any : !any && !absent);
    return 0;
}

static int evaluate_order(struct cs_expr_value *out, const struct node *node, const struct walk *w)
{
    struct cs_expr_value a, b;
    bool result;

    CS_TRY(evaluate_number(&a, node->kid, w));
    CS_TRY(evaluate_number(&b, node->kid->next, w));
    switch (node->op) {
    case OP_LT:
        result = a.num < b.num;
        break;
    case OP_LE:
        result = a.num <= b.num;
        break;
    case OP_GT:
        result = a.num > b.num;
        break;
    default:
        result = a.num >= b.num;
    }
    *out = truth(result && a.kind != CS_EXPR_ABSENT && b.kind != CS_EXPR_ABSENT);
    return 0;
}

static int evaluate_logic(struct cs_expr_value *out, const struct node *node, const struct walk *w)
{
    bool value = false;

    CS_TRY(test_node(&value, node->kid, w));
    if (node->op == OP_NOT)
        value = !value;
    else if (value == (node->op == OP_AND))
        CS_TRY(test_node(&value, node->kid->next, w));
    *out = truth(value);
    return 0;
}

static double apply(enum op op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return a / b;
    case OP_POW:
        return pow(a, b);
    case OP_MIN:
        return b < a ? b : a;
    case OP_MAX:
        return b > a ? b : a;
    default:
        return NAN;
    }
}

static double apply_one(enum op op, double a)
{
    switch (op) {
    case OP_NEG:
        return -a;
    case OP_ABS:
        return fabs(a);
    case OP_EXP:
        return exp(a);
    case OP_LOG:
        return log(a);
    case OP_SQRT:
        return sqrt(a);
    case OP_COS:
        return cos(a);
    case OP_FLOOR:
        return floor(a);
    default:
        return a; /* min and max of one argument */
    }
}

static int evaluate_arithmetic(struct cs_expr_value *out, const struct node *node,
                               const struct walk *w)
{
    struct cs_expr_value value;
    bool absent;
    double result;

    CS_TRY(evaluate_number(&value, node->kid, w));
    absent = value.kind == CS_EXPR_ABSENT;
    result = node->kid->next ? value.num : apply_one(node->op, value.num);
    for (const struct node *kid = node->kid->next; kid; kid = kid->next) {
        CS_TRY(evaluate_number(&value, kid, w));
        absent = absent || value.kind == CS_EXPR_ABSENT;
        result = apply(node->op, result, value.num);
    }
    *out = absent ? (struct cs_expr_value){0} : number(result);
    return 0;
}

static int evaluate(struct cs_expr_value *out, const struct node *node, const struct walk *w)
{
    bool condition = false;

    switch (node->op) {
    case OP_NUMBER:
        *out = number(node->num);
        return 0;
    case OP_WORD:
        *out = (struct cs_expr_value){.kind = CS_EXPR_WORD, .word = node->text};
        return 0;
    case OP_NAME:
        *out = w->lookup(w->context, node->text);
        return 0;
    case OP_EQ:
    case OP_NE:
        return evaluate_equality(out, node, w);
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        return evaluate_order(out, node, w);
    case OP_NOT:
    case OP_AND:
    case OP_OR:
        return evaluate_logic(out, node, w);
    case OP_IF:
        CS_TRY(test_node(&condition, node->kid, w));
        return evaluate(out, condition ? node->kid->next : node->kid->next->next, w);
    default:
        return evaluate_arithmetic(out, node, w);
    }
}

int cs_expr_eval(struct cs_expr_value *out, const struct cs_expr *expr, cs_expr_lookup lookup,
                 void *context, struct cs_error *err)
{
    const struct walk w = {lookup, context, err};
    struct cs_expr_value value;

    CS_TRY(evaluate(&value, expr->root, &w));
    *out = value;
    return 0;
}

int cs_expr_test(bool *out, const struct cs_expr *expr, cs_expr_lookup lookup, void *context,
                 struct cs_error *err)
{
    const struct walk w = {lookup, context, err};
    return test_node(out, expr->root, &w);
}
