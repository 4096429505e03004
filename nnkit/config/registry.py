"""Registries: a family of pieces by name, and how a spec's value becomes one of them."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from nnkit.config.mistakes import mistake
from nnkit.config.piece import Piece
from nnkit.config.spelling import nearest
from nnkit.config.words import FAMILY, KEY, found, short

P = TypeVar("P", bound=Piece)
C = TypeVar("C", bound=Piece)


class Registry(Generic[P]):
    """A family of pieces: ``Registry("layers", "layer", Layer, home="nnkit.layers")``.

    ``Annotated[Layer, LAYERS]`` is the type of an option that takes any piece of the family: a mapping with ``type``,
    or a bare word for a piece with its defaults. ``home`` is the module, or the package with all its modules, whose
    import registers the pieces; it is imported at the first look-up.
    """

    def __init__(self, family: str, noun: str, base: type[P], home: str) -> None:
        self.family = family
        self.noun = noun
        self.words = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
        self.base = base
        self.home = home
        self._entries: dict[str, type[P]] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Return the decorator that puts a class into the family under ``name``; a taken name raises ``ValueError``."""

        def add(piece: type[C]) -> type[C]:
            self._entries[name] = self._accepted(name, piece)
            piece.type_name = name
            return piece

        return add

    def _accepted(self, name: str, piece: type[Piece]) -> type[P]:
        if name in self._entries:
            raise ValueError(f"{self.family}: the name {name!r} is taken by {self._entries[name].__qualname__}")
        if not issubclass(piece, self.base):
            raise TypeError(f"{self.family}: {piece.__qualname__} is not a {self.base.__qualname__}")
        return piece

    @property
    def entries(self) -> Mapping[str, type[P]]:
        """All pieces of the family by name, in alphabetical order."""
        if not self._complete:
            self._import_home()
            self._entries = dict(sorted(self._entries.items()))
            self._complete = True
        return self._entries

    def _import_home(self) -> None:
        # The names imported here are nnkit's own modules, never anything that a file or a spec says.
        home = importlib.import_module(self.home)
        for module in pkgutil.iter_modules(getattr(home, "__path__", [])):
            importlib.import_module(f"{self.home}.{module.name}")

    def decode(self, value: object, context: object = None) -> P:
        """Make a piece from a spec's value; raises pydantic's ``ValidationError`` with every mistake in it."""
        if isinstance(value, self.base):
            return value
        if isinstance(value, str):
            return self._find(value, ()).model_validate({}, context=context)
        if not isinstance(value, Mapping):
            raise self._mistake(
                (), value, f"expected {self.words}: a name, or a mapping with 'type'; found {found(value)}"
            )
        if "type" not in value:
            raise self._mistake((), value, f"{self.words} needs 'type', one of: {', '.join(self.entries)}")
        options = {key: option for key, option in value.items() if key != "type"}
        return self._find(value["type"], ("type",)).model_validate(options, context=context)

    def _find(self, name: object, loc: tuple[str, ...]) -> type[P]:
        if isinstance(name, str) and name in self.entries:
            return self.entries[name]
        hint, choices = nearest(str(name), self.entries), ", ".join(self.entries)
        raise self._mistake(loc, name, f"unknown {self.noun} {short(str(name))!r}{hint} The {self.family}: {choices}")

    def _mistake(self, loc: tuple[str, ...], value: object, message: str) -> ValidationError:
        return ValidationError.from_exception_data(self.family, [mistake(loc, value, message)])

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def decode(value: object, info: ValidationInfo) -> P:
            return self.decode(value, info.context)

        return core_schema.with_info_plain_validator_function(
            decode, serialization=core_schema.plain_serializer_function_ser_schema(dump_piece)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # pydantic refuses references to what it does not know, so nnkit.config.reference puts in the reference.
        return {FAMILY: self.family, KEY: self.words}


def dump_piece(piece: Piece) -> dict[str, Any]:
    """Return a piece as the mapping that a spec would write, every default included."""
    return {"type": piece.type_name, **piece.model_dump(mode="json")}
