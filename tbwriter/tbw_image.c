/* Images: a tensor of text, {width, height, a PNG each}, as TensorFlow 2 stores them. */
#include <stdio.h>
#include <stdlib.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_png.h"
#include "tbwriter/tbw_writer_impl.h"

enum { IMAGES_MAX = 1000 };

static ProtobufCBinaryData blob_of(const struct cs_buf *buf)
{
    return (ProtobufCBinaryData){.len = buf->size, .data = (uint8_t *) buf->data};
}

int tbw_writer_images(tbw_writer *w, const char *tag, int64_t step, const struct tbw_image *images,
                      size_t count, const char *description, struct cs_error *err)
{
    const struct tbw_what what = {.tag = tag,
                                  .step = step,
                                  .plugin = "images",
                                  .description = description,
                                  .data_class = TBW__DATA_CLASS__BLOB_SEQUENCE};
    int rc = 0;

    if (count < 1 || count > IMAGES_MAX)
        return cs_fail(err, CS_ERANGE, "%zu images: must be 1 to %d", count, (int) IMAGES_MAX);
    struct cs_buf *bufs = cs_xcalloc(count + 2, sizeof *bufs);
    ProtobufCBinaryData *blobs = cs_xcalloc(count + 2, sizeof *blobs);
    cs_buf_addf(&bufs[0], "%d", images[0].width);
    cs_buf_addf(&bufs[1], "%d", images[0].height);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = tbw_png_encode(&bufs[i + 2], &images[i], err);
    for (size_t i = 0; i < count + 2; i++)
        blobs[i] = blob_of(&bufs[i]);
    if (rc == 0)
        rc = tbw_writer_blobs(w, &what, blobs, (int) count + 2, err);
    for (size_t i = 0; i < count + 2; i++)
        cs_buf_clear(&bufs[i]);
    free(bufs);
    free(blobs);
    return rc;
}
