#include "tbwriter/tbw_png.h"

#include <png.h>
#include <setjmp.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_media.h"

enum { SIDE_MAX = 16384 };

static void on_write(png_structp png, png_bytep data, size_t size)
{
    cs_buf_add(png_get_io_ptr(png), data, size);
}

static void on_flush(png_structp png)
{
    (void) png;
}

static void on_error(png_structp png, png_const_charp message)
{
    cs_fail(png_get_error_ptr(png), CS_ERANGE, "image cannot be encoded: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void) png;
    (void) message;
}

/* Between setjmp and the end nothing of ours is changed but *out and the error. */
static int write_png(struct cs_buf *out, const struct tbw_image *image, struct cs_error *err)
{
    static const int colors[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                 PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    const size_t row = (size_t) image->width * (size_t) image->channels;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, err, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;

    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return cs_fail(err, CS_ENOMEM, "image of %d x %d: out of memory", image->width,
                       image->height);
    }
    if (setjmp(png_jmpbuf(png)) != 0) {
        png_destroy_write_struct(&png, &info);
        return CS_ERANGE;
    }
    png_set_write_fn(png, out, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32) image->width, (png_uint_32) image->height, 8,
                 colors[image->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (image->drawing)
        png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_write_info(png, info);
    for (int y = 0; y < image->height; y++)
        png_write_row(png, image->pixels + (size_t) y * row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return 0;
}

int tbw_png_encode(struct cs_buf *out, const struct tbw_image *image, struct cs_error *err)
{
    struct cs_error mine;

    if (image->width < 1 || image->height < 1 || image->width > SIDE_MAX ||
        image->height > SIDE_MAX)
        return cs_fail(err, CS_ERANGE, "image of %d x %d: sides must be 1 to %d", image->width,
                       image->height, (int) SIDE_MAX);
    if (image->channels < 1 || image->channels > 4)
        return cs_fail(err, CS_ERANGE, "image of %d channels: must be 1 to 4", image->channels);
    return write_png(out, image, err ? err : &mine);
}
