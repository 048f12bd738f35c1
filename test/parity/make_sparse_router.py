"""Makes test/parity/golden/sparse-router: sparse encoders with inference-free queries, saved by sentence-transformers, and what they encode.

    .venv/bin/python test/parity/make_sparse_router.py        # the packages of make_goldens.py

`<name>/` is the model as it is saved; golden.json has of each the embeddings by task, dense, and what `print(model)` gives.
"""

import json
import shutil
from pathlib import Path

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder.modules import Router, SparseStaticEmbedding, SpladePooling, Transformer
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

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
(OUT / "golden.json").write_text(json.dumps(golden) + "\n")
shutil.rmtree(plain)
