"""``nnkit encode``: a code for each row in, in order, in constant memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO

from nnkit.commands.predict import CHUNK_ROWS, Cells, PredictSummary, answer, origin_of, table_writer, usual
from nnkit.data.chunk import Chunk
from nnkit.inference import Predictor
from nnkit.runs.folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def encode(
    run: Path,
    data: Path | BinaryIO | None,
    output: TextIO,
    *,
    format: Literal["csv", "jsonl"] | None = None,  # noqa: A002 - the name that the option has
    columns: Sequence[str] | None = None,
    keep: bool = False,
    rejects: Path | None = None,
    chunk_rows: int = CHUNK_ROWS,
    device: str | None = None,
) -> PredictSummary:
    """Write the code of each row of ``data`` to ``output``, in order; None stands for the run's own source.

    The options are those of ``nnkit.commands.predict.predict``, and so is what they do. Raises ``UsageError`` for a run
    whose model has no codes, ``RunError``, ``DataError`` and ``ResourceError``.
    """
    predictor = Predictor(RunFolder.usable(run), device)
    encoder, codes = predictor.encoder()
    pipeline = predictor.pipeline
    source = origin_of(data, pipeline)
    form = format or usual(source.format)
    layout = replace(pipeline.layout, task="unlabelled", columns=codes)
    stream = pipeline.stream(
        source.origin, format=source.format, columns=list(columns) if columns else None, chunk_rows=chunk_rows
    )

    def compute(chunk: Chunk, start: int) -> "tuple[NDArray[np.float64], Cells]":
        return encoder.outputs(chunk.dataset, start), chunk.raw if keep else {}

    rows, refused = answer(stream, compute, table_writer(output, layout, form, keep), output, rejects, source.name)
    return PredictSummary(rows, refused.count, dict(pipeline.unseen), refused.notes)
