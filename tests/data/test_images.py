import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared, prepare
from nnkit.data.sources import SOURCES
from nnkit.data.sources import images as images_module
from nnkit.data.spec import Data
from nnkit.errors import DataError, SpecError, UsageError
from nnkit.frames import galleries
from tests.data.test_pictures import digits, pictures_of
from tests.frames.drawn import DRAW, encoded, folder, photo, png

PIXELS = DRAW.integers(0, 256, (12, 4, 5, 3), dtype=np.uint8)


def pets(path: Path) -> Path:
    """Write six cats and six dogs."""
    return folder(path, {f"{'cats' if n < 6 else 'dogs'}/{n:02}.png": png(PIXELS[n]) for n in range(12)})


def source(path: Path, **options: Any) -> dict[str, Any]:
    return {"type": "images", "path": str(path), **options}


def made(source: dict[str, Any], task: Any = "binary", **options: Any) -> Prepared:
    spec = {"source": source, "target": "label", **options}
    return prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: task, 0)


def listing(path: Path, name: str = "file") -> Path:
    """Write pictures beside a list with their class and age."""
    folder(path, {f"pictures/{n}.png": png(PIXELS[n]) for n in range(12)})
    rows = [f"pictures/{n}.png,{'old' if n % 2 else 'young'},{n * 5}" for n in range(12)]
    (path / "list.csv").write_text("\n".join([f"{name},label,age", *rows]) + "\n")
    return path / "list.csv"


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    result = made(source(pets(tmp_path)), split={"test": 0.25})
    assert result.pipeline.classes == ["cats", "dogs"]
    assert result.pipeline.input_shapes == {"input": (4, 5, 3)}
    assert result.pipeline.feature_names == {"input": ["image"]}
    assert result.test is not None
    for part in (result.train, result.test):
        assert part.truth is not None
        assert np.array_equal(pictures_of(part)[:], PIXELS[part.rows])
        assert np.array_equal(part.truth, part.rows >= 6)
    assert list(result.hashes) == [str(tmp_path)]
    assert result.notes == []


def test_a_changed_renamed_or_added_picture_has_another_hash(tmp_path: Path) -> None:
    found = [made(source(pets(tmp_path))).hashes]
    assert SOURCES.decode(source(tmp_path), context={"base": Path()}).hashes() == found[0]
    (tmp_path / "cats" / "03.png").write_bytes(png(PIXELS[4]))
    found.append(made(source(tmp_path)).hashes)
    (tmp_path / "cats" / "03.png").rename(tmp_path / "cats" / "zz.png")
    found.append(made(source(tmp_path)).hashes)
    (tmp_path / "dogs" / "new.png").write_bytes(png(PIXELS[4]))
    found.append(made(source(tmp_path)).hashes)
    assert len({value for hashes in found for value in hashes.values()}) == 4


def test_numbers_as_names_of_classes_are_in_their_order(tmp_path: Path) -> None:
    folder(tmp_path, {f"{n}/{n}.png": png(PIXELS[n]) for n in range(12)})
    assert made(source(tmp_path), "multiclass").pipeline.classes == [str(n) for n in range(12)]


def test_a_class_may_have_any_name(tmp_path: Path) -> None:
    folder(tmp_path, {f"{name}/{n}.png": png(PIXELS[n]) for n, name in enumerate(["NA", "1", "null"])})
    assert made(source(tmp_path), "multiclass").pipeline.classes == ["1", "NA", "null"]


def test_mode_and_size(tmp_path: Path) -> None:
    folder(tmp_path, {"a/1.jpg": photo(30, 70), "b/2.png": png(PIXELS[0]), "b/3.png": png(PIXELS[0][..., 0])})
    result = made(source(tmp_path, size=[8, 6], mode="grey", resize="pad"))
    assert result.pipeline.input_shapes == {"input": (8, 6, 1)}
    assert made(source(tmp_path, size=[8, 6], mode="RGBA")).pipeline.input_shapes == {"input": (8, 6, 4)}
    with pytest.raises(
        DataError, match=r"different sizes: b/2.png has 4 x 5 .* and 2 of 3 are not as a/1.jpg; set size"
    ):
        made(source(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": [8]}, "size"),
        ({"size": [8, 0]}, "size"),
        ({"size": [8, 20000]}, "size"),
        ({"mode": "L"}, "mode"),
        ({"size": [8, 8], "resize": "fit"}, "resize"),
        ({"resize": "crop"}, "resize says how pictures come to `size`"),
        ({"on_bad": "ignore"}, "on_bad"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SOURCES.decode(source(Path("p"), **options), context={"base": Path()})


def test_a_list_gives_its_other_columns_too(tmp_path: Path) -> None:
    path = listing(tmp_path)
    result = made(source(path), inputs={"picture": ["image"], "facts": ["age"]}, transforms=["standard_scale"])
    ages = np.arange(12) * 5.0
    np.testing.assert_allclose(result.train.inputs["facts"][:, 0], (ages - ages.mean()) / ages.std(), rtol=1e-5)
    assert result.train.inputs["picture"].dtype == np.float32
    plain = made(source(path), inputs={"picture": ["image"], "facts": ["age"]})
    assert np.array_equal(plain.train.inputs["picture"][:], PIXELS)
    assert plain.train.inputs["facts"][:, 0].tolist() == ages.tolist()
    assert plain.pipeline.classes == ["old", "young"]
    assert sorted(plain.hashes) == sorted([str(path), f"the pictures of {path}"])
    again = Pipeline.from_json(plain.pipeline.to_json())
    chunks = list(again.stream(path, chunk_rows=5, need_target=True))
    assert [len(chunk.dataset) for chunk in chunks] == [5, 5, 2]
    assert np.array_equal(np.concatenate([chunk.dataset.inputs["picture"][:] for chunk in chunks]), PIXELS)
    assert chunks[0].raw["file"] == [f"pictures/{n}.png" for n in range(5)]


def test_a_list_whose_paths_have_another_name(tmp_path: Path) -> None:
    path = listing(tmp_path, "image")
    result = made(source(path, column="image"), drop=["age"])
    assert np.array_equal(pictures_of(result.train)[:], PIXELS)
    [chunk] = result.pipeline.stream(path)
    assert list(chunk.raw) == ["file", "label", "age"]
    with pytest.raises(DataError, match=r"has no column 'file' .*; it has: image, label, age; name it by `column`"):
        made(source(path))
    with pytest.raises(DataError, match="has a column 'image', which nnkit itself makes"):
        made(source(path, column="label"))
    with pytest.raises(DataError, match="is a folder, and `column` is for a CSV"):
        made(source(tmp_path / "pictures", column="image"))


def test_bad_rows_of_a_list_are_told_by_their_line(tmp_path: Path) -> None:
    path = listing(tmp_path)
    with path.open("a") as file:
        file.write("pictures/nowhere.png,old,3\n,old,3\n/dev/null,old,4\n")
    with pytest.raises(DataError) as caught:
        made(source(path), drop=["age"])
    assert str(caught.value).splitlines()[1:4] == [
        f"{path}:14: pictures/nowhere.png: not found",
        f"{path}:15: file is empty, and should be the path of a picture",
        f"{path}:16: /dev/null: cannot be read: not a plain file",
    ]
    result = made(source(path, on_bad="skip"), drop=["age"])
    assert len(result.train) == 12
    assert result.notes[0] == f"{path}: pictures that cannot be read and are skipped: 3 of 15"


def test_a_packed_list_and_one_with_tabs(tmp_path: Path) -> None:
    path = listing(tmp_path)
    other = tmp_path / "list.tsv"
    other.write_text(path.read_text().replace(",", "\t"))
    assert np.array_equal(pictures_of(made(source(other), drop=["age"]).train)[:], PIXELS)


def test_pictures_that_are_skipped_are_counted(tmp_path: Path) -> None:
    folder(pets(tmp_path), {"cats/07.png": b"", "dogs/words.txt": b"words"})
    with pytest.raises(DataError) as caught:
        made(source(tmp_path))
    assert str(caught.value).splitlines() == [
        f"{tmp_path}: 2 of 14 pictures cannot be read:",
        f"{tmp_path}/cats/07.png: is empty",
        f"{tmp_path}/dogs/words.txt: is no picture of a format that is read (PNG, JPEG, GIF, BMP, WEBP, TIFF, PPM)",
        "mend or remove them, or set on_bad: skip in the source, which leaves them out",
    ]
    result = made(source(tmp_path, on_bad="skip"))
    assert np.array_equal(pictures_of(result.train)[:], PIXELS)
    assert result.train.truth is not None
    assert result.train.truth.tolist() == [0] * 6 + [1] * 6
    assert result.notes[0] == f"{tmp_path}: pictures that cannot be read and are skipped: 2 of 14"
    assert result.notes[1] == f"{tmp_path}/cats/07.png: is empty"


def test_folders_that_have_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no pictures"):
        made(source(tmp_path))
    folder(tmp_path, {"1.png": png(PIXELS[0])})
    with pytest.raises(SpecError, match=r"has no column 'label'.*It has: file, image"):
        made(source(tmp_path))
    with pytest.raises(DataError, match="nowhere: not found"):
        made(source(tmp_path / "nowhere"))


def test_fresh_pictures_come_to_the_size_of_the_run(tmp_path: Path) -> None:
    pipeline = made(source(pets(tmp_path / "a"), size=[3, 3], mode="grey")).pipeline
    again = Pipeline.from_json(pipeline.to_json())
    fresh = folder(
        tmp_path / "b", {"x.jpg": photo(), "y.png": png(PIXELS[0]), "z.bmp": encoded(Image.new("L", (9, 2)))}
    )
    [chunk] = again.stream(fresh)
    assert pictures_of(chunk.dataset).shape == (3, 3, 3, 1)
    assert chunk.raw == {"file": ["x.jpg", "y.png", "z.bmp"]}
    [one] = again.stream(fresh / "y.png")
    assert np.array_equal(pictures_of(one.dataset)[:], pictures_of(chunk.dataset)[np.array([1])])
    [streamed] = again.stream(io.BytesIO((fresh / "y.png").read_bytes()))
    assert np.array_equal(pictures_of(streamed.dataset)[:], pictures_of(one.dataset)[:])
    with pytest.raises(DataError, match="lacks the columns label"):
        list(again.stream(fresh, need_target=True))
    [known] = again.stream(tmp_path / "a", need_target=True)
    assert known.dataset.truth is not None
    assert known.dataset.truth.tolist() == [0] * 6 + [1] * 6


def test_fresh_pictures_of_a_run_without_size_must_have_its_size(tmp_path: Path) -> None:
    pipeline = made(source(pets(tmp_path / "a"))).pipeline
    fresh = folder(tmp_path / "b", {"a.png": png(PIXELS[0][:3]), "b.png": png(PIXELS[1]), "c.png": b""})
    [chunk] = pipeline.stream(fresh)
    assert np.array_equal(pictures_of(chunk.dataset)[:], PIXELS[1:2])
    assert [(bad.line, bad.reason, bad.text) for bad in chunk.rejected] == [
        (1, "is 3 x 5 pixels, and 4 x 5 are expected", "a.png"),
        (3, "is empty", "c.png"),
    ]
    assert chunk.rejected[0].place == str(fresh / "a.png")
    [own] = pipeline.stream(None)
    assert len(own.dataset) == 12


def test_a_list_from_a_stream_is_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = listing(tmp_path)
    pipeline = made(source(path), drop=["age"]).pipeline
    monkeypatch.chdir(tmp_path)
    [chunk] = pipeline.stream(io.BytesIO(path.read_bytes()))
    assert np.array_equal(pictures_of(chunk.dataset)[:], PIXELS)


def test_streams_have_few_pictures_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = made(source(pets(tmp_path))).pipeline
    monkeypatch.setattr(images_module, "CHUNK_BYTES", 4 * 5 * 3 * 5)
    chunks = list(pipeline.stream(tmp_path))
    assert [len(chunk.dataset) for chunk in chunks] == [5, 5, 2]
    assert [row for chunk in chunks for row in chunk.dataset.rows.tolist()] == list(range(12))


def test_a_run_of_other_pictures_takes_files_of_pictures(tmp_path: Path) -> None:
    pipeline = made(digits(tmp_path), "multiclass").pipeline
    fresh = folder(tmp_path / "b", {"x.jpg": photo(), "y.png": png(PIXELS[0])})
    [chunk] = pipeline.stream(fresh)
    assert pictures_of(chunk.dataset).shape == (2, 4, 5, 1)
    table = tmp_path / "t.csv"
    table.write_text("a,label\n1,x\n2,y\n")
    numbers = made({"type": "csv", "path": str(table)}).pipeline
    with pytest.raises(DataError, match="b: a folder, and the model takes no pictures in a column 'image'"):
        list(numbers.stream(fresh))
    with pytest.raises(DataError, match=r"y.png: a picture, and the model takes no pictures"):
        list(numbers.stream(fresh / "y.png"))
    with pytest.raises(UsageError, match="--columns is for CSV"):
        list(pipeline.stream(fresh, columns=["image"]))
    np.savez(tmp_path / "t.npz", image=np.zeros((4, 2, 2, 2), dtype=np.uint8), label=[0, 1, 0, 1])
    two = made({"type": "npz", "path": str(tmp_path / "t.npz")}).pipeline
    with pytest.raises(DataError, match="and the model takes image of 2 x 2 x 2"):
        list(two.stream(fresh))


def test_files_can_group_the_rows_of_a_split(tmp_path: Path) -> None:
    result = made(source(pets(tmp_path)), split={"test": 0.25, "group": "file"})
    assert result.test is not None
    assert len(result.test) == 3
    assert result.pipeline.feature_names == {"input": ["image"]}


def test_files_are_a_feature_where_somebody_wants_that(tmp_path: Path) -> None:
    encoder = {"type": "hash", "columns": ["file"], "buckets": 2}
    options: dict[str, Any] = {"types": {"file": "category"}, "transforms": [encoder], "inputs": {"i": ["file"]}}
    assert made(source(pets(tmp_path)), **options).pipeline.feature_names == {"i": ["file#0", "file#1"]}
    with pytest.raises(SpecError, match="there is no column 'file'"):
        made(source(tmp_path), transforms=[encoder])


def test_pictures_in_the_cache_are_used_as_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = made(source(pets(tmp_path / "a")), split={"test": 0.25})
    monkeypatch.setenv("NNKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(galleries, "memory_limit", lambda: 100)
    found = made(source(tmp_path / "a"), split={"test": 0.25})
    assert isinstance(pictures_of(found.train).store, np.memmap)
    assert np.array_equal(pictures_of(found.train)[:], pictures_of(wanted.train)[:])
    assert found.hashes == wanted.hashes
    assert "are used from a file in" in found.notes[0]


def test_another_source_for_testing_is_read_once_for_all_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnkit.data.prepare import Preparation

    split = {"validation": 0.25, "test": source(pets(tmp_path / "b"))}
    spec = {"source": source(pets(tmp_path / "a")), "target": "label", "split": split}
    preparation = Preparation(Data.model_validate(spec, context={"base": Path()}), lambda count: "binary")
    first = preparation.once(0)
    monkeypatch.setattr(galleries, "fill", None)
    second = preparation.once(1)
    assert first.test is not None
    assert second.test is not None
    assert np.array_equal(pictures_of(first.test)[:], pictures_of(second.test)[:])
    assert sorted(second.hashes) == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_pictures_in_the_cache_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "a", {f"{n % 2}/{n}.png": png(np.full((100, 100, 3), n)) for n in range(200)})
    monkeypatch.setenv("NNKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(galleries, "memory_limit", lambda: 1000)
    monkeypatch.setattr(galleries, "BLOCK_BYTES", 300_000)
    tracemalloc.start()
    found = made(source(tmp_path / "a"), split={"test": 0.25})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pictures_of(found.train).nbytes == 150 * 30_000
    assert peak < 3_000_000
    names = sorted(f"{n % 2}/{n}.png" for n in range(200))
    shades = np.array([int(name[2:-4]) for name in names])
    assert pictures_of(found.train)[:][:, 50, 50, 0].tolist() == shades[found.train.rows].tolist()


@pytest.mark.parametrize(("name", "size", "rows"), [("cifar10_jpg", None, 600), ("cats_dogs", [48, 64], 100)])
def test_real_folders(shared_data: Path, name: str, size: list[int] | None, rows: int) -> None:
    result = made(source(shared_data / name / "test", size=size), "multiclass")
    assert len(result.train) == rows
    assert result.pipeline.input_shapes == {"input": (*(size or (32, 32)), 3)}
    assert 60 < pictures_of(result.train)[:].mean() < 180
