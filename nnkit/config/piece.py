"""Pieces: the typed, documented option sets that a spec chooses from by ``type``."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator


class Options(BaseModel):
    """A mapping of the spec: typed options, nothing unknown, nothing converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="wrap")
    @classmethod
    def _say_in_words(cls, value: object, decode: ModelWrapValidatorHandler[Self]) -> Self:
        """Put mistakes into the words of the spec; only here is it known which options there are."""
        try:
            return decode(value)
        except ValidationError as error:
            from nnkit.config.mistakes import in_words

            raise in_words(error, cls, value) from None


class Piece(Options):
    """One choice of a family (a layer, a loss, a source, ...); its fields are its options in YAML.

    Every field carries ``Field(description=...)``; the class docstring's first line says what the piece does.
    """

    type_name: ClassVar[str]
    """The name under which the registry knows the class; set by ``Registry.register``."""


def check_ordered(low: float, high: float) -> None:
    """Raise ``ValueError`` unless the option ``low`` is under the option ``high``."""
    if low >= high:
        raise ValueError(f"expected low under high, found {low:g} and {high:g}")
