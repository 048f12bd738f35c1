"""RoBERTa, XLM-RoBERTa and CamemBERT: one architecture under three names. Positions count from pad_token_id + 1; a padding token
in a text has the position pad_token_id and is not counted."""

from transformers import (
    CamembertConfig,
    CamembertForMaskedLM,
    CamembertForSequenceClassification,
    CamembertModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from .support import Architecture, Checkpoint, Extra, Head, OLD_KEYS, SIZES, SMALL, Setup, with_keys, without_defaults

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def lm_head(vocab, width, positions, prefix="roberta."):
    """The head of ...ForMaskedLM and indices, as in the files of roberta-base."""
    return (
        Extra("lm_head.bias", (vocab,)), Extra("lm_head.dense.weight", (width, width)), Extra("lm_head.dense.bias", (width,)),
        Extra("lm_head.layer_norm.weight", (width,)), Extra("lm_head.layer_norm.bias", (width,)),
        Extra("lm_head.decoder.weight", (vocab, width)), Extra("lm_head.decoder.bias", (vocab,)),
        Extra(f"{prefix}embeddings.position_ids", (1, positions), "I64"),
    )


def checkpoints(vocab, width, positions):
    return {
        "bare": Checkpoint(extra=(Extra("embeddings.position_ids", (1, positions), "I64"),)),
        "ForMaskedLM": Checkpoint(prefix="roberta.", extra=lm_head(vocab, width, positions)),
    }


ROBERTA = Architecture(
    name="roberta",
    config=RobertaConfig,
    model=RobertaModel,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=2, intermediate_size=20,
                         max_position_embeddings=72, type_vocab_size=1, layer_norm_eps=1e-5, **NO_DROPOUT),
            covers="gelu, epsilon 1e-5, 1 token type, pad_token_id 1, a pooler",
            longest=70,
            pooler=True,
            variants={"defaults": without_defaults(RobertaConfig, *SIZES), "hub": with_keys(**OLD_KEYS)},
        ),
        "other": Setup(
            options=dict(vocab_size=26, hidden_size=20, num_attention_heads=4, num_hidden_layers=1, intermediate_size=17,
                         max_position_embeddings=74, type_vocab_size=2, hidden_act="relu", layer_norm_eps=1e-12,
                         pad_token_id=5, **NO_DROPOUT),
            covers="relu, epsilon 1e-12, 2 token types, pad_token_id 5",
            longest=68,
            variants={"defaults": without_defaults(RobertaConfig, *SIZES)},
        ),
        "padding token 0": Setup(
            options=dict(vocab_size=22, hidden_size=8, num_attention_heads=1, num_hidden_layers=1, intermediate_size=12,
                         max_position_embeddings=67, type_vocab_size=3, hidden_act="gelu_new", pad_token_id=0, **NO_DROPOUT),
            covers="gelu_new, 3 token types, pad_token_id 0",
            longest=66,
        ),
    },
    checkpoints=checkpoints(30, 12, 72),
    classifiers={
        "three labels": Head(
            RobertaForSequenceClassification, dict(**SMALL, num_labels=3, hidden_act="relu"),
            "three labels: dense and tanh of the first token, whatever hidden_act is",
        ),
    },
    masked={
        "base": Head(
            RobertaForMaskedLM, dict(**SMALL, hidden_act="relu", layer_norm_eps=1e-3),
            "dense, gelu (whatever hidden_act is), norm, table of words and a bias; epsilon 1e-3",
        ),
    },
)

XLM_ROBERTA = Architecture(
    name="xlm-roberta",
    config=XLMRobertaConfig,
    model=XLMRobertaModel,
    setups={
        "base": Setup(
            options=dict(vocab_size=40, hidden_size=12, num_attention_heads=3, num_hidden_layers=2, intermediate_size=20,
                         max_position_embeddings=72, type_vocab_size=1, layer_norm_eps=1e-5, **NO_DROPOUT),
            covers="gelu, epsilon 1e-5, 1 token type, pad_token_id 1, a pooler",
            longest=70,
            pooler=True,
            variants={"defaults": without_defaults(XLMRobertaConfig, *SIZES), "hub": with_keys(**OLD_KEYS)},
        ),
        "other": Setup(
            options=dict(vocab_size=26, hidden_size=16, num_attention_heads=2, num_hidden_layers=1, intermediate_size=18,
                         max_position_embeddings=70, type_vocab_size=2, hidden_act="gelu_new", layer_norm_eps=1e-8,
                         pad_token_id=3, **NO_DROPOUT),
            covers="gelu_new, epsilon 1e-8, 2 token types, pad_token_id 3",
            longest=66,
        ),
    },
    checkpoints=checkpoints(40, 12, 72),
    classifiers={
        "one label": Head(
            XLMRobertaForSequenceClassification, dict(**SMALL, num_labels=1), "one label: dense and tanh of the first token"
        ),
    },
    masked={
        "base": Head(XLMRobertaForMaskedLM, SMALL, "dense, gelu, norm, table of words and a bias"),
    },
)

CAMEMBERT = Architecture(
    name="camembert",
    config=CamembertConfig,
    model=CamembertModel,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=1, intermediate_size=20,
                         max_position_embeddings=72, type_vocab_size=1, layer_norm_eps=1e-5, bos_token_id=5, eos_token_id=6,
                         **NO_DROPOUT),
            covers="gelu, epsilon 1e-5, 1 token type, pad_token_id 1, a pooler",
            longest=70,
            pooler=True,
            variants={"defaults": without_defaults(CamembertConfig, *SIZES), "hub": with_keys(**OLD_KEYS)},
        ),
    },
    checkpoints=checkpoints(30, 12, 72),
    classifiers={
        "two labels": Head(
            CamembertForSequenceClassification, dict(**SMALL, num_labels=2), "two labels: dense and tanh of the first token"
        ),
    },
    masked={
        "base": Head(CamembertForMaskedLM, SMALL, "dense, gelu, norm, table of words and a bias"),
    },
)
