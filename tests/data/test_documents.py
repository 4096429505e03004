"""Documents: texts in folders and archives as rows."""

import bz2
import gzip
import io
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nnkit.data.pipeline import Pipeline
from nnkit.data.prepare import Prepared, prepare
from nnkit.data.sources import SOURCES
from nnkit.data.sources import documents as documents_module
from nnkit.data.spec import Data
from nnkit.errors import DataError
from nnkit.frames import documents as frames_module
from tests.frames.test_archives import tar, zipped

REVIEWS = {
    **{f"pos/cv{fold}{n:02}_{n * 7}.txt": f"a good film {fold} {n}\n" for fold in range(3) for n in range(4)},
    **{f"neg/cv{fold}{n:02}_{n * 9}.txt": f"a bad film {fold} {n}\n" for fold in range(3) for n in range(4)},
}
PATTERN = "cv{fold:1}{number:2}_{review}.txt"


def folder(path: Path, files: dict[str, str] | dict[str, bytes] | None = None) -> Path:
    """Write files below a folder."""
    for name, text in (REVIEWS if files is None else files).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def packed(path: Path, files: dict[str, str] | dict[str, bytes], top: str = "txt/") -> Path:
    """Write an archive of the kind that its name says."""
    entries = [(top + name, text.encode() if isinstance(text, str) else text) for name, text in files.items()]
    data = zipped(*entries) if path.suffix == ".zip" else tar(*entries)
    if path.suffix in (".gz", ".tgz"):
        data = gzip.compress(data)
    path.write_bytes(bz2.compress(data) if path.suffix == ".bz2" else data)
    return path


def source(path: Path, **options: Any) -> dict[str, Any]:
    return {"type": "documents", "path": str(path), **options}


def made(source: dict[str, Any], task: Any = "binary", **options: Any) -> Prepared:
    words = {"type": "words", "columns": ["text"]}
    spec = {"source": source, "target": "label", "transforms": [words], **options}
    return prepare(Data.model_validate(spec, context={"base": Path()}), lambda count: task, 0)


def whole(path: Path, **options: Any) -> Any:
    return SOURCES.decode(source(path, **options), context={"base": Path()}).whole()


def test_a_folder_gives_text_file_and_class(tmp_path: Path) -> None:
    raw = whole(folder(tmp_path))
    names = sorted(REVIEWS)
    assert raw.cells == {
        "text": [REVIEWS[name] for name in names],
        "file": names,
        "label": [name[:3] for name in names],
    }
    result = made(source(tmp_path))
    assert result.pipeline.classes == ["neg", "pos"]
    assert result.pipeline.feature_names == {"input": ["text"]}
    assert list(result.hashes) == [str(tmp_path)]


@pytest.mark.parametrize("name", ["r.tar", "r.tar.gz", "r.tgz", "r.tar.bz2", "r.zip", "no_suffix"])
def test_an_archive_is_read_like_the_folder_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    path = packed(tmp_path / name, REVIEWS)
    raw = whole(path, pattern=PATTERN)
    assert raw.cells["file"] == [f"txt/{name}" for name in REVIEWS]
    assert raw.cells["text"] == list(REVIEWS.values())
    assert raw.cells["label"] == [name[:3] for name in REVIEWS]
    assert raw.cells["fold"] == [name[6] for name in REVIEWS]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_folds_by_a_part_of_the_name(tmp_path: Path) -> None:
    split = {"column": "fold", "validation": [1], "test": [2]}
    result = made(source(packed(tmp_path / "r.tgz", REVIEWS), pattern=PATTERN), split=split)
    parts = [result.train, result.validation, result.test]
    assert [[int(list(REVIEWS)[row][6]) for row in part.rows] for part in parts if part] == [[n] * 8 for n in range(3)]
    assert result.pipeline.feature_names == {"input": ["text"]}


def test_parts_of_names_can_be_target_feature_and_split(tmp_path: Path) -> None:
    files = {
        f"{part}/{label}/{n}_{n % 5}.txt": "word" for part in ("train", "test") for label in "ab" for n in range(6)
    }
    path = folder(tmp_path, files)
    options = {"split": {"column": "part"}, "types": {"stars": "number"}, "inputs": {"t": ["text"], "s": ["stars"]}}
    result = made(source(path, pattern="{part}/{label}/{id}_{stars}.txt"), **options)
    assert result.pipeline.classes == ["a", "b"]
    assert result.test is not None
    assert result.test.inputs["s"][:, 0].tolist() == [0, 1, 2, 3, 4, 0] * 2
    assert made(source(path), "multiclass").pipeline.classes == ["a", "b"]


@pytest.mark.parametrize("as_archive", [True, False])
def test_files_that_cannot_be_read_are_all_told(as_archive: bool, tmp_path: Path) -> None:
    bad = {
        "pos/cv000_1.txt": b"line one\nna\xefve\n",
        "pos/cv001_2.txt": b" \n\t\n",
        "pos/cv002_3.txt": b"a\0b",
        "neg/other.txt": b"good text, odd name",
    }
    files = {**{name: text.encode() for name, text in REVIEWS.items() if name not in bad}, **bad}
    path = packed(tmp_path / "r.tar", files, "") if as_archive else folder(tmp_path / "r", files)
    prefix = f"{path}: " if as_archive else f"{path}/"
    with pytest.raises(DataError) as caught:
        whole(path, pattern=PATTERN)
    first, *lines, last = str(caught.value).splitlines()
    assert first == f"{path}: 4 of 28 files cannot be read as documents:"
    assert set(lines) == {
        f"{prefix}pos/cv000_1.txt: line 2: byte 12 of the file, 0xef, is no UTF-8; set the source's encoding, such as "
        "latin-1 or cp1252",
        f"{prefix}pos/cv001_2.txt: is empty",
        f"{prefix}pos/cv002_3.txt: line 1: a NUL byte: this is not text, or not in UTF-8",
        f"{prefix}neg/other.txt: the name does not fit the source's pattern, {PATTERN}",
    }
    assert last == documents_module.WAY_OUT
    raw = whole(path, pattern=PATTERN, on_bad="skip")
    assert len(raw) == 24
    assert raw.notes[0] == f"{path}: files that are skipped: 4"
    assert len(raw.notes) == 5


def test_encodings_and_line_ends(tmp_path: Path) -> None:
    folder(tmp_path, {"a/1.txt": "naïve\r\nx\ry".encode("latin-1")})
    assert whole(tmp_path, encoding="latin-1").cells["text"] == ["naïve\nx\ny"]
    folder(tmp_path, {"a/1.txt": "\ufeffBOM".encode()})
    assert whole(tmp_path).cells["text"] == ["BOM"]
    folder(tmp_path, {"a/1.txt": "wide ☃".encode("utf-16")})
    assert whole(tmp_path, encoding="utf-16").cells["text"] == ["wide ☃"]
    with pytest.raises(DataError, match=r"line 1: byte 1 of the file, 0xff, is no UTF-8; set the source's encoding"):
        whole(tmp_path)


def test_other_files_are_passed_over_and_told(tmp_path: Path) -> None:
    more = {"README.2.0": "read me", "pos/x.html": "<p>", ".hidden/x.txt": "no", "__MACOSX/pos/._x.txt": "no"}
    for path in (folder(tmp_path / "r", {**REVIEWS, **more}), packed(tmp_path / "r.zip", {**REVIEWS, **more}, "")):
        raw = whole(path)
        assert len(raw) == 24
        assert raw.notes[0] == f"{path}: files that are skipped: 2"
        assert any("README.2.0: does not end in .txt, as documents do" in note for note in raw.notes)
        assert "x.html" in whole(path, suffix=".html").cells["file"][0]
    assert len(whole(folder(tmp_path / "all", {"a/1": "x", "b/2.md": "y"}), suffix="")) == 2


def test_a_document_beside_the_classes_has_none(tmp_path: Path) -> None:
    for path in (
        folder(tmp_path / "r", {**REVIEWS, "notes.txt": "x"}),
        packed(tmp_path / "r.tar", {**REVIEWS, "notes.txt": "x"}, ""),
    ):
        with pytest.raises(DataError, match=r"notes.txt: lies beside the folders of the classes, so it has no class"):
            whole(path)
    flat = folder(tmp_path / "flat", {"1.txt": "x", "2.txt": "y"})
    assert list(whole(flat).cells) == ["text", "file"]


def test_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: has no documents"):
        whole(tmp_path / "empty")
    with pytest.raises(DataError, match=r"has no documents; passed over: a.md"):
        whole(folder(tmp_path / "md", {"a.md": "x"}))
    with pytest.raises(DataError, match="nowhere: not found"):
        whole(tmp_path / "nowhere")


def test_unsafe_archives_are_refused_whole_also_where_bad_files_are_skipped(tmp_path: Path) -> None:
    link = tarfile.TarInfo("pos/link.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    (tmp_path / "r.tar").write_bytes(tar(("pos/a.txt", b"x"), link))
    with pytest.raises(DataError, match=r"r.tar: pos/link.txt: a symbolic link; only plain files and folders are read"):
        whole(tmp_path / "r.tar", on_bad="skip")
    (tmp_path / "r.zip").write_bytes(zipped(("../a.txt", b"x")))
    with pytest.raises(DataError, match=r"r.zip: ../a.txt: a path with .."):
        whole(tmp_path / "r.zip", on_bad="skip")
    large = zipped(("pos/large.txt", b"x" * (2**24 + 1)), method=zipfile.ZIP_STORED)
    (tmp_path / "r.zip").write_bytes(large)
    with pytest.raises(DataError, match=r"pos/large.txt: has 16,777,217 bytes, and at most 16,777,216 are read"):
        whole(tmp_path / "r.zip")
    (tmp_path / "large.txt").write_bytes(b"x" * (2**24 + 1))
    with pytest.raises(DataError, match=r"large.txt: has more than 16,777,216 bytes"):
        whole(tmp_path / "large.txt")


def test_fresh_documents_of_every_kind_give_the_same_rows(tmp_path: Path) -> None:
    result = made(source(folder(tmp_path / "r"), pattern=PATTERN), split={"column": "fold", "test": [2]})
    pipeline = Pipeline.from_json(result.pipeline.to_json())
    fresh = {f"{n}.txt": text for n, text in enumerate(REVIEWS.values())}
    expected = None
    for path in (
        folder(tmp_path / "f", fresh),
        packed(tmp_path / "f.tar.gz", dict(sorted(fresh.items()))),
        packed(tmp_path / "f.zip", dict(sorted(fresh.items()))),
    ):
        chunks = list(pipeline.stream(path, chunk_rows=7))
        assert [len(chunk.dataset) for chunk in chunks] == [7, 7, 7, 3]
        rows = [chunk.dataset.inputs["input"].row(n).tolist() for chunk in chunks for n in range(len(chunk.dataset))]
        expected = expected or rows
        assert rows == expected
    [chunk] = pipeline.stream(tmp_path / "f" / "3.txt")
    assert chunk.raw["file"] == ["3.txt"]
    for data in (b"a good film", tar(("x.txt", b"a good film")), gzip.compress(b"a good film")):
        [chunk] = pipeline.stream(io.BytesIO(data))
        assert chunk.raw["text"] == ["a good film"]
    [chunk] = pipeline.stream(io.BytesIO(b'{"text": "a good film"}\n{"text": "bad"}\n'))
    assert len(chunk.dataset) == 2
    (tmp_path / "rows.csv").write_text("text\na good film\n")
    [chunk] = pipeline.stream(tmp_path / "rows.csv")
    assert len(chunk.dataset) == 1
    [chunk] = pipeline.stream(folder(tmp_path / "one", {"1.txt": "x"}), need_target=True)
    assert [(bad.place, bad.reason) for bad in chunk.rejected] == [
        (f"{tmp_path}/one/1.txt", "the target label is missing")
    ]


def test_a_stream_holds_few_documents_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "CHUNK_CHARACTERS", 2**20)
    path = packed(tmp_path / "r.tar", {f"{n}.txt": "word " * 50_000 for n in range(60)})
    opened = SOURCES.decode(source(path), context={"base": Path()})
    tracemalloc.start()
    sizes = [len(part) for part in opened.chunks(1000)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sizes == [5] * 12
    assert peak < 2**23


def test_a_changed_renamed_or_added_document_has_another_hash(tmp_path: Path) -> None:
    found = [whole(folder(tmp_path)).hashes]
    (tmp_path / "pos" / "cv001_7.txt").write_text("another")
    found.append(whole(tmp_path).hashes)
    (tmp_path / "pos" / "cv001_7.txt").rename(tmp_path / "pos" / "z.txt")
    found.append(whole(tmp_path).hashes)
    (tmp_path / "pos" / "new.txt").write_text("another")
    found.append(whole(tmp_path).hashes)
    assert len({value for hashes in found for value in hashes.values()}) == 4
    (tmp_path / "pos" / "notes.md").write_text("another")
    assert whole(tmp_path).hashes == found[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "{a}{b}"}, "nothing parts {a}"),
        ({"encoding": "klingon"}, "encoding"),
        ({"on_bad": "ignore"}, "on_bad"),
        ({"suffix": 3}, "suffix"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SOURCES.decode(source(Path("p"), **options), context={"base": Path()})
