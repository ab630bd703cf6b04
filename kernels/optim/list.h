/*
 * list.h - the optimizers, in the order they are listed to the user.
 *
 * To add one: write kernels/optim/NAME.h like its neighbours and include it here. Nothing else changes: a file
 * that needs something per optimizer defines KERN_OPTIM_EACH(name) and includes this list, and every header
 * below ends in one KERN_OPTIM_EACH(name). Hence no include guard.
 *
 * What a header NAME.h gives:
 *   NAME_help, NAME_params[]       for the registry row (struct kern_optim says what each member means)
 *   NAME_check, NAME_variant, NAME_slot_name, NAME_slot_start, NAME_begin, NAME_by_tensor (rows.h has the plain ones)
 *   NAME_slots(variant)            foldable: the loops of the backends are compiled once per variant
 *   NAME_body(w, g, slot, h, variant)   the new weight; slot[0 ... NAME_slots(variant) - 1] are updated
 * A body has no branch that depends on data, so that it vectorises, and returns what the unflushed state gives,
 * so that a NaN reaches the weights. Where w, g and all state are +0 (padding), w and the state stay +0.
 */
/* clang-format off */
#include "kernels/optim/sgd.h"
#include "kernels/optim/adam.h"
#include "kernels/optim/adamw.h"
#include "kernels/optim/rmsprop.h"
#include "kernels/optim/adagrad.h"
#include "kernels/optim/adadelta.h"
#include "kernels/optim/adamax.h"
#include "kernels/optim/radam.h"
#include "kernels/optim/lion.h"
#include "kernels/optim/nadam.h"
#include "kernels/optim/rprop.h"
#include "kernels/optim/asgd.h"
#include "kernels/optim/lamb.h"
/* clang-format on */
