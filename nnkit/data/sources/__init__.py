"""Sources, a file each: where rows come from."""

from nnkit.data.sources.base import SOURCES, Source, SourceChoice

__all__ = ["SOURCES", "Source", "SourceChoice"]
