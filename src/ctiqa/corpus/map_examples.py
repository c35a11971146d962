"""Serve slices with where they lose quality to training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ctiqa.corpus.examples import Batch, Example, batches, turned
from ctiqa.corpus.store import Corpus

__all__ = ["MapExamples"]

_Draw = tuple[int, int, int]
"""A slice, the place of one of its images, and which way up."""


@dataclass(frozen=True, eq=False)
class MapExamples:
    """Images of a corpus, at its doses and degraded, with their loss maps.

    Args:
        corpus: where they lie; 'ctiqa degrade' made the maps.
        indices: slices to serve.
        passes: images of each slice in an epoch, drawn anew in each.
    """

    corpus: Corpus
    indices: Sequence[int]
    passes: int = 1

    def __len__(self) -> int:
        return len(self.indices) * self.passes

    def epoch(
        self, index: int, *, seed: int, batch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield one epoch in random order; the same (seed, index) gives the same bytes."""
        rng = np.random.default_rng([seed, index])
        order = rng.permutation(np.repeat(self.indices, self.passes))
        draws = [
            (int(at), int(rng.integers(self._held(int(at)))), int(rng.integers(8))) for at in order
        ]
        yield from batches(draws[rank::world], batch, self._example)

    def in_order(self, *, batch: int) -> Iterator[Batch]:
        """Yield every slice once, upright, each in another of its images, the last one first."""
        held = [self._held(at) for at in self.indices]
        draws = [
            (at, count - 1 - place % count, 0)
            for place, (at, count) in enumerate(zip(self.indices, held, strict=True))
        ]
        yield from batches(draws, batch, self._example)

    def _held(self, index: int) -> int:
        """Return how many images of a slice have a map."""
        doses = len(self.corpus.settings.image_doses)
        return doses + len(self.corpus.degraded(index).doses)

    def _example(self, draw: _Draw) -> Example:
        index, place, turn = draw
        lost = self.corpus.degraded(index).loss_map(place)
        hu = turned(self.corpus.image(index, place), turn)
        return Example(hu, self.corpus.pixel_mm(index), turned(lost, turn))
