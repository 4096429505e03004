"""Sentences with the tags that a model gives their words, as ``nnkit predict`` writes them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from nnkit.data.pipeline import Pipeline
from nnkit.errors import UsageError
from nnkit.predictions import Layout, csv_line, csv_rows, prediction_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Write = Callable[["NDArray[np.float64]", Mapping[str, Sequence[Any]]], str]

ROW, STEP = "row", "step"


class TagWriter:
    """Writes sentences, each with its columns as lists and the tags of its words.

    ``conll`` has a word a line and the tag in the last column, ``csv`` a word a row with the probability of each tag,
    ``jsonl`` a sentence a line, with lists. The target's column is left out unless ``keep``.
    """

    def __init__(self, output: TextIO, pipeline: Pipeline, form: str, keep: bool) -> None:
        """Raise ``UsageError`` for a format that has no place for tags."""
        forms: dict[str, Write] = {"conll": self._conll, "csv": self._csv, "jsonl": self._json}
        if form not in forms:
            raise UsageError(f"--format {form}: the model tags words; use conll, csv or jsonl")
        self._output = output
        self._form = forms[form]
        self._layout = Layout(pipeline.task, pipeline.classes, pipeline.targets)
        self._separator = getattr(pipeline.known.source, "separator", None) or "\t"
        self._left_out = set() if keep else set(pipeline.targets)
        self._rows = 0
        self._columns: list[str] | None = None

    def write(self, outputs: "NDArray[np.float64]", cells: Mapping[str, Sequence[Any]]) -> None:
        """Write the sentences of a part; ``outputs`` are those of all their words."""
        kept = {name: lists for name, lists in cells.items() if name not in self._left_out}
        self._output.write(self._form(outputs, kept))
        self._rows += len(next(iter(kept.values())))

    def _conll(self, outputs: "NDArray[np.float64]", cells: Mapping[str, Sequence[Any]]) -> str:
        join, tags = self._separator.join, iter(prediction_table(outputs, self._layout)["prediction"])
        sentences = zip(*cells.values(), strict=True)
        return "".join(
            "".join(f"{join((*word, next(tags)))}\n" for word in zip(*sentence, strict=True)) + "\n"
            for sentence in sentences
        )

    def _csv(self, outputs: "NDArray[np.float64]", cells: Mapping[str, Sequence[Any]]) -> str:
        from nnkit.commands.predict import refuse_doubles

        lengths = [len(words) for words in next(iter(cells.values()))]
        columns = [ROW, STEP, *cells, *self._layout.header]
        refuse_doubles(cells, [ROW, STEP, *self._layout.header])
        table = {
            ROW: [str(self._rows + row) for row, length in enumerate(lengths) for _ in range(length)],
            STEP: [str(step) for length in lengths for step in range(length)],
            **{name: [word for words in lists for word in words] for name, lists in cells.items()},
            **prediction_table(outputs, self._layout),
        }
        header = csv_line(columns) if self._columns is None else ""
        self._columns = columns
        return header + csv_rows(table)

    def _json(self, outputs: "NDArray[np.float64]", cells: Mapping[str, Sequence[Any]]) -> str:
        from nnkit.commands.predict import refuse_doubles

        refuse_doubles(cells, ["prediction", "probabilities"])
        return "".join(self._objects(prediction_table(outputs, self._layout), cells))

    def _objects(self, table: Mapping[str, Sequence[str]], cells: Mapping[str, Sequence[Any]]) -> Iterator[str]:
        start = 0
        for sentence in zip(*cells.values(), strict=True):
            part = slice(start, start + len(sentence[0]))
            start = part.stop
            found: dict[str, Any] = dict(zip(cells, sentence, strict=True))
            found["prediction"] = table["prediction"][part]
            columns = zip(self._layout.classes, self._layout.probabilities, strict=True)
            found["probabilities"] = {tag: list(map(float, table[column][part])) for tag, column in columns}
            yield f"{json.dumps(found, ensure_ascii=False)}\n"
