#!/usr/bin/python3
"""torch_train.py OPTIMIZER LR LAYERS... - steps of the same nets in PyTorch as people write it; the counterpart of bench_train.

Fashion-MNIST in memory as float tensors, batch 64, a random order, one thread, one pinned core. LAYERS as in a grid file. Prints
processor time per step: mean, median and 5th percentile of 300 steps, in microseconds.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
try:
    import torch

    import oracle
except ImportError as error:
    print(f"torch_train.py: {error}: apt-get install python3-torch python3-numpy", file=sys.stderr)
    sys.exit(77)
from torch import nn

from torch_step import blas_in_use

STEPS, WARM_UP, BATCH = 300, 30, 64


def build(text):
    layers, shape = [], (1, 28, 28)
    for word, *rest in (part.split() for part in text.split(">")):
        numbers = [float(x) for x in rest if x[0].isdigit()]
        if word == "flatten":
            layers.append(nn.Flatten())
        elif word == "relu":
            layers.append(nn.ReLU())
        elif word == "dropout":
            layers.append(nn.Dropout(numbers[0]))
        elif word == "batchnorm":
            layers.append((nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(shape[0]))
        elif word == "layernorm":
            layers.append(nn.LayerNorm(shape))
        elif word == "maxpool":
            layers.append(nn.MaxPool2d(int(numbers[0])))
        elif word == "linear":
            width = torch.Size(shape).numel()
            layers.append(nn.Linear(width, int(numbers[0])))
        elif word == "conv":
            pad = int(rest[rest.index("pad") + 1]) if "pad" in rest else 0
            layers.append(nn.Conv2d(shape[0], int(rest[0]), int(rest[1]), padding=pad))
        else:
            sys.exit(f"torch_train.py: no layer {word}")
        shape = tuple(layers[-1].eval()(torch.zeros(1, *shape)).shape[1:])
    return nn.Sequential(*layers)


def main():
    name, rate, text = sys.argv[1], float(sys.argv[2]), " ".join(sys.argv[3:])
    os.sched_setaffinity(0, {1})
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.mm(torch.ones(64, 64), torch.ones(64, 64))
    if "/blas/libblas" in blas_in_use():
        print("torch_train.py: torch uses the slow reference BLAS: apt-get install libopenblas0-pthread", file=sys.stderr)
        sys.exit(77)
    x, label = map(torch.from_numpy, oracle.fashion("train"))
    model, criterion = build(text), nn.CrossEntropyLoss()
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name](model.parameters(), lr=rate)
    order, seconds = torch.randperm(len(x)), []
    model.train()
    for step in range(WARM_UP + STEPS):
        start = time.process_time()
        pick = order[step * BATCH : (step + 1) * BATCH]
        optimizer.zero_grad()
        criterion(model(x[pick]), label[pick]).backward()
        optimizer.step()
        seconds.append(1e6 * (time.process_time() - start))
    seconds = sorted(seconds[WARM_UP:])
    print(f"torch {torch.__version__}: mean {sum(seconds) / STEPS:8.2f} median {seconds[STEPS // 2]:8.2f} "
          f"p5 {seconds[STEPS // 20]:8.2f} us")


if __name__ == "__main__":
    main()
