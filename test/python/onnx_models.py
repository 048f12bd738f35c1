"""The ONNX side of npm run test:python: onnx.checker and onnxruntime over files that were written here.

onnx_models.py tokens JOBS    JOBS: JSON list of { name, path, ids, types, padsLeft, expected: { output: { file, rows } } }; prints
                              as JSON, by name, how far onnxruntime is off
onnx_models.py folders JOBS   JOBS: JSON list of { name, folder, texts, promptName?, out }; writes onnxruntime's sentence embeddings
                              of the texts to `out` as raw float32, tokenized by transformers from the same folder
onnx_models.py lowest FOLDER TEXTS   TEXTS: JSON list; prints as JSON the lowest cosine of a text by onnx/model_quantized.onnx and by
                                     onnx/model.onnx: of texts one by one, and of batches of 16
onnx_models.py quantized FOLDER   compares onnx/model_quantized.onnx with what onnxruntime makes of onnx/model.onnx; prints as JSON
                              how far weights and outputs are apart
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

SILENT = onnxruntime.SessionOptions()
SILENT.log_severity_level = 3
SILENT.intra_op_num_threads = 1


def session(path):
    onnx.checker.check_model(str(path), full_check=True)
    return onnxruntime.InferenceSession(str(path), SILENT, providers=["CPUExecutionProvider"])


def feeds(opened, ids, types, left):
    """The rows with padding of 0, which the mask leaves out."""
    most = max(len(row) for row in ids)

    def padded(rows):
        out = np.zeros((len(rows), most), dtype=np.int64)
        for i, row in enumerate(rows):
            out[i, most - len(row) :] = row if left else out[i, most - len(row) :]
            if not left:
                out[i, : len(row)] = row
        return out

    given = {"input_ids": padded(ids), "attention_mask": padded([[1] * len(row) for row in ids]), "token_type_ids": padded(types)}
    return {port.name: given[port.name] for port in opened.get_inputs()}


def tokens(jobs):
    found = {}
    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        opened = session(job["path"])
        lengths = [len(row) for row in job["ids"]]
        for left in [False, True] if job["padsLeft"] else [False]:
            outputs = opened.run(None, feeds(opened, job["ids"], job["types"], left))
            for port, values in zip(opened.get_outputs(), outputs):
                wanted = job["expected"][port.name]
                expected = np.fromfile(wanted["file"], dtype=np.float32)
                rows = [values[row] for row in wanted["rows"]]
                if port.name == "last_hidden_state":
                    rows = [row[-lengths[i] :] if left else row[: lengths[i]] for i, row in zip(wanted["rows"], rows)]
                flat = np.concatenate([row.reshape(-1) for row in rows])
                assert flat.shape == expected.shape, (job["name"], port.name, flat.shape, expected.shape)
                side = ", padded on the left" if left else ""
                found[f"{job['name']}: {port.name}{side}"] = float(np.abs(flat - expected).max())
    print(json.dumps(found))


def folders(jobs):
    from transformers import AutoTokenizer

    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        folder = Path(job["folder"])
        opened = session(folder / "onnx" / "model.onnx")
        prompts = json.loads((folder / "config_sentence_transformers.json").read_text(encoding="utf-8"))["prompts"]
        prompt = prompts[job["promptName"]] if job.get("promptName") else ""
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        rows = tokenizer([prompt + text for text in job["texts"]], truncation=True)
        ids = rows["input_ids"]
        types = rows.get("token_type_ids") or [[0] * len(row) for row in ids]
        opened.run(["sentence_embedding"], feeds(opened, ids, types, False))[0].astype(np.float32).tofile(job["out"])


def cosine(a, b):
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def lowest(folder, texts):
    from transformers import AutoTokenizer

    ids = AutoTokenizer.from_pretrained(folder)(json.loads(Path(texts).read_text(encoding="utf-8")), truncation=True)["input_ids"]
    both = [session(Path(folder) / "onnx" / name) for name in ("model_quantized.onnx", "model.onnx")]

    def embeddings(opened, size):
        parts = [ids[i : i + size] for i in range(0, len(ids), size)]
        run = lambda rows: opened.run(["sentence_embedding"], feeds(opened, rows, [[0] * len(row) for row in rows], False))[0]
        return np.concatenate([run(rows) for rows in parts])

    exact = embeddings(both[1], 1)
    print(json.dumps([cosine(embeddings(both[0], size), exact) for size in (1, 16)]))


def quantized(folder):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graphs = Path(folder) / "onnx"
    with tempfile.TemporaryDirectory() as work:
        theirs = Path(work) / "model.onnx"
        quantize_dynamic(graphs / "model.onnx", theirs, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
        read = lambda path: {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
        ours, expected = read(graphs / "model_quantized.onnx"), read(theirs)
        worst = {"weights": 0.0, "scales": 0.0, "matrices": 0, "tables": 0}
        for name in [name for name in ours if name.endswith("_quantized")]:
            worst["matrices" if ".transposed" in name else "tables"] += 1
            scale = name.removesuffix("_quantized") + "_scale"
            worst["weights"] = max(worst["weights"], float(np.abs(ours[name].astype(int) - expected[name].astype(int)).max()))
            worst["scales"] = max(worst["scales"], float(np.abs(ours[scale] / expected[scale] - 1).max()))
        rng = np.random.default_rng(0)
        both = [session(path) for path in (graphs / "model_quantized.onnx", theirs, graphs / "model.onnx")]
        vocabulary = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["vocab_size"]
        ids = [rng.integers(0, vocabulary, size).tolist() for size in (3, 9, 17)]
        types = [[0] * len(row) for row in ids]
        outs = [one.run(["sentence_embedding"], feeds(one, ids, types, False))[0] for one in both]
        print(json.dumps({**worst, "outputs": float(np.abs(outs[0] - outs[1]).max()), "cosine": cosine(outs[0], outs[2]),
                          "theirCosine": cosine(outs[1], outs[2])}))


if __name__ == "__main__":
    {"tokens": tokens, "folders": folders, "lowest": lowest, "quantized": quantized}[sys.argv[1]](*sys.argv[2:])
