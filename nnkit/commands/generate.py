"""``nnkit generate``: a language model goes on with a text."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnkit.data.pipeline import Pipeline
from nnkit.errors import UsageError
from nnkit.inference import Predictor
from nnkit.runs.folder import RunFolder
from nnkit.seeds import generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN = 10


@dataclass(frozen=True)
class Options:
    """How a text is gone on with: so many tokens more, each drawn as ``nnkit.engine.sampling.Sampling`` says."""

    tokens: int = 500
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def check(self) -> None:
        """Raise ``UsageError`` for a value that is out of its bounds."""
        bounds = {
            "--tokens": (self.tokens, self.tokens >= 1, "1 or more"),
            "--temperature": (self.temperature, 0 <= self.temperature < float("inf"), "0 or more"),
            "--top-k": (self.top_k, self.top_k >= 0, "a number of tokens, or 0 for all"),
            "--top-p": (self.top_p, 0 < self.top_p <= 1, "more than 0 and at most 1"),
            "--seed": (self.seed, self.seed >= 0, "0 or more"),
        }
        for name, (value, fits, expected) in bounds.items():
            if not fits:
                raise UsageError(f"{name} {value:g}: expected {expected}")


def generate(
    run: Path,
    prompt: str | None = None,
    options: Options | None = None,
    *,
    device: str | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[str]:
    """Yield the prompt and then, piece by piece as they are drawn, the tokens that the model goes on with.

    The same run, prompt and options give the same text. Without a prompt it begins with a line of its own, or with the
    most frequent token. ``note`` is told which of the prompt's tokens the model does not know. Raises ``UsageError``
    for a run that is no language model, for a prompt that it knows nothing of and for options out of their bounds;
    ``RunError`` and ``ResourceError``.
    """
    options = options or Options()
    options.check()
    predictor = Predictor(RunFolder.usable(run), device)
    pipeline = predictor.pipeline
    if pipeline.task != "next":
        raise UsageError(
            f"{run}: is no language model but predicts {', '.join(pipeline.targets)}; use nnkit predict {run} DATA"
        )
    text = _opening(pipeline) if prompt is None else prompt
    return _continued(predictor, text, _known(pipeline, text, note), options)


def _opening(pipeline: Pipeline) -> str:
    tokens = pipeline.vocabulary.tokens
    return "\n" if "\n" in tokens else tokens[0]


def _known(pipeline: Pipeline, text: str, note: Callable[[str], None]) -> "NDArray[np.int64]":
    """Return the numbers of the prompt's tokens; those that the model has never seen are left out, and told."""
    kind = pipeline.tokenizer.type_name
    tokens, numbers = pipeline.tokenizer.tokens(text, pipeline.vocabulary), pipeline.numbers(text).astype("int64")
    if not len(tokens):
        raise UsageError(f"--prompt {text!r}: has no {kind}; give some to go on with, or leave --prompt out")
    unknown = Counter(token for token, number in zip(tokens, numbers.tolist(), strict=True) if number == 0)
    learned = pipeline.tokenizer.learns_unknown(pipeline.vocabulary)
    if not learned:
        numbers = numbers[numbers != 0]
    if not numbers.any():
        raise UsageError(f"--prompt {text!r:.200}: the model knows none of its {kind}; give one that it was trained on")
    if unknown:
        listed = ", ".join(repr(token) for token in list(unknown)[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
        what = "reads them as one unknown token" if learned else "reads the prompt without them"
        note(f"--prompt: the model does not know {unknown.total()} of its {len(tokens)} {kind}, {listed}, and {what}")
    return numbers


def _continued(predictor: Predictor, text: str, numbers: "NDArray[np.int64]", options: Options) -> Iterator[str]:
    import numpy as np

    from nnkit.engine.sampling import Sampling

    pipeline, draw = predictor.pipeline, generator(options.seed, "generate")
    sampling = Sampling(options.temperature, options.top_k, options.top_p)
    names, end = pipeline.classes, text[-2:]
    yield text
    with predictor.reader() as reader:
        for _ in range(options.tokens):
            number = sampling.draw(reader.read(numbers), draw)
            piece = pipeline.tokenizer.joined(end, names[number])
            yield piece
            numbers, end = np.array([number]), (end + piece)[-2:]
