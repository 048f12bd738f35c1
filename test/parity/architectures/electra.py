"""ELECTRA: BERT without pooler, with embeddings that may be narrower than the layers (embeddings_project)."""

from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForSequenceClassification, ElectraModel

from .support import Architecture, Checkpoint, Extra, Head, OLD_KEYS, SIZES, SMALL, Setup, with_keys, without_defaults

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, summary_last_dropout=0.0)

ARCHITECTURE = Architecture(
    name="electra",
    config=ElectraConfig,
    model=ElectraModel,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, embedding_size=10, hidden_size=12, num_attention_heads=2, num_hidden_layers=2,
                         intermediate_size=20, max_position_embeddings=70, **NO_DROPOUT),
            covers="gelu, embedding_size 10 below hidden_size 12, 2 token types",
            longest=70,
            variants={
                "defaults": without_defaults(ElectraConfig, *SIZES, "embedding_size", "summary_last_dropout"),
                "hub": with_keys(**OLD_KEYS),
            },
        ),
        "equal": Setup(
            options=dict(vocab_size=26, embedding_size=16, hidden_size=16, num_attention_heads=4, num_hidden_layers=1,
                         intermediate_size=18, max_position_embeddings=66, type_vocab_size=1, hidden_act="gelu_new",
                         layer_norm_eps=1e-5, pad_token_id=5, **NO_DROPOUT),
            covers="embedding_size equal to hidden_size (no projection), gelu_new, epsilon 1e-5, 1 token type, pad_token_id 5",
            longest=66,
        ),
        "wider": Setup(
            options=dict(vocab_size=22, embedding_size=14, hidden_size=8, num_attention_heads=1, num_hidden_layers=1,
                         intermediate_size=12, max_position_embeddings=66, type_vocab_size=3, hidden_act="relu",
                         pad_token_id=None, **NO_DROPOUT),
            covers="embedding_size above hidden_size, relu, 3 token types, pad_token_id null",
            longest=66,
        ),
    },
    checkpoints={
        "bare": Checkpoint(extra=(Extra("embeddings.position_ids", (1, 70), "I64"),)),
        "discriminator": Checkpoint(
            prefix="electra.",
            extra=(
                Extra("discriminator_predictions.dense.weight", (12, 12)), Extra("discriminator_predictions.dense.bias", (12,)),
                Extra("discriminator_predictions.dense_prediction.weight", (1, 12)),
                Extra("discriminator_predictions.dense_prediction.bias", (1,)),
                Extra("electra.embeddings.position_ids", (1, 70), "I64"),
            ),
        ),
        "generator": Checkpoint(
            prefix="electra.",
            extra=(
                Extra("generator_predictions.LayerNorm.weight", (10,)), Extra("generator_predictions.LayerNorm.bias", (10,)),
                Extra("generator_predictions.dense.weight", (10, 12)), Extra("generator_predictions.dense.bias", (10,)),
                Extra("generator_lm_head.weight", (30, 10)), Extra("generator_lm_head.bias", (30,)),
            ),
        ),
    },
    classifiers={
        "three labels": Head(
            ElectraForSequenceClassification,
            dict(**SMALL, embedding_size=6, num_labels=3, hidden_act="relu", summary_last_dropout=0.0),
            "three labels: dense and gelu of the first token, whatever hidden_act is",
        ),
    },
    masked={
        "base": Head(
            ElectraForMaskedLM, dict(**SMALL, embedding_size=6, hidden_act="relu", layer_norm_eps=1e-3),
            "dense to embedding_size, gelu (whatever hidden_act is), norm, table of words and a bias; epsilon 1e-3",
        ),
    },
)
