/*
 * sparse.h - products that leave out terms whose operand is exactly zero (contract, rule 2), with AVX2.
 *
 * A line is 64 elements of C that share a list of nonzeros (lists.h): 8 registers, an entry is one value spread over
 * a register and 8 fused multiply-adds from memory. C is taken in strips 64 wide:
 *
 *     by A's zeros: a line is 4 panels of one row of C, its list that row of A; entries point into B as it lies
 *     by B's zeros: a line is 64 rows of one column of C, its list that column of B; entries point into a copy of
 *                   A's 64 rows turned over, and lines are turned back 16 at a time
 *
 *     for each group of lines whose lists fit
 *       for each strip
 *         for each block of k      64 wide, up to 144 deep: stays in L1 while all lines use it
 *           for each line          parked between blocks; after the last one the epilogue
 *
 * What is left beside the strips (C is not a multiple of 64) goes to the dense tiles: the bits are the same. Every
 * chain keeps its order of k; it may pass through -0 where the dense one does not, which the last + 0 mends.
 *
 * Memory: one struct strips per thread, nothing per call. Found by a prototype: 8 registers (not 12), blocks of 96
 * k at 50 % zeros and longer ones for shorter lists, and the loop in assembly (compilers spill or sink it).
 */
#ifndef KERN_CPU_SPARSE_H
#define KERN_CPU_SPARSE_H

#include "kernels/cpu/lists.h"
#include "kernels/cpu/matmul.h"

enum {
    STRIP_PANELS = 4,
    STRIP = STRIP_PANELS * KERN_PANEL,
    LINE_VECS = STRIP / 8,
    PARKED_LINES = 256,
    TILE_LINES = 16, /* lines finished together */
};

struct strips {
    struct lists lists;
    _Alignas(64) float park[PARKED_LINES * STRIP];
    _Alignas(64) float tile[TILE_LINES * STRIP];  /* finished lines of an update or of columns */
    _Alignas(64) float grad[TILE_LINES * STRIP];  /* the tile turned back */
    _Alignas(64) float turned[STRIP * LIST_BLOCK_MAX]; /* [panel][k][16] of A */
};

static _Thread_local struct strips strips;

/* One block of one strip. */
struct block {
    const float *base[STRIP_PANELS]; /* of the panels that offsets count from */
    const float *value;
    const uint16_t *offset;
    bool first, last;
};

#define ENTRY(LANE_CODE)                            \
    "movzwl %w[four], %k[at]\n\t"                   \
    "vpermilps $" LANE_CODE ", %[values], %[x]\n\t" \
    "shr $16, %[four]\n\t"                          \
    "vfmadd231ps   (%[p0],%[at]), %[x], %[a0]\n\t"  \
    "vfmadd231ps 32(%[p0],%[at]), %[x], %[a1]\n\t"  \
    "vfmadd231ps   (%[p1],%[at]), %[x], %[a2]\n\t"  \
    "vfmadd231ps 32(%[p1],%[at]), %[x], %[a3]\n\t"  \
    "vfmadd231ps   (%[p2],%[at]), %[x], %[a4]\n\t"  \
    "vfmadd231ps 32(%[p2],%[at]), %[x], %[a5]\n\t"  \
    "vfmadd231ps   (%[p3],%[at]), %[x], %[a6]\n\t"  \
    "vfmadd231ps 32(%[p3],%[at]), %[x], %[a7]\n\t"

/* The chain of one list; count is a multiple of 4 and not 0. */
ALWAYS_INLINE void run_list(__m256 acc[LINE_VECS], const struct block *b, size_t count)
{
    const float *value = b->value, *end = b->value + count;
    const uint16_t *offset = b->offset;
    uint64_t four, at;
    __m256 values, x;

    __asm__("1:\n\t"
            "vbroadcastf128 (%[value]), %[values]\n\t"
            "mov (%[offset]), %[four]\n\t"
            "add $16, %[value]\n\t"
            "add $8, %[offset]\n\t" ENTRY("0x00") ENTRY("0x55") ENTRY("0xaa") ENTRY("0xff")
            "cmp %[end], %[value]\n\t"
            "jne 1b\n\t"
            : [a0] "+x"(acc[0]), [a1] "+x"(acc[1]), [a2] "+x"(acc[2]), [a3] "+x"(acc[3]),
              [a4] "+x"(acc[4]), [a5] "+x"(acc[5]), [a6] "+x"(acc[6]), [a7] "+x"(acc[7]),
              [value] "+r"(value), [offset] "+r"(offset), [four] "=&r"(four), [at] "=&r"(at),
              [values] "=&x"(values), [x] "=&x"(x)
            : [end] "r"(end), [p0] "r"(b->base[0]), [p1] "r"(b->base[1]), [p2] "r"(b->base[2]),
              [p3] "r"(b->base[3])
            : "cc", "memory");
}
#undef ENTRY

/* One line of one block: acc holds the whole chain afterwards if the block is the last, else `park` does. */
ALWAYS_INLINE void run_line(__m256 acc[LINE_VECS], struct block *b, size_t count, float *park)
{
    UNROLL_ALL
    for (int v = 0; v < LINE_VECS; v++)
        acc[v] = b->first ? _mm256_setzero_ps() : _mm256_load_ps(park + v * 8);
    if (count > 0)
        run_list(acc, b, count);
    b->value += count;
    b->offset += count;
    UNROLL_ALL
    for (int v = 0; v < LINE_VECS; v++)
        if (b->last)
            acc[v] = _mm256_add_ps(acc[v], _mm256_setzero_ps());
        else
            _mm256_store_ps(park + v * 8, acc[v]);
}

static struct block find_block(const struct lists *l, size_t block)
{
    return (struct block){
        .value = l->value + l->start[block],
        .offset = l->offset + l->start[block],
        .first = block == 0,
        .last = block + 1 == l->blocks,
    };
}

/* Where vector v of a line that lies across panels is, from its first. */
ALWAYS_INLINE size_t across(int v, size_t panel_floats)
{
    return (size_t) (v / 2) * panel_floats + (size_t) (v % 2) * 8;
}

/* Step the weights of `rows` rows from `row` on in the strip's panels, by the gradients in strips.tile. */
static void update_rows(const struct product *p, size_t panel, size_t row, size_t rows)
{
    for (size_t i = 0; i < STRIP_PANELS; i++) {
        const size_t at = ((panel + i) * p->rows + row) * KERN_PANEL;
        p->step(p->c + at, strips.tile + i * TILE_LINES * KERN_PANEL, slot_at(p->slot[0], at),
                slot_at(p->slot[1], at), slot_at(p->slot[2], at), rows * KERN_PANEL, p->hyper);
    }
}

/* Row `row` of C in the strip that begins at `panel`; an update waits until the tile is full. */
ALWAYS_INLINE void finish_row(const struct product *p, __m256 acc[LINE_VECS], size_t panel,
                              size_t row, bool end)
{
    const size_t at = (panel * p->rows + row) * KERN_PANEL, panel_floats = p->rows * KERN_PANEL;
    const size_t in_tile = row % TILE_LINES;

    if (p->epilogue == KERN_UPDATE) {
        UNROLL_ALL
        for (int v = 0; v < LINE_VECS; v++)
            _mm256_store_ps(strips.tile + in_tile * KERN_PANEL + across(v, TILE_LINES * KERN_PANEL),
                            acc[v]);
        if (in_tile == TILE_LINES - 1 || end)
            update_rows(p, panel, row - in_tile, in_tile + 1);
        return;
    }
    UNROLL_ALL
    for (int v = 0; v < LINE_VECS; v++) {
        if (p->epilogue == KERN_BIAS || p->epilogue == KERN_BIAS_RELU)
            acc[v] = _mm256_add_ps(
                acc[v], _mm256_load_ps(p->extra + panel * KERN_PANEL + across(v, KERN_PANEL)));
        if (p->epilogue == KERN_BIAS_RELU)
            acc[v] = vec_drop(acc[v], acc[v]);
        if (p->epilogue == KERN_MASK)
            acc[v] = vec_drop(acc[v], _mm256_load_ps(p->extra + at + across(v, panel_floats)));
        _mm256_store_ps(p->c + at + across(v, panel_floats), acc[v]);
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
            b.base[i] = p->b + ((panel + i) * p->depth + block_begin(l, block) * KERN_PANEL) * KERN_PANEL;
        for (size_t line = 0; line < l->lines; line++) {
            __m256 acc[LINE_VECS];
            run_line(acc, &b, count[line], strips.park + line % PARKED_LINES * STRIP);
            if (b.last)
                finish_row(p, acc, panel, row + line, line + 1 == l->lines);
        }
    }
}

/* Lines at a time: their lists fit, and if there are several blocks so do the parked lines. */
static size_t lines_at_once(size_t lines, size_t depth, size_t block_rows)
{
    size_t most = LIST_ENTRIES / kern_pad(depth) / TILE_LINES * TILE_LINES;

    if (kern_pad(depth) > block_rows && most > PARKED_LINES)
        most = PARKED_LINES;
    return lines < most ? lines : most;
}

/* Most rows of a block of k: shorter lists may reach over more of them. */
static size_t block_rows_for(float zeros)
{
    return zeros > 0.85f ? LIST_BLOCK_MAX : zeros > 0.6f ? 112 : 96;
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
        for (size_t i = 0; i < (size_t) STRIP * KERN_PANEL; i += 8)
            _mm256_store_ps(
                c + i, vec_drop(_mm256_load_ps(c + i), _mm256_load_ps(p->extra + at + i)));
}

/* Columns of the lists, from `col` on, for rows [row, row + 64). */
static void columns_strip(const struct product *p, size_t row, size_t col)
{
    const struct lists *l = &strips.lists;

    for (size_t block = 0; block < l->blocks; block++) {
        const size_t group = block_begin(l, block), groups = block_begin(l, block + 1) - group;
        const uint16_t *count = l->count + block * l->lines;
        struct block b = find_block(l, block);
        for (size_t i = 0; i < STRIP_PANELS; i++) {
            float *turned = strips.turned + i * groups * BLOCK_FLOATS;
            b.base[i] = turned;
            for (size_t g = 0; g < groups; g++)
                turn_block(turned + g * BLOCK_FLOATS,
                           p->a + ((group + g) * p->rows + row + i * KERN_PANEL) * KERN_PANEL);
        }
        for (size_t line = 0; line < l->lines; line++) {
            __m256 acc[LINE_VECS];
            run_line(acc, &b, count[line], strips.park + line % PARKED_LINES * STRIP);
            if (!b.last)
                continue;
            UNROLL_ALL
            for (int v = 0; v < LINE_VECS; v++)
                _mm256_store_ps(strips.tile + line % TILE_LINES * KERN_PANEL +
                                    across(v, TILE_LINES * KERN_PANEL),
                                acc[v]);
            if (line % TILE_LINES == TILE_LINES - 1)
                finish_columns(p, row, col + line + 1 - TILE_LINES);
        }
    }
}

static void product_by_b(const struct product *p, float zeros)
{
    const size_t cols = kern_pad(p->cols), block_rows = block_rows_for(zeros);
    const size_t lines = lines_at_once(cols, p->depth, block_rows);
    size_t row;

    for (size_t col = 0; col < cols; col += lines) {
        lists_begin(&strips.lists, cols - col < lines ? cols - col : lines, p->depth, block_rows);
        lists_of_columns(&strips.lists, p->b, p->depth, col);
        for (row = 0; row + STRIP <= p->rows; row += STRIP)
            columns_strip(p, row, col);
    }
    dense_part(p, 0, cols / KERN_PANEL, p->rows / STRIP * STRIP);
}

#endif
