"""oracle.py - csweep's draws in numpy and its training in PyTorch, written from the descriptions alone.

Philox4x32-10 (Salmon et al., SC 2011) with key = seed and counter = place; places as listed at the head of
kernels/math/philox.h. Everything that is random (initial weights, order of the samples, dropout masks, the random
data set) comes from here; everything that is arithmetic (products, losses, gradients, optimizers, schedulers) is
PyTorch's own, in float32 on one thread.
"""

import copy
import gzip
import math
import os

import numpy as np
import torch

INIT, SHUFFLE, DROPOUT, DATA, SPLIT, NOISE = 1, 2, 3, 4, 5, 6
FASHION = "/usr/share/datasets/fashion-mnist"


# ---- draws ----


def philox(key, c0, c1, c2, c3):
    """Words [n, 4] for counters that broadcast to n places."""
    shape = np.broadcast(c0, c1, c2, c3).shape
    c = [np.broadcast_to(np.asarray(x, np.uint64), shape).copy() for x in (c0, c1, c2, c3)]
    k0, k1 = key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        high0, high1 = p0 >> np.uint64(32), p1 >> np.uint64(32)
        c = [high1 ^ c[1] ^ np.uint64(k0), p1 & low, high0 ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=-1)


def uniform(words):
    return (words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)


def initial(seed, index, count, bound):
    """count values of parameter `index`, uniform in +-bound: one rounding of u * (hi - lo) + lo."""
    words = philox(seed, np.arange((count + 3) // 4), index, 0, INIT << 16).reshape(-1)[:count]
    lo, hi = np.float32(-bound), np.float32(bound)
    # 48 bits hold the exact value, so float64 computes it and float32 rounds once
    return (uniform(words).astype(np.float64) * np.float64(hi - lo) + np.float64(lo)).astype(np.float32)


def permutation(key, purpose, epoch, count):
    """Fisher-Yates upwards: place i is swapped with i + floor(word * (count - i) / 2^32)."""
    words = philox(key, np.arange((count + 3) // 4), epoch, 0, purpose << 16).reshape(-1)
    order = list(range(count))
    for i in range(count - 1):
        j = i + (int(words[i]) * (count - i) >> 32)
        order[i], order[j] = order[j], order[i]
    return np.array(order)


def dropout_mask(seed, p, rows, features, step, layer):
    """0 or 1 / (1 - p), as [rows, features]."""
    blocks = (features + 3) // 4
    words = philox(seed, np.arange(blocks)[None, :], np.arange(rows)[:, None], step, DROPOUT << 16 | layer)
    kept = (words.reshape(rows, blocks * 4)[:, :features] >> np.uint64(8)) >= math.ceil(p * 2**24)
    return kept.astype(np.float32) * np.float32(1 / (1 - p))


def noise(seed, rows, features, step, layer):
    """Normal numbers as [rows, features]: Box and Muller's, of word pairs (radius, angle), computed in double."""
    blocks = (features + 3) // 4
    words = philox(seed, np.arange(blocks)[None, :], np.arange(rows)[:, None], step, NOISE << 16 | layer)
    radius, angle = words[..., 0::2], words[..., 1::2]
    r = np.sqrt(-2 * np.log(((radius >> np.uint64(8)) + np.uint64(1)) * 2.0**-24))
    place = ((angle >> np.uint64(6)) & np.uint64(0xFFFFFF)).astype(np.float64)
    turn = np.pi / 2 * ((angle >> np.uint64(30)).astype(np.float64) + (place + 0.5) * 2.0**-24 - 0.5)
    z = np.stack([r * np.cos(turn), r * np.sin(turn)], axis=-1)
    return z.reshape(rows, blocks * 4)[:, :features].astype(np.float32)


def polar(count, words):
    """Marsaglia's polar method: pairs in (-1, 1) until inside the circle; one number per pair. words(places, attempt)"""
    out, left, attempt = np.zeros(count, np.float32), np.arange(count), 0
    while left.size:
        u = uniform(words(left, attempt))
        x, y = np.float32(2) * u[:, 0] - np.float32(1), np.float32(2) * u[:, 1] - np.float32(1)
        s = x * x + y * y
        inside = (s < 1) & (s > 0)
        s_in = s[inside].astype(np.float64)
        out[left[inside]] = (x[inside] * np.sqrt(-2 * np.log(s_in) / s_in)).astype(np.float32)
        left, attempt = left[~inside], attempt + 1
    return out


def initial_normal(seed, index, count):
    """Standard normal numbers of parameter `index`."""
    return polar(count, lambda places, attempt: philox(seed, places, index, attempt, INIT << 16 | 1))


# ---- data ----


OF_INPUTS, OF_WEIGHTS, OF_NOISE = 0, 1, 2


def random_values(count, what=OF_INPUTS, first=0):
    """Places first ... of one purpose. Marsaglia's polar method: pairs in (-1, 1) until inside the circle; one number per pair."""
    out, left = np.zeros(count, np.float32), np.arange(count)
    attempt = 0
    while left.size:
        u = uniform(philox(0, first + left, 0, 2 * attempt, DATA << 16 | what))
        x, y = np.float32(2) * u[:, 0] - np.float32(1), np.float32(2) * u[:, 1] - np.float32(1)
        s = x * x + y * y
        inside = (s < 1) & (s > 0)
        s_in = s[inside].astype(np.float64)
        out[left[inside]] = (x[inside] * np.sqrt(-2 * np.log(s_in) / s_in)).astype(np.float32)
        left, attempt = left[~inside], attempt + 1
    return out


def random_data(rows, columns):
    """`random ROWSxCOLUMNS sum>0`: training and test halves."""
    total = rows + (rows + 4) // 5
    values = random_values(total * columns).reshape(total, columns)
    labels = (values.sum(axis=1, dtype=np.float64) > 0).astype(np.int64)
    return (values[:rows], labels[:rows]), (values[rows:], labels[rows:])


def linear_data(rows, columns, outputs, noise=None):
    """`regression ROWSxCOLUMNS outputs= noise=`, or without noise `random ROWSxCOLUMNS labels=`: x . w + b, and what it says."""
    total = rows + (rows + 4) // 5
    values = random_values(total * columns).reshape(total, columns)
    w = random_values(outputs * (columns + 1), OF_WEIGHTS).reshape(outputs, columns + 1).astype(np.float64)
    y = values.astype(np.float64) @ w[:, :-1].T
    if noise is None:
        y = y > 0
    else:
        y = y + w[:, -1] + noise * random_values(total * outputs, OF_NOISE).reshape(total, outputs).astype(np.float64)
    y = y.astype(np.float32)
    return (values[:rows], y[:rows]), (values[rows:], y[rows:])


def idx(name):
    with gzip.open(os.path.join(FASHION, name)) as file:
        data = file.read()
    dimensions = data[3]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(
        [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)]
    )


def fashion(side, limit=0, mean=0.0, std=1.0):
    """side: "train" or "t10k". Pixels as (p / 255 - mean) / std, each operation in float32."""
    pixels, labels = idx(f"{side}-images-idx3-ubyte.gz"), idx(f"{side}-labels-idx1-ubyte.gz")
    if limit:
        pixels, labels = pixels[:limit], labels[:limit]
    x = pixels.reshape(len(pixels), 1, 28, 28).astype(np.float32) / np.float32(255)
    return (x - np.float32(mean)) / np.float32(std), labels.astype(np.int64)


# ---- the net ----


class Masked(torch.nn.Dropout):
    """Dropout with masks from dropout_mask: identity in eval mode."""

    def __init__(self, p, seed, layer):
        super().__init__(p)
        self.seed, self.layer, self.step_number = seed, layer, 0

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        mask = dropout_mask(self.seed, self.p, x.shape[0], x[0].numel(), self.step_number, self.layer)
        return x * torch.from_numpy(mask).reshape(x.shape)


class Masked2d(Masked):
    """Dropout2d: the masks of a net with one feature per channel."""

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        mask = dropout_mask(self.seed, self.p, x.shape[0], x.shape[1], self.step_number, self.layer)
        return x * torch.from_numpy(mask)[:, :, None, None]


class Noise(Masked):
    """x + std * normal numbers, std being p."""

    def __init__(self, std, seed, layer):
        super().__init__(0, seed, layer)
        self.std = std

    def forward(self, x):
        if not self.training:
            return x
        z = noise(self.seed, x.shape[0], x[0].numel(), self.step_number, self.layer)
        return x + np.float32(self.std) * torch.from_numpy(z).reshape(x.shape)


class Residual(torch.nn.Module):
    """res( ... )"""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return x + self.body(x)


ACTIVATIONS = {
    "relu": torch.nn.ReLU, "gelu": torch.nn.GELU, "gelu_tanh": lambda: torch.nn.GELU(approximate="tanh"),
    "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "leaky_relu": torch.nn.LeakyReLU, "elu": torch.nn.ELU,
    "silu": torch.nn.SiLU, "softplus": torch.nn.Softplus,
    "softmax": lambda: torch.nn.Softmax(1), "log_softmax": lambda: torch.nn.LogSoftmax(1),
}


def split_layers(text):
    """At every > outside of parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == ">" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


class Builder:
    """Layers counted as csweep counts them: a block's beginning and end are layers of their own."""

    def __init__(self, shape, seed):
        self.shape, self.seed, self.index = tuple(shape), seed, 0

    def build(self, text):
        return torch.nn.Sequential(*(self.layer(part) for part in split_layers(text)))

    def layer(self, text):
        index = self.index
        self.index += 1
        if text.startswith("res("):
            body = self.build(text[4:-1])
            self.index += 1
            return Residual(body)
        kind, *words = text.split()
        numbers = []
        for word in words:
            if word.isalpha():
                break
            numbers.append(float(word))
        rest = words[len(numbers):]
        module = self.module(kind, numbers, dict(zip(rest[::2], rest[1::2])), index)
        with torch.no_grad():
            self.shape = tuple(module.eval()(torch.zeros(1, *self.shape)).shape[1:])
        return module.train()

    def module(self, kind, numbers, named, index):
        def word(name, default):
            return int(named.get(name, default))

        if kind == "flatten":
            return torch.nn.Flatten()
        if kind == "linear":
            return torch.nn.Linear(int(np.prod(self.shape)), int(numbers[0]))
        if kind == "conv":
            return torch.nn.Conv2d(self.shape[0], int(numbers[0]), int(numbers[1]), word("stride", 1), word("pad", 0),
                                   word("dilation", 1), word("groups", 1))
        if kind in ("maxpool", "avgpool"):
            pool = torch.nn.MaxPool2d if kind == "maxpool" else torch.nn.AvgPool2d
            return pool(int(numbers[0]), word("stride", int(numbers[0])))
        if kind == "globalavgpool":
            return torch.nn.AdaptiveAvgPool2d(1)
        if kind in ("dropout", "dropout2d", "noise"):
            return {"dropout": Masked, "dropout2d": Masked2d, "noise": Noise}[kind](numbers[0], self.seed, index)
        eps, affine = float(named.get("eps", 1e-5)), named.get("affine", "yes") == "yes"
        if kind == "batchnorm":
            norm = torch.nn.BatchNorm1d if len(self.shape) == 1 else torch.nn.BatchNorm2d
            return norm(self.shape[0], eps, float(named.get("momentum", 0.1)), affine)
        if kind == "layernorm":
            return torch.nn.LayerNorm(self.shape, eps, affine)
        return ACTIVATIONS[kind](*numbers)


def network(layers, shape, seed=0):
    """torch.nn.Sequential from the text `flatten > linear 512 > relu`; its weights are PyTorch's. shape: of a sample."""
    return Builder(shape, seed).build(layers)


def initialise(net, seed):
    """Parameters and buffers are counted in state_dict order; norms start as PyTorch's do."""
    index = 0
    for module in net.modules():
        if not isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            index += len(module.state_dict()) if not list(module.children()) else 0
            continue
        fan_in = module.weight[0].numel()
        bounds = (math.sqrt(3.0) * math.sqrt(2.0 / (1.0 + 5.0)) / math.sqrt(fan_in), 1.0 / math.sqrt(fan_in))
        for parameter, bound in zip((module.weight, module.bias), bounds):
            values = initial(seed, index, parameter.numel(), bound).reshape(tuple(parameter.shape))
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(values))
            index += 1


def array(shape, data):
    """A tensor of artifacts.safetensors; counters, which have no shape, are int64."""
    return np.frombuffer(data, "<f4" if len(data) != 8 or shape else "<i8").reshape(shape)


def evaluate(net, x, y, batch):
    """Mean loss and accuracy; the sum over samples is in double."""
    loss, correct = 0.0, 0
    net.eval()
    with torch.no_grad():
        for at in range(0, len(x), batch):
            out, label = net(x[at : at + batch]), y[at : at + batch]
            loss += float(torch.nn.functional.cross_entropy(out, label, reduction="none").double().sum())
            correct += int((out.argmax(1) == label).sum())
    net.train()
    return loss / len(x), correct / len(x)


def work_on(net, work):
    """What a tutorial does between backward() and step(): returns the gradient's norm before clipping."""
    if "clip_value" in work:
        torch.nn.utils.clip_grad_value_(net.parameters(), work["clip_value"])
    norm = math.sqrt(sum(float((p.grad.double() ** 2).sum()) for p in net.parameters() if p.requires_grad))
    if "clip_norm" in work:
        torch.nn.utils.clip_grad_norm_(net.parameters(), work["clip_norm"])
    return norm


class Averages:
    """Lookahead by hand (Zhang et al. 2019), EMA and SWA by torch.optim.swa_utils; counts of steps and epochs begin at 1."""

    def __init__(self, net, work):
        self.net, self.work, self.slow, self.average, self.begun = net, work, None, None, False
        ema = work.get("ema", 0)
        if "lookahead" in work:
            self.slow = copy.deepcopy(net)
        if ema or "swa_start" in work:
            mean = (lambda average, now, _: ema * average + (1 - ema) * now) if ema else None
            self.average = torch.optim.swa_utils.AveragedModel(net, avg_fn=mean, use_buffers=True)

    def step(self, n):
        if self.slow is not None:
            for (_, now), (_, old) in zip(self.net.named_buffers(), self.slow.named_buffers()):
                old.copy_(now)
        if self.slow is not None and n % self.work["lookahead"] == 0:
            with torch.no_grad():
                for fast, slow in zip(self.net.parameters(), self.slow.parameters()):
                    slow += self.work.get("lookahead_alpha", 0.5) * (fast - slow)
                    fast.copy_(slow)
        if "ema" in self.work:
            self.update()

    def epoch(self, epoch):
        if epoch >= self.work.get("swa_start", math.inf):
            self.update()

    def update(self):
        self.average.update_parameters(self.net)
        self.begun = True

    def evaluated(self):
        return self.average.module if self.begun else self.net if self.slow is None else self.slow

    def beside(self):
        """What csweep keeps besides what is evaluated: {name: tensor}."""
        out, chosen = {}, self.evaluated()
        for model, suffix in ((self.net, "raw"), (self.slow, "slow")):
            if model is not None and model is not chosen:
                out.update({f"{name}.{suffix}": value for name, value in model.state_dict().items()})
        return out


def train(layers, train_set, val_set, make_optimizer, make_scheduler=None, epochs=2, batch=64, seed=0,
          order=permutation, mask_shift=0, work=None, schedule_steps=False):
    """
    Train as csweep does; returns (net, optimizer, curve with csweep's column names); net.averages is an Averages. work:
    csweep's keys clip_norm, clip_value, l1, accumulate, lookahead, lookahead_alpha, ema, swa_start; schedule_steps:
    interval = step.
    """
    work = work or {}
    every = work.get("accumulate", 1)
    torch.set_num_threads(1)
    x, y, vx, vy = (torch.from_numpy(np.ascontiguousarray(a)) for a in (*train_set, *val_set))
    net = network(layers, x.shape[1:], seed)
    initialise(net, seed)
    optimizer = make_optimizer(net)
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    masked = [m for m in net.modules() if isinstance(m, Masked)]
    averages, updates = Averages(net, work), 0
    steps, curve = (len(x) + batch - 1) // batch, []
    for epoch in range(epochs):
        places = torch.from_numpy(order(seed, SHUFFLE, epoch, len(x)))
        loss_sum, correct, norms = 0.0, 0, []
        for step in range(steps):
            chosen = places[step * batch : (step + 1) * batch]
            for module in masked:
                module.step_number = epoch * steps + step + mask_shift
            if step % every == 0:
                optimizer.zero_grad()
            out = net(x[chosen])
            each = torch.nn.functional.cross_entropy(out, y[chosen], reduction="none")
            loss = each.mean() / every
            due = (step + 1) % every == 0 or step + 1 == steps
            if due and "l1" in work:
                loss = loss + work["l1"] * sum(p.abs().sum() for p in net.parameters())
            loss.backward()
            if due:
                norms.append(work_on(net, work))
                optimizer.step()
                updates += 1
                averages.step(updates)
                rate = optimizer.param_groups[0]["lr"]
                if schedule_steps:
                    scheduler.step()
            loss_sum += float(each.detach().double().sum())
            correct += int((out.argmax(1) == y[chosen]).sum())
        norm = sum(norms) / len(norms) if "clip_norm" in work else norms[-1]
        averages.epoch(epoch + 1)
        val_loss, val_accuracy = evaluate(averages.evaluated(), vx, vy, batch)
        curve.append({
            "epoch": epoch + 1, "Loss/Train": loss_sum / len(x), "Accuracy/Train": correct / len(x),
            "Loss/Val": val_loss, "Accuracy/Val": val_accuracy,
            "Learning_Rate": rate, "Grad/Norm": norm,
        })
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(val_loss if scheduler.mode == "min" else val_accuracy)
        elif scheduler and not schedule_steps:
            scheduler.step()
    net.__dict__["averages"] = averages  # no submodule
    return net, optimizer, curve
