"""Time the simulation of a lower dose against scikit-image and, where it is installed, ASTRA.

    python benchmarks/simulation.py [SCAN]

One dose of one slice costs one set of line integrals and one reconstruction of noise; both are
timed at 512 x 512 pixels, 720 views and 768 channels, in turns, and the medians of the same run are
compared. Then ``ctiqa simulate`` is timed from file to file on SCAN or on a synthetic chest.

ASTRA is GPL and no dependency; install astra-toolbox beside ctiqa to have it in the table.
"""

import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from skimage.transform import iradon, radon

from ctiqa.dose.apodisation import HANN
from ctiqa.dose.derived import simulate
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.series import LowerDose
from ctiqa.images.phantom import chest_slice, write_phantom_series

BEAM = ParallelBeam(size=512, views=720, channels=768)
PIXEL_MM = 0.75
ROUNDS = 5
LOWER = LowerDose((0.5, 0.25))

Act = Callable[[], object]


def main() -> None:
    print(
        f"{BEAM.size} x {BEAM.size} pixels, {BEAM.views} views, median of {ROUNDS} rounds, in ms\n"
    )
    contenders = {"ctiqa": ours(), "scikit-image": scikit_image()}
    if find_spec("astra"):
        contenders["ASTRA, CPU"] = astra()
    times = timed(contenders)
    print(f"{'':14}projection   noise field    one dose   times ctiqa")
    for name, (forward, back) in times.items():
        ratio = (forward + back) / sum(times["ctiqa"])
        total = forward + back
        print(f"{name:14}{forward:10.1f}{back:14.1f}{total:12.1f}{ratio:14.1f}")
    end_to_end()


def timed(contenders: dict[str, tuple[Act, Act]]) -> dict[str, tuple[float, float]]:
    """Return the median milliseconds of both directions; the contenders take turns."""
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in contenders}
    for acts in contenders.values():
        for act in acts:
            act()  # what is made once is made here
    for _ in range(ROUNDS):
        for name, acts in contenders.items():
            for act, kept in zip(acts, seconds[name], strict=True):
                begin = time.perf_counter()
                act()
                kept.append(time.perf_counter() - begin)
    return {
        name: (1e3 * median(there), 1e3 * median(back)) for name, (there, back) in seconds.items()
    }


def inputs() -> tuple[Any, Any]:
    """Return a slice in HU and a sinogram of noise."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((BEAM.views, BEAM.channels), dtype=np.float32)
    return chest_slice(level=0.5, pixel_mm=PIXEL_MM).hu, noise


def ours() -> tuple[Act, Act]:
    hu, noise = inputs()
    return (
        lambda: BEAM.line_integrals(hu, pixel_mm=PIXEL_MM),
        lambda: BEAM.noise_field(noise, pixel_mm=PIXEL_MM, apodisation=HANN),
    )


def scikit_image() -> tuple[Act, Act]:
    hu, noise = inputs()
    water = 1 + hu / 1000
    degrees = np.linspace(0, 180, BEAM.views, endpoint=False)

    def project() -> object:
        with warnings.catch_warnings(action="ignore"):  # the table reaches out of the circle
            return radon(water, degrees, circle=True)

    return project, lambda: iradon(noise.T, degrees, filter_name="hann", output_size=BEAM.size)


def astra() -> tuple[Act, Act]:
    toolbox = import_module("astra")
    hu, noise = inputs()
    rays = toolbox.create_proj_geom(
        "parallel", 1.0, BEAM.channels, np.pi * np.arange(BEAM.views) / BEAM.views
    )
    pixels = toolbox.create_vol_geom(BEAM.size, BEAM.size)
    projector = toolbox.create_projector("linear", rays, pixels)

    def project() -> object:
        number, sinogram = toolbox.create_sino(1 + hu / 1000, projector)
        toolbox.data2d.delete(number)
        return sinogram

    def reconstruct() -> object:
        sinogram = toolbox.data2d.create("-sino", rays, noise)
        image = toolbox.data2d.create("-vol", pixels)
        settings = toolbox.astra_dict("FBP")
        settings |= {
            "ProjectorId": projector,
            "ProjectionDataId": sinogram,
            "ReconstructionDataId": image,
            "option": {"FilterType": "hann"},
        }
        algorithm = toolbox.algorithm.create(settings)
        toolbox.algorithm.run(algorithm)
        field = toolbox.data2d.get(image)
        toolbox.algorithm.delete(algorithm)
        toolbox.data2d.delete([sinogram, image])
        return field

    return project, reconstruct


def end_to_end() -> None:
    """Time the command's own function from DICOM to DICOM, calibration included."""
    with TemporaryDirectory() as folder:
        scan = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder, "chest")
        if len(sys.argv) < 2:
            write_phantom_series(scan, slices=24)
        begin = time.perf_counter()
        result = simulate(scan, Path(folder, "lower"), lower=LOWER)
        elapsed_s = time.perf_counter() - begin
    images = sum(series.slices for series in result.series) * len(LOWER.doses)
    print(
        f"\nctiqa simulate, {images} images of {len(LOWER.doses)} doses, from file to file:"
        f" {elapsed_s / images:.3f} s a slice and dose"
    )


if __name__ == "__main__":
    main()
