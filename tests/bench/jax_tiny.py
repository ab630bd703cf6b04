#!/usr/bin/python3
"""One training step of 64 nets 20-64-32-2 at once, batch 32, in JAX: jit over vmap over the trials.

The counterpart of `bench_tiny`: one pinned core, the data set in memory, every trial its own order of the data and its
own learning rate, 32 steps (an epoch) per call. Prints processor time per trial and step, 5th percentile and median.
"""
import os
import sys
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
try:
    os.sched_setaffinity(0, {1})
except OSError:
    print("jax_tiny.py: not pinned: no core 1", file=sys.stderr)
try:
    import jax
    import jax.numpy as jnp
except ImportError:
    print("jax_tiny.py: no jax: pip install 'jax[cpu]'", file=sys.stderr)
    sys.exit(77)

TRIALS, STEPS, BATCH, SAMPLES, WIDTHS, CALLS = 64, 31, 32, 1000, (20, 64, 32, 2), 60


def begin(key):
    net = []
    for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
        key, one, two = jax.random.split(key, 3)
        bound = inputs ** -0.5
        net.append((jax.random.uniform(one, (inputs, outputs), minval=-bound, maxval=bound),
                    jax.random.uniform(two, (outputs,), minval=-bound, maxval=bound)))
    return net


def loss(net, x, label):
    for weight, bias in net[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    x = x @ net[-1][0] + net[-1][1]
    return -jnp.take_along_axis(jax.nn.log_softmax(x), label[:, None], axis=1).mean()


def sgd(net, state, grad, lr, t):
    return jax.tree.map(lambda w, g: w - lr * g, net, grad), state


def adam(net, state, grad, lr, t):
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state[0], grad)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state[1], grad)
    a, b = lr / (1 - 0.9 ** t), (1 - 0.999 ** t) ** -0.5
    net = jax.tree.map(lambda w, m, v: w - a * m / (jnp.sqrt(v) * b + 1e-8), net, m, v)
    return net, (m, v)


def make_epoch(optimizer, x, label):
    def step(carry, pick):
        net, state, lr, t = carry
        grad = jax.grad(loss)(net, x[pick], label[pick])
        net, state = optimizer(net, state, grad, lr, t)
        return (net, state, lr, t + 1), None

    return jax.jit(jax.vmap(lambda carry, order: jax.lax.scan(step, carry, order)[0]))


def measure(optimizer):
    key = jax.random.PRNGKey(0)
    x = jax.random.normal(key, (SAMPLES, WIDTHS[0]))
    label = (x.sum(axis=1) > 0).astype(jnp.int32)
    net = jax.vmap(begin)(jax.random.split(key, TRIALS))
    zero = jax.tree.map(jnp.zeros_like, net)
    orders = jnp.stack([jax.random.permutation(k, SAMPLES)[:STEPS * BATCH].reshape(STEPS, BATCH)
                        for k in jax.random.split(key, TRIALS)])
    carry = (net, (zero, zero), jnp.linspace(1e-3, 1e-2, TRIALS), jnp.ones(TRIALS))
    epoch = make_epoch(optimizer, x, label)
    seconds = []
    for _ in range(CALLS):
        start = time.process_time()
        carry = jax.block_until_ready(epoch(carry, orders))
        seconds.append((time.process_time() - start) / (TRIALS * STEPS))
    seconds = sorted(seconds[2:])
    return 1e6 * seconds[len(seconds) // 20], 1e6 * seconds[len(seconds) // 2]


print(f"jax {jax.__version__}, {TRIALS} trials under vmap, one core")
for optimizer in (sgd, adam):
    quick, median = measure(optimizer)
    print(f"tiny {optimizer.__name__:4s} p5 {quick:7.2f} median {median:7.2f} us")
