#!/usr/bin/env python3
"""random_nets.py [SEED [COUNT]] - nets and settings that nobody chose have one set of bits as well.

Each round draws a net from the layers of the registry, a data set, optimizers and what works on the gradient, and
trains it by the reference backend, each trial alone; then by one of this machine's instruction sets, with drawn
numbers of workers and fused trials, and now and then stopped (Ctrl-C) or killed on the way and taken up again. The git
object ids of weights, optimizer state and curve must agree. Some nets get a layer that cannot be: they must be refused
before anything runs.

A few rounds from a fixed seed; a long run goes on from one of the day, which is printed.

# limit: 600
"""

import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

LONG = bool(os.environ.get("CSWEEP_LONG"))
FILES = ["model.safetensors", "optimizer.safetensors", "curve.csv"]
FASHION = "/usr/share/datasets/fashion-mnist"
CONFIG_FAULT = 3


BROKEN = ["linear 0", "dropout 1.5", "maxpool 99", "conv 4", "softminus", "linear 3 3", "res( linear 5", ""]


class Net:
    """Layers drawn one after another, with the shape that they leave."""

    def __init__(self, rng, known, shape):
        self.rng, self.known, self.shape, self.broken = rng, known, shape, False

    def pick(self, *names):
        return self.rng.choice([name for name in names if name in self.known])

    def values(self):
        """A layer that keeps the shape."""
        rng = self.rng
        name = self.pick("relu", "relu", "relu", "dropout", "gelu", "gelu_tanh", "tanh", "sigmoid", "leaky_relu", "elu", "silu",
                         "softplus", "batchnorm", "layernorm", "noise", *(["dropout2d"] if len(self.shape) == 3 else []))
        number = {"dropout": rng.choice([0, 0.1, 0.5]), "dropout2d": 0.3, "leaky_relu": 0.1, "noise": 0.1}
        return f"{name} {number[name]}" if name in number else name

    def image(self):
        rng, (channels, height, width) = self.rng, self.shape
        name = self.pick("conv", "conv", "maxpool", "avgpool")
        if name == "conv":
            kernel, stride, pad, dilation = rng.randint(1, 5), rng.choice([1, 1, 2]), rng.randint(0, 2), rng.choice([1, 1, 2])
            groups = rng.choice([g for g in range(1, channels + 1) if channels % g == 0])
            filters = groups * rng.randint(1, max(1, 12 // groups))
            sizes = [(n + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for n in (height, width)]
            if min(sizes) < 1 or min(height, width) + 2 * pad < dilation * (kernel - 1) + 1:
                return None
            self.shape = (filters, *sizes)
            return f"conv {filters} {kernel} stride {stride} pad {pad} dilation {dilation} groups {groups}"
        window, stride = rng.randint(2, 3), rng.randint(1, 3)
        if min(height, width) < window:
            return None
        self.shape = (channels, (height - window) // stride + 1, (width - window) // stride + 1)
        return f"{name} {window} stride {stride}"

    def block(self):
        inside = [self.values()]
        if len(self.shape) == 3:
            inside.append(f"conv {self.shape[0]} 3 pad 1")
        else:
            inside.append(f"linear {self.shape[0]}")
        self.rng.shuffle(inside)
        return f"res( {' > '.join(inside)} )"

    def draw(self, classes):
        layers = []
        for _ in range(self.rng.randint(0, 3) if len(self.shape) == 3 else 0):
            layers += [self.image(), *([self.values()] if self.rng.random() < 0.8 else [])]
            if self.rng.random() < 0.2:
                layers.append(self.block())
        if len(self.shape) == 3:
            layers.append("flatten")
            self.shape = (self.shape[0] * self.shape[1] * self.shape[2],)
        for _ in range(self.rng.randint(0, 3)):
            width = self.rng.choice([1, 3, 8, 15, 16, 17, 33, 40, 64, 70])
            layers += [f"linear {width}", *(self.values() for _ in range(self.rng.randint(0, 2)))]
            self.shape = (width,)
            if self.rng.random() < 0.2:
                layers.append(self.block())
        layers = [layer for layer in [*layers, f"linear {classes}"] if layer]
        if self.rng.random() < 0.1:
            layers.insert(self.rng.randint(0, len(layers)), self.rng.choice(BROKEN))
            self.broken = True
        return " > ".join(layers)


LOSSES = {  # of which targets, with what their settings may be, and the layer that must come last
    "classes": [("cross_entropy", {"label_smoothing": [0, 0.1], "ignore_index": [-100, 1]}, None), ("nll", {"ignore_index": [-100, 0]}, "log_softmax"),
                ("kl_div", {"label_smoothing": [0, 0.2]}, "log_softmax"), ("hinge", {"margin": [1, 0.5]}, None), ("mse", {}, "softmax")],
    "labels": [("bce_with_logits", {"pos_weight": [1, 3]}, None), ("bce", {}, "sigmoid"), ("l1", {}, None), ("huber", {"delta": [1, 0.5]}, None)],
    "values": [("mse", {}, None), ("l1", {}, None), ("smooth_l1", {"beta": [1, 0, 0.5]}, None), ("huber", {"delta": [1, 3]}, None)],
}


def draw_data(rng):
    """What the targets are, how wide, the shape of the input, and the data set's keys."""
    kind = rng.choice(["classes", "classes", "classes", "labels", "values"])
    if kind == "classes" and rng.random() < 0.5 and os.path.isdir(FASHION):
        return kind, 10, (1, 28, 28), {"dataset": "fashion-mnist", "limit": rng.randint(20, 70)}
    rows, columns, width = rng.randint(40, 300), rng.choice([1, 3, 16, 20, 37]), rng.randint(1 if kind != "classes" else 2, 12)
    name = {"classes": f"random {rows}x{columns} classes={width}", "labels": f"random {rows}x{columns} labels={width}",
            "values": f"regression {rows}x{columns} outputs={width}"}[kind]
    return kind, width, (columns,), {"dataset": name}


def draw_loss(rng, kind):
    """Keys of [train], and the layer that the net must end in."""
    if kind == "classes" and rng.random() < 0.4:
        return {}, None
    loss, settings, last = rng.choice(LOSSES[kind])
    return {"loss": loss, **{key: rng.choice(values) for key, values in settings.items()}}, last


def draw_sections(rng, layers, optimizers):
    kind, width, shape, data = draw_data(rng)
    loss, last = draw_loss(rng, kind)
    net = Net(rng, layers, shape)
    train = {"epochs": rng.randint(1, 2), "checkpoint_every": 1, **loss, "loss_average": rng.choice(["samples", "samples", "batches"]), **rng.choice([
        {}, {}, {"clip_norm": 0.1}, {"clip_value": 0.01}, {"l1": 1e-4}, {"accumulate": 3}, {"accumulate": 2, "clip_norm": 0.5}]),
        **rng.choice([{}, {}, {"ema": 0.9}, {"lookahead": 3}, {"swa_start": 1, "lookahead": 2, "lookahead_alpha": 0.8}])}
    drawn = net.draw(width) + (f" > {last}" if last else "")
    if "noise" not in drawn and rng.random() < 0.3:  # which normal numbers cannot be had for
        train["rng"] = "torch"
    inits = ["pytorch", "pytorch", "xavier_uniform", *([] if "rng" in train else ["kaiming_normal", "orthogonal"])]
    return {
        "sweep": {"seeds": rng.choice([1, 2, 5])},
        "data": {**data, "batch_size": rng.choice([2, 7, 16, 31, 32, 64]), "val_split": 0.3, "shuffle": rng.choice(["yes", "yes", "no"])},
        "model": {"layers": drawn, "init": rng.choice(inits)},
        "train": train,
        "optimizer": {"optimizer": ", ".join(rng.sample(optimizers, 3)), "lr": rng.choice([1e-3, 0.01]),
                      "weight_decay": rng.choice([0, 0, 0.01])},
        "scheduler": rng.choice([{"scheduler": "none"}, {"scheduler": "none"}, {"scheduler": "cosine", "T_max": 3},
                                 {"scheduler": "one_cycle", "cycle_momentum": "no"}, {"scheduler": "step", "step_size": 1}]),
    }, net.broken


def ids(sweep):
    names = {(record["number"], file): f"refs/tags/{sweep.name}/{record['number']:04d}/last:{file}"
             for record in artifacts.trials(sweep.dir).values() for file in FILES}
    found = artifacts.object_ids(sweep.store, list(names.values()))
    return {key: found[name] for key, name in names.items()}


def disturb(sweep, rng, arguments, environment):
    """Started and stopped a few times before it is run to its end."""
    for _ in range(rng.randint(1, 3)):
        process = sweep.start("--quiet", *arguments, env={**os.environ, **environment})
        time.sleep(rng.uniform(0.02, 0.4))
        harness.kill(process.pid, rng.choice([signal.SIGINT, signal.SIGKILL]))
        process.communicate()


def one_round(checks, rng, number, folder, layers, optimizers):
    """False when what was drawn cannot be trained."""
    sections, broken = draw_sections(rng, layers, optimizers)
    grid = harness.write_grid(os.path.join(folder, f"round{number}.ini"), **sections)
    reference = harness.Sweep(folder, grid, f"ref{number}")
    code, _, errors = reference.run("--quiet", "--jobs", "2", "--fuse", "off", environment={"CSWEEP_CPU": "ref"})
    if broken:
        checks.equal(f"round {number}: exit code for {sections['model']['layers']}", code, CONFIG_FAULT)
        checks.true(f"round {number}: refused in lines of the file", errors.startswith(grid + ":"), errors)
        checks.true(f"round {number}: nothing begun", not os.path.exists(reference.logdir))
        return False
    if code == CONFIG_FAULT and "batchnorm" in sections["model"]["layers"] and "one value per channel" in errors:
        return False  # a last batch of one sample
    what = f"round {number} ({sections['model']['layers']}; {sections['optimizer']}; {sections['data']}; {sections['train']})"
    checks.equal(f"{what}: exit code", (code, errors), (0, ""))
    environment = {"CSWEEP_CPU": rng.choice(harness.instances())}
    arguments = ["--jobs", rng.choice(["1", "2"]), "--fuse", rng.choice(["auto", "off", "2", "7", "16"])]
    sweep = harness.Sweep(folder, grid, f"cpu{number}")
    if rng.random() < 0.4:
        disturb(sweep, rng, arguments, environment)
    harness.must_run(sweep, "--quiet", *arguments, environment=environment)
    found = ids(sweep)
    for key, value in ids(reference).items():
        checks.true(f"{what}, {environment}, {arguments}: {key}", value and found.get(key) == value,
                    f"got {found.get(key)}, reference {value}")
    return True


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time()) if LONG else 7
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 400 if LONG else 12
    print(f"seed {seed}")
    checks, folder, rng = harness.Checks(), harness.scratch(), random.Random(seed)
    layers, optimizers = harness.registry("layer"), harness.registry("optimizer")
    trained = sum(one_round(checks, rng, number, folder, layers, optimizers) for number in range(rounds))
    print(f"{trained} trained, {rounds - trained} refused")
    checks.finish()


if __name__ == "__main__":
    main()
