"""Golden files of ONNX's own writer: a model that uses everything our writer has, whole and with a data file.

    python test/parity/make_onnx.py      # needs onnx 1.23 and onnxruntime
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent / "golden" / "onnx"


def model():
    weight = (np.arange(600, dtype=np.float32).reshape(20, 30) - 300) / 64
    tensors = [
        numpy_helper.from_array(np.array([2, -1, 1 << 40], dtype=np.int64), "integers"),
        numpy_helper.from_array(np.float32(0.5), "half"),
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(np.arange(-60, 60, dtype=np.int8).reshape(30, 4), "bytes"),
    ]
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], name="p", axis=-1),
        helper.make_node("LayerNormalization", ["p", "weight", ""], ["n"], name="n", epsilon=1e-5),
        helper.make_node("Transpose", ["n"], ["y"], name="y", perm=[0, 2, 1]),
        helper.make_node("Split", ["y", "integers"], ["a", "b"], name="a", axis=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.INT64, ["batch_size", "sequence_length"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch_size", 384])]
    graph = helper.make_graph(nodes, "model", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="golden",
                             producer_version="1.2.3")


def main():
    FOLDER.mkdir(exist_ok=True)
    made = model()
    (FOLDER / "whole.onnx").write_bytes(made.SerializeToString(deterministic=True))
    for tensor in made.graph.initializer:
        if len(tensor.raw_data) >= 1024:
            raw = tensor.raw_data
            onnx.external_data_helper.set_external_data(tensor, "external.onnx_data", offset=0, length=len(raw))
            tensor.ClearField("raw_data")
    (FOLDER / "external.onnx").write_bytes(made.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
