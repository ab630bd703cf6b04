#!/usr/bin/env python3
"""run_torch_scripts.py - the tutorials' scripts, in PyTorch and in csweep with `rng = torch`, from the same seed.

Each script below is what a reader of a tutorial types: torch.manual_seed, a Sequential, two DataLoaders, an optimizer,
a loop over epochs. PyTorch draws by itself; only the data are given. Per script:

  initial weights   to the bit (csweep trains with lr = 0)
  masks and order   lr = 0: the losses of two epochs, dropout on, 1e-5 relative. Measured: 2e-8
  losses            mean of the batches' losses per epoch, of training and test, 1e-3 relative. Measured: below 2e-6
                    until an activation so near 0 that rounding decides falls on the other side of a relu in one of them; then 5e-4
  weights           3 % of the distance moved. Measured: 1e-6, and after such an activation 1 %

and weights after 100 steps of every optimizer that PyTorch has, of a net without relu: 0.2 % of the distance moved.
Measured: below 1e-6. One draw more before training, in PyTorch, must be seen: it ends 15 % away at least.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("SYSTEM_PYTHON", "/usr/bin/python3", "numpy", "torch")

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import artifacts
import oracle
from run_torch_training import NAMES, NAdam

LOSS_BOUND, STILL_BOUND, MOVED_BOUND, STEPS_BOUND, ERROR = 1e-3, 1e-5, 0.03, 2e-3, 0.15
MNIST = (0.1307, 0.3081)


# ---- what a reader types ----


def classifier():
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))


def mnist_dropout():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, 256), nn.ReLU(),
                         nn.Dropout(0.3), nn.Linear(256, 10))


def quickstart():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def one_hidden():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def regularized():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 128), nn.ReLU(),
                         nn.Dropout(0.5), nn.Linear(128, 10))


def convolutions():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2), nn.Conv2d(6, 16, 5),
                         nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 60), nn.ReLU(), nn.Dropout(0.1),
                         nn.Linear(60, 10))


def normed():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.3),
                         nn.Flatten(), nn.Linear(1176, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))


def xavier(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


def he(module):
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.kaiming_uniform_(module.weight, mode="fan_out", nonlinearity="relu")


def run(seed, build, data, make_optimizer, batch=64, shuffle=True, epochs=3, initialise=None, more_draws=0):
    """(net, first weights, [mean of batch losses], [test loss likewise])"""
    train_set, test_set = (TensorDataset(*map(torch.from_numpy, side)) for side in data)
    torch.manual_seed(seed)
    net = build()
    if initialise:
        net.apply(initialise)
    first = {name: value.detach().clone() for name, value in net.named_parameters()}
    torch.rand(more_draws)
    train_loader = DataLoader(train_set, batch_size=batch, shuffle=shuffle)
    test_loader = DataLoader(test_set, batch_size=batch)
    loss_fn, optimizer = nn.CrossEntropyLoss(), make_optimizer(net.parameters())
    train_losses, test_losses = [], []
    for _ in range(epochs):
        net.train()
        total = 0.0
        for x, y in train_loader:
            loss = loss_fn(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        train_losses.append(total / len(train_loader))
        net.eval()
        total = 0.0
        with torch.no_grad():
            for x, y in test_loader:
                total += loss_fn(net(x), y).item()
        test_losses.append(total / len(test_loader))
    return net, first, train_losses, test_losses


# ---- beside csweep ----

TOY, IMAGES = "random 1000x20 sum>0", "fashion-mnist"
# name, script, csweep's layers, data set (with mean and deviation, and how many), optimizer, the rest
SCRIPTS = [
    ("classifier", classifier, "linear 64 > relu > linear 32 > relu > linear 2", TOY, None, 0, torch.optim.Adam, {"lr": 1e-3},
     {"batch": 32, "epochs": 20}, {}),
    ("mnist-dropout", mnist_dropout, "flatten > linear 512 > relu > dropout 0.3 > linear 256 > relu > dropout 0.3 > linear 10",
     IMAGES, MNIST, 3001, torch.optim.Adam, {"lr": 1e-3}, {}, {}),
    ("quickstart", quickstart, "flatten > linear 512 > relu > linear 512 > relu > linear 10", IMAGES, None, 5000,
     torch.optim.SGD, {"lr": 1e-3}, {"shuffle": False, "epochs": 5}, {}),
    ("one-hidden", one_hidden, "flatten > linear 128 > relu > linear 10", IMAGES, MNIST, 4000, torch.optim.Adam, {"lr": 1e-3},
     {}, {}),
    ("regularized", regularized, "flatten > linear 256 > relu > dropout 0.5 > linear 128 > relu > dropout 0.5 > linear 10",
     IMAGES, None, 3000, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}, {}, {}),
    ("xavier", regularized, "flatten > linear 256 > relu > dropout 0.5 > linear 128 > relu > dropout 0.5 > linear 10", IMAGES,
     None, 1000, torch.optim.SGD, {"lr": 0.05}, {"initialise": xavier, "epochs": 2},
     {"init": "xavier_uniform", "init_bias": "zeros"}),
    ("convolutions", convolutions, "conv 6 5 pad 2 > relu > maxpool 2 > dropout 0.2 > conv 16 5 > relu > maxpool 2 > flatten > "
     "linear 60 > relu > dropout 0.1 > linear 10", IMAGES, None, 1000, torch.optim.SGD, {"lr": 0.1}, {"initialise": he},
     {"init": "kaiming_uniform", "init_mode": "fan_out", "init_nonlinearity": "relu"}),
    # not Adam: biases before a batchnorm have gradients that are rounding alone, which Adam turns into whole steps
    ("normed", normed, "conv 6 5 pad 2 > batchnorm > relu > maxpool 2 > dropout2d 0.3 > flatten > linear 64 > batchnorm > relu > "
     "dropout 0.5 > linear 10", IMAGES, None, 1000, torch.optim.SGD, {"lr": 0.05}, {}, {}),
]
OPTIMIZERS = {torch.optim.SGD: 0.1, torch.optim.Adam: 1e-3, torch.optim.AdamW: 1e-3, torch.optim.RMSprop: 1e-3,
              torch.optim.Adagrad: 0.01, torch.optim.Adadelta: 1.0, torch.optim.Adamax: 2e-3, NAdam: 2e-3,
              torch.optim.RAdam: 1e-3, torch.optim.Rprop: 1e-3, torch.optim.ASGD: 0.01}
NOT_IN_TORCH = {"lion", "lamb"}


def data_of(dataset, scale, limit):
    """(csweep's keys, (training set, test set))"""
    if dataset == IMAGES:
        keys = {"limit": limit, **({"normalize": f"{scale[0]} {scale[1]}"} if scale else {})}
        sides = oracle.fashion("train", limit, *(scale or ())), oracle.fashion("t10k", 0, *(scale or ()))
        return {"dataset": dataset, **keys}, sides
    rows, columns = map(int, dataset.split()[1].split("x"))
    return {"dataset": dataset}, oracle.random_data(rows, columns)


def run_csweep(folder, name, seed, layers, data, optimizer, settings, batch=64, shuffle=True, epochs=3, model=None):
    """(weights, [Loss/Train], [Loss/Val])"""
    grid = harness.write_grid(
        os.path.join(folder, name + ".ini"), sweep={"seed": seed},
        data={**data, "batch_size": batch, "shuffle": "yes" if shuffle else "no"},
        model={"layers": layers, **(model or {})}, train={"epochs": epochs, "rng": "torch", "loss_average": "batches"},
        optimizer={"optimizer": optimizer, **settings})
    sweep = harness.Sweep(folder, grid, name)
    harness.must_run(sweep, "--quiet", "--jobs", "1")
    reference = f"refs/tags/{name}/0001/last"
    tensors = artifacts.safetensors(artifacts.blob(sweep.store, reference, "model.safetensors"))[0]
    curve = artifacts.curve(sweep.store, reference)
    weights = {k: np.frombuffer(d, "<f4").reshape(s) for k, (s, d) in tensors.items() if "num_batches" not in k}
    return weights, [row["Loss/Train"] for row in curve], [row["Loss/Val"] for row in curve]


def compare_losses(checks, what, ours, theirs, bound):
    checks.equal(f"{what}: epochs", len(ours), len(theirs))
    for epoch, (mine, its) in enumerate(zip(ours, theirs), 1):
        checks.near(f"{what} of epoch {epoch}", mine, its, bound * abs(its))
    return max(abs(mine / its - 1) for mine, its in zip(ours, theirs))


def apart(weights, net, first):
    """How far the weights are from the net's, in units of the distance that those moved."""
    far = moved = 0.0
    for name, value in net.named_parameters():
        value = value.detach()
        far += float(((torch.from_numpy(weights[name].copy()) - value).double() ** 2).sum())
        moved += float(((first[name] - value).double() ** 2).sum())
    return (far / moved) ** 0.5


def check_script(checks, folder, name, build, layers, dataset, scale, limit, torch_class, settings, rest, model):
    keys, data = data_of(dataset, scale, limit)
    loop = {k: v for k, v in rest.items() if k != "initialise"}
    for seed in (0, 1) if name == "classifier" else (7,):
        still = {**loop, "epochs": 2}
        net, first, losses, _ = run(seed, build, data, lambda p: torch.optim.SGD(p, lr=0.0), **{**rest, **still})
        weights, ours, _ = run_csweep(folder, f"{name}-still-{seed}", seed, layers, keys, "sgd", {"lr": 0}, model=model, **still)
        for parameter, value in first.items():
            checks.equal(f"{name}: initial {parameter}", weights[parameter].tobytes(), value.numpy().tobytes())
        resting = compare_losses(checks, f"{name}: loss without steps", ours, losses, STILL_BOUND)

        make = lambda p: torch_class(p, **settings)
        net, first, losses, tests = run(seed, build, data, make, **rest)
        options = {k: " ".join(map(str, v)) if isinstance(v, tuple) else v for k, v in settings.items()}
        weights, ours, our_tests = run_csweep(folder, f"{name}-{seed}", seed, layers, keys, NAMES[torch_class], options,
                                              model=model, **loop)
        worst = max(compare_losses(checks, f"{name}: loss", ours, losses, LOSS_BOUND),
                    compare_losses(checks, f"{name}: test loss", our_tests, tests, LOSS_BOUND))
        far = apart(weights, net, first)
        checks.true(f"{name}: weights", far <= MOVED_BOUND, f"{far:.2g} of the distance moved, bound {MOVED_BOUND:g}")
        error = 0.0
        if rest.get("shuffle", True):
            error = apart(weights, run(seed, build, data, make, **rest, more_draws=1)[0], first)
            checks.true(f"{name}: another draw is seen", error >= ERROR, f"{error:.2g}")
        print(f"{name:14} seed {seed}: at rest {resting:.1e}  losses {worst:.1e}  weights {far:.1e}  one draw more {error:.1e}",
              flush=True)


def smooth():
    return nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2))


def check_optimizers(checks, folder):
    """100 steps: 4 epochs of 25."""
    layers = "linear 64 > tanh > linear 32 > tanh > linear 2"
    dataset = "random 800x20 sum>0"
    keys, data = data_of(dataset, None, 0)
    listed = harness.subprocess.run([harness.program(), "describe", "optimizer"], capture_output=True, text=True, check=True)
    names = {line.split()[0] for line in listed.stdout.splitlines() if line.strip()} - NOT_IN_TORCH
    checks.equal("optimizers", sorted(NAMES[c] for c in OPTIMIZERS), sorted(names))
    for torch_class, rate in OPTIMIZERS.items():
        net, first, losses, _ = run(3, smooth, data, lambda p: torch_class(p, lr=rate), batch=32, epochs=4)
        weights, ours, _ = run_csweep(folder, "steps-" + NAMES[torch_class], 3, layers, keys, NAMES[torch_class], {"lr": rate},
                                      batch=32, epochs=4)
        worst = compare_losses(checks, f"{NAMES[torch_class]}: loss", ours, losses, LOSS_BOUND)
        far = apart(weights, net, first)
        checks.true(f"{NAMES[torch_class]}: weights after 100 steps", far <= STEPS_BOUND, f"{far:.2g} of the distance moved")
        print(f"{NAMES[torch_class]:14} losses {worst:.1e}  weights {far:.1e}", flush=True)


def main():
    checks, folder = harness.Checks(), harness.scratch()
    torch.set_num_threads(1)
    if not os.path.isdir(oracle.FASHION):
        harness.skip("no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
    check_optimizers(checks, folder)
    for script in SCRIPTS:
        if not sys.argv[1:] or script[0] in sys.argv[1:]:
            check_script(checks, folder, *script)
    checks.finish()


if __name__ == "__main__":
    main()
