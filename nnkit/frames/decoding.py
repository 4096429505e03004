"""Decoding: the bytes of a picture file as pixels of the mode and size that a network takes, by Pillow."""

import io
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, features
from PIL import __version__ as pillow_version

from nnkit.frames.albums import UnreadableError, looks_like_picture

Mode: TypeAlias = Literal["RGB", "RGBA", "grey"]
Resize: TypeAlias = Literal["crop", "pad", "stretch"]

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""What is read; Pillow's other formats are rare, or run foreign programs."""
MODES = {"RGB": "RGB", "RGBA": "RGBA", "grey": "L"}
CHANNELS = {"RGB": 3, "RGBA": 4, "grey": 1}
DEEP = ("PNG", "PPM")
"""Formats whose pixels of Pillow's mode I are numbers of 16 bits."""
DRAFT = 2
"""A photo is decoded at the smallest of JPEG's own scales that is this much larger than what is wanted, or whole."""


@dataclass(frozen=True)
class Look:
    """What pictures are brought to: mode, height and width if they are given, and how."""

    mode: Mode = "RGB"
    size: tuple[int, int] | None = None
    resize: Resize = "crop"
    converts: bool = True
    """Whether pictures of 16 bits, CMYK and palettes are converted, and not refused."""

    @property
    def channels(self) -> int:
        """The length of the last axis."""
        return CHANNELS[self.mode]

    @property
    def version(self) -> str:
        """A text that changes when the same files would become other pixels."""
        libraries = "/".join(str(features.version(name)) for name in ("jpg", "zlib", "webp", "libtiff"))
        return f"1/{pillow_version}/{libraries}/{self.mode}/{self.size}/{self.resize if self.size else None}"


def decode(data: bytes, look: Look) -> NDArray[np.uint8]:
    """Return the pixels [height, width, channels] of a picture file; raises ``UnreadableError``.

    A photo is turned as its EXIF orientation says. Colours of CMYK and of palettes become RGB, an alpha channel stays
    only in the mode RGBA, greys of 16 bits are divided by 257. An animation is refused, since nobody said which of its
    pictures is meant; so are pixels of 32 bits, whose range is not known, and more pixels than Pillow's
    ``MAX_IMAGE_PIXELS``. Whoever calls makes an error of Pillow's warning about those.
    """
    if not data:
        raise UnreadableError("is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check(picture)
            if not look.converts:
                _check_plain(picture)
            if look.size is not None:
                picture.draft(None, (DRAFT * max(look.size),) * 2)
            bits16 = _is_deep_grey(picture)
            picture.load()
            plain = _of_16_bits(_upright(picture)) if bits16 else _upright(picture)
            pixels = np.asarray(_sized(_in_mode(plain, look.mode), look))
    except UnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except UnidentifiedImageError as error:
        raise UnreadableError(_unknown(data)) from error
    except Exception as error:  # Decoders raise anything over bytes that are damaged.
        raise UnreadableError(f"is damaged: {str(error) or type(error).__name__}") from error
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _unknown(data: bytes) -> str:
    if looks_like_picture(data):
        return "is damaged: its header cannot be read"
    return f"is no picture of a format that is read ({', '.join(FORMATS)})"


def _check(picture: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.width * picture.height > limit:
        raise _too_large()
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        raise UnreadableError("is an animation, or has several pages; save the one picture that is meant")
    if picture.mode == "F" or (picture.mode == "I" and picture.format not in DEEP):
        raise UnreadableError("has pixels of 32 bits, whose range is not known; save it with 8 or 16 bits")


def _is_deep_grey(picture: Image.Image) -> bool:
    return picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in DEEP)


def _check_plain(picture: Image.Image) -> None:
    """Raise ``UnreadableError`` for 16 bits, CMYK and palettes."""
    deep_colours = any(
        "16" in str(tile.args) for tile in getattr(picture, "tile", ())
    )  # Pillow itself drops their lower bits.
    kinds = {"has 16 bits a channel": _is_deep_grey(picture) or deep_colours, "is CMYK": picture.mode == "CMYK"}
    kinds["has a palette"] = picture.mode in ("P", "PA")
    for kind, found in kinds.items():
        if found:
            raise UnreadableError(f"{kind}; set mode: RGB, RGBA or grey in the source, which converts it")


def _too_large() -> UnreadableError:
    limit = f"{Image.MAX_IMAGE_PIXELS:,}"
    return UnreadableError(f"has more than {limit} pixels, the most that are read; it may be a decompression bomb")


def _upright(picture: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF orientation says; as it is where that cannot be read."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - what is damaged is the description, not the picture
        return picture


def _of_16_bits(picture: Image.Image) -> Image.Image:
    """Return greys from 0 to 65,535 as greys from 0 to 255, rounded."""
    values = np.asarray(picture).astype(np.uint32)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _in_mode(picture: Image.Image, mode: Mode) -> Image.Image:
    """Return a picture in one of the modes."""
    target = MODES[mode]
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")  # Pillow asks for this step.
    return picture if picture.mode == target else picture.convert(target)


def _sized(picture: Image.Image, look: Look) -> Image.Image:
    """Return a picture in the size that is wanted, by bilinear interpolation that averages where it gets smaller."""
    if look.size is None:
        return picture
    height, width = look.size
    if picture.size == (width, height):
        return picture
    bilinear = Image.Resampling.BILINEAR
    if look.resize == "stretch":
        return picture.resize((width, height), bilinear)
    if look.resize == "crop":
        return ImageOps.fit(picture, (width, height), bilinear)
    scale = min(width / picture.width, height / picture.height)
    inner = tuple(max(1, round(scale * length)) for length in picture.size)
    result = Image.new(picture.mode, (width, height))
    small = picture.resize((inner[0], inner[1]), bilinear)
    result.paste(small, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return result
