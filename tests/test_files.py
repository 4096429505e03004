import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnkit import files
from nnkit.errors import ResourceError, RunError
from nnkit.files import read_history, read_plain, sha256_file, strange_files


def test_writes_bytes_and_text(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "a", b"\x00\xff")
    files.atomic_write(tmp_path / "b", "Müller\n")
    assert (tmp_path / "a").read_bytes() == b"\x00\xff"
    assert (tmp_path / "b").read_bytes() == "Müller\n".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.atomic_write(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_what_can_be_made_again_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    files.atomic_write(tmp_path / "a", b"picture", durable=False)
    assert (tmp_path / "a").read_bytes() == b"picture"
    assert (sorted(tmp_path.iterdir()), synced) == ([tmp_path / "a"], [])
    files.atomic_write(tmp_path / "a", b"weights")
    assert len(synced) == 2


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "can only be read"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = tmp_path / "last.safetensors"
    path.write_bytes(b"the old one")

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ResourceError, match=words) as caught:
        files.atomic_write(path, b"the new one")
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"the old one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.safetensors"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_a_resource_error() -> None:
    with pytest.raises(ResourceError, match="/dev/full: cannot be written: the disk is full"):
        files.AppendOnly(Path("/dev/full")).write("{}")


def test_a_missing_folder_is_a_resource_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="the folder is not there"):
        files.atomic_write(tmp_path / "none" / "a", b"")


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(ResourceError, match="a part of the path is a file"):
        files.make_folder(tmp_path / "runs" / "mine")


def test_a_write_killed_half_way_leaves_the_old_file_and_a_leftover_to_remove(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    path.write_bytes(b"the old one")
    kill = f"os.kill(os.getpid(), {int(signal.SIGKILL)})"
    code = f"import os; from nnkit import files; os.fsync = lambda _: {kill}; files.atomic_write({path!r}, b'new')"
    code = f"from pathlib import PosixPath; {code}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"the old one"
    assert len(list(tmp_path.iterdir())) == 2
    files.remove_leftovers(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.safetensors"]


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert files.sha256_file(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    with pytest.raises(FileNotFoundError):
        files.sha256_file(tmp_path / "b")


def test_history_comes_back_but_for_a_line_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    records = [{"epoch": number, "train_loss": 1 / number} for number in range(1, 4)]
    for record in records:
        files.AppendOnly(path).write(json.dumps(record))
    assert files.read_history(path) == records
    with path.open("ab") as file:
        file.write(b'{"epoch": 4, "tr')
    assert files.read_history(path) == records


@pytest.mark.parametrize("line", ["{", "[1]", "\x00", "[" * 100_000])
def test_a_broken_line_of_history_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(f'{{"epoch": 1}}\n{line}\n{{"epoch": 3}}\n')
    with pytest.raises(RunError, match=r"history\.jsonl:2: "):
        files.read_history(path)


def test_a_missing_history_is_a_run_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        files.read_history(tmp_path / "history.jsonl")


@pytest.mark.parametrize(
    ("count", "left"), [(0, b""), (1, b"a\n"), (2, b"a\nb\n"), (3, b"a\nb\ncut"), (9, b"a\nb\ncut")]
)
def test_keep_lines(tmp_path: Path, count: int, left: bytes) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"a\nb\ncut")
    files.keep_lines(path, count)
    assert path.read_bytes() == left


def test_keep_lines_of_no_file_makes_none(tmp_path: Path) -> None:
    files.keep_lines(tmp_path / "history.jsonl", 3)
    assert not (tmp_path / "history.jsonl").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="finds files in /proc")
def test_files_are_synced_together_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    with files.synced_together():
        for name in ("b", "a", "b"):
            files.atomic_write(tmp_path / name, name)
        assert synced == []
    assert synced == [str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path)]
    files.atomic_write(tmp_path / "c", "c")
    assert len(synced) == 5


def test_what_the_disk_refuses_at_the_end_is_a_resource_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ResourceError, match="a: cannot be written: the disk is full"), files.synced_together():
        files.atomic_write(tmp_path / "a", "text")


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a plain file"):
            read_plain(path, 10)
        with pytest.raises(OSError, match="not a plain file"):
            sha256_file(path)
        with pytest.raises(RunError, match="not a plain file"):
            read_history(path)


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_plain(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="it has 5 bytes, and at most 4 are read"):
        read_plain(tmp_path / "a", 4)


def test_strange_files_are_found_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "plain").touch()
    assert not list(strange_files(tmp_path))
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    assert {path.name for path in strange_files(tmp_path)} == {"pipe", "up"}
