/*
 * tbw_draw.h - a picture in RGB to draw on: boxes, lines, images, plain letters. Colors are
 * 0xRRGGBB; what lies outside is cut off. Letters beyond ASCII show as a question mark.
 */
#ifndef TBW_DRAW_H
#define TBW_DRAW_H

#include <stdint.h>

#include "tbwriter/tbw_media.h"

enum { TBW_LETTER_HEIGHT = 7, TBW_LETTER_STEP = 6 };

struct tbw_canvas {
    uint8_t *pixels; /* [height][width][3] */
    int width, height;
};

void tbw_canvas_make(struct tbw_canvas *out, int width, int height, uint32_t color);
void tbw_canvas_clear(struct tbw_canvas *canvas);

void tbw_draw_dot(struct tbw_canvas *canvas, int x, int y, uint32_t color);
void tbw_draw_box(struct tbw_canvas *canvas, int x, int y, int width, int height, uint32_t color);
void tbw_draw_line(struct tbw_canvas *canvas, int x0, int y0, int x1, int y1, int size,
                   uint32_t color);
void tbw_draw_text(struct tbw_canvas *canvas, int x, int y, const char *text, int scale,
                   uint32_t color);
/* Turned left: from x, y to the top. */
void tbw_draw_text_upwards(struct tbw_canvas *canvas, int x, int y, const char *text, int scale,
                           uint32_t color);
int tbw_text_width(const char *text, int scale);
void tbw_draw_image(struct tbw_canvas *canvas, int x, int y, const struct tbw_image *image,
                    int scale);

#endif
