"""``nnkit plot``: the pictures of a run, from the files in its folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnkit.data.pipeline import Pipeline
from nnkit.errors import RunError, UsageError
from nnkit.files import atomic_write, make_folder
from nnkit.metrics.sample import count, middle, predicted
from nnkit.predictions import Predictions, read_predictions
from nnkit.runs.folder import CONFUSION_PICTURE, GRADIENTS_PICTURE, HISTORY, HISTORY_PICTURE, PREDICTIONS, RunFolder


def plot(run: Path, out: Path | None = None) -> list[Path]:
    """Draw the pictures of a run into its folder, or into ``out``, and return their paths.

    Those are what its files are enough for: a run that was stopped has a history and no predictions; one of several
    folds has the predictions of all rows, and each fold a history. Raises ``RunError`` where there is nothing to
    draw, ``UsageError`` for a run of several seeds.
    """
    folder = RunFolder.open(run)
    if seeds := folder.manifest.seeds:
        raise UsageError(f"{run}: has several models and no pictures of its own; draw one: {run}/seeds/{seeds[0]}")
    pictures: dict[str, bytes] = {}
    if (folder.path / HISTORY).exists():
        folder.read(HISTORY)
        pictures |= history_pictures(folder.history())
    if (folder.path / PREDICTIONS).exists() or PREDICTIONS in folder.manifest.files:
        pictures |= prediction_pictures(*_predictions(folder))
    if not pictures:
        raise RunError(
            f"{run}: has neither epochs nor predictions to draw: its status is {folder.manifest.status}; "
            f"go on with: nnkit train --resume {run}"
        )
    return write_pictures(out or folder.path, pictures)


def write_pictures(folder: Path, pictures: Mapping[str, bytes]) -> list[Path]:
    """Put pictures into a folder and return their paths; nobody waits for the disk, as they can be drawn again."""
    make_folder(folder)
    for name, picture in pictures.items():
        atomic_write(folder / name, picture, durable=False)
    return [folder / name for name in pictures]


def _predictions(folder: RunFolder) -> tuple[Pipeline, Predictions]:
    pipeline = (folder.members()[0] if folder.manifest.folds else folder).pipeline()
    return pipeline, read_predictions(folder.read(PREDICTIONS), str(folder.path / PREDICTIONS), pipeline.layout)


def history_pictures(records: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return the pictures of a history by their files' names; none for a history without epochs."""
    from nnkit import figures

    if not records:
        return {}
    norms = figures.gradients(records)
    return {HISTORY_PICTURE: figures.history(records), **({GRADIENTS_PICTURE: norms} if norms else {})}


def _forecasts(pipeline: Pipeline, predictions: Predictions) -> dict[str, bytes]:
    """Return the picture of forecasts against the truth."""
    from nnkit import figures
    from nnkit.figures.horizon import Shown

    known = pipeline.known.windows
    assert known is not None  # noqa: S101 - the caller looked
    shown = Shown(
        truth=predictions.truth.astype(float),
        outputs=predictions.outputs,
        quantiles=pipeline.quantiles,
        naive=predictions.naive,
        series=predictions.marks.get("series", [""] * len(predictions.rows)),
        times=predictions.marks.get("time", [f"row {row}" for row in predictions.rows.tolist()]),
    )
    return {"forecast.png": figures.forecasts(shown, known.targets, known.options.horizon, known.options.step)}


def prediction_pictures(pipeline: Pipeline, predictions: Predictions) -> dict[str, bytes]:
    """Return the pictures of predictions, those that fit the task, by their files' names."""
    from nnkit import figures

    truth, outputs, classes = predictions.truth, predictions.outputs, pipeline.classes
    if pipeline.task == "regression":
        points = middle(outputs, pipeline.quantiles)
        residuals = {"residuals.png": figures.residuals(truth, points, pipeline.targets)}
        return residuals if pipeline.known.windows is None else residuals | _forecasts(pipeline, predictions)
    curves: Mapping[str, Callable[..., bytes]] = {
        "roc.png": figures.roc,
        "precision_recall.png": figures.precision_recall,
        "calibration.png": figures.calibration,
    }
    pictures = {name: draw(truth, outputs, classes) for name, draw in curves.items()}
    if pipeline.task != "multilabel":
        counts = count(truth, predicted(outputs, pipeline.task), len(classes))
        pictures[CONFUSION_PICTURE] = figures.confusion_matrix(counts, classes)
    return pictures
