"""Picture files drawn for tests, good ones and bad ones."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

DRAW = np.random.default_rng(0)
COLOURS = DRAW.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREYS = DRAW.integers(0, 256, (6, 8), dtype=np.uint8)


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def png(pixels: Any = COLOURS) -> bytes:
    return encoded(Image.fromarray(np.asarray(pixels, dtype=np.uint8)))


def photo(height: int = 40, width: int = 60, **options: Any) -> bytes:
    """Return a JPEG with smooth colours: red grows to the right, green downwards."""
    right, down = np.linspace(0, 255, width), np.linspace(0, 255, height)
    pixels = np.stack(np.broadcast_arrays(right[None, :], down[:, None], np.float64(80)), axis=-1)
    return encoded(Image.fromarray(pixels.astype(np.uint8)), "JPEG", quality=95, **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG whose header says that it is large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def frames(form: str, **options: Any) -> bytes:
    pictures = [Image.fromarray(np.roll(COLOURS, shift, axis=0)) for shift in range(3)]
    return encoded(pictures[0], form, save_all=True, append_images=pictures[1:], **options)


def turned(orientation: int) -> bytes:
    """Return a JPEG that is stored turned, with the EXIF orientation that undoes it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return photo(exif=exif.tobytes())


def unreadable() -> dict[str, tuple[bytes, str]]:
    """Return by name the contents of files that cannot be read, and a part of the reason."""
    cut_png, cut_jpeg = png(DRAW.integers(0, 256, (64, 64, 3))), photo()
    found = {
        "empty.png": (b"", "is empty"),
        "cut.png": (cut_png[: len(cut_png) // 2], "is damaged"),
        "cut.jpg": (cut_jpeg[: len(cut_jpeg) // 2], "is damaged"),
        "header_only.jpg": (cut_jpeg[:10], "is damaged"),
        "overwritten.png": (cut_png[:60] + bytes(100) + cut_png[160:], "is damaged"),
        "text.png": (b"these are words\n", "is no picture of a format that is read"),
        "vector.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture of a format"),
        "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no picture of a format"),
        "bomb.png": (bomb(60_000, 60_000), "has more than 89,478,485 pixels"),
        "small_bomb.png": (bomb(10_000, 10_000), "has more than 89,478,485 pixels"),
        "moving.gif": (frames("GIF"), "is an animation"),
        "moving.png": (frames("PNG"), "is an animation"),
        "pages.tif": (frames("TIFF"), "several pages"),
        "floats.tif": (encoded(Image.fromarray(GREYS.astype(np.float32)), "TIFF"), "pixels of 32 bits"),
        "integers.tif": (encoded(Image.fromarray(GREYS.astype(np.int32)), "TIFF"), "pixels of 32 bits"),
    }
    if features.check("webp"):
        found["moving.webp"] = (frames("WEBP", lossless=True), "is an animation")
    return found


def folder(path: Path, files: dict[str, bytes]) -> Path:
    """Write files, with the folders that they are in."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
