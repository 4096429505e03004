from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nnkit.data.dataset import Dataset
from nnkit.inference import Predictor
from nnkit.procedures.forward import BlockForward
from nnkit.runs.folder import RunFolder
from tests.commands.conftest import make_rows, make_spec, train_spec, write_csv

ROWS = 2500


@pytest.fixture(scope="module")
def wide_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train nets of odd widths, where the bits of a product do depend on the rows beside it."""
    folder = tmp_path_factory.mktemp("wide")
    data = write_csv(folder / "toy.csv", make_rows(60))
    runs = {}
    for name in NAMES:
        kind, precision, engine = name.split("-")
        spec = make_spec(data, kind)
        spec["name"] = name
        spec["model"]["layers"][0]["units"] = 513
        spec["training"] |= {"epochs": 1, "precision": precision, "engine": engine}
        runs[spec["name"]] = train_spec(folder, spec)
    return runs


NAMES = [
    "multiclass-float32-torch",
    "regressions-float32-torch",
    "binary-float64-torch",
    "multiclass-float32-native",
    "binary-float32-native",
]


def dataset(rows: int) -> Dataset:
    values = np.random.default_rng(5).normal(size=(rows, 5)).astype(np.float32)
    return Dataset({"input": values}, np.arange(rows))


def part(whole: Dataset, first: int, last: int) -> Dataset:
    return Dataset({name: array[first:last] for name, array in whole.inputs.items()}, whole.rows[first:last])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cuts", [[1], [1023, 1024, 1025], [3, 10, 500, 2000, 2499], list(range(100, 2500, 100))])
def test_cuts_change_no_bit(wide_runs: dict[str, Path], name: str, cuts: list[int]) -> None:
    predictor, rows = Predictor(RunFolder.open(wide_runs[name])), dataset(ROWS)
    whole = predictor.outputs(rows)
    bounds = [0, *cuts, ROWS]
    parts = [predictor.outputs(part(rows, a, b), a) for a, b in pairwise(bounds)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_blocks_are_needed(wide_runs: dict[str, Path]) -> None:
    """Fails where torch gives the same bits for any number of rows, and blocks could go."""
    import torch

    predictor = Predictor(RunFolder.open(wide_runs["multiclass-float32-torch"]))
    assert isinstance(predictor._network, BlockForward)
    network, inputs = predictor._network._network, torch.from_numpy(dataset(ROWS).inputs["input"])
    with torch.inference_mode():
        whole = network({"input": inputs})
        alone = torch.cat([network({"input": row[None]}) for row in inputs])
    assert not torch.equal(whole, alone)
    torch.testing.assert_close(whole, alone)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", [0, 5])
def test_no_rows_give_no_outputs(wide_runs: dict[str, Path], name: str, start: int) -> None:
    predictor = Predictor(RunFolder.open(wide_runs[name]))
    assert predictor.outputs(dataset(0), start).shape == (0, *predictor.outputs(dataset(3)).shape[1:])


def test_outputs_have_the_precision_of_the_run(wide_runs: dict[str, Path]) -> None:
    for name, run in wide_runs.items():
        outputs = Predictor(RunFolder.open(run)).outputs(dataset(50))
        narrow = np.array_equal(outputs.astype(np.float32).astype(np.float64), outputs)
        assert narrow == ("float32" in name)
