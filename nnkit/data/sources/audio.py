"""Audio files: a folder of them, a folder for each class, or a list."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PrivateAttr

from nnkit.data.naming import Pattern, naming
from nnkit.data.sources.base import SOURCES, Source
from nnkit.data.sources.files import FILE, WAY_OUT, Files
from nnkit.errors import DataError
from nnkit.shapes import Shape

if TYPE_CHECKING:
    from nnkit.data.sources.files import Album
    from nnkit.frames.albums import Entry
    from nnkit.frames.clips import Hearing
    from nnkit.frames.table import Raw

AUDIO = "audio"


@SOURCES.register("audio")
class Audio(Files):
    """Reads audio files: a folder with a folder for each class, a folder of clips, or a CSV that lists them.

    The columns are `audio`, samples x 1 at `sample_rate`, each clip as long as it is, and `file`, the name, which is no
    feature unless `data.types` says what it is. A folder of classes gives `label`, the name of the class's folder; a
    CSV gives its other columns, and its paths are relative to it. Columns that `pattern` makes of names are no
    features either, unless `data.types` says what they are: they are for `target`, `where` and `split`.

    In a folder every file has to be a clip, in the order of names, but for hidden ones and what operating systems leave
    behind (Thumbs.db, desktop.ini); links are followed. The content says what a file is, whatever its name: WAV, FLAC,
    Ogg (Vorbis, Opus), AIFF, with 1,000 to 400,000 samples a second. Several channels become one, and other rates are
    brought to `sample_rate` by a windowed sinc (soxr, quality HQ), so that a clip at 44.1 kHz in stereo is the same to
    a network as that clip at 8 kHz. Files that are cut short, damaged, empty or no sound, those without samples or with
    samples that are no finite numbers, and clips longer than `max_seconds` cannot be read: all are named at once.

    Needs `pip install 'nnkit[audio]'`.
    """

    own_format: ClassVar[bool] = True
    cell: ClassVar[str] = AUDIO
    one: ClassVar[str] = "a clip"
    many: ClassVar[str] = "clips"

    sample_rate: int = Field(
        ge=1_000, le=400_000, description="Samples a second that all clips are brought to.", examples=[16_000]
    )
    channels: Literal["mean", "first"] = Field(
        default="mean", description="How a clip of several channels becomes one: their mean, or the first (left)."
    )
    max_seconds: float = Field(default=30.0, gt=0, le=3600, description="The longest clip that is read.")
    pattern: Pattern | None = Field(
        default=None,
        description="What parts of the names in a folder mean, as `{label}_{speaker}_{index}`: columns in braces, with "
        "their number of characters or up to what follows; with slashes also folders. The ending may be left out.",
    )

    _fresh: bool = PrivateAttr(default=False)
    _labelled: bool = PrivateAttr(default=True)

    @property
    def fields(self) -> list[str]:
        """The columns that the names of files give."""
        return naming(self.pattern).columns if self.pattern else []

    @property
    def aside(self) -> Collection[str]:
        """The names of the files, and what they say."""
        return (FILE, *self.fields)

    def is_one(self, start: bytes, suffix: str = "") -> bool:
        """Tell whether a file is a clip, by how it begins or the end of its name; not whether it can be read."""
        from nnkit.frames.sounds import SUFFIXES, looks_like_sound

        return suffix in SUFFIXES or looks_like_sound(start)

    def fresh(self, path: Path | None, labelled: bool, shapes: Mapping[str, Shape]) -> Source:
        """Return the source for other clips, whose names need say nothing unless they are ``labelled``."""
        other = self.model_copy(update={} if path is None else {"path": path})
        other._fresh, other._labelled = path is not None, labelled
        return other

    @property
    def is_fresh(self) -> bool:
        """Whether the clips are fresh ones."""
        return self._fresh

    def read(self, entries: "Sequence[Entry]", rest: "Raw") -> "Raw":
        """Return all clips, decoded once; raises ``DataError`` with all files that cannot be read."""
        return self._hearing.whole(entries, rest)

    def parts(self, albums: "Iterator[Album]", chunk_rows: int) -> "Iterator[Raw]":
        """Yield the clips of albums in parts that fit in memory."""
        for entries, rest in albums:
            yield from self._hearing.parts(entries, rest)

    def album(self, entries: "Sequence[Entry]") -> "Album":
        """Return clips with what folders and names say of them; one whose name does not fit has a fault."""
        entries, raw = super().album(entries)
        if self.pattern is None:
            return entries, raw
        said = [self._said(entry.name) for entry in entries]
        cells = {name: [words.get(name, "") for words in said] for name in self.fields}
        if self._labelled:
            fault = f"the name does not fit the source's pattern, {self.pattern}"
            pairs = zip(entries, said, strict=True)
            entries = [entry if words or entry.fault else replace(entry, fault=fault) for entry, words in pairs]
        return entries, replace(raw, cells={**raw.cells, **cells})

    def _said(self, name: str) -> dict[str, str]:
        """Return the columns that a file's name gives; nothing where it does not fit the pattern."""
        from nnkit.frames.sounds import SUFFIXES

        pattern, written = self.pattern or "", PurePosixPath(name)
        whole = PurePosixPath(pattern).suffix.lower() in SUFFIXES
        return naming(pattern).values(name if whole else str(written.with_name(written.stem))) or {}

    def _listed(self, raw: "Raw", base: Path | None = None, name: str | None = None) -> "Album":
        if self.pattern is not None and not self._fresh:
            raise DataError(f"{self.title}: is a list, whose columns say what clips are; leave out pattern")
        return super()._listed(raw, base, name)

    @property
    def _hearing(self) -> "Hearing":
        from nnkit.frames.clips import Hearing
        from nnkit.frames.sounds import Ear

        ear = Ear(self.sample_rate, self.channels, self.max_seconds)
        return Hearing(self.title, ear, self.on_bad == "skip", WAY_OUT)
