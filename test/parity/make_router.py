"""Makes test/parity/golden/router: models with a Router, saved by sentence-transformers, with what they encode, and runs of its trainer.

    .venv/bin/python test/parity/make_router.py        # the packages of make_goldens.py

`<name>/` is the model as it is saved, `<name>.json` has the texts, their embeddings by task, and what `print(model)` gives.
`training.json` has runs from these folders on: arguments, data, the log, and embeddings by task afterwards.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

import torch
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.modules import Router
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer import losses, modules
from tokenizers import Tokenizer
from torch.utils.data import SequentialSampler
from transformers import BertConfig, BertModel, BertTokenizer, TrainerCallback

OUT = Path(__file__).resolve().parent / "golden" / "router"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog runs sat on mat ##s fast slow not , .".split()
TEXTS = ["the cat sat on the mat", "a dog runs", "fast dogs, slow cats.", "not a mat"]

torch.set_num_threads(1)
torch.manual_seed(0)
shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
plain = OUT / "plain"


def transformer():
    config = BertConfig(vocab_size=len(WORDS), hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=12,
                        max_position_embeddings=24, initializer_range=0.3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    shutil.rmtree(plain, ignore_errors=True)
    plain.mkdir(parents=True)
    BertModel(config).save_pretrained(plain)
    (plain / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizer(str(plain / "vocab.txt"), model_max_length=24).save_pretrained(plain)
    return modules.Transformer(str(plain))


def static(width):
    return modules.StaticEmbedding(Tokenizer.from_file(str(plain / "tokenizer.json")), embedding_weights=torch.randn(len(WORDS), width))


def encoded(model, tasks, **options):
    return {str(task): model.encode(TEXTS, task=task, **options).flatten().tolist() for task in tasks}


def save(name, parts, tasks=(None, "query", "document"), prompts=None):
    model = SentenceTransformer(modules=parts, prompts=prompts, device="cpu")
    model.save(str(OUT / name), create_model_card=False)
    model = SentenceTransformer(str(OUT / name), device="cpu")
    golden = {
        "texts": TEXTS,
        "dimension": model.get_embedding_dimension(),
        "maxSeqLength": None if model.max_seq_length in (None, float("inf")) else model.max_seq_length,
        "embeddings": encoded(model, tasks),
        "query": model.encode_query(TEXTS).flatten().tolist() if "query" in tasks else None,
        "document": model.encode_document(TEXTS).flatten().tolist() if "document" in tasks else None,
        "printed": str(model),
    }
    (OUT / f"{name}.json").write_text(json.dumps(golden) + "\n")


Pooling, Dense, Normalize = modules.Pooling, modules.Dense, modules.Normalize

# A table for queries, a transformer for documents, and a module behind both.
document = [transformer(), Pooling(8, "mean"), Dense(8, 6)]
save("towers", [Router.for_query_document([static(6)], document), Normalize()], prompts={"query": "the dog ", "document": ""})

# One transformer and pooling on both routes, each with a layer of its own.
first, pooling = transformer(), Pooling(8, "mean")
save("shared", [Router.for_query_document([first, pooling, Dense(8, 6)], [first, pooling, Dense(8, 6), Normalize()], default_route="query")])

# Behind a transformer, without a default; and the same folder as an Asym of sentence-transformers 2 to 4.
router = Router({"query": [Dense(8, 6)], "document": [Dense(8, 6), Dense(6, 6)]}, allow_empty_key=False)
save("behind", [transformer(), Pooling(8, ("cls", "max")[:1]), router], tasks=("query", "document"))
old = OUT / "asym"
shutil.copytree(OUT / "behind", old)
(old / "2_Router").rename(old / "2_Asym")
config = json.loads((old / "2_Asym" / "router_config.json").read_text())
(old / "2_Asym" / "router_config.json").unlink()
names = {path: f"{1400 + i}_Dense" for i, path in enumerate(config["types"])}
for path, name in names.items():
    (old / "2_Asym" / path).rename(old / "2_Asym" / name)
config["types"] = {names[path]: "sentence_transformers.models.Dense" for path in config["types"]}
config["structure"] = {route: [names[path] for path in paths] for route, paths in config["structure"].items()}
config["parameters"] = {"allow_empty_key": False}
(old / "2_Asym" / "config.json").write_text(json.dumps(config, indent=4))
listed = json.loads((old / "modules.json").read_text())
listed[2] |= {"path": "2_Asym", "type": "sentence_transformers.models.Asym"}
(old / "modules.json").write_text(json.dumps(listed, indent=2))
model = SentenceTransformer(str(old), device="cpu")
(OUT / "asym.json").write_text(json.dumps({"texts": TEXTS, "embeddings": encoded(model, ("query", "document"))}) + "\n")

# Rules in place of names.
mapped = Router(
    {"short": [static(6)], "long": [transformer(), Pooling(8, "mean"), Dense(8, 6)]},
    default_route="short",
    route_mappings={("query", "text"): "short", ("document", None): "long", (None, ("text", "image")): "long", ("other", None): "short"},
)
save("mapped", [mapped], tasks=(None, "query", "document", "other", "long"))


def snake(value):
    return re.sub("([A-Z])", lambda found: "_" + found[1].lower(), value)


def train(name, args, data):
    records = []

    class Recorder(TrainerCallback):
        def on_log(self, _args, state, control, logs, **kwargs):
            if "loss" in logs:
                records.append({key: logs[key] for key in ["loss", "grad_norm", "learning_rate"]})

    model = SentenceTransformer(str(OUT / name), device="cpu")
    torch.manual_seed(0)
    SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=tempfile.mkdtemp(), use_cpu=True, disable_tqdm=True,
            batch_sampler=lambda dataset, batch_size, drop_last, **kwargs: DefaultBatchSampler(
                SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last
            ),
            **{snake(key): value for key, value in args.items()},
        ),
        train_dataset=DatasetDict({key: Dataset.from_dict(value) for key, value in data.items()}) if isinstance(next(iter(data.values())), dict)
        else Dataset.from_dict(data),
        loss=losses.MultipleNegativesRankingLoss(model),
        callbacks=[Recorder()],
    ).train()
    return {"model": name, "args": args, "data": data, "records": records, "texts": TEXTS,
            "embeddings": encoded(model, ("query", "document"))}


nouns, verbs = ["cat", "dog", "cats", "dogs", "mat"], ["runs", "sat", "sat on", "not runs"]
pairs = [(f"{noun} {verb}", f"the {noun} {verb} , a {nouns[i - 1]} {verbs[j - 1]} .") for i, noun in enumerate(nouns) for j, verb in enumerate(verbs)]
ranking = {"question": [q for q, _ in pairs], "answer": [a for _, a in pairs], "other": [f"slow {a}" for _, a in pairs[3:] + pairs[:3]]}
same = {"one": [a for _, a in pairs], "two": [f"fast {a}" for _, a in pairs]}
common = {"maxSteps": 20, "perDeviceTrainBatchSize": 4, "learningRate": 1e-3, "weightDecay": 0.1, "maxGradNorm": 0.5, "warmupSteps": 3,
          "loggingSteps": 1, "saveStrategy": "no"}
mapping = {"question": "query", "answer": "document", "other": "document"}
rates = {r"sub_modules\.query\.": 1e-2}
runs = [
    train("towers", {**common, "routerMapping": mapping, "learningRateMapping": rates, "prompts": {"question": "the dog "}}, ranking),
    train("shared", {**common, "routerMapping": mapping, "gradientAccumulationSteps": 2}, ranking),
    train("behind", {**common, "routerMapping": mapping}, ranking),
    # The route of queries rests in every other step.
    train("towers", {**common, "multiDatasetBatchSampler": "round_robin",
                     "routerMapping": {"ranking": mapping, "same": {"one": "document", "two": "document"}}},
          {"ranking": ranking, "same": same}),
]
(OUT / "training.json").write_text(json.dumps({"runs": runs}, indent=1) + "\n")
shutil.rmtree(plain)
