"""Prove the label before any network learns it: the laws of METHOD 4, on training patients.

    python benchmarks/label_proof.py [CORPUS] [--slices 2] [--exponent 2] [--seed 0]

Every law that can be asked of a label is asked of some slices of each training patient, and stands
in one table with its bound, its figure, and whether it holds. A label that breaks a law cannot be
mended by a network. Last comes the agreement of two draws of the same labels: the ceiling that any
network can reach. Exit code 1 if a law is broken. CORPUS is corpora/mine unless named; where there
is none, nothing is asked, and that is said.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ctiqa.corpus.labeller import STREAKS, Labeller
from ctiqa.corpus.resolution import resolution_mm
from ctiqa.corpus.store import Corpus
from ctiqa.degrade.blur import Blur
from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.edge_enhancement import EdgeEnhancement
from ctiqa.degrade.kinds import KINDS, draw
from ctiqa.degrade.residual import filter_for_residual
from ctiqa.degrade.sparse_views import SparseViews
from ctiqa.dose.simulate import lower_dose
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.agreement import agreement
from ctiqa.protocol.trials import BLURS_MM, BLURS_PX, DENOISERS, DOSES, RESIDUALS_HU, VIEWS

MIDDLE = (slice(160, 352), slice(160, 352))
"""Where the strength of a denoiser is found: enough of the body, and seven times as fast."""
DEFAULT = Path("corpora/mine")
RESEEDS = 4
SHARPENERS = (EdgeEnhancement(1.15, 0.35), EdgeEnhancement(1.3, 0.35), EdgeEnhancement(2.0, 0.35))
MIXED = 12


class Law(NamedTuple):
    """One row of the table."""

    name: str
    bound: str
    figure: str
    holds: bool
    detail: str = ""


class Measured(NamedTuple):
    """Scores of one slice, or differences of scores, by what was done to it."""

    doses: list[float]
    blurs: list[float]
    mild: list[float]
    views: list[float]
    sharpened: list[float]
    filtered: dict[str, list[float]]
    filtered_low: dict[str, list[float]]
    reseeded: list[float]
    mixed: list[tuple[float, float]]
    kinds: list[str]


def main() -> None:
    wanted = arguments()
    if wanted.corpus == DEFAULT and not DEFAULT.exists():
        print(f"no label was asked: {DEFAULT} is not there; make it by 'ctiqa corpus', or name one")
        return
    corpus = Corpus.open(wanted.corpus)
    chosen = list(slices_of(corpus, each=wanted.slices))
    work = partial(measured, wanted.corpus, exponent=wanted.exponent, seed=wanted.seed)
    with ProcessPoolExecutor(wanted.workers) as pool:
        rows = list(pool.map(work, *zip(*chosen, strict=True)))
    patients = len({corpus.slices[index].facts.patient for index, _ in chosen})
    print(f"{len(rows)} slices of {patients} training patients, exponent {wanted.exponent:g}\n")
    laws = list(judged(rows))
    print(f"{'law':66} {'bound':>14} {'figure':>14}")
    for law in laws:
        print(f"{law.name:66} {law.bound:>14} {law.figure:>14}  {'' if law.holds else 'BROKEN'}")
        if law.detail:
            print(f"     of them {law.detail}")
    pairs = np.array([pair for row in rows for pair in row.mixed])
    ceiling = agreement(pairs[:, 0], pairs[:, 1])
    print(
        f"\ntwo draws of {len(pairs)} mixed labels: OPM {ceiling.signed_opm:.3f}, mean absolute "
        f"difference {ceiling.mae:.4f}, SD of the labels {pairs.std():.3f}"
    )
    for kind in KINDS:
        of_it = np.array(
            [p for r in rows for p, k in zip(r.mixed, r.kinds, strict=True) if k == kind]
        )
        if len(of_it) > 2:
            print(f"  {kind:18} {np.abs(np.diff(of_it)).mean():.4f}, mean label {of_it.mean():.3f}")
    sys.exit(not all(law.holds for law in laws))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Ask the laws of METHOD 4 of the label itself.")
    parser.add_argument("corpus", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--slices", type=int, default=2, help="of each training series")
    parser.add_argument("--exponent", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int)
    return parser.parse_args()


def slices_of(corpus: Corpus, *, each: int) -> Iterator[tuple[int, float]]:
    """Yield some slices of each training series as it was scanned, with its resolution in mm."""
    series: dict[str, list[int]] = {}
    for index in corpus.where("train"):
        if not corpus.slices[index].facts.reconstruction:
            series.setdefault(corpus.slices[index].facts.series, []).append(index)
    for indices in series.values():
        sigma_mm = resolution_mm(corpus, indices)
        spread = np.linspace(0, len(indices) - 1, each + 2)[1:-1].round().astype(int)
        yield from ((indices[at], sigma_mm) for at in spread)


def measured(folder: Path, index: int, sigma_mm: float, *, exponent: float, seed: int) -> Measured:
    """Return the labels of one slice under everything that is asked."""
    corpus = Corpus.open(folder)
    ct_slice, scan = corpus.scanned(index)

    def labeller(draw_: int) -> Labeller:
        rng = np.random.default_rng([seed, index, draw_])
        return Labeller.of(ct_slice, scan, sigma_mm=sigma_mm, rng=rng, exponent=exponent)

    one, other = labeller(0), labeller(1)
    whole = one.quality(1.0).score

    def labelled(degradation: Degradation, dose: float = 1.0, by: Labeller = one) -> float:
        rng = np.random.default_rng([seed, index, 50])
        noisy = lower_dose(ct_slice, dose_fraction=dose, scan=scan, rng=rng)
        at_dose = replace(scan, quanta=scan.quanta * dose)
        degrade = degradation.prepare(noisy, at_dose, noise_hu=by.noise_hu(dose))
        return by.quality(dose, degrade, streaks=degradation.kind in STREAKS).score

    def smoothed(dose: float) -> dict[str, list[float]]:
        part = CTSlice(one.noisy(dose)[MIDDLE], ct_slice.pixel_mm, ct_slice.identity)
        found = {
            kind: [
                filter_for_residual(
                    kind, part, noise_hu=one.noise_hu(dose), residual_hu=residual_hu
                )
                for residual_hu in RESIDUALS_HU
            ]
            for kind in DENOISERS
        }
        return {
            kind: [
                float("nan") if each is None else labelled(each, dose) - whole for each in filters
            ]
            for kind, filters in found.items()
        }

    rng = np.random.default_rng([seed, index, 99])
    kinds = [KINDS[int(at)] for at in rng.integers(len(KINDS), size=MIXED)]
    mixed = []
    for kind in kinds:
        degradation, dose = draw(kind, rng), float(np.exp(rng.uniform(np.log(0.15), 0)))
        mixed.append((labelled(degradation, dose), labelled(degradation, dose, other)))
    return Measured(
        doses=[one.quality(dose).score for dose in DOSES],
        blurs=[labelled(Blur(sigma_mm)) - whole for sigma_mm in BLURS_MM],
        mild=[labelled(Blur(px * ct_slice.pixel_mm)) - whole for px in BLURS_PX],
        views=[labelled(SparseViews(views)) - whole for views in VIEWS],
        sharpened=[labelled(sharpener) - whole for sharpener in SHARPENERS],
        filtered=smoothed(1.0),
        filtered_low=smoothed(0.25),
        reseeded=[labeller(10 + again).quality(1.0).score for again in range(RESEEDS)],
        mixed=mixed,
        kinds=kinds,
    )


def judged(rows: Sequence[Measured]) -> Iterator[Law]:
    """Yield every law with its figure."""
    doses = np.array([row.doses for row in rows])
    steps = np.diff(doses, axis=1) < 0
    yield share("M1 adjacent doses in order (1, 0.5, 0.25, 0.1)", steps[:, 1:], least=0.99)
    yield share("M1 dose 1 above 0.75", steps[:, 0], least=0.90)
    drop = doses[:, 0] - doses[:, 3]
    yield Law(
        "M3 smallest drop from dose 1 to 0.25",
        ">= 0.2",
        f"{drop.min():.3f}",
        bool(drop.min() >= 0.2),
    )
    blurs = np.array([row.blurs for row in rows])
    rises = np.diff(blurs, axis=1, prepend=0)
    yield Law(
        "M4 largest rise with blur", "<= 0.02", f"{rises.max():.3f}", bool(rises.max() <= 0.02)
    )
    yield Law(
        "M4 smallest drop at 1.05 mm",
        ">= 0.05",
        f"{-blurs[:, 2].max():.3f}",
        bool(blurs[:, 2].max() <= -0.05),
    )
    views = np.array([row.views for row in rows])
    falls = np.diff(views, axis=1, prepend=0) <= 0
    yield share(f"M5 fewer views never better ({', '.join(map(str, VIEWS))})", falls, least=0.99)
    yield Law(
        "M5 smallest drop at 60 views",
        ">= 0.1",
        f"{-views[:, 2].max():.3f}",
        bool(views[:, 2].max() <= -0.1),
    )
    sharpened = np.array([row.sharpened for row in rows])
    yield Law(
        "largest gain by edge enhancement: absolute sharpness rewards a little of it",
        "none",
        f"{sharpened.max():.3f}",
        holds=True,
        detail=", ".join(
            f"gain {each.gain:g} {gains.mean():+.3f}"
            for each, gains in zip(SHARPENERS, sharpened.T, strict=True)
        ),
    )
    for name in rows[0].filtered:
        gains = np.array([row.filtered[name] for row in rows])
        reached = np.isfinite(gains)
        law = share(
            f"M7 {name}: routine dose better than its source", gains[reached] > 0, most=0.03
        )
        shares = np.nanmean(np.where(reached, gains > 0, np.nan), axis=0)
        residuals = zip(RESIDUALS_HU, shares, strict=True)
        yield law._replace(detail=", ".join(f"{hu:g} HU {each:.0%}" for hu, each in residuals))
    for name in rows[0].filtered_low:
        gains = np.array([row.filtered_low[name] for row in rows])
        better = gains[np.isfinite(gains)] > 0
        yield share(f"M7 {name}: quarter dose better than routine dose", better, most=0.01)
    for place, (px, least) in enumerate(zip(BLURS_PX, (0.95, 0.995), strict=True)):
        seen = np.array([row.mild[place] for row in rows]) < 0
        yield share(f"M9 blur of {px:g} px lowers the label", seen, least=least)
    spread = max(float(np.std(row.reseeded)) for row in rows)
    yield Law("I7 largest SD between draws", "<= 0.02", f"{spread:.4f}", spread <= 0.02)


def share(name: str, cases: np.ndarray, *, least: float = 0.0, most: float = 1.0) -> Law:
    """Return a law about the share of cases in which something holds."""
    bound = f">= {least:.1%}" if least else f"<= {most:.1%}"
    found = float(cases.mean())
    return Law(name, bound, f"{found:.1%}", least <= found <= most)


if __name__ == "__main__":
    main()
