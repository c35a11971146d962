"""How well a slice tells the resolution of its series: by the patient's edges, by its noise.

python benchmarks/resolution.py FOLDER [FOLDER ...]

Of every series with at least four slices: the median and the spread of both over its slices, and
the blur that edges show and noise does not. Of the kernel with most series also whether larger
pixels make its noise look finer, as folded frequencies would. Decision 011 was taken on training
patients alone.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from scipy.stats import linregress

import ctiqa
from ctiqa.corpus.resolution import APERTURE_MM, USUAL_SIGMA_MM
from ctiqa.images.series import Series
from ctiqa.measures.global_noise import soft_tissue
from ctiqa.measures.sharpness import edge_sigma_mm
from ctiqa.measures.texture import noise_frequency_per_mm, noise_sigma_mm

SLICES = 8
FEWEST = 4


def read(series: Series) -> Iterator[tuple[str, float, float, float]]:
    """Yield kernel, blur at the edges, blur told by the noise and pixel of some slices, in mm."""
    headers = series.headers
    for header in headers[:: max(1, len(headers) // SLICES)]:
        one = header.load()
        mm = one.pixel_mm
        frequency = noise_frequency_per_mm(one.hu, soft_tissue(one.hu), pixel_mm=mm)
        kernel = f"{one.acquisition.manufacturer[:8]} {one.acquisition.kernel}"
        yield kernel, edge_sigma_mm(one.hu, pixel_mm=mm), noise_sigma_mm(frequency, pixel_mm=mm), mm


def main() -> None:
    """Print one line for each series, then what follows from them."""
    medians, spreads = defaultdict(list), []
    for series in ctiqa.read(sys.argv[1:]).series:
        slices = [*read(series)]
        blurs = np.array([both for _, *both, _ in slices])
        pixel_mm = slices[0][-1]
        if np.isfinite(blurs).all(axis=1).sum() < FEWEST:
            continue
        middle, spread = np.nanmedian(blurs, axis=0), np.nanstd(blurs, axis=0)
        medians[slices[0][0]].append([*middle, pixel_mm])
        spreads.append(spread)
        words = (f"{a:.3f} +- {b:.3f} mm" for a, b in zip(middle, spread, strict=True))
        print(f"{slices[0][0]:24} {pixel_mm:.3f} mm: edges {next(words)}, noise {next(words)}")
    edges, noise, _ = np.concatenate([*medians.values()]).T
    print(f"\n{len(edges)} series; correlation of the two {np.corrcoef(edges, noise)[0, 1]:.2f}")
    print("spread within a series: edges {:.3f}, noise {:.3f} mm".format(*np.mean(spreads, axis=0)))
    kernel, alike = max(medians.items(), key=lambda item: len(item[1]))
    words = "between the {} series of {}: edges {:.3f}, noise {:.3f} mm"
    print(words.format(len(alike), kernel, *np.std(alike, axis=0)))
    found = linregress(np.array(alike)[:, 2], np.array(alike)[:, 1])
    print(
        f"and with every millimetre of pixel the noise of {kernel} tells {found.slope:+.2f} mm "
        f"(SE {found.stderr:.2f}) of blur"
    )
    known = np.hypot(noise, APERTURE_MM)
    errors = (np.sqrt(np.mean((told - known) ** 2)) for told in (edges, USUAL_SIGMA_MM))
    words = "with the aperture, noise tells {:.2f} mm (median); edges miss that by {:.3f} mm (RMS)"
    print(words.format(np.median(known), next(errors)))
    print(f"and {USUAL_SIGMA_MM} mm for all misses it by {next(errors):.3f} mm")
    beside = np.sqrt(np.maximum(edges**2 - noise**2, 0))
    print(
        "edges less noise, in squares: lower quartile {:.2f}, median {:.2f} mm".format(
            *np.quantile(beside, [0.25, 0.5])
        )
    )


if __name__ == "__main__":
    main()
