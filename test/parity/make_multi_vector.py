"""Makes test/parity/golden/multi-vector: folders of models with a vector for each token, and what sentence-transformers makes of them.

    .venv/bin/python test/parity/make_multi_vector.py        # the packages of make_goldens.py

`<name>/` is a folder as sentence-transformers, PyLate or Stanford's ColBERT saves it; `<name>.json` has texts, their vectors as
queries, as documents and as neither, the scores, and what `print(model)` gives. `scores.json` has MaxSim, MeanMaxSim and XTR of
ragged vectors with their gradients, and clusters of HierarchicalTokenPooling.
"""

import json
import shutil
from pathlib import Path

import torch
from make_multi_vector_parts import dense, transformer
from safetensors.torch import save_file
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling, MultiVectorMask
from sentence_transformers.multi_vector_encoder.scoring import colbert_scores, mean_colbert_scores, xtr_scores
from sentence_transformers.sentence_transformer.modules import Pooling
from sentence_transformers.util import maxsim, maxsim_pairwise, mean_maxsim
from transformers import BertModel

OUT = Path(__file__).resolve().parent / "golden" / "multi-vector"
QUERIES = ["a cat", "the dog runs fast on the mat, not slow.", "", "dogs"]
DOCUMENTS = ["the cat sat on the mat.", "fast dogs, slow cats, a fast cat runs, a slow dog sat on the mat.", "a dog runs", ".", "東京 cats"]


def rows(vectors):
    return [{"shape": list(v.shape), "data": [round(x, 7) for x in v.flatten().tolist()]} for v in vectors]


def golden(name, folder=None, **options):
    model = MultiVectorEncoder(str(folder or OUT / name), device="cpu", **options)
    queries, documents = model.encode_query(QUERIES), model.encode_document(DOCUMENTS)
    found = {
        "queries": QUERIES, "documents": DOCUMENTS,
        "asQueries": rows(queries), "asDocuments": rows(documents), "asNeither": rows(model.encode(DOCUMENTS)),
        "similarity": model.similarity(queries, documents).tolist(), "printed": str(model),
        "prompts": model.prompts, "similarityFnName": model.similarity_fn_name,
    }
    (OUT / f"{name}.json").write_text(json.dumps(found) + "\n")
    return model


def save(name, modules, **options):
    model = MultiVectorEncoder(modules=modules, device="cpu", **options)
    model.save(str(OUT / name), create_model_card=False)
    golden(name)


shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
plain = OUT / "plain"
normalize = Normalize(module_input_name="token_embeddings")

# Classic ColBERT: fixed expansion that nobody attends to, punctuation left out of documents.
expansion = {"strategy": "fixed", "attend": False, "length": 10}
save("classic", [transformer(plain, 0, query_expansion=expansion, document_length=12), dense(4), MultiVectorMask([".", ",", "missing"]), normalize],
     prompts={"query": "[unused0] ", "document": "the "})
shutil.rmtree(plain)

# Another expansion, a projection with residual, skip lists of both, pooled documents.
expansion = {"strategy": "min", "attend": True, "token": "not", "length": 6}
save("pooled", [transformer(plain, 1, query_expansion=expansion, query_length=9), dense(5, bias=True, use_residual=True), dense_last := Dense(
    5, 6, activation_function=torch.nn.Tanh(), module_input_name="token_embeddings"), MultiVectorMask([",", "cat"], skiplist_tasks=["query", "document"]),
    normalize, HierarchicalTokenPooling(2.0)], similarity_fn_name="meanmaxsim")
shutil.rmtree(plain)

# Only some tokens of documents, and fewer vectors of queries alone.
save("kept", [transformer(plain, 2), dense(4), MultiVectorMask(keep_only_token_ids=[9, 10, 11, 15]), normalize,
              HierarchicalTokenPooling(1.5, num_protected_tokens=0, normalize_embeddings=False, tasks="query")])
shutil.rmtree(plain)

# PyLate: settings and prefixes beside the prompts, its own Dense, no mask.
transformer(plain, 3)
model = SentenceTransformer(modules=[Transformer(str(plain)), Dense(8, 4, bias=False, activation_function=torch.nn.Identity())], device="cpu")
model.save(str(OUT / "pylate"), create_model_card=False)
file = OUT / "pylate" / "config_sentence_transformers.json"
config = json.loads(file.read_text())
config |= {"model_type": "ColBERT", "similarity_fn_name": "MaxSim", "query_prefix": "[unused0] ", "document_prefix": "[unused1] ", "query_length": 8,
           "document_length": 14, "attend_to_expansion_tokens": False, "skiplist_words": [".", "on"], "do_query_expansion": True, "prompts": {}}
file.write_text(json.dumps(config, indent=2) + "\n")
file = OUT / "pylate" / "modules.json"
file.write_text(file.read_text().replace("sentence_transformers.base.modules.dense.Dense", "pylate.models.Dense.Dense"))
file = OUT / "pylate" / "1_Dense" / "config.json"
config = {k: v for k, v in json.loads(file.read_text()).items() if not k.startswith("module_")}
file.write_text(json.dumps(config) + "\n")
golden("pylate")

# Stanford: projection and transformer in one file.
shutil.copytree(plain, OUT / "stanford")
bert = BertModel.from_pretrained(plain)
tensors = {f"bert.{name}": value.contiguous() for name, value in bert.state_dict().items()}
torch.manual_seed(4)
tensors["linear.weight"] = torch.rand(4, 8) * 2 - 1
save_file(tensors, OUT / "stanford" / "model.safetensors", {"format": "pt"})
config = json.loads((plain / "config.json").read_text()) | {"architectures": ["HF_ColBERT"]}
(OUT / "stanford" / "config.json").write_text(json.dumps(config, indent=2) + "\n")
(OUT / "stanford" / "artifact.metadata").write_text(json.dumps({"query_maxlen": 9, "doc_maxlen": 11, "attend_to_mask_tokens": False}) + "\n")
golden("stanford")

# A SentenceTransformer with a head becomes one.
modules = [Transformer(str(plain)), Pooling(8, "mean"), Dense(8, 5), Normalize()]
SentenceTransformer(modules=modules, device="cpu").save(str(OUT / "converted"), create_model_card=False)
golden("converted")
shutil.rmtree(plain)

# Scores of ragged vectors in float64: no document, one vector, several.
torch.manual_seed(5)
lengths, document_lengths, width = [3, 1, 0, 5], [4, 0, 1, 7, 2], 6
queries = [torch.randn(n, width, dtype=torch.float64, requires_grad=True) for n in lengths]
documents = [torch.randn(n, width, dtype=torch.float64, requires_grad=True) for n in document_lengths]
weights = torch.randn(len(lengths), len(document_lengths), dtype=torch.float64)


def padded(rows):
    most = max(len(r) for r in rows)
    stacked = torch.stack([torch.cat([r, r.new_zeros(most - len(r), width)]) for r in rows])
    return stacked, torch.tensor([[i < len(r) for i in range(most)] for r in rows])


def scored(name, score):
    q, q_mask = padded(queries)
    d, d_mask = padded(documents)
    scores = score(q, d[:, None], q_mask, d_mask[:, None])
    found = torch.autograd.grad((scores.double() * weights).sum(), [*queries, *documents], allow_unused=True)
    flat = [0.0 if g is None else x for g, t in zip(found, [*queries, *documents]) for x in (g if g is not None else torch.zeros_like(t)).flatten().tolist()]
    return {"name": name, "scores": scores.tolist(), "gradients": flat}


cases = [scored("maxsim", lambda q, d, a, b: colbert_scores(q, d, a, b)), scored("meanmaxsim", lambda q, d, a, b: mean_colbert_scores(q, d, a, b))]
for k in (1, 3, 8, 256):
    cases.append({**scored("xtr", lambda q, d, a, b: xtr_scores(q, d, a, b, top_k=k)), "topK": k})
single = [[q.detach().float() for q in queries], [d.detach().float() for d in documents]]
clusters = []
for n, factor in ((2, 2), (5, 2), (9, 1.5), (12, 3), (30, 4), (30, 40), (7, 1)):
    vectors = torch.nn.functional.normalize(torch.randn(n, 4), dim=-1)
    for protected, normalized in ((1, True), (0, False)):
        pool = HierarchicalTokenPooling(factor, num_protected_tokens=protected, normalize_embeddings=normalized)
        clusters.append({"options": {"poolFactor": factor, "numProtectedTokens": protected, "normalizeEmbeddings": normalized},
                         "vectors": rows([vectors])[0], "pooled": rows([pool.pool_one(torch.tensor(rows([vectors])[0]["data"]).view(n, 4))])[0]})
(OUT / "scores.json").write_text(json.dumps({
    "width": width, "lengths": lengths, "documentLengths": document_lengths, "weights": weights.tolist(),
    "queries": [q.tolist() for q in queries], "documents": [d.tolist() for d in documents], "cases": cases, "clusters": clusters,
    "lists": {"maxsim": maxsim(*single).tolist(), "meanmaxsim": mean_maxsim(*single).tolist(),
              "pairwise": maxsim_pairwise(single[0], single[1][:4]).tolist()}}) + "\n")
