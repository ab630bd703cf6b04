#!/usr/bin/env python3
"""run_torch_training.py - the same training in csweep and in PyTorch: weights, optimizer state and curves.

tests/lib/oracle.py has csweep's draws, so initial weights, order and masks are equal and only float32 rounding
differs (another order of summation, fused multiply-add). Per configuration:

  initial weights   to the bit (trained with lr = 0)
  weights           2e-6 absolute; 4e-5 for RMSprop, whose first steps divide a gradient by its own size and so
                    turn rounding of tiny gradients into steps. Measured: 3e-8 to 4e-7, and 4e-6
  optimizer state   2e-5 of the tensor's largest element. Measured: up to 5e-6
  curve             losses and norm 1e-4 relative, accuracies within three samples, rate 1e-12 relative

A bound is worth nothing if a wrong formula passes it too: each configuration names an error (a wrong constant, a
forgotten term), PyTorch trains with it as well, and must end at least ten bounds away.
"""

import math
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("SYSTEM_PYTHON", "/usr/bin/python3", "numpy", "torch")

import numpy as np
import torch

import artifacts
import oracle

SGD, ADAM, ADAMW, RMSPROP = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop
ADAGRAD, ADADELTA, ADAMAX, RADAM = torch.optim.Adagrad, torch.optim.Adadelta, torch.optim.Adamax, torch.optim.RAdam
SCHEDULERS = torch.optim.lr_scheduler
STEP, PLATEAU = SCHEDULERS.StepLR, SCHEDULERS.ReduceLROnPlateau
MULTISTEP, EXPONENTIAL, CONSTANT = SCHEDULERS.MultiStepLR, SCHEDULERS.ExponentialLR, SCHEDULERS.ConstantLR
LINEAR, COSINE, RESTARTS = SCHEDULERS.LinearLR, SCHEDULERS.CosineAnnealingLR, SCHEDULERS.CosineAnnealingWarmRestarts
ONE_CYCLE, CYCLIC = SCHEDULERS.OneCycleLR, SCHEDULERS.CyclicLR
DEEP = "flatten > linear 48 > relu > linear 32 > relu > linear 10"
TOY = "linear 24 > relu > linear 16 > relu > linear 2"


def case(name, torch_class, settings, wrong, data="fashion", layers=None, scheduler=None, epochs=2, batch=64,
         seed=0, bound=2e-6, wrong_class=None, wrong_run=None, work=None, groups=None, wrong_layers=None):
    """
    settings: keyword arguments of the PyTorch class, which are csweep's keys too; wrong: what the error changes. work:
    keys of [train] that oracle.train knows; groups: {name: {"match": parameter prefix, setting: value}}.
    """
    return {
        "name": name, "class": torch_class, "settings": settings, "wrong": wrong, "data": data,
        "layers": layers or (DEEP if data == "fashion" else TOY), "scheduler": scheduler, "epochs": epochs,
        "batch": batch, "seed": seed, "bound": bound, "wrong_run": wrong_run or {},
        "wrong_class": wrong_class or torch_class, "work": work or {}, "groups": groups or {},
        "wrong_layers": wrong_layers,
    }


class Uncorrected(torch.optim.Optimizer):
    """Adam without bias correction: an error to be seen."""

    def __init__(self, parameters, **settings):
        super().__init__(parameters, settings)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                m, v = self.state[p].setdefault("slots", (torch.zeros_like(p), torch.zeros_like(p)))
                m.mul_(0.9).add_(p.grad, alpha=0.1)
                v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
                p.addcdiv_(m, v.sqrt() + 1e-8, value=-group["lr"])


class Lion(torch.optim.Optimizer):
    """arXiv 2302.06675, algorithm 2; PyTorch has none."""

    def __init__(self, parameters, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            (beta1, beta2), rate = group["betas"], group["lr"]
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                direction = torch.sign(beta1 * m + (1 - beta1) * p.grad)
                p.copy_((1 - rate * group["weight_decay"]) * p - rate * direction)
                m.copy_(beta2 * m + (1 - beta2) * p.grad)


class NAdam(torch.optim.Optimizer):
    """torch/optim/nadam.py of PyTorch 2; Debian's 1.13 has another last term."""

    def __init__(self, parameters, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3):
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                      "momentum_decay": momentum_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            (beta1, beta2), rate, psi = group["betas"], group["lr"], group["momentum_decay"]
            for p in group["params"]:
                state = self.state[p]
                t = state["step"] = state.get("step", 0) + 1
                m, v = (state.setdefault(k, torch.zeros_like(p)) for k in ("exp_avg", "exp_avg_sq"))
                mu, after = (beta1 * (1 - 0.5 * 0.96 ** (k * psi)) for k in (t, t + 1))
                product = state["mu_product"] = state.get("mu_product", 1.0) * mu
                g = p.grad + group["weight_decay"] * p
                m.lerp_(g, 1 - beta1)
                v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
                d = (v / (1 - beta2**t)).sqrt() + group["eps"]
                p.sub_(rate * (1 - mu) / (1 - product) * g / d + rate * after / (1 - product * after) * m / d)


class Lamb(torch.optim.Optimizer):
    """arXiv 1904.00962 as timm has it, without its clipping."""

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=1e-2, always_adapt=False):
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                      "always_adapt": always_adapt})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            (beta1, beta2), rate, decay = group["betas"], group["lr"], group["weight_decay"]
            for p in group["params"]:
                state = self.state[p]
                t = state["step"] = state.get("step", 0) + 1
                m, v = (state.setdefault(k, torch.zeros_like(p)) for k in ("exp_avg", "exp_avg_sq"))
                m.lerp_(p.grad, 1 - beta1)
                v.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                r = m / (1 - beta1**t) / (v.sqrt() / math.sqrt(1 - beta2**t) + group["eps"]) + decay * p
                trust = float(p.norm() / r.norm()) if (decay or group["always_adapt"]) and p.any() and r.any() else 1.0
                p.sub_(rate * trust * r)


NAMES = {NAdam: "nadam", torch.optim.Rprop: "rprop", torch.optim.ASGD: "asgd", Lamb: "lamb", SGD: "sgd", ADAM: "adam", ADAMW: "adamw", RMSPROP: "rmsprop", ADAGRAD: "adagrad", ADADELTA: "adadelta",
         ADAMAX: "adamax", RADAM: "radam", Lion: "lion", STEP: "step", PLATEAU: "plateau", MULTISTEP: "multistep",
         EXPONENTIAL: "exponential", CONSTANT: "constant", LINEAR: "linear", COSINE: "cosine",
         RESTARTS: "cosine_restarts", ONE_CYCLE: "one_cycle", CYCLIC: "cyclic"}
if hasattr(SCHEDULERS, "PolynomialLR"):  # since 1.13
    NAMES[SCHEDULERS.PolynomialLR] = "polynomial"

# A bias before a batch norm has gradient 0 but for rounding, which Adam would turn into whole steps: plain SGD. A ReLU whose
# input is 0 to within rounding may go either way and steps the weights by 1e-3: few of them where there are many numbers.
NORMS = [  # (name, data, batch, [train], layers, what the error replaces, more)
    ("batch", "fashion", 64, {}, "flatten > linear 48 > batchnorm > relu > linear 32 > batchnorm momentum 0.3 eps 0.01 > silu > "
     "dropout 0.2 > linear 10", ("eps 0.01", "eps 0.011"), {"groups": {"last": {"match": "4.", "weight_decay": 0.01}}}),
    ("batch-momentum", "toy", 50, {}, "batchnorm affine no > linear 24 > tanh > batchnorm > linear 16 > relu > batchnorm > linear 2",
     ("tanh > batchnorm", "tanh > batchnorm momentum 0.101"), {}),
    ("batch-affine", "toy", 64, {"accumulate": 3}, "linear 24 > batchnorm affine no > relu > res(linear 24 > batchnorm > relu) > "
     "batchnorm > linear 2", ("batchnorm > relu)", "batchnorm eps 0.001 > relu)"), {}),
    ("batch-images", "images", 60, {}, "batchnorm > conv 6 5 stride 2 > batchnorm > silu > avgpool 2 > conv 8 3 > relu > dropout2d 0.3 > "
     "batchnorm momentum 0.2 > conv 8 3 > batchnorm affine no > relu > globalavgpool > batchnorm > flatten > linear 10",
     ("dropout2d 0.3", "dropout 0.3"), {"epochs": 1}),
    ("layer", "toy", 64, {}, "linear 24 > layernorm > relu > linear 17 > relu > layernorm eps 0.01 > linear 20 > layernorm affine no > "
     "gelu > linear 2", ("eps 0.01", "eps 0.011"), {}),
    ("layer-images", "images", 64, {}, "layernorm > conv 5 5 stride 2 > layernorm > relu > conv 6 3 stride 2 > relu > layernorm > "
     "noise 0.1 > flatten > linear 10", ("noise 0.1", "noise 0.101"), {"epochs": 1}),
    ("noise", "toy", 33, {}, "noise 0.2 > linear 24 > relu > noise 0.1 > linear 24 > noise 0.3 > relu > linear 24 > tanh > noise 0.5 > "
     "linear 2", ("relu > noise 0.1", "noise 0.1 > relu"), {}),
]
CASES = [
    case("sgd", SGD, {"lr": 0.1}, {"lr": 0.101}),
    case("sgd-momentum", SGD, {"lr": 0.03, "momentum": 0.9}, {"momentum": 0.89}),
    case("sgd-nesterov", SGD, {"lr": 0.03, "momentum": 0.9, "nesterov": True}, {"nesterov": False}),
    case("sgd-dampening", SGD, {"lr": 0.1, "momentum": 0.8, "dampening": 0.5}, {"dampening": 0}, data="toy", seed=3),
    case("sgd-decay", SGD, {"lr": 0.1, "weight_decay": 0.01}, {"weight_decay": 0}, data="toy", batch=48),
    case("adam", ADAM, {"lr": 1e-3}, {"betas": (0.9, 0.99)}),
    case("adam-correction", ADAM, {"lr": 1e-3}, {}, data="toy", wrong_class=Uncorrected),
    case("adam-eps", ADAM, {"lr": 1e-3, "eps": 1e-3}, {"eps": 1.5e-3}, data="toy"),
    case("adam-amsgrad", ADAM, {"lr": 1e-2, "amsgrad": True, "weight_decay": 0.01}, {"amsgrad": False}, data="toy"),
    case("adamw", ADAMW, {"lr": 1e-2, "weight_decay": 0.1}, {"weight_decay": 0.09}, data="toy", seed=2**40 + 5),
    case("rmsprop", RMSPROP, {"lr": 1e-3}, {"alpha": 0.98}, bound=4e-5),
    case("rmsprop-centered", RMSPROP, {"lr": 1e-3, "momentum": 0.5, "centered": True, "weight_decay": 0.01},
         {"centered": False}, data="toy"),
    case("adagrad", ADAGRAD, {"lr": 1e-2}, {"lr": 1.01e-2}, data="toy"),
    case("adagrad-decay", ADAGRAD, {"lr": 0.05, "lr_decay": 0.02, "eps": 1e-3, "weight_decay": 0.01},
         {"lr_decay": 0.021}, data="toy"),
    case("adadelta", ADADELTA, {"lr": 1.0}, {"rho": 0.91}, data="toy"),
    case("adadelta-decay", ADADELTA, {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}, {"eps": 1.1e-3},
         data="toy"),
    case("adamax", ADAMAX, {"lr": 2e-3}, {"betas": (0.9, 0.99)}, data="toy"),
    case("adamax-eps", ADAMAX, {"lr": 1e-2, "eps": 1e-2, "weight_decay": 0.01}, {"eps": 1.1e-2}, data="toy"),
    case("radam", RADAM, {"lr": 1e-2}, {"betas": (0.9, 0.998)}, data="toy"),
    case("radam-decay", RADAM, {"lr": 1e-2, "betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.1},
         {"weight_decay": 0.11}, data="toy"),
    case("lion", Lion, {"lr": 1e-3, "weight_decay": 0.1}, {"betas": (0.9, 0.98)}, data="toy"),
    case("nadam", NAdam, {"lr": 2e-3}, {"momentum_decay": 8e-3}, data="toy"),
    case("nadam-decay", NAdam, {"lr": 1e-2, "betas": (0.8, 0.99), "weight_decay": 0.1, "momentum_decay": 0.1},
         {"weight_decay": 0.11}, data="toy"),
    case("rprop", torch.optim.Rprop, {"lr": 1e-3}, {"etas": (0.5, 1.1)}, data="toy", batch=1003, epochs=12, bound=2e-5),
    case("asgd", torch.optim.ASGD, {"lr": 0.1, "lambd": 1e-2, "t0": 5.0}, {"lambd": 1.1e-2}, data="toy"),
    case("asgd-decay", torch.optim.ASGD, {"lr": 0.1, "alpha": 0.5, "lambd": 0.1, "t0": 3.0, "weight_decay": 0.1},
         {"alpha": 0.51}, data="toy"),
    case("lamb", Lamb, {"lr": 1e-2}, {"lr": 1.01e-2}, data="toy"),
    case("lamb-adapt", Lamb, {"lr": 1e-2, "weight_decay": 0.0, "always_adapt": True}, {"always_adapt": False}, data="toy"),
    case("adagrad-start", ADAGRAD, {"lr": 1e-2, "initial_accumulator_value": 0.1}, {"initial_accumulator_value": 0.11},
         data="toy"),
    case("scheduler-step", SGD, {"lr": 0.1}, {}, data="toy", epochs=5,
         scheduler=(STEP, {"step_size": 2, "gamma": 0.5}, {"step_size": 3})),
    case("scheduler-plateau", ADAM, {"lr": 0.02}, {}, data="toy", epochs=8,
         scheduler=(PLATEAU, {"factor": 0.3, "patience": 0, "threshold": 0.2, "cooldown": 1}, {"cooldown": 0})),
    case("scheduler-plateau-max", SGD, {"lr": 0.2}, {}, data="toy", epochs=8,
         scheduler=(PLATEAU, {"mode": "max", "factor": 0.5, "patience": 1, "threshold_mode": "abs"}, {"patience": 2})),
    case("dropout", SGD, {"lr": 0.05, "momentum": 0.9}, {}, wrong_run={"mask_shift": 1},
         layers="flatten > dropout 0.1 > linear 50 > relu > dropout 0.5 > linear 33 > dropout 0.2 > relu > linear 10"),
    case("order", SGD, {"lr": 0.05}, {}, data="toy", batch=7, seed=11, layers="linear 2",
         wrong_run={"order": lambda key, purpose, epoch, n: oracle.permutation(key, purpose, epoch + 1, n)}),
    case("clip-norm", SGD, {"lr": 0.5}, {}, data="toy", work={"clip_norm": 0.1}, wrong_run={"work": {"clip_norm": 0.101}}),
    case("clip-value", SGD, {"lr": 0.1}, {}, data="toy", work={"clip_value": 0.01}, wrong_run={"work": {}}),
    case("l1", SGD, {"lr": 0.1}, {}, data="toy", work={"l1": 1e-3}, wrong_run={"work": {"l1": 1.1e-3}}),
    case("accumulate", ADAM, {"lr": 5e-3}, {}, data="toy", batch=24, work={"accumulate": 4},
         wrong_run={"work": {"accumulate": 3}}),
    case("all-work", SGD, {"lr": 0.3, "momentum": 0.5}, {}, data="toy", batch=50,
         work={"accumulate": 3, "l1": 1e-3, "clip_value": 0.02, "clip_norm": 0.1},
         wrong_run={"work": {"accumulate": 3, "clip_value": 0.02, "clip_norm": 0.1}}),
    case("lookahead", SGD, {"lr": 0.1, "momentum": 0.9}, {}, data="toy", work={"lookahead": 5},
         wrong_run={"work": {"lookahead": 5, "lookahead_alpha": 0.49}}),
    case("ema", ADAM, {"lr": 5e-3}, {}, data="toy", work={"ema": 0.9}, wrong_run={"work": {"ema": 0.91}}),
    case("swa", SGD, {"lr": 0.1}, {}, data="toy", epochs=5, work={"swa_start": 3}, wrong_run={"work": {"swa_start": 2}}),
    case("swa-lookahead", SGD, {"lr": 0.1}, {}, data="toy", epochs=5, work={"swa_start": 4, "lookahead": 4},
         wrong_run={"work": {"swa_start": 4, "lookahead": 3}}),
    case("lookahead-ema", ADAM, {"lr": 5e-3}, {}, data="toy", batch=24,
         work={"lookahead": 3, "lookahead_alpha": 0.8, "ema": 0.8, "accumulate": 4},
         wrong_run={"work": {"lookahead": 2, "lookahead_alpha": 0.8, "ema": 0.8, "accumulate": 4}}),
    case("groups", SGD, {"lr": 0.02, "momentum": 0.9}, {}, data="toy",
         groups={"head": {"match": "4.", "lr": 0.2, "momentum": 0.5}, "first": {"match": "0.weight", "weight_decay": 0.1}},
         wrong_run={"groups": {}}),
    case("scheduler-one-cycle", SGD, {"lr": 0.1}, {}, data="toy", epochs=3,
         scheduler=(ONE_CYCLE, {"max_lr": 0.2, "total_steps": 48, "pct_start": 0.4}, {"base_momentum": 0.86})),
    case("scheduler-one-cycle-betas", ADAM, {"lr": 1e-3}, {}, data="toy", epochs=3,
         scheduler=(ONE_CYCLE, {"max_lr": 0.01, "total_steps": 48, "three_phase": True, "anneal_strategy": "linear"},
                    {"max_momentum": 0.94})),
    case("scheduler-one-cycle-nadam", NAdam, {"lr": 2e-3}, {}, data="toy",
         scheduler=(ONE_CYCLE, {"max_lr": 0.005, "total_steps": 32}, {"base_momentum": 0.86})),
    case("scheduler-cyclic", SGD, {"lr": 0.1, "momentum": 0.5}, {}, data="toy", epochs=3,
         scheduler=(CYCLIC, {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 9, "step_size_down": 5,
                             "mode": "triangular2"}, {"base_momentum": 0.79})),
    case("scheduler-accumulate", SGD, {"lr": 0.1, "momentum": 0.9}, {}, data="toy", batch=24, work={"accumulate": 4},
         scheduler=(ONE_CYCLE, {"max_lr": 0.2, "total_steps": 22}, {"total_steps": 23})),
    case("scheduler-groups", SGD, {"lr": 0.02, "momentum": 0.9}, {}, data="toy", epochs=4,
         groups={"head": {"match": "4.", "lr": 0.2, "momentum": 0.5}}, scheduler=(EXPONENTIAL, {"gamma": 0.8}, {"gamma": 0.81})),
    case("scheduler-groups-plateau", SGD, {"lr": 0.02}, {}, data="toy", epochs=6, groups={"head": {"match": "4.", "lr": 0.2}},
         scheduler=(PLATEAU, {"patience": 0, "threshold": 0.1, "min_lr": 0.01}, {"min_lr": 0.02})),
    *(case(f"layer-{layer.split()[0]}", SGD, {"lr": 0.1}, {"lr": 0.101}, data="toy",
           layers=f"linear 24 > {layer} > linear 16 > {layer} > dropout 0.2 > linear 2")
      for layer in ("gelu", "gelu_tanh", "tanh", "sigmoid", "leaky_relu 0.2", "elu 0.7", "silu", "softplus 1.5 3")),
    case("res", SGD, {"lr": 0.1}, {}, data="toy", wrong_run={"mask_shift": 1},
         layers="linear 24 > relu > res(linear 24 > dropout 0.3 > tanh > relu > res(relu > linear 24)) > relu > linear 2"),
    case("lenet", SGD, {"lr": 0.1}, {"lr": 0.101}, data="images", layers="conv 6 5 pad 2 > relu > maxpool 2 > conv 16 5 > relu > "
         "maxpool 2 > flatten > linear 120 > relu > linear 84 > relu > linear 10"),
    case("pool-first", SGD, {"lr": 0.1}, {"lr": 0.101}, data="images", layers="conv 4 5 > maxpool 2 > relu > conv 6 3 > maxpool 2 > flatten > "
         "linear 10"),
    case("lenet-avgpool", SGD, {"lr": 0.03, "momentum": 0.9}, {"momentum": 0.89}, data="images", layers="conv 6 5 pad 2 > tanh > avgpool 2 > conv 16 5 > "
         "tanh > avgpool 2 > flatten > linear 120 > tanh > linear 84 > tanh > linear 10"),
    case("conv", SGD, {"lr": 0.05}, {}, data="images", wrong_run={"mask_shift": 1}, batch=33, layers="conv 6 4 stride 2 pad 2 > relu > "
         "dropout 0.2 > conv 9 3 groups 3 pad 1 > maxpool 3 stride 2 > relu > res(conv 9 3 dilation 2 pad 2 > relu > conv 9 1) > "
         "relu > avgpool 3 stride 1 > gelu > globalavgpool > flatten > linear 10"),
    *(case("norm-" + name, SGD, {"lr": 0.03}, {}, data=data, batch=batch, work=work, layers=layers,
           wrong_layers=layers.replace(*error), **more) for name, data, batch, work, layers, error, more in NORMS),
    case("split", ADAM, {"lr": 5e-3}, {"lr": 5.05e-3}, data="split"),
]
SPLIT_ROWS, SPLIT_VAL = 1003, 201
SCHEDULES = [
    (STEP, {"step_size": 7, "gamma": 0.3}), (MULTISTEP, {"milestones": [3, 50, 20, 20]}),
    (MULTISTEP, {"milestones": [90], "gamma": 2.5}), (EXPONENTIAL, {"gamma": 0.93}), (CONSTANT, {}),
    (CONSTANT, {"factor": 0.07, "total_iters": 30}), (LINEAR, {}),
    (LINEAR, {"start_factor": 1.0, "end_factor": 0.01, "total_iters": 80}),
    (LINEAR, {"start_factor": 0.9, "end_factor": 0.0, "total_iters": 70}),
    (COSINE, {"T_max": 100, "eta_min": 0.001}), (COSINE, {"T_max": 11}), (COSINE, {"T_max": 1, "eta_min": 0.01}),
    (RESTARTS, {"T_0": 10}), (RESTARTS, {"T_0": 3, "T_mult": 2, "eta_min": 0.002}),
    *([(SCHEDULERS.PolynomialLR, {}), (SCHEDULERS.PolynomialLR, {"total_iters": 90, "power": 1.7})]
      if hasattr(SCHEDULERS, "PolynomialLR") else []),
]


def after(optimizer, first, length, second):
    return SCHEDULERS.SequentialLR(optimizer, [first(optimizer), second(optimizer)], [length])


def warmed(optimizer, length, second, start=1 / 3):
    return after(optimizer, lambda o: LINEAR(o, start_factor=start, total_iters=length), length, second)


WAYS = [  # (csweep's [scheduler], the same in PyTorch: rates of epochs, or of steps where it says so)
    ({"scheduler": "one_cycle"}, lambda o: ONE_CYCLE(o, 0.05, total_steps=200)),
    ({"scheduler": "one_cycle", "max_lr": 0.3, "pct_start": 0.21, "anneal_strategy": "linear", "div_factor": 9,
      "final_div_factor": 77, "total_steps": 200, "cycle_momentum": "no"},
     lambda o: ONE_CYCLE(o, 0.3, epochs=100, steps_per_epoch=2, pct_start=0.21, anneal_strategy="linear", div_factor=9,
                         final_div_factor=77, cycle_momentum=False)),
    ({"scheduler": "one_cycle", "three_phase": "yes"}, lambda o: ONE_CYCLE(o, 0.05, total_steps=200, three_phase=True)),
    ({"scheduler": "one_cycle", "interval": "epoch"}, lambda o: ONE_CYCLE(o, 0.05, total_steps=100)),
    ({"scheduler": "cyclic", "base_lr": 0.001, "step_size_up": 13},
     lambda o: CYCLIC(o, 0.001, 0.05, step_size_up=13)),
    ({"scheduler": "cyclic", "base_lr": 0.01, "max_lr": 0.4, "step_size_up": 7, "step_size_down": 24,
      "mode": "triangular2", "cycle_momentum": "no"},
     lambda o: CYCLIC(o, 0.01, 0.4, step_size_up=7, step_size_down=24, mode="triangular2", cycle_momentum=False)),
    ({"scheduler": "cyclic", "base_lr": 0.01, "max_lr": 0.4, "step_size_up": 11, "mode": "exp_range", "gamma": 0.99},
     lambda o: CYCLIC(o, 0.01, 0.4, step_size_up=11, mode="exp_range", gamma=0.99)),
    ({"scheduler": "lambda", "lr_lambda": "min(1, epoch/5)"}, lambda o: SCHEDULERS.LambdaLR(o, lambda e: min(1, e / 5))),
    ({"scheduler": "lambda", "lr_lambda": "1 - epoch/epochs"}, lambda o: SCHEDULERS.LambdaLR(o, lambda e: 1 - e / 100)),
    ({"scheduler": "lambda", "lr_lambda": "0.5*(1 + cos(3*step/steps))", "interval": "step"},
     lambda o: SCHEDULERS.LambdaLR(o, lambda e: 0.5 * (1 + math.cos(3 * e / 200)))),
    ({"scheduler": "multiplicative", "lr_lambda": "if(epoch > 40, 0.9, 0.99)"},
     lambda o: SCHEDULERS.MultiplicativeLR(o, lambda e: 0.9 if e > 40 else 0.99)),
    ({"scheduler": "cosine", "T_max": 37, "eta_min": 0.002, "interval": "step"}, lambda o: COSINE(o, 37, 0.002)),
    ({"scheduler": "step", "step_size": 9, "gamma": 0.8, "interval": "step"}, lambda o: STEP(o, 9, 0.8)),
    ({"scheduler": "cosine", "T_max": 90, "warmup_epochs": 10}, lambda o: warmed(o, 10, lambda o: COSINE(o, 90))),
    ({"scheduler": "exponential", "gamma": 0.97, "warmup_steps": 33, "warmup_start": 0.01, "interval": "step"},
     lambda o: warmed(o, 33, lambda o: EXPONENTIAL(o, 0.97), 0.01)),
    ({"scheduler": "multistep", "milestones": "60 80", "warmup_epochs": 7, "interval": "step"},
     lambda o: warmed(o, 14, lambda o: MULTISTEP(o, [60, 80]))),
    ({"scheduler": "sequence", "phases": "constant 6 factor=0.1 total_iters=9 > exponential gamma=0.9"},
     lambda o: after(o, lambda o: CONSTANT(o, 0.1, 9), 6, lambda o: EXPONENTIAL(o, 0.9))),
    ({"scheduler": "sequence", "phases": "exponential 30 gamma=0.95 > multiplicative lr_lambda=0.9"},
     lambda o: after(o, lambda o: EXPONENTIAL(o, 0.95), 30, lambda o: SCHEDULERS.MultiplicativeLR(o, lambda e: 0.9))),
    ({"scheduler": "sequence", "phases": "step 50 step_size=3 gamma=0.7 > cosine_restarts T_0=20", "interval": "step"},
     lambda o: after(o, lambda o: STEP(o, 3, 0.7), 50, lambda o: RESTARTS(o, 20))),
    ({"scheduler": "chain", "chain": "constant factor=0.1 total_iters=2 * exponential gamma=0.9"},
     lambda o: SCHEDULERS.ChainedScheduler([CONSTANT(o, 0.1, 2), EXPONENTIAL(o, 0.9)])),
    ({"scheduler": "chain", "chain": "linear total_iters=40 * step step_size=50 * cosine T_max=120", "interval": "step"},
     lambda o: SCHEDULERS.ChainedScheduler([LINEAR(o, total_iters=40), STEP(o, 50), COSINE(o, 120)])),
    ({"scheduler": "chain", "chain": "step * lambda lr_lambda=1/(1 + epoch)"},
     lambda o: SCHEDULERS.ChainedScheduler([STEP(o, 30), SCHEDULERS.LambdaLR(o, lambda e: 1 / (1 + e))])),
]
SCHEDULE_EPOCHS = 100
STATE_BOUND = 2e-5


def data_of(kind):
    """(csweep's keys, training set, validation set)"""
    if kind == "images":
        sets = oracle.fashion("train", 640), oracle.fashion("t10k")
        return {"dataset": "fashion-mnist", "limit": 640}, *sets
    if kind == "fashion":
        keys = {"dataset": "fashion-mnist", "limit": 2000, "normalize": "0.2860 0.3530"}
        sets = oracle.fashion("train", 2000, 0.2860, 0.3530), oracle.fashion("t10k", 0, 0.2860, 0.3530)
        return keys, *sets
    train, test = oracle.random_data(SPLIT_ROWS, 20)
    keys = {"dataset": f"random {SPLIT_ROWS}x20 sum>0"}
    if kind == "toy":
        return keys, train, test
    places = oracle.permutation(0, oracle.SPLIT, 0, SPLIT_ROWS)
    sides = [tuple(part[p] for part in train) for p in (places[:-SPLIT_VAL], places[-SPLIT_VAL:])]
    return {**keys, "val_split": 0.2}, *sides


def text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(repr, value)) if isinstance(value, (tuple, list)) else repr(value).strip("'")


def run_csweep(folder, name, c, keys, settings):
    sections = {
        "sweep": {"seed": c["seed"]}, "data": {**keys, "batch_size": c["batch"]},
        "model": {"layers": c["layers"]}, "train": {"epochs": c["epochs"], **c["work"]},
        "optimizer": {"optimizer": NAMES[c["class"]], **{k: text(v) for k, v in settings.items()}},
    }
    if c["scheduler"]:
        kind, arguments, _ = c["scheduler"]
        sections["scheduler"] = {"scheduler": NAMES[kind], **{k: text(v) for k, v in arguments.items()}}
    for group, own in c["groups"].items():
        sections["group " + group] = {**own, "match": own["match"] + "*"}
    sweep = harness.Sweep(folder, harness.write_grid(os.path.join(folder, name + ".ini"), **sections), name)
    harness.must_run(sweep, "--quiet", "--jobs", "1")
    reference = f"refs/tags/{name}/0001/last"
    files = {f: artifacts.safetensors(artifacts.blob(sweep.store, reference, f + ".safetensors"))[0]
             for f in ("model", "optimizer")}
    arrays = {f: {k: oracle.array(*d) for k, d in t.items()} for f, t in files.items()}
    return arrays["model"], arrays["optimizer"], artifacts.curve(sweep.store, reference)


def run_torch(c, sets, wrong=False):
    settings = {**c["settings"], **(c["wrong"] if wrong else {})}
    scheduler = None
    if c["scheduler"]:
        kind, arguments, error = c["scheduler"]
        chosen = {**arguments, **(error if wrong else {})}
        scheduler = lambda optimizer: kind(optimizer, **chosen)
    changed = {"work": c["work"], "groups": c["groups"], **(c["wrong_run"] if wrong else {})}
    changed["schedule_steps"] = c["scheduler"] is not None and c["scheduler"][0] in (ONE_CYCLE, CYCLIC)
    groups = changed.pop("groups")

    def make_optimizer(net):
        parts, rest = [], dict(net.named_parameters())
        for own in groups.values():
            names = [n for n in rest if n.startswith(own["match"])]
            parts.append({"params": [rest.pop(n) for n in names], **{k: v for k, v in own.items() if k != "match"}})
        return c["wrong_class" if wrong else "class"]([{"params": list(rest.values())}, *parts], **settings)

    layers = c["wrong_layers"] if wrong and c["wrong_layers"] else c["layers"]
    return oracle.train(layers, *sets, make_optimizer, scheduler, c["epochs"], c["batch"], c["seed"], **changed)


def distance(ours, net):
    theirs = net.averages.evaluated().state_dict()
    return max(float(np.abs(ours[k] - theirs[k].numpy()).max()) for k in theirs)


def compare_state(checks, c, ours, net, optimizer):
    """Every state tensor PyTorch keeps, and the weights besides those that are evaluated; no more and no fewer."""
    expected = {}
    for name, parameter in net.named_parameters():
        for slot, value in optimizer.state[parameter].items():
            if slot not in ("step", "eta", "mu", "mu_product") and value is not None:
                expected[f"{name}.{slot}"] = value.numpy()
    expected.update({name: value.numpy() for name, value in net.averages.beside().items()})
    checks.equal(f"{c['name']}: state tensors", sorted(ours), sorted(expected))
    worst = 0.0
    for name in set(ours) & set(expected):
        worst = max(worst, float(np.abs(ours[name] - expected[name]).max() / max(np.abs(expected[name]).max(), 1e-30)))
    checks.true(f"{c['name']}: state", worst <= STATE_BOUND, f"{worst:.2g} relative, bound {STATE_BOUND:.2g}")
    return worst


def compare_curve(checks, c, ours, theirs, train_count, val_count):
    checks.equal(f"{c['name']}: epochs", [row["epoch"] for row in ours], [row["epoch"] for row in theirs])
    for mine, its in zip(ours, theirs):
        for column in its:
            bound = {"Learning_Rate": 1e-12, "Grad/Norm": 1e-3}.get(column, 1e-4) * abs(its[column])
            if column.startswith("Accuracy"):
                bound = 3.5 / (train_count if column == "Accuracy/Train" else val_count)
            checks.near(f"{c['name']}: {column} of epoch {its['epoch']}", mine[column], its[column], bound)


def check_initial(checks, folder, data):
    """lr = 0 keeps the initial weights: they are equal to the bit."""
    for seed in (0, 1, 2**53):
        c = case("initial", SGD, {"lr": 0.0}, {}, data="toy", layers="linear 37 > relu > linear 5", epochs=1, seed=seed)
        place = os.path.join(folder, f"initial-{seed}")
        os.makedirs(place)
        model, _, _ = run_csweep(place, "initial", c, data["toy"][0], c["settings"])
        net = oracle.network(c["layers"], (20,))
        oracle.initialise(net, seed)
        for name, value in net.state_dict().items():
            checks.equal(f"initial {name}, seed {seed}", model[name].tobytes(), value.numpy().tobytes())


def check_schedules(checks, folder):
    """The rate of every epoch, 1e-12 relative; what is trained does not matter."""
    for i, (kind, arguments) in enumerate(SCHEDULES):
        c = case(f"schedule-{i}", SGD, {"lr": 0.05}, {}, data="toy", layers="linear 2", scheduler=(kind, arguments, {}),
                 epochs=SCHEDULE_EPOCHS)
        *_, curve = run_csweep(folder, c["name"], c, {"dataset": "random 64x4 classes=2"}, c["settings"])
        optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
        scheduler, what = kind(optimizer, **arguments), f"{NAMES[kind]} {arguments}"
        checks.equal(f"{what}: epochs", len(curve), SCHEDULE_EPOCHS)
        for row in curve:
            rate = optimizer.param_groups[0]["lr"]
            checks.near(f"{what}: rate of epoch {row['epoch']}", row["Learning_Rate"], rate, 1e-12 * abs(rate))
            optimizer.step()
            scheduler.step()


def check_ways(checks, folder):
    """The rate of every epoch's last step, two steps an epoch: where schedules move on by steps, every second rate."""
    for i, (settings, make) in enumerate(WAYS):
        by_step = settings.get("interval", "step" if settings["scheduler"] in ("one_cycle", "cyclic") else "epoch") == "step"
        name, what = f"way-{i}", " ".join(f"{k} = {v}" for k, v in settings.items())
        grid = harness.write_grid(os.path.join(folder, name + ".ini"), scheduler=settings, model={"layers": "linear 2"},
                                  data={"dataset": "random 64x4 classes=2", "batch_size": 32}, optimizer={"lr": 0.05},
                                  train={"epochs": SCHEDULE_EPOCHS})
        sweep = harness.Sweep(folder, grid, name)
        harness.must_run(sweep, "--quiet", "--jobs", "1")
        curve = artifacts.curve(sweep.store, f"refs/tags/{name}/0001/last")
        optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
        scheduler, rates = make(optimizer), []
        for _ in range(2 * SCHEDULE_EPOCHS if by_step else SCHEDULE_EPOCHS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        checks.equal(f"{what}: epochs", len(curve), SCHEDULE_EPOCHS)
        for row, rate in zip(curve, rates[1::2] if by_step else rates):
            checks.near(f"{what}: rate of epoch {row['epoch']}", row["Learning_Rate"], rate, 1e-12 * max(abs(rate), 1e-6))


def main():
    checks, folder = harness.Checks(), harness.scratch()
    warnings.simplefilter("ignore", UserWarning)  # SequentialLR calls step(0) and warns of it
    chosen = sys.argv[1:]
    if not os.path.isdir(oracle.FASHION):
        harness.skip("no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
    data = {kind: data_of(kind) for kind in ("fashion", "images", "toy", "split")}
    check_initial(checks, folder, data)
    check_schedules(checks, folder)
    check_ways(checks, folder)
    for c in CASES:
        if chosen and c["name"] not in chosen:
            continue
        keys, *sets = data[c["data"]]
        model, state, curve = run_csweep(folder, c["name"], c, keys, c["settings"])
        net, optimizer, expected = run_torch(c, sets)
        checks.equal(f"{c['name']}: tensors", {k: v.shape for k, v in model.items()},
                     {k: tuple(v.shape) for k, v in net.state_dict().items()})
        far = distance(model, net)
        checks.true(f"{c['name']}: weights", far <= c["bound"], f"{far:.2g} apart, bound {c['bound']:.2g}")
        state_far = compare_state(checks, c, state, net, optimizer)
        compare_curve(checks, c, curve, expected, len(sets[0][0]), len(sets[1][0]))
        error = distance(model, run_torch(c, sets, wrong=True)[0])
        checks.true(f"{c['name']}: the error is seen", error >= 10 * c["bound"], f"{error:.2g}, bound {c['bound']:.2g}")
        print(f"{c['name']:22} weights {far:.1e}  state {state_far:.1e}  with the error {error:.1e}", flush=True)
    checks.finish()


if __name__ == "__main__":
    main()
