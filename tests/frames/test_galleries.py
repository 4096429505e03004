import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit import memory
from nnkit.errors import DataError, ResourceError
from nnkit.frames import galleries, picture_cache
from nnkit.frames.albums import listed
from nnkit.frames.decoding import Look
from nnkit.frames.galleries import Reading
from nnkit.frames.table import Raw
from tests.frames.drawn import DRAW, folder, photo, png, unreadable

SMALL = Look("RGB", (4, 5), "stretch")


def pictures(path: Path, count: int = 9) -> Path:
    return folder(path, {f"{number}.png": png(DRAW.integers(0, 256, (4, 5, 3))) for number in range(count)})


def whole(path: Path, look: Look = SMALL, skip: bool = False) -> Raw:
    entries = listed(path)
    rest = Raw({"n": [entry.line for entry in entries]}, [entry.line for entry in entries])
    return Reading("them", look, skip, "mend them").whole(entries, rest)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let no pictures stay in memory."""
    monkeypatch.setattr(galleries, "memory_limit", lambda: 0)
    monkeypatch.setattr(galleries, "BLOCK_BYTES", 150)
    monkeypatch.setenv("NNKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_cache_gives_what_memory_gives(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pictures(tmp_path / "data")
    (path / "a.png").write_bytes(b"")
    mapped = whole(path, skip=True)
    again = whole(path, skip=True)
    monkeypatch.setattr(galleries, "memory_limit", lambda: 10**9)
    loaded = whole(path, skip=True)
    for raw in (mapped, again):
        assert isinstance(raw.cells["image"].store, np.memmap)
        assert np.array_equal(raw.cells["image"], loaded.cells["image"])
        assert raw.cells["n"] == loaded.cells["n"] == list(range(1, 10))
        assert raw.hashes == loaded.hashes
        assert (
            raw.notes[1:]
            == loaded.notes
            == [
                "them: pictures that cannot be read and are skipped: 1 of 10",
                f"{path / 'a.png'}: is empty",
            ]
        )
        assert f"are used from a file in {cache}" in raw.notes[0]
    assert type(loaded.cells["image"].store) is np.ndarray
    assert len(list(cache.glob("*.npy"))) == 1


def test_what_is_cached_is_found_by_contents_and_look(tmp_path: Path, cache: Path) -> None:
    path = pictures(tmp_path / "data")
    first = whole(path)
    stamp = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    assert np.array_equal(whole(path).cells["image"], first.cells["image"])
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == stamp
    whole(path, Look("grey", (4, 5)))
    whole(path, Look("RGB", (5, 4)))
    whole(path, Look("RGB", (5, 4), "pad"))
    assert len(list(cache.glob("*.npy"))) == 4
    (path / "3.png").write_bytes(png(np.zeros((4, 5, 3))))
    changed = whole(path)
    assert len(list(cache.glob("*.npy"))) == 5
    assert not changed.cells["image"][np.array([3])].any()
    assert changed.hashes != first.hashes


@pytest.mark.parametrize("damage", ["cut", "emptied", "reasons", "removed", "other shape"])
def test_a_cached_file_that_is_not_whole_is_made_again(tmp_path: Path, cache: Path, damage: str) -> None:
    path = pictures(tmp_path / "data")
    wanted = np.array(whole(path).cells["image"])
    [file] = cache.glob("*.npy")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "emptied":
        file.write_bytes(b"")
    elif damage == "reasons":
        file.with_suffix(".json").write_text("[")
    elif damage == "removed":
        file.with_suffix(".json").unlink()
    else:
        np.save(file, np.zeros((9, 5, 4, 3), dtype=np.uint8))
    assert np.array_equal(whole(path).cells["image"], wanted)


def test_nothing_is_kept_of_pictures_that_are_refused(tmp_path: Path, cache: Path) -> None:
    path = pictures(tmp_path / "data")
    (path / "a.png").write_bytes(b"")
    (path / "b.png").write_bytes(png(np.zeros((2, 2, 3))))
    with pytest.raises(DataError) as caught:
        whole(path, Look())
    assert str(caught.value).splitlines() == [
        "them: 1 of 11 pictures cannot be read:",
        f"{path / 'a.png'}: is empty",
        "mend them",
        "them: the pictures have different sizes: b.png has 2 x 2 pixels (height x width), and 1 of 11 are not as "
        "0.png; set size in the source, such as size: [64, 64], and how they come to it, such as resize: crop",
    ]
    assert list(cache.iterdir()) == []


def test_files_that_change_meanwhile_are_refused(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pictures(tmp_path / "data")
    monkeypatch.setattr(galleries, "digest_of", lambda entry: "0" * 64)
    with pytest.raises(DataError, match="them: files changed while they were read"):
        whole(path)
    assert list(cache.iterdir()) == []


def test_what_killed_processes_left_is_removed_when_it_is_old(tmp_path: Path, cache: Path) -> None:
    cache.mkdir()
    old, fresh = cache / ".pictures-1.npy.aa.tmp", cache / ".pictures-2.npy.bb.tmp"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 3600,) * 2)
    whole(pictures(tmp_path / "data"))
    assert not old.exists()
    assert fresh.exists()


def test_a_cache_that_cannot_be_written(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(ResourceError, match="cache: cannot be written"):
        whole(pictures(tmp_path / "data"))


RACE = """
import sys, time
from pathlib import Path
import numpy as np
from nnkit.frames import galleries
from tests.frames.test_galleries import whole
galleries.memory_limit, galleries.BLOCK_BYTES = (lambda: 0), 60
fill = galleries.fill
def slow(*arguments):
    time.sleep(0.02)
    return fill(*arguments)
galleries.fill = slow
print("ready", flush=True)
sys.stdin.readline()
print(np.array(whole(Path(sys.argv[1])).cells["image"]).tobytes().hex(), flush=True)
"""


def start(root: Path, path: Path, cache: Path) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-c", RACE, str(path)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NNKIT_CACHE": str(cache), "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_at_once_and_one_that_is_killed(root: Path, tmp_path: Path) -> None:
    path, cache = pictures(tmp_path / "data", 30), tmp_path / "cache"
    wanted = np.array(whole(path).cells["image"]).tobytes().hex()
    killed = start(root, path, cache)
    killed.stdin.write("\n")
    killed.stdin.flush()
    while not list(cache.glob(".pictures-*.tmp")):
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert [file.suffix for file in cache.iterdir()] == [".tmp"]
    both = [start(root, path, cache) for _ in range(2)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert output.strip() == wanted
    assert len(list(cache.glob("*.npy"))) == 1


def test_all_that_cannot_be_read_is_told_up_to_twenty(tmp_path: Path) -> None:
    bad = {name: data for name, (data, _) in unreadable().items()}
    path = folder(tmp_path, {"good.jpg": photo(), **bad})
    with pytest.raises(DataError) as caught:
        whole(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"them: {len(bad)} of {len(bad) + 1} pictures cannot be read:"
    assert sorted(line.split(":")[0] for line in lines[1:-1]) == sorted(str(path / name) for name in bad)
    assert lines[-1] == "mend them"
    folder(tmp_path, {f"z{number}.png": b"" for number in range(20)})
    with pytest.raises(DataError, match=f"\nand {len(bad)} more\nmend them$") as caught:
        whole(path)
    assert len(str(caught.value).splitlines()) == 23


def test_skipping_everything_is_an_error(tmp_path: Path) -> None:
    folder(tmp_path, {"a.png": b"", "b.png": b"words"})
    for look in (SMALL, Look()):
        with pytest.raises(DataError, match="them: 2 of 2 pictures cannot be read"):
            whole(tmp_path, look, skip=True)


def test_available_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    assert memory.available_memory() == physical
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")
    assert memory.available_memory() == 2048 * 1024
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_memory() == 2048 * 1024
    (tmp_path / "memory.max").write_text("41000\n")
    assert memory.available_memory() == 40000
    assert picture_cache.memory_limit() == 10000


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert picture_cache.cache_folder() == Path("/home/ada/.cache/nnkit")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert picture_cache.cache_folder() == Path("/caches/nnkit")
    monkeypatch.setenv("NNKIT_CACHE", "/mine")
    assert picture_cache.cache_folder() == Path("/mine")
