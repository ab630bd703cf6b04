/* What is drawn: grids of images, confusion matrices, ROC curves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_draw.h"
#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_writer_impl.h"

/* Letters are drawn twice as large: TensorBoard shows pictures at about half their size, without smoothing. */
enum { TEXT = 2, LETTER = TEXT * TBW_LETTER_STEP, LETTER_HEIGHT = TEXT * TBW_LETTER_HEIGHT };
enum { SIDE_MAX = 16384, WHITE = 0xffffff, BLACK = 0x000000, GRAY = 0xb0b0b0, BLUE = 0x0072b2 };

static int write_canvas(tbw_writer *w, const char *tag, int64_t step, struct tbw_canvas *canvas,
                        const char *description, struct cs_error *err)
{
    const struct tbw_image image = {canvas->pixels, canvas->width, canvas->height, 3, true};
    const int rc = tbw_writer_images(w, tag, step, &image, 1, description, err);

    tbw_canvas_clear(canvas);
    return rc;
}

/* ---- grids ---- */

enum { GRID_GAP = 8, GRID_SIDE = 56, GRID_IMAGES_MAX = 10000, CAPTION_SHOWN = 24 };
enum { CAPTION_LINE = LETTER_HEIGHT + 4 };

struct cells {
    int scale, columns, rows, width, height; /* the last two of one, captions and gap included */
};

static int largest(const struct tbw_grid *g, bool height)
{
    int side = 0;

    for (size_t i = 0; i < g->count; i++) {
        const int one = height ? g->images[i].height : g->images[i].width;
        side = one > side ? one : side;
    }
    return side;
}

/* The next line of a caption into part; what follows it, NULL: nothing. */
static const char *take_line(char part[CAPTION_SHOWN + 1], const char *text)
{
    const size_t size = strcspn(text, "\n");

    (void) snprintf(part, CAPTION_SHOWN + 1, "%.*s", (int) size, text);
    return text[size] ? text + size + 1 : NULL;
}

/* Of all captions: the longest line in dots, the most lines. */
static int widest(const struct tbw_grid *g, int *lines)
{
    int width = 0;

    *lines = 0;
    for (size_t i = 0; g->captions && i < g->count; i++) {
        int count = 0;
        for (const char *text = g->captions[i]; text; count++) {
            char part[CAPTION_SHOWN + 1];
            text = take_line(part, text);
            const int one = tbw_text_width(part, TEXT);
            width = one > width ? one : width;
        }
        *lines = count > *lines ? count : *lines;
    }
    return width;
}

static int measure(struct cells *out, const struct tbw_grid *g, struct cs_error *err)
{
    if (g->count < 1 || g->count > GRID_IMAGES_MAX)
        return cs_fail(err, CS_ERANGE, "grid of %zu images: must be 1 to %d", g->count,
                       (int) GRID_IMAGES_MAX);
    for (size_t i = 0; i < g->count; i++) {
        const struct tbw_image *image = &g->images[i];
        if (image->width < 1 || image->height < 1 || image->width > SIDE_MAX ||
            image->height > SIDE_MAX || image->channels < 1 || image->channels > 4)
            return cs_fail(err, CS_ERANGE, "image %zu of a grid: %d x %d pixels of %d channels", i,
                           image->width, image->height, image->channels);
        if (g->captions)
            CS_TRY(tbw_check_text("caption", g->captions[i], err));
    }
    const int side = largest(g, false) > largest(g, true) ? largest(g, false) : largest(g, true);
    out->scale = g->scale > 0 ? g->scale : (GRID_SIDE + side - 1) / side;
    out->columns = g->columns > 0 ? g->columns : (int) ceil(sqrt((double) g->count));
    out->rows = (int) ((g->count + (size_t) out->columns - 1) / (size_t) out->columns);
    int lines;
    const int caption = widest(g, &lines), wide = largest(g, false) * out->scale;
    const double width = (double) (wide > caption ? wide : caption) + GRID_GAP;
    const double height =
        (double) largest(g, true) * out->scale + GRID_GAP + (double) lines * CAPTION_LINE;
    if (width * out->columns + GRID_GAP > SIDE_MAX || height * out->rows + GRID_GAP > SIDE_MAX)
        return cs_fail(err, CS_ERANGE, "grid of %.0f x %.0f pixels: sides must be at most %d",
                       width * out->columns, height * out->rows, (int) SIDE_MAX);
    out->width = (int) width;
    out->height = (int) height;
    return 0;
}

static void draw_caption(struct tbw_canvas *canvas, int x, int y, const char *text)
{
    for (; text; y += CAPTION_LINE) {
        char part[CAPTION_SHOWN + 1];
        text = take_line(part, text);
        tbw_draw_text(canvas, x, y, part, TEXT, BLACK);
    }
}

int tbw_writer_grid(tbw_writer *w, const char *tag, int64_t step, const struct tbw_grid *grid,
                    struct cs_error *err)
{
    struct tbw_canvas canvas;
    struct cells cells = {0};

    CS_TRY(measure(&cells, grid, err));
    tbw_canvas_make(&canvas, cells.columns * cells.width + GRID_GAP,
                    cells.rows * cells.height + GRID_GAP, WHITE);
    for (size_t i = 0; i < grid->count; i++) {
        const int x = GRID_GAP + (int) (i % (size_t) cells.columns) * cells.width;
        const int y = GRID_GAP + (int) (i / (size_t) cells.columns) * cells.height;
        tbw_draw_image(&canvas, x, y, &grid->images[i], cells.scale);
        if (grid->captions)
            draw_caption(&canvas, x, y + largest(grid, true) * cells.scale + 4, grid->captions[i]);
    }
    return write_canvas(w, tag, step, &canvas, grid->description, err);
}

/* ---- confusion matrices ---- */

enum { CLASSES_MAX = 200, NAME_SHOWN = 12, CELL = 52, CELLS_MAX = 800, CELL_NUMBERED = 38 };

static void class_name(char out[64], const struct tbw_confusion *c, int i)
{
    if (c->names)
        (void) snprintf(out, 64, "%.*s", NAME_SHOWN, c->names[i]);
    else
        (void) snprintf(out, 64, "%d", i);
}

static uint64_t row_sum(const struct tbw_confusion *c, int row)
{
    uint64_t sum = 0;

    for (int k = 0; k < c->classes; k++)
        sum += c->counts[row * c->classes + k];
    return sum;
}

/* White to blue. */
static uint32_t shade(double fraction)
{
    const uint32_t ends[2] = {WHITE, 0x08306b};
    uint32_t color = 0;

    for (int k = 16; k >= 0; k -= 8) {
        const double from = ends[0] >> k & 255, to = ends[1] >> k & 255;
        color = color << 8 | (uint32_t) lround(from + (to - from) * fraction);
    }
    return color;
}

/* With its part of the row in per cent, where it has samples and there is room. */
static void draw_cell(struct tbw_canvas *canvas, int x, int y, int side, uint64_t count,
                      uint64_t sum)
{
    const double fraction = sum ? (double) count / (double) sum : 0;
    char text[8];

    tbw_draw_box(canvas, x, y, side - 1, side - 1, shade(fraction));
    if (side < CELL_NUMBERED || count == 0)
        return;
    (void) snprintf(text, sizeof text, "%.0f", 100 * fraction);
    tbw_draw_text(canvas, x + (side - tbw_text_width(text, TEXT) + TEXT) / 2,
                  y + (side - LETTER_HEIGHT) / 2, text, TEXT, fraction > 0.5 ? WHITE : BLACK);
}

/* Dots of the longest name. */
static int names_width(const struct tbw_confusion *c)
{
    int width = 0;
    char name[64];

    for (int i = 0; i < c->classes; i++) {
        class_name(name, c, i);
        const int one = tbw_text_width(name, TEXT);
        width = one > width ? one : width;
    }
    return width;
}

static void draw_matrix(struct tbw_canvas *canvas, const struct tbw_confusion *c)
{
    static const char title[] = "true down, predicted across, %";
    const int fits = CELLS_MAX / c->classes, side = fits < CELL ? fits : CELL;
    const bool named = side > LETTER_HEIGHT;
    const int left = (named ? names_width(c) : 0) + LETTER, top = left + CAPTION_LINE;
    char name[64];

    tbw_canvas_make(canvas, left + c->classes * side + 4, top + c->classes * side + 4, WHITE);
    if (canvas->width > tbw_text_width(title, TEXT))
        tbw_draw_text(canvas, 4, 4, title, TEXT, GRAY);
    for (int i = 0; i < c->classes; i++) {
        const uint64_t sum = row_sum(c, i);
        const int middle = i * side + (side - LETTER_HEIGHT) / 2;
        for (int k = 0; k < c->classes; k++)
            draw_cell(canvas, left + k * side, top + i * side, side, c->counts[i * c->classes + k],
                      sum);
        if (!named)
            continue;
        class_name(name, c, i);
        tbw_draw_text(canvas, left - 4 - tbw_text_width(name, TEXT), top + middle, name, TEXT,
                      BLACK);
        tbw_draw_text_upwards(canvas, left + middle, top - 4, name, TEXT, BLACK);
    }
}

/* A name as the text of a cell. */
static void put_cell(struct cs_buf *out, const char *text)
{
    cs_buf_adds(out, "| ");
    for (; *text; text++) {
        if (strchr("|*_`<>[]\\", *text))
            cs_buf_adds(out, "\\");
        cs_buf_add(out, *text == '\n' ? " " : text, 1);
    }
    cs_buf_adds(out, " ");
}

static void put_matrix(struct cs_buf *out, const struct tbw_confusion *c)
{
    char number[64];

    cs_buf_adds(out, "| true \\ predicted ");
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < c->classes; k++) {
            (void) snprintf(number, sizeof number, "%d", k);
            if (pass == 0)
                put_cell(out, c->names ? c->names[k] : number);
            else
                cs_buf_adds(out, "|---:");
        }
        cs_buf_adds(out, pass == 0 ? "|\n|---" : "|\n");
    }
    for (int i = 0; i < c->classes; i++) {
        (void) snprintf(number, sizeof number, "%d", i);
        put_cell(out, c->names ? c->names[i] : number);
        for (int k = 0; k < c->classes; k++)
            cs_buf_addf(out, "| %llu ", (unsigned long long) c->counts[i * c->classes + k]);
        cs_buf_adds(out, "|\n");
    }
}

int tbw_writer_confusion(tbw_writer *w, const char *tag, int64_t step,
                         const struct tbw_confusion *c, struct cs_error *err)
{
    struct tbw_canvas canvas;
    struct cs_buf table = {0};

    if (c->classes < 1 || c->classes > CLASSES_MAX)
        return cs_fail(err, CS_ERANGE, "confusion matrix of %d classes: must be 1 to %d",
                       c->classes, (int) CLASSES_MAX);
    for (int i = 0; i < c->classes && c->names; i++)
        CS_TRY(tbw_check_name("name of a class", c->names[i], err));
    CS_TRY(tbw_check_name("tag", tag, err));
    draw_matrix(&canvas, c);
    CS_TRY(write_canvas(w, tag, step, &canvas, c->description, err));
    put_matrix(&table, c);
    char *second = cs_xasprintf("%s/table", tag);
    const int rc = tbw_writer_text(w, second, step, table.data, err);
    free(second);
    cs_buf_clear(&table);
    return rc;
}

/* ---- ROC ---- */

enum { ROC_SIDE = 320, ROC_LEFT = 40, ROC_TOP = 24, ROC_BOTTOM = 34 };

struct ranked {
    float score;
    uint8_t label;
};

static int by_score_down(const void *a, const void *b)
{
    const float x = ((const struct ranked *) a)->score, y = ((const struct ranked *) b)->score;

    return (x < y) - (x > y);
}

static void draw_axes(struct tbw_canvas *canvas)
{
    static const char *const marks[] = {"0", ".5", "1"};

    tbw_canvas_make(canvas, ROC_LEFT + ROC_SIDE + 16, ROC_TOP + ROC_SIDE + ROC_BOTTOM, WHITE);
    for (int i = 0; i < 3; i++) {
        const int at = i * ROC_SIDE / 2;
        tbw_draw_line(canvas, ROC_LEFT + at, ROC_TOP, ROC_LEFT + at, ROC_TOP + ROC_SIDE, 1, GRAY);
        tbw_draw_line(canvas, ROC_LEFT, ROC_TOP + at, ROC_LEFT + ROC_SIDE, ROC_TOP + at, 1, GRAY);
        tbw_draw_text(canvas, ROC_LEFT + at - 3, ROC_TOP + ROC_SIDE + 5, marks[i], 1, BLACK);
        tbw_draw_text(canvas, ROC_LEFT - 16, ROC_TOP + ROC_SIDE - at - 3, marks[i], 1, BLACK);
    }
    tbw_draw_line(canvas, ROC_LEFT, ROC_TOP + ROC_SIDE, ROC_LEFT + ROC_SIDE, ROC_TOP, 1, GRAY);
    tbw_draw_text(canvas, ROC_LEFT + ROC_SIDE / 2 - 57, ROC_TOP + ROC_SIDE + 18,
                  "false positive rate", 1, BLACK);
    tbw_draw_text(canvas, 4, 6, "true positive rate", 1, BLACK);
}

/* Draw over the samples from the highest score down, equal scores in one stroke; the area. */
static double draw_curve(struct tbw_canvas *canvas, const struct ranked *r, size_t count,
                         size_t positive)
{
    const double negative = (double) (count - positive);
    double tp = 0, fp = 0, twice = 0; /* the area, times 2 * positive * negative */
    int x = ROC_LEFT, y = ROC_TOP + ROC_SIDE;

    for (size_t i = 0; i < count;) {
        const double tp0 = tp, fp0 = fp;
        const float score = r[i].score;
        for (; i < count && r[i].score == score; i++) {
            tp += r[i].label != 0;
            fp += r[i].label == 0;
        }
        twice += (fp - fp0) * (tp + tp0);
        const int x1 = ROC_LEFT + (int) (fp / fmax(negative, 1) * ROC_SIDE);
        const int y1 = ROC_TOP + ROC_SIDE - (int) (tp / fmax((double) positive, 1) * ROC_SIDE);
        if (x1 != x || y1 != y)
            tbw_draw_line(canvas, x, y, x1, y1, 2, BLUE);
        x = x1;
        y = y1;
    }
    return positive == 0 || positive == count ? (double) NAN
                                              : twice / (2 * (double) positive * negative);
}

int tbw_writer_roc(tbw_writer *w, const char *tag, int64_t step, const struct tbw_roc *roc,
                   double *auc, struct cs_error *err)
{
    struct tbw_canvas canvas;
    size_t positive = 0;
    char text[32];

    for (size_t i = 0; i < roc->count; i++)
        if (!isfinite(roc->scores[i]))
            return cs_fail(err, CS_ERANGE, "score %zu = %g: must be finite", i,
                           (double) roc->scores[i]);
    struct ranked *r = cs_xcalloc(roc->count + 1, sizeof *r);
    for (size_t i = 0; i < roc->count; i++) {
        r[i] = (struct ranked){roc->scores[i], roc->labels[i] != 0};
        positive += r[i].label;
    }
    qsort(r, roc->count, sizeof *r, by_score_down);
    draw_axes(&canvas);
    const double area = draw_curve(&canvas, r, roc->count, positive);
    (void) snprintf(text, sizeof text, "AUC %.4f", area);
    tbw_draw_text(&canvas, ROC_LEFT + ROC_SIDE - tbw_text_width(text, 1) - 6,
                  ROC_TOP + ROC_SIDE - 16, text, 1, BLACK);
    if (auc)
        *auc = area;
    free(r);
    return write_canvas(w, tag, step, &canvas, roc->description, err);
}
