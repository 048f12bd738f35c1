"""Makes test/parity/golden/csr: SparseEncoders with a SparseAutoEncoder (CSR), as sentence-transformers saves them, what they encode, and
how CSRLoss trains them.

    .venv/bin/python test/parity/make_csr.py        # the packages of make_goldens.py

- `<model>/` is the model as it is saved, with counts of resting latents.
- golden.json has of each: embeddings (dense) with the model's own number of values and with others, what `print(model)` gives, and by the
  number of rows the parts of CSRLoss, the counts after one step and after two; `training` has 20 steps of SparseEncoderTrainer.
- `<model>-<rows>.safetensors`: all gradients of the first step.

Embeddings and gradients are computed in float64, without dropout; the training is in float32.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from datasets import Dataset
from safetensors.torch import save_file
from sentence_transformers import SparseEncoder, SparseEncoderTrainer, SparseEncoderTrainingArguments
from sentence_transformers.base.modules import Transformer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from sentence_transformers.sparse_encoder import losses
from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder
from torch.utils.data import SequentialSampler
from transformers import BertConfig, BertModel, BertTokenizer, TrainerCallback

OUT = Path(__file__).resolve().parent / "golden" / "csr"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = "the man woman dog is plays guitar flute in field house big small red".split()
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS), *WORDS, ".", "?"]
TEXTS = ["the man plays guitar .", "a woman plays the flute in the field", "dog ?", "the big red house is small . the man is in the house"]
ROWS = [1, 2, 7, 32]

# Of each the module, what stands before it, and the loss.
MODELS = {
    "mean": (dict(hidden_dim=64, k=4, k_aux=8, dead_threshold=3), [], {}),
    "normalized": (dict(hidden_dim=48, k=5, k_aux=16, normalize=True, dead_threshold=2), [Normalize()], dict(beta=0.3, gamma=0.5)),
    "without-aux": (dict(hidden_dim=32, k=8, k_aux=0), [], dict(beta=0.7)),
}


def texts_of(rows, columns):
    place = iter(range(10_000))
    return [[" ".join(WORDS[(7 * next(place) + c) % len(WORDS)] for _ in range(2 + (row + c) % 4)) for row in range(rows)] for c in range(columns)]


def save_model(name):
    options, before, _ = MODELS[name]
    torch.manual_seed(len(name))
    plain = OUT / "of-transformers"
    BertModel(BertConfig(vocab_size=len(VOCAB), hidden_size=16, num_attention_heads=2, num_hidden_layers=1, intermediate_size=24, max_position_embeddings=40,
                         initializer_range=0.4, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0), add_pooling_layer=False).save_pretrained(plain)
    words = plain / "vocab.txt"
    words.write_text("\n".join(VOCAB) + "\n")
    BertTokenizer(str(words), model_max_length=30).save_pretrained(plain)
    words.unlink(missing_ok=True)
    auto_encoder = SparseAutoEncoder(16, **options)
    with torch.no_grad():
        auto_encoder.pre_bias.normal_(0, 0.2)
        auto_encoder.latent_bias.normal_(0, 0.2)
        auto_encoder.stats_last_nonzero.copy_(torch.randint(0, 7, (auto_encoder.hidden_dim,)))
    SparseEncoder(modules=[Transformer(str(plain)), Pooling(16, pooling_mode="mean"), *before, auto_encoder]).save(str(OUT / name), create_model_card=False)
    shutil.rmtree(plain)


def load(name):
    return SparseEncoder(str(OUT / name), device="cpu")


def encode(model):
    dense = lambda **options: model.encode(TEXTS, convert_to_sparse_tensor=False, **options).flatten().tolist()
    k = model[-1].k
    return {"dimension": model.get_embedding_dimension(), "maxActiveDims": model.max_active_dims, "embeddings": dense(), "printed": str(model),
            "most": {str(most): dense(max_active_dims=most) for most in (2, 2 * k)}}


def step(name, rows, columns):
    model = load(name).double()
    loss = losses.CSRLoss(model, **MODELS[name][2])
    model.train()
    counts, parts = [], {}
    for number in range(2):
        features = [model.preprocess(list(column)) for column in texts_of(rows, columns)]
        found = loss(features, None)
        counts.append(model[-1].stats_last_nonzero.tolist())
        if number == 0:
            parts = {key: value.item() for key, value in found.items()}
            sum(found.values()).backward()
            gradients = {key: value.grad.float().contiguous() for key, value in model.named_parameters() if value.grad is not None}
            save_file(gradients, OUT / f"{name}-{rows}.safetensors")
    model.eval()
    with torch.no_grad():
        evaluated = {key: value.item() for key, value in loss([model.preprocess(list(column)) for column in texts_of(rows, columns)], None).items()}
    return {"columns": texts_of(rows, columns), "parts": parts, "counts": counts, "evaluated": evaluated}


def train(name, steps=20):
    records = []

    class Recorder(TrainerCallback):
        def on_log(self, _args, state, control, logs, **kwargs):
            if "loss" in logs:
                records.append({key: logs[key] for key in logs if key in ("loss", "grad_norm") or key.endswith(("_k", "_aux", "base_loss"))})

    model = load(name)
    anchors, positives = texts_of(20, 2)
    args = dict(max_steps=steps, per_device_train_batch_size=4, learning_rate=1e-3, weight_decay=0.1, max_grad_norm=0.5, logging_steps=1, save_strategy="no")
    SparseEncoderTrainer(
        model=model,
        args=SparseEncoderTrainingArguments(
            output_dir=tempfile.mkdtemp(), use_cpu=True, disable_tqdm=True,
            batch_sampler=lambda dataset, batch_size, drop_last, **kwargs: DefaultBatchSampler(
                SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last
            ),
            **args,
        ),
        train_dataset=Dataset.from_dict({"anchor": anchors, "positive": positives}),
        loss=losses.CSRLoss(model, **MODELS[name][2]),
        callbacks=[Recorder()],
    ).train()
    return {"data": {"anchor": anchors, "positive": positives}, "records": records, "counts": model[-1].stats_last_nonzero.tolist(),
            "embeddings": model.encode(TEXTS, convert_to_sparse_tensor=False).flatten().tolist()}


torch.set_num_threads(1)
shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
golden = {"texts": TEXTS, "models": {}, "training": {}}
for name, (_, _, options) in MODELS.items():
    save_model(name)
    golden["models"][name] = {**encode(load(name).double()), "loss": options, "steps": {rows: step(name, rows, 3 if rows == 7 else 2) for rows in ROWS}}
    print(name, {rows: one["parts"] for rows, one in golden["models"][name]["steps"].items()})
for name in ("mean", "normalized"):
    golden["training"][name] = train(name)
(OUT / "golden.json").write_text(json.dumps(golden) + "\n")
