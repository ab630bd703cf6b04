/* tbw_png.h - PNG files in memory, by libpng. */
#ifndef TBW_PNG_H
#define TBW_PNG_H

#include "common/cs_str.h"

struct cs_error;
struct tbw_image;

/* Append the image as PNG. CS_ERANGE when its sides or channels are not as tbw_media.h says. */
int tbw_png_encode(struct cs_buf *out, const struct tbw_image *image, struct cs_error *err);

#endif
