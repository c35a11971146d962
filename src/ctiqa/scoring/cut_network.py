"""Cut a network down to what one of its outputs needs.

The engine (onnxruntime 1.32) works out every node of a network, whichever outputs it is asked for;
``RunOptions.only_execute_path_to_fetches`` does not change that, nor does it drop a node whose
results nobody uses. So the nodes are taken out of the file. It is read as Protocol Buffers, of
which little is needed here: the package onnx is not part of what scores.
"""

from collections.abc import Iterator
from typing import Final

__all__ = ["cut_network"]

# Numbers of fields, from onnx.proto (ONNX 1.17): ModelProto.graph; GraphProto.node and .output;
# NodeProto.input, .output and .attribute; AttributeProto.g and .graphs; ValueInfoProto.name.
_GRAPH: Final = 7
_NODE, _GRAPH_OUTPUT = 1, 12
_INPUT, _OUTPUT, _ATTRIBUTE = 1, 2, 5
_SUBGRAPHS: Final = (6, 11)
_NAME: Final = 1

# How a field is stored (protobuf.dev/programming-guides/encoding).
_VARINT, _EIGHT_BYTES, _WITH_LENGTH = 0, 1, 2


def cut_network(model: bytes, output: str) -> bytes:
    """Return an ONNX model without the nodes and the outputs that one output does not need.

    Args:
        model: a file that the engine has opened, so that it is known to be whole.
        output: the one that stays.
    """
    parts = []
    for number, whole, content in _fields(memoryview(model)):
        if number == _GRAPH:
            graph = _cut_graph(content, output.encode())
            parts += [_varint(_GRAPH << 3 | _WITH_LENGTH), _varint(len(graph)), graph]
        else:
            parts.append(bytes(whole))
    return b"".join(parts)


def _cut_graph(graph: memoryview, output: bytes) -> bytes:
    needed = {output}
    kept = []
    # The nodes of a graph are sorted: each comes after those whose results it takes.
    for number, whole, content in reversed([*_fields(graph)]):
        if number == _GRAPH_OUTPUT and output not in _values(content, _NAME):
            continue
        if number == _NODE:
            if needed.isdisjoint(_values(content, _OUTPUT)):
                continue
            needed |= _takes(content)
        kept.append(bytes(whole))
    return b"".join(reversed(kept))


def _takes(node: memoryview) -> set[bytes]:
    """Return the names of all that a node takes, with what the graphs in its attributes take."""
    taken = _values(node, _INPUT)
    for number, _, attribute in _fields(node):
        if number != _ATTRIBUTE:
            continue
        for kind, _, subgraph in _fields(attribute):
            if kind in _SUBGRAPHS:
                inner = (each for name, _, each in _fields(subgraph) if name == _NODE)
                taken = taken.union(*map(_takes, inner))
    return taken


def _values(message: memoryview, wanted: int) -> set[bytes]:
    return {bytes(content) for number, _, content in _fields(message) if number == wanted}


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield the number of each field of a message, its bytes with and without what precedes it."""
    at = 0
    while at < len(message):
        begin = at
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == _WITH_LENGTH:
            length, at = _read_varint(message, at)
        elif kind == _VARINT:
            length = _read_varint(message, at)[1] - at
        else:
            length = 8 if kind == _EIGHT_BYTES else 4
        yield key >> 3, message[begin : at + length], message[at : at + length]
        at += length


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    r"""Return a number as :func:`_read_varint` reads it.

    >>> _varint(300), _read_varint(memoryview(_varint(300)), 0)
    (b'\xac\x02', (300, 2))
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
