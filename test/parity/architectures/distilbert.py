"""DistilBERT: BERT without token types and pooler, with names of its own in config.json and checkpoint. Epsilon is always 1e-12."""

from transformers import DistilBertConfig, DistilBertForMaskedLM, DistilBertForSequenceClassification, DistilBertModel

from .support import Architecture, Checkpoint, Extra, Head, Setup, with_keys, without_defaults

NO_DROPOUT = dict(dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0)
SIZES = ("vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings", "dropout", "attention_dropout",
         "seq_classif_dropout")
SMALL = dict(vocab_size=22, dim=8, n_heads=2, n_layers=1, hidden_dim=10, max_position_embeddings=40, **NO_DROPOUT)
HUB = dict(tie_weights_=True, qa_dropout=0.1, finetuning_task=None, output_past=True, torch_dtype="float32")


def masked(vocab, width):
    return (
        Extra("vocab_transform.weight", (width, width)), Extra("vocab_transform.bias", (width,)),
        Extra("vocab_layer_norm.weight", (width,)), Extra("vocab_layer_norm.bias", (width,)),
        Extra("vocab_projector.weight", (vocab, width)), Extra("vocab_projector.bias", (vocab,)),
    )


ARCHITECTURE = Architecture(
    name="distilbert",
    config=DistilBertConfig,
    model=DistilBertModel,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, dim=12, n_heads=2, n_layers=2, hidden_dim=20, max_position_embeddings=70, **NO_DROPOUT),
            covers="gelu, pad_token_id 0; sinusoidal_pos_embds changes nothing: the table is in the file and is trained",
            longest=70,
            variants={
                "defaults": without_defaults(DistilBertConfig, *SIZES),
                "hub": with_keys(**HUB),
                "sinusoidal": with_keys(sinusoidal_pos_embds=True),
            },
        ),
        "other": Setup(
            options=dict(vocab_size=26, dim=20, n_heads=4, n_layers=1, hidden_dim=17, max_position_embeddings=66,
                         activation="relu", pad_token_id=5, **NO_DROPOUT),
            covers="relu, pad_token_id 5",
            longest=66,
            # Nothing reads it.
            variants={"epsilon": with_keys(layer_norm_eps=0.5)},
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "DistilBertForMaskedLM": Checkpoint(prefix="distilbert.", extra=masked(30, 12)),
    },
    classifiers={
        "three labels": Head(
            DistilBertForSequenceClassification, dict(**SMALL, num_labels=3), "three labels: dense and relu of the first token"
        ),
    },
    masked={
        "base": Head(DistilBertForMaskedLM, SMALL, "dense, gelu, norm, table of words and a bias"),
        "relu": Head(DistilBertForMaskedLM, dict(**SMALL, activation="relu"), "relu"),
    },
)
