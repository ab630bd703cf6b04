#!/usr/bin/env python3
"""run_torch_losses.py - every loss in csweep and in PyTorch: whole trainings, and all that is measured.

Two epochs of SGD with momentum, on the same initial weights, samples and order (tests/lib/oracle.py). Compared are the
weights (2e-6 absolute), which the gradients made, and the curve: losses 1e-5 relative, as mean over samples and as mean
of batch means; accuracies, top 5 and F1 within what three samples change; MAE and R2. Each case names an error (a
setting left out, another loss), with which PyTorch must end at least ten bounds away.
"""

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

NN, F = torch.nn, torch.nn.functional
EPOCHS, BATCH, LR, BOUND = 2, 33, 0.05, 2e-6
ROWS = 500
WEIGHTS = [0.5, 2, 1, 3, 0.25, 1, 1.5, 0, 1, 2]


def one_hot(count, smoothing=0.0):
    return lambda y: F.one_hot(y, count).float() * (1 - smoothing) + smoothing / count


def as_float(y):
    return y.float().unsqueeze(1)


def same(y):
    return y


def samples(y):
    return len(y)


def elements(y):
    return y.numel()


def class_weights(values=None, ignore=-100):
    w = torch.tensor(values or [1.0] * 10)
    return lambda y: float(w[y[y != ignore]].double().sum())


def case(name, data, layers, keys, loss, wrong, target=same, weight=samples, half=0.0, ignore=-100):
    """loss, wrong: PyTorch's, of outputs and target(labels); weight: what the mean divides by; half: above it is yes."""
    return {"name": name, "data": data, "layers": layers, "keys": keys, "loss": loss, "wrong": wrong, "target": target,
            "weight": weight, "half": half, "ignore": ignore}


DEEP, LOGS = "flatten > linear 24 > relu > linear 10", "flatten > linear 24 > relu > linear 10 > log_softmax"
TOY = "linear 16 > tanh > linear "
WEIGHTED = torch.tensor(WEIGHTS)
TEXT = " ".join(map(str, WEIGHTS))
CASES = [
    case("cross_entropy", "images", DEEP, {}, NN.CrossEntropyLoss(), NN.MultiMarginLoss()),
    case("smoothing", "images", DEEP, {"label_smoothing": 0.1}, NN.CrossEntropyLoss(label_smoothing=0.1),
         NN.CrossEntropyLoss(label_smoothing=0.11)),
    case("weights", "images", DEEP, {"class_weights": TEXT}, NN.CrossEntropyLoss(WEIGHTED), NN.CrossEntropyLoss(),
         weight=class_weights(WEIGHTS)),
    case("all", "images", DEEP, {"class_weights": TEXT, "label_smoothing": 0.2, "ignore_index": 3},
         NN.CrossEntropyLoss(WEIGHTED, ignore_index=3, label_smoothing=0.2),
         lambda x, y: (NN.CrossEntropyLoss(WEIGHTED, ignore_index=3)(x, y) * 0.8 -
                       0.2 * F.log_softmax(x, 1)[y != 3].mean(1).mean()),
         weight=class_weights(WEIGHTS, 3), ignore=3),
    case("smoothing-ignored", "images", DEEP, {"label_smoothing": 0.3, "ignore_index": 0},
         NN.CrossEntropyLoss(ignore_index=0, label_smoothing=0.3), NN.CrossEntropyLoss(label_smoothing=0.3),
         weight=class_weights(None, 0), ignore=0),
    case("nll", "images", LOGS, {"loss": "nll"}, NN.NLLLoss(), lambda x, y: NN.NLLLoss()(x, y) * 1.01),
    case("nll-weights", "images", LOGS, {"loss": "nll", "class_weights": TEXT, "ignore_index": 9},
         NN.NLLLoss(WEIGHTED, ignore_index=9), NN.NLLLoss(WEIGHTED), weight=class_weights(WEIGHTS, 9), ignore=9),
    case("kl_div", "images", LOGS, {"loss": "kl_div", "label_smoothing": 0.25}, NN.KLDivLoss(reduction="batchmean"),
         NN.KLDivLoss(reduction="mean"), one_hot(10, 0.25)),
    case("hinge", "images", DEEP, {"loss": "hinge", "margin": 0.75}, NN.MultiMarginLoss(margin=0.75), NN.MultiMarginLoss()),
    case("bce-one-hot", "images", DEEP + " > sigmoid", {"loss": "bce"}, NN.BCELoss(), NN.MSELoss(), one_hot(10),
         lambda y: 10 * len(y)),
    case("bce-softmax", "images", DEEP + " > softmax", {"loss": "bce"}, NN.BCELoss(), NN.MSELoss(), one_hot(10),
         lambda y: 10 * len(y)),
    case("mse-one-hot", "images", DEEP, {"loss": "mse"}, NN.MSELoss(), NN.L1Loss(), one_hot(10), lambda y: 10 * len(y)),
    case("binary", "toy", TOY + "1", {"loss": "bce_with_logits", "pos_weight": 3}, NN.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)),
         NN.BCEWithLogitsLoss(), as_float),
    case("binary-bce", "toy", TOY + "1 > sigmoid", {"loss": "bce"}, NN.BCELoss(), NN.MSELoss(), as_float, half=0.5),
    case("binary-mse", "toy", TOY + "1", {"loss": "mse"}, NN.MSELoss(), NN.HuberLoss(), as_float, half=0.5),
    case("labels", "labels", TOY + "4", {"loss": "bce_with_logits", "pos_weight": "0.5 1 2 4"},
         NN.BCEWithLogitsLoss(pos_weight=torch.tensor([0.5, 1, 2, 4])), NN.BCEWithLogitsLoss(), weight=elements),
    case("labels-bce", "labels", TOY + "4 > sigmoid", {"loss": "bce"}, NN.BCELoss(), NN.MSELoss(), weight=elements, half=0.5),
    case("labels-kl", "labels", TOY + "4 > log_softmax", {"loss": "kl_div"}, NN.KLDivLoss(reduction="batchmean"), NN.KLDivLoss(),
         half=float(np.log(0.5))),
    case("mse", "values", TOY + "3", {"loss": "mse"}, NN.MSELoss(), NN.HuberLoss(), weight=elements),
    case("l1", "values", TOY + "3", {"loss": "l1"}, NN.L1Loss(), NN.SmoothL1Loss(), weight=elements),
    case("smooth_l1", "values", TOY + "3", {"loss": "smooth_l1", "beta": 0.5}, NN.SmoothL1Loss(beta=0.5), NN.SmoothL1Loss(),
         weight=elements),
    case("smooth_l1-0", "values", TOY + "3", {"loss": "smooth_l1", "beta": 0}, NN.SmoothL1Loss(beta=0), NN.SmoothL1Loss(),
         weight=elements),
    case("huber", "values", TOY + "3", {"loss": "huber", "delta": 2}, NN.HuberLoss(delta=2), NN.HuberLoss(), weight=elements),
    case("linear", "line", "linear 1", {"loss": "mse"}, NN.MSELoss(), NN.L1Loss(), weight=elements),
]


def data_of():
    images = oracle.fashion("train", ROWS), oracle.fashion("t10k")
    return {
        "images": ({"dataset": "fashion-mnist", "limit": ROWS}, *images),
        "toy": ({"dataset": f"random {ROWS}x20 sum>0"}, *oracle.random_data(ROWS, 20)),
        "labels": ({"dataset": f"random {ROWS}x20 labels=4"}, *oracle.linear_data(ROWS, 20, 4)),
        "values": ({"dataset": f"regression {ROWS}x20 outputs=3 noise=0.3"}, *oracle.linear_data(ROWS, 20, 3, 0.3)),
        "line": ({"dataset": f"regression {ROWS}x10"}, *oracle.linear_data(ROWS, 10, 1, 0.1)),
    }


class Side:
    """What is measured while batches go by."""

    def __init__(self, c):
        self.c, self.sum, self.weight, self.means, self.outputs, self.targets = c, 0.0, 0.0, [], [], []

    def add(self, out, y, loss):
        weight = self.c["weight"](y)
        self.sum += float(loss) * weight
        self.weight += weight
        self.means.append(float(loss))
        self.outputs.append(out.detach())
        self.targets.append(y)

    def values(self, side):
        """{tag: value}; F1 of classes of the validation side alone."""
        out, y = torch.cat(self.outputs).double(), torch.cat(self.targets)
        got = {"Loss/": self.sum / self.weight, "means": sum(self.means) / len(self.means)}
        if self.c["data"] in ("images", "toy"):
            kept = y != self.c["ignore"]
            out, y = out[kept], y[kept]
            said = out.argmax(1) if out.shape[1] > 1 else (out[:, 0] > self.c["half"]).long()
            got["Accuracy/"] = float((said == y).double().mean())
            if out.shape[1] > 5:
                got["Accuracy_Top5/"] = float((out.topk(5).indices == y[:, None]).any(1).double().mean())
            if side == "Val":
                both = [(int(((said == k) & (y == k)).sum()), int((said == k).sum() + (y == k).sum()))
                        for k in range(max(out.shape[1], 2))]
                got["F1/"] = float(np.mean([2 * hit / every for hit, every in both if every]))
        elif self.c["data"] == "labels":
            said, is_set = out > self.c["half"], y > 0.5
            got["Accuracy/"] = float((said == is_set).double().mean())
            got["F1/"] = float(2 * (said & is_set).sum() / (said.sum() + is_set.sum()))
        else:
            got["MAE/"] = float((out - y).abs().mean())
            got["R2/"] = float(1 - ((out - y) ** 2).sum() / ((y.double() - y.double().mean(0)) ** 2).sum())
        return {tag + side if tag != "means" else tag: value for tag, value in got.items()}


def run_torch(c, train, val, loss):
    torch.set_num_threads(1)
    x, y, vx, vy = (torch.from_numpy(np.ascontiguousarray(a)) for a in (*train, *val))
    net = oracle.network(c["layers"], x.shape[1:])
    oracle.initialise(net, 0)
    optimizer, curve = torch.optim.SGD(net.parameters(), lr=LR, momentum=0.9), []
    for epoch in range(EPOCHS):
        places = torch.from_numpy(oracle.permutation(0, oracle.SHUFFLE, epoch, len(x)))
        sides = {"Train": Side(c), "Val": Side(c)}
        for at in range(0, len(x), BATCH):
            chosen = places[at : at + BATCH]
            optimizer.zero_grad()
            out = net(x[chosen])
            value = loss(out, c["target"](y[chosen]))
            value.backward()
            optimizer.step()
            sides["Train"].add(out, y[chosen], value.detach())
        with torch.no_grad():
            for at in range(0, len(vx), BATCH):
                out, label = net(vx[at : at + BATCH]), vy[at : at + BATCH]
                sides["Val"].add(out, label, loss(out, c["target"](label)))
        curve.append({name: side.values(name) for name, side in sides.items()})
    return net.state_dict(), curve


def run_csweep(folder, c, keys, average):
    name = f"{c['name']}-{average}"
    grid = harness.write_grid(os.path.join(folder, name + ".ini"), data={**keys, "batch_size": BATCH},
                              model={"layers": c["layers"]},
                              train={"epochs": EPOCHS, "loss_average": average, **c["keys"]},
                              optimizer={"lr": LR, "momentum": 0.9})
    sweep = harness.Sweep(folder, grid, name)
    harness.must_run(sweep, "--quiet", "--jobs", "1")
    reference = f"refs/tags/{name}/0001/last"
    tensors = artifacts.safetensors(artifacts.blob(sweep.store, reference, "model.safetensors"))[0]
    return ({k: np.frombuffer(d, "<f4").reshape(s) for k, (s, d) in tensors.items()},
            artifacts.curve(sweep.store, reference))


def compare_curve(checks, name, ours, theirs, average, counts):
    for mine, its in zip(ours, theirs):
        for side, values in its.items():
            for tag, value in values.items():
                if tag == "means":
                    continue
                if tag.startswith("Loss") and average == "batches":
                    value = values["means"]
                bound = 1e-5 * max(abs(value), 0.1)
                if tag.startswith(("Accuracy", "F1")):
                    bound = 3.5 / counts[side] * (10 if tag == "F1/Val" else 1)
                checks.near(f"{name}, {average}: {tag} of epoch {mine['epoch']}", mine[tag], value, bound)
    tags = {tag for values in theirs[0].values() for tag in values if tag != "means"}
    checks.equal(f"{name}: columns", set(ours[0]), tags | {"epoch", "Learning_Rate", "Grad/Norm"})


def distance(ours, theirs):
    return max(float(np.abs(ours[k] - v.numpy()).max()) for k, v in theirs.items())


def main():
    warnings.simplefilter("ignore", UserWarning)  # kl_div's mean, which is an error here
    checks, folder, chosen = harness.Checks(), harness.scratch(), sys.argv[1:]
    if not os.path.isdir(oracle.FASHION):
        harness.skip("no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
    data = data_of()
    for c in CASES:
        if chosen and c["name"] not in chosen:
            continue
        keys, *sets = data[c["data"]]
        weights, curve = run_torch(c, *sets, c["loss"])
        for average in ("samples", "batches"):
            ours, mine = run_csweep(folder, c, keys, average)
            compare_curve(checks, c["name"], mine, curve, average, {"Train": len(sets[0][0]), "Val": len(sets[1][0])})
        far = distance(ours, weights)
        checks.true(f"{c['name']}: weights", far <= BOUND, f"{far:.2g} apart, bound {BOUND:.2g}")
        error = distance(ours, run_torch(c, *sets, c["wrong"])[0])
        checks.true(f"{c['name']}: the error is seen", error >= 10 * BOUND, f"{error:.2g}, bound {BOUND:.2g}")
        print(f"{c['name']:18} weights {far:.1e}  with the error {error:.1e}", flush=True)
    checks.finish()


if __name__ == "__main__":
    main()
