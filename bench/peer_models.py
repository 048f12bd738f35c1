"""Makes what the benchmarks read besides the peers themselves, in bench/peers/models:

    python bench/peer_models.py --model FOLDER [--only js|random] [--force]

bert-base-random: a model folder of bert-base's shape with random weights and the tokenizer of --model.
js/<name>: each of the two models for transformers.js: the same weights as onnx/model.onnx (float32) and
onnx/model_int8.onnx (quantize_dynamic of onnxruntime: int8 weights per channel, activations quantised as they come).
"""

import argparse
import json
import os
import shutil
from pathlib import Path

import torch
from transformers import AutoModel, BertConfig, BertModel

FOLDER = Path(os.environ.get("SENTENCE_TORCH_BENCH_PEERS") or Path(__file__).resolve().parent / "peers") / "models"
SEED = 1


def random_bert(source: Path, to: Path):
    """A sentence-transformers folder: mean pooling, normalised, 512 positions."""
    for path in source.iterdir():
        if path.suffix not in (".safetensors", ".bin") and path.is_file():
            shutil.copyfile(path, to / path.name)
    torch.manual_seed(SEED)
    BertModel(BertConfig()).save_pretrained(to)
    pooling = (source / "1_Pooling" / "config.json").read_text().replace("384", "768")
    (to / "1_Pooling").mkdir(exist_ok=True)
    (to / "1_Pooling" / "config.json").write_text(pooling)


class Encoder(torch.nn.Module):
    """What transformers.js expects of a feature-extraction model: three inputs by name, last_hidden_state."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        # The mask as BERT's own: how transformers makes it cannot be traced, and onnxruntime fuses attention with this one.
        mask = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        return self.model(input_ids=input_ids, attention_mask=mask, token_type_ids=token_type_ids).last_hidden_state


def export(source: Path, to: Path):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    (to / "onnx").mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (source / name).exists():
            shutil.copyfile(source / name, to / name)
    # sentence-transformers' own limit, which neither transformers.js nor fastembed reads.
    limit = json.loads((source / "sentence_bert_config.json").read_text())["max_seq_length"]
    settings = json.loads((to / "tokenizer_config.json").read_text())
    (to / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": limit, "max_length": limit}))
    model = AutoModel.from_pretrained(source, attn_implementation="eager", dtype=torch.float32).eval()
    ids = torch.arange(14).reshape(2, 7) + 1000
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    inputs = (ids, mask, torch.zeros_like(ids))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    file = to / "onnx" / "model.onnx"
    # The exporter by tracing, as the models on the hub were made: onnxruntime knows its patterns and fuses them.
    torch.onnx.export(
        Encoder(model).eval(), inputs, file, dynamo=False, opset_version=17, do_constant_folding=True, input_names=names,
        output_names=["last_hidden_state"], dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, "last_hidden_state"]},
    )
    check(file, model, inputs, names)
    quantize_dynamic(file, to / "onnx" / "model_int8.onnx", weight_type=QuantType.QInt8, per_channel=True)


def check(file: Path, model, inputs, names):
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, inputs)})[0]
    with torch.no_grad():
        # The exporter leaves the model in the mode for training.
        expected = Encoder(model).eval()(*inputs).numpy()
    difference = abs(found - expected)[inputs[1].numpy() == 1].max()
    if difference > 1e-4:
        raise SystemExit(f"{file}: differs from the model by {difference}")
    print(f"{file}: differs from the model by {difference:.1e} at most")


def made(folder: Path, force: bool, make):
    """Makes a folder whole or not at all."""
    if folder.exists() and not force:
        return
    shutil.rmtree(folder, ignore_errors=True)
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    make(unfinished)
    unfinished.rename(folder)
    print(f"Ready: {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, type=Path, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--only", choices=["js", "random"])
    parser.add_argument("--force", action="store_true", help="make again what is there")
    options = parser.parse_args()
    random = FOLDER / "bert-base-random"
    made(random, options.force and options.only != "js", lambda to: random_bert(options.model, to))
    if options.only != "random":
        made(FOLDER / "js" / "all-MiniLM-L6-v2", options.force, lambda to: export(options.model, to))
        made(FOLDER / "js" / "bert-base-random", options.force, lambda to: export(random, to))
