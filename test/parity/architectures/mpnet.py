"""MPNet: RoBERTa's positions, no token types, and a bias of the attention scores that depends on the distance of two tokens, in 32
buckets that all layers share. The padding token is 1 and the buckets are 32, whatever config.json says."""

from transformers import MPNetConfig, MPNetForMaskedLM, MPNetForSequenceClassification, MPNetModel

from .support import Architecture, Checkpoint, Extra, Head, OLD_KEYS, SIZES, SMALL, Setup, with_keys, without_defaults

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

ARCHITECTURE = Architecture(
    name="mpnet",
    config=MPNetConfig,
    model=MPNetModel,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=2, intermediate_size=20,
                         max_position_embeddings=152, layer_norm_eps=1e-5, **NO_DROPOUT),
            covers="gelu, epsilon 1e-5, a pooler, distances above 128 (the last bucket)",
            longest=150,
            pooler=True,
            variants={"defaults": without_defaults(MPNetConfig, *SIZES), "hub": with_keys(**OLD_KEYS)},
        ),
        "other": Setup(
            options=dict(vocab_size=26, hidden_size=20, num_attention_heads=4, num_hidden_layers=1, intermediate_size=17,
                         max_position_embeddings=68, hidden_act="relu", relative_attention_num_buckets=40, pad_token_id=5,
                         **NO_DROPOUT),
            covers="relu, epsilon 1e-12, 40 rows of buckets (32 are used), pad_token_id 5 (1 is used)",
            longest=66,
            inert=("pad_token_id",),
        ),
    },
    checkpoints={
        "bare": Checkpoint(extra=(Extra("embeddings.position_ids", (1, 152), "I64"),)),
        "MPNetForMaskedLM": Checkpoint(
            prefix="mpnet.",
            extra=(
                Extra("lm_head.bias", (30,)), Extra("lm_head.dense.weight", (12, 12)), Extra("lm_head.dense.bias", (12,)),
                Extra("lm_head.layer_norm.weight", (12,)), Extra("lm_head.layer_norm.bias", (12,)),
                Extra("lm_head.decoder.weight", (30, 12)), Extra("lm_head.decoder.bias", (30,)),
                Extra("mpnet.embeddings.position_ids", (1, 152), "I64"),
            ),
        ),
    },
    classifiers={
        "three labels": Head(
            MPNetForSequenceClassification, dict(**SMALL, num_labels=3), "three labels: dense and tanh of the first token"
        ),
    },
    masked={
        "base": Head(
            MPNetForMaskedLM, dict(**SMALL, hidden_act="relu"), "dense, gelu (whatever hidden_act is), norm, table of words and a bias"
        ),
    },
)
