"""A network that is cut down holds what onnx itself would keep, and says the same."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

import ctiqa
from ctiqa.scoring.cut_network import cut_network

# A part that is used in a branch alone, a node of two results, and one that nobody needs.
BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
branches (float[N, 4] x, bool[] flag) => (float[N, 4] wanted, float[N, 4] other)
<float two = {2.0}>
{
   outer = Mul(x, two)
   useless = Exp(x)
   wanted = If(flag) <
      then_branch = yes () => (float[N, 4] a) { a = Add(outer, two) },
      else_branch = no () => (float[N, 4] b) { b = Identity(outer) }
   >
   other = Neg(useless)
}
"""


SHIPPED = Path(ctiqa.__file__).with_name("shipped") / "ctiqa.onnx"


def test_what_stays_of_a_model_is_what_onnx_extracts(map_model: Path, tmp_path: Path) -> None:
    for model, output in ((map_model, "scores"), (map_model, "loss_map"), (SHIPPED, "scores")):
        extracted = tmp_path / "extracted.onnx"
        onnx.utils.extract_model(model, extracted, ["hu"], [output])
        cut = onnx.load_from_string(cut_network(model.read_bytes(), output))
        expected = onnx.load(extracted).graph
        assert [*cut.graph.node] == [*expected.node]
        assert [each.name for each in cut.graph.output] == [output]
        assert cut.graph.input == expected.input
        assert cut.metadata_props == onnx.load(model).metadata_props


def test_what_only_a_branch_takes_stays() -> None:
    whole = onnx.parser.parse_model(BRANCHES)
    cut = cut_network(whole.SerializeToString(), "wanted")
    assert [node.op_type for node in onnx.load_from_string(cut).graph.node] == ["Mul", "If"]
    x = np.float32([[1, 2, 3, 4]])
    for flag, expected in ((True, 2 * x + 2), (False, 2 * x)):
        (found,) = ort.InferenceSession(cut).run(None, {"x": x, "flag": np.array(flag)})
        np.testing.assert_array_equal(found, expected)


def test_a_network_that_needs_all_its_nodes_stays_as_it_is(map_model: Path) -> None:
    cut = cut_network(map_model.read_bytes(), "scores")
    assert cut_network(cut, "scores") == cut
    assert len(cut) < len(map_model.read_bytes())
