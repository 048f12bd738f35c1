"""Makes test/parity/golden/adapters: tiny models, adapters of PEFT for them, and what Python computes and trains with those.

    .venv/bin/python test/parity/make_adapters.py        # from the root of the repository; the packages of make_goldens.py and peft

`<name>/` is the base model, `<name>-adapter/` the model with an adapter as sentence-transformers saves it. `<name>.json` has texts and
their embeddings with and without the adapter; a batch with its loss and the gradients of A and B; and A and B after steps of AdamW.
All but the embeddings is computed in float64.
"""

import json
import shutil
from pathlib import Path

import torch
import transformers.integrations.peft
from peft import LoraConfig
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from transformers import BertConfig, BertModel, BertTokenizer, ModernBertConfig, ModernBertModel, MPNetConfig, MPNetModel

# transformers 5.24 asks for a version of PEFT that is not released.
transformers.integrations.peft.MIN_PEFT_VERSION = "0.21.0"

OUT = Path("test/parity/golden/adapters")
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog runs sat on mat ##s fast slow not , .".split()
TEXTS = ["the cat sat on the mat", "a dog runs", "fast dogs, slow cats."]
PAIRS = [("the cat sat", "a cat sat on the mat"), ("fast dogs", "a dog runs fast."), ("not a mat", "slow cats")]
STEPS, RATE = 4, 5e-3
SIZES = {"vocab_size": len(WORDS), "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24,
         "max_position_embeddings": 32, "pad_token_id": 0, "initializer_range": 0.3}
OFF = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}

CASES = {
    # Parts of a fused matrix with ranks and alphas of their own.
    "bert": (BertModel(BertConfig(**SIZES, **OFF)),
             {"r": 4, "lora_alpha": 8, "target_modules": ["query", "value", "output.dense"],
              "rank_pattern": {"layer.1.attention.self.value": 2}, "alpha_pattern": {"attention.output.dense": 3}}),
    # Biases by position, and the pooler, which is adapted and not used.
    "mpnet": (MPNetModel(MPNetConfig(**SIZES, **OFF)),
              {"r": 3, "lora_alpha": 6, "use_rslora": True, "target_modules": "all-linear"}),
    # Query, key and value as one layer, gates.
    "modernbert": (ModernBertModel(ModernBertConfig(**SIZES, local_attention=4, global_attn_every_n_layers=2, bos_token_id=2,
                                                    eos_token_id=3, cls_token_id=2, sep_token_id=3)),
                   {"r": 4, "lora_alpha": 4, "target_modules": r".*(Wqkv|mlp\.W[io])"}),
}


def state(model, of):
    """The tensors of A and B by the names in PEFT's files."""
    return {name.replace(".default", ""): of(parameter).detach().float().flatten().tolist()
            for name, parameter in model[0].model.named_parameters() if "lora_" in name}


def embed(model, texts):
    features = model.tokenize(texts)
    return model(features)["sentence_embedding"]


def loss_of(model):
    """MultipleNegativesRankingLoss with scale 20."""
    a, b = (torch.nn.functional.normalize(embed(model, list(column)), dim=1) for column in zip(*PAIRS))
    return torch.nn.functional.cross_entropy(a @ b.T * 20, torch.arange(len(PAIRS)))


def batch(model):
    rows = [model.tokenizer(text)["input_ids"] for column in zip(*PAIRS) for text in column]
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    return {"ids": [token for row in rows for token in row], "offsets": offsets}


def make(name, transformer, options):
    folder = OUT / name
    folder.mkdir(parents=True)
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.normal_(0, 0.3) if parameter.dim() > 1 else parameter.add_(torch.randn_like(parameter) * 0.2)
    transformer.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    model = SentenceTransformer(modules=[modules.Transformer(str(folder)), modules.Pooling(16, "mean")], device="cpu")
    golden = {"texts": TEXTS, "plain": model.encode(TEXTS).flatten().tolist()}
    model.add_adapter(LoraConfig(**options))
    with torch.no_grad():
        for key, parameter in model[0].model.named_parameters():
            if "lora_" in key:
                parameter.normal_(0, 0.3)
    model.save(str(OUT / f"{name}-adapter"), create_model_card=False)
    golden["adapted"] = model.encode(TEXTS).flatten().tolist()

    model.double().eval()
    loss = loss_of(model)
    loss.backward()
    golden |= {"batch": batch(model), "loss": loss.item()}
    golden["gradients"] = state(model, lambda x: torch.zeros_like(x) if x.grad is None else x.grad)
    model.zero_grad()
    trained = [x for x in model.parameters() if x.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.01)
    losses = []
    for _ in range(STEPS):
        loss = loss_of(model)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    golden |= {"steps": {"rate": RATE, "losses": losses, "weights": state(model, lambda x: x)}}
    (OUT / f"{name}.json").write_text(json.dumps(golden) + "\n")


torch.manual_seed(1)
shutil.rmtree(OUT, ignore_errors=True)
for name, (transformer, options) in CASES.items():
    make(name, transformer, options)
