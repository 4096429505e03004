"""``nnkit generate`` of a generative model: rows that it draws, as a table or as pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nnkit.data.pipeline import Pipeline
from nnkit.data.restoring import restore
from nnkit.data.visible import picture_shapes, shades
from nnkit.errors import ResourceError, UsageError
from nnkit.files import atomic_write, disk_errors, make_folder
from nnkit.inference import Predictor
from nnkit.predictions import Layout, OutputColumn, csv_line, csv_predictions, json_predictions
from nnkit.runs.folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.frames.table import Frame

Format: TypeAlias = Literal["csv", "jsonl"]
TABLES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl"}
PICTURE = ".png"
USUAL_PICTURE = Path("samples.png")


@dataclass(frozen=True)
class Options:
    """What is drawn: how many rows, from which seed, of which label, in how many steps; None is what is usual."""

    count: int = 64
    seed: int = 0
    label: str | None = None
    steps: int | None = None

    def check(self) -> None:
        """Raise ``UsageError`` for a value that is out of its bounds."""
        bounds = {"-n": (self.count, 1), "--seed": (self.seed, 0), "--steps": (self.steps, 1)}
        for name, (value, least) in bounds.items():
            if value is not None and value < least:
                raise UsageError(f"{name} {value}: expected {least} or more")


@dataclass(frozen=True)
class Drawn:
    """What came of it: a table as text where nothing was written, else the path of what was."""

    text: str = ""
    path: Path | None = None


def is_language(run: Path) -> bool:
    """Tell whether a run is one of a language model; raises ``RunError``."""
    folder = RunFolder.open(run)
    folder.check_usable()
    return folder.pipeline().task == "next"


def sample(
    run: Path,
    options: Options | None = None,
    *,
    out: Path | None = None,
    format: Format | None = None,  # noqa: A002 - the name that the option has
    device: str | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Drawn:
    """Draw rows from a generative model.

    Columns become a table in the data's own units, returned as text, or written where ``out`` ends in .csv or .jsonl.
    Pictures are written: to a grid where ``out`` ends in .png, else one by one into the folder ``out``; without it
    they are the grid samples.png. The same run and options draw the same rows. ``note`` is told what could not be
    brought back into the data's units. Raises ``UsageError`` for a run that draws nothing and for options that do not
    fit it, ``RunError`` and ``ResourceError``.
    """
    options = options or Options()
    options.check()
    predictor = Predictor(RunFolder.usable(run), device)
    sampler, pipeline = predictor.sampler(), predictor.pipeline
    wanted = _wanted(pipeline, out, format)
    rows = sampler.sample(options.count, options.seed, options.label, options.steps)
    if wanted is None:
        return Drawn(path=_write_pictures(out or USUAL_PICTURE, _pictures(pipeline, rows)))
    restored = restore(pipeline, rows)
    for line in restored.notes:
        note(line)
    text = _table(restored.frame, wanted)
    if out is None:
        return Drawn(text)
    atomic_write(out, text)
    return Drawn(path=out)


def _wanted(pipeline: Pipeline, out: Path | None, form: Format | None) -> Format | None:
    """Return the format of a table, None for pictures; raises ``UsageError`` where the model does not give that."""
    ending = "" if out is None else out.suffix.lower()
    named = TABLES.get(ending)
    if form and out is not None and form != named:
        raise UsageError(f"--format {form}: {out} is no name of a {form} file; end it in .{form}, or leave out one")
    pictures = picture_shapes(pipeline)
    are_images = any(len(pipeline.input_shapes[name]) == 3 for name in pictures)
    chosen = form or named
    if chosen and are_images:
        raise UsageError(f"the model draws pictures, which no {chosen} file holds: give --out FILE.png or a folder")
    if chosen or (out is None and not are_images):
        return chosen or "csv"
    if not pictures:
        raise UsageError(f"--out {out}: the model draws columns and no pictures; end the name in .csv or .jsonl")
    if len(pipeline.input_shapes) > 1:
        several = ", ".join(pipeline.input_shapes)
        raise UsageError(f"the model draws several inputs ({several}), and pictures can be written of one alone")
    return None


def _pictures(pipeline: Pipeline, rows: "Mapping[str, NDArray[np.float32]]") -> "NDArray[np.uint8]":
    from nnkit.frames.mosaics import as_pixels

    [(name, shape)] = picture_shapes(pipeline).items()
    kinds = {pipeline.known.columns.get(column) for column in pipeline.known.features[name]}
    values: Any = rows[name]
    if kinds == {"image"}:
        [column] = restore(pipeline, rows).frame.values()
        values = column.values
    return as_pixels(shades(values, shape))


def _write_pictures(out: Path, pictures: "NDArray[np.uint8]") -> Path:
    """Write a grid, or a folder of pictures with numbers for names."""
    from nnkit.frames.mosaics import mosaic, png

    if out.suffix.lower() == PICTURE:
        try:
            whole = mosaic(pictures)
        except ValueError as error:
            raise UsageError(f"--out {out}: {error}; give a folder, or a smaller -n") from error
        atomic_write(out, png(whole))
        return out
    with disk_errors(out):
        if out.is_dir() and any(out.iterdir()):
            raise ResourceError(f"{out}: there are files in it, among which the pictures would be lost; choose another")
    make_folder(out)
    digits = len(str(len(pictures)))
    for number, picture in enumerate(pictures, 1):
        with disk_errors(out):
            (out / f"{number:0{digits}}{PICTURE}").write_bytes(png(picture))
    return out


def _table(frame: "Frame", form: Format) -> str:
    """Return columns as CSV with a header, or as JSON Lines."""
    import numpy as np

    from nnkit.frames.table import flat_columns

    columns = flat_columns(frame)
    layout = Layout("unlabelled", [], [], columns=[OutputColumn(name, words) for name, _, words in columns])
    outputs = np.stack([numbers for _, numbers, _ in columns], axis=1)
    if form == "jsonl":
        return json_predictions(outputs, layout)
    return csv_line(layout.header) + csv_predictions(outputs, layout)
