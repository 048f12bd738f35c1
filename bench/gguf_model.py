"""Writes bench/peers/models/gguf/<name>.gguf for llama.cpp: the weights, the vocabulary and the pooling of a BERT model of sentence-transformers.

    python bench/gguf_model.py --model FOLDER

Matrices are float32, as in the model's folder. Names of tensors and keys: the gguf package and llama.cpp's loader of BERT.
"""

import argparse
import json
import os
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

FOLDER = Path(os.environ.get("SENTENCE_TORCH_BENCH_PEERS") or Path(__file__).resolve().parent / "peers") / "models" / "gguf"
LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
EMBEDDINGS = {
    "word_embeddings": "token_embd",
    "position_embeddings": "position_embd",
    "token_type_embeddings": "token_types",
    "LayerNorm": "token_embd_norm",
}


def pieces(source):
    """The vocabulary as llama.cpp's WordPiece reads it: a word's beginning is marked, its continuation is not."""
    words = (source / "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = words[:-1] if words[-1] == "" else words
    for word in words:
        if word.startswith("[") and word.endswith("]"):
            yield word, gguf.TokenType.CONTROL
        else:
            yield (word[2:] if word.startswith("##") else "\u2581" + word), gguf.TokenType.NORMAL


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    source = parser.parse_args().model
    config = json.loads((source / "config.json").read_text())
    FOLDER.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(FOLDER / f"{source.name}.gguf", "bert")
    writer.add_name(source.name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    tokens, kinds = zip(*pieces(source))
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_type_count(config["type_vocab_size"])
    for name, add in {"[CLS]": writer.add_bos_token_id, "[SEP]": writer.add_eos_token_id, "[UNK]": writer.add_unk_token_id,
                      "[PAD]": writer.add_pad_token_id, "[MASK]": writer.add_mask_token_id}.items():
        add(tokens.index(name))
    writer.add_sep_token_id(tokens.index("[SEP]"))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)

    for name, tensor in load_file(source / "model.safetensors").items():
        *path, kind = name.removeprefix("bert.").split(".")
        if len(path) == 2 and path[1] in EMBEDDINGS:
            to = f"{EMBEDDINGS[path[1]]}.{kind}"
        elif path[0] == "encoder":
            to = f"blk.{path[2]}.{LAYER['.'.join(path[3:])]}.{kind}"
        else:  # the pooler, and the numbers of positions
            continue
        writer.add_tensor(to, np.ascontiguousarray(tensor, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"Ready: {FOLDER / source.name}.gguf")


if __name__ == "__main__":
    main()
