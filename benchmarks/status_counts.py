"""Count which status real slices get, and why: what applicability costs and what it finds.

    python benchmarks/status_counts.py [FOLDER] [--splits train calibration] [--step 1]

FOLDER holds CT and 'splits.csv' (what each patient may be used for), and 'manifest.csv' (what each
folder shows). It is ../shared/ct unless named; where there is none, nothing is counted, and that is
said. Printed for every split: slices and patients of each status, every reason, the region that the
image shows against that of the manifest, and for "train" the ranges from which the limits of
``ctiqa.scoring.applicability`` were chosen. Limits are chosen on "train" and "calibration" alone.
"""

import argparse
import csv
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ctiqa.card import Card
from ctiqa.images.series import read
from ctiqa.images.slice_header import SliceHeader
from ctiqa.measures.appearance import Appearance
from ctiqa.measures.global_noise import modal_sd, soft_tissue
from ctiqa.scoring.applicability import Verdict, judge
from ctiqa.scoring.scorer import Scorer

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "ct"
SPLITS = ("train", "calibration", "test", "robustness")
FULL_VIEW_MM = 10.0
Split = tuple[str, str]
RANGES = ("noise_per_mm", "grain", "water_equivalent_mm", "cut_off_mm", "metal_mm2")


class Looked(NamedTuple):
    """A slice, what its image shows, the verdict on it and what that took."""

    path: str
    seen: Appearance
    verdict: Verdict
    judged_ms: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=["train", "calibration"])
    parser.add_argument("--step", type=int, default=1, help="every how many slices of a series")
    chosen = parser.parse_args(arguments)
    if not (chosen.folder / "splits.csv").is_file():
        print("no real CT here, nothing counted")
        return 0
    splits, bodies = split_finder(chosen.folder), body_finder(chosen.folder)
    looked = defaultdict(list)
    headers, tilts = zip(*waiting(chosen.folder, chosen.step, chosen.splits, splits), strict=True)
    with ProcessPoolExecutor(2) as pool:
        look_at = partial(look, card=Scorer().card)
        for one in pool.map(look_at, headers, tilts, chunksize=8):
            looked[splits(one.path)[0]].append(one)
    for split in chosen.splits:
        print(f"\n## {split}\n")
        print_statuses(looked[split], lambda path: splits(path)[1])
        print_regions(looked[split], bodies)
        print_ranges(looked[split])
    return 0


def split_finder(folder: Path) -> Callable[[str], Split]:
    """Return what tells the split and the patient of a path in the folder."""
    with (folder / "splits.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def split(path: str) -> Split:
        for row in rows:
            if path.startswith(f"{row['files']}/") or fnmatch(path, row["files"]):
                return row["split"], row["patient"]
        return "", ""

    return split


def body_finder(folder: Path) -> Callable[[str], str]:
    """Return what tells the region that the manifest names for a path."""
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        bodies = {row["folder"]: row["body"] for row in csv.DictReader(file)}
    return lambda path: next(
        (bodies[str(each)] for each in Path(path).parents if str(each) in bodies), "unknown"
    )


def waiting(
    folder: Path, step: int, chosen: Sequence[str], splits: Callable[[str], Split]
) -> Iterator[tuple[SliceHeader, tuple[str, ...]]]:
    """Yield the slices of some splits, each with the notes of its series."""
    for series in read(folder).series:
        for header in series.headers[::step]:
            if splits(header.identity.path)[0] in chosen:
                yield header, series.notes


def look(header: SliceHeader, notes: tuple[str, ...], *, card: Card) -> Looked:
    ct_slice = header.load()
    tissue = soft_tissue(ct_slice.hu)
    noise_hu = modal_sd(ct_slice.hu, tissue)
    start = time.process_time()
    verdict = judge(ct_slice, card, noise_hu=noise_hu, tissue=tissue, series_notes=notes)
    judged_ms = 1e3 * (time.process_time() - start)
    seen = Appearance.of(ct_slice.hu, tissue, pixel_mm=ct_slice.pixel_mm, padding=ct_slice.padding)
    return Looked(header.identity.path, seen, verdict, judged_ms)


def print_statuses(looked: Iterable[Looked], patient: Callable[[str], str]) -> None:
    """Print how many slices and patients get each status and each reason, numbers left out."""
    rows = [
        (name, patient(one.path))
        for one in looked
        for name in (one.verdict.status, *map(reason_kind, one.verdict.reasons))
    ]
    slices, patients = Counter(name for name, _ in rows), Counter(name for name, _ in set(rows))
    first = ("ok", "caution", "not_scored")
    print("| status or reason | slices | patients |\n|---|---|---|")
    for name in (*first, *sorted(set(slices).difference(first), key=lambda each: -slices[each])):
        print(f"| {name} | {slices[name]} | {patients[name]} |")


def reason_kind(reason: str) -> str:
    if reason.startswith("kernel") or "body part" in reason:
        return reason
    return re.sub(r"-?\d+(\.\d+)?( (HU|mm2|mm|kV|per mm))?", "#", reason.partition(" outside")[0])


def print_regions(looked: Sequence[Looked], body: Callable[[str], str]) -> None:
    """Print the manifest's region of a folder against what its images show."""
    counts = Counter((body(one.path), str(one.seen.region)) for one in looked)
    shown = sorted({image for _, image in counts})
    print("\n| manifest \\ image | " + " | ".join(shown) + " |\n|---" + "|---" * len(shown) + "|")
    for named in sorted({name for name, _ in counts}):
        print(f"| {named} | " + " | ".join(str(counts[named, image]) for image in shown) + " |")


def print_ranges(looked: Sequence[Looked]) -> None:
    """Print quantiles of what is measured on the images, and what judging one slice takes."""
    print(
        "\n| image | least | 1 % | median | 99 % | most | slices |\n|---|---|---|---|---|---|---|"
    )
    for name in RANGES:
        full = name != "water_equivalent_mm"
        values = np.array(
            [getattr(o.seen, name) for o in looked if full or o.seen.cut_off_mm <= FULL_VIEW_MM]
        )
        values = values[np.isfinite(values)]
        cells = (f"{each:.3g}" for each in np.quantile(values, (0, 0.01, 0.5, 0.99, 1)))
        print(f"| {name} | {' | '.join(cells)} | {values.size} |")
    print(f"\nJudging took {np.median([one.judged_ms for one in looked]):.1f} ms a slice (median).")


if __name__ == "__main__":
    sys.exit(main())
