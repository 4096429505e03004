"""A net of characters, two LSTM layers of 256: long chains of small products."""

from typing import Any

from benchmarks.inputs import write_text
from benchmarks.readers import peer_scores, scored_run
from benchmarks.rows import Row, Workload, per_second
from benchmarks.settings import HERE, Settings
from benchmarks.workloads.common import keras_row, lacks_layers, script, train

BATCH, LENGTH, TESTS = 64, 128, 64
FLOPS = 6 * (4 * 256 * (64 + 256) + 4 * 256 * (256 + 256) + 256 * 40)
"""Of a character: two for each product of a weight forward, four backward; some 40 different characters."""


def workloads(settings: Settings) -> list[Workload]:
    """Return two epochs of the net on text; the second is the one that the rate tells."""
    steps = max(1, settings.steps // 3)
    text = settings.text or settings.work / "text.txt"
    if settings.text is None:
        write_text(text, (steps * BATCH + TESTS) * LENGTH + 1)
    sizes = {"length": LENGTH, "tests": TESTS, "steps": steps}
    job: dict[str, Any] = {"data": str(text), "epochs": 2, "batch": BATCH, "options": sizes}
    best = {**job, "options": {**sizes, "best": True}}
    spec = HERE / "specs" / "lstm.yaml"
    values = {"data.source.path": str(text)}
    return [
        Workload(
            "lstm",
            "Character LSTM, float32",
            f"Embedding 64, LSTM 256 twice, sequence {LENGTH}, batch {BATCH}, {steps} steps an epoch, two epochs; "
            "characters a second are of the second.",
            [
                Row(
                    "nnkit train",
                    "nnkit",
                    "nnkit",
                    train(spec, values),
                    scored_run(steps),
                    missing=lacks_layers("lstm"),
                ),
                keras_row("Keras on TensorFlow", "defaults", "tensorflow", "lstm_keras", job, peer_scores),
                keras_row("Keras on JAX", "defaults", "jax", "lstm_keras", job, peer_scores),
                Row(
                    "torch, nn.LSTM, textbook loop",
                    "defaults",
                    "torch",
                    script("torch", "lstm_torch", job),
                    peer_scores,
                ),
                Row("torch, nn.LSTM, fused", "best", "torch", script("torch", "lstm_torch", best), peer_scores),
            ],
            rate=per_second(BATCH * LENGTH, "characters", FLOPS),
            steps=steps,
            loss_within=0.15,
            accuracy_within=0.1,
        )
    ]
