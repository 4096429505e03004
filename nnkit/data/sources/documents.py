"""Documents: one text a file, in folders or in an archive."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from pydantic import Field, PrivateAttr

from nnkit.config.paths import SpecPath
from nnkit.data.naming import Pattern, naming
from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource, Source
from nnkit.data.words import Encoding
from nnkit.shapes import Shape

if TYPE_CHECKING:
    from nnkit.frames.documents import Shelf
    from nnkit.frames.kinds import Spelling
    from nnkit.frames.table import Raw

FILE, LABEL = "file", "label"
WAY_OUT = "mend or remove them, or set on_bad: skip in the source, which leaves them out"


@SOURCES.register("documents")
class Documents(FileSource):
    """Reads texts that are a file each: below a folder, or in a tar or zip archive, which is not unpacked to the disk.

    The columns are `text`, `file`, the name with its folders, and `label`, the folder that the file lies in, if any.
    `pattern` makes columns of parts of the name. None but `text` is a feature unless `data.types` says so.
    A folder's files come in the order of their names, an archive's in the archive's; hidden files are passed over.

    An archive may be plain or packed by gzip or bzip2. One with links, devices, absolute names, `..`, a name that comes
    twice, a file of more than 16 MiB, a million files or more than 200 times its own size is refused whole. Files that
    are empty, not text, or do not fit the pattern are all named at once.
    """

    path: SpecPath = Field(description="The folder, the archive, or one file, relative to the spec.")
    suffix: str = Field(
        default=".txt",
        max_length=100,
        description="How the names of documents end; other files are passed over, and it is said which. "
        '"" takes every file.',
    )
    pattern: Pattern | None = Field(
        default=None,
        description="What parts of a name mean, as `cv{fold:1}{number:2}_{id}.txt`: columns in braces, with their "
        "number of characters or up to what follows; with slashes also folders, as `{part}/{label}/{id}.txt`.",
    )
    encoding: Encoding = Field(
        default="utf-8", description="How the texts are coded: utf-8, latin-1, cp1252, utf-16, ..."
    )
    on_bad: Literal["error", "skip"] = Field(
        default="error", description="Whether files that cannot be read end the command, or are skipped and counted."
    )

    _is_fresh: bool = PrivateAttr(default=False)
    """Whether names need not fit the pattern, since no split asks for them."""

    @property
    def aside(self) -> Collection[str]:
        """All but the text: what names say is no feature unless the spec says so."""
        return (FILE, LABEL, *(naming(self.pattern).columns if self.pattern else []))

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the documents, as many at once as a stream may have in memory."""
        from nnkit.frames.documents import in_folder
        from nnkit.frames.lines import open_plain

        path = Path(self.path)
        if path.is_dir():
            yield from self._shelf.parts(in_folder(path, self.suffix), chunk_rows)
            return
        with open_plain(path) as file:
            yield from self.chunks_of(file, self.title, chunk_rows)

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the documents of an open archive, or an open document."""
        from nnkit.frames.documents import opened

        yield from self._shelf.parts(opened(file, name, self.suffix), chunk_rows)

    def whole(self) -> "Raw":
        """Return all documents; raises ``DataError`` with all files that cannot be read."""
        from nnkit.frames.documents import in_folder, opened
        from nnkit.frames.lines import open_plain

        path = Path(self.path)
        if path.is_dir():
            return self._shelf.whole(in_folder(path, self.suffix), self.hashes())
        with open_plain(path) as file:
            return self._shelf.whole(opened(file, self.title, self.suffix), self.hashes())

    def fresh(self, path: Path | None, labelled: bool, shapes: Mapping[str, Shape]) -> Source:
        """Return the source for other documents; what a name does not say is then missing."""
        other = self.model_copy(update={} if path is None else {"path": path})
        other._is_fresh = True
        return other

    def spelling(self) -> "Spelling":
        """Return how cells are written: a folder or a part of a name may be any word, and none stands for nothing."""
        from nnkit.frames.kinds import Spelling

        return Spelling(frozenset())

    def hashes(self) -> dict[str, str]:
        """Return the hash of the archive, or one over the names and contents of all documents below the folder."""
        from nnkit.frames.albums import Entry, together
        from nnkit.frames.documents import in_folder
        from nnkit.frames.galleries import digest_of, on_all_cores

        path = Path(self.path)
        if not path.is_dir():
            return super().hashes()
        entries = [entry for entry in in_folder(path, self.suffix) if isinstance(entry, Entry)]
        return {self.title: together(entries, on_all_cores(digest_of, entries))}

    @property
    def _shelf(self) -> "Shelf":
        from nnkit.frames.documents import Shelf

        known = naming(self.pattern) if self.pattern else None
        return Shelf(
            title=self.title,
            encoding=self.encoding,
            skip=self.on_bad == "skip",
            way_out=WAY_OUT,
            parts_of=known.values if known else None,
            pattern=self.pattern or "",
            columns=known.columns if known else (),
            may_misfit=self._is_fresh,
        )
