"""Churn in JAX by hand: every epoch is one compiled ``lax.scan`` over its steps.

Option ``seeds`` trains so many nets side by side with ``vmap``.
"""

import time
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.peers.churn_table import Split, load
from benchmarks.peers.job import read_job, report

SIZES = (11, 6, 6, 1)
ADAM = optax.adam(1e-3)


def start_weights(key: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
    """Return a kernel and a bias for each layer, kernels between -0.05 and 0.05."""
    keys = jax.random.split(key, len(SIZES) - 1)
    shapes = zip(keys, SIZES, SIZES[1:], strict=False)
    return [(jax.random.uniform(k, (n, m), minval=-0.05, maxval=0.05), jnp.zeros(m)) for k, n, m in shapes]


def logits(weights: Any, rows: jax.Array) -> jax.Array:
    """Return a logit for each row."""
    *hidden, (kernel, bias) = weights
    for w, b in hidden:
        rows = jax.nn.relu(rows @ w + b)
    return (rows @ kernel + bias)[:, 0]


def loss(weights: Any, rows: jax.Array, answers: jax.Array) -> jax.Array:
    """Return the mean cross entropy of a batch."""
    return optax.sigmoid_binary_cross_entropy(logits(weights, rows), answers).mean()


def step(state: Any, batch: Any) -> tuple[Any, None]:
    """Return the weights and Adam's state after one batch."""
    weights, moments = state
    updates, moments = ADAM.update(jax.grad(loss)(weights, *batch), moments)
    return (optax.apply_updates(weights, updates), moments), None


def trained(split: Split, epochs: int, batch: int, key: jax.Array) -> Any:
    """Return the weights after so many epochs, each in an order of its own; a last partial batch is left out."""
    all_x, all_y = jnp.asarray(split.train_x), jnp.asarray(split.train_y)
    steps = len(all_x) // batch

    def epoch(state: Any, key: jax.Array) -> tuple[Any, None]:
        order = jax.random.permutation(key, len(all_x))[: steps * batch]
        batches = all_x[order].reshape(steps, batch, -1), all_y[order].reshape(steps, batch)
        return jax.lax.scan(step, state, batches)

    weights = start_weights(key)
    state, _ = jax.lax.scan(epoch, (weights, ADAM.init(weights)), jax.random.split(key, epochs))
    return state[0]


def main() -> None:
    """Compile, train one net for each seed, predict; the seconds leave compilation out and the whole process has it."""
    job = read_job()
    split = load(job.data)
    keys = jnp.stack([jax.random.key(seed) for seed in job.seeds])
    run = jax.jit(jax.vmap(lambda key: trained(split, job.epochs, job.batch, key))).lower(keys).compile()
    start = time.perf_counter()
    weights = jax.block_until_ready(run(keys))
    seconds = time.perf_counter() - start
    answers = jax.nn.sigmoid(jax.vmap(logits, (0, None))(weights, jnp.asarray(split.test_x))).tolist()
    steps = len(job.seeds) * job.epochs * (len(split.train_x) // job.batch)
    report(job, steps, seconds, answers[0], others=answers[1:], each=[seconds])


main()
