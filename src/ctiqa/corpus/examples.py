"""Serve labelled slices to training."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ctiqa.corpus.label import LabelRecipe
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.slice_header import fit_window

__all__ = ["Batch", "Draw", "Example", "FixedExamples", "FreshExamples", "batches", "turned"]

_AnyDraw = TypeVar("_AnyDraw")


Label: TypeAlias = npt.NDArray[np.float32]
"""Q of one image, (), or its parts, (parts,)."""


class Batch(NamedTuple):
    """Some slices with their labels.

    Args:
        hu: (N, S, S) float32 in HU, S 512 or as much of the middle as a network looks at.
        pixel_mm: (N,) float32, the side of a pixel of each.
        q: (N,) or (N, parts) float32, or (N, cells, cells) where a map is learnt.
    """

    hu: torch.Tensor
    pixel_mm: torch.Tensor
    q: torch.Tensor


class Example(NamedTuple):
    """One slice in HU, the side of its pixel in mm, and its label."""

    hu: FloatImage
    pixel_mm: float
    label: Label


class Draw(NamedTuple):
    """One example of a fixed set: its place there, and which way up."""

    place: int
    turn: int


class _FreshDraw(NamedTuple):
    """One fresh example: a slice, its dose, which way up, and the seed of its noise.

    Or, from 0, the place of one of its stored degraded images.
    """

    slice: int
    dose: float
    turn: int
    seed: int
    degraded: int = -1


@dataclass(frozen=True, eq=False)
class FixedExamples:
    """The images that the corpus holds, each slice at each of its image doses.

    Args:
        corpus: where they lie.
        indices: slices to serve.
        label: how Q is weighed.
        turned: whether training sees them flipped and turned by quarters at random.
        chosen: (slice, dose index) pairs to serve; None is every dose of every slice.
        size: of the middle that is served, as much of a slice as a network looks at.
    """

    corpus: Corpus
    indices: Sequence[int]
    label: LabelRecipe
    turned: bool = True
    chosen: Sequence[tuple[int, int]] | None = None
    size: int = 512

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(slice, dose index) of every example, in order."""
        if self.chosen is not None:
            return list(self.chosen)
        doses = range(len(self.corpus.settings.image_doses))
        return [(index, dose) for index in self.indices for dose in doses]

    def __len__(self) -> int:
        return len(self.pairs)

    def epoch(
        self, index: int, *, seed: int, batch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield one pass in random order; the same (seed, index) gives the same bytes."""
        yield from batches(self.drawn(index, seed=seed)[rank::world], batch, self._served)

    def drawn(self, index: int, *, seed: int) -> list[Draw]:
        """Return the examples of one epoch in their order, decided by (seed, index) alone."""
        rng = np.random.default_rng([seed, index])
        return [
            Draw(int(at), int(rng.integers(8)) if self.turned else 0)
            for at in rng.permutation(len(self.pairs))
        ]

    def in_order(self, *, batch: int) -> Iterator[Batch]:
        """Yield every example once, in order, upright."""
        yield from batches([Draw(at, 0) for at in range(len(self))], batch, self._served)

    def label_of(self, pair: tuple[int, int]) -> Label:
        """Return the label of one of the pairs: Q, or its parts."""
        index, place = pair
        return np.asarray(self.corpus.image_labels(index, self.label)[place], np.float32)

    @cached_property
    def _served(self) -> Callable[[Draw], Example]:
        pairs = self.pairs

        def example(draw: Draw) -> Example:
            pair = pairs[draw.place]
            hu = turned(np.asarray(self.stored(pair), np.float32), draw.turn)
            return Example(hu, self.corpus.pixel_mm(pair[0]), self.label_of(pair))

        return example

    def stored(self, pair: tuple[int, int]) -> npt.NDArray[np.int16]:
        """Return the middle of an image as it is stored."""
        stored = self.corpus.stored(*pair)
        part, _ = fit_window(stored.shape[0], self.size)
        return stored[part, part]


@dataclass(frozen=True, eq=False)
class FreshExamples:
    """Slices with fresh noise at a fresh dose for every example.

    The dose is 1 for a share of the examples and log-uniform in a range for the rest; two stored
    quantum fields are mixed by a random angle into a new one; Q is interpolated in log dose between
    the stored labels. Below 1 the noise is added to the slice, above it to the slice without its
    noise.

    Args:
        corpus: where the slices and fields lie.
        indices: slices to serve.
        label: how Q is weighed; its reference must be "ideal", which falls smoothly with dose.
        passes: examples of each slice in an epoch.
        routine_share: share of the examples at full dose.
        lowest_dose: one end of the range of doses.
        highest_dose: the other; above 1, slices quieter than any that was scanned are shown, as
            thicker ones are.
        degraded_share: share of the examples that are one of the slice's stored degraded images.
    """

    corpus: Corpus
    indices: Sequence[int]
    label: LabelRecipe
    passes: int = 1
    routine_share: float = 0.15
    lowest_dose: float = 0.15
    highest_dose: float = 1.0
    degraded_share: float = 0.0

    def __len__(self) -> int:
        return len(self.indices) * self.passes

    def epoch(
        self, index: int, *, seed: int, batch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield one epoch in random order; the same (seed, index) gives the same bytes."""
        rng = np.random.default_rng([seed, index])
        order = rng.permutation(np.repeat(self.indices, self.passes))
        ends = np.log(self.lowest_dose), np.log(self.highest_dose)
        other = np.exp(rng.uniform(*ends, len(order)))
        dose = np.where(rng.random(len(order)) < self.routine_share, 1.0, other)
        turn, seeds = rng.integers(8, size=len(order)), rng.integers(2**32, size=len(order))
        place = np.full(len(order), -1)
        if self.degraded_share:
            held = np.array([len(self.corpus.degraded(index).doses) for index in order])
            chosen = rng.random(len(order)) < self.degraded_share
            place = np.where(chosen, rng.integers(held), place)
        draws = [
            _FreshDraw(int(i), float(d), int(t), int(s), int(p))
            for i, d, t, s, p in zip(order, dose, turn, seeds, place, strict=True)
        ]
        yield from batches(draws[rank::world], batch, self._example)

    def _example(self, draw: _FreshDraw) -> Example:
        hu, label = self._labelled(draw)
        return Example(turned(hu, draw.turn), self.corpus.pixel_mm(draw.slice), label)

    def _labelled(self, draw: _FreshDraw) -> tuple[FloatImage, Label]:
        settings = self.corpus.settings
        if draw.degraded >= 0:
            place = len(settings.image_doses) + draw.degraded
            label = self.corpus.image_labels(draw.slice, self.label)[place]
            hu = self.corpus.image(draw.slice, place)
            return hu, np.asarray(label, np.float32)
        labels = self.corpus.labels(draw.slice, self.label)
        q = _at_dose(draw.dose, np.array(settings.label_doses), labels)
        if draw.dose == 1:
            return self.corpus.image(draw.slice, 0), q
        scanned = draw.dose < 1
        base = self.corpus.image(draw.slice, 0) if scanned else self.corpus.clean(draw.slice)
        if base is None:
            raise CorpusError(
                f"{self.corpus.folder} holds no slices without noise, which doses above 1 need; "
                "make it anew, or lower highest_dose"
            )
        noise = _mixed(self.corpus.fields(draw.slice), draw, quantum_fields=settings.quantum_fields)
        return base + noise, q


def _at_dose(dose: float, doses: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> Label:
    """Return the label between two stored doses, linear in the logarithm of the dose."""
    columns = labels.reshape(len(doses), -1).T
    at = [np.interp(np.log(dose), np.log(doses[::-1]), column[::-1]) for column in columns]
    return np.asarray(at if labels.ndim > 1 else at[0], np.float32)


def _mixed(fields: npt.NDArray[np.float16], draw: _FreshDraw, *, quantum_fields: int) -> FloatImage:
    """Return the noise that a slice at the drawn dose lacks.

    Below 1 what lowers its dose (docs/physics.md, equation 2); above it all its noise.
    """
    rng = np.random.default_rng(draw.seed)
    first, second = rng.choice(quantum_fields, 2, replace=False)
    angle = rng.uniform(0, 2 * np.pi)
    # cos and sin of one angle keep the variance, so the mixture is a noise field like its parts.
    has = float(draw.dose < 1)
    quantum = np.sqrt(1 / draw.dose - has) * np.array([np.cos(angle), np.sin(angle)])
    read_out = np.sqrt(1 / draw.dose**2 - has) * rng.choice([-1, 1])
    third = quantum_fields + rng.integers(len(fields) - quantum_fields)
    noise: FloatImage = fields[first].astype(np.float32) * np.float32(quantum[0])
    noise += fields[second].astype(np.float32) * np.float32(quantum[1])
    noise += fields[third].astype(np.float32) * np.float32(read_out)
    return noise


def turned(hu: FloatImage, turn: int) -> FloatImage:
    """Return one of the eight orientations of a square image; none interpolates."""
    image: FloatImage = np.rot90(hu, turn % 4)
    return np.fliplr(image) if turn >= 4 else image


def batches(
    draws: Sequence[_AnyDraw],
    batch: int,
    example: Callable[[_AnyDraw], Example],
) -> Iterator[Batch]:
    """Yield batches, the next one made in a thread while this one is used."""

    def made(some: Sequence[_AnyDraw]) -> Batch:
        hu, sides, labels = zip(*map(example, some), strict=True)
        columns = (np.stack(hu), np.array(sides, np.float32), np.stack(labels))
        return Batch(*map(torch.from_numpy, columns))

    groups = [draws[start : start + batch] for start in range(0, len(draws), batch)]
    with ThreadPoolExecutor(1) as thread:
        waiting = [thread.submit(made, group) for group in groups[:2]]
        for at in range(len(groups)):
            if at + 2 < len(groups):
                waiting.append(thread.submit(made, groups[at + 2]))
            yield waiting.pop(0).result()
