"""Documents: text files as rows, from a folder, an archive, or one by itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

from nnkit.errors import DataError
from nnkit.frames.albums import Entry, UnreadableError, content, files_below, is_litter, shown
from nnkit.frames.archives import Limits, is_archive, members
from nnkit.frames.lines import reading, unpacked
from nnkit.frames.running import NotTextError, plain_text
from nnkit.frames.table import BadRow, Raw, join, listing

TEXT, FILE, LABEL = "text", "file", "label"
Found: TypeAlias = Entry | BadRow
"""A file, or why it is passed over."""
LIMITS = Limits(member_bytes=2**24)
"""A document of more than 16 MiB is none that a network reads."""
CHUNK_CHARACTERS = 2**25
"""Characters that a stream has in memory at once, or one document more."""


def in_folder(folder: Path, suffix: str) -> list[Found]:
    """Return the files below a folder in the order of their names; raises ``DataError``."""
    names = sorted(files_below(folder).items(), key=lambda item: item[0].split("/"))
    return [
        _chosen(Entry(folder / name, shown(name), line, shown(str(folder / name)), _label(shown(name)), fault), suffix)
        for line, (name, fault) in enumerate(names, 1)
    ]


def opened(file: BinaryIO, title: str, suffix: str) -> Iterator[Found]:
    """Yield the files of an open archive, or the only document, whatever its name; raises ``DataError``."""
    plain = unpacked(file, title)
    if not is_archive(plain, title):
        with reading(title):
            data = plain.read(LIMITS.member_bytes + 1)
        many = len(data) > LIMITS.member_bytes
        fault = f"has more than {LIMITS.member_bytes:,} bytes, the most that are read" if many else ""
        yield Entry(Path(title), Path(title).name, 1, title, data=data, fault=fault)
        return
    for member in members(_rewound(file, plain), title, LIMITS):
        if not is_litter(member.name):
            name = shown(member.name)
            entry = Entry(Path(name), name, member.number, f"{title}: {name}", _label(name), data=member.data)
            yield _chosen(entry, suffix)


def _chosen(entry: Entry, suffix: str) -> Found:
    """Return an entry, or why it is passed over."""
    if entry.fault or entry.name.endswith(suffix):
        return entry
    reason = f"does not end in {suffix}, as documents do by the source's suffix"
    return BadRow(entry.line, reason, entry.name, entry.place, skip=True)


def _rewound(file: BinaryIO, plain: BinaryIO) -> BinaryIO:
    """Return a file from its start, or a stream as it was peeked into."""
    if plain is not file and file.seekable():
        file.seek(0)
        return file
    return plain


def _label(name: str) -> str | None:
    """Return the folder that a file lies in."""
    folders = name.split("/")[:-1]
    return folders[-1] if folders else None


@dataclass(frozen=True)
class Document:
    """A document that can be used."""

    entry: Entry
    text: str
    parts: dict[str, str]


@dataclass(frozen=True)
class Shelf:
    """How files become rows of a source, whose ``title`` and ``way_out`` are for messages.

    ``parts_of`` gives the ``columns`` that a name holds, or None for a name that does not fit the ``pattern``, which is
    then missing in these columns where it ``may_misfit``.
    """

    title: str
    encoding: str
    skip: bool
    way_out: str
    parts_of: Callable[[str], dict[str, str] | None] | None
    pattern: str
    columns: Sequence[str]
    may_misfit: bool = False

    def parts(self, entries: Iterable[Found], most: int) -> Iterator[Raw]:
        """Yield the documents in parts of at most ``most`` rows that fit in memory, one part at least."""
        rows, bad, size, some = list[Document](), list[BadRow](), 0, False
        for entry in entries:
            found = self._document(entry)
            if isinstance(found, BadRow):
                bad.append(found)
            else:
                rows.append(found)
                size += len(found.text)
            if len(rows) + len(bad) >= most or size >= CHUNK_CHARACTERS:
                yield self._raw(rows, bad)
                rows, bad, size, some = [], [], 0, True
        if rows or bad or not some:
            yield self._raw(rows, bad)

    def whole(self, entries: Iterable[Found], hashes: dict[str, str]) -> Raw:
        """Return all documents; raises ``DataError`` where some cannot be read and are not to be skipped."""
        raw = join(self.parts(entries, 2**30))
        bad = [*raw.bad, *self._without_class(raw)]
        left = [row for row in bad if not row.skip]
        if left:
            count = f"{self.title}: {len(left):,} of {len(raw) + len(raw.bad):,} files cannot be read as documents:"
            raise DataError("\n".join([count, *listing(left, self.title), self.way_out]))
        if not len(raw):
            passed = f"; passed over: {', '.join(row.text for row in bad[:5])}" if bad else ""
            raise DataError(f"{self.title}: has no documents{passed}")
        notes = [f"{self.title}: files that are skipped: {len(bad):,}", *listing(bad, self.title)] if bad else []
        return replace(raw, bad=[], hashes=hashes, notes=notes)

    def _without_class(self, raw: Raw) -> list[BadRow]:
        """Return the documents that lie beside the folders of the classes; drops the column where there are none."""
        labels: Sequence[str] = raw.cells[LABEL]
        if not any(labels):
            del raw.cells[LABEL]
            return []
        names, reason = raw.cells[FILE], "lies beside the folders of the classes, so it has no class"
        return [
            BadRow(raw.lines[row], reason, names[row], f"{self.title}: {names[row]}")
            for row, label in enumerate(labels)
            if not label
        ]

    def _document(self, entry: Found) -> Document | BadRow:
        if isinstance(entry, BadRow):
            return entry
        try:
            return Document(entry, self._text(content(entry, LIMITS.member_bytes)), self._named(entry.name))
        except UnreadableError as error:
            return BadRow(entry.line, str(error), entry.name, entry.place, self.skip)

    def _named(self, name: str) -> dict[str, str]:
        if self.parts_of is None:
            return {}
        parts = self.parts_of(name)
        if parts is None and self.may_misfit:
            return dict.fromkeys(self.columns, "")
        if parts is None:
            raise UnreadableError(f"the name does not fit the source's pattern, {self.pattern}")
        return parts

    def _text(self, data: bytes) -> str:
        try:
            text = plain_text(data, self.encoding)
        except NotTextError as error:
            way_out = "; set the source's encoding, such as latin-1 or cp1252" if error.is_encoding else ""
            raise UnreadableError(f"line {error.line}: {error}{way_out}") from None
        if not text.strip():
            raise UnreadableError("is empty")
        return text

    def _raw(self, rows: list[Document], bad: list[BadRow]) -> Raw:
        cells = {
            TEXT: [row.text for row in rows],
            FILE: [row.entry.name for row in rows],
            LABEL: [row.entry.label or "" for row in rows],
        }
        cells |= {name: [row.parts[name] for row in rows] for name in self.columns}
        places = [row.entry.place for row in rows]
        return Raw(cells, [row.entry.line for row in rows], bad, places=places)
