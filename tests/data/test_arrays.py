import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import prepare
from nnkit.data.spec import Data
from nnkit.errors import DataError, SpecError


def test_arrays_are_scaled_by_all_their_values_and_keep_their_shape(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    images = np.arange(24, dtype=np.int16).reshape(4, 2, 3)
    np.savez(path, images=images, y=np.array([0, 1, 0, 1]))
    spec = {"source": {"type": "npz", "path": str(path)}, "target": "y", "transforms": ["min_max_scale"]}
    result = prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: "binary", 0)
    np.testing.assert_allclose(result.train.inputs["input"], images / 23, rtol=1e-6)
    again = Pipeline.from_json(result.pipeline.to_json())
    [chunk] = again.stream(path)
    assert np.array_equal(chunk.dataset.inputs["input"], result.train.inputs["input"])
    np.savez(path, images=images.reshape(4, 3, 2), y=np.array([0, 1, 0, 1]))
    with pytest.raises(
        DataError, match="each cell of images is an array of 3 x 2, and the model takes an array of 2 x 3"
    ):
        list(again.stream(path))
    with pytest.raises(DataError, match="each cell of images is one value"):
        list(again.stream(io.BytesIO(b"images\n1\n")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"transforms": [{"type": "one_hot", "columns": ["a"]}]},
            r"transforms\[0\]\.columns: one_hot is for columns of one",
        ),
        ({"types": {"a": "number"}}, r"data\.types\.a: holds arrays"),
        ({"target": "a"}, "a holds arrays; only features can"),
        ({"inputs": {"i": ["a", "b"]}}, "'i' cannot be made: a hold arrays"),
    ],
)
def test_arrays_where_none_can_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "t.npz", a=np.zeros((4, 2)), b=np.arange(4), y=np.array([0, 1, 0, 1]))
    spec = {"source": {"type": "npz", "path": str(tmp_path / "t.npz")}, "target": "y", **options}
    with pytest.raises(SpecError, match=message):
        prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: "binary", 0)
