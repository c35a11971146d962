"""Hold images in the memory of a graphics card, so that training waits for no disk and no host."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ctiqa.corpus.examples import Batch, Draw, FixedExamples

__all__ = ["HeldExamples", "hold"]


@dataclass(frozen=True, eq=False)
class HeldExamples:
    """Fixed examples in the memory of a device, where they are turned, too.

    Args:
        source: what is held; its order and its turns stay, to the last bit.
        hu: (images, rows, columns) int16 on the device.
        pixel_mm: (images,) float32 there.
        q: (images,) or (images, parts) float32 labels there.
    """

    source: FixedExamples
    hu: Tensor
    pixel_mm: Tensor
    q: Tensor

    def __len__(self) -> int:
        return len(self.source)

    def epoch(
        self, index: int, *, seed: int, batch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield one pass in the random order of the source, as it does."""
        draws = self.source.drawn(index, seed=seed)[rank::world]
        for start in range(0, len(draws), batch):
            yield self._batch(draws[start : start + batch])

    def in_order(self, *, batch: int) -> Iterator[Batch]:
        """Yield every example once, in order, upright."""
        for start in range(0, len(self.q), batch):
            some = slice(start, start + batch)
            yield Batch(self.hu[some].float(), self.pixel_mm[some], self.q[some])

    def _batch(self, draws: Sequence[Draw]) -> Batch:
        places = torch.tensor([draw.place for draw in draws])
        at = places.to(self.hu.device, non_blocking=True)
        turns = [draw.turn for draw in draws]
        hu = torch.stack([_turned(*each) for each in zip(self.hu[at], turns, strict=True)])
        return Batch(hu.float(), self.pixel_mm[at], self.q[at])


def hold(examples: FixedExamples, device: torch.device) -> HeldExamples:
    """Copy examples to a device: half a megabyte for each image of 512 x 512.

    Args:
        examples: from a corpus, which stores its images as int16.
        device: that trains.
    """
    images = [examples.stored(pair) for pair in examples.pairs]
    sides = [examples.corpus.pixel_mm(index) for index, _ in examples.pairs]
    labels = [examples.label_of(pair) for pair in examples.pairs]
    columns = (np.stack(images), np.array(sides, np.float32), np.stack(labels))
    return HeldExamples(examples, *(torch.from_numpy(each).to(device) for each in columns))


def _turned(hu: Tensor, turn: int) -> Tensor:
    """Return one of the eight orientations of a square image; none interpolates."""
    image = torch.rot90(hu, turn % 4)
    return torch.fliplr(image) if turn >= 4 else image
