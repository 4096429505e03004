"""The nearest right spelling of a word."""

from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return ``; did you mean 'units'?`` for the choice that looks like ``word``, or a full stop where none does."""
    import difflib

    plain = {_plain(choice): choice for choice in reversed(list(choices))}
    found = difflib.get_close_matches(_plain(word), plain, n=1)
    return f"; did you mean {plain[found[0]]!r}?" if found else "."


def _plain(word: str) -> str:
    """Return ``word`` as all ways of joining its parts have it: BatchNorm, batch-norm and batch_norm are one."""
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
