"""What every source says of itself."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, ClassVar, TypeAlias

from pydantic import Field

from nnkit.config.paths import SpecPath
from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.errors import DataError
from nnkit.files import sha256_file
from nnkit.shapes import Shape
from nnkit.tasks import Scheme

if TYPE_CHECKING:
    from nnkit.frames.kinds import Spelling
    from nnkit.frames.table import Raw

CHUNK_ROWS = 8192


class Source(Piece):
    """Where rows come from."""

    categories: ClassVar[tuple[str, ...]] = ()
    """Columns of categories, also where these look like numbers."""
    own_format: ClassVar[bool] = False
    """Whether fresh rows, too, can only be written as this source's, whatever their file is called."""

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the rows in parts of at most ``chunk_rows``, one at least; raises ``DataError``."""
        raise TypeError(f"{type(self).__name__} does not say how it reads")

    def whole(self) -> "Raw":
        """Return all rows; raises ``DataError``."""
        from nnkit.frames.table import join

        return join(self.chunks())

    @property
    def aside(self) -> Collection[str]:
        """Columns that only say which row is which: they are no features."""
        return ()

    def fresh(self, path: Path | None, labelled: bool, shapes: Mapping[str, Shape]) -> "Source":
        """Return the source with its options for another file, or for its own without one.

        ``labelled`` says whether the target is needed, ``shapes`` what the model takes in columns of pictures.
        """
        if path is not None:
            raise TypeError(f"{type(self).__name__} reads no files")
        return self

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the rows of an open file that is written as this source's; raises ``DataError``."""
        raise DataError(
            f"{name}: a {self.type_name} source cannot be read from a stream; give a CSV or JSON Lines file"
        )

    def spelling(self) -> "Spelling":
        """Return how numbers and missing cells are written."""
        from nnkit.frames.kinds import Spelling

        return Spelling()

    @property
    def tag_scheme(self) -> Scheme:
        """How the tags in its columns mark entities."""
        return "none"

    @property
    def title(self) -> str:
        """What messages call the source."""
        return self.type_name

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each file that the source reads."""
        return {}


SOURCES = Registry("sources", "source", Source, home="nnkit.data.sources")
SourceChoice: TypeAlias = Annotated[Source, SOURCES]


class FileSource(Source):
    """A source that is one file."""

    path: SpecPath = Field(description="The file, relative to the spec.")

    @property
    def title(self) -> str:
        """The file."""
        return str(self.path)

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the file's rows."""
        from nnkit.frames.lines import open_plain

        with open_plain(Path(self.path)) as file:
            yield from self.chunks_of(file, self.title, chunk_rows)

    def fresh(self, path: Path | None, labelled: bool, shapes: Mapping[str, Shape]) -> Source:
        """Return the source for another file."""
        return self if path is None else self.model_copy(update={"path": path})

    def hashes(self) -> dict[str, str]:
        """Return the file's hash."""
        return {self.title: hash_of(Path(self.path))}


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a data file; raises ``DataError``."""
    try:
        return sha256_file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
