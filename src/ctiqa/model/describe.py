"""Say what each step of a network yields, holds and costs, read off the network as it runs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ctiqa.model.cnn_vit import Attention, Block, CnnVit
from ctiqa.model.comparators import Comparator, Network, make_network
from ctiqa.model.diagram import Figure
from ctiqa.model.shape import NetworkShape

__all__ = ["Step", "describe", "network_figure", "operations"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a network.

    Args:
        name: in words.
        shape: what it yields for one slice.
        parameters: numbers that are learnt, over all ``times``.
        macs: multiply-accumulate operations for one slice, over all ``times``.
        times: how often the step, with those beside it that have as many, follows upon itself.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int = 0
    macs: int = 0
    times: int = 1


def describe(shape: NetworkShape, comparator: str = "") -> tuple[Step, ...]:
    """Return the steps of a network in order, from running one slice through without its numbers.

    Parameters and operations add up to those of the network. Batch norm, layer norm, activations
    and sums are not counted as operations, as is usual.

    Args:
        shape: its sizes.
        comparator: name of the network in torchvision, whose layers are shown as torchvision names
            them; "" is the CNN-ViT.
    """
    with torch.device("meta"):
        network = make_network(comparator, shape).eval()
        run = _Run(network, torch.empty(1, shape.size, shape.size), torch.ones(1))
    if isinstance(network, Comparator):
        return (*_entry(run, network), *_layers(run, network.network))
    return (*_entry(run, network), *_steps(run, network))


def operations(network: nn.Module, *inputs: Tensor) -> dict[str, int]:
    """Return the multiply-accumulate operations of each module by its name; "" is the network.

    Args:
        network: any network.
        inputs: what it is run on; on PyTorch's device "meta", nothing is computed.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    found = {
        name.partition(".")[2]: sum(counts.values()) // 2
        for name, counts in counter.get_flop_counts().items()
        if name != "Global"
    }
    return {**found, "": counter.get_total_flops() // 2}


class _Run:
    """A network that one slice has gone through, and what was seen on the way."""

    def __init__(self, network: nn.Module, *inputs: Tensor) -> None:
        self.taken: dict[nn.Module, tuple[int, ...]] = {}
        self.given: dict[nn.Module, tuple[int, ...]] = {}
        for module in network.modules():
            module.register_forward_hook(self._see)
        counted: Mapping[str, int] = defaultdict(int, operations(network, *inputs))
        self.macs = {module: counted[name] for name, module in network.named_modules()}

    def _see(self, module: nn.Module, taken: tuple[Any, ...], given: Any) -> None:
        # Inside a dense block, layers take lists, and the grain is more than one tensor.
        if isinstance(taken[0], Tensor):
            self.taken[module] = tuple(taken[0].shape[1:])
        if isinstance(given, Tensor):
            self.given[module] = tuple(given.shape[1:])

    def step(self, *modules: nn.Module, times: int = 1, name: str = "") -> Step:
        """Return modules that follow one another as one step."""
        return Step(
            name or ", ".join(map(_words, modules)),
            self.given[modules[-1]],
            times * sum(map(_held, modules)),
            times * sum(self.macs[module] for module in modules),
            times,
        )


def _entry(run: _Run, network: Network) -> Iterator[Step]:
    """Yield what every network does first: it windows a slice and folds its pixels."""
    shape = network.shape
    windows = ", ".join(f"W{width:g} L{level:g}" for width, level in shape.windows)
    yield Step("slice in HU", run.taken[network])
    yield run.step(network.window, name=f"{windows} HU to [-1, 1]")
    if shape.unshuffle > 1:
        inner = network.network if isinstance(network, Comparator) else network.stem
        yield Step(f"pixels unshuffled by {shape.unshuffle}", run.taken[inner])


def _steps(run: _Run, network: CnnVit) -> Iterator[Step]:
    """Yield the steps of a CNN-ViT behind its entry."""
    shape = network.shape
    for layers in _convolutions(network.stem):
        yield run.step(*layers)
    first, end = shape.crop
    yield Step(f"crop {first}:{end}", run.taken[network.embed])
    yield run.step(network.embed, name=f"patches of {shape.patch} x {shape.patch}, linear")
    if network.grain is not None:
        yield run.step(network.grain, name="grain of each patch, linear, added to it")
    token = network.class_token.numel() + network.position.numel()
    yield Step("class token in front, sum with positions", run.taken[network.blocks], token)
    if network.scale is not None:
        yield run.step(network.scale, name="side of the pixel, linear, added to each token")
    block = network.blocks[0]
    if isinstance(block, Block):
        for part in block.children():
            words = f"{_words(part)}{', sum' if part in (block.attention, block.mlp) else ''}"
            yield run.step(part, times=shape.depth, name=words)
    yield run.step(network.norm, name="layer norm of the class token")
    yield run.step(network.head)


def _convolutions(stem: nn.Sequential) -> Iterator[list[nn.Module]]:
    """Yield each convolution of the stem with what follows it."""
    group: list[nn.Module] = []
    for module in stem:
        if isinstance(module, nn.Conv2d) and group:
            yield group
            group = []
        group.append(module)
    yield group


def _layers(run: _Run, network: nn.Module) -> Iterator[Step]:
    """Yield the layers of a network of torchvision, each with the plain ones that follow it."""
    group: list[tuple[str, nn.Module]] = []
    for name, layer in _top(network):
        if group and not isinstance(layer, tuple(_PLAIN)):
            yield _layer(run, group)
            group = []
        group.append((name, layer))
    yield _layer(run, group)


def _layer(run: _Run, group: Sequence[tuple[str, nn.Module]]) -> Step:
    words = ", ".join(_named(name, layer) for name, layer in group)
    return run.step(*(layer for _, layer in group), name=words)


def _top(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers at the top; a sequence of different ones is opened."""
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential) and len(set(map(type, child))) > 1:
            yield from child.named_children()
        else:
            yield name, child


def _named(name: str, layer: nn.Module) -> str:
    """Return a layer in words, or if there are none for it, its name and what it is made of."""
    if isinstance(layer, (nn.Conv2d, nn.Linear, *_PLAIN)):
        return _words(layer)
    kinds = [type(part).__name__.lstrip("_") for part in layer.children()]
    return f"{name}: {len(kinds)} x {kinds[0]}" if len(set(kinds)) == 1 else name


def _held(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


_PLAIN: Mapping[type[nn.Module], str] = {
    nn.BatchNorm2d: "batch norm",
    nn.LayerNorm: "layer norm",
    nn.ReLU: "ReLU",
    nn.MaxPool2d: "max pool",
    nn.AdaptiveAvgPool2d: "mean pool",
    nn.Dropout: "dropout",
}


def _words(module: nn.Module) -> str:
    match module:
        case nn.Conv2d():
            side, stride = module.kernel_size[0], module.stride[0]
            return f"conv {side} x {side}" + (f" stride {stride}" if stride > 1 else "")
        case nn.Linear():
            return f"linear to {module.out_features}"
        case Attention():
            return f"attention of {module.heads} heads"
        case nn.Sequential():
            return ", ".join(map(_words, module))
        case _:
            return _PLAIN.get(type(module), type(module).__name__)


def network_figure(shape: NetworkShape, comparator: str = "") -> Figure:
    """Return the paper's Figure 2, the structure of the network, with what each step costs."""
    steps = describe(shape, comparator)
    parameters = sum(step.parameters for step in steps)
    macs = sum(step.macs for step in steps)
    rows = (((line,),) for line in _aligned([_cells(step) for step in steps]))
    notes = (
        "Right: what a step yields, its parameters, its multiply-accumulates.",
        f"Together: {_count(parameters)} parameters, {_count(macs)} multiply-accumulates a slice.",
    )
    title = f"{comparator}, in place of the CNN-ViT" if comparator else "The CNN-ViT"
    return Figure(f"Figure 2. {title}", tuple(rows), notes)


def _cells(step: Step) -> tuple[str, ...]:
    often = f"x {step.times}" if step.times > 1 else ""
    counts = (_count(number) if number else "" for number in (step.parameters, step.macs))
    return (step.name, often, " x ".join(map(str, step.shape)), *counts)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _count(number: int) -> str:
    """Return a count with three digits and the letter of its thousands."""
    if number < 1000:
        return str(number)
    digits, power = f"{number:.2e}".split("e")
    thousands = int(power) // 3
    return f"{float(digits) * 10 ** (int(power) % 3):.3g} {' kMGT'[thousands]}"
