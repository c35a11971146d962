"""Write a trained network as one ONNX file with its card inside."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ctiqa.card import Card
from ctiqa.errors import ModelError
from ctiqa.files import write_whole

__all__ = ["CARD_KEY", "export", "export_with_card"]

CARD_KEY = "ctiqa_card"
"""Where the card stands in the metadata of the file."""

_INPUTS = ("hu", "pixel_mm")
_OUTPUTS = ("scores", "loss_map")
_TOLERANCE = 1e-4

_HALVED_TOLERANCE = 1e-3
"""What weights of half precision may change in a score."""

_FEWEST_HALVED = 1024


def export(network: nn.Module, card: Card, path: Path) -> None:
    """Write ``network`` and ``card`` as one file that needs no PyTorch.

    The file takes "hu", (N, size, size) float32 in HU with any N, and of a network that sees it
    "pixel_mm", (N,), the side of a pixel, too. It returns "scores", (N, K), and of a network with
    a quality map "loss_map", (N, cells, cells), too. Before it is written, ONNX
    Runtime must agree with PyTorch on one slice and on three. Large weights are stored in half
    precision, which halves the file, unless that would change an output by more than 1e-3, as it
    can in a network of fifty layers; what is computed is single.

    Args:
        network: (N, size, size) HU and (N,) pixel sides to (N, K) scores, or to scores and map; put
            in evaluation mode, and on the CPU.
        card: what the file says of itself.
        path: the ``.onnx`` file.

    Raises:
        ModelError: if the two engines disagree by more than 1e-4, or network and card do.
        WriteError: if the file cannot be written whole.
    """
    network = network.eval().to("cpu", torch.float32)
    slices = torch.randn(3, card.size, card.size, generator=torch.Generator().manual_seed(0)) * 300
    sides = torch.tensor([0.5, 0.7, 0.9])
    with torch.inference_mode():
        returned = network(slices, sides)
    outputs = returned if isinstance(returned, tuple) else (returned,)
    ours = dict(zip(_OUTPUTS, (output.numpy() for output in outputs), strict=False))
    if ours["scores"].shape != (len(slices), card.outputs):
        raise ModelError(
            f"the network returns {ours['scores'].shape[-1]} scores a slice, but its card says "
            f"{card.outputs}; make the card anew"
        )
    model = _traced(network, (slices, sides), list(ours))
    taken = dict(zip(_INPUTS, (slices.numpy(), sides.numpy()), strict=True))
    for count, difference in _differences(ours, model, taken):
        if not difference <= _TOLERANCE:
            raise ModelError(
                f"ONNX Runtime differs from PyTorch by {difference:.2g} on {count} slices, over "
                f"{_TOLERANCE:g}: the network holds an operation that does not carry over"
            )
    halved = _halved(model)
    changes = _differences(ours, halved, taken)
    if all(difference <= _HALVED_TOLERANCE for _, difference in changes):
        model = halved
    _write(model, card, path)


def export_with_card(model: Path, card: Card, path: Path) -> None:
    """Write an exported network once more, with another card.

    Args:
        model: an ``.onnx`` file of this package.
        card: takes the place of its card.
        path: the ``.onnx`` file to write; it may be the same.

    Raises:
        WriteError: if the file cannot be written whole.
    """
    _write(onnx.load_model(model), card, path)


def _write(model: onnx.ModelProto, card: Card, path: Path) -> None:
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    write_whole(path, model.SerializeToString())


def _traced(
    network: nn.Module, inputs: tuple[torch.Tensor, torch.Tensor], outputs: list[str]
) -> onnx.ModelProto:
    some = torch.export.Dim("n", min=1)
    with warnings.catch_warnings():
        # The exporter warns of its own deprecations, which no user of ours can mend.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            inputs,
            input_names=[*_INPUTS],
            output_names=outputs,
            dynamic_shapes=({0: some}, {0: some}),
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
    used = {name for node in graph.node for name in node.input}
    for each in [each for each in graph.input if each.name not in used]:
        graph.input.remove(each)
    return model


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return it with large weights in half precision, which the engine widens when it loads."""
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    graph, casts = halved.graph, []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        fits = values.dtype == np.float32 and np.abs(values).max() < np.finfo(np.float16).max
        if fits and values.size >= _FEWEST_HALVED:
            name, stored = weight.name, f"{weight.name}_half"
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
            casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    graph.ClearField("node")
    graph.node.extend(nodes)
    return halved


def _differences(
    ours: dict[str, npt.NDArray[np.float32]],
    model: onnx.ModelProto,
    taken: dict[str, npt.NDArray[np.float32]],
) -> Iterator[tuple[int, float]]:
    """Yield how far the engine's outputs lie from ours, for one slice and for all."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    for count in (1, len(taken["hu"])):
        theirs = session.run(list(ours), {name: taken[name][:count] for name in names})
        pairs = zip(ours.values(), theirs, strict=True)
        yield count, max(float(np.abs(mine[:count] - other).max()) for mine, other in pairs)
