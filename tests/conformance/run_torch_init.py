#!/usr/bin/env python3
"""run_torch_init.py - `[model] init` against torch.nn.init: size and shape of every scheme, over all its keys.

Trials with lr = 0 keep their initial weights. Each weight tensor is compared with what PyTorch's function makes of
csweep's draws (tests/lib/oracle.py): the function is called on a tensor of the same shape, its bound or deviation is
taken from what it asks of uniform_ and normal_, and the draws are stretched to it. Uniform numbers must be equal to the
bit, normal ones within 1e-6 relative, an orthogonal matrix within 1e-6 of Q of torch.linalg.qr.
"""

import os
import sys
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("SYSTEM_PYTHON", "/usr/bin/python3", "numpy", "torch")

import numpy as np
import torch

import artifacts
import oracle

INIT, SEED = torch.nn.init, 5
KINDS = ["relu", "tanh", "linear", "selu", "sigmoid"]
KAIMING = [{}, *({"init_nonlinearity": kind} for kind in KINDS), {"init_a": 0.3}, {"init_mode": "fan_out"},
           {"init_mode": "fan_out", "init_nonlinearity": "tanh"}]
GAINS = [{}, {"init_gain": 1.7}, {"init_gain": INIT.calculate_gain("tanh")}]
SCHEMES = {
    "xavier_uniform": GAINS, "xavier_normal": GAINS, "kaiming_uniform": KAIMING, "kaiming_normal": KAIMING,
    "orthogonal": GAINS, "normal": [{}, {"init_std": 0.02}], "zeros": [{}], "pytorch": [{}],
}
NETS = {"random 8x20 classes=3": ("linear 33 > relu > linear 50 > linear 3", (20,)),
        "fashion-mnist": ("conv 6 5 stride 3 > relu > conv 8 3 groups 2 > flatten > linear 10", (1, 28, 28))}


def asked_of_torch(scheme, keys, tensor):
    """("uniform" or "normal", size) that PyTorch's function asks of the tensor."""
    asked = []
    arguments = {k.removeprefix("init_"): v for k, v in keys.items()}
    uniform = lambda self, a, b, **_: asked.append(("uniform", b)) or self
    normal = lambda self, mean, std, **_: asked.append(("normal", std)) or self
    with unittest.mock.patch.object(torch.Tensor, "uniform_", uniform), \
            unittest.mock.patch.object(torch.Tensor, "normal_", normal):
        getattr(INIT, scheme + "_")(tensor, **arguments)
    return asked[0]


def expected(scheme, keys, shape, index):
    tensor = torch.zeros(shape)
    if scheme == "zeros":
        return tensor.numpy()
    if scheme == "orthogonal":
        drawn = torch.from_numpy(oracle.initial_normal(SEED, index, tensor.numel())).double().reshape(shape[0], -1)
        wide = drawn.shape[0] < drawn.shape[1]
        q, r = torch.linalg.qr(drawn.T if wide else drawn)
        q = q * torch.sign(torch.diagonal(r))
        return ((q.T if wide else q) * keys.get("init_gain", 1)).reshape(shape).numpy()
    if scheme == "pytorch":
        scheme, keys = "kaiming_uniform", {"init_a": 5**0.5}
    kind, size = asked_of_torch(scheme, keys, tensor)
    if kind == "uniform":
        return oracle.initial(SEED, index, tensor.numel(), size).reshape(shape)
    return (np.float32(size) * oracle.initial_normal(SEED, index, tensor.numel())).reshape(shape)


def main():
    checks, folder, number = harness.Checks(), harness.scratch(), 0
    for dataset, (layers, shape) in NETS.items():
        if dataset == "fashion-mnist" and not os.path.isdir(oracle.FASHION):
            print("no Fashion-MNIST here: no convolutions")
            continue
        net = oracle.network(layers, shape)
        for scheme, variants in SCHEMES.items():
            for keys in variants:
                number += 1
                name = f"init-{number}"
                grid = harness.write_grid(
                    os.path.join(folder, name + ".ini"), sweep={"seed": SEED}, data={"dataset": dataset, "limit": 8},
                    model={"layers": layers, "init": scheme, "init_bias": "zeros", **keys}, train={"epochs": 1},
                    optimizer={"lr": 0})
                sweep = harness.Sweep(folder, grid, name)
                harness.must_run(sweep, "--quiet", "--jobs", "1")
                blob = artifacts.blob(sweep.store, f"refs/tags/{name}/0001/last", "model.safetensors")
                model = {k: np.frombuffer(d, "<f4").reshape(s) for k, (s, d) in artifacts.safetensors(blob)[0].items()}
                for index, (parameter, value) in enumerate(net.state_dict().items()):
                    what, got = f"{dataset}, {scheme} {keys}: {parameter}", model[parameter]
                    if parameter.endswith("bias"):
                        checks.true(what, not got.any())
                        continue
                    want = expected(scheme, keys, tuple(value.shape), index)
                    if scheme in ("orthogonal", "normal", "xavier_normal", "kaiming_normal"):
                        far = float(np.abs(got - want).max() / np.abs(want).max())
                        checks.true(what, far <= 1e-6, f"{far:.2g} apart")
                    else:
                        checks.equal(what, got.tobytes(), want.astype("<f4").tobytes())
    listed = harness.subprocess.run([harness.program(), "describe", "init"], capture_output=True, text=True, check=True)
    checks.equal("schemes", sorted(line.split()[0] for line in listed.stdout.splitlines() if line.strip()), sorted(SCHEMES))
    checks.finish()


if __name__ == "__main__":
    main()
