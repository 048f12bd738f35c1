"""Makes what the theme `architectures` reads: a sentence-transformers folder of the base shape of every architecture with random
weights, in bench/peers/models/architectures (7 GB):

    python bench/architecture_models.py --model FOLDER [--only bert,modernbert,…] [--force]

All but xlm-roberta-large-vocabulary have the tokenizer of --model, so that every architecture reads the same tokens.
modernbert-long: 4 layers of ModernBERT, for rows of up to 8,192 tokens. xlm-roberta-large-vocabulary: a Unigram tokenizer of 250,002
pieces, most of them made up, for the theme `load` (needs sentencepiece and protobuf).
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
import transformers
from peer_models import FOLDER, SEED, made

ROOT = Path(__file__).resolve().parent.parent
# The tokenizer of --model has its padding at 0; MPNet counts positions from 1 whatever the configuration says.
PAD = {"pad_token_id": 0}
SPECIAL = {**PAD, "bos_token_id": 101, "cls_token_id": 101, "eos_token_id": 102, "sep_token_id": 102}
ROBERTA = {**PAD, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
XLM_ROBERTA = {**ROBERTA, "vocab_size": 250_002}
LONGEST = {"modernbert": 8192, "modernbert-long": 8192}

# The shapes of Qwen3-Embedding-0.6B and EmbeddingGemma, with fewer layers and the words of the tokenizer.
QWEN3 = {"vocab_size": 30_522, "hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
         "intermediate_size": 3072, "num_hidden_layers": 12, "max_position_embeddings": 8192}
GEMMA3 = {"vocab_size": 30_522, "hidden_size": 768, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 256,
          "intermediate_size": 1152, "num_hidden_layers": 12, "max_position_embeddings": 2048, "sliding_window": 512,
          "use_bidirectional_attention": True}

# Of DeBERTa-v3-base.
DEBERTA = {"vocab_size": 30_522, "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "intermediate_size": 3072,
           "relative_attention": True, "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm",
           "position_biased_input": False, "position_buckets": 256, "max_relative_positions": -1}

# Class in transformers, and what its configuration has beside its defaults.
SHAPES = {
    "bert": ("Bert", {}),
    "roberta": ("Roberta", ROBERTA),
    "xlm-roberta": ("XLMRoberta", XLM_ROBERTA),
    "mpnet": ("MPNet", {"max_position_embeddings": 514, "layer_norm_eps": 1e-5}),
    "distilbert": ("DistilBert", {}),
    "electra": ("Electra", {"embedding_size": 768, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}),
    "nomic_bert": ("NomicBert", {}),
    "gte": ("Gte", PAD),
    "modernbert": ("ModernBert", SPECIAL),
    "t5": ("T5", {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12}),
    "qwen3": ("Qwen3", QWEN3),
    "gemma3_text": ("Gemma3Text", GEMMA3),
    "deberta-v2": ("DebertaV2", DEBERTA),
    "modernbert-long": ("ModernBert", {**SPECIAL, "num_hidden_layers": 4, "layer_types": None}),
    "xlm-roberta-large-vocabulary": ("XLMRoberta", {**XLM_ROBERTA, "pad_token_id": 1}),
}


def make(name: str, source: Path, to: Path):
    kind, options = SHAPES[name]
    config = getattr(transformers, f"{kind}Config")(**options)
    torch.manual_seed(SEED)
    # Of an encoder-decoder model, the encoder.
    model = "EncoderModel" if config.is_encoder_decoder else "Model"
    getattr(transformers, f"{kind}{model}")(config).save_pretrained(to)
    tokenizer(name, source, to)
    for file in ("modules.json", "config_sentence_transformers.json"):
        shutil.copyfile(source / file, to / file)
    settings = {"max_seq_length": LONGEST.get(name, 512), "do_lower_case": False}
    (to / "sentence_bert_config.json").write_text(json.dumps(settings))
    pooling = (source / "1_Pooling" / "config.json").read_text().replace("384", str(config.hidden_size))
    (to / "1_Pooling").mkdir()
    (to / "1_Pooling" / "config.json").write_text(pooling)


def tokenizer(name: str, source: Path, to: Path):
    if name != "xlm-roberta-large-vocabulary":
        shutil.copyfile(source / "tokenizer.json", to / "tokenizer.json")
        settings = json.loads((source / "tokenizer_config.json").read_text())
        settings["model_max_length"] = LONGEST.get(name, 512)
        (to / "tokenizer_config.json").write_text(json.dumps(settings))
        return
    script = ROOT / "test" / "parity" / "train_tokenizers.py"
    subprocess.run([sys.executable, script, to, "--large", "250002"], check=True)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (to / "unigram-large" / file).rename(to / file)
    shutil.rmtree(to / "unigram-large")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, type=Path, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--only", help="names, with commas between them")
    parser.add_argument("--force", action="store_true", help="make again what is there")
    options = parser.parse_args()
    for name in options.only.split(",") if options.only else SHAPES:
        made(FOLDER / "architectures" / name, options.force, lambda to: make(name, options.model, to))
