"""Reference-free image quality for CT: a score for every slice, the noise in HU beside it.

    report = ctiqa.score("scan/")
    report.series[0].score_median, report.to_dataframe()

Every name is imported when it is first used, so that ``import ctiqa`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctiqa.card import Card
    from ctiqa.errors import (
        CorpusError,
        CtiqaError,
        ModelError,
        ReadError,
        RecipeError,
        TableError,
        WriteError,
    )
    from ctiqa.images.ct_slice import Acquisition, CTSlice, Identity
    from ctiqa.images.series import Reading, Refusal, Series, SliceHeader, read
    from ctiqa.measures.global_noise import global_noise_hu
    from ctiqa.outputs.tables import write_csv, write_json
    from ctiqa.scoring.predict import Scorer, score
    from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

    __version__: str

__all__ = [
    "Acquisition",
    "CTSlice",
    "Card",
    "CorpusError",
    "CtiqaError",
    "Identity",
    "ModelError",
    "ReadError",
    "Reading",
    "RecipeError",
    "Refusal",
    "ScoreReport",
    "Scorer",
    "Series",
    "SeriesSummary",
    "SliceHeader",
    "SliceResult",
    "TableError",
    "WriteError",
    "__version__",
    "global_noise_hu",
    "read",
    "score",
    "write_csv",
    "write_json",
]

_HOMES = {
    "card": ("Card",),
    "errors": (
        "CorpusError",
        "CtiqaError",
        "ModelError",
        "ReadError",
        "RecipeError",
        "TableError",
        "WriteError",
    ),
    "images.ct_slice": ("Acquisition", "CTSlice", "Identity"),
    "images.series": ("Reading", "Refusal", "Series", "SliceHeader", "read"),
    "measures.global_noise": ("global_noise_hu",),
    "outputs.tables": ("write_csv", "write_json"),
    "scoring.predict": ("Scorer", "score"),
    "scoring.result": ("ScoreReport", "SeriesSummary", "SliceResult"),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its room when it is first asked for."""
    if name == "__version__":
        value = import_module("importlib.metadata").version("ctiqa")
    else:
        home = next((room for room, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module 'ctiqa' has no attribute {name!r}")
        value = getattr(import_module(f"ctiqa.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, whether imported yet or not."""
    return sorted({*globals(), *__all__})
