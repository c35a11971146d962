"""Write a trained network as one ONNX file with its card inside."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from torch import nn

from ctiqa.card import Card
from ctiqa.errors import ModelError
from ctiqa.files import write_whole

__all__ = ["CARD_KEY", "export"]

CARD_KEY = "ctiqa_card"
"""Where the card stands in the metadata of the file."""

_TOLERANCE = 1e-4


def export(network: nn.Module, card: Card, path: Path) -> None:
    """Write ``network`` and ``card`` as one file that needs no PyTorch.

    The file takes "hu", (N, size, size) float32 in HU with any N, and returns "scores", (N, K).
    Before it is written, ONNX Runtime must agree with PyTorch on one slice and on three.

    Args:
        network: (N, size, size) HU to (N, K) scores; put in evaluation mode, and on the CPU.
        card: what the file says of itself.
        path: the ``.onnx`` file.

    Raises:
        ModelError: if the two engines disagree by more than 1e-4, or network and card do.
        WriteError: if the file cannot be written whole.
    """
    network = network.eval().to("cpu", torch.float32)
    slices = torch.randn(3, card.size, card.size, generator=torch.Generator().manual_seed(0)) * 300
    with torch.inference_mode():
        ours = network(slices).numpy()
    if ours.shape != (len(slices), card.outputs):
        raise ModelError(
            f"the network returns {ours.shape[-1]} scores a slice, but its card says "
            f"{card.outputs}; make the card anew"
        )
    model = _traced(network, slices)
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, card.to_json()
    data = model.SerializeToString()
    _compare(ours, data, slices.numpy())
    write_whole(path, data)


def _traced(network: nn.Module, slices: torch.Tensor) -> onnx.ModelProto:
    with warnings.catch_warnings():
        # The exporter warns of its own deprecations, which no user of ours can mend.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (slices,),
            input_names=["hu"],
            output_names=["scores"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ModelError("PyTorch exported nothing: install the torch that constraints.txt names")
    model: onnx.ModelProto = program.model_proto
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        # The exporter notes where on this machine each line of code lies.
        part.ClearField("metadata_props")
    return model


def _compare(ours: npt.NDArray[np.float32], data: bytes, slices: npt.NDArray[np.float32]) -> None:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        (theirs,) = session.run(["scores"], {"hu": slices[:count]})
        difference = float(np.abs(ours[:count] - theirs).max())
        if not difference <= _TOLERANCE:
            raise ModelError(
                f"ONNX Runtime differs from PyTorch by {difference:.2g} on {count} slices, "
                f"over {_TOLERANCE:g}: the network holds an operation that does not carry over"
            )
