"""What a run folder may hold: plain files, and weights as its network has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnkit.errors import RunError
from nnkit.files import NOT_PLAIN, strange_files
from nnkit.models.plan import Plan
from nnkit.shapes import show

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def refuse_strange(path: Path) -> None:
    """Raise ``RunError`` for what is no plain file in a run: reading it could hang, writing could go elsewhere."""
    try:
        found = next(strange_files(path), None)
    except OSError as error:
        raise RunError(f"{error.filename}: cannot be read: {error.strerror}; change its permissions") from error
    if found is not None:
        raise strange(found)


def strange(path: Path) -> RunError:
    """Return the error for a link or another thing that is no plain file."""
    if path.is_symlink():
        return RunError(f"{path}: a link; a run folder holds only plain files, copy the file itself into it")
    return RunError(f"{path}: {NOT_PLAIN}; a run folder holds nothing else, remove it")


def misfits(plan: Plan, arrays: "Mapping[str, NDArray[np.generic]]") -> list[str]:
    """Return which weights are missing, of no layer, or not as ``plan`` has them."""
    expected = plan.weights()
    problems = [f"{name} is missing" for name in expected if name not in arrays]
    problems += [f"{name} belongs to no layer" for name in arrays if name not in expected]
    for name, weight in expected.items():
        if name in arrays and arrays[name].shape != weight.shape:
            problems.append(f"{name} is {show(arrays[name].shape)}, expected {show(weight.shape)}")
        elif name in arrays and arrays[name].dtype.name not in ("float32", "float64"):
            problems.append(f"{name} has {arrays[name].dtype} values, expected float32")
    return problems
