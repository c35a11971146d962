"""Open a model file, check it against its card, and run it."""

import contextlib
import hashlib
import re
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as engine

from ctiqa.card import Card
from ctiqa.errors import ModelError
from ctiqa.images.ct_slice import FloatImage
from ctiqa.scoring.cut_network import cut_network

__all__ = ["PixelSides", "Scorer"]

PixelSides: TypeAlias = float | Sequence[float] | npt.NDArray[np.floating]
"""Side of a pixel in mm, one number for a batch or one for each of its slices."""

_CARD_KEY = "ctiqa_card"
_SCORES, _MAP = "scores", "loss_map"
_SHIPPED = ("shipped", "ctiqa.onnx")

# The engine's errors have no parent of their own; these are what files and memory can cause.
_ENGINE_ERRORS = (
    engine.Fail,
    engine.InvalidArgument,
    engine.InvalidGraph,
    engine.InvalidProtobuf,
    engine.NoModel,
    engine.NotImplemented,
    engine.RuntimeException,
)


class Scorer:
    """A model that is open and ready; it may be used from several threads at once.

    Args:
        model: an ``.onnx`` file with a card; None for the one that is shipped.
        device: "cpu", "cuda" or "gpu", or "cuda:1" for the second card.
        threads: cores that one batch may use; None for all.

    Attributes:
        card: what the model says of itself.
        sha256: of the file, 64 hex digits.
        device: as it was asked for.
        has_map: whether it tells where in a slice quality is lost.

    Raises:
        ModelError: if the file is missing, damaged or no model of this package, or if the device
            is not there.
    """

    card: Card
    sha256: str
    device: str
    has_map: bool

    def __init__(
        self, model: Path | str | None = None, *, device: str = "cpu", threads: int | None = None
    ) -> None:
        data, name = _read(model)
        self.device = device
        self.sha256 = hashlib.sha256(data).hexdigest()
        providers = _providers(device)
        self._session = self._maps = _open(data, name, providers, threads or 0)
        self.card = _card(self._session, name)
        self.has_map = len(self._session.get_outputs()) > 1
        if self.has_map:
            # The engine would work out the map with every score.
            scores_only = cut_network(data, _SCORES)
            self._session = _open(scores_only, name, providers, threads or 0)

    def score_batch(self, hu: FloatImage, pixel_mm: PixelSides) -> npt.NDArray[np.float32]:
        """Return what each member scores each slice, neither averaged nor clipped.

        Args:
            hu: (N, size, size) float32 in HU, with the size that the card names.
            pixel_mm: side of a pixel, of all or of each.

        Returns:
            (N, members); the mean over the members, clipped to [0, 1], is the score.

        Raises:
            ValueError: if ``hu`` has another shape or type, or a side is not above 0.
            ModelError: if the model cannot be run to its end, or returns no numbers.
        """
        return self.parts_batch(hu, pixel_mm)[:, :, 0]

    def parts_batch(self, hu: FloatImage, pixel_mm: PixelSides) -> npt.NDArray[np.float32]:
        """Return all that the network says of each slice, neither averaged nor clipped.

        Args:
            hu: (N, size, size) float32 in HU, with the size that the card names.
            pixel_mm: side of a pixel, of all or of each.

        Returns:
            (N, members, parts), the parts in the order of the card, the score first.

        Raises:
            ValueError: if ``hu`` has another shape or type, or a side is not above 0.
            ModelError: if the model cannot be run to its end, or returns no numbers.
        """
        scores = self._run(self._session, _SCORES, hu, pixel_mm)
        if scores.shape != (len(hu), self.card.outputs) or not np.isfinite(scores).all():
            raise ModelError(
                f"the model {self.card.name} returned no scores; its weights are damaged: "
                "export it again"
            )
        return scores.reshape(len(hu), -1, len(self.card.parts))

    def loss_map(self, hu: FloatImage, pixel_mm: float) -> FloatImage:
        """Return what is lost of quality in each square cell of a slice: 0 nothing, 1 all.

        Args:
            hu: (size, size) float32 in HU, with the size that the card names.
            pixel_mm: side of its pixel.

        Returns:
            (cells, cells) float32 in [0, 1], the cells in rows from the first pixel of the slice;
            those outside the body carry no meaning.

        Raises:
            ValueError: if ``hu`` has another shape or type, or a side is not above 0.
            ModelError: if the model has no map, cannot be run to its end, or returns no numbers.
        """
        self.check_map()
        loss = self._run(self._maps, _MAP, hu[np.newaxis], pixel_mm)[0]
        if not np.isfinite(loss).all():
            raise ModelError(
                f"the model {self.card.name} returned no map; its weights are damaged: "
                "export it again"
            )
        return np.asarray(np.clip(loss, 0, 1))

    def check_map(self) -> None:
        """Say before the work that the model cannot tell where quality is lost.

        Raises:
            ModelError: if it returns scores alone.
        """
        if not self.has_map:
            raise ModelError(
                f"the model {self.card.name} gives scores and no quality map; train one by "
                "'ctiqa quality-map'"
            )

    def _run(
        self, session: ort.InferenceSession, output: str, hu: FloatImage, pixel_mm: PixelSides
    ) -> npt.NDArray[np.float32]:
        """Return one output of the network for a batch, once the batch is what it takes."""
        size = self.card.size
        if hu.ndim != 3 or hu.shape[1:] != (size, size) or hu.dtype != np.float32:
            raise ValueError(
                f"a batch is (N, {size}, {size}) float32 in HU, not {hu.shape} {hu.dtype}"
            )
        sides = np.broadcast_to(np.asarray(pixel_mm, np.float32), len(hu))
        if not (sides > 0).all():
            raise ValueError(f"the side of a pixel is above 0 mm, not {sides.min()}")
        taken = {"hu": hu, "pixel_mm": sides}
        try:
            (raw,) = session.run(
                [output], {each.name: taken[each.name] for each in session.get_inputs()}
            )
        except _ENGINE_ERRORS as error:
            raise ModelError(
                f"the model {self.card.name} failed ({_first_line(error)}); try a smaller batch "
                "or another device"
            ) from error
        return np.asarray(raw, np.float32)


def _read(model: Path | str | None) -> tuple[bytes, str]:
    """Return the bytes of a model file and how to call it in a sentence."""
    if model is None:
        shipped = resources.files("ctiqa").joinpath(*_SHIPPED)
        if not shipped.is_file():
            raise ModelError("this installation holds no model; name one with --model FILE")
        return shipped.read_bytes(), "the shipped model"
    try:
        return Path(model).read_bytes(), str(model)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ModelError(f"{model}: {reason}; name the .onnx file of a ctiqa model") from error


def _providers(device: str) -> list[Any]:
    """Return what the engine calls the device."""
    wanted = re.fullmatch(r"(cpu)|(?:cuda|gpu)(?::(\d+))?", device)
    if wanted is None:
        raise ModelError(f'no device is called "{device}"; write cpu, cuda or cuda:1')
    if wanted[1]:
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise ModelError(
            f'the device "{device}" needs the package onnxruntime-gpu in place of onnxruntime; '
            "install it or use --device cpu"
        )
    if hasattr(ort, "preload_dlls"):
        # It speaks on stdout, where the table of results belongs.
        with contextlib.redirect_stdout(sys.stderr):
            ort.preload_dlls()
    # TF32 would move scores by more than 1e-4 from those of the CPU.
    return [("CUDAExecutionProvider", {"device_id": int(wanted[2] or 0), "use_tf32": 0})]


def _open(data: bytes, name: str, providers: list[Any], threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Idle threads that spin take the cores on which other threads decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    except _ENGINE_ERRORS as error:
        raise ModelError(
            f"{name} cannot be opened as a model ({_first_line(error)}); it is damaged or no ONNX "
            "file: copy or export it again"
        ) from error
    chosen = providers[0] if isinstance(providers[0], str) else providers[0][0]
    if chosen not in session.get_providers():
        raise ModelError("the graphics card cannot be used; see that its driver runs, or use cpu")
    return session


def _card(session: ort.InferenceSession, name: str) -> Card:
    """Return the card of a model, once it agrees with the network."""
    text = session.get_modelmeta().custom_metadata_map.get(_CARD_KEY)
    if text is None:
        raise ModelError(f"{name} carries no card, so it is no model of ctiqa; name another file")
    card = Card.from_json(text)
    hu, *told = [(each.name, each.type, each.shape[1:]) for each in session.get_inputs()]
    scores, *others = [(each.name, each.shape[1:]) for each in session.get_outputs()]
    fits = card.parts[:1] == ("score",) and card.outputs % len(card.parts) == 0
    if (hu, scores, fits and _may_be_map(others, card.size)) != (
        ("hu", "tensor(float)", [card.size] * 2),
        (_SCORES, [card.outputs]),
        True,
    ) or told not in ([], [("pixel_mm", "tensor(float)", [])]):
        raise ModelError(
            f"{name} and its card disagree about what it takes or returns; export it again"
        )
    return card


def _may_be_map(outputs: list[tuple[str, list[Any]]], size: int) -> bool:
    """Return whether what follows the scores is nothing, or one map on square cells of a slice."""
    match outputs:
        case []:
            return True
        case [(name, [int(rows), columns])]:
            return name == _MAP and rows == columns and rows > 0 and size % rows == 0
        case _:
            return False


def _first_line(error: Exception) -> str:
    """Return the engine's own words without its codes: "[ONNXRuntimeError] : 7 : NAME : words"."""
    return str(error).strip().splitlines()[0].rsplit(" : ", maxsplit=1)[-1].rstrip(". ")
