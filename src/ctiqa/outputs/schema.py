"""Publish what the JSON of scores and measurements looks like, as JSON Schema (draft 2020-12)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from ctiqa.card import Card
from ctiqa.images.ct_slice import Acquisition, Identity
from ctiqa.protocol import measured
from ctiqa.protocol.measured import FIGURES, Measured
from ctiqa.scoring import result
from ctiqa.scoring.columns import MEANING, OPTIONAL_COLUMNS, PATIENT_COLUMNS
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

__all__ = ["SCHEMAS", "measure_schema", "score_schema"]

Schema = dict[str, Any]

_PLAIN: Final[Mapping[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}


def score_schema() -> Schema:
    """Return the schema of what ``ctiqa score`` writes as JSON, read off the dataclasses it is of.

    A later version may add properties; where it renames one or changes its meaning, it raises
    ``schema_version``.
    """
    card = _of(Card)
    del card["properties"]["recipe"]
    card["required"].remove("recipe")
    model = _object({"name": _of(str), "sha256": _of(str), "card": card})
    properties = {
        "schema_version": {"const": result.SCHEMA_VERSION},
        "meaning": {"const": MEANING},
        "score_range": {"const": list(ScoreReport.score_range)},
        "higher_is_better": {"const": ScoreReport.higher_is_better},
        "step": {"type": "integer", "minimum": 1},
        "model": model,
        "calibration": {"type": "object"},
        "series": _list(_scored(_of(SeriesSummary, optional=OPTIONAL_COLUMNS))),
        "slices": _list(_scored(_of(SliceResult, optional=OPTIONAL_COLUMNS))),
    }
    return _document("score", _object(properties, optional={"calibration"}))


def measure_schema() -> Schema:
    """Return the schema of what ``ctiqa measure`` writes as JSON; as :func:`score_schema`."""
    hints = get_type_hints(Measured) | get_type_hints(Identity) | get_type_hints(Acquisition)
    hints |= dict.fromkeys(FIGURES, float | None)
    names = (*measured.COLUMNS, "frame", *PATIENT_COLUMNS)
    numbers = {"type": "array", "items": {"type": "number"}}
    nps = _object({"frequency_per_mm": numbers, "power_hu2_mm2": numbers})
    rows = _object(
        {**{name: _of(hints[name]) for name in names}, "nps": nps},
        optional={"nps", *PATIENT_COLUMNS},
    )
    properties = {
        "schema_version": {"const": measured.SCHEMA_VERSION},
        "step": {"type": "integer", "minimum": 1},
        **dict.fromkeys(("exams", "series", "slices"), _list({"$ref": "#/$defs/row"})),
    }
    return _document("measure", _object(properties) | {"$defs": {"row": rows}})


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "score": score_schema,
    "measure": measure_schema,
}
"""By the command whose JSON they are of."""


def _document(command: str, schema: Schema) -> Schema:
    version = schema["properties"]["schema_version"]["const"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ctiqa:{command}:{version}",
        "title": f"What 'ctiqa {command}' writes as JSON",
        **schema,
    }


def _of(hint: Any, *, optional: Collection[str] = ()) -> Schema:
    """Return the schema of a type; of a dataclass its fields, all required but ``optional``."""
    origin, parts = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return _object({name: _of(hints[name]) for name in hints}, optional=optional)
    if origin is UnionType:
        return {"anyOf": [_of(part) for part in parts]}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin is tuple:
        return _list(_of(parts[0])) if Ellipsis in parts else _places(parts)
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(parts[1])}
    return {} if hint is Any else {"type": _PLAIN[hint]}


def _object(properties: Schema, *, optional: Collection[str] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _places(hints: tuple[Any, ...]) -> Schema:
    """Return the schema of a tuple of so many values and no more."""
    places = [_of(hint) for hint in hints]
    return {"type": "array", "prefixItems": places, "items": False, "minItems": len(places)}


def _scored(rows: Schema) -> Schema:
    """Return the schema of rows whose scores lie in the range of scores."""
    lowest, highest = ScoreReport.score_range
    for name, schema in rows["properties"].items():
        if name == "score" or name.startswith("score_"):
            schema |= {"minimum": lowest, "maximum": highest}
    return rows
