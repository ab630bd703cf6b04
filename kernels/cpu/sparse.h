/*
 * sparse.h - products that leave out terms whose operand is exactly zero (contract, rule 2), with AVX2 or AVX-512.
 *
 * C is taken in strips 64 wide, made of lines that share a list of nonzeros (lists.h):
 *
 *     by A's zeros: a line is 4 panels of one row of C, its list that row of A; entries point into B as it lies
 *     by B's zeros: a line is 64 rows of one column of C, its list that column of B; entries point into a copy of
 *                   A's 64 rows turned over, and lines are turned back 16 at a time. Where a mask follows, rows of
 *                   C that it sets to 0 whole (features that no sample of the batch has) are left out
 *
 *     for each group of lines whose lists fit
 *       for each strip
 *         for each block of k      64 wide, up to 144 deep: stays in L1 while all lines use it
 *           for each line          parked between blocks; after the last one the epilogue
 *
 * What is left beside the strips (C is not a multiple of 64) goes to the dense tiles: the bits are the same. Every
 * chain keeps its order of k; it may pass through -0 where the dense one does not, which the last + 0 mends.
 * An operand that is Inf or NaN opposite a zero left out leaves no NaN: such a trial has diverged (contract).
 */
#ifndef KERN_CPU_SPARSE_H
#define KERN_CPU_SPARSE_H

#include "kernels/cpu/strip.h"

/* Step the weights of `rows` rows from `row` on in the strip's panels, by the gradients in strips.tile. */
static void update_rows(const struct product *p, size_t panel, size_t row, size_t rows)
{
    for (size_t i = 0; i < STRIP_PANELS; i++) {
        const size_t at = ((panel + i) * p->rows + row) * KERN_PANEL;
        p->step(p->c + at, strips.tile + i * TILE_LINES * KERN_PANEL, slot_at(p->slot[0], at),
                slot_at(p->slot[1], at), slot_at(p->slot[2], at), rows * KERN_PANEL, p->hyper);
    }
}

/* Weights and state that an update will need, 64 floats of each, so that memory is read while lists run. Not for weights
 * alone: there the processor sees ahead by itself. */
ALWAYS_INLINE void prefetch_update(const struct product *p, size_t at, size_t part_floats)
{
    if (!p->slot[0] || at + STRIP_PANELS * part_floats > p->rows * kern_pad(p->cols))
        return;
    for (size_t i = 0; i < STRIP_PANELS; i++) {
        __builtin_prefetch(p->c + at + i * part_floats, 1);
        for (int k = 0; k < KERN_SLOTS; k++)
            if (p->slot[k])
                __builtin_prefetch(p->slot[k] + at + i * part_floats, 1);
    }
}

/* Row `row` of C in the strip that begins at `panel`; an update waits until the tile is full. */
ALWAYS_INLINE void finish_row(const struct product *p, vec acc[LINE_VECS], size_t panel, size_t row,
                              bool end)
{
    const size_t at = (panel * p->rows + row) * KERN_PANEL, panel_floats = p->rows * KERN_PANEL;
    const size_t in_tile = row % TILE_LINES;

    if (p->epilogue == KERN_UPDATE) {
        prefetch_update(p, at + TILE_LINES * KERN_PANEL, panel_floats);
        UNROLL_ALL
        for (int v = 0; v < LINE_VECS; v++)
            vec_store(strips.tile + in_tile * KERN_PANEL + across(v, TILE_LINES * KERN_PANEL),
                      acc[v]);
        if (in_tile == TILE_LINES - 1 || end)
            update_rows(p, panel, row - in_tile, in_tile + 1);
        return;
    }
    UNROLL_ALL
    for (int v = 0; v < LINE_VECS; v++) {
        if (p->epilogue == KERN_BIAS || p->epilogue == KERN_BIAS_RELU)
            acc[v] =
                vec_add(acc[v], vec_load(p->extra + panel * KERN_PANEL + across(v, KERN_PANEL)));
        if (p->epilogue == KERN_BIAS_RELU)
            acc[v] = vec_drop(acc[v], acc[v]);
        if (p->epilogue == KERN_MASK)
            acc[v] = vec_drop(acc[v], vec_load(p->extra + at + across(v, panel_floats)));
        vec_store(p->c + at + across(v, panel_floats), acc[v]);
    }
}

/* Rows of the lists, from `row` on, in the strip that begins at `panel`. */
static void rows_strip(const struct product *p, size_t panel, size_t row)
{
    const struct lists *l = &strips.lists;

    for (size_t block = 0; block < l->blocks; block++) {
        const uint16_t *count = l->count + block * l->lines;
        struct block b = find_block(l, block);
        for (size_t i = 0; i < STRIP_PANELS; i++)
            b.base[i] =
                p->b + ((panel + i) * p->depth + block_begin(l, block) * KERN_PANEL) * KERN_PANEL;
        for (size_t line = 0; line < l->lines; line++) {
            vec acc[LINE_VECS];
            run_line(acc, &b, count[line], strips.park + line % PARKED_LINES * STRIP);
            if (b.last)
                finish_row(p, acc, panel, row + line, line + 1 == l->lines);
        }
    }
}

static void product_by_a(const struct product *p, float zeros)
{
    const size_t panels = kern_pad(p->cols) / KERN_PANEL, block_rows = block_rows_for(zeros);
    const size_t lines = lines_at_once(p->rows, p->depth, block_rows);
    size_t panel;

    for (size_t row = 0; row < p->rows; row += lines) {
        lists_begin(&strips.lists, p->rows - row < lines ? p->rows - row : lines, p->depth,
                    block_rows);
        lists_of_rows(&strips.lists, p->a, p->rows, row);
        for (panel = 0; panel + STRIP_PANELS <= panels; panel += STRIP_PANELS)
            rows_strip(p, panel, row);
    }
    dense_part(p, panels / STRIP_PANELS * STRIP_PANELS, panels, 0);
}

/* The rows of C whose mask has anything above 0, or NaN: into strips.pick, filled up with the last. How many of them
 * there are then; 0 where picking is no use. */
static size_t pick_rows(const struct product *p)
{
    const size_t panels = kern_pad(p->cols) / KERN_PANEL, panel_floats = p->rows * KERN_PANEL;
    size_t count = 0, whole;

    if (p->epilogue != KERN_MASK || p->rows > PICKED_ROWS)
        return 0;
    for (size_t row = 0; row < p->rows; row++) {
        const float *mask = p->extra + row * KERN_PANEL;
        bool alive = false;
        for (size_t i = 0; i < panels && !alive; i++)
            alive = any_above_zero(mask + i * panel_floats);
        strips.pick[count] = (uint16_t) row;
        count += alive;
    }
    whole = (count + STRIP - 1) / STRIP * STRIP;
    if (whole > p->rows || whole == 0)
        return 0;
    for (size_t i = count; i < whole; i++)
        strips.pick[i] = strips.pick[count - 1];
    return whole;
}

/* 16 finished columns from `col` on, for rows pick[64]: turned back, and masked. */
static void finish_picked(const struct product *p, const uint16_t *pick, size_t col)
{
    const size_t panel = col * p->rows;

    for (size_t i = 0; i < STRIP_PANELS; i++)
        turn_block(strips.grad + i * BLOCK_FLOATS, strips.tile + i * BLOCK_FLOATS);
    for (size_t i = 0; i < STRIP; i++) {
        const size_t at = panel + (size_t) pick[i] * KERN_PANEL;
        for (size_t c = 0; c < KERN_PANEL; c += VEC_LANES)
            vec_store(p->c + at + c, vec_drop(vec_load(strips.grad + i * KERN_PANEL + c),
                                              vec_load(p->extra + at + c)));
    }
}

/* 16 finished columns from `col` on, for rows [row, row + 64): turned back, then the epilogue. */
static void finish_columns(const struct product *p, size_t row, size_t col)
{
    const size_t at = (col * p->rows + row * KERN_PANEL);
    float *c = p->epilogue == KERN_UPDATE ? strips.grad : p->c + at;

    for (size_t i = 0; i < STRIP_PANELS; i++)
        turn_block(c + i * BLOCK_FLOATS, strips.tile + i * BLOCK_FLOATS);
    if (p->epilogue == KERN_UPDATE)
        p->step(p->c + at, c, slot_at(p->slot[0], at), slot_at(p->slot[1], at),
                slot_at(p->slot[2], at), (size_t) STRIP * KERN_PANEL, p->hyper);
    if (p->epilogue == KERN_MASK)
        for (size_t i = 0; i < (size_t) STRIP * KERN_PANEL; i += VEC_LANES)
            vec_store(c + i, vec_drop(vec_load(c + i), vec_load(p->extra + at + i)));
}

/* While column `col` runs: its share of the weights beside, the next panel's. */
ALWAYS_INLINE size_t next_piece(const struct product *p, size_t row, size_t col)
{
    const size_t in_tile = col % TILE_LINES;
    return (col - in_tile + TILE_LINES) * p->rows + row * KERN_PANEL + in_tile * STRIP;
}

/* Columns of the lists, from `col` on, for rows [row, row + 64), or those in pick. */
static void columns_strip(const struct product *p, size_t row, const uint16_t *pick, size_t col)
{
    const struct lists *l = &strips.lists;

    for (size_t block = 0; block < l->blocks; block++) {
        const size_t group = block_begin(l, block), groups = block_begin(l, block + 1) - group;
        const uint16_t *count = l->count + block * l->lines;
        struct block b = find_block(l, block);
        for (size_t i = 0; i < STRIP_PANELS; i++) {
            float *turned = strips.turned + i * groups * BLOCK_FLOATS;
            b.base[i] = turned;
            for (size_t g = 0; g < groups; g++) {
                const float *panel = p->a + (group + g) * p->rows * KERN_PANEL;
                if (pick)
                    turn_picked(turned + g * BLOCK_FLOATS, panel, pick + i * KERN_PANEL);
                else
                    turn_block(turned + g * BLOCK_FLOATS,
                               panel + (row + i * KERN_PANEL) * KERN_PANEL);
            }
        }
        for (size_t line = 0; line < l->lines; line++) {
            vec acc[LINE_VECS];
            run_line(acc, &b, count[line], strips.park + line % PARKED_LINES * STRIP);
            if (!b.last)
                continue;
            if (p->epilogue == KERN_UPDATE)
                prefetch_update(p, next_piece(p, row, col + line), KERN_PANEL);
            UNROLL_ALL
            for (int v = 0; v < LINE_VECS; v++)
                vec_store(strips.tile + line % TILE_LINES * KERN_PANEL +
                              across(v, TILE_LINES * KERN_PANEL),
                          acc[v]);
            if (line % TILE_LINES < TILE_LINES - 1)
                continue;
            if (pick)
                finish_picked(p, pick, col + line + 1 - TILE_LINES);
            else
                finish_columns(p, row, col + line + 1 - TILE_LINES);
        }
    }
}

/* The rows that were not picked. */
static void clear_others(const struct product *p, size_t picked)
{
    const size_t panels = kern_pad(p->cols) / KERN_PANEL;
    size_t next = 0;

    for (size_t row = 0; row < p->rows && picked > 0; row++) {
        if (next < picked && strips.pick[next] == row)
            next++;
        else
            for (size_t i = 0; i < panels; i++)
                memset(p->c + (i * p->rows + row) * KERN_PANEL, 0, ROW_BYTES);
    }
}

/* picked: what pick_rows said. */
static void product_by_b(const struct product *p, float zeros, size_t picked)
{
    const size_t cols = kern_pad(p->cols), block_rows = block_rows_for(zeros);
    const size_t lines = lines_at_once(cols, p->depth, block_rows);
    size_t row;

    clear_others(p, picked);
    for (size_t col = 0; col < cols; col += lines) {
        lists_begin(&strips.lists, cols - col < lines ? cols - col : lines, p->depth, block_rows);
        lists_of_columns(&strips.lists, p->b, p->depth, col);
        for (row = 0; row < picked; row += STRIP)
            columns_strip(p, 0, strips.pick + row, col);
        for (row = 0; row + STRIP <= p->rows && picked == 0; row += STRIP)
            columns_strip(p, row, NULL, col);
    }
    if (picked == 0)
        dense_part(p, 0, cols / KERN_PANEL, p->rows / STRIP * STRIP);
}

#endif
