"""Start the transformer of a CNN-ViT from weights that somebody trained on ImageNet."""

import pickle
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ctiqa.errors import ModelError
from ctiqa.model.cnn_vit import CnnVit

__all__ = ["load_imagenet_vit"]

_OUTSIDE = {
    "conv_proj": "embed",
    "class_token": "class_token",
    "encoder.pos_embedding": "position",
    "encoder.ln": "norm",
}
_INSIDE = {
    "ln_1": "norm_attention",
    "self_attention.in_proj_": "attention.qkv.",
    "self_attention.out_proj": "attention.out",
    "ln_2": "norm_mlp",
    # torchvision 0.12 named the perceptron otherwise, and the file that it offers still does.
    "mlp.linear_1": "mlp.0",
    "mlp.linear_2": "mlp.2",
    "mlp.0": "mlp.0",
    "mlp.3": "mlp.2",
}
_HEAD = "heads."

# Bytes that are no weights are followed as instructions until one of them cannot be.
_DAMAGE = (
    *(SafetensorError, pickle.UnpicklingError, struct.error, EOFError, RuntimeError),
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
)


def load_imagenet_vit(network: CnnVit, path: Path) -> None:
    """Fill the transformer of ``network`` from a file of torchvision's ``VisionTransformer``.

    Only the convolutions, the head and what the network is told beside the slice keep what they
    hold: the file has no counterpart, or names the classes of ImageNet (METHOD 1.3, rows 18, 19).

    Args:
        network: with the patch, width, depth, perceptron and crop that the file was trained with;
            those of ViT-B/16 on 224 x 224 pixels are the paper's. Heads leave no trace in a file.
        path: state dict as ``.safetensors``, or as ``.pth``, of which only tensors are read.

    Raises:
        ModelError: if the file cannot be read or does not fit the network, tensor by tensor.
    """
    read = dict(_renamed(_tensors(path), path))
    wanted = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if not name.startswith(("stem.", "head.", "grain.", "scale."))
    }
    if missing := sorted(wanted.keys() - read.keys()):
        raise ModelError(f"{path} holds nothing for {missing[0]}; take its depth into [network]")
    if extra := sorted(read.keys() - wanted.keys()):
        raise ModelError(f"{path} holds {extra[0]} as well; take its depth into [network]")
    for name, tensor in wanted.items():
        if read[name].shape != tensor.shape:
            raise ModelError(
                f"{path}: what becomes {name} is {tuple(read[name].shape)}, but the recipe needs "
                f"{tuple(tensor.shape)}; take the sizes of the file into [network]"
            )
    network.load_state_dict(read, strict=False)


def _tensors(path: Path) -> dict[str, Tensor]:
    """Return what a file of weights holds; nothing in it is run."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load(path.read_bytes())
        with path.open("rb") as file:
            held = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ModelError(f"{path}: {reason}; name a file of ViT weights in [vit]") from error
    except _DAMAGE as error:
        raise ModelError(
            f"{path} is damaged or holds more than tensors; save the state dict of torchvision's "
            "vit_b_16 as .pth or .safetensors"
        ) from error
    if not isinstance(held, dict) or not all(isinstance(each, Tensor) for each in held.values()):
        raise ModelError(f"{path} holds no state dict; save that of torchvision's vit_b_16")
    return held


def _renamed(tensors: dict[str, Tensor], path: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors under the names that they have here, without the head."""
    for name, tensor in tensors.items():
        if name.startswith(_HEAD):
            continue
        layer = re.fullmatch(r"encoder\.layers\.encoder_layer_(\d+)\.(.+)", name)
        inside, known = (layer[2], _INSIDE) if layer else (name, _OUTSIDE)
        theirs = next((each for each in known if inside.startswith(each)), None)
        if theirs is None:
            raise ModelError(f"{path} holds {name}, which no ViT of torchvision has")
        ours = known[theirs] + inside.removeprefix(theirs)
        yield (f"blocks.{layer[1]}.{ours}" if layer else ours), tensor
