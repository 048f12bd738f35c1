"""Makes the files of torch.save that the reader of pytorch_model.bin is tested with: test/parity/golden/torch.

    .venv/bin/python test/parity/make_torch_files.py        # the packages of make_goldens.py

Beside every `<name>.bin` that is read lies `<name>.safetensors`, written by safetensors from the same tensors, made contiguous.
`refused/<what>.bin` are files that hold more than tensors, or tensors of kinds that are not read.
"""

import collections
import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parent / "golden" / "torch"
REFUSED = OUT / "refused"


def numbers(*shape, dtype=torch.float32):
    count = int(torch.Size(shape).numel())
    return (torch.arange(count) % 97 - 13).to(dtype).reshape(shape)


def save(name, tensors, **options):
    torch.save(tensors, OUT / f"{name}.bin", **options)
    save_file({key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}, OUT / f"{name}.safetensors")


def dtypes():
    names = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    return {name: numbers(2, 3, dtype=getattr(torch, name)) for name in names}


def views():
    """Tensors that share storages, or lie in them in another order."""
    table, cube, row = numbers(5, 4), numbers(2, 3, 4, dtype=torch.float16), numbers(12, dtype=torch.int64)
    return {
        "table": table,
        "again": table,
        "transposed": table.t(),
        "rows": table[1:3],
        "column": table[:, 2],
        "columns": table[:, 1:3],
        "every_other": table[::2, ::3],
        "diagonal": table.diagonal(),
        "permuted": cube.permute(2, 0, 1),
        "one": cube[:, 1:2, :].transpose(0, 2),
        "windows": row.unfold(0, 5, 2),
        "repeated": row[:3].expand(4, 3),
        "position_ids": row.expand((1, -1)),
        "scalar": row[7],
        "last": row[12:],
        "bool": (table.t() > 0).t(),
        "double": numbers(3, 7, dtype=torch.float64).t(),
    }


def sizes():
    empty = torch.empty(0, 3)
    return {"none": torch.empty(0), "rows": empty, "columns": torch.empty(2, 0).t(), "scalar": torch.tensor(2.5), "one": numbers(1, 1, 1)}


def names():
    keys = ["__proto__", "constructor", "toString", "", "a.b.0", "ä 漢 🙂", "__metadata", "x" * 300, "1", "hasOwnProperty"]
    return {key: numbers(2) + i for i, key in enumerate(keys)}


def module():
    layers = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        for i, tensor in enumerate(layers.state_dict().values()):
            tensor.copy_(numbers(*tensor.shape) + i)
    return layers


def shards():
    parts = {"1": {"a": numbers(2, 2), "b": numbers(3)}, "2": {"c": numbers(4, dtype=torch.float16)}}
    for number, part in parts.items():
        torch.save(part, OUT / f"pytorch_model-0000{number}-of-00002.bin")
    weight_map = {name: f"pytorch_model-0000{number}-of-00002.bin" for number, part in parts.items() for name in part}
    index = {"metadata": {"total_size": 36}, "weight_map": weight_map}
    (OUT / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
    save_file({name: tensor for part in parts.values() for name, tensor in part.items()}, OUT / "pytorch_model.safetensors")


def changed_record(source, target, name, content):
    """A copy of an archive with another content of one record, stored as torch stores it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            data = content if entry.filename.endswith(f"/{name}") else old.read(entry)
            new.writestr(zipfile.ZipInfo(entry.filename), data)


def refused():
    table = numbers(2, 2)
    files = {
        "checkpoint": {"state_dict": collections.OrderedDict(weight=table)},
        "number": {"weight": table, "epoch": 3},
        "float": {"weight": table, "loss": 0.5},
        "list": [table],
        "tensor": table,
        "numpy": {"weight": table, "scale": numpy.float32(1.5)},
        "module": torch.nn.Linear(2, 2),
        "set": {"weight": table, "names": {"a"}},
        "bytes": {"weight": table, "name": b"a"},
        "complex": {"weight": table.to(torch.complex64)},
        "float8": {"weight": table.to(torch.float8_e4m3fn)},
        "sparse": {"weight": table.to_sparse()},
        "quantized": {"weight": torch.quantize_per_tensor(table, 0.1, 0, torch.qint8)},
        "storage": {"weight": table.untyped_storage()},
        "negative": {"weight": torch._neg_view(table)},
        "meta": {"weight": table.to("meta")},
    }
    attributes = torch.nn.Parameter(table)
    attributes.note = "a"
    files["attributes"] = {"weight": attributes}
    for name, content in files.items():
        torch.save(content, REFUSED / f"{name}.bin")
    torch.save({"weight": table}, REFUSED / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"weight": table}, REFUSED / "protocol.bin", pickle_protocol=4)
    changed_record(OUT / "module.bin", REFUSED / "big_endian.bin", "byteorder", b"big")
    # What _load_from_bytes gets is a file in the format of old, which can run anything.
    stream = io.BytesIO()
    torch.save(table, stream, _use_new_zipfile_serialization=False)
    loads = b"\x80\x02ctorch.storage\n_load_from_bytes\nq\x00X\x01\x00\x00\x00aq\x01\x85q\x02Rq\x03."
    changed_record(OUT / "module.bin", REFUSED / "load_from_bytes.bin", "data.pkl", loads)
    system = b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03."
    changed_record(OUT / "module.bin", REFUSED / "system.bin", "data.pkl", system)
    script = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    torch.jit.save(script, REFUSED / "script.bin")
    with zipfile.ZipFile(OUT / "module.bin") as old, zipfile.ZipFile(REFUSED / "packed.bin", "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))


def main():
    if sys.byteorder != "little":
        raise SystemExit("on a big-endian machine the files would be others")
    shutil.rmtree(OUT, ignore_errors=True)
    REFUSED.mkdir(parents=True)
    save("dtypes", dtypes())
    save("views", views())
    save("sizes", sizes())
    save("names", names())
    layers = module()
    save("module", layers.state_dict())
    save("parameters", layers.state_dict(keep_vars=True))
    save("ordered", collections.OrderedDict(a=numbers(2), b=numbers(3)))
    save("none", {})
    shards()
    refused()


if __name__ == "__main__":
    main()
