#!/usr/bin/python3
"""torch_sweep.py WAY - the trials of `csweep plan --json` (standard input) as one trains them with joblib and PyTorch.

Two processes of one thread, a trial each at a time. WAY:
    memory    the data set in memory as float tensors, a hand-written loop, optimizers as typed
    foreach   the same, optimizers with foreach=True
    tutorial  the beginner's tutorial: torchvision's data set with ToTensor, DataLoader with shuffle
Losses and accuracies of every epoch end in a JSON file of the trial. Prints seconds of wall clock, imports included, seconds of
processor time, the workers' imports left out, and the mean of the last accuracies.
"""
import time

STARTED = time.monotonic()

import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
try:
    import joblib
    import torch

    import oracle
except ImportError as error:
    print(f"torch_sweep.py: {error}: apt-get install python3-torch python3-torchvision python3-joblib", file=sys.stderr)
    sys.exit(77)
from torch import nn

from torch_step import blas_in_use
from torch_train import build

JOBS = 2
DATA = {}


def load(way):
    """The data set of this process, read once."""
    if not DATA and way == "tutorial":
        from torchvision import datasets, transforms

        for side, train in (("train", True), ("val", False)):
            DATA[side] = datasets.FashionMNIST(os.environ["TORCH_DATA"], train=train, transform=transforms.ToTensor())
    if not DATA:
        for side, name in (("train", "train"), ("val", "t10k")):
            DATA[side] = tuple(map(torch.from_numpy, oracle.fashion(name)))
    return DATA


def batches(way, side, size):
    data = load(way)[side]
    if way == "tutorial":
        yield from torch.utils.data.DataLoader(data, batch_size=size, shuffle=side == "train")
        return
    x, label = data
    order = torch.randperm(len(x)) if side == "train" else torch.arange(len(x))
    for pick in order.split(size):
        yield x[pick], label[pick]


def make_optimizer(way, params, model):
    more = {"foreach": True} if way == "foreach" else {}
    if params["optimizer"] == "sgd":
        return torch.optim.SGD(model.parameters(), lr=params["lr"], momentum=params["momentum"], **more)
    kinds = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}
    return kinds[params["optimizer"]](model.parameters(), lr=params["lr"], **more)


def train(way, trial, folder):
    before = time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(trial["seed"])
    params, curve = trial["params"], []
    model, criterion, size = build(params["layers"]), nn.CrossEntropyLoss(), params["batch_size"]
    optimizer = make_optimizer(way, params, model)
    for _ in range(params["epochs"]):
        loss_sum, right, count, seen = 0.0, 0, 0, 0
        model.train()
        for x, label in batches(way, "train", size):
            optimizer.zero_grad()
            loss = criterion(model(x), label)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(x)
            count += len(x)
        model.eval()
        with torch.no_grad():
            for x, label in batches(way, "val", size):
                right += (model(x).argmax(1) == label).sum().item()
                seen += len(x)
        curve.append({"loss": loss_sum / count, "accuracy": right / seen})
    with open(os.path.join(folder, f"{trial['number']}.json"), "w", encoding="utf-8") as file:
        json.dump(curve, file)
    return curve[-1]["accuracy"], time.process_time() - before


def main():
    way, trials = sys.argv[1], json.load(sys.stdin)["trial"]
    torch.mm(torch.ones(64, 64), torch.ones(64, 64))
    if "/blas/libblas" in blas_in_use():
        print("torch_sweep.py: torch uses the slow reference BLAS: apt-get install libopenblas0-pthread", file=sys.stderr)
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        done = joblib.Parallel(n_jobs=JOBS)(joblib.delayed(train)(way, trial, folder) for trial in trials)
    accuracy, seconds = (sum(column) / len(done) for column in zip(*done))
    print(f"{way} {time.monotonic() - STARTED:.2f} s, processor {seconds * len(done) + time.process_time():.2f} s, {len(done)} trials, "
          f"mean accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
