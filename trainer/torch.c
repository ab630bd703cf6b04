/* torch.c - PyTorch's use of its generator. Rules and sources: torch.h. */
#include "trainer/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void train_torch_begin_epoch(struct train_torch *torch, bool shuffle)
{
    kern_mt_draw64(&torch->stream); /* the iterator's base seed, for worker processes */
    if (shuffle)
        torch->order_seed = (uint32_t) kern_mt_draw64(&torch->stream);
}

void train_torch_order(uint32_t *order, int64_t count, const struct train_torch *torch)
{
    struct kern_mt19937 own;

    kern_mt_seed(&own, torch->order_seed);
    for (int64_t i = 0; i < count; i++)
        order[i] = (uint32_t) i;
    for (int64_t i = 0; i < count - 1; i++) {
        const int64_t j = i + kern_mt_draw(&own) % (count - i);
        const uint32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

void train_torch_begin_test(struct train_torch *torch)
{
    kern_mt_draw64(&torch->stream);
}

void train_torch_mask(uint8_t *keep, size_t count, double p, struct train_torch *torch)
{
    const double kept = 1.0 - p;

    for (size_t i = 0; i < count; i++)
        keep[i] = kern_mt_uniform53(&torch->stream) < kept;
}

void train_torch_text(char out[TRAIN_TORCH_TEXT + 1], const struct train_torch *torch)
{
    for (int i = 0; i < KERN_MT_WORDS; i++)
        snprintf(out + 8 * i, 9, "%08x", (unsigned) torch->stream.state[i]);
    snprintf(out + 8 * KERN_MT_WORDS, 17, "%08x%08x", (unsigned) torch->stream.next,
             (unsigned) torch->order_seed);
}

bool train_torch_parse(struct train_torch *out, const char *text)
{
    struct train_torch torch;

    if (strlen(text) != TRAIN_TORCH_TEXT || strspn(text, "0123456789abcdef") != TRAIN_TORCH_TEXT)
        return false;
    for (int i = 0; i < KERN_MT_WORDS + 2; i++) {
        char digits[9] = {0};
        memcpy(digits, text + 8 * i, 8);
        const uint32_t word = (uint32_t) strtoul(digits, NULL, 16);
        if (i < KERN_MT_WORDS)
            torch.stream.state[i] = word;
        else if (i == KERN_MT_WORDS)
            torch.stream.next = word;
        else
            torch.order_seed = word;
    }
    if (torch.stream.next > KERN_MT_WORDS)
        return false;
    *out = torch;
    return true;
}
