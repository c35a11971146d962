"""Change a few keys in the text of a recipe."""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ctiqa.errors import RecipeError

__all__ = ["Value", "varied"]

Value: TypeAlias = "str | bool | int | float | Sequence[Value]"
"""What a key of a recipe may hold."""


def varied(text: str, changes: Mapping[str, Value]) -> str:
    r"""Return the recipe with some keys changed; comments are lost, all other values stay.

    Args:
        text: a recipe in TOML, whose tables are flat as in every recipe.
        changes: new values by "table.key"; a table or key that is not there is added.

    Raises:
        RecipeError: if the text is not TOML or holds a table within a table.

    >>> print(varied("[student]\nbeta = 0.75", {"student.beta": 1.0, "vit.weights": ""}), end="")
    [student]
    beta = 1.0
    <BLANKLINE>
    [vit]
    weights = ""
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"the recipe is not valid TOML: {error}") from error
    for name, value in changes.items():
        table, _, key = name.partition(".")
        tables.setdefault(table, {})[key] = value
    if loose := [name for name, table in tables.items() if not isinstance(table, dict)]:
        raise RecipeError(f'the recipe holds "{loose[0]}" outside any table; move it into one')
    return "\n".join(_table(name, table) for name, table in tables.items())


def _table(name: str, table: Mapping[str, Value]) -> str:
    lines = [f"{key} = {_value(f'{name}.{key}', value)}\n" for key, value in table.items()]
    return f"[{name}]\n{''.join(lines)}"


def _value(name: str, value: object) -> str:
    """Return a value as TOML writes it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            # A basic string of TOML is one of JSON, if DEL is spelt out, too.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case list() | tuple():
            return f"[{', '.join(_value(name, item) for item in value)}]"
        case _:
            raise RecipeError(f"the recipe holds {name}, which is no flat value; write it as one")
