/*
 * torch.h - `rng = torch`: a trial's random numbers as PyTorch's CPU generator gives them to this loop.
 *
 *     torch.manual_seed(seed)
 *     net = torch.nn.Sequential(...)        # weights before biases, in order of the modules; then net.apply(init)
 *     for epoch in range(epochs):
 *         for x, y in train_loader:         # DataLoader(shuffle=True): draws two seeds and permutes by the second
 *             ... net(x) ...                # dropout masks in order of the layers, elements in PyTorch's order
 *         for x, y in test_loader:          # DataLoader(shuffle=False): draws one seed, which nothing uses
 *             ...
 *
 * One stream for all, kernels/math/mt19937.h; how PyTorch uses it was read off torch/utils/data/dataloader.py,
 * sampler.py and ATen's DistributionTemplates.h, and is checked against PyTorch by tests/conformance. Uniform
 * numbers are those of machines with fused multiply-add. PyTorch built with MKL draws masks otherwise on Intel CPUs.
 *
 * Nothing here depends on the other trials. The state is part of every checkpoint.
 */
#ifndef TRAIN_TORCH_H
#define TRAIN_TORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/math/mt19937.h"

struct train_torch {
    struct kern_mt19937 stream;
    uint32_t order_seed; /* of the epoch that is being trained */
};

/* The training loader's iterator is made. */
void train_torch_begin_epoch(struct train_torch *torch, bool shuffle);

/* The order of that epoch: torch.randperm by a generator of its own. order[count] */
void train_torch_order(uint32_t *order, int64_t count, const struct train_torch *torch);

/* The test loader's iterator is made. */
void train_torch_begin_test(struct train_torch *torch);

/* keep[count] = 1 with probability 1 - p, else 0. */
void train_torch_mask(uint8_t *keep, size_t count, double p, struct train_torch *torch);

/* The state as hexadecimal digits, and back; false: these are not a state. */
enum { TRAIN_TORCH_TEXT = (KERN_MT_WORDS + 2) * 8 };
void train_torch_text(char out[TRAIN_TORCH_TEXT + 1], const struct train_torch *torch);
bool train_torch_parse(struct train_torch *out, const char *text);

#endif
