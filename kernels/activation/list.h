/*
 * list.h - the activations, in the order they are listed to the user (relu apart, which the products compute).
 *
 * To add one: write kernels/activation/NAME.h like its neighbours and include it here; it becomes a layer by that. A
 * file that needs something per activation defines KERN_ACTIVATION_EACH(name) and includes this list, and every
 * header below ends in one KERN_ACTIVATION_EACH(name). Hence no include guard.
 *
 * What a header NAME.h gives: NAME_info (kernels/activation.h), NAME_value(x, args) and NAME_slope(v, args), v being
 * the output where info.from_output says so, else the input. Neither branches on data, so that both vectorise.
 */
/* clang-format off */
#include "kernels/activation/gelu.h"
#include "kernels/activation/gelu_tanh.h"
#include "kernels/activation/tanh.h"
#include "kernels/activation/sigmoid.h"
#include "kernels/activation/leaky_relu.h"
#include "kernels/activation/elu.h"
#include "kernels/activation/silu.h"
#include "kernels/activation/softplus.h"
/* clang-format on */
