"""Golden values of distilled static models, for distillation.test.ts: model2vec's own, of the teacher in golden/distillation/teacher.

    pip install 'model2vec[distill]==0.10.0'
    OMP_NUM_THREADS=1 python test/parity/make_distillation.py

The teacher is a tiny BERT with random weights, whose vocabulary has unused tokens between others. model2vec computes its principal
components in float32; the golden table is that of its code on the same embeddings in float64, and `python` says how far its float32 is
off.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch
from model2vec import StaticModel
from model2vec.distill import distill
from model2vec.distill.inference import apply_pca, compute_weights, create_embeddings
from model2vec.tokenizer import clean_and_create_vocabulary, turn_tokens_into_ids
from skeletoken import TokenizerModel
from skeletoken.external.transformers import reshape_embeddings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, BertTokenizerFast

OUT = Path(__file__).parent / "golden" / "distillation"
TEACHER = OUT / "teacher"
SENTENCES = ["The cat sat on a red mat.", "running dogs", "unknown zzz word", "", "it 2000 is ##s [SEP] 1"]

words = "the cat sat on a mat red blue dog run ##ning ##s it is was 1 2000 . , of and green tree house ##ing".split()
specials = ["[PAD]", "[unused0]", "[UNK]", "[unused1]", "[CLS]", "[SEP]", "[MASK]"]
vocabulary = [*specials, *words[:12], "[unused12]", *words[12:]]
vocabulary = {token: i for i, token in enumerate(vocabulary)}
tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer()
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
)
fast = BertTokenizerFast(tokenizer_object=tokenizer)
torch.manual_seed(3)
model = BertModel(
    BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, initializer_range=0.4,
    ),
    add_pooling_layer=False,
).eval()
model.save_pretrained(TEACHER)
fast.save_pretrained(TEACHER)

source = TokenizerModel.from_transformers_tokenizer(fast).prune_added_tokens()
teacher = reshape_embeddings(model, source)


def case(**options):
    made = distill(str(TEACHER), quantize_to="float32", device="cpu", **options)
    pattern = options.get("token_remove_pattern", r"\[unused\d+\]")
    cleaned = clean_and_create_vocabulary(source.deep_copy(), [], pattern and re.compile(pattern))
    tokens = cleaned.sorted_vocabulary
    rows = create_embeddings(teacher, turn_tokens_into_ids(tokens, source), "cpu", 0).astype(np.float64)
    weights = compute_weights(len(rows), options.get("sif_coefficient", 1e-4))
    table = apply_pca(rows, options.get("pca_dims", 256)) * weights[:, None]
    static = StaticModel(table, made.tokenizer, normalize=True)
    ids = [made.tokenizer.encode(text, add_special_tokens=False).ids for text in SENTENCES]
    return {
        "options": options, "tokens": tokens, "table": table.tolist(), "ids": ids,
        "encoded": static.encode(SENTENCES).tolist(),
        "python": float(np.abs(table - made.embedding).max()),
    }


cases = [
    case(),
    case(pca_dims=8),
    case(pca_dims=0.9, sif_coefficient=None),
    case(pca_dims=None, sif_coefficient=1e-3),
    case(pca_dims=4, token_remove_pattern=r"##|\d"),
]
# Two folders as model2vec saves them: float16, and a quantised vocabulary with mapping and weights.
distill(str(TEACHER), pca_dims=8, device="cpu").save_pretrained(OUT / "model2vec")
mapped = distill(str(TEACHER), pca_dims=8, device="cpu", vocabulary_quantization=10, quantize_to="float32")
mapped.save_pretrained(OUT / "mapped")
folders = {}
for name in ("model2vec", "mapped"):
    found = StaticModel.from_pretrained(OUT / name, quantize_to="float32")
    (OUT / name / "README.md").unlink(missing_ok=True)
    # The teacher's place on the machine that makes the files.
    config = OUT / name / "config.json"
    config.write_text(config.read_text().replace(str(TEACHER), TEACHER.name))
    folders[name] = {"encoded": found.encode(SENTENCES).tolist()}
for file in OUT.rglob("*.safetensors"):
    file.chmod(0o644)
(OUT / "golden.json").write_text(json.dumps({"sentences": SENTENCES, "cases": cases, "folders": folders}) + "\n")
for one in cases:
    print(one["options"], np.array(one["table"]).shape, one["python"])
