"""The picture of codes: the rows of a run in two dimensions, coloured by cluster or label."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from nnkit.data.dataset import Dataset
from nnkit.errors import RunError, UsageError
from nnkit.inference import Predictor
from nnkit.models.clusters import CLUSTER
from nnkit.models.hdbscan import NOISE
from nnkit.runs.folder import RunFolder
from nnkit.spec import ready

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Method: TypeAlias = Literal["pca", "tsne"]
METHODS: dict[Method, str] = {"pca": "principal directions", "tsne": "t-SNE"}
PICTURES: dict[Method, str] = {"pca": "codes", "tsne": "codes_tsne"}
"""The files, without what they end in."""


@dataclass(frozen=True)
class Groups:
    """The group of each row [n], -1 for none, the groups' names, and what rows without one are called."""

    of: "NDArray[np.int64]"
    names: list[str]
    none: str


def draw_codes(run: RunFolder, method: Method) -> dict[str, bytes]:
    """Return pictures of the codes of the rows that a run reports on, by the files' names.

    The rows are read again from where the run had them. Raises ``UsageError`` where the model has no codes,
    ``RunError`` where the data is not as it was, and what reading it raises.
    """
    run.check_usable()
    run.verify()
    predictor = Predictor(run)
    if not predictor.has_codes:
        raise UsageError(f"--codes: the model of {run.path} makes no codes; leave it out")
    prepared = ready(run.loaded()).prepared
    if prepared.hashes != run.manifest.data:
        raise RunError(f"{run.path}: the data is not what the run was made of; put the old files back")
    rows = next(part for part in (prepared.test, prepared.validation, prepared.train) if part is not None and len(part))
    return code_pictures(predictor, rows, method)


def code_pictures(predictor: Predictor, rows: Dataset, method: Method = "pca") -> dict[str, bytes]:
    """Return pictures of the codes of ``rows`` by the files' names; nothing where the model has none.

    Of many rows some are drawn, always the same. Where there are clusters and labels, there is a picture of each.
    """
    import numpy as np

    from nnkit.figures.codes import codes as draw
    from nnkit.frames.projection import project, some_rows

    if not predictor.has_codes or rows.trees is not None:
        return {}
    chosen = _rows(rows, some_rows(len(rows)))
    encoder, columns = predictor.encoder()
    codes = encoder.outputs(chosen, 0)
    if any(column.words for column in columns) or not np.isfinite(codes).all():
        return {}
    plain = codes.shape[1] == 2
    points = codes if plain else project(codes, method)
    names = predictor.code_axes() if plain else _axes(method)
    title = "Codes" if plain else f"Codes by {METHODS[method]}"
    stem = PICTURES["pca" if plain else method]
    return {
        f"{stem}{ending}.png": draw(points, of.of, of.names, title, names, of.none, len(rows))
        for ending, of in _groups(predictor, chosen).items()
    }


def _axes(method: Method) -> tuple[str, str]:
    return ("principal direction 1", "principal direction 2") if method == "pca" else ("", "")


def _rows(rows: Dataset, chosen: "NDArray[np.int64]") -> Dataset:
    """Return some of the rows, as pictures need them."""
    inputs = {name: values[chosen] for name, values in rows.inputs.items()}
    return Dataset(inputs, rows.rows[chosen], None if rows.truth is None else rows.truth[chosen])


def _groups(predictor: Predictor, rows: Dataset) -> dict[str, Groups]:
    """Return what rows are coloured by, with how the file's name ends."""
    import numpy as np

    found: dict[str, Groups] = {}
    cluster = next((column for column in predictor.layout.columns if column.name == CLUSTER), None)
    if cluster is not None and cluster.words is not None:
        place = list(predictor.layout.columns).index(cluster)
        of, names = predictor.outputs(rows)[:, place].astype(np.int64), list(cluster.words)
        found[""] = Groups(of - 1, names[1:], NOISE) if names[0] == NOISE else Groups(of, names, "none")
    if rows.truth is not None and (rows.truth >= 0).any():
        found["_by_label" if found else ""] = Groups(rows.truth, predictor.pipeline.classes, "no label")
    return found or {"": Groups(np.full(len(rows), -1), [], "rows")}
