"""Write what pylinac makes of some patches of coloured noise, to be compared with ours.

pylinac 3.49 wants pydicom 2 and cannot be installed beside this package, so it runs in an
environment of its own: ``pip install pylinac==3.49.0``, then ``python
tests/golden/pylinac_spectrum.py`` writes pylinac_spectrum.json anew.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PIXEL_MM", "patches"]

PIXEL_MM = 0.7


def patches() -> npt.NDArray[np.float64]:
    """Return 200 patches of 24 x 24, cut from noise whose spectrum rises and falls."""
    rng = np.random.default_rng(20261125)
    line = np.fft.fftfreq(48)
    radius = np.hypot(line[:, None], line[None, :])
    shape = np.sqrt(radius) * np.exp(-((radius / 0.25) ** 2))
    white = rng.standard_normal((200, 48, 48))
    noise = np.fft.ifft2(np.fft.fft2(white) * shape).real[:, 12:36, 12:36]
    return np.asarray(40 + noise * (15 / noise.std()))


def _golden() -> dict[str, Any]:
    from pylinac.core.nps import noise_power_spectrum_1d, noise_power_spectrum_2d

    power = noise_power_spectrum_2d(PIXEL_MM, list(patches()))
    return {
        "source": "pylinac 3.49.0, pylinac.core.nps",
        "command": "python tests/golden/pylinac_spectrum.py",
        "power_2d": np.round(power, 4).tolist(),
        "power_1d": np.round(noise_power_spectrum_1d(power), 4).tolist(),
    }


if __name__ == "__main__":
    Path(__file__).with_suffix(".json").write_text(json.dumps(_golden()) + "\n", encoding="utf-8")
