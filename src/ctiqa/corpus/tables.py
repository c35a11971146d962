"""Write the tables that make finished parts a corpus."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path

from ctiqa.corpus.label import WINDOWS
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.store import SCHEMA_VERSION, Corpus, SliceFacts
from ctiqa.files import write_whole

__all__ = ["write_tables"]


def write_tables(folder: Path, settings: CorpusSettings, slices: Sequence[SliceFacts]) -> None:
    """Write ``slices.csv``, ``labels.csv`` and last ``corpus.json``, without which there is none.

    Args:
        folder: the corpus, whose parts are there.
        settings: what decided its content.
        slices: one row a slice, in order.
    """
    rows = [astuple(facts) for facts in slices]
    write_whole(folder / "slices.csv", _csv([field.name for field in fields(SliceFacts)], rows))
    header = ["part", "reference", "dose_fraction", "window", "psnr_db", "ssim"]
    write_whole(folder / "labels.csv", _csv(header, _label_rows(folder, settings, slices)))
    about = {"schema_version": SCHEMA_VERSION, "settings": asdict(settings), "slices": len(rows)}
    write_whole(folder / "corpus.json", json.dumps(about, indent=2).encode())
    about["fingerprint"] = Corpus.open(folder).fingerprint(range(len(rows)))
    write_whole(folder / "corpus.json", json.dumps(about, indent=2).encode())


def _label_rows(
    folder: Path, settings: CorpusSettings, slices: Sequence[SliceFacts]
) -> Iterator[tuple[object, ...]]:
    doses = {"ideal": settings.label_doses, "routine": settings.image_doses}
    for facts in slices:
        measured = json.loads((folder / "parts" / f"{facts.part}.json").read_text("utf-8"))
        for reference, fractions in doses.items():
            for dose, row in zip(fractions, measured[reference], strict=True):
                for window, (psnr_db, ssim) in zip(WINDOWS, row, strict=True):
                    yield facts.part, reference, dose, window, psnr_db, ssim


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
