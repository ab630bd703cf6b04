/*
 * tbw_crc.h - CRC-32C (Castagnoli; reflected polynomial 0x82f63b78, start and end inverted) and
 * its masked form.
 *
 * Event files store rotate_right(crc, 15) + 0xa282ead8, so that a checksum over data that holds
 * checksums stays useful.
 */
#ifndef TBW_CRC_H
#define TBW_CRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By the CPU's instruction where there is one. */
uint32_t tbw_crc32c(const void *data, size_t size);
uint32_t tbw_crc32c_masked(const void *data, size_t size);

/*
 * The two ways, for the test that they agree. cpu: false and *out untouched when the CPU has no
 * such instruction.
 */
uint32_t tbw_crc32c_table(const void *data, size_t size);
bool tbw_crc32c_cpu(uint32_t *out, const void *data, size_t size);

#endif
