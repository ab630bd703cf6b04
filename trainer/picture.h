/*
 * picture.h - drawing: a canvas of RGB bytes, rectangles, small letters. Private to trainer/.
 *
 * Drawn is what lies on the canvas, the rest is cut off. Letters are 5 x 7 dots: A to Z (small ones as large ones), 0 to
 * 9 and - + . , : / % ( ) > &; anything else is a gap.
 */
#ifndef TRAIN_PICTURE_H
#define TRAIN_PICTURE_H

#include <stdint.h>

/* A letter's dot is a square of SCALE: TensorBoard shows pictures at about half their size, without smoothing. */
enum {
    PICTURE_SCALE = 2,
    PICTURE_LETTER = 6 * PICTURE_SCALE, /* width and height of a letter with its gap */
    PICTURE_LINE = 9 * PICTURE_SCALE,
    PICTURE_HEIGHT = 7 * PICTURE_SCALE /* without */
};

struct picture {
    int width, height;
    uint8_t *rgb; /* [height][width][3], white at first */
};

struct picture_color {
    uint8_t r, g, b;
};

void train_picture_create(struct picture *out, int width, int height);
void train_picture_free(struct picture *p);

void train_picture_fill(struct picture *p, int x, int y, int width, int height,
                        struct picture_color c);

/* x, y: the upper left corner; upwards: turned left, from x, y to the top. At most `letters` of the text. */
void train_picture_text(struct picture *p, int x, int y, const char *text, int letters,
                        struct picture_color c);
void train_picture_text_upwards(struct picture *p, int x, int y, const char *text, int letters,
                                struct picture_color c);

/* An image of bytes, [channels][height][width] of 1 or 3 channels, every dot as a square of `scale` dots. */
struct picture_source {
    const uint8_t *bytes;
    int channels, height, width;
};
void train_picture_image(struct picture *p, int x, int y, int scale,
                         const struct picture_source *source);

#endif
