"""``nnkit plot``: the pictures of a run, from the files in its folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnkit.commands.codes import Method, draw_codes
from nnkit.commands.stored import stored_predictions
from nnkit.data.pipeline import Pipeline
from nnkit.errors import RunError, UsageError
from nnkit.files import atomic_write, make_folder
from nnkit.inference import layout_of
from nnkit.metrics.sample import count, middle, predicted
from nnkit.predictions import Predictions
from nnkit.runs.folder import (
    CONFUSION_PICTURE,
    GRADIENTS_PICTURE,
    HISTORY,
    HISTORY_PICTURE,
    PREDICTIONS,
    TREES,
    RunFolder,
)


def plot(run: Path, out: Path | None = None, codes: Method | None = None) -> list[Path]:
    """Draw the pictures of a run into its folder, or into ``out``, and return their paths.

    Those are what its files are enough for: a run that was stopped has a history and no predictions; one of several
    folds has the predictions of all rows, and each fold a history. With ``codes`` the codes of rows are drawn and
    nothing else, as the method says: for these the data is read again. Raises ``RunError`` where there is nothing to
    draw, ``UsageError`` for a run of several seeds.
    """
    folder = RunFolder.open(run)
    if seeds := folder.manifest.seeds:
        raise UsageError(f"{run}: has several models and no pictures of its own; draw one: {run}/seeds/{seeds[0]}")
    if codes is not None:
        return write_pictures(out or folder.path, draw_codes(folder, codes))
    pictures: dict[str, bytes] = {}
    if (folder.path / HISTORY).exists():
        folder.read(HISTORY)
        pictures |= history_pictures(folder.history())
    if (folder.path / PREDICTIONS).exists() or PREDICTIONS in folder.manifest.files:
        pipeline, predictions = _predictions(folder)
        pictures |= prediction_pictures(pipeline, predictions)
        pictures |= tree_pictures(pipeline, predictions, _trees(folder))
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
    return pipeline, stored_predictions(folder, layout_of(folder.experiment(), pipeline))


def _trees(folder: RunFolder) -> list[str] | None:
    """Return the predicted trees of a run, None where it has none."""
    if not (folder.path / TREES).exists() and TREES not in folder.manifest.files:
        return None
    return folder.read(TREES).decode(errors="replace").split("\n")[:-1]


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
    if pipeline.task in ("next", "unlabelled"):
        return {}
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


def tree_pictures(pipeline: Pipeline, predictions: Predictions, trees: Sequence[str] | None) -> dict[str, bytes]:
    """Return the picture of a few predicted trees by its file's name; nothing for rows that are no trees.

    ``trees`` are those of ``predictions``, in the Penn format. Raises ``RunError`` where they are not.
    """
    if trees is None or predictions.nodes is None:
        return {}
    from nnkit import figures
    from nnkit.frames.brackets import TreeReader

    reader = TreeReader("trees.txt", pipeline.classes)
    for number, tree in enumerate(trees, 1):
        reader.feed(tree, number)
    reader.finish()
    read, _, bad = reader.take()
    if bad or len(read.labels) != len(predictions.nodes.truth):
        raise RunError("trees.txt: not the trees of this run's nodes.csv; copy the run folder again")
    return {"trees.png": figures.trees(read, predictions.nodes.truth, pipeline.classes)}
