"""Makes tensorboard.json beside this file: the records of an event file as tensorboard writes them.

Needs tensorboard. Run: python test/unit/golden/make_tensorboard.py
"""

import base64
import json
import pathlib
import tempfile

from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c, masked_crc32c
from tensorboard.summary.writer.record_writer import RecordWriter

HERE = pathlib.Path(__file__).parent
SCALARS = [
    (1, "train/loss", 2.96),
    (4, "eval/sts-dev_spearman_cosine", -0.8),
    (300, "train/learning_rate", 5e-05),
    (2**31 + 5, "train/epoch", 0.0),
    (7, "train/grad_norm", 1e30),
]
TEXT = '{\n  "output_dir": "tmp_träiner"\n}'
WALL = 1700000000.25


def text_event(step, tag, text):
    """As torch.utils.tensorboard's add_text."""
    plugin = SummaryMetadata.PluginData(plugin_name="text", content=b"")
    tensor = TensorProto(
        dtype="DT_STRING",
        string_val=[text.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    value = Summary.Value(tag=tag + "/text_summary", metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)
    return Event(wall_time=WALL, step=step, summary=Summary(value=[value]))


events = [
    Event(wall_time=WALL, file_version="brain.Event:2", source_metadata=SourceMetadata(writer="sentence-torch")),
    text_event(0, "args", TEXT),
    *(
        Event(wall_time=WALL, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))
        for step, tag, value in SCALARS
    ),
]
with tempfile.TemporaryFile() as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    writer.flush()
    file.seek(0)
    content = file.read()

INPUTS = [b"", b"123456789", bytes(32), b"\xff" * 32, bytes(range(32)), "Ä record".encode()]
golden = {
    "wallTime": WALL,
    "text": TEXT,
    "scalars": SCALARS,
    "file": base64.b64encode(content).decode(),
    "crc": [
        {"input": base64.b64encode(data).decode(), "crc": crc32c(data), "masked": masked_crc32c(data)} for data in INPUTS
    ],
}
(HERE / "tensorboard.json").write_text(json.dumps(golden, indent=1) + "\n")
