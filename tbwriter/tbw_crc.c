#include "tbwriter/tbw_crc.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

/*
 * A CRC is linear: the entry of a byte is the exclusive or of the entries of its bits. The entry
 * of bit 7 is the polynomial, and each lower one is one more shift of the register.
 */
#define ENTRY(i)                                                     \
    (((i) &0x01 ? 0xf26b8303u : 0) ^ ((i) &0x02 ? 0xe13b70f7u : 0) ^ \
     ((i) &0x04 ? 0xc79a971fu : 0) ^ ((i) &0x08 ? 0x8ad958cfu : 0) ^ \
     ((i) &0x10 ? 0x105ec76fu : 0) ^ ((i) &0x20 ? 0x20bd8edeu : 0) ^ \
     ((i) &0x40 ? 0x417b1dbcu : 0) ^ ((i) &0x80 ? 0x82f63b78u : 0))
#define ENTRIES4(i) ENTRY(i), ENTRY((i) + 1), ENTRY((i) + 2), ENTRY((i) + 3)
#define ENTRIES16(i) ENTRIES4(i), ENTRIES4((i) + 4), ENTRIES4((i) + 8), ENTRIES4((i) + 12)
#define ENTRIES64(i) ENTRIES16(i), ENTRIES16((i) + 16), ENTRIES16((i) + 32), ENTRIES16((i) + 48)

static const uint32_t table[256] = {ENTRIES64(0), ENTRIES64(64), ENTRIES64(128), ENTRIES64(192)};

uint32_t tbw_crc32c_table(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ p[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(const uint8_t *p, size_t size)
{
    uint64_t crc = 0xffffffffu;

    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; size; p++, size--)
        crc = _mm_crc32_u8((uint32_t) crc, *p);
    return ~(uint32_t) crc;
}

bool tbw_crc32c_cpu(uint32_t *out, const void *data, size_t size)
{
    if (!__builtin_cpu_supports("sse4.2"))
        return false;
    *out = crc_sse42(data, size);
    return true;
}

#else

bool tbw_crc32c_cpu(uint32_t *out, const void *data, size_t size)
{
    (void) out;
    (void) data;
    (void) size;
    return false;
}

#endif

uint32_t tbw_crc32c(const void *data, size_t size)
{
    uint32_t crc;

    return tbw_crc32c_cpu(&crc, data, size) ? crc : tbw_crc32c_table(data, size);
}

uint32_t tbw_crc32c_masked(const void *data, size_t size)
{
    const uint32_t crc = tbw_crc32c(data, size);

    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}
