import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared, prepare
from nnkit.data.sources import SOURCES
from nnkit.data.spec import Data
from nnkit.errors import DataError, SpecError
from nnkit.frames.pictures import Pictures
from tests.data.helpers import idx

DRAW = np.random.default_rng(3)
IMAGES = DRAW.integers(0, 256, (30, 4, 5), dtype=np.uint8)
LABELS = np.array([*range(10), *range(9, -1, -1), *[10] * 10], dtype=np.uint8)


def digits(folder: Path, images: Any = IMAGES, labels: Any = LABELS) -> dict[str, Any]:
    """Write pictures and labels as MNIST's files and return their source."""
    paths = folder / "some-images-idx3-ubyte.gz", folder / "some-labels-idx1-ubyte.gz"
    for path, values in zip(paths, (images, labels), strict=True):
        path.write_bytes(gzip.compress(idx(values)))
    return {"type": "idx", "images": str(paths[0]), "labels": str(paths[1])}


def made(source: dict[str, Any], task: Any = "multiclass", **options: Any) -> Prepared:
    spec = {"source": source, "target": "label", **options}
    return prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: task, 0)


def pictures_of(rows: Any) -> Pictures:
    [found] = rows.inputs.values()
    assert isinstance(found, Pictures)
    return found


def test_idx_files_become_bytes_and_classes_in_the_order_of_numbers(tmp_path: Path) -> None:
    result = made(digits(tmp_path), split={"test": 0.2})
    assert result.pipeline.input_shapes == {"input": (4, 5, 1)}
    assert result.pipeline.classes == [str(number) for number in range(11)]
    assert result.test is not None
    for part in (result.train, result.test):
        assert pictures_of(part).dtype == np.uint8
        assert np.array_equal(pictures_of(part)[:], IMAGES[part.rows][..., None])
        assert part.truth is not None
        assert np.array_equal(part.truth, LABELS[part.rows])
    assert pictures_of(result.test).store is pictures_of(result.train).store
    assert len(result.hashes) == 2


def test_colours_have_a_fourth_axis(tmp_path: Path) -> None:
    colours = DRAW.integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
    result = made(digits(tmp_path, colours))
    assert np.array_equal(pictures_of(result.train)[:], colours)


def test_labels_that_belong_to_other_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels-idx1-ubyte.gz: has 29 labels, and .* has 30 pictures"):
        made(digits(tmp_path, labels=LABELS[:29]))
    source = digits(tmp_path)
    with pytest.raises(DataError, match="has 1 axes; expected 3 or 4"):
        made(source | {"images": source["labels"]})
    with pytest.raises(DataError, match="nowhere: not found"):
        made(source | {"labels": str(tmp_path / "nowhere")})


def test_idx_without_labels_has_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"has no column 'label'.*It has: image"):
        made({"type": "idx", "images": digits(tmp_path)["images"]})


def test_fresh_pictures_need_no_labels(tmp_path: Path) -> None:
    pipeline = Pipeline.from_json(made(digits(tmp_path)).pipeline.to_json())
    fresh = DRAW.integers(0, 256, (7, 4, 5), dtype=np.uint8)
    for name, data in (("new.idx3-ubyte", idx(fresh)), ("new-without-suffix", gzip.compress(idx(fresh)))):
        path = tmp_path / name
        path.write_bytes(data)
        chunks = list(pipeline.stream(path, chunk_rows=3))
        assert [len(chunk.dataset) for chunk in chunks] == [3, 3, 1]
        assert np.array_equal(np.concatenate([pictures_of(chunk.dataset)[:] for chunk in chunks])[..., 0], fresh)
        assert chunks[0].raw == {}
    with pytest.raises(DataError, match="lacks the columns label"):
        list(pipeline.stream(path, need_target=True))


def test_pictures_from_a_stream(tmp_path: Path) -> None:
    pipeline = made(digits(tmp_path)).pipeline
    for data in (idx(IMAGES[:3]), gzip.compress(idx(IMAGES[:3]))):
        [chunk] = pipeline.stream(io.BytesIO(data))
        assert np.array_equal(pictures_of(chunk.dataset)[:][..., 0], IMAGES[:3])
    with pytest.raises(DataError, match="standard input: its header says 3 x 4 x 5"):
        list(pipeline.stream(io.BytesIO(idx(IMAGES[:3])[:-1])))


def test_labels_are_found_by_mnists_names_where_they_are_needed(tmp_path: Path) -> None:
    pipeline = made(digits(tmp_path)).pipeline
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(idx(IMAGES[:4]))
    path.with_name("t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:4]))
    [chunk] = pipeline.stream(path, need_target=True)
    assert chunk.dataset.truth is not None
    assert chunk.dataset.truth.tolist() == [0, 1, 2, 3]
    [chunk] = pipeline.stream(path)
    assert chunk.dataset.truth is None
    assert list(chunk.part.cells) == ["image"]


def test_fresh_pictures_of_another_size_or_type(tmp_path: Path) -> None:
    pipeline = made(digits(tmp_path)).pipeline
    (tmp_path / "other").write_bytes(idx(IMAGES[:, :3]))
    with pytest.raises(
        DataError, match="each cell of image is an array of 3 x 5 x 1, and the model takes an array of 4"
    ):
        list(pipeline.stream(tmp_path / "other"))
    np.savez(tmp_path / "other.npz", image=IMAGES[..., None].astype(np.float32))
    with pytest.raises(DataError, match="numbers of the type float32, and the model takes bytes"):
        list(pipeline.stream(tmp_path / "other.npz"))
    np.savez(tmp_path / "good.npz", image=IMAGES)
    [chunk] = pipeline.stream(tmp_path / "good.npz")
    assert np.array_equal(pictures_of(chunk.dataset)[:][..., 0], IMAGES)


def test_bytes_of_an_archive_are_pictures(tmp_path: Path) -> None:
    colours = DRAW.integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
    np.savez(tmp_path / "t.npz", grey=IMAGES, colour=colours, label=LABELS)
    result = made({"type": "npz", "path": str(tmp_path / "t.npz")}, inputs={"a": ["grey"], "b": ["colour"]})
    assert result.pipeline.input_shapes == {"a": (4, 5, 1), "b": (4, 5, 3)}
    assert np.array_equal(result.train.inputs["b"][:], colours)
    assert Pipeline.from_json(result.pipeline.to_json()).input_shapes == result.pipeline.input_shapes
    np.savez(tmp_path / "u.npz", grey=IMAGES.astype(float)[..., None], label=LABELS)
    floats = made({"type": "npz", "path": str(tmp_path / "u.npz")})
    with pytest.raises(DataError, match="cells of grey are bytes"):
        list(floats.pipeline.stream(tmp_path / "t.npz"))


def test_transforms_compute_with_numbers_from_0_to_1(tmp_path: Path) -> None:
    numbers = IMAGES[..., None] / 255
    wanted = {
        "standard_scale": (numbers - numbers.mean()) / numbers.std(),
        "min_max_scale": (numbers - numbers.min()) / (numbers.max() - numbers.min()),
        "robust_scale": (numbers - np.median(numbers)) / np.subtract(*np.percentile(numbers, [75, 25])),
    }
    for name, expected in wanted.items():
        result = made(digits(tmp_path), transforms=[name])
        found = result.train.inputs["input"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)
        again = Pipeline.from_json(result.pipeline.to_json())
        [chunk] = again.stream(tmp_path / "some-images-idx3-ubyte.gz")
        assert np.array_equal(chunk.dataset.inputs["input"], found)
    clipped = made(digits(tmp_path), transforms=[{"type": "clip", "high": 0.5}]).train.inputs["input"]
    np.testing.assert_allclose(clipped, np.minimum(numbers, 0.5), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "image"}, "image holds pictures; only features can"),
        ({"types": {"image": "number"}}, r"data\.types\.image: holds pictures"),
        ({"transforms": [{"type": "log", "columns": ["image"]}]}, "log is for columns of one value a row"),
        ({"inputs": {"i": ["image", "label"]}}, "there is no column 'label'"),
    ],
)
def test_pictures_where_none_can_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        made(digits(tmp_path), **options)


def test_pictures_can_be_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", image=IMAGES, x=np.arange(30.0), label=LABELS)
    source = {"type": "npz", "path": str(tmp_path / "t.npz")}
    result = made(source, transforms=[{"type": "drop", "columns": ["image"]}])
    assert result.pipeline.feature_names == {"input": ["x"]}
    with pytest.raises(SpecError, match="'input' cannot be made: image hold"):
        made(source)


@pytest.mark.parametrize(("name", "part", "rows"), [("mnist", "t5k-even", 5000), ("fashion_mnist", "t2k", 2000)])
def test_real_sets(shared_data: Path, name: str, part: str, rows: int) -> None:
    images = shared_data / name / f"{part}-images-idx3-ubyte.gz"
    labels = images.with_name(images.name.replace("images-idx3", "labels-idx1"))
    raw = SOURCES.decode(
        {"type": "idx", "images": str(images), "labels": str(labels)}, context={"base": Path()}
    ).whole()
    assert raw.cells["image"].shape == (rows, 28, 28, 1)
    assert sorted(set(raw.cells["label"].tolist())) == list(range(10))
