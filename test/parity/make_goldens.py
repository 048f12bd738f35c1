"""Makes every golden file of test/parity/golden from the reference: sentence-transformers on PyTorch.

    python3 -m venv .venv && .venv/bin/pip install torch==2.13.0 transformers==5.24.0 sentence-transformers==6.2.0
    .venv/bin/python test/parity/make_goldens.py            # tiny models, and all-MiniLM-L6-v2 where ../shared has it

What it writes, and why so:
- Values are computed in float64 from weights that are exact in float32, then stored as float32: the reference's own
  rounding error stays out of the tolerances. The same is run in float32 too, and this script fails unless PyTorch's own
  float32 meets the tolerances that the tests ask of the engine.
- Rows are given as packed token ids, so that no tokenizer is needed. The models see them padded, as in the reference.
- Multi-step values come from a plain loop that zeroes, clips and updates the parameters of model and loss together. The
  Trainer of sentence-transformers does not clip the parameters that live in a loss.
- `golden.json` holds configurations, losses and versions; one safetensors file per model or case holds the arrays.
  Tensor names are those of the engine: `<module index>.<name in the checkpoint>`, `loss.<name>`.
"""

import json
import platform
import re
import zlib
from pathlib import Path

import sentence_transformers
import torch
import transformers
from safetensors.torch import load_file, save_file
from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses, modules
from transformers import BertConfig, BertModel
from transformers.trainer_pt_utils import get_parameter_names

HERE = Path(__file__).resolve().parent
OUT = HERE / "golden"
SHARED = HERE.parents[2] / "shared"

LR = 2e-5
STEPS = 10
KEPT_STEPS = (1, 2, 10)
MAX_GRAD_NORM = 1.0
NOISE = 1e-6  # entries of a gradient below this part of its global norm count as zero
# transformers.Trainer.get_decay_parameter_names
NO_DECAY = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]

# ---------------------------------------------------------------------------------------------------------------- models

BERT_DEFAULTS = dict(
    model_type="bert", vocab_size=60, max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
)


def bert_config(**options):
    return {**BERT_DEFAULTS, **options}


# One base for each way in which a BertModel config can differ; odd sizes on purpose.
BASES = {
    "gelu": bert_config(hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=48, hidden_act="gelu",
                        layer_norm_eps=1e-12, type_vocab_size=2),
    "gelu_new": bert_config(hidden_size=24, num_attention_heads=2, num_hidden_layers=1, intermediate_size=40,
                            hidden_act="gelu_new", layer_norm_eps=1e-5, type_vocab_size=1),
    "relu": bert_config(hidden_size=32, num_attention_heads=1, num_hidden_layers=1, intermediate_size=64, hidden_act="relu",
                        layer_norm_eps=1e-3, type_vocab_size=2),
    "odd": bert_config(hidden_size=20, num_attention_heads=4, num_hidden_layers=2, intermediate_size=33, hidden_act="gelu",
                       layer_norm_eps=1e-6, type_vocab_size=3, vocab_size=37),
    "train": bert_config(hidden_size=12, num_attention_heads=2, num_hidden_layers=1, intermediate_size=16, hidden_act="gelu",
                         layer_norm_eps=1e-12, type_vocab_size=2, vocab_size=20, max_position_embeddings=13),
}


def pooling(*modes, include_prompt=True):
    return dict(type="Pooling", modes=list(modes), includePrompt=include_prompt)


def dense(in_features, out_features, activation, bias=True):
    return dict(type="Dense", inFeatures=in_features, outFeatures=out_features, bias=bias,
                activation=activation)


NORMALIZE = dict(type="Normalize")
ACTIVATIONS = {"identity": torch.nn.Identity, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "gelu": torch.nn.GELU,
               "sigmoid": torch.nn.Sigmoid, "silu": torch.nn.SiLU}
ALL_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")

# base -> pipeline name -> modules after the transformer
PIPELINES = {
    "gelu": {
        "mean": [pooling("mean")],
        "all_modes": [pooling(*ALL_MODES)],
        "normalized": [pooling("mean"), NORMALIZE],
        "dense_tanh": [pooling("mean"), dense(32, 20, "tanh"), NORMALIZE],
        "dense_identity": [pooling("cls", "mean"), dense(64, 12, "identity", bias=False)],
        **{f"dense_{name}": [pooling("mean"), dense(32, 5, name)] for name in ("relu", "gelu", "sigmoid", "silu")},
        "without_prompt": [pooling("max", "mean", "mean_sqrt_len_tokens", "weightedmean", include_prompt=False)],
    },
    "gelu_new": {"mean": [pooling("mean")]},
    "relu": {"mean": [pooling("mean"), NORMALIZE]},
    "odd": {"mean": [pooling("mean")], "dense": [pooling("mean", "lasttoken"), dense(40, 7, "tanh"), NORMALIZE]},
}
PROMPT_LENGTH = 2  # of the pipeline `without_prompt`, in every row


class Pipeline(torch.nn.Module):
    """A BertModel and the modules after it, called as sentence-transformers' losses call a model."""

    def __init__(self, base, specs):
        super().__init__()
        self.bert = BertModel(BertConfig(**{k: v for k, v in base.items() if k != "model_type"}, attn_implementation="eager"))
        self.heads = torch.nn.ModuleList()
        for spec in specs:
            if spec["type"] == "Pooling":
                self.heads.append(modules.Pooling(base["hidden_size"], spec["modes"], spec["includePrompt"]))
                self.width = self.heads[-1].get_embedding_dimension()
            elif spec["type"] == "Dense":
                activation = ACTIVATIONS[spec["activation"]]()
                self.heads.append(modules.Dense(spec["inFeatures"], spec["outFeatures"], spec["bias"], activation))
                self.width = spec["outFeatures"]
            else:
                self.heads.append(modules.Normalize())

    @property
    def device(self):
        return torch.device("cpu")

    def forward(self, features):
        output = self.bert(**{k: v for k, v in features.items() if k in ("input_ids", "attention_mask", "token_type_ids")})
        features = {**features, "token_embeddings": output.last_hidden_state, "pooler_output": output.pooler_output}
        for head in self.heads:
            features = head(features)
        return features


def engine_name(name):
    """The engine's name of a parameter of a Pipeline, or of a loss that holds one as `model`."""
    name = name.removeprefix("model.")
    if name.startswith("bert."):
        return "0." + name.removeprefix("bert.")
    if name.startswith("heads."):
        _, index, rest = name.split(".", 2)
        return f"{int(index) + 1}.{rest}"
    return "loss." + name


def seed_of(name):
    return zlib.crc32(name.encode())


def randomise(module, name):
    """Large random values, exact in float32: outputs that no two rows share, gradients far above rounding noise."""
    generator = torch.Generator().manual_seed(seed_of(name))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            scale, shift = (0.1, 1.0) if "LayerNorm.weight" in name else (0.1, 0.0) if name.endswith("bias") else (0.25, 0.0)
            parameter.copy_(values * scale + shift)


# --------------------------------------------------------------------------------------------------------------- batches


def random_rows(lengths, least, end, name):
    generator = torch.Generator().manual_seed(seed_of(name))
    return [torch.randint(least, end, (length,), generator=generator).tolist() for length in lengths]


def packed(rows, prefix=""):
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    return {
        prefix + "ids": torch.tensor([token for row in rows for token in row], dtype=torch.int32),
        prefix + "offsets": torch.tensor(offsets, dtype=torch.int32),
    }


def padded(rows, token_types=None):
    width = max(map(len, rows))
    fill = lambda values: torch.tensor([list(v) + [0] * (width - len(v)) for v in values])
    features = {"input_ids": fill(rows), "attention_mask": fill([[1] * len(row) for row in rows])}
    if token_types is not None:
        features["token_type_ids"] = fill(token_types)
    return features


# -------------------------------------------------------------------------------------------------------------- encoding


def make_weights():
    for name, base in BASES.items():
        bert = Pipeline(base, []).bert
        randomise(bert, name)
        save(f"weights-{name}", {f"0.{n}": p.detach().clone() for n, p in bert.named_parameters()})


def make_encoding(index):
    for base_name, pipelines in PIPELINES.items():
        base = BASES[base_name]
        # Every length that the positions allow, in an order that is not sorted, and types that differ within a row.
        lengths = [(7 * i) % 41 for i in range(1, 41)]
        rows = random_rows(lengths, 1, base["vocab_size"], f"{base_name}/ids")
        types = random_rows(lengths, 0, base["type_vocab_size"], f"{base_name}/types")
        shown = [lengths.index(n) for n in (1, 2, 9, 40)]  # the rows whose token embeddings are kept
        tensors = packed(rows)
        tensors["tokenTypes"] = torch.tensor([t for row in types for t in row], dtype=torch.int32)
        entry = {"config": base, "weights": f"weights-{base_name}", "tokenRows": shown, "pipelines": {}}
        for number, (name, specs) in enumerate(pipelines.items()):
            pipeline = Pipeline(base, specs)
            randomise(pipeline.bert, base_name)
            randomise(pipeline.heads, f"{base_name}/{name}")
            for parameter, value in pipeline.named_parameters():
                if not parameter.startswith("bert."):
                    tensors[f"{name}/weights/{engine_name(parameter)}"] = value.detach().clone()
            with_prompt = not all(spec.get("includePrompt", True) for spec in specs)
            used = [i for i, n in enumerate(lengths) if not with_prompt or n > PROMPT_LENGTH]
            entry["pipelines"][name] = {"modules": specs, "dimension": pipeline.width}
            if with_prompt:
                entry["pipelines"][name] |= {"promptLength": PROMPT_LENGTH, "rows": used}
            outputs = {}
            for dtype in (torch.float32, torch.float64):
                pipeline = pipeline.to(dtype).eval()
                features = padded([rows[i] for i in used], [types[i] for i in used])
                if with_prompt:
                    features["prompt_length"] = PROMPT_LENGTH
                with torch.no_grad():
                    outputs[dtype] = pipeline(features)
            exact = outputs[torch.float64]
            error = (outputs[torch.float32]["sentence_embedding"] - exact["sentence_embedding"]).abs().max().item()
            assert error <= 1e-5, f"{base_name}/{name}: PyTorch's own float32 error is {error}"
            tensors[f"{name}/sentence_embedding"] = exact["sentence_embedding"].float()
            if number == 0:
                tensors["pooler_output"] = exact["pooler_output"].float()
                tensors["token_embeddings"] = torch.cat(
                    [exact["token_embeddings"][i, : lengths[i]] for i in shown]
                ).float()
        index["encoding"][base_name] = entry
        save(f"encoding-{base_name}", tensors)


# -------------------------------------------------------------------------------------------------------------- training


def loss_case(loss, columns=2, batch=6, modules=None, base="train", weight_decay=0.0, rows="random", steps=STEPS, **loss_options):
    return dict(base=base, modules=modules or [pooling("mean")], loss={"type": loss, **loss_options}, columns=columns, batch=batch,
                weightDecay=weight_decay, rows=rows, steps=steps)


MNR, COSENT, COSINE, SOFTMAX = "MultipleNegativesRankingLoss", "CoSENTLoss", "CosineSimilarityLoss", "SoftmaxLoss"
DENSE_HEAD = [pooling("cls", "mean"), dense(24, 10, "tanh"), NORMALIZE]
MULTIPLICATION = dict(numLabels=3, concatenationSentMultiplication=True)
CASES = {
    "mnr-2": loss_case(MNR, scale=20),
    "mnr-3": loss_case(MNR, columns=3, scale=20, weight_decay=0.01),
    "mnr-4": loss_case(MNR, columns=4, batch=4, scale=5, modules=DENSE_HEAD),
    "mnr-one-row": loss_case(MNR, columns=3, batch=1, scale=20),
    "mnr-one-pair": loss_case(MNR, batch=1, scale=20, steps=0),  # one candidate: loss and gradients are exactly zero
    "mnr-repeated": loss_case(MNR, scale=20, rows="repeated"),
    "mnr-padding-token": loss_case(MNR, scale=20, rows="padding token", weight_decay=0.01),
    "mnr-dot": loss_case(MNR, columns=3, scale=1, similarity="dot", steps=0),
    "cosent": loss_case(COSENT, scale=20),
    "cosent-decay": loss_case(COSENT, scale=20, modules=DENSE_HEAD, weight_decay=0.01),
    "cosent-one-row": loss_case(COSENT, batch=1, scale=20, steps=0),  # no pair to compare: exactly zero
    "cosent-repeated": loss_case(COSENT, scale=20, rows="repeated"),
    "cosine": loss_case(COSINE),
    "cosine-one-row": loss_case(COSINE, batch=1),
    "softmax": loss_case(SOFTMAX, numLabels=3),
    "softmax-decay": loss_case(SOFTMAX, **MULTIPLICATION, weight_decay=0.01, modules=DENSE_HEAD),
    "softmax-difference": loss_case(SOFTMAX, numLabels=3, concatenationSentRep=False, steps=0),
    "softmax-one-row": loss_case(SOFTMAX, batch=1, numLabels=3),
    # Gradients alone, through every way of pooling and every kind of encoder.
    **{f"pooling-{mode}": loss_case(MNR, scale=10, modules=[pooling(mode)], steps=0) for mode in ALL_MODES if mode != "mean"},
    "pooling-all": loss_case(MNR, scale=10, modules=[pooling(*ALL_MODES), NORMALIZE], steps=0),
    **{f"dense-{name}": loss_case(MNR, scale=10, modules=[pooling("mean"), dense(12, 7, name)], steps=0)
       for name in ("identity", "relu", "gelu", "sigmoid", "silu")},
    **{f"encoder-{base}": loss_case(MNR, columns=3, scale=10, base=base, steps=0) for base in ("gelu", "gelu_new", "relu", "odd")},
}


def make_loss(spec, model):
    options = {k: v for k, v in spec.items() if k != "type"}
    if spec["type"] == MNR:
        similarity = util.dot_score if options.get("similarity") == "dot" else util.cos_sim
        return losses.MultipleNegativesRankingLoss(model, scale=options["scale"], similarity_fct=similarity)
    if spec["type"] == COSENT:
        return losses.CoSENTLoss(model, **options)
    if spec["type"] == COSINE:
        # float32 labels meet float64 similarities in the reference run
        return losses.CosineSimilarityLoss(model, loss_fct=lambda x, y: torch.nn.functional.mse_loss(x, y.to(x.dtype)))
    return losses.SoftmaxLoss(model, model.width, num_labels=options["numLabels"],
                              concatenation_sent_rep=options.get("concatenationSentRep", True),
                              concatenation_sent_multiplication=options.get("concatenationSentMultiplication", False))


def make_labels(loss, batch):
    if loss == SOFTMAX:
        return torch.tensor([(2 * i + 1) % 3 for i in range(batch)])
    if loss in (COSENT, COSINE):
        return torch.tensor([0.125 * ((5 * i + 8) % 9) for i in range(batch)])  # exact in float32
    return None


def trained(loss):
    """Parameters that take part in training: all but the pooler's, by the engine's names."""
    return {engine_name(n): p for n, p in loss.named_parameters() if "bert.pooler." not in n}


def optimizer_for(loss, weight_decay):
    decay = set(get_parameter_names(loss, [torch.nn.LayerNorm], NO_DECAY))
    groups = [([], weight_decay), ([], 0.0)]
    for name, parameter in loss.named_parameters():
        if "bert.pooler." not in name:
            groups[0 if name in decay else 1][0].append(parameter)
    return torch.optim.AdamW([dict(params=p, weight_decay=d) for p, d in groups], lr=LR, betas=(0.9, 0.999), eps=1e-8)


def run_steps(loss, columns, labels, steps, weight_decay):
    """Loss and gradients at the start, then `steps` optimiser steps; parameters after those of KEPT_STEPS."""
    result = {"losses": [], "gradNorms": [], "params": {}}
    parameters = trained(loss)
    optimizer = optimizer_for(loss, weight_decay)
    for step in range(max(1, steps)):
        optimizer.zero_grad()
        value = loss([dict(column) for column in columns], labels)
        value.backward()
        if step == 0:
            result["grads"] = {n: p.grad.clone() if p.grad is not None else torch.zeros_like(p) for n, p in parameters.items()}
        norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), MAX_GRAD_NORM)
        result["losses"].append(value.item())
        result["gradNorms"].append(norm.item())
        if steps:
            optimizer.step()
        if step + 1 in KEPT_STEPS:
            result["params"][step + 1] = {n: p.detach().clone() for n, p in parameters.items()}
    return result


def is_key_bias(name):
    return name.endswith("attention.self.key.bias")


def check_float32(name, single, exact, steps):
    """PyTorch's float32 against its float64, by the tolerances that the tests use."""
    total = torch.cat([g.flatten() for g in exact["grads"].values()]).norm()
    for tensor, gradient in exact["grads"].items():
        difference = (single["grads"][tensor] - gradient).norm()
        assert difference <= 1e-4 * gradient.norm() + 1e-7 * total, f"{name}: gradient of {tensor} differs by {difference}"
    if steps:
        # Adam divides a gradient by its own size: where the true gradient is zero (key biases, tokens of equal rows) it turns
        # rounding noise into moves of up to lr a step, in PyTorch as anywhere.
        for kept in KEPT_STEPS:
            worst = [0.0, 0.0]
            for tensor, values in exact["params"][kept].items():
                difference = (single["params"][kept][tensor] - values).abs()
                noise = exact["grads"][tensor].abs() <= NOISE * total
                worst[0] = max(worst[0], difference[~noise].max().item() if (~noise).any() else 0)
                worst[1] = max(worst[1], difference[noise].max().item() if noise.any() else 0)
            assert worst[0] <= 1e-5 and worst[1] <= LR * kept, f"{name}: parameters after {kept} steps differ by {worst}"
        print(f"{name:18} loss {exact['losses'][0]:.6f}  norm {min(exact['gradNorms']):.3f}  float32 differs by {worst[0]:.1e}, where "
              f"the gradient is zero by {worst[1]:.1e}")


def make_training(index):
    for name, case in CASES.items():
        base = BASES[case["base"]]
        longest = 12 if case["base"] == "train" else 10
        count = case["columns"] * case["batch"]
        lengths = [1 + (5 * i + seed_of(name)) % longest for i in range(count)]
        # Token 0 is the padding token, whose embedding the reference never trains; it has a case of its own.
        rows = random_rows(lengths, 0 if case["rows"] == "padding token" else 1, base["vocab_size"], f"{name}/ids")
        if case["rows"] == "repeated":  # rows 0 and 1 are equal in every column; in row 2 both columns are
            for column in range(case["columns"]):
                rows[column * case["batch"] + 1] = rows[column * case["batch"]]
            rows[case["batch"] + 2] = rows[2]
        columns = [padded(rows[c * case["batch"] : (c + 1) * case["batch"]]) for c in range(case["columns"])]
        labels = make_labels(case["loss"]["type"], case["batch"])
        if case["rows"] == "repeated" and labels is not None:
            labels[3] = labels[4]  # CoSENT compares no rows of equal label

        results = {}
        for dtype in (torch.float32, torch.float64):
            pipeline = Pipeline(base, case["modules"])
            loss = make_loss(case["loss"], pipeline)
            randomise(loss, name)
            randomise(pipeline.bert, case["base"])
            weights = {engine_name(n): p.detach().clone() for n, p in loss.named_parameters() if ".bert." not in n}
            loss.to(dtype).train()
            results[dtype] = run_steps(loss, columns, labels, case["steps"], case["weightDecay"])
        exact = results[torch.float64]
        check_float32(name, results[torch.float32], exact, case["steps"])
        if case["steps"]:
            assert min(exact["gradNorms"]) >= 0.1, f"{name}: gradient norm {min(exact['gradNorms'])}"

        tensors = packed(rows)
        if labels is not None:
            tensors["labels"] = labels.to(torch.int32 if labels.dtype == torch.int64 else torch.float32)
        tensors |= {f"weights/{n}": t for n, t in weights.items()}
        tensors |= {f"grad/{n}": t.float() for n, t in exact["grads"].items()}
        for step, parameters in exact["params"].items():
            if case["steps"]:
                tensors |= {f"after{step}/{n}": t.float() for n, t in parameters.items()}
        index["training"][name] = {
            "config": base, "weights": f"weights-{case['base']}", **{k: case[k] for k in ("modules", "loss", "columns", "batch", "weightDecay", "steps")},
            "losses": exact["losses"], "gradNorms": exact["gradNorms"],
        }
        save(f"training-{name}", tensors)


# ------------------------------------------------------------------------------------------------- all-MiniLM-L6-v2 itself


def read_pairs(name, count, every):
    lines = (SHARED / "data" / "stsb" / name).read_text(encoding="utf-8").split("\n")[1:]
    return [line.split("\t")[:2] for line in lines[::every][:count]]


def digest(tensors, reference=None):
    """Norm of each tensor and the values at eight places: four of the largest (of `reference`), four spread evenly."""
    result = {}
    for name, tensor in tensors.items():
        flat = tensor.flatten()
        largest = (reference or tensors)[name].flatten().abs().topk(4).indices.tolist()
        spread = [(len(flat) - 1) * i // 3 for i in range(4)]
        places = largest + spread
        result[name] = {"norm": flat.norm().item(), "places": places, "values": [float(f"{flat[i].item():.9g}") for i in places]}
    return result


def make_minilm(index):
    folder = SHARED / "models" / "all-MiniLM-L6-v2"
    if not folder.exists():
        print("No ../shared/models/all-MiniLM-L6-v2: its golden files are left as they are")
        return
    config = json.loads((folder / "config.json").read_text())
    base = {k: config[k] for k in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                                   "hidden_act", "max_position_embeddings", "type_vocab_size", "layer_norm_eps")}
    base |= dict(model_type="bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    tokenizer = sentence_transformers.SentenceTransformer(str(folder), device="cpu").tokenizer

    def build(specs, dtype):
        pipeline = Pipeline(base, specs)
        pipeline.bert.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        return pipeline.to(dtype)

    def token_rows(texts):
        return tokenizer(texts, truncation=True, max_length=256)["input_ids"]

    specs = [pooling("mean"), NORMALIZE]
    sentences = [text for pair in read_pairs("dev.tsv", 32, 47) for text in pair]
    rows = token_rows(sentences)
    with torch.no_grad():
        exact, single = (build(specs, d).eval()(padded(rows))["sentence_embedding"] for d in (torch.float64, torch.float32))
    error = (single - exact).abs().max().item()
    assert error <= 2e-6, f"MiniLM: PyTorch's own float32 error is {error}"
    tensors = packed(rows) | {"sentence_embedding": exact.float()}

    # Each sentence with the second one of the next row: pairs so wrong that gradients stay large through all ten steps.
    pairs = read_pairs("train.tsv", 8, 700)
    pairs = [[pairs[i][0], pairs[(i + 1) % len(pairs)][1]] for i in range(len(pairs))]
    columns = [token_rows([pair[c] for pair in pairs]) for c in range(2)]
    tensors |= packed(columns[0] + columns[1], "train/")
    results = {}
    for dtype in (torch.float32, torch.float64):
        loss = losses.MultipleNegativesRankingLoss(build(specs, dtype), scale=20).train()
        before = {n: p.detach().clone() for n, p in trained(loss).items()}
        results[dtype] = run_steps(loss, [padded(c) for c in columns], None, STEPS, 0.0)
    exact = results[torch.float64]
    check_float32("all-MiniLM-L6-v2", results[torch.float32], exact, STEPS)
    assert min(exact["gradNorms"]) >= 0.1, exact["gradNorms"]
    moved = {n: p - before[n] for n, p in exact["params"][STEPS].items()}
    index["minilm"] = {
        "sentences": sentences, "modules": specs, "devSpearman": 0.867163,
        "training": {
            "loss": {"type": MNR, "scale": 20}, "columns": 2, "batch": 8, "weightDecay": 0.0, "steps": STEPS, "pairs": pairs,
            "losses": exact["losses"], "gradNorms": exact["gradNorms"], "grads": digest(exact["grads"]),
            "after10": digest(exact["params"][STEPS], moved),
        },
    }
    save("minilm", tensors)


# ---------------------------------------------------------------------------------------------------------------- output


def save(name, tensors):
    path = OUT / f"{name}.safetensors"
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    assert path.stat().st_size < 500_000, f"{path} is too large to keep in the repository"


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    path = OUT / "golden.json"
    index = {
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
            "sentence_transformers": sentence_transformers.__version__,
        },
        "lr": LR, "maxGradNorm": MAX_GRAD_NORM, "noise": NOISE, "encoding": {}, "training": {},
        "minilm": json.loads(path.read_text())["minilm"] if path.exists() else None,
    }
    make_weights()
    make_encoding(index)
    make_training(index)
    make_minilm(index)
    # Lists of plain values on one line each.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\n\s*", " ", m[0]), json.dumps(index, indent=1, ensure_ascii=False))
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
