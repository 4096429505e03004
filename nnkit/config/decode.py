"""Decoding: a document becomes typed options, or one error with every mistake in it, each with its place."""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nnkit.config.document import Document
from nnkit.config.mistakes import MISSING
from nnkit.config.piece import Options
from nnkit.errors import Path, Problem, SpecError

T = TypeVar("T", bound=Options)


def decode(kind: type[T], document: Document) -> T:
    """Make ``kind`` from a document; raises ``SpecError`` with every mistake, in the order of the document's lines.

    Validators find the folder that paths are relative to as ``info.context["base"]``.
    """
    try:
        return kind.model_validate(document.tree, context={"base": document.base})
    except ValidationError as error:
        problems = [_problem(document, details) for details in error.errors(include_url=False)]
        raise locate(document, SpecError(problems)) from None
    except SpecError as error:
        raise locate(document, error) from None


def locate(document: Document, error: SpecError) -> SpecError:
    """Return ``error`` with the place of every problem that has none, without doubles, in the order of places."""
    placed = [
        problem if problem.place else Problem(problem.path, problem.message, document.place(problem.path))
        for problem in error.problems
    ]
    return SpecError(sorted(dict.fromkeys(placed), key=_order))


def _order(problem: Problem) -> tuple[bool, int]:
    line = problem.place.rpartition(":")[2]
    return not line.isdecimal(), int(line) if line.isdecimal() else 0


def _problem(document: Document, details: ErrorDetails) -> Problem:
    """Return the problem of an error whose message is in words already, but for those of validators."""
    loc: Path = details["loc"]
    path = (*document.clean(loc[:-1]), loc[-1]) if details["type"] == MISSING else document.clean(loc)
    context = details.get("ctx", {})
    return Problem(path, str(context["error"]) if "error" in context else details["msg"])
