import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared, prepare
from nnkit.data.sources import SOURCES
from nnkit.data.spec import Data
from nnkit.engine.ragged import Ragged
from nnkit.errors import DataError, ResourceError, RunError, SpecError
from nnkit.frames import clips
from tests.frames.heard import RATE, encoded, floats, folder, stereo, tone, unreadable

LENGTHS = [100 + 7 * number for number in range(12)]
CLIPS = [tone(300 + 50 * number)[:length] for number, length in enumerate(LENGTHS)]
PATTERN = "{label}_{speaker}_{index}"


def source(path: Path, **options: Any) -> dict[str, Any]:
    return {"type": "audio", "path": str(path), "sample_rate": RATE, **options}


def made(source: dict[str, Any], task: Any = "binary", target: str = "label", **options: Any) -> Prepared:
    spec = {"source": source, "target": target, **options}
    return prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: task, 0)


def pets(path: Path) -> Path:
    """Write six cats and six dogs."""
    return folder(path, {f"{'cat' if n < 6 else 'dog'}/{n:02}.wav": floats(CLIPS[n]) for n in range(12)})


def named(path: Path) -> Path:
    """Write the same clips as files whose names say what they are."""
    return folder(
        path, {f"{n % 2}_{'ann' if n < 6 else 'bob_b'}_{n // 4}{'x' * n}.wav": floats(CLIPS[n]) for n in range(12)}
    )


def sounds(dataset: Any, name: str = "input") -> Ragged:
    rows = dataset.inputs[name]
    assert isinstance(rows, Ragged)
    return rows


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    result = made(source(pets(tmp_path)), split={"test": 0.25})
    assert result.pipeline.classes == ["cat", "dog"]
    assert result.pipeline.input_shapes == {"input": (None, 1)}
    assert result.pipeline.feature_names == {"input": ["audio"]}
    assert result.pipeline.known.sample_rate == RATE
    assert result.test is not None
    for part in (result.train, result.test):
        for number, row in enumerate(part.rows.tolist()):
            np.testing.assert_allclose(sounds(part).row(number)[:, 0], CLIPS[row], atol=1e-7)
        assert np.array_equal(part.truth, part.rows >= 6)
    assert list(result.hashes) == [str(tmp_path)]
    assert SOURCES.decode(source(tmp_path), context={"base": Path()}).hashes() == result.hashes


def test_names_of_files_say_what_pattern_reads(tmp_path: Path) -> None:
    path = named(tmp_path)
    result = made(source(path, pattern=PATTERN), split={"test": 0.3, "group": "speaker"})
    assert result.test is not None
    assert result.pipeline.classes == ["0", "1"]
    by_value = made(source(path, pattern=PATTERN), split={"column": "speaker", "test": ["ann"]})
    assert by_value.test is not None
    assert by_value.test.rows.tolist() == [
        n for n, name in enumerate(sorted(p.name for p in path.iterdir())) if "ann" in name
    ]
    names = sorted(file.name for file in path.iterdir())
    parts = [{names[row].split("_")[1] for row in part.rows.tolist()} for part in (result.train, result.test)]
    assert sorted(map(len, parts)) == [1, 1]
    assert parts[0] != parts[1]
    for part in (result.train, result.test):
        assert part.truth.tolist() == [int(names[row][0]) for row in part.rows.tolist()]
    raw = SOURCES.decode(source(path, pattern=PATTERN), context={"base": Path()}).whole()
    assert set(raw.cells["speaker"]) == {"ann", "bob"}
    assert "b_1xxxxxx" in raw.cells["index"]
    several = made(source(path, pattern=PATTERN), "multiclass", target="speaker", where={"index": ["0", "b_1xxxxxx"]})
    assert len(several.train) == 2


def test_what_names_say_are_features_where_the_spec_says_so(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "types": {"speaker": "category"},
        "inputs": {"sound": ["audio"], "who": ["speaker=ann", "speaker=bob"]},
    }
    result = made(
        source(named(tmp_path), pattern=PATTERN), **options, transforms=[{"type": "one_hot", "columns": ["speaker"]}]
    )
    assert result.pipeline.input_shapes == {"sound": (None, 1), "who": (2,)}
    assert result.train.inputs["who"].sum(axis=0).tolist() == [6, 6]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 100}, "sample_rate"),
        ({"channels": "right"}, "channels"),
        ({"max_seconds": 0}, "max_seconds"),
        ({"pattern": "label"}, "expected a pattern with a column in braces"),
        ({"pattern": "{label}_{audio}"}, "audio is a column of the source itself"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SOURCES.decode(source(Path("p"), **options), context={"base": Path()})


def test_names_that_are_not_as_pattern_says_are_bad_files(tmp_path: Path) -> None:
    path = named(tmp_path)
    folder(path, {"other.wav": floats(CLIPS[0]), "a__.wav": floats(CLIPS[0])})
    with pytest.raises(DataError) as caught:
        made(source(path, pattern=PATTERN))
    assert str(caught.value).splitlines() == [
        f"{path}: 2 of 14 clips cannot be read:",
        f"{path / 'a__.wav'}: the name does not fit the source's pattern, {PATTERN}",
        f"{path / 'other.wav'}: the name does not fit the source's pattern, {PATTERN}",
        "mend or remove them, or set on_bad: skip in the source, which leaves them out",
    ]
    assert len(made(source(path, pattern=PATTERN, on_bad="skip")).train) == 12


def test_names_say_more_of_what_lies_in_folders(tmp_path: Path) -> None:
    path = pets(tmp_path / "pets")
    for pattern in ("{label}/{number:1}{index}", "{label}/{number:1}{index}.wav"):
        raw = SOURCES.decode(source(path, pattern=pattern), context={"base": Path()}).whole()
        assert raw.cells["label"] == ["cat"] * 6 + ["dog"] * 6
        assert raw.cells["index"] == [str(number % 10) for number in range(12)]
    with pytest.raises(DataError, match="12 of 12 clips cannot be read"):
        made(source(path, pattern="{label}_{index}"))


def test_a_list_needs_no_pattern(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "list.csv").write_text("file,label\ncat/00.wav,a\n")
    with pytest.raises(DataError, match="is a list, whose columns say what clips are; leave out pattern"):
        made(source(tmp_path / "list.csv", pattern="{label}"))


def listing(path: Path) -> Path:
    pets(path)
    rows = [f"{'cat' if n < 6 else 'dog'}/{n:02}.wav,{'old' if n % 2 else 'young'},{n}" for n in range(12)]
    (path / "list.csv").write_text("\n".join(["file,age,weight", *rows]) + "\n")
    return path / "list.csv"


def test_a_list_gives_its_other_columns_too(tmp_path: Path) -> None:
    path = listing(tmp_path)
    result = made(source(path), target="age", inputs={"sound": ["audio"], "facts": ["weight"]})
    assert result.train.inputs["facts"].ravel().tolist() == list(range(12))
    assert sounds(result.train, "sound").lengths.tolist() == LENGTHS
    assert sorted(result.hashes) == sorted([str(path), f"the clips of {path}"])
    again = Pipeline.from_json(result.pipeline.to_json())
    [chunk] = again.stream(path, need_target=True)
    assert sounds(chunk.dataset, "sound").lengths.tolist() == LENGTHS
    assert list(chunk.raw) == ["file", "age", "weight"]
    with path.open("a") as file:
        file.write("nowhere.wav,old,3\n,old,3\n")
    with pytest.raises(DataError) as caught:
        made(source(path), target="age", drop=["weight"])
    assert str(caught.value).splitlines()[1:3] == [
        f"{path}:14: nowhere.wav: not found",
        f"{path}:15: file is empty, and should be the path of a clip",
    ]


def test_all_that_cannot_be_read_is_named_at_once(tmp_path: Path) -> None:
    pets(tmp_path)
    bad = unreadable()
    folder(tmp_path, {f"cat/{name}": data for name, (data, _) in bad.items()})
    with pytest.raises(DataError) as caught:
        made(source(tmp_path))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path}: {len(bad)} of {12 + len(bad)} clips cannot be read:"
    assert [line.split(": ")[0] for line in lines[1:-1]] == sorted(str(tmp_path / "cat" / name) for name in bad)
    result = made(source(tmp_path, on_bad="skip"))
    assert len(result.train) == 12
    assert result.notes[0] == f"{tmp_path}: clips that cannot be read and are skipped: {len(bad)} of {12 + len(bad)}"
    assert len(result.notes) == 1 + len(bad)


def test_a_folder_in_which_nothing_can_be_read_is_an_error_with_skip_too(tmp_path: Path) -> None:
    folder(tmp_path, {"a/1.wav": b"", "b/2.wav": b"x"})
    with pytest.raises(DataError, match="2 of 2 clips cannot be read"):
        made(source(tmp_path, on_bad="skip"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: has no clips"):
        made(source(tmp_path / "empty"))


def test_fresh_clips_are_brought_to_what_was_trained(tmp_path: Path) -> None:
    pipeline = made(source(named(tmp_path / "train"), pattern=PATTERN)).pipeline
    long = tone(rate=44_100)
    folder(tmp_path / "new", {"high.wav": stereo(long, 44_100), "low.flac": encoded(tone(), form="FLAC")})
    [chunk] = pipeline.stream(tmp_path / "new")
    rows = sounds(chunk.dataset)
    np.testing.assert_allclose(rows.row(0), rows.row(1), atol=1e-3)
    assert chunk.raw["label"] == ["", ""]
    [chunk] = pipeline.stream(tmp_path / "new" / "low.flac")
    assert len(chunk.dataset) == 1
    [chunk] = pipeline.stream(io.BytesIO(stereo(long, 44_100)))
    np.testing.assert_array_equal(sounds(chunk.dataset).row(0), rows.row(0))
    with pytest.raises(DataError, match="has no column 'file' with the paths of clips"):
        list(pipeline.stream(io.BytesIO(b"a,b\n1,2\n")))
    [chunk] = pipeline.stream(tmp_path / "new", need_target=True)
    assert [bad.reason for bad in chunk.rejected] == [f"the name does not fit the source's pattern, {PATTERN}"] * 2


def test_a_stream_has_a_few_clips_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "on_all_cores", lambda work, items: [work(item) for item in items])
    pipeline = made(source(pets(tmp_path / "train"))).pipeline
    path, seconds = tmp_path / "new", 20
    folder(path, {f"{number:03}.wav": encoded(np.zeros(RATE * seconds)) for number in range(3)})
    for number in range(3, 200):
        (path / f"{number:03}.wav").hardlink_to(path / f"{number % 3:03}.wav")
    tracemalloc.start()
    assert [len(chunk.dataset) for chunk in pipeline.stream(path)] == [64, 64, 64, 8]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 64 * seconds * RATE * 4


def test_clips_that_do_not_fit_in_memory_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "memory_limit", lambda: 1000)
    with pytest.raises(ResourceError, match=r"the first 12 of 12 clips take 0.0 MiB, more than the .* sample_rate"):
        made(source(pets(tmp_path)))


def test_sound_is_a_feature_and_nothing_else(tmp_path: Path) -> None:
    path = source(pets(tmp_path / "pets"))
    with pytest.raises(SpecError, match="audio holds sounds; only features can"):
        made(path, target="audio")
    with pytest.raises(SpecError, match=r"audio hold arrays; name one array or columns of numbers in data.inputs"):
        made(source(listing(tmp_path)), target="age")
    with pytest.raises(SpecError, match="holds sounds; take it out of types"):
        made(path, types={"audio": "number"})


@pytest.mark.parametrize("shape", [[0], [0, 2], [0, 1, 1], [5, 1], [1]])
def test_a_changed_pipeline_is_no_pipeline(tmp_path: Path, shape: list[int]) -> None:
    value = made(source(pets(tmp_path))).pipeline.to_json()
    assert Pipeline.from_json(value).input_shapes == {"input": (None, 1)}
    with pytest.raises(RunError):
        Pipeline.from_json({**value, "shapes": {"input": shape}})
