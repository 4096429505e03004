"""A node: a layer at its place in a list of layers."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_serializer, model_validator

from nnkit.config.piece import Options
from nnkit.config.reference import BESIDE
from nnkit.config.registry import dump_piece
from nnkit.config.words import FAMILY, KEY
from nnkit.layers.base import LAYERS, Layer, LayerChoice

NAME = r"^[A-Za-z0-9_-]{1,100}$"
LARGEST = 3.4028234663852886e38
"""The largest float32."""


def array_shape(value: Any) -> tuple[int, ...]:
    """Return the shape of nested lists of numbers; raises ``ValueError`` where they are ragged or hold other things."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= LARGEST:
            raise ValueError(f"expected finite numbers of up to {LARGEST:.4g}, found {value!r:.60}")
        return ()
    if not isinstance(value, list):
        raise ValueError(f"expected a number or nested lists of numbers, found {value!r:.60}")
    shapes = {array_shape(item) for item in value}
    if len(shapes) > 1:
        raise ValueError("expected nested lists of one length, found some that are shorter than others")
    return (len(value), *(shapes.pop() if shapes else ()))


def _numbers(value: Any) -> Any:
    array_shape(value)
    return value


Numbers: TypeAlias = Annotated[
    Any, AfterValidator(_numbers), WithJsonSchema({"type": ["array", "number"], KEY: "an array"})
]
"""A number, or lists of numbers, or lists of such lists, ..."""


def _flat(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that the layer's options stand beside the node's."""
    beside = {name: option for name, option in schema["properties"].items() if name != "layer"}
    schema |= {FAMILY: "layers", BESIDE: beside, KEY: "a layer"}


class Node(Options):
    """A layer of a list, and the options that any layer has there.

    In a spec, the layer's ``type`` and options stand beside the options of the node.
    """

    model_config = ConfigDict(json_schema_extra=_flat)

    layer: LayerChoice = Field(description="The layer.")
    name: str | None = Field(
        default=None,
        pattern=NAME,
        description="What `inputs` of other layers call this one; default: type and number.",
        json_schema_extra={KEY: "a name of letters, digits, _ and -"},
    )
    inputs: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Names of layers higher up, `input`, or `input.NAME`, read instead of the layer above.",
    )
    weights: dict[str, Numbers] | None = Field(
        default=None, description="Values to start from, by the weight's name, in Keras' layout."
    )
    trainable: bool = Field(default=True, description="Whether training changes the layer's weights.")
    l1: float = Field(default=0.0, ge=0, description="Penalty on the sum of the kernel's absolute values.")
    l2: float = Field(default=0.0, ge=0, description="Penalty on the sum of the kernel's squares.")
    max_norm: float | None = Field(
        default=None, gt=0, description="Largest length of the weights into a unit; longer ones are scaled down."
    )

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take the layer's own options out of the flat mapping."""
        if not isinstance(value, Mapping):
            return {"layer": value}
        if isinstance(value.get("layer"), Layer):  # from Python; no spec can hold one
            return value
        kind = LAYERS.entries.get(str(value.get("type")), Layer)
        shared = {key for option, keys in kind.beside.items() if value.get(option) is not None for key in keys}
        own = cls.model_fields.keys() - {"layer"}
        layer = {key: option for key, option in value.items() if key not in own or key in shared}
        rest = {key: option for key, option in value.items() if key in own and key not in shared - {"name"}}
        return {"layer": layer, **({"trainable": False} if kind.frozen else {}), **rest}

    @model_serializer
    def _join(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in type(self).model_fields if name != "layer"}
        return {**dump_piece(self.layer), **{name: value for name, value in own.items() if value is not None}}
