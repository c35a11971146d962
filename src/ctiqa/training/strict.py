"""Turn a table of TOML into a dataclass, every key and type checked."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ctiqa.errors import RecipeError

__all__ = ["build"]

Table = TypeVar("Table")


def build(kind: type[Table], values: Mapping[str, Any], *, where: str) -> Table:
    """Return the dataclass ``kind`` made of the keys and values of one table.

    Args:
        kind: whose type hints say what is wanted; its own rules are its ``__post_init__``.
        values: as :mod:`tomllib` reads them.
        where: the table, in an error.

    Raises:
        RecipeError: naming the key, if it is unknown, missing, of a wrong type or impossible.
    """
    hints = get_type_hints(kind)
    # "lambda" is a word of Python, so its field is called lambda_.
    known = {name.rstrip("_"): name for name in hints}
    for key in values:
        if key not in known:
            names = ", ".join(key for key in known if key != "text")
            raise RecipeError(f'{where}: unknown key "{key}"; known here: {names}')
    made = {known[key]: _value(hints[known[key]], values[key], where, key) for key in values}
    if missing := [name.rstrip("_") for name in _required(kind) if name not in made]:
        raise RecipeError(f"{where}: {', '.join(missing)} must be given")
    try:
        return kind(**made)
    except (ValueError, RecipeError) as error:
        table = where.rpartition(" ")[2]
        words = str(error).removeprefix(f"{table} ")
        raise RecipeError(f"{where}: {words}") from error


def _required(kind: Any) -> list[str]:
    return [
        item.name
        for item in fields(kind)
        if item.default is MISSING and item.default_factory is MISSING
    ]


def _value(hint: Any, value: Any, where: str, key: str) -> Any:
    """Return one TOML value as its type hint wants it."""
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, dict):
        return build(hint, value, where=f"{where} [{key}]")
    for choice in get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,):
        if _fits(choice, value):
            return _convert(choice, value)
    raise RecipeError(f"{where}: {key} must be {_words(hint)}, not {value!r}")


def _fits(hint: Any, value: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        if not isinstance(value, list):
            return False
        each = parts[:1] * len(value) if Ellipsis in parts else parts
        return len(each) == len(value) and all(map(_fits, each, value))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint


def _convert(hint: Any, value: Any) -> Any:
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        each = parts[:1] * len(value) if Ellipsis in parts else parts
        return tuple(map(_convert, each, value))
    return float(value) if hint is float else value


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return " or ".join(map(_words, parts))
    if origin is Literal:
        return " or ".join(f'"{part}"' if isinstance(part, str) else str(part) for part in parts)
    if origin is tuple:
        each = "each " if Ellipsis in parts else f"{len(parts)} values, each "
        return f"a list of {each}{_words(parts[0])}"
    if is_dataclass(hint):
        return "a table"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[hint]
