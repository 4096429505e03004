"""The course's churn net, 11-6-6-1, batch 10: mostly overhead, which is what it measures."""

from typing import Any

from benchmarks.readers import peer, trained, truths_of
from benchmarks.rows import Rate, Reader, Row, Workload, microseconds_a_step
from benchmarks.settings import Settings
from benchmarks.workloads.common import EXPERIMENT, churn_values, keras_row, lacks_engines, script, train

OURS = "nnkit train"
ROW_FLOPS = 6 * (11 * 6 + 6 * 6 + 6 * 1)
"""Of a row: two for each weight forward, four backward."""
STEP_FLOPS = 12 * 121
"""Of a step: Adam does about twelve for each parameter."""


def workloads(settings: Settings) -> list[Workload]:
    """Return the training of the churn net, from its CSV file to its predictions for the test rows."""
    return [
        Workload(
            "churn",
            f"Churn net, {settings.churn_steps:,} steps",
            f"11-6-6-1, Adam, batch {settings.batch}, {settings.epochs} epochs of {settings.rows:,} rows, from the CSV "
            "file. nnkit writes its whole run folder; a peer its test probabilities.",
            [*_ours(settings), *_peers(settings)],
            rate=Rate("us a step", microseconds_a_step, flops=settings.batch * ROW_FLOPS + STEP_FLOPS),
            steps=settings.churn_steps,
        )
    ]


def _ours(settings: Settings) -> list[Row]:
    values, read = churn_values(settings), trained(settings.rows, settings.batch)
    by_torch = {**values, "training.engine": "torch"}
    return [
        Row(OURS, "nnkit", "nnkit", train(EXPERIMENT, values), read),
        Row(
            f"{OURS}, training.engine=torch",
            "nnkit",
            "nnkit",
            train(EXPERIMENT, by_torch),
            read,
            missing=lacks_engines(),
        ),
    ]


def _peers(settings: Settings) -> list[Row]:
    job: dict[str, Any] = {"data": str(settings.split), "epochs": settings.epochs, "batch": settings.batch}
    read = peer(truths_of(settings.split))
    return [
        *_keras(job, read),
        Row("scikit-learn MLPClassifier", "defaults", "sklearn", script("sklearn", "churn_sklearn", job), read),
        Row("torch, textbook loop", "defaults", "torch", _torch(job, "textbook"), read),
        Row("torch, in memory, fused", "best", "torch", _torch(job, "fused"), read),
        Row("skorch", "defaults", "torch", script("torch", "churn_skorch", job), read),
        Row("Lightning", "defaults", "torch", script("torch", "churn_lightning", job), read, slow=True),
        Row("JAX, lax.scan", "by hand", "jax", script("jax", "churn_jax_scan", job), read),
    ]


def _keras(job: dict[str, Any], read: Reader) -> list[Row]:
    def many(steps: int) -> dict[str, Any]:
        return {**job, "options": {"steps_per_execution": steps}}

    name = "churn_keras"
    return [
        keras_row("Keras on TensorFlow", "defaults", "tensorflow", name, job, read),
        keras_row("Keras on TensorFlow, steps_per_execution 400", "best", "tensorflow", name, many(400), read),
        keras_row("Keras on JAX", "defaults", "jax", name, job, read, slow=True),
        keras_row("Keras on JAX, steps_per_execution 100", "best", "jax", name, many(100), read),
        keras_row("Keras on torch", "defaults", "torch", name, job, read, slow=True),
    ]


def _torch(job: dict[str, Any], way: str) -> Any:
    return script("torch", "churn_torch", {**job, "options": {"way": way}})
