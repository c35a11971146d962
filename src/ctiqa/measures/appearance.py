"""What an image itself tells of how it was made and what it shows, in a few milliseconds."""

from dataclasses import dataclass
from typing import Self

from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.measures.body import body_mask, cut_off_px
from ctiqa.measures.patient_size import water_equivalent_mm
from ctiqa.measures.region import Region, body_region
from ctiqa.measures.texture import noise_frequency_per_mm, skin_sigma_mm

__all__ = ["Appearance"]

_METAL_HU = 2500.0
"""Dense cortical bone and enamel stay below; titanium and steel read 3000 and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What a slice looks like, whatever its header says; NaN where a figure cannot be measured.

    Args:
        body: (rows, columns), of ``body.body_mask``.
        region: which part of the body is seen; None where the image does not decide.
        water_equivalent_mm: diameter of the disc of water that attenuates as the slice does (AAPM
            Report 220); too small where the body is cut off.
        cut_off_mm: length of the body's outline on the edge of the field of view.
        metal_mm2: area of the body above 2500 HU.
        noise_per_mm: frequency of the noise, of ``texture.noise_frequency_per_mm``.
        skin_mm: blur of the skin, of ``texture.skin_sigma_mm``.
    """

    body: Mask
    region: Region | None
    water_equivalent_mm: float
    cut_off_mm: float
    metal_mm2: float
    noise_per_mm: float
    skin_mm: float

    @classmethod
    def of(
        cls, hu: FloatImage, tissue: Mask, *, pixel_mm: float, padding: Mask | None = None
    ) -> Self:
        """Return what a slice looks like.

        Args:
            hu: (rows, columns) in HU.
            tissue: (rows, columns), of ``global_noise.soft_tissue``.
            pixel_mm: side of the pixel in mm.
            padding: True where the scanner reconstructed nothing; None where it filled the matrix.
        """
        body = body_mask(hu)
        cut_off_mm = cut_off_px(body, padding) * pixel_mm
        inside = hu[body]
        return cls(
            body=body,
            region=body_region(hu, body, pixel_mm=pixel_mm, cut_off_mm=cut_off_mm),
            water_equivalent_mm=water_equivalent_mm(inside, pixel_mm=pixel_mm),
            cut_off_mm=cut_off_mm,
            metal_mm2=float((inside > _METAL_HU).sum()) * pixel_mm**2,
            noise_per_mm=noise_frequency_per_mm(hu, tissue, pixel_mm=pixel_mm),
            skin_mm=skin_sigma_mm(hu, body, pixel_mm=pixel_mm, padding=padding),
        )

    @property
    def grain(self) -> float:
        """Frequency of the noise times the blur of the skin; what no linear filter changes much.

        Noise of filtered back-projection whose kernel blurs as a Gaussian of sigma has the spectrum
        f exp(-4 pi^2 sigma^2 f^2), hence a root of <f^2> of sqrt(3/2) / (2 pi sigma): the product
        is 0.195 whatever the kernel. Iterative reconstruction and denoising smooth the noise and
        spare the edges, so it falls.
        """
        return self.noise_per_mm * self.skin_mm
