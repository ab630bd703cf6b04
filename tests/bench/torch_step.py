#!/usr/bin/python3
"""One training step of an MLP in PyTorch as people write it: 784-512-512-10, batch 64; `tiny`: 20-64-32-2, batch 32.

The counterpart of `bench_kernels step` and of `bench_tiny`: one thread, one pinned core, the data set in memory, SGD and Adam
with their defaults. Prints processor time per step, 5th percentile and median, in microseconds.
"""
import os
import sys
import time

try:
    import torch
except ImportError:
    print("torch_step.py: no torch: apt-get install python3-torch", file=sys.stderr)
    sys.exit(77)
from torch import nn

STEPS, WARM_UP = 300, 30


def blas_in_use():
    """Path of the BLAS that torch loaded, "built in" when it brings its own."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "blas" in line}
    return ", ".join(sorted(os.path.realpath(path) for path in paths)) or "built in"


def make_pixels():
    label = torch.randint(0, 10, (60000,))
    pixel = torch.arange(784)
    lit = (pixel // 28 * 10 // 28 + label[:, None] * 3 + pixel % 28 // 7) % 5 == 0
    x = torch.randint(100, 250, (60000, 784), dtype=torch.uint8) * lit
    return x.float() / 255, label


def make_numbers():
    x = torch.randn(1000, 20)
    return x, (x.sum(dim=1) > 0).long()


def measure(widths, batch, make_optimizer, x, label):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    criterion = nn.CrossEntropyLoss()
    optimizer = make_optimizer(model.parameters())
    order = torch.randperm(len(x))
    seconds = []
    for step in range(WARM_UP + STEPS):
        at = step * batch % (len(x) - batch)
        start = time.process_time()
        pick = order[at:at + batch]
        optimizer.zero_grad()
        loss = criterion(model(x[pick]), label[pick])
        loss.backward()
        optimizer.step()
        seconds.append(time.process_time() - start)
    seconds = sorted(seconds[WARM_UP:])
    return 1e6 * seconds[STEPS // 20], 1e6 * seconds[STEPS // 2]


def main():
    try:
        os.sched_setaffinity(0, {1})
    except OSError:
        print("torch_step.py: not pinned: no core 1", file=sys.stderr)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tiny = sys.argv[1:] == ["tiny"]
    x, label = make_numbers() if tiny else make_pixels()
    widths, batch = ((20, 64, 32, 2), 32) if tiny else ((784, 512, 512, 10), 64)
    torch.mm(torch.ones(64, 64), torch.ones(64, 64))
    blas = blas_in_use()
    if "/blas/libblas" in blas:
        print("torch_step.py: torch uses the slow reference BLAS, a comparison would mean nothing: "
              "apt-get install libopenblas0-pthread", file=sys.stderr)
        sys.exit(77)
    print(f"torch {torch.__version__}, BLAS {blas}, one thread")
    for name, make in (("sgd", lambda p: torch.optim.SGD(p, lr=0.01)),
                       ("adam", lambda p: torch.optim.Adam(p))):
        quick, median = measure(widths, batch, make, x, label)
        print(f"{'tiny' if tiny else 'step'} {name:4s} p5 {quick:7.1f} median {median:7.1f} us")


if __name__ == "__main__":
    main()
