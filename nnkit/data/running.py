"""Running text: from the spec's `data` with `target: next` to windows of tokens, each step with the token after it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnkit.data.dataset import Dataset
from nnkit.data.known import Fitted, Known
from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared
from nnkit.data.sources import Source
from nnkit.data.sources.text import TEXT, TextFile
from nnkit.data.spec import NEXT, Data
from nnkit.data.target import TargetState
from nnkit.data.transforms.tokens import Tokenizer, Vocabulary
from nnkit.errors import DataError, Problem, SpecError
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ELSEWHERE = ("where", "windows", "drop", "types", "weight", "augment", "inputs", "positive", "target_transform")
"""Options of ``data`` that are for rows with columns."""
NO_SPLIT = ("stratify", "group", "column", "folds", "train_per_class", "seed")
"""Options of ``data.split`` that would part what stands together in a text."""


class TextPreparation:
    """The text of a spec, read, cut into tokens and divided in its order, whatever the seed."""

    def __init__(self, data: Data, task_of: Callable[[int], Task], inherited: Known | None = None) -> None:
        """Read the text; raises ``SpecError`` for options that do not fit, ``DataError`` for the text itself."""
        self._source, self._tokenizer = _checked(data, task_of, inherited)
        self._parts, self._hashes = self._read(data)

    def once(self, seed: int) -> Prepared:
        """Learn the vocabulary from the part that trains, and number the tokens of all."""
        state = self._tokenizer.learned([(self._parts.get("train", ()), 1)], TEXT)
        number = self._tokenizer.numberer(state)
        numbers = {name: number(part).astype("int64") for name, part in self._parts.items()}
        for name, part in numbers.items():
            _check_size(name, len(part), self._source.length)
        known = Known(
            source=self._source,
            columns={TEXT: "category"},
            transforms=[Fitted(transform=self._tokenizer, states={TEXT: state})],
            features={"input": [TEXT]},
            shapes={"input": [0]},
            target=TargetState(task="next", columns=[NEXT]),
            target_kinds={NEXT: "category"},
        )
        made = {name: windowed(part, self._source.length) for name, part in numbers.items()}
        pipeline = Pipeline(known)
        notes = [self._told(state, numbers), *self._strange(made, state)]
        return Prepared(made["train"], made.get("validation"), made.get("test"), pipeline, self._hashes, notes=notes)

    def folds(self, seed: int) -> Iterator[Prepared]:
        """Return what ``once`` does: a spec that asks for folds of a text has been refused by now."""
        return iter([self.once(seed)])

    def _read(self, data: Data) -> tuple[dict[str, Sequence[str]], dict[str, str]]:
        """Return the tokens of each part, and the hash of each file."""
        from nnkit.frames.running import divided

        tokens, hashes = self._tokens(self._source), dict(self._source.hashes())
        split, count = data.split, len(tokens)
        shares = {part: round(split.share_of(part) * count) for part in ("validation", "test")}
        train = split.train if isinstance(split.train, int | None) else max(1, round(split.train * count))
        parts = divided(tokens, shares["validation"], shares["test"], train)
        for part in shares:
            own = getattr(split, part)
            if isinstance(own, TextFile):
                parts[part] = self._tokens(own)
                hashes |= own.hashes()
        return parts, hashes

    def _tokens(self, source: TextFile) -> Sequence[str]:
        text = source.text()
        tokens = self._tokenizer.cut(text)
        if not tokens:
            raise DataError(f"{source.title}: {'has no words' if text else 'is empty'}; there is nothing to read")
        return tokens

    def _told(self, state: Vocabulary, numbers: "Mapping[str, NDArray[np.int64]]") -> str:
        parts = ", ".join(f"{len(tokens):,} {name}" for name, tokens in numbers.items())
        title, kind = self._source.title, self._tokenizer.type_name
        return f"{title}: {kind}: {parts}; the vocabulary has {len(state.tokens):,}"

    def _strange(self, made: dict[str, Dataset], state: Vocabulary) -> list[str]:
        """Say how many tokens of each part are not in the vocabulary."""
        counts = {name: int((rows.inputs["input"].flat() == 0).sum()) for name, rows in made.items()}
        way_out = (
            ""
            if self._tokenizer.learns_unknown(state)
            else ", which training never meets; by max_size or min_count it would"
        )
        return [
            f"{name}: {count:,} {self._tokenizer.type_name} are not in the vocabulary and stand as unknown{way_out}"
            for name, count in counts.items()
            if count
        ]


def windowed(numbers: "NDArray[np.int64]", length: int) -> Dataset:
    """Return the windows of a text's tokens [total] in the text's order, and at each step the next token."""
    import numpy as np

    from nnkit.frames.running import windows

    inputs, targets = windows(numbers, length)
    return Dataset({"input": inputs}, np.arange(len(inputs)), targets, targets)


def fresh(pipeline: Pipeline, path: Path) -> Dataset:
    """Return the windows of a text that a run has not seen; raises ``DataError`` where it has not two tokens."""
    source = pipeline.known.source.fresh(path, True, {})
    assert isinstance(source, TextFile)  # noqa: S101 - a pipeline with this task has no other
    numbers = pipeline.numbers(source.text())
    if len(numbers) < 2:
        raise DataError(f"{path}: has {len(numbers)} tokens; expected two at least, one to foretell the other by")
    return windowed(numbers.astype("int64"), source.length)


def _check_size(name: str, count: int, length: int) -> None:
    """Raise ``DataError`` for a part that is too short: one that trains has a whole window."""
    needed = length + 1 if name == "train" else 2
    if count >= needed:
        return
    way_out = "change data.split"
    if name == "train":
        way_out = (
            f"set data.source.length, which is {length}, to {max(1, (count - 1) // 2)} or less, or take a longer text"
        )
    raise DataError(f"the part of the text for {name} has {count} tokens, expected {needed} at least; {way_out}")


def _checked(data: Data, task_of: Callable[[int], Task], inherited: Known | None) -> tuple[TextFile, Tokenizer]:
    """Return the source and the tokenizer; raises ``SpecError`` with all that does not fit a language model."""
    problems = [
        Problem(("data", name), "is for rows with columns; a text is read on as it is: leave it out")
        for name in ELSEWHERE
        if getattr(data, name) != type(data).model_fields[name].default
    ]
    problems += [
        Problem(
            ("data", "split", name), "is for rows; the parts of a text follow each other in its order: leave it out"
        )
        for name in NO_SPLIT
        if getattr(data.split, name) not in (None, False)
    ]
    if isinstance(data.split.order, str):
        problems.append(Problem(("data", "split", "order"), "a text has no columns but itself; leave it out"))
    for part in ("validation", "test"):
        own = getattr(data.split, part)
        if isinstance(own, Source) and not isinstance(own, TextFile):
            problems.append(Problem(("data", "split", part), f"expected a text source, found {own.type_name}"))
    if data.target != NEXT:
        message = f"a text has nothing but what comes next in it; set target: {NEXT}"
        problems.append(Problem(("data", "target"), message))
    elif task_of(1) != "multiclass":
        message = "the next token is one of many: choose a loss for several classes, such as categorical_cross_entropy"
        problems.append(Problem(("training", "procedure", "loss"), message))
    if inherited is not None:
        problems.append(Problem(("data", "source"), "a pretrained layer reads columns, not a text"))
    tokenizer = _tokenizer(data, problems)
    if problems or tokenizer is None:
        raise SpecError(problems)
    assert isinstance(data.source, TextFile)  # noqa: S101 - the caller looked
    return data.source, tokenizer


def _tokenizer(data: Data, problems: list[Problem]) -> Tokenizer | None:
    """Return the only transform, with what is wrong about it added to ``problems``."""
    path = ("data", "transforms")
    if len(data.transforms) != 1 or not isinstance(data.transforms[0], Tokenizer):
        message = (
            "a text needs one transform, which cuts it into tokens: "
            f"- {{type: characters, columns: [{TEXT}]}}, or words; found {len(data.transforms)} transforms"
        )
        problems.append(Problem(path, message))
        return None
    tokenizer = data.transforms[0]
    if tokenizer.columns != [TEXT]:
        problems.append(Problem((*path, 0, "columns"), f"the one column of a text is called {TEXT}"))
    if tokenizer.into is not None:
        message = "a text has one column only, where its numbers stay; leave it out"
        problems.append(Problem((*path, 0, "into"), message))
    if tokenizer.max_length is not None:
        message = "a text is read to its end; leave it out (data.source.length is the length of a window)"
        problems.append(Problem((*path, 0, "max_length"), message))
    return tokenizer
