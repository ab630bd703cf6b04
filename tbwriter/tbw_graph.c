/*
 * A run's graph: a GraphDef (graph.proto) in an event of its own. Shapes are the attribute
 * _output_shapes, a list with one shape, which the page writes on the edges.
 */
#include <string.h>

#include "common/cs_error.h"
#include "tbwriter/graph.pb-c.h"
#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_writer_impl.h"

enum { PRODUCER = 22, RANK_MAX = 16, ATTR_MAX = 1024 /* longer ones the server cuts out */ };

/* Every name once, and every input a name. */
static int check_names(const struct tbw_node *nodes, size_t count, struct cs_error *err)
{
    struct tbw_tags names = {0};
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = tbw_check_name("node name", nodes[i].name, err);
        if (rc == 0 && nodes[i].name[0] == '^')
            rc = cs_fail(err, CS_EPARSE, "node '%.200s': ^ marks control edges", nodes[i].name);
        if (rc == 0 && tbw_tags_find(&names, nodes[i].name))
            rc = cs_fail(err, CS_ERANGE, "node '%.200s' given twice", nodes[i].name);
        if (rc == 0)
            tbw_tags_add(&names, nodes[i].name);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        for (size_t k = 0; k < nodes[i].input_count && rc == 0; k++) {
            const char *input = nodes[i].inputs[k];
            if (!input || !tbw_tags_find(&names, input))
                rc = cs_fail(err, CS_ENONAME, "node '%.200s': no node is named '%.200s'",
                             nodes[i].name, input ? input : "");
        }
    }
    tbw_tags_clear(&names);
    return rc;
}

static Tbw__GraphAttr *add_attr(Tbw__GraphNode *node, const char *name, struct cs_arena *arena)
{
    Tbw__GraphAttrEntry *entry = cs_arena_alloc(arena, sizeof *entry);

    tbw__graph_attr_entry__init(entry);
    entry->key = (char *) name;
    entry->value = cs_arena_alloc(arena, sizeof *entry->value);
    tbw__graph_attr__init(entry->value);
    node->attr[node->n_attr++] = entry;
    return entry->value;
}

static int add_shape(Tbw__GraphNode *node, const struct tbw_node *from, struct cs_arena *arena,
                     struct cs_error *err)
{
    Tbw__GraphShapes *list = cs_arena_alloc(arena, sizeof *list);
    Tbw__GraphShape *shape = cs_arena_alloc(arena, sizeof *shape);

    if (from->rank > RANK_MAX)
        return cs_fail(err, CS_ERANGE, "node '%.200s': rank %zu: must be at most %d", from->name,
                       from->rank, (int) RANK_MAX);
    tbw__graph_shapes__init(list);
    tbw__graph_shape__init(shape);
    list->n_shape = 1;
    list->shape = cs_arena_alloc(arena, sizeof(void *));
    list->shape[0] = shape;
    shape->dim = cs_arena_alloc(arena, from->rank * sizeof(void *));
    shape->n_dim = from->rank;
    for (size_t i = 0; i < from->rank; i++) {
        if (from->shape[i] < -1)
            return cs_fail(err, CS_ERANGE, "node '%.200s': size %lld: must be -1 or more",
                           from->name, (long long) from->shape[i]);
        shape->dim[i] = cs_arena_alloc(arena, sizeof **shape->dim);
        tbw__graph_dim__init(shape->dim[i]);
        shape->dim[i]->size = from->shape[i];
    }
    Tbw__GraphAttr *attr = add_attr(node, "_output_shapes", arena);
    attr->value_case = TBW__GRAPH_ATTR__VALUE_LIST;
    attr->list = list;
    return 0;
}

static int add_attrs(Tbw__GraphNode *node, const struct tbw_node *from, struct cs_arena *arena,
                     struct cs_error *err)
{
    for (size_t i = 0; i < from->attr_count; i++) {
        const char *name = from->attrs[i].name, *text = from->attrs[i].text;
        CS_TRY(tbw_check_name("attribute name", name, err));
        CS_TRY(tbw_check_text("attribute", text, err));
        if (!text || strlen(text) > ATTR_MAX)
            return cs_fail(err, CS_ERANGE,
                           "node '%.200s': attribute '%.200s' must have a text of "
                           "at most %d bytes",
                           from->name, name, (int) ATTR_MAX);
        for (size_t k = 0; k < node->n_attr; k++)
            if (strcmp(node->attr[k]->key, name) == 0)
                return cs_fail(err, CS_ERANGE, "node '%.200s': attribute '%.200s' given twice",
                               from->name, name);
        Tbw__GraphAttr *attr = add_attr(node, name, arena);
        attr->value_case = TBW__GRAPH_ATTR__VALUE_S;
        attr->s.data = (uint8_t *) text;
        attr->s.len = strlen(text);
    }
    return 0;
}

static int make_node(Tbw__GraphNode **out, const struct tbw_node *from, struct cs_arena *arena,
                     struct cs_error *err)
{
    Tbw__GraphNode *node = cs_arena_alloc(arena, sizeof *node);

    CS_TRY(tbw_check_name("op of a node", from->op, err));
    CS_TRY(tbw_check_text("device", from->device, err));
    tbw__graph_node__init(node);
    node->name = (char *) from->name;
    node->op = (char *) from->op;
    if (from->device)
        node->device = (char *) from->device;
    node->n_input = from->input_count;
    node->input = (char **) from->inputs;
    node->attr = cs_arena_alloc(arena, (from->attr_count + 1) * sizeof(void *));
    if (from->shape)
        CS_TRY(add_shape(node, from, arena, err));
    CS_TRY(add_attrs(node, from, arena, err));
    *out = node;
    return 0;
}

int tbw_writer_graph(tbw_writer *w, const struct tbw_node *nodes, size_t count,
                     struct cs_error *err)
{
    Tbw__Graph graph = TBW__GRAPH__INIT;
    Tbw__GraphVersions versions = TBW__GRAPH_VERSIONS__INIT;
    Tbw__Event event = TBW__EVENT__INIT;
    struct cs_arena arena = {0};
    struct cs_buf packed = {0};
    int rc = check_names(nodes, count, err);

    if (rc == 0 && count == 0)
        rc = cs_fail(err, CS_ERANGE, "a graph needs a node");
    graph.node = cs_arena_alloc(&arena, count * sizeof(void *));
    graph.n_node = count;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = make_node(&graph.node[i], &nodes[i], &arena, err);
    if (rc == 0) {
        versions.producer = PRODUCER;
        graph.versions = &versions;
        tbw_pack(&packed, &graph.base);
        event.what_case = TBW__EVENT__WHAT_GRAPH_DEF;
        event.graph_def.data = (uint8_t *) packed.data;
        event.graph_def.len = packed.size;
        rc = tbw_writer_event(w, &event, err);
    }
    cs_buf_clear(&packed);
    cs_arena_clear(&arena);
    return rc;
}
