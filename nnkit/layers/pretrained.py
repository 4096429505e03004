"""The layer that takes over what was trained before: by nnkit, or by those who published a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator

from nnkit.config.paths import SpecPath, resolve_path
from nnkit.layers.base import LAYERS, Layer, ShapeError, Weight, fixed
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

    from nnkit.nn.public import Published

SUFFIX = ".safetensors"
PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".tar")


def _file_or_name(value: object, info: ValidationInfo) -> object:
    """Make the path of a file absolute, as that of any file in a spec; leave a name as it is."""
    if isinstance(value, str) and value.endswith(PICKLES):
        raise ValueError(f"{value} is a pickle, and opening one can run code; expected a {SUFFIX} file, or a name")
    return str(resolve_path(value, info)) if isinstance(value, str) and value.endswith(SUFFIX) else value


FileOrName: TypeAlias = Annotated[
    str, BeforeValidator(_file_or_name), WithJsonSchema({"type": "string", "x-words": "a file or a name"})
]


@LAYERS.register("pretrained")
class Pretrained(Layer):
    """Takes over layers that were trained before, of a run or of a published network, and freezes them.

    With `run` it must be the first layer: it stands for the run's layers up to and including `until`, and all that
    they read, with their weights. The data then goes through the run's transforms as they were fitted there. The new
    run keeps copies of all that, and needs the old one no more.

    With `source` and `name` it is a network of torchvision or timm (`pip install 'nnkit[pretrained]'`) without its
    head: from pictures `height x width x 3` with values from 0 to 1 (1 channel is repeated) to features, such as
    `height x width x channels`. The mean and deviation that the weights expect are part of it.

    Its layers are frozen unless `trainable: true` is said here; the procedure `fine_tune` unfreezes them later.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    beside: ClassVar[Mapping[str, tuple[str, ...]]] = {"source": ("name", "weights")}
    frozen = True

    run: SpecPath | None = Field(default=None, description="Folder of a run whose lower layers are taken over.")
    until: str | None = Field(
        default=None,
        description="The last layer that is taken; default: of a run the layer below its last one, of a published "
        "network the one before global pooling.",
    )
    source: Literal["torchvision", "timm"] | None = Field(
        default=None, description="The library that has the published network."
    )
    network: str | None = Field(
        default=None, alias="name", description="With `source`, what the library calls the network, such as resnet18."
    )
    file: FileOrName | None = Field(
        default=None,
        alias="weights",
        description="With `source`, a safetensors file of the network's weights; for timm also a name, such as "
        "tv_in1k, which is downloaded.",
    )
    download: bool = Field(default=False, description="Whether weights given by name may be downloaded.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.run is None) == (self.source is None):
            raise ValueError(
                "pretrained takes over either a run of nnkit (run: FOLDER) or a published network (source)"
            )
        if self.run is not None and self.download:
            raise ValueError("download is for published networks; leave it out beside run")
        if self.source is not None:
            self._check_published()
        return self

    def _check_published(self) -> None:
        for option, value in (("name", self.network), ("weights", self.file)):
            if value is None:
                raise ValueError(f"{option} is missing beside source: {self.source}")
        if self.by_name and self.source == "torchvision":
            raise ValueError(
                f"weights: torchvision publishes {self.file} as a pickle, and opening one can run code; give a "
                f"{SUFFIX} file that you made of it, or take the same weights from timm, such as source: timm, "
                "weights: tv_in1k"
            )
        if self.by_name and not self.download:
            raise ValueError(
                f"weights: {self.file} is the name of weights, and nothing is downloaded unless download: true is "
                f"said; or give a {SUFFIX} file"
            )
        if self.download and not self.by_name:
            raise ValueError("download: the weights are a file; leave download out")

    @property
    def by_name(self) -> bool:
        """Whether the weights are named and not in a file."""
        return self.file is not None and not self.file.endswith(SUFFIX)

    def published(self, *inputs: Shape) -> "Published":
        """Return the network as its library builds it, for pictures of this shape; raises ``ShapeError``.

        Raises ``ResourceError`` where the library is not installed.
        """
        from nnkit.nn.public import UnfitError, published

        if self.source is None or self.network is None:
            raise TypeError(f"the run {self.run} was not opened before its layers were needed")
        height, width, channels = self._picture(inputs)
        try:
            return published(self.source, self.network, self.until, (height, width, channels))
        except UnfitError as error:
            raise ShapeError(str(error)) from None

    def _picture(self, inputs: tuple[Shape, ...]) -> tuple[int, ...]:
        sizes = fixed(self, inputs)
        if len(sizes) != 3 or sizes[-1] not in (1, 3):
            raise ShapeError(
                f"pretrained takes pictures of height x width x channels with 1 or 3 channels, got {show(sizes)}"
            )
        return sizes

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the features."""
        return self.published(*inputs).output

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the weights of the published network under its own names."""
        from nnkit.initializers import INITIALIZERS

        zeros = INITIALIZERS.decode("zeros")  # Nothing starts from them: the published weights take their place.
        found = self.published(*inputs).weights.items()
        return {name: Weight(shape, zeros, 1, 1, trained) for name, (shape, trained) in found}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the network with its normalization."""
        from nnkit.nn.public import build

        picture: Any = self._picture(inputs)
        assert self.source is not None and self.network is not None  # noqa: S101, PT018 - out_shape has looked
        return build(self.source, self.network, self.until, picture)


def weights_file(layer: Pretrained) -> Path:
    """Return the file that holds a published network's weights; it is downloaded where they are given by name."""
    from nnkit.nn.public import download

    assert layer.network is not None and layer.file is not None  # noqa: S101, PT018 - the validator has looked
    return download(layer.network, layer.file) if layer.by_name else Path(layer.file)
