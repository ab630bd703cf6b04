/*
 * list.h - the losses, in the order they are listed to the user.
 *
 * To add one: write kernels/loss/NAME.h like its neighbours and include it here. A file that needs something per loss
 * defines KERN_LOSS_EACH(name) and includes this list, and every header below ends in one KERN_LOSS_EACH(name). Hence no
 * include guard.
 *
 * What a header NAME.h gives, x being an output, t its target, w its weight, v the loss's numbers:
 *   NAME_info                      kernels/loss.h
 *   NAME_gather(pass, row, x, t, w, v)  in pass 0 ... info.passes - 1 over a sample's outputs, in order; row begins as
 *                                  KERN_LOSS_ROW
 *   NAME_settle(row)               after them
 *   NAME_value(x, t, w, row, v)    the output's part of the loss
 *   NAME_slope(x, t, w, row, v)    the derivative of the sample's loss by x
 * None branches on data, so that all vectorise.
 */
/* clang-format off */
#include "kernels/loss/cross_entropy.h"
#include "kernels/loss/nll.h"
#include "kernels/loss/bce.h"
#include "kernels/loss/bce_with_logits.h"
#include "kernels/loss/mse.h"
#include "kernels/loss/l1.h"
#include "kernels/loss/smooth_l1.h"
#include "kernels/loss/huber.h"
#include "kernels/loss/kl_div.h"
#include "kernels/loss/hinge.h"
/* clang-format on */
