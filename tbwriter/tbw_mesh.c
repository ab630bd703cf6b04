/*
 * Meshes: a tensor [1, n, 3] per component, at tags of their own
 * (tensorboard/plugins/mesh/summary.py). Their metadata, a MeshPluginData, says which it is and
 * which others there are.
 */
#include <math.h>
#include <stdlib.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_writer_impl.h"

/* MeshPluginData.ContentType */
enum part { VERTEX = 1, FACE, COLOR };

enum { POINTS_MAX = 1 << 22 };

struct component {
    enum part part;
    const char *suffix;
    Tbw__Tensor__Type type;
    const void *data;
    size_t count, width; /* of rows, bytes of an element */
};

static void put_content(struct cs_buf *out, const char *tag, const struct component *c,
                        unsigned parts)
{
    struct cs_buf packed = {0};

    tbw_put_bytes(out, 2, tag, strlen(tag));
    tbw_put_varint(out, 3 << 3);
    tbw_put_varint(out, c->part);
    tbw_put_bytes(out, 5, "{}", 2); /* json_config */
    tbw_put_varint(&packed, 1);
    tbw_put_varint(&packed, c->count);
    tbw_put_varint(&packed, 3);
    tbw_put_bytes(out, 6, packed.data, packed.size);
    tbw_put_varint(out, 7 << 3);
    tbw_put_varint(out, parts);
    cs_buf_clear(&packed);
}

/* Elements to little-endian bytes. */
static void put_rows(struct cs_buf *out, const struct component *c)
{
    const size_t count = 3 * c->count;

    if (c->width == 1) {
        cs_buf_add(out, c->data, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[4];
        uint32_t bits;
        memcpy(&bits, (const char *) c->data + 4 * i, sizeof bits);
        tbw_store32(bytes, bits);
        cs_buf_add(out, bytes, sizeof bytes);
    }
}

static int write_component(tbw_writer *w, const char *tag, int64_t step,
                           const struct tbw_mesh *mesh, const struct component *c, unsigned parts,
                           struct cs_error *err)
{
    Tbw__TensorShape__Dim dim[3] = {TBW__TENSOR_SHAPE__DIM__INIT, TBW__TENSOR_SHAPE__DIM__INIT,
                                    TBW__TENSOR_SHAPE__DIM__INIT};
    Tbw__TensorShape__Dim *dims[3] = {&dim[0], &dim[1], &dim[2]};
    Tbw__TensorShape shape = TBW__TENSOR_SHAPE__INIT;
    Tbw__Tensor tensor = TBW__TENSOR__INIT;
    struct cs_buf content = {0}, rows = {0};
    char *name = cs_xasprintf("%s_%s", tag, c->suffix);
    const struct tbw_what what = {.tag = name,
                                  .step = step,
                                  .plugin = "mesh",
                                  .content = &content,
                                  .description = mesh->description,
                                  .data_class = TBW__DATA_CLASS__TENSOR};

    put_content(&content, tag, c, parts);
    put_rows(&rows, c);
    dim[0].size = 1;
    dim[1].size = (int64_t) c->count;
    dim[2].size = 3;
    shape.dim = dims;
    shape.n_dim = 3;
    tensor.dtype = c->type;
    tensor.tensor_shape = &shape;
    tensor.tensor_content.data = (uint8_t *) rows.data;
    tensor.tensor_content.len = rows.size;
    const int rc = tbw_writer_tensor(w, &what, &tensor, err);
    cs_buf_clear(&content);
    cs_buf_clear(&rows);
    free(name);
    return rc;
}

static int check_mesh(const struct tbw_mesh *m, struct cs_error *err)
{
    if (m->vertex_count < 1 || m->vertex_count > POINTS_MAX || m->face_count > POINTS_MAX)
        return cs_fail(err, CS_ERANGE, "mesh of %zu vertices and %zu faces", m->vertex_count,
                       m->face_count);
    for (size_t i = 0; i < 3 * m->vertex_count; i++)
        if (!isfinite(m->vertices[i]))
            return cs_fail(err, CS_ERANGE, "vertex %zu is not finite", i / 3);
    for (size_t i = 0; m->faces && i < 3 * m->face_count; i++)
        if (m->faces[i] < 0 || (size_t) m->faces[i] >= m->vertex_count)
            return cs_fail(err, CS_ERANGE, "face %zu: no vertex %d", i / 3, (int) m->faces[i]);
    return 0;
}

int tbw_writer_mesh(tbw_writer *w, const char *tag, int64_t step, const struct tbw_mesh *mesh,
                    struct cs_error *err)
{
    const struct component all[] = {
        {VERTEX, "VERTEX", TBW__TENSOR__TYPE__FLOAT, mesh->vertices, mesh->vertex_count, 4},
        {FACE, "FACE", TBW__TENSOR__TYPE__INT32, mesh->faces, mesh->face_count, 4},
        {COLOR, "COLOR", TBW__TENSOR__TYPE__UINT8, mesh->colors, mesh->vertex_count, 1},
    };
    unsigned parts = 0;

    CS_TRY(tbw_check_name("tag", tag, err));
    CS_TRY(check_mesh(mesh, err));
    for (size_t i = 0; i < CS_COUNT(all); i++)
        if (all[i].data && all[i].count)
            parts |= 1u << all[i].part;
    for (size_t i = 0; i < CS_COUNT(all); i++)
        if (parts & 1u << all[i].part)
            CS_TRY(write_component(w, tag, step, mesh, &all[i], parts, err));
    return 0;
}
