/* SPDX-License-Identifier: MIT */
/* The parts of the template interpreter, seen by core/text/jinja*.c only. In reading order: memory,
 * values, tokens, nodes, then the run: evaluation, calls, filters, tests, methods. */
#ifndef IT_TEXT_JINJA_INTERNAL_H
#define IT_TEXT_JINJA_INTERNAL_H

#include <stdint.h>

#include "core/text/jinja.h"

/* ---- limits: a hostile template ends in one line -------------------------------------------- */
enum {
    IT_JINJA_SOURCE_MAX = 1 << 20,   /* bytes of a template */
    IT_JINJA_PARSE_DEPTH = 100,      /* nested statements and expressions */
    IT_JINJA_RUN_DEPTH = 600,        /* of evaluation, macros calling macros included */
    IT_JINJA_VALUE_DEPTH = 200,      /* lists within lists */
    IT_JINJA_ARGUMENTS = 8,          /* of filters, tests and methods */
    IT_JINJA_MEMORY_MAX = 256 << 20, /* bytes that one rendering may take */
    IT_JINJA_OUTPUT_MAX = 64 << 20
};
#define IT_JINJA_STEPS_MAX 50000000 /* of one rendering */

/* ---- jinja_value.c: memory that is freed at once -------------------------------------------- */
struct it_jarena {
    struct it_jchunk *chunk;
    size_t taken; /* bytes in all */
};
void *it_jarena_take(struct it_jarena *arena, size_t bytes); /* zeroed */
char *it_jarena_copy(struct it_jarena *arena, const char *text, size_t bytes); /* with a NUL */
void it_jarena_free(struct it_jarena *arena);

/* ---- values --------------------------------------------------------------------------------
 * As in Python, and unchangeable but for namespaces: lists, dicts and texts are shared freely. */
enum it_jkind {
    IT_JUNDEFINED, /* text: what is undefined, for the error */
    IT_JNONE,
    IT_JBOOL,
    IT_JINT,
    IT_JREAL,
    IT_JTEXT,
    IT_JLIST,
    IT_JDICT,
    IT_JSPACE,    /* namespace() */
    IT_JMACRO,
    IT_JFUNCTION, /* range, dict, ... */
    IT_JMETHOD,   /* of a value, not yet called */
    IT_JLOOP
};
/* What Python would have for a list: a generator is true, is read once and has no length. */
enum it_jform { IT_JPLAIN, IT_JTUPLE, IT_JLAZY, IT_JVIEW, IT_JRANGE };

struct it_jvalue {
    uint8_t kind; /* enum it_jkind */
    bool safe;    /* a text marked with | safe: joining it would escape HTML */
    size_t n;     /* bytes of a text */
    union {
        bool yes;
        int64_t whole;
        double real;
        const char *text;
        struct it_jlist *list;
        struct it_jdict *dict;
        const struct it_jmacro *macro;
        const struct it_jfunction *function;
        const struct it_jmethod *method;
        struct it_jloop *loop;
    } u;
};

struct it_jlist {
    struct it_jvalue *item;
    size_t n, cap, at; /* at: how much of a generator was read */
    uint8_t form;      /* enum it_jform */
};
struct it_jpair {
    struct it_jvalue key, value;
};
struct it_jdict {
    struct it_jpair *item;
    size_t n, cap;
};

static inline struct it_jvalue it_jundefined(const char *what)
{
    return (struct it_jvalue){.kind = IT_JUNDEFINED, .u.text = what};
}
static inline struct it_jvalue it_jbool(bool yes)
{
    return (struct it_jvalue){.kind = IT_JBOOL, .u.yes = yes};
}
static inline struct it_jvalue it_jint(int64_t whole)
{
    return (struct it_jvalue){.kind = IT_JINT, .u.whole = whole};
}
static inline struct it_jvalue it_jreal(double real)
{
    return (struct it_jvalue){.kind = IT_JREAL, .u.real = real};
}
static inline struct it_jvalue it_jtext(const char *text, size_t n)
{
    return (struct it_jvalue){.kind = IT_JTEXT, .n = n, .u.text = text};
}
#define IT_JNONE_VALUE ((struct it_jvalue){.kind = IT_JNONE})

/* ---- nodes, made by the parser -------------------------------------------------------------- */
enum it_jnode_kind {
    /* expressions */
    IT_JN_CONST, /* value */
    IT_JN_NAME,  /* name */
    IT_JN_LIST,  /* item */
    IT_JN_TUPLE, /* item */
    IT_JN_DICT,  /* item: key, value, key, value */
    IT_JN_GET,   /* a . name */
    IT_JN_AT,    /* a [ b ] */
    IT_JN_SLICE, /* a [ item[0] : item[1] : item[2] ], NULL: left out */
    IT_JN_CALL,  /* a ( item ) */
    IT_JN_ARG,   /* name = a, or a */
    IT_JN_FILTER, /* a | name(item) */
    IT_JN_TEST,  /* a is name(item) */
    IT_JN_UNARY, /* op a */
    IT_JN_BINARY, /* a op b */
    IT_JN_COMPARE, /* a, then item: comparisons with op and a */
    IT_JN_JOIN,  /* item ~ item ~ ... */
    IT_JN_AND,
    IT_JN_OR,
    IT_JN_NOT,
    IT_JN_IF, /* a if b else c */
    /* statements */
    IT_JN_TEXT,  /* value */
    IT_JN_PRINT, /* a */
    IT_JN_WHEN,  /* if a: item else: c (a WHEN or an ELSE) */
    IT_JN_BODY,  /* item */
    IT_JN_FOR,   /* a: target, b: what, test: filter, item: body, c: else */
    IT_JN_SET,   /* a: target, b: value */
    IT_JN_CAPTURE, /* set a to the output of item, through the filters b (NULL: none) */
    IT_JN_WITH,  /* item: SETs, then c: body */
    IT_JN_MACRO, /* name, item: parameters (ARG), c: body */
    IT_JN_FILTERED, /* {% filter %}: b applied to the output of item */
    IT_JN_SCOPE, /* {% generation %}: item in a scope of its own */
    IT_JN_BREAK,
    IT_JN_CONTINUE
};

struct it_jnode {
    uint8_t kind;       /* enum it_jnode_kind */
    uint8_t op;         /* enum it_jtoken_kind */
    bool negated;       /* of a TEST */
    int line;
    const char *name;
    struct it_jvalue value;
    struct it_jnode *a, *b, *c, *test;
    struct it_jnode **item;
    size_t n;
    const void *known; /* the row of a filter or test */
};

/* ---- jinja_lex.c ---------------------------------------------------------------------------- */
enum it_jtoken_kind {
    IT_JT_END, /* of the template */
    IT_JT_TEXT,
    IT_JT_PRINT_BEGIN,
    IT_JT_PRINT_END,
    IT_JT_BLOCK_BEGIN,
    IT_JT_BLOCK_END,
    IT_JT_NAME,
    IT_JT_STRING,
    IT_JT_INT,
    IT_JT_REAL,
    IT_JT_ADD,
    IT_JT_SUB,
    IT_JT_MUL,
    IT_JT_DIV,
    IT_JT_FLOORDIV,
    IT_JT_MOD,
    IT_JT_POW,
    IT_JT_TILDE,
    IT_JT_LPAREN,
    IT_JT_RPAREN,
    IT_JT_LBRACKET,
    IT_JT_RBRACKET,
    IT_JT_LBRACE,
    IT_JT_RBRACE,
    IT_JT_EQ,
    IT_JT_NE,
    IT_JT_GT,
    IT_JT_GE,
    IT_JT_LT,
    IT_JT_LE,
    IT_JT_ASSIGN,
    IT_JT_DOT,
    IT_JT_COLON,
    IT_JT_PIPE,
    IT_JT_COMMA,
    IT_JT_SEMICOLON,
    IT_JT_IN, /* made by the parser from names */
    IT_JT_NOT_IN
};

struct it_jtoken {
    enum it_jtoken_kind kind;
    int line;
    struct it_jvalue value; /* text of TEXT, NAME and STRING; numbers */
};

struct it_jinja {
    char *where;
    struct it_jarena arena;
    struct it_jtoken *token; /* only while compiling */
    size_t tokens, cap;
    struct it_jnode *body;
    const char **names; /* of variables, for it_jinja_names */
    size_t n_names, names_cap;
};

enum it_status it_jinja_refuse(const struct it_jinja *jinja, int line, const char *format, ...)
    IT_PRINTF(3, 4);
enum it_status it_jinja_lex(struct it_jinja *jinja, const char *text, size_t bytes);
/* jinja_parse.c, jinja_expression.c */
struct it_jparser {
    struct it_jinja *jinja;
    size_t at;
    int depth, loops; /* loops: around this place, within a macro */
    bool in_macro;
};
enum it_status it_jinja_parse(struct it_jinja *jinja);
const struct it_jtoken *it_jparse_peek(const struct it_jparser *p);
bool it_jparse_is_name(const struct it_jparser *p, const char *name);
bool it_jparse_skip(struct it_jparser *p, enum it_jtoken_kind kind);
bool it_jparse_skip_name(struct it_jparser *p, const char *name);
enum it_status it_jparse_expect(struct it_jparser *p, enum it_jtoken_kind kind, const char *what);
/* "expected WHAT, found ..." */
enum it_status it_jparse_wrong(const struct it_jparser *p, const char *what);
struct it_jnode *it_jparse_node(struct it_jparser *p, enum it_jnode_kind kind);
void it_jparse_add(struct it_jparser *p, struct it_jnode *node, struct it_jnode *item);
enum it_status it_jparse_enter(struct it_jparser *p);
enum it_status it_jparse_expression(struct it_jparser *p, bool with_if, struct it_jnode **out);
/* a, b, c without parentheses: a tuple; `a` alone: a. */
enum it_status it_jparse_tuple(struct it_jparser *p, bool with_if, struct it_jnode **out);
/* | f | g(...) behind a node, which may be NULL: the output of a block. */
enum it_status it_jparse_filters(struct it_jparser *p, struct it_jnode *node,
                                 struct it_jnode **out);

/* ---- the run -------------------------------------------------------------------------------- */
struct it_jvar {
    const char *name;
    struct it_jvalue value;
};
struct it_jscope {
    struct it_jvar *var;
    size_t n, cap;
    struct it_jscope *parent;
};
struct it_jmacro {
    const struct it_jnode *node;
    struct it_jscope *scope; /* where it was defined */
};

struct it_jrun {
    const struct it_jinja *jinja;
    const struct it_jinja_job *job;
    struct it_jarena arena;
    struct it_jscope *scope;
    struct it_str *out;
    int64_t steps;
    int depth;
    uint8_t flow; /* enum it_jflow: how the innermost loop goes on */
};
enum it_jflow { IT_JFLOW_ON, IT_JFLOW_CONTINUE, IT_JFLOW_BREAK };

/* Log "WHERE: TEMPLATE: line N: cause". */
enum it_status it_jrun_fail(const struct it_jrun *run, enum it_status status, int line,
                            const char *format, ...) IT_PRINTF(4, 5);
/* So much work or memory is about to be taken; refuses what is over the limits. */
enum it_status it_jrun_charge(struct it_jrun *run, int line, size_t bytes);
enum it_status it_jrun_enter(struct it_jrun *run, int line); /* run->depth-- undoes it */

/* Arguments of a call as written. */
struct it_jargs {
    struct it_jvalue *value;
    const char **name; /* NULL: by position */
    size_t n;
};
/* One call of a function, filter, test or method: its arguments by the parameters of its row. */
struct it_jcall {
    struct it_jrun *run;
    int line;
    const char *name;          /* for errors */
    struct it_jvalue self;     /* what is filtered, tested, or has the method */
    struct it_jvalue arg[IT_JINJA_ARGUMENTS];
    bool given[IT_JINJA_ARGUMENTS];
    const struct it_jargs *all; /* as written */
};
typedef enum it_status it_jcall_function(struct it_jcall *call, struct it_jvalue *out);

/* "!old !new count": names in order, ! required; "*": any, read from `all`. */
struct it_jfunction {
    const char *name, *parameters;
    it_jcall_function *run;
};
struct it_jmethod {
    struct it_jvalue self;
    const struct it_jfunction *function;
};
/* Puts arguments into their places and calls; function NULL cannot be. */
enum it_status it_jcall(struct it_jrun *run, int line, const struct it_jfunction *function,
                        const struct it_jvalue *self, const struct it_jargs *args,
                        struct it_jvalue *out);
enum it_status it_jcall_fail(const struct it_jcall *call, const char *format, ...) IT_PRINTF(2, 3);
/* An argument that is a text, a whole number: the default where it was not given. */
enum it_status it_jcall_text(const struct it_jcall *call, int i, struct it_jvalue *text);
enum it_status it_jcall_int(const struct it_jcall *call, int i, int64_t *value);

/* ---- jinja_value.c -------------------------------------------------------------------------- */
bool it_jtrue(const struct it_jvalue *value);
const char *it_jkind_words(const struct it_jvalue *value); /* "a list" */
bool it_jis_number(const struct it_jvalue *value);         /* bool included, as in Python */
double it_jnumber(const struct it_jvalue *value);
bool it_jtext_is(const struct it_jvalue *value, const char *text);
struct it_jvalue it_jlist_new(struct it_jrun *run, enum it_jform form);
void it_jlist_add(struct it_jrun *run, struct it_jvalue list, struct it_jvalue item);
struct it_jvalue it_jdict_new(struct it_jrun *run);
enum it_status it_jdict_put(struct it_jrun *run, int line, struct it_jvalue dict,
                            struct it_jvalue key, struct it_jvalue value);
/* NULL: not there. */
const struct it_jvalue *it_jdict_find(const struct it_jdict *dict, const struct it_jvalue *key);
const struct it_jvalue *it_jdict_name(const struct it_jdict *dict, const char *name);
enum it_status it_jfrom_json(struct it_jrun *run, const json_t *json, int depth,
                             struct it_jvalue *out);
/* Equality as in Python; lists too deep are an error. */
enum it_status it_jequal(struct it_jrun *run, int line, const struct it_jvalue *a,
                         const struct it_jvalue *b, bool *equal_out);
/* < 0, 0, > 0; values without an order are an error. */
enum it_status it_jorder(struct it_jrun *run, int line, const struct it_jvalue *a,
                         const struct it_jvalue *b, int *order_out);
enum it_status it_jcontains(struct it_jrun *run, int line, const struct it_jvalue *all,
                            const struct it_jvalue *one, bool *found_out);
/* What iterating gives, as a list to read from item[0] on; a generator is used up by it. */
enum it_status it_jitems(struct it_jrun *run, int line, const struct it_jvalue *value,
                         const struct it_jlist **items_out);
enum it_status it_jlength(struct it_jrun *run, int line, const struct it_jvalue *value,
                          int64_t *length_out);
/* A text of the run's memory made of what was built in `text`, which is freed. */
enum it_status it_jtext_take(struct it_jrun *run, int line, struct it_str *text,
                             struct it_jvalue *out);

/* ---- jinja_write.c: values as text ---------------------------------------------------------- */
enum it_status it_jwrite(struct it_jrun *run, int line, const struct it_jvalue *value,
                         struct it_str *out); /* str() */
enum it_status it_jstring(struct it_jrun *run, int line, const struct it_jvalue *value,
                          struct it_jvalue *text_out); /* str() as a value */
struct it_jjson {
    bool ascii, sorted, lines; /* lines: indented */
    const char *indent, *comma, *colon;
    size_t indent_n, comma_n, colon_n;
};
enum it_status it_jjson_write(struct it_jrun *run, int line, const struct it_jvalue *value,
                              const struct it_jjson *form, int depth, struct it_str *out);
void it_jreal_write(double real, struct it_str *out); /* repr(), the shortest that reads back */

/* ---- jinja_eval.c, jinja_run.c -------------------------------------------------------------- */
enum it_status it_jeval(struct it_jrun *run, const struct it_jnode *node, struct it_jvalue *out);
enum it_status it_jbinary(struct it_jrun *run, int line, enum it_jtoken_kind op,
                          const struct it_jvalue *a, const struct it_jvalue *b,
                          struct it_jvalue *out); /* jinja_operator.c */
/* x[key] and x.name; what is not there is undefined, not an error. */
enum it_status it_jget_item(struct it_jrun *run, int line, const struct it_jvalue *value,
                            const struct it_jvalue *key, struct it_jvalue *out);
enum it_status it_jget_name(struct it_jrun *run, int line, const struct it_jvalue *value,
                            const char *name, struct it_jvalue *out);
enum it_status it_jslice(struct it_jrun *run, int line, const struct it_jvalue *value,
                         const struct it_jvalue bound[3], struct it_jvalue *out);
enum it_status it_jfilters_apply(struct it_jrun *run, const struct it_jnode *filters,
                                 const struct it_jvalue *value, struct it_jvalue *out);
enum it_status it_jcall_value(struct it_jrun *run, int line, const struct it_jvalue *callee,
                              const struct it_jargs *args, struct it_jvalue *out);
void it_jscope_set(struct it_jrun *run, const char *name, struct it_jvalue value);
void it_jscope_push(struct it_jrun *run, struct it_jscope *parent);
enum it_status it_jmacro_call(struct it_jrun *run, int line, const struct it_jmacro *macro,
                              const struct it_jargs *args, struct it_jvalue *out);
enum it_status it_jloop_get(struct it_jrun *run, int line, struct it_jloop *loop,
                            const char *name, struct it_jvalue *out);
enum it_status it_jbody(struct it_jrun *run, const struct it_jnode *body);
enum it_status it_jfor(struct it_jrun *run, const struct it_jnode *node);
enum it_status it_jassign(struct it_jrun *run, const struct it_jnode *target,
                          const struct it_jvalue *value);
/* The output of a node's items in a scope of their own, as a text. */
enum it_status it_jcapture(struct it_jrun *run, const struct it_jnode *node,
                           struct it_jscope *parent, struct it_jvalue *out);

/* ---- tables --------------------------------------------------------------------------------- */
const struct it_jfunction *it_jfilter_find(const char *name); /* NULL: none */
const struct it_jfunction *it_jtest_find(const char *name);
const struct it_jfunction *it_jglobal_find(const char *name);
/* IT_NOT_FOUND in silence: no attribute of that name; one that Python has and we don't is an
 * error. */
enum it_status it_jmethod_find(struct it_jrun *run, int line, const struct it_jvalue *self,
                               const char *name, const struct it_jfunction **function_out);
extern const struct it_jfunction it_jfilters_text[], it_jfilters_list[]; /* end: name NULL */

/* ---- jinja_text.c: characters --------------------------------------------------------------- */
size_t it_jchars(const char *text, size_t n); /* how many */
size_t it_jchars_skip(const char *text, size_t n, size_t count); /* bytes of so many */
int32_t it_jchar_at(const char *text, size_t n, size_t *bytes_out);
void it_jchar_add(struct it_str *out, int32_t c);
bool it_jspace(int32_t c);      /* str.isspace, and \s */
bool it_jprintable(int32_t c);  /* str.isprintable */
enum it_jcase { IT_JUPPER, IT_JLOWER, IT_JTITLE, IT_JCAPITAL };
/* str.upper and so on; IT_JTITLE is str.title. */
void it_jcase_add(struct it_str *out, const char *text, size_t n, enum it_jcase how);
bool it_jcased(int32_t c, bool *upper_out); /* has case */
/* The first place of `what` in the text, or NULL. Takes up to n * what->n steps. */
const char *it_jfind(const char *text, size_t n, const struct it_jvalue *what);
/* With & < > ' " as HTML writes them. */
void it_jescape_add(struct it_str *out, const char *text, size_t n);
/* Bytes [begin, end) of the text without the characters of `set` (NULL: white space) at its
 * ends. */
void it_jstrip(const char *text, size_t n, const struct it_jvalue *set, bool left, bool right,
               size_t *begin_out, size_t *end_out);

#endif
