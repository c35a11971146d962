"""Where weights come from: code, packages, device and scans."""

import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from ctiqa.card import TrainingRange
from ctiqa.corpus.store import Corpus
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.appearance import Appearance
from ctiqa.measures.global_noise import soft_tissue

__all__ = ["commit", "device_words", "training_range", "versions"]


def commit() -> str:
    """Return the git commit of the checkout that holds this code, "" where there is none."""
    for folder in Path(__file__).resolve().parents:
        git = folder / ".git"
        if git.is_dir():
            return _head(git)
    return ""


def versions() -> dict[str, str]:
    """Return the versions of what decides the numbers."""
    names = ("ctiqa", "torch", "lightning-fabric", "numpy", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def device_words(fabric: Fabric) -> str:
    """Return what computes and how precisely, such as "cpu, 2 threads, 32-true"."""
    device, precision = fabric.device, fabric.strategy.precision.precision
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {precision}"
    return f"{device.type}, {torch.get_num_threads()} threads, {precision}"


def training_range(corpus: Corpus) -> TrainingRange:
    """Return what the slices of split "train" are like, by their headers and by their images.

    How much of a body is cut off stays unknown: a corpus does not keep which pixels are padding.
    """
    chosen = corpus.where("train")
    slices = [corpus.slices[index] for index in chosen]
    facts = [one.facts for one in slices]
    seen = [_appearance(corpus.scanned(index)[0]) for index in chosen]
    return TrainingRange(
        kvp=_range(fact.kvp for fact in facts),
        kernels=_words(fact.kernel for fact in facts),
        slice_thickness_mm=_range(fact.slice_thickness_mm for fact in facts),
        pixel_mm=_range(fact.pixel_mm for fact in facts),
        body_regions=_words(fact.body_part for fact in facts),
        noise_hu=_range(float(noise) for one in slices for noise in one.noise_hu),
        noise_per_mm=_range(one.noise_per_mm for one in seen),
        water_equivalent_mm=_range(
            one.water_equivalent_mm for one in seen if one.region and not one.cut_off_mm
        ),
        image_regions=_words(one.region or "" for one in seen),
    )


def _appearance(ct_slice: CTSlice) -> Appearance:
    tissue = soft_tissue(ct_slice.hu)
    return Appearance.of(ct_slice.hu, tissue, pixel_mm=ct_slice.pixel_mm)


def _range(values: Iterable[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return (min(known), max(known)) if known else None


def _words(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))


def _head(git: Path) -> str:
    head = (git / "HEAD").read_text("utf-8").strip()
    reference = head.removeprefix("ref: ")
    if reference == head:
        return head
    if (loose := git / reference).exists():
        return loose.read_text("utf-8").strip()
    packed = git / "packed-refs"
    lines = packed.read_text("utf-8").splitlines() if packed.exists() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {reference}")), "")
