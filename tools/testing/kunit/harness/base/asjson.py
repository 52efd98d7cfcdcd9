# SPDX-License-Identifier: GPL-2.0
"""Convert dataclasses to JSON values and back."""

import dataclasses
import enum
import itertools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: object) -> Any:
    """A value for json.dump(). Enums become their values, mappings lists of pairs."""
    if dataclasses.is_dataclass(value):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return [[encode(key), encode(item)] for key, item in value.items()]
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], document: Any) -> T:
    """The dataclass that encode() got. Raises KeyError, TypeError, ValueError."""
    found: T = _decode(kind, document)
    return found


def _decode(kind: Any, document: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if document is None else _decode(arguments[0], document)
    if origin is tuple:
        kinds = itertools.repeat(arguments[0]) if arguments[-1] is ... else arguments
        return tuple(_decode(one, item) for one, item in zip(kinds, document))
    if origin is not None:
        return {_decode(arguments[0], key): _decode(arguments[1], item) for key, item in document}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{n: _decode(one, document[n]) for n, one in hints.items() if n in document})
    return kind(document)
