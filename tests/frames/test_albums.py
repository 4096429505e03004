import os
from pathlib import Path

import pytest

from nnkit.errors import DataError
from nnkit.frames.albums import Entry, UnreadableError, content, listed, together
from tests.frames.drawn import folder


def names(path: Path) -> dict[str, str | None]:
    return {entry.name: entry.label for entry in listed(path) if not entry.fault}


def faults(path: Path) -> dict[str, str]:
    return {entry.name: entry.fault for entry in listed(path) if entry.fault}


def test_a_flat_folder_has_no_classes(tmp_path: Path) -> None:
    folder(tmp_path, {"b.png": b"", "a10": b"", "a9.JPG": b""})
    assert list(names(tmp_path).items()) == [("a10", None), ("a9.JPG", None), ("b.png", None)]
    assert [entry.line for entry in listed(tmp_path)] == [1, 2, 3]
    assert listed(tmp_path)[0].place == str(tmp_path / "a10")


def test_folders_are_classes_however_deep_their_files_lie(tmp_path: Path) -> None:
    folder(tmp_path, {"b/1.png": b"", "a-/2.png": b"", "a/x/y/3.png": b"", "a/0.png": b""})
    found = {"a/0.png": "a", "a/x/y/3.png": "a", "a-/2.png": "a-", "b/1.png": "b"}
    assert list(names(tmp_path).items()) == list(found.items())


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    litter = [".DS_Store", "Thumbs.db", "thumbs.db", "desktop.ini", "a/.hidden.png", "a/._1.png", ".git/config"]
    folder(tmp_path, dict.fromkeys([*litter, "__MACOSX/a/1.png", "a/1.png"], b""))
    assert names(tmp_path) == {"a/1.png": "a"}
    assert faults(tmp_path) == {}


def test_nothing_else_is_passed_over(tmp_path: Path) -> None:
    folder(tmp_path, {"a/1.png": b"", "LICENSE": b"words", "a/readme.txt": b"words"})
    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "inside").mkdir(parents=True)
    assert names(tmp_path) == {"a/1.png": "a", "a/readme.txt": "a"}
    assert faults(tmp_path) == {
        "LICENSE": "lies beside the folders of the classes, so it has no class",
        "empty": "is the folder of a class, and there is no file in it",
        "hollow": "is the folder of a class, and there is no file in it",
    }


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    folder(tmp_path, {"store/1.png": b"one", "data/a/0.png": b"zero"})
    data = tmp_path / "data"
    (data / "a" / "1.png").symlink_to(tmp_path / "store" / "1.png")
    (data / "b").symlink_to(tmp_path / "store")
    (data / "a" / "up").symlink_to(data)
    (data / "a" / "lost.png").symlink_to(tmp_path / "nowhere")
    assert names(data) == {"a/0.png": "a", "a/1.png": "a", "a/lost.png": "a", "b/1.png": "b"}
    assert faults(data) == {"a/up": "is a link to a folder that it lies in"}
    read = {entry.name: entry for entry in listed(data)}
    assert content(read["b/1.png"]) == b"one"
    with pytest.raises(UnreadableError, match="not found"):
        content(read["a/lost.png"])


def test_a_link_that_leads_to_itself_is_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "a.png", tmp_path / "deep" / "b.png"):
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(path)
    found = {entry.name: entry for entry in listed(tmp_path)}
    assert found.keys() == {"a.png", "deep/b.png"}
    with pytest.raises(UnreadableError):
        content(found["deep/b.png"])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: cannot be read: No such file"):
        listed(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    folder(tmp_path, {"a/1.png": b"", "b/2.png": b""})
    (tmp_path / "b").chmod(0)
    assert faults(tmp_path) == {"b": "cannot be read: Permission denied"}


def test_names_that_are_no_text_can_be_written(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"a\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such names")
    [entry] = listed(tmp_path)
    assert entry.name == "a\\xff.png"
    assert content(entry) == b""


def entry(path: Path) -> Entry:
    return Entry(path, path.name, 1, str(path))


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, reason in ((tmp_path / "pipe.png", "not a plain file"), (tmp_path, "not a plain file|Is a directory")):
        with pytest.raises(UnreadableError, match=reason):
            content(entry(path))
    with pytest.raises(UnreadableError, match="cannot be read: embedded null"):
        content(entry(tmp_path / "a\0b"))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(UnreadableError, match="it has 1,073,741,825 bytes, and at most 1,073,741,824 are read"):
        content(entry(tmp_path / "large.png"))


def test_one_hash_for_names_and_contents(tmp_path: Path) -> None:
    one, two = entry(tmp_path / "a"), entry(tmp_path / "b")
    hashes = {
        together(entries, digests)
        for entries, digests in (
            ([one, two], ["1" * 64, "2" * 64]),
            ([one, two], ["2" * 64, "1" * 64]),
            ([two, one], ["1" * 64, "2" * 64]),
            ([one, two], ["1" * 64, ""]),
            ([one], ["1" * 64]),
        )
    }
    assert len(hashes) == 5
