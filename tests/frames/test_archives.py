"""Archives are read in order and in memory alone; what could do harm, or is damaged, is refused by name."""

import bz2
import gzip
import io
import os
import random
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from nnkit.errors import DataError
from nnkit.frames.archives import Limits, Member, is_archive, members

FILES = {"a/1.txt": b"one", "a/2.txt": b"", "b/3.txt": b"three" * 1000}


def tar(*infos: tarfile.TarInfo | tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive of files, and of headers as they are given."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for info in infos:
            if isinstance(info, tarfile.TarInfo):
                archive.addfile(info)
                continue
            name, data = info
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return made.getvalue()


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    """Return the header of what is no plain file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return made.getvalue()


def read(data: bytes, limits: Limits | None = None) -> list[Member]:
    """Return the members of an archive."""
    return list(members(io.BytesIO(data), "x.tar", limits or Limits()))


def refusal(data: bytes, limits: Limits | None = None) -> str:
    """Return the message with which an archive is refused."""
    with pytest.raises(DataError) as caught:
        read(data, limits)
    return str(caught.value)


PACKED: dict[str, Callable[[], bytes]] = {
    "tar": lambda: tar(*FILES.items()),
    "gnu": lambda: tar(*FILES.items(), form=tarfile.GNU_FORMAT),
    "tar.gz": lambda: gzip.compress(tar(*FILES.items())),
    "tar.bz2": lambda: bz2.compress(tar(*FILES.items())),
    "zip": lambda: zipped(*FILES.items()),
    "stored": lambda: zipped(*FILES.items(), method=zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("kind", PACKED)
def test_members_come_in_order(kind: str) -> None:
    found = read(PACKED[kind]())
    assert {member.name: member.data for member in found} == FILES
    assert [member.name for member in found] == list(FILES)


def test_folders_are_passed_over_and_long_names_kept() -> None:
    folder, name = tarfile.TarInfo("./a"), "./a/" + "n" * 180
    folder.type = tarfile.DIRTYPE
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert read(tar(folder, (name, b"x"), form=form)) == [Member(name[2:], 2, b"x")]
    assert read(zipped(("a/", b""), ("a/b", b"x"))) == [Member("a/b", 2, b"x")]
    assert read(tar()) == read(zipped()) == []


def test_a_tar_archive_is_read_from_a_pipe_and_a_zip_archive_is_not() -> None:
    for data, good in ((gzip.compress(tar(*FILES.items())), True), (zipped(*FILES.items()), False)):
        inner, outer = os.pipe()
        with os.fdopen(inner, "rb") as reader, os.fdopen(outer, "wb") as writer:
            writer.write(data)
            writer.close()
            if good:
                assert len(list(members(cast(BinaryIO, reader), "-"))) == 3
            else:
                with pytest.raises(DataError, match="-: a zip archive is read from its end; give a file"):
                    list(members(cast(BinaryIO, reader), "-"))


@pytest.mark.parametrize("name", ["../x.txt", "a/../../x.txt", "..", "a\\..\\x.txt"])
def test_a_way_out_of_the_folder_is_refused(name: str) -> None:
    for data in (tar((name, b"x")), zipped((name, b"x"))):
        assert refusal(data) == f"x.tar: {name}: a path with .., which leads out of its folder"


@pytest.mark.parametrize("name", ["/etc/passwd", "\\windows\\x", "C:/x.txt", "c:x.txt"])
def test_absolute_names_are_refused(name: str) -> None:
    for data in (tar((name, b"x")), zipped((name, b"x"))):
        assert "an absolute path, which no archive should have" in refusal(data)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a named pipe"),
        (b"9", "a member of the unknown kind"),
    ],
)
def test_what_is_no_plain_file_is_refused(kind: bytes, word: str) -> None:
    said = refusal(tar(("good.txt", b"x"), special("evil", kind)))
    assert said.startswith(f"x.tar: evil: {word}")
    assert said.endswith("only plain files and folders are read")


def test_a_sparse_file_is_refused() -> None:
    info = tarfile.TarInfo("holes")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**50)}
    info.size = 512
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"1\n0\n1\n".ljust(512, b"\0")))
    assert "holes: a sparse file" in refusal(made.getvalue())


def test_links_and_secrets_in_a_zip_archive_are_refused() -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    assert "link: a symbolic link; only plain files" in refusal(zipped((link, b"/etc/passwd")))
    pipe = zipfile.ZipInfo("pipe")
    pipe.external_attr = 0o010777 << 16
    assert "pipe: no plain file" in refusal(zipped((pipe, b"")))
    assert "a.txt: is packed by the method 14" in refusal(zipped(("a.txt", b"x"), method=zipfile.ZIP_LZMA))
    data = bytearray(zipped(("a.txt", b"x")))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "a.txt: is encrypted" in refusal(bytes(data))


def test_a_name_that_comes_twice_is_refused() -> None:
    assert refusal(tar(("a/x", b"1"), ("./a//x", b"2"))).startswith("x.tar: ./a//x: comes twice")
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(("x", b"1"), ("x", b"2"))
    assert "x: comes twice" in refusal(data)


def test_names_cannot_write_on_the_terminal() -> None:
    said = refusal(tar(("\x1b[31m/../x", b"x")))
    assert "\x1b" not in said
    assert said.startswith("x.tar: \\x1b[31m/../x: a path with ..")
    assert len(refusal(tar(("n" * 5000, b"")))) < 400
    assert read(tar(("b\udce4r", b"x"), form=tarfile.GNU_FORMAT))[0].name == "b\udce4r"


def test_more_than_the_limits_is_refused_by_name() -> None:
    five = [(f"{number}.txt", bytes(1000)) for number in range(5)]
    for data in (tar(*five), zipped(*five)):
        assert "4.txt: is one of more than 4 members" in refusal(data, Limits(members=4))
        assert "0.txt: has 1,000 bytes, and at most 999 are read" in refusal(data, Limits(member_bytes=999))
        assert ".txt: up to here it holds more than 2,999 bytes" in refusal(data, Limits(total_bytes=2999))


def test_bombs_are_refused_before_they_fill_the_memory() -> None:
    bomb = [("bomb.txt", bytes(2**25))]
    limits = Limits(small=2**20)
    for data in (gzip.compress(tar(*bomb)), bz2.compress(tar(*bomb)), zipped(*bomb)):
        tracemalloc.start()
        said = refusal(data, limits)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert said.startswith("x.tar: bomb.txt: up to here ")
        assert "more than 200 times as many" in said
        assert peak < 2**24
    assert read(tar(*bomb), limits)[0].data == bytes(2**25)


def test_zeros_behind_the_end_are_a_bomb_too() -> None:
    data = gzip.compress(tar(("a", b"x")) + bytes(2**24))
    assert "a: up to here" in refusal(data, Limits(small=2**20))


def test_one_piece_of_a_zip_archive_under_many_names_is_a_bomb() -> None:
    data = bytearray(zipped(("a", bytes(2**20)), ("b", bytes(2**20))))
    first, second = data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    assert "x.tar: " in refusal(bytes(data))


def test_huge_headers_are_not_read() -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**40
    block = header.tobuf(tarfile.GNU_FORMAT)
    assert "after its first header: a header of more than 1,048,576 bytes" in refusal(block + bytes(4096))
    longer = tarfile.TarInfo("././@LongLink")
    longer.type, longer.size = tarfile.GNUTYPE_LONGNAME, 4
    endless = (longer.tobuf(tarfile.GNU_FORMAT) + b"abc\0".ljust(512, b"\0")) * 5000
    assert "not an archive as programs write them" in refusal(endless)


def test_a_size_below_zero_is_refused() -> None:
    header = tarfile.TarInfo("a")
    header.size = -(2**20)
    data = tar(("b", b"x"))[:1024] + header.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
    assert refusal(data).startswith("x.tar: ")


@pytest.mark.parametrize("kind", PACKED)
def test_an_archive_that_is_cut_short_is_never_taken_for_less(kind: str) -> None:
    whole, refused = PACKED[kind](), 0
    cuts = range(0, len(whole) - 1, max(1, len(whole) // 60))
    for cut in cuts:
        try:
            assert len(read(whole[:cut])) == 3
            assert kind in ("tar", "gnu")  # Only zeros were cut off.
        except DataError as error:
            refused += str(error).startswith("x.tar: ")
    assert refused >= 20


@pytest.mark.parametrize("kind", PACKED)
def test_damage_is_refused_or_harmless(kind: str) -> None:
    whole, draw = PACKED[kind](), random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 1, 3, 20])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with suppress(DataError):
            read(bytes(data))


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end() -> None:
    data = bytearray(tar(*FILES.items(), form=tarfile.GNU_FORMAT))
    data[1024 + 148] ^= 1  # The sum of the second header.
    assert refusal(bytes(data)) == "x.tar: after a/1.txt: a damaged header; the archive is cut short or damaged"
    whole = tar(*FILES.items(), form=tarfile.GNU_FORMAT)
    end = 512 * 3 + 512 + 512 * 10
    assert "after b/3.txt: no mark of the end" in refusal(whole[:end])


def test_damage_at_the_end_of_what_packs_it_is_found() -> None:
    data = bytearray(gzip.compress(tar(*FILES.items())))
    data[-6] ^= 1
    assert "x.tar: cannot be read on: CRC check failed" in refusal(bytes(data))


def test_archives_are_known_by_content_or_name(tmp_path: Path) -> None:
    def known(data: bytes, name: str = "x") -> bool:
        return is_archive(cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, io.BytesIO(data)))), name)

    assert known(tar(*FILES.items()))
    assert known(zipped(*FILES.items()))
    assert known(b"", "OLD.TAR")
    assert known(b"", "a.zip")
    assert not known(b"a text")
    assert "is cut short or damaged" in refusal(b"a text" * 200)


def test_a_huge_directory_of_a_zip_archive_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnkit.frames.archives.DIRECTORY_BYTES", 1000)
    assert "has a directory of more than 1,000 bytes" in refusal(zipped(*((f"{n}.txt", b"") for n in range(40))))
    assert len(read(zipped(*((f"{n}.txt", b"") for n in range(10))))) == 10
