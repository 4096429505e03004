"""``nnkit preview``: pictures as the network will see them in training, before and after augmentation."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkit.config.decode import locate
from nnkit.data.augmentations import augmenter, pictures
from nnkit.data.dataset import Dataset
from nnkit.errors import Problem, SpecError, UsageError
from nnkit.files import atomic_write
from nnkit.runs.pretrained import load_whole
from nnkit.shapes import show
from nnkit.spec import Loaded, Ready, ready

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.engine.order import RowOrder
    from nnkit.figures.pictures import Tile

SHOWN_PARTS, LEAST_SHARE = 2, 0.005
LONGEST_LIST = 4


def preview(spec: Path, out: Path, *, overrides: Sequence[str] = (), rows: int = 8, epochs: int = 5) -> Path:
    """Draw training pictures into the file ``out`` and return its path; nothing is trained.

    With ``data.augment`` there is a line for each of the first ``rows`` rows of the first epoch: the picture, and what
    becomes of it in each of the first ``epochs`` epochs on the CPU, bit for bit. Without, all are different pictures.
    Raises ``UsageError`` for a file that is no PNG, ``SpecError`` for an experiment without pictures.
    """
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: expected a file that ends in .png")
    loaded = load_whole(spec, overrides, fetch=False)
    made = ready(loaded)
    _check_pictures(loaded, made)
    drawn = _augmented(made, rows, epochs) if made.prepared.augment else _plain(made, rows, epochs)
    atomic_write(out, drawn, durable=False)
    return out


def _check_pictures(loaded: Loaded, made: Ready) -> None:
    shapes = made.prepared.pipeline.input_shapes
    if not pictures(shapes):
        listed = ", ".join(f"{name} ({show(shape)})" for name, shape in shapes.items())
        message = f"there is nothing to draw: expected an input of height x width x channels, found {listed}"
        raise locate(loaded.document, SpecError([Problem(("data", "source"), message)]))


def _augmented(made: Ready, rows: int, epochs: int) -> bytes:
    from nnkit.figures.pictures import Tile, picture_grid

    prepared, order = made.prepared, _order(made)
    chosen = list(dict.fromkeys(order.of(0).tolist()))[:rows]
    names = list(pictures(prepared.pipeline.input_shapes))
    columns = [_version(made, order, epoch, chosen) for epoch in range(epochs)]
    tiles: list[list[Tile | None]] = []
    for number, row in enumerate(chosen):
        for name in names:
            label = _label(made, row) if len(names) == 1 else f"{name}: {_label(made, row)}"
            original = Tile(values_of(prepared.train, name, [row])[0], (label,))
            versions = [column[number].get(name) for column in columns]
            tiles.append([original, *(Tile(*version) if version else None for version in versions)])
    low, high = _limits(tiles)
    headings = ["original", *(f"epoch {epoch + 1}" for epoch in range(epochs))]
    types = [piece.type_name for piece in prepared.augment]
    applied = ", ".join(types) if len(types) <= LONGEST_LIST else f"{len(types)} augmentations"
    return picture_grid(_between(tiles, low, high), headings, _title(made, applied, low, high))


def _version(made: Ready, order: "RowOrder", epoch: int, chosen: Sequence[int]) -> list[dict[str, Any]]:
    """Return for each chosen row its pictures in an epoch, by input, with lines of text; none where it is left out."""
    import torch

    from nnkit.engine.draws import PlacedDraws
    from nnkit.engine.order import RowDraws

    prepared, size = made.prepared, made.experiment.training.batch_size
    augment = augmenter(prepared.augment, prepared.pipeline.input_shapes)
    assert augment is not None  # noqa: S101 - the caller has looked
    draws, rows = PlacedDraws(RowDraws(order.seed, order.phase)), order.of(epoch)
    places = {row: place for place, row in reversed(list(enumerate(rows.tolist())))}
    names = list(pictures(prepared.pipeline.input_shapes))
    found: list[dict[str, Any]] = []
    for row in chosen:
        if row not in places:  # With sampling: balanced an epoch leaves rows out.
            found.append({})
            continue
        first, within = places[row] // size * size, places[row] % size
        part = rows[first : first + size]
        draws.seek(epoch, first)
        seen = augment({name: torch.from_numpy(values_of(prepared.train, name, part)) for name in names}, draws)
        mixed = [(float(share[within]), int(part[int(index[within])])) for index, share in seen.parts or ()]
        lines = _mixed_lines(made, mixed) if seen.parts else ()
        found.append({name: (seen.inputs[name][within].numpy(), lines) for name in names})
    return found


def _mixed_lines(made: Ready, mixed: Sequence[tuple[float, int]]) -> tuple[str, ...]:
    """Return the largest parts of a mixture, each with its share; nothing where it is a row by itself."""
    parts = sorted((part for part in mixed if part[0] >= LEAST_SHARE), reverse=True)
    return tuple(f"{_label(made, row)} ({share:.0%})" for share, row in parts[:SHOWN_PARTS]) if len(parts) > 1 else ()


def _plain(made: Ready, rows: int, epochs: int) -> bytes:
    """Draw as many pictures as there would be with augmentation, in the first epoch's order."""
    from nnkit.figures.pictures import Tile, picture_grid

    train, names = made.prepared.train, list(pictures(made.prepared.pipeline.input_shapes))
    across = epochs + 1
    chosen = list(dict.fromkeys(_order(made).of(0).tolist()))[: rows * across]
    tiles: list[list[Tile | None]] = []
    for start in range(0, len(chosen), across):
        line = chosen[start : start + across]
        for name in names:
            label = "" if len(names) == 1 else f"{name}: "
            images = values_of(train, name, line)
            tiles.append([Tile(image, (label + _label(made, row),)) for image, row in zip(images, line, strict=True)])
    low, high = _limits(tiles)
    return picture_grid(_between(tiles, low, high), [], _title(made, "no augmentation", low, high))


def _order(made: Ready) -> "RowOrder":
    training = made.experiment.training
    return training.procedure.order(made.plan, made.prepared.train, training, made.experiment.seed)


def values_of(rows: Dataset, name: str, chosen: "Sequence[int] | NDArray[np.int64]") -> "NDArray[np.float32]":
    """Return the pictures of some rows as the network gets them: bytes as numbers from 0 to 1."""
    import numpy as np

    values = np.asarray(rows.inputs[name][np.asarray(chosen)])
    scale = np.float32(255 if values.dtype == np.uint8 else 1)
    floats: NDArray[np.float32] = np.divide(values, scale, dtype=np.float32)
    return floats


def _label(made: Ready, row: int) -> str:
    """Return a training row's target in words."""
    pipeline, truth = made.prepared.pipeline, made.prepared.train.truth
    assert truth is not None  # noqa: S101 - supervised data always has it
    if pipeline.task in ("binary", "multiclass"):
        return pipeline.classes[int(truth[row])]
    if pipeline.task == "multilabel":
        return ", ".join(name for name, yes in zip(pipeline.classes, truth[row], strict=True) if yes) or "none"
    return ", ".join(f"{value:.4g}" for value in truth[row].ravel().tolist())


def _limits(tiles: "Sequence[Sequence[Tile | None]]") -> tuple[float, float]:
    """Return which values are black and white: 0 and 1, or the ends of the originals where those lie beyond."""
    firsts = [line[0].values for line in tiles if line[0] is not None]
    low, high = min(float(values.min()) for values in firsts), max(float(values.max()) for values in firsts)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _between(tiles: "Sequence[Sequence[Tile | None]]", low: float, high: float) -> "list[list[Tile | None]]":
    from nnkit.figures.pictures import Tile

    return [
        [None if tile is None else Tile((tile.values - low) / ((high - low) or 1), tile.lines) for tile in line]
        for line in tiles
    ]


def _title(made: Ready, what: str, low: float, high: float) -> str:
    scale = "" if (low, high) == (0, 1) else f" (black is {low:.3g}, white {high:.3g})"
    return f"{made.experiment.name}: {what}{scale}"
