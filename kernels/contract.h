/*
 * contract.h - the number contract: what every backend must compute, to the bit, in `math = exact`.
 *
 * A stranger who implements these rules gets the same weights. All arithmetic is IEEE-754 binary32, round to
 * nearest even, denormals kept, unless a rule says double. fma(a, b, c) rounds once.
 *
 *  1 Dot products. Every element of a product is one chain  acc = fma(a_k, b_k, acc)  over k = 0, 1, ... K-1,
 *    begun at +0 and finished by adding +0 (so that no -0 is left). k is never padded, never split.
 *  2 A term whose a_k or b_k is exactly zero may be left out: rule 1 gives the same bits without it, as long
 *    as all operands are finite.
 *  3 Epilogues, after the chain: bias is added (y = acc + b); ReLU is  y <= 0 ? +0 : y  (a NaN stays);
 *    a ReLU gradient is  x <= 0 ? +0 : acc  with x the layer's output.
 *  4 Bias gradients: db = ((+0 + dy_0) + dy_1) + ... over the samples of the batch in order, then + 0.
 *  5 Softmax cross-entropy of one sample, classes in order: m = max, e_c = exp(x_c - m), s = ((e_0 + e_1) + ...),
 *    loss = log(s) - (x_y - m), gradient g_c = (e_c / s - [c = y]) * (1 / n) with n samples in the batch.
 *    The batch's loss is the sum of (double) loss over the samples in order. A prediction is the first maximum.
 *    With label smoothing a or class weights w the target of class c is t_c = c = y ? (float) (1 - a + a / C) :
 *    (float) (a / C), q_c = w_c t_c, Q = ((+0 + q_0) + ...); loss = ((+0 + q_0 (log(s) - (x_0 - m))) + ...), gradient
 *    g_c = (Q (e_c / s) - q_c) * (1 / (float) D), D being the sum of (double) w_y over the samples that count, in order.
 *    Without them these are the words above, with n the samples that count. One that does not has gradient +0.
 *  6 Sums of squares (norms), in double: 16 accumulators, one per column of a panel, over panels then rows;
 *    then the accumulators are added in order 0 ... 15, segments in order.
 *  7 exp and log are kern_exp and kern_log of kernels/math/elementary.h: fixed polynomials of explicit fma's.
 *    Division and square root are IEEE. Nothing is contracted or reassociated (-ffp-contract=off).
 *  8 Optimizer formulas are the bodies in kernels/optim/NAME.h. State that decays is flushed by the formula
 *    itself, kern_flush(m) = |m| >= 2^-126 ? m : +0; no flush-to-zero mode is ever set.
 *  9 Randomness is Philox4x32-10 (kernels/math/philox.h) with key = trial seed and counter = place: no stream,
 *    no order. Dropout keeps an element when its 24-bit draw is >= ceil(p * 2^24), times (float) (1 / (1 - p)).
 *    With `rng = torch` all is drawn from PyTorch's stream instead (kernels/math/mt19937.h, in the order of
 *    trainer/torch.h): dropout keeps an element when its draw, 53 bits in double, is < 1 - p, times 1 / (float) (1 - p).
 * 10 Pixels: x = ((float) u8 / 255 - mean) / std, each operation rounded.
 * 11 Other losses: value and slope of an output are those of kernels/loss/NAME.h, row sums taken over the outputs in
 *    order; a sample's loss is ((+0 + v_0) + v_1) + ..., the batch's the sum of (double) loss over the samples in order;
 *    dx = slope * (1 / (float) D) with D samples, elements, or class weights as NAME.h says. Sums of |x - y| and of
 *    (x - y)^2 are taken likewise.
 * 12 Activations are the value and slope of kernels/activation/NAME.h, dx = dy * slope; tanh, erf, exp(x) - 1,
 *    log(1 + x) and the sigmoid are those of kernels/math/elementary.h.
 * 13 Softmax of a sample, m, e_c and s as in rule 5: y_c = e_c / s, and with d = ((+0 + y_0 dy_0) + ...) over classes
 *    dx_c = y_c (dy_c - d). Its logarithm: y_c = (x_c - m) - log(s), d = ((+0 + dy_0) + ...), dx_c = dy_c - exp(y_c) d.
 * 14 Convolution of x [c][h][w] by w [o][c][kh][kw], c being the channels of o's group. y: one chain (rule 1) over
 *    (c, kh, kw), zeros where a tap lies in the padding; then the epilogue. Gradients take output positions in *block
 *    order*, by (oh / 2, ow / 2, oh % 2, ow % 2). dx: one chain over positions, then the o of the group, of dy * w
 *    for the taps that lie inside x; then the mask of rule 3. dw: per sample one chain over positions of
 *    dy * x; db: per sample the sum ((+0 + dy) + ...) over positions; both then added in order of samples from +0.
 * 15 Pooling, windows taken in raster order. Maximum: the first of a window's largest, in raster order; its
 *    gradient goes to that element alone. Average: ((+0 + x) + ...) in raster order, / (float) count, the
 *    gradient of each element dy / (float) count. Where windows overlap an element's gradients are added from +0 in
 *    order of windows. An element that is <= 0 and came out of a ReLU gets +0 (rule 3).
 * 16 Batch norm, per channel over its n numbers in the batch. Every sum here and in rule 17 is in double, by 16
 *    accumulators from +0: number i goes to accumulator i % 16, i being its sample's place in the batch; in order of
 *    samples, then positions; then accumulator k += accumulator k + 8 for k < 8, k + 4 for k < 4, k + 2, k + 1. mean =
 *    sum of x / n; v = sum of d * d / n with d = x - mean in double; m = (float) mean, s = (float) (1 / sqrt(v + eps));
 *    y = fma(x - m, s * w, b), then ReLU. Running statistics r = (float) ((1 - momentum) * r + momentum * new) in
 *    double, new = mean, and sum of d * d / (n - 1); evaluation takes m and v from them. Gradients, h = x - m:
 *    db = (float) A, A = sum of dy; dw = (float) (B * s), B = sum of dy * h, the product in double;
 *    dx = (s * w) * fma(-h, (float) (B / n * s * s), dy - (float) (A / n)), B / n * s * s in double from left to right;
 *    then the mask of rule 3.
 * 17 Layer norm, per sample over its n features: sums, m and s as in rule 16, i being the feature;
 *    y = fma((x - m) * s, w, b). Gradients, g = dy * w: dx = s * fma(-h, (float) (B / n * s * s), g - (float) (A / n)) with A
 *    and B the sums of g and g * h; dw = (float) sum of dy * (h * s), the last product in float, db = (float) sum of dy, over
 *    the samples as in rule 16. Dropout2d draws as rule 9 does, for the channel in place of the feature. Noise
 *    is x = fma((float) std, z, x); z by kernels/math/box_muller.h from the words of the element's place: features 4q and
 *    4q + 1 are first and second of words 0 and 1, 4q + 2 and 4q + 3 of words 2 and 3.
 * 18 A residual sum is y = f + x, and so is its gradient: that of f's input plus that of the sum.
 * 19 Whole gradients, in this order, each operation rounded: over `accumulate` batches (an epoch's last ones may be
 *    fewer) g = (((g_1 + g_2) + ...) * (1 / accumulate)); the L1 penalty g + (w > 0 ? l1 : w < 0 ? -l1 : 0); clipping
 *    by value to [-v, v]; the norm n by rule 6; and clipping by it, g * c with c = (float) (max / (n + 1e-6)), only
 *    where c < 1.
 * 20 Initial values, per element in PyTorch's order: uniform in [-b, b), fma(u, (float) b - (float) -b, (float) -b);
 *    normal, (float) std * z with z of kernels/math/normal.h. Sizes b and std are double formulas of trainer/init.c.
 *    Orthogonal, in double from z: each vector in turn is divided by the root of the sum of its squares, then from
 *    every later one u its part along it, d = ((0 + q_0 u_0) + q_1 u_1) + ..., is taken: u_i - d * q_i.
 * 21 Averages of weights move by lerp(a, w, t) = fma(t, w - a, a), the difference rounded. After the optimizer's step n
 *    of a training, n from 1 on, first lookahead, where its K divides n: s = lerp(s, w, (float) alpha), then w = s; s
 *    begins as the initial weights. Then EMA: a = w for n = 1, else a = lerp(a, w, (float) (1 - decay)). SWA at the end of
 *    an epoch e >= swa_start: a = w for e = swa_start, else a = lerp(a, w, (float) (1.0 / (e - swa_start + 1))). Buffers
 *    are averaged as weights are, counters copied; lookahead leaves them alone.
 *
 * None of this depends on how many trials are trained together, on threads, on the slot, or on the instruction
 * set. A trial whose loss or weights are not finite has diverged; its bits are not promised.
 *
 * Panel matrices. Every operand of a product is a *panel matrix* of `rows` x `cols`: columns in panels of 16,
 *
 *     element (r, c)  at  (c / 16) * rows * 16 + r * 16 + c % 16
 *
 * so its size is rows * kern_pad(cols) floats and columns past `cols` are padding: +0, written by every
 * operation that writes the matrix, and never read into an element that counts. Three products of one
 * layer then need no packing and no transposed weights (n samples, W stored as in x out):
 *
 *     y  (n x out)  = x  (n x in)   * W  (in x out)
 *     dxT(in x n)   = W  (in x out) * dyT(out x n)
 *     dW (in x out) = xT (in x n)   * dy (n x out)
 */
#ifndef KERN_CONTRACT_H
#define KERN_CONTRACT_H

#include <stddef.h>

#ifdef __CUDACC__
#define KERN_FN static __host__ __device__ __forceinline__
#else
#define KERN_FN static inline
#endif

enum { KERN_PANEL = 16 };

/* Columns with their padding. */
KERN_FN size_t kern_pad(size_t cols)
{
    return (cols + KERN_PANEL - 1) / KERN_PANEL * KERN_PANEL;
}

/* Place of (row, col) in a panel matrix of that many rows. */
KERN_FN size_t kern_at(size_t rows, size_t row, size_t col)
{
    return col / KERN_PANEL * rows * KERN_PANEL + row * KERN_PANEL + col % KERN_PANEL;
}

/* Rule 8. */
KERN_FN float kern_flush(float m)
{
    return (m >= 0x1p-126f || m <= -0x1p-126f) ? m : 0.0f;
}

#endif
