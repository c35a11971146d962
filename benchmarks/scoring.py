"""Time scoring against the network of the one packaged CT scorer, on the same slices.

    python benchmarks/scoring.py [SCAN] [--model FILE] [--threads N]

``ctiqa.score`` runs from files to rows: decoding, noise in HU, network. The other side is
torchvision's ``swin_t`` at 512 x 512 with one output, in eager PyTorch and in ONNX Runtime, and is
given its slices decoded and windowed, at no cost. All take turns on the same cores, and the medians
of the same run are compared. SCAN is by default the first test patient of ../shared/ct, and a
synthetic chest where that is absent.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from torchvision.models import swin_t

import ctiqa
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.window import SOFT_TISSUE

ROUNDS = 5
SLICES_OF_THE_OTHERS = 8
REAL = Path(__file__).parents[2] / "shared" / "ct" / "test" / "LungFCP-01-0001"

Images = npt.NDArray[np.float32]
Act = Callable[[], int]
"""Does its work once and returns how many slices that was."""


def main() -> None:
    wanted = arguments()
    torch.set_num_threads(wanted.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    with scan_or_phantom(wanted.scan) as scan:
        slices = [header.load() for series in ctiqa.read(scan).series for header in series.headers]
        chosen = slices[:: max(1, len(slices) // SLICES_OF_THE_OTHERS)][:SLICES_OF_THE_OTHERS]
        hu = np.stack([each.hu for each in chosen])
        acts = {
            "ctiqa.score, from file to row": ours(scan, wanted.model, wanted.threads),
            "its network alone": our_network(hu, wanted.model, wanted.threads),
            "swin_t, PyTorch eager": swin_eager(hu),
            "swin_t, ONNX Runtime": swin_engine(hu, wanted.threads),
        }
        rates = timed(acts)
    print(f"{scan.name}: {len(slices)} slices, {wanted.threads} threads, median of {ROUNDS} rounds")
    # Work of others slows an engine whose threads wait for one another far more than ours.
    print(f"load before the first round, 0 on a quiet machine: {load:.1f}\n")
    print(f"{'':32}slices/s   ms a slice   ctiqa.score is faster by")
    first = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"{name:32}{rate:8.2f}{1e3 / rate:13.1f}{first / rate:15.2f}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time scoring against swin_t.")
    parser.add_argument("scan", type=Path, nargs="?", default=REAL)
    parser.add_argument("--model", type=Path, help="an .onnx file; the shipped one by default")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


@contextmanager
def scan_or_phantom(scan: Path) -> Iterator[Path]:
    if scan != REAL or scan.exists():
        yield scan
        return
    with TemporaryDirectory() as folder:
        write_phantom_series(Path(folder, "phantom"), slices=24)
        yield Path(folder, "phantom")


def timed(acts: dict[str, Act]) -> dict[str, float]:
    """Return the median slices per second of each act; they take turns."""
    rates: dict[str, list[float]] = {name: [] for name in acts}
    for act in acts.values():
        act()  # what is made once is made here
    for _ in range(ROUNDS):
        for name, act in acts.items():
            begin = time.perf_counter()
            count = act()
            rates[name].append(count / (time.perf_counter() - begin))
    return {name: median(each) for name, each in rates.items()}


def ours(scan: Path, model: Path | None, threads: int) -> Act:
    scorer = ctiqa.Scorer(model, threads=1)

    def act() -> int:
        rows = ctiqa.score(scan, model=scorer, threads=threads).slices
        if unscored := [row.path for row in rows if row.score is None]:
            raise SystemExit(f"{unscored[0]} was not scored; name a scan of axial CT slices")
        return len(rows)

    return act


def our_network(hu: Images, model: Path | None, threads: int) -> Act:
    scorer = ctiqa.Scorer(model, threads=threads)
    return lambda: sum(len(scorer.score_batch(each[None], 0.7)) for each in hu)


def swin() -> torch.nn.Module:
    torch.manual_seed(0)
    return swin_t(num_classes=1).eval()


def swin_input(hu: Images) -> list[Images]:
    """Return each slice as the three equal channels, (1, 3, 512, 512), that the network takes."""
    return [np.repeat(SOFT_TISSUE.apply(each)[None, None], 3, axis=1) for each in hu]


def swin_eager(hu: Images) -> Act:
    network = swin()
    images = [torch.from_numpy(each) for each in swin_input(hu)]

    def act() -> int:
        with torch.inference_mode():
            return sum(len(network(each)) for each in images)

    return act


def swin_engine(hu: Images, threads: int) -> Act:
    images = swin_input(hu)
    with warnings.catch_warnings(action="ignore"):  # the exporter warns of itself
        exported = torch.onnx.export(
            swin(), (torch.from_numpy(images[0]),), dynamo=True, verbose=False
        )
    if exported is None:
        raise RuntimeError("PyTorch exported nothing")
    data = exported.model_proto.SerializeToString()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: sum(len(session.run(None, {name: each})[0]) for each in images)


if __name__ == "__main__":
    main()
