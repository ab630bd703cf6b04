/*
 * strip.h - the inner loop of sparse.h: lines 64 wide, each a list of nonzeros (AVX2 and AVX-512).
 *
 * A line's 64 sums are 8 registers (4 with AVX-512); an entry of its list is one value spread over a register and as
 * many fused multiply-adds with the 64 numbers its offset points to, 16 in each of 4 panels. Found by a prototype:
 * 64 wide (not 96), blocks of about 96 k at 50 % zeros and longer ones for shorter lists, and the loop in
 * assembly (compilers spill it or sink stores into it).
 *
 * Memory: one struct strips per thread, nothing per call.
 */
#ifndef KERN_CPU_STRIP_H
#define KERN_CPU_STRIP_H

#include "kernels/cpu/lists.h"
#include "kernels/cpu/matmul.h"

enum {
    STRIP_PANELS = 4,
    STRIP = STRIP_PANELS * KERN_PANEL,
    LINE_VECS = STRIP / VEC_LANES,
    PARKED_LINES = 256,
    TILE_LINES = 16, /* lines finished together */
    PICKED_ROWS = 1 << 12,
};

struct strips {
    struct lists lists;
    _Alignas(64) float park[PARKED_LINES * STRIP];
    _Alignas(64) float tile[TILE_LINES * STRIP]; /* finished lines of an update or of columns */
    _Alignas(64) float grad[TILE_LINES * STRIP]; /* the tile turned back */
    _Alignas(64) float turned[STRIP * LIST_BLOCK_MAX]; /* [panel][k][16] of A */
    uint16_t pick[PICKED_ROWS + STRIP]; /* rows of C that a mask leaves, to a multiple of 64 */
};

static _Thread_local struct strips strips;

/* One block of one strip. */
struct block {
    const float *base[STRIP_PANELS]; /* of the panels that offsets count from */
    const float *value;
    const uint16_t *offset;
    bool first, last;
};

#ifdef __AVX512F__

#define ENTRY(LANE_CODE)                            \
    "movzwl %w[four], %k[at]\n\t"                   \
    "vpermilps $" LANE_CODE ", %[values], %[x]\n\t" \
    "shr $16, %[four]\n\t"                          \
    "vfmadd231ps (%[p0],%[at]), %[x], %[a0]\n\t"    \
    "vfmadd231ps (%[p1],%[at]), %[x], %[a1]\n\t"    \
    "vfmadd231ps (%[p2],%[at]), %[x], %[a2]\n\t"    \
    "vfmadd231ps (%[p3],%[at]), %[x], %[a3]\n\t"

/* The chain of one list; count is a multiple of 4 and not 0. */
ALWAYS_INLINE void run_list(vec acc[LINE_VECS], const struct block *b, size_t count)
{
    const float *value = b->value, *end = b->value + count;
    const uint16_t *offset = b->offset;
    uint64_t four, at;
    vec values, x;

    __asm__(".p2align 6\n1:\n\t"
            "vbroadcastf32x4 (%[value]), %[values]\n\t"
            "mov (%[offset]), %[four]\n\t"
            "add $16, %[value]\n\t"
            "add $8, %[offset]\n\t" ENTRY("0x00") ENTRY("0x55") ENTRY("0xaa")
                ENTRY("0xff") "cmp %[end], %[value]\n\t"
                              "jne 1b\n\t"
            : [a0] "+v"(acc[0]), [a1] "+v"(acc[1]), [a2] "+v"(acc[2]), [a3] "+v"(acc[3]),
              [value] "+r"(value), [offset] "+r"(offset), [four] "=&r"(four), [at] "=&r"(at),
              [values] "=&v"(values), [x] "=&v"(x)
            : [end] "r"(end), [p0] "r"(b->base[0]), [p1] "r"(b->base[1]), [p2] "r"(b->base[2]),
              [p3] "r"(b->base[3])
            : "cc", "memory");
}

#else

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
ALWAYS_INLINE void run_list(vec acc[LINE_VECS], const struct block *b, size_t count)
{
    const float *value = b->value, *end = b->value + count;
    const uint16_t *offset = b->offset;
    uint64_t four, at;
    vec values, x;

    __asm__(".p2align 6\n1:\n\t"
            "vbroadcastf128 (%[value]), %[values]\n\t"
            "mov (%[offset]), %[four]\n\t"
            "add $16, %[value]\n\t"
            "add $8, %[offset]\n\t" ENTRY("0x00") ENTRY("0x55") ENTRY("0xaa")
                ENTRY("0xff") "cmp %[end], %[value]\n\t"
                              "jne 1b\n\t"
            : [a0] "+x"(acc[0]), [a1] "+x"(acc[1]), [a2] "+x"(acc[2]), [a3] "+x"(acc[3]),
              [a4] "+x"(acc[4]), [a5] "+x"(acc[5]), [a6] "+x"(acc[6]), [a7] "+x"(acc[7]),
              [value] "+r"(value), [offset] "+r"(offset), [four] "=&r"(four), [at] "=&r"(at),
              [values] "=&x"(values), [x] "=&x"(x)
            : [end] "r"(end), [p0] "r"(b->base[0]), [p1] "r"(b->base[1]), [p2] "r"(b->base[2]),
              [p3] "r"(b->base[3])
            : "cc", "memory");
}

#endif
#undef ENTRY

/* One line of one block: acc holds the whole chain afterwards if the block is the last, else `park` does. */
ALWAYS_INLINE void run_line(vec acc[LINE_VECS], struct block *b, size_t count, float *park)
{
    UNROLL_ALL
    for (int v = 0; v < LINE_VECS; v++)
        acc[v] = b->first ? vec_zero() : vec_load(park + v * VEC_LANES);
    if (count > 0)
        run_list(acc, b, count);
    b->value += count;
    b->offset += count;
    UNROLL_ALL
    for (int v = 0; v < LINE_VECS; v++)
        if (b->last)
            acc[v] = vec_add(acc[v], vec_zero());
        else
            vec_store(park + v * VEC_LANES, acc[v]);
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
    return (size_t) (v / VECS_PER_ROW) * panel_floats + (size_t) (v % VECS_PER_ROW * VEC_LANES);
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

#endif
