"""BERT: proves what is tested of every architecture with one that has golden files of its own (make_goldens.py)."""

from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

from .support import Architecture, Checkpoint, Extra, Head, OLD_KEYS, SIZES, SMALL, Setup, gamma_beta, with_keys, without_defaults

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

ARCHITECTURE = Architecture(
    name="bert",
    config=BertConfig,
    model=BertModel,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=2, intermediate_size=20,
                         max_position_embeddings=70, **NO_DROPOUT),
            covers="gelu, epsilon 1e-12, 2 token types, a pooler",
            longest=70,
            pooler=True,
            variants={"defaults": without_defaults(BertConfig, *SIZES), "hub": with_keys(**OLD_KEYS)},
        ),
        "other": Setup(
            options=dict(vocab_size=26, hidden_size=20, num_attention_heads=4, num_hidden_layers=1, intermediate_size=17,
                         max_position_embeddings=66, type_vocab_size=1, hidden_act="gelu_new", layer_norm_eps=1e-3,
                         pad_token_id=5, **NO_DROPOUT),
            covers="gelu_new, epsilon 1e-3, 1 token type, pad_token_id 5",
            longest=66,
        ),
        "no padding token": Setup(
            options=dict(vocab_size=22, hidden_size=8, num_attention_heads=1, num_hidden_layers=1, intermediate_size=12,
                         max_position_embeddings=66, type_vocab_size=3, hidden_act="relu", pad_token_id=None, **NO_DROPOUT),
            covers="relu, 3 token types, pad_token_id null: every embedding is trained",
            longest=66,
        ),
    },
    checkpoints={
        "bare": Checkpoint(extra=(Extra("embeddings.position_ids", (1, 70), "I64"),)),
        "BertForPreTraining": Checkpoint(
            prefix="bert.",
            rename=gamma_beta,
            extra=(
                Extra("cls.predictions.bias", (30,)), Extra("cls.predictions.transform.dense.weight", (12, 12)),
                Extra("cls.predictions.transform.dense.bias", (12,)), Extra("cls.predictions.transform.LayerNorm.gamma", (12,)),
                Extra("cls.predictions.transform.LayerNorm.beta", (12,)), Extra("cls.predictions.decoder.weight", (30, 12)),
                Extra("cls.seq_relationship.weight", (2, 12)), Extra("cls.seq_relationship.bias", (2,)),
                Extra("bert.embeddings.position_ids", (1, 70), "I64"),
            ),
        ),
    },
    classifiers={
        "one label": Head(BertForSequenceClassification, dict(**SMALL, num_labels=1), "one label: the pooler, a linear layer"),
        "three labels": Head(
            BertForSequenceClassification, dict(**SMALL, num_labels=3, hidden_act="relu"), "three labels; the pooler keeps tanh"
        ),
    },
    masked={
        "base": Head(BertForMaskedLM, SMALL, "dense, gelu, norm, table of words and a bias"),
        "relu": Head(BertForMaskedLM, dict(**SMALL, hidden_act="relu", layer_norm_eps=1e-3, pad_token_id=3), "relu, epsilon 1e-3"),
    },
)
