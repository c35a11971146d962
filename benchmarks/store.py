"""Time the store against the plain way: a look-up and a commit for every row, without an index.

    python benchmarks/store.py [--series N] [--slices N]

Both ways add the same results, made up here, and ask for every group in the order of time. They
take turns, and the medians of the same run are compared.
"""

import argparse
import sqlite3
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ctiqa.protocol.drift import Baseline, charts_of
from ctiqa.store.ingest import add
from ctiqa.store.open import Store
from ctiqa.store.query import tracked
from ctiqa.store.results import Results, ScoredSeries, ScoredSlice

ROUNDS = 3
SCANNERS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the store against row-by-row commits.")
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--slices", type=int, default=20)
    wanted = parser.parse_args()
    results = made_up(wanted.series, wanted.slices)
    ways = {"ctiqa.store": ours, "row by row": plain}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            with TemporaryDirectory() as folder:
                begin = time.perf_counter()
                groups = way(Path(folder, "store.sqlite"), results)
                seconds[name].append(time.perf_counter() - begin)
            if groups != min(SCANNERS, wanted.series):
                raise RuntimeError(f"{name} found {groups} scanners")
    rows = wanted.series * wanted.slices
    print(f"{wanted.series} series, {rows} slices, added and charted; median of {ROUNDS} rounds\n")
    first = median(seconds["ctiqa.store"])
    for name, taken in seconds.items():
        print(f"{name:12}{median(taken):9.3f} s{median(taken) / first:9.1f} x")


def made_up(series: int, slices: int) -> Results:
    return Results(
        model="none",
        model_sha256="a" * 64,
        series=tuple(one_series(number, slices) for number in range(series)),
        nameless=0,
    )


def one_series(number: int, slices: int) -> ScoredSeries:
    return ScoredSeries(
        series_instance_uid=f"1.2.{number}",
        study_instance_uid=f"1.1.{number}",
        acquired=date(2026, 1, 1) + timedelta(days=number),
        manufacturer="none",
        scanner=f"CT {number % SCANNERS}",
        kvp=120.0,
        kernel="B30f",
        slice_thickness_mm=1.0,
        body_part="CHEST",
        slices=tuple(
            ScoredSlice(f"1.3.{number}.{place}", 0, place, 1.0, 0.7, 12.0, "ok", 200.0, 5.0)
            for place in range(slices)
        ),
    )


def ours(path: Path, results: Results) -> int:
    store = Store(str(path), new=True)
    add(store, results)
    groups = tracked(store)
    charts_of(groups, Baseline())
    return len(groups)


def plain(path: Path, results: Results) -> int:
    table = sqlite3.connect(path)
    table.execute("CREATE TABLE slice (series, sop, scanner, day, score, noise)")
    for series in results.series:
        for one in series.slices:
            key = (one.sop_instance_uid,)
            if table.execute("SELECT 1 FROM slice WHERE sop = ?", key).fetchone():
                continue
            row = (
                series.series_instance_uid,
                *key,
                series.scanner,
                str(series.acquired),
                0.7,
                12.0,
            )
            table.execute("INSERT INTO slice VALUES (?, ?, ?, ?, ?, ?)", row)
            table.commit()
    scanners = table.execute("SELECT DISTINCT scanner FROM slice").fetchall()
    for scanner in scanners:
        asked = "SELECT series, day, score, noise FROM slice WHERE scanner = ? ORDER BY day"
        medians: dict[str, list[float]] = {}
        for name, _, score, _ in table.execute(asked, scanner):
            medians.setdefault(name, []).append(score)
        _ = {name: median(scores) for name, scores in medians.items()}
    table.close()
    return len(scanners)


if __name__ == "__main__":
    main()
