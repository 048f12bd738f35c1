"""The Python side of npm run test:python.

models.py make FOLDER      saves tiny random models as sentence-transformers does, one folder each
models.py encode JOBS      JOBS: JSON list of { folder, texts, promptName?, out }; loads each folder and writes its embeddings
                           of the texts to `out` as raw float32
models.py make-cross-encoders FOLDER
models.py predict JOBS     JOBS: JSON list of { folder, pairs, out }; the same for the scores of CrossEncoder, without warnings
models.py make-language-models FOLDER
models.py masked JOBS      JOBS: JSON list of { folder, ids, targets, out }: rows of token ids and what is to be predicted; writes
                           the loss of AutoModelForMaskedLM for every row, without warnings
models.py generate JOBS    JOBS: JSON list of { folder, texts, out }; writes the texts of AutoModelForSeq2SeqLM as JSON
"""

import json
import logging
import sys
from pathlib import Path

import torch
import transformers.integrations.peft
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    CamembertForMaskedLM,
    DistilBertForMaskedLM,
    ElectraForMaskedLM,
    GteForMaskedLM,
    ModernBertForMaskedLM,
    MPNetForMaskedLM,
    MT5EncoderModel,
    NomicBertForMaskedLM,
    RobertaForMaskedLM,
    T5EncoderModel,
    XLMRobertaForMaskedLM,
)

# transformers 5.24 asks for a version of PEFT that is not released.
transformers.integrations.peft.MIN_PEFT_VERSION = "0.21.0"

WORDS = "the a man woman dog cat is was plays runs guitar flute on in field house big small red ##s ##ing ##er play run , . ? !"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS), *WORDS.split()]

CONFIG = dict(vocab_size=len(VOCAB), hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=48,
              max_position_embeddings=40, hidden_act="gelu", initializer_range=0.2)


def transformer(folder, kind=BertModel, **options):
    """A random BertModel, or model of another kind, with BERT's tokenizer, in plain Hugging Face layout."""
    torch.manual_seed(0)
    model = kind(kind.config_class(**{**CONFIG, **options}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # biases are made as zeros, layer-norm weights as ones
                parameter.add_(0.1 * torch.randn_like(parameter))
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join(VOCAB) + "\n")
    BertTokenizer(str(vocab), model_max_length=40).save_pretrained(folder)
    return folder


def make(folder):
    def save(name, heads, prompts=None, **options):
        plain = transformer(folder / "parts" / name, **options)
        model = SentenceTransformer(modules=[modules.Transformer(str(plain)), *heads], prompts=prompts, device="cpu")
        model.save(str(folder / name))

    Pooling, Dense, Normalize = modules.Pooling, modules.Dense, modules.Normalize
    save("mean", [Pooling(32, "mean"), Normalize()])
    save("cls-dense", [Pooling(32, "cls"), Dense(32, 20), Normalize()], hidden_act="gelu_new", type_vocab_size=1)
    save("all-modes", [Pooling(32, ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])], hidden_act="relu")
    save("no-bias", [Pooling(32, ["mean", "lasttoken"]), Dense(64, 7, bias=False, activation_function=torch.nn.Identity())],
         layer_norm_eps=1e-5)
    save("prompts", [Pooling(32, "mean")], prompts={"query": "the dog: ", "document": ""})
    save("without-prompt", [Pooling(32, "mean", include_prompt=False)], prompts={"query": "the dog: "})
    # As sentence-t5 and gtr have it.
    save("t5", [Pooling(32, "mean"), Dense(32, 20, bias=False, activation_function=torch.nn.Identity()), Normalize()],
         kind=T5EncoderModel, d_kv=6, d_ff=48)
    save("mt5", [Pooling(32, "mean")], kind=MT5EncoderModel, d_kv=6, d_ff=48)
    # With matrices and a table that are large enough for 8 bits.
    save("wide", [Pooling(256, "mean"), Normalize()], hidden_size=256, intermediate_size=512, vocab_size=300)
    transformer(folder / "plain")
    parts(folder)


def parts(folder):
    """Modules that few models have."""
    first = modules.Transformer(str(transformer(folder / "parts" / "layers")))
    first.model.config.output_hidden_states = True
    norm = modules.LayerNorm(32)
    with torch.no_grad():
        norm.norm.weight.uniform_(0.5, 1.5)
    heads = [modules.WeightedLayerPooling(32, num_hidden_layers=2, layer_start=1), modules.Pooling(32), norm, modules.Dropout(0.1)]
    SentenceTransformer(modules=[first, *heads], device="cpu").save(str(folder / "layers"))
    tokenizer = BertTokenizer(str(folder / "parts" / "layers" / "vocab.txt"))._tokenizer
    table = modules.StaticEmbedding(tokenizer, embedding_weights=torch.randn(len(VOCAB), 8))
    SentenceTransformer(modules=[table, modules.Normalize()], device="cpu").save(str(folder / "static"))


def encode(jobs):
    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        model = SentenceTransformer(job["folder"], device="cpu")
        model.encode(job["texts"], prompt_name=job.get("promptName")).tofile(job["out"])


def make_cross_encoders(folder):
    for name, labels in (("cross-encoder-1", 1), ("cross-encoder-3", 3)):
        plain = transformer(folder / "parts" / name, BertForSequenceClassification, num_labels=labels)
        CrossEncoder(str(plain), device="cpu").save(str(folder / name))
    transformer(folder / "cross-encoder-plain", BertForSequenceClassification, num_labels=2)


class Refuse(logging.Handler):
    def emit(self, record):
        raise RuntimeError(f"A warning: {record.getMessage()}")


def refuse_warnings():
    for name in ("sentence_transformers", "transformers"):
        logging.getLogger(name).addHandler(Refuse(logging.WARNING))


def make_language_models(folder):
    transformer(folder / "with-head", BertForMaskedLM)
    transformer(folder / "head-not-tied", BertForMaskedLM, tie_word_embeddings=False)
    transformer(folder / "without-head")
    # Positions count from pad_token_id + 1.
    positions, tokens = dict(max_position_embeddings=42), dict(pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3)
    kinds = dict(
        roberta=(RobertaForMaskedLM, positions), camembert=(CamembertForMaskedLM, positions),
        mpnet=(MPNetForMaskedLM, positions), distilbert=(DistilBertForMaskedLM, dict(hidden_dim=48)),
        electra=(ElectraForMaskedLM, dict(embedding_size=20)), gte=(GteForMaskedLM, {}), nomic_bert=(NomicBertForMaskedLM, {}),
        modernbert=(ModernBertForMaskedLM, dict(**tokens, local_attention=8)),
    )
    kinds["xlm-roberta"] = (XLMRobertaForMaskedLM, positions)
    for name, (kind, options) in kinds.items():
        transformer(folder / name, kind, **options)
        transformer(folder / f"{name}-not-tied", kind, **options, tie_word_embeddings=False)
    transformer(folder / "modernbert-without-bias", ModernBertForMaskedLM, **tokens, decoder_bias=False, classifier_bias=True, norm_bias=True)


def masked(jobs):
    refuse_warnings()
    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        model = AutoModelForMaskedLM.from_pretrained(job["folder"]).eval()
        with torch.no_grad():
            losses = [model(input_ids=torch.tensor([ids]), labels=torch.tensor([targets])).loss
                      for ids, targets in zip(job["ids"], job["targets"], strict=True)]
        torch.stack(losses).numpy().tofile(job["out"])


def generate(jobs):
    refuse_warnings()
    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        model = AutoModelForSeq2SeqLM.from_pretrained(job["folder"]).eval()
        tokenizer = AutoTokenizer.from_pretrained(job["folder"])
        texts = []
        for text in job["texts"]:
            batch = tokenizer(text, return_tensors="pt", truncation=True)
            texts.append(tokenizer.decode(model.generate(**batch)[0], skip_special_tokens=True))
        Path(job["out"]).write_text(json.dumps(texts), encoding="utf-8")


def predict(jobs):
    refuse_warnings()
    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        CrossEncoder(job["folder"], device="cpu").predict(job["pairs"]).tofile(job["out"])


COMMANDS = {
    "make": lambda path: make(Path(path)),
    "encode": encode,
    "make-cross-encoders": lambda path: make_cross_encoders(Path(path)),
    "predict": predict,
    "make-language-models": lambda path: make_language_models(Path(path)),
    "masked": masked,
    "generate": generate,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](sys.argv[2])
