"""A small convolutional net, batch 128: mostly arithmetic and memory traffic."""

import subprocess
from typing import Any

from benchmarks.readers import peer_scores, scored_run
from benchmarks.rows import Row, Workload, per_second
from benchmarks.settings import HERE, Settings, python
from benchmarks.workloads.common import keras_row, lacks_layers, script, train

BATCH = 128
TESTS = 8 * BATCH
FLOPS = 6 * (26 * 26 * 32 * 9 + 24 * 24 * 64 * 9 * 32 + 9216 * 128 + 128 * 10)
"""Of a picture: two for each product of a weight forward, four backward."""


def workloads(settings: Settings) -> list[Workload]:
    """Return two epochs of the net on pictures like MNIST's; the second is the one that the rate tells."""
    rows = settings.steps * BATCH
    pictures = settings.work / "pictures.npz"
    maker = str(HERE / "helpers" / "make_pictures.py")
    subprocess.run([python("nnkit"), maker, str(pictures), str(rows + TESTS)], check=True)
    job: dict[str, Any] = {"data": str(pictures), "epochs": 2, "batch": BATCH, "options": {"tests": TESTS}}
    best = {**job, "options": {"tests": TESTS, "best": True}}
    values = {"data.source.path": str(pictures), "data.split.test": TESTS / (rows + TESTS)}
    spec = HERE / "specs" / "cnn.yaml"
    missing = lacks_layers("conv2d", "max_pool")
    return [
        Workload(
            "cnn",
            "Convolutional net, float32",
            f"Conv 32, conv 64, pool, dense 128, dense 10 on 28x28 pictures, batch {BATCH}, {settings.steps} steps an "
            "epoch, two epochs; pictures a second are of the second.",
            [
                Row("nnkit train", "nnkit", "nnkit", train(spec, values), scored_run(settings.steps), missing=missing),
                keras_row("Keras on TensorFlow", "defaults", "tensorflow", "cnn_keras", job, peer_scores),
                keras_row("Keras on JAX", "defaults", "jax", "cnn_keras", job, peer_scores),
                Row("torch, textbook loop", "defaults", "torch", script("torch", "cnn_torch", job), peer_scores),
                Row("torch, channels last, fused", "best", "torch", script("torch", "cnn_torch", best), peer_scores),
            ],
            rate=per_second(BATCH, "pictures", FLOPS),
            steps=settings.steps,
            loss_within=float("inf"),
            accuracy_within=0.1,
        )
    ]
