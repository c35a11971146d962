"""Which images of a corpus are judged, in one order for all columns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ctiqa.corpus.label import LabelRecipe
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError
from ctiqa.measures.correlation import Column
from ctiqa.measures.global_noise import global_noise_hu
from ctiqa.study.evidence import Names, TrainingImages

__all__ = ["UNDEGRADED", "Chosen"]

UNDEGRADED = ""
"""The kind of an image that shows a lower dose and nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The slices of a corpus that are judged, each at some image doses, and their label.

    With a label in parts the degraded images of each slice follow, and the score is judged.

    Args:
        corpus: where the images lie.
        indices: slices of patients nobody trained on.
        label: how the reference is weighed.
        doses: image doses that are judged; None is all.
    """

    corpus: Corpus
    indices: Sequence[int]
    label: LabelRecipe
    doses: Sequence[float] | None = None

    @classmethod
    def of(cls, corpus: Corpus, label: LabelRecipe, *, split: str, only: str = "") -> "Chosen":
        """Choose a split of a corpus, or of it the paths that start with ``only``.

        Raises:
            CorpusError: if there are none.
        """
        facts = [one.facts for one in corpus.slices]
        indices = [index for index in corpus.where(split) if facts[index].path.startswith(only)]
        if not indices:
            raise CorpusError(
                f"{corpus.folder} holds no slice of split {split!r} whose path starts with "
                f"{only!r}; look into its slices.csv"
            )
        return cls(corpus, indices, label)

    @property
    def with_degraded(self) -> bool:
        """Whether degraded images are among them."""
        return len(self.label.parts) > 1

    def fingerprint(self) -> str:
        """Return a SHA-256 over the slices, and over their degraded images if they count."""
        return self.corpus.fingerprint(self.indices, degraded=self.with_degraded)

    @property
    def places(self) -> list[tuple[int, int]]:
        """(slice, place of the image) of every image: the order of all columns."""
        held = self.corpus.settings.image_doses
        doses = [held.index(dose) for dose in self.doses or held]
        return [
            (index, place) for index in self.indices for place in (*doses, *self._degraded(index))
        ]

    @property
    def patients(self) -> Names:
        """(n,) pseudonym of each image's patient."""
        return np.array([self.corpus.slices[index].facts.patient for index, _ in self.places])

    @property
    def slice_ids(self) -> Names:
        """(n,) names the slice whose doses are compared; each degraded image is one by itself."""
        first = len(self.corpus.settings.image_doses)
        return np.array(
            [
                self.corpus.slices[index].facts.part + (f"-{place}" if place >= first else "")
                for index, place in self.places
            ]
        )

    @property
    def kinds(self) -> Names:
        """(n,) by what each image is degraded; :data:`UNDEGRADED` for a dose alone."""
        first = len(self.corpus.settings.image_doses)
        return np.array(
            [
                self.corpus.degraded(index).records[place - first]["kind"]
                if place >= first
                else UNDEGRADED
                for index, place in self.places
            ]
        )

    def known(self) -> TrainingImages:
        """Return label, dose and noise of every image."""
        return TrainingImages(
            reference=self._column(self._reference),
            dose=self._column(self._dose),
            noise_hu=self._column(self._noise_hu),
        )

    def _column(self, value: Callable[[int, int], float]) -> Column:
        return np.array([value(*place) for place in self.places], np.float64)

    def _degraded(self, index: int) -> Iterator[int]:
        if self.with_degraded:
            first = len(self.corpus.settings.image_doses)
            yield from range(first, first + len(self.corpus.degraded(index).doses))

    def _reference(self, index: int, place: int) -> float:
        label = self.corpus.image_labels(index, self.label)[place]
        return float(label[0] if self.with_degraded else label)

    def _dose(self, index: int, place: int) -> float:
        doses = self.corpus.settings.image_doses
        if place < len(doses):
            return doses[place]
        return float(self.corpus.degraded(index).doses[place - len(doses)])

    def _noise_hu(self, index: int, place: int) -> float:
        if place < len(self.corpus.settings.image_doses):
            return float(self.corpus.slices[index].noise_hu[place])
        return global_noise_hu(self.corpus.image(index, place))
