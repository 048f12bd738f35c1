"""Makes test/parity/golden/sparse-router: sparse encoders with inference-free queries, saved by sentence-transformers, and what they encode.

    .venv/bin/python test/parity/make_sparse_router.py        # the packages of make_goldens.py

`<name>/` is the model as it is saved; golden.json has of each the embeddings by task, dense, and what `print(model)` gives.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers import SparseEncoder, SparseEncoderTrainer, SparseEncoderTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sparse_encoder.losses import SparseMultipleNegativesRankingLoss, SpladeLoss
from sentence_transformers.sparse_encoder.modules import Router, SparseStaticEmbedding, SpladePooling, Transformer
from torch.utils.data import SequentialSampler
from transformers import BertConfig, BertForMaskedLM, BertTokenizer, TrainerCallback

OUT = Path(__file__).resolve().parent / "golden" / "sparse-router"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog runs sat on mat ##s fast slow not , .".split()
TEXTS = ["the cat sat on the mat", "A dog runs", "fast dogs, slow cats. slow cats", "not a mat"]

torch.set_num_threads(1)
torch.manual_seed(0)
shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
plain = OUT / "plain"
config = BertConfig(vocab_size=len(WORDS), hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=12,
                    max_position_embeddings=24, initializer_range=0.5, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
plain.mkdir()
model = BertForMaskedLM(config)
with torch.no_grad():
    model.cls.predictions.bias.uniform_(-0.5, 1)
model.save_pretrained(plain)
(plain / "vocab.txt").write_text("\n".join(WORDS) + "\n")
tokenizer = BertTokenizer(str(plain / "vocab.txt"), model_max_length=24)
tokenizer.save_pretrained(plain)
idf = plain / "idf.json"
idf.write_text(json.dumps({word: round(0.5 + 0.25 * i, 2) for i, word in enumerate(WORDS[5:])}))


def document():
    return [Transformer(str(plain), transformer_task="fill-mask"), SpladePooling("max")]


golden = {"texts": TEXTS, "models": {}}
routers = {
    "learned": SparseStaticEmbedding(tokenizer, weight=torch.rand(len(WORDS)) * 3),
    "frozen": SparseStaticEmbedding.from_json(str(idf), tokenizer, frozen=True),
}
for name, query in routers.items():
    model = SparseEncoder(modules=[Router.for_query_document([query], document())], device="cpu", prompts={"query": "not ", "document": ""})
    model.save(str(OUT / name), create_model_card=False)
    model = SparseEncoder(str(OUT / name), device="cpu")
    encode = lambda task: model.encode(TEXTS, task=task, convert_to_sparse_tensor=False).flatten().tolist()
    golden["models"][name] = {
        "dimension": model.get_embedding_dimension(),
        "embeddings": {str(task): encode(task) for task in (None, "query", "document")},
        "query": model.encode_query(TEXTS, convert_to_sparse_tensor=False).flatten().tolist(),
        "similarity": model.similarity(model.encode_query(TEXTS), model.encode_document(TEXTS)).flatten().tolist(),
        "printed": str(model),
    }


def train(name, steps=20):
    records = []

    class Recorder(TrainerCallback):
        def on_log(self, _args, state, control, logs, **kwargs):
            if "loss" in logs:
                records.append({key: logs[key] for key in ["loss", "grad_norm"]})

    model = SparseEncoder(str(OUT / name), device="cpu")
    nouns, verbs = ["cat", "dog", "cats", "dogs", "mat"], ["runs", "sat", "sat on", "not runs"]
    pairs = [(f"{noun} {verb}", f"the {noun} {verb} , a {nouns[i - 1]} .") for i, noun in enumerate(nouns) for verb in verbs]
    data = {"question": [q for q, _ in pairs], "answer": [a for _, a in pairs]}
    # With 1e-2 no golden value can hold: in float64, weights that differ by a rounding of float32 change the norm of step 5 by 1e-4 and
    # that of step 13 by 3e-3.
    args = dict(max_steps=steps, per_device_train_batch_size=4, learning_rate=1e-3, weight_decay=0.1, max_grad_norm=0.5, logging_steps=1,
                save_strategy="no", router_mapping={"question": "query", "answer": "document"})
    SparseEncoderTrainer(
        model=model,
        args=SparseEncoderTrainingArguments(
            output_dir=tempfile.mkdtemp(), use_cpu=True, disable_tqdm=True,
            batch_sampler=lambda dataset, batch_size, drop_last, **kwargs: DefaultBatchSampler(
                SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last
            ),
            **args,
        ),
        train_dataset=Dataset.from_dict(data),
        loss=SpladeLoss(model, SparseMultipleNegativesRankingLoss(model), document_regularizer_weight=3e-3),
        callbacks=[Recorder()],
    ).train()
    after = {task: model.encode(TEXTS, task=task, convert_to_sparse_tensor=False).flatten().tolist() for task in ("query", "document")}
    return {"data": data, "records": records, "embeddings": after}


golden["training"] = {name: train(name) for name in routers}
(OUT / "golden.json").write_text(json.dumps(golden) + "\n")
shutil.rmtree(plain)
