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

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("SYSTEM_PYTHON", "/usr/bin/python3", "numpy", "torch")

import numpy as np
import torch

import artifacts
import oracle

SGD, ADAM, ADAMW, RMSPROP = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop
STEP, PLATEAU = torch.optim.lr_scheduler.StepLR, torch.optim.lr_scheduler.ReduceLROnPlateau
DEEP = "flatten > linear 48 > relu > linear 32 > relu > linear 10"
TOY = "linear 24 > relu > linear 16 > relu > linear 2"


def case(name, torch_class, settings, wrong, data="fashion", layers=None, scheduler=None, epochs=2, batch=64,
         seed=0, bound=2e-6, wrong_class=None, wrong_run=None):
    """settings: keyword arguments of the PyTorch class, which are csweep's keys too; wrong: what the error changes."""
    return {
        "name": name, "class": torch_class, "settings": settings, "wrong": wrong, "data": data,
        "layers": layers or (DEEP if data == "fashion" else TOY), "scheduler": scheduler, "epochs": epochs,
        "batch": batch, "seed": seed, "bound": bound, "wrong_run": wrong_run or {},
        "wrong_class": wrong_class or torch_class,
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
    case("split", ADAM, {"lr": 5e-3}, {"lr": 5.05e-3}, data="split"),
]
SPLIT_ROWS, SPLIT_VAL = 1003, 201
STATE_BOUND = 2e-5


def data_of(kind):
    """(csweep's keys, training set, validation set)"""
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
    return " ".join(map(repr, value)) if isinstance(value, tuple) else repr(value).strip("'")


def run_csweep(folder, name, c, keys, settings):
    optimizer = {SGD: "sgd", ADAM: "adam", ADAMW: "adamw", RMSPROP: "rmsprop"}[c["class"]]
    sections = {
        "sweep": {"seed": c["seed"]}, "data": {**keys, "batch_size": c["batch"]},
        "model": {"layers": c["layers"]}, "train": {"epochs": c["epochs"]},
        "optimizer": {"optimizer": optimizer, **{k: text(v) for k, v in settings.items()}},
    }
    if c["scheduler"]:
        kind, arguments, _ = c["scheduler"]
        sections["scheduler"] = {"scheduler": {STEP: "step", PLATEAU: "plateau"}[kind],
                                 **{k: text(v) for k, v in arguments.items()}}
    sweep = harness.Sweep(folder, harness.write_grid(os.path.join(folder, name + ".ini"), **sections), name)
    harness.must_run(sweep, "--quiet", "--jobs", "1")
    reference = f"refs/tags/{name}/0001/last"
    files = {f: artifacts.safetensors(artifacts.blob(sweep.store, reference, f + ".safetensors"))[0]
             for f in ("model", "optimizer")}
    arrays = {f: {k: np.frombuffer(d, "<f4").reshape(s) for k, (s, d) in t.items()} for f, t in files.items()}
    return arrays["model"], arrays["optimizer"], artifacts.curve(sweep.store, reference)


def run_torch(c, sets, wrong=False):
    settings = {**c["settings"], **(c["wrong"] if wrong else {})}
    scheduler = None
    if c["scheduler"]:
        kind, arguments, error = c["scheduler"]
        chosen = {**arguments, **(error if wrong else {})}
        scheduler = lambda optimizer: kind(optimizer, **chosen)
    return oracle.train(c["layers"], *sets, lambda p: c["wrong_class" if wrong else "class"](p, **settings), scheduler, c["epochs"], c["batch"],
                        c["seed"], **(c["wrong_run"] if wrong else {}))


def distance(ours, net):
    theirs = net.state_dict()
    return max(float(np.abs(ours[k] - theirs[k].numpy()).max()) for k in theirs)


def compare_state(checks, c, ours, net, optimizer):
    """Every state tensor PyTorch keeps; no more and no fewer."""
    expected = {}
    for name, parameter in net.named_parameters():
        for slot, value in optimizer.state[parameter].items():
            if slot != "step" and value is not None:
                expected[f"{name}.{slot}"] = value.numpy()
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
        net = oracle.network(c["layers"], 20)
        oracle.initialise(net, seed)
        for name, value in net.state_dict().items():
            checks.equal(f"initial {name}, seed {seed}", model[name].tobytes(), value.numpy().tobytes())


def main():
    checks, folder = harness.Checks(), harness.scratch()
    chosen = sys.argv[1:]
    if not os.path.isdir(oracle.FASHION):
        harness.skip("no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
    data = {kind: data_of(kind) for kind in ("fashion", "toy", "split")}
    check_initial(checks, folder, data)
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
