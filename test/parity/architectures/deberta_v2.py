"""DeBERTa v2 and v3: post-norm layers whose attention scores also read relative positions in buckets, by products of queries with
positions and of positions with keys."""

from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, DebertaV2Model

from .support import Architecture, Checkpoint, Extra, Head, SIZES, Setup, without_defaults

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
V3 = dict(relative_attention=True, share_att_key=True, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm",
          position_biased_input=False, max_relative_positions=-1)
SMALL = dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_hidden_layers=1, intermediate_size=10, max_position_embeddings=40,
             position_buckets=6, **V3, **NO_DROPOUT)


def hub(config):
    """As microsoft/deberta-v3-base has it."""
    kept = {key: value for key, value in config.items() if key not in ("dtype", "legacy", "tie_word_embeddings")}
    return {**kept, "pos_att_type": "p2c|c2p", "pooler_dropout": 0, "pooler_hidden_act": "gelu", "pooler_hidden_size": 12,
            "torch_dtype": "float16"}


ARCHITECTURE = Architecture(
    name="deberta-v2",
    config=DebertaV2Config,
    model=DebertaV2Model,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=2, intermediate_size=20,
                         max_position_embeddings=70, position_buckets=16, **V3, **NO_DROPOUT),
            covers="as DeBERTa v3: 16 buckets to each side, log steps from distance 8 on, a norm of relative positions, no absolute ones",
            longest=70,
            variants={"defaults": without_defaults(DebertaV2Config, *SIZES), "hub": hub},
        ),
        "other": Setup(
            options=dict(vocab_size=26, hidden_size=16, num_attention_heads=4, num_hidden_layers=1, intermediate_size=17,
                         max_position_embeddings=66, layer_norm_eps=1e-3, hidden_act="relu", type_vocab_size=2, pad_token_id=5,
                         relative_attention=True, share_att_key=True, pos_att_type=["c2p", "p2c"], position_biased_input=True,
                         max_relative_positions=20, **NO_DROPOUT),
            covers="a bucket for each distance up to 20, absolute positions, 2 token types, relu, epsilon 1e-3, pad_token_id 5",
            longest=66,
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "DebertaV2ForMaskedLM": Checkpoint(
            prefix="deberta.",
            extra=(Extra("lm_predictions.lm_head.dense.weight", (12, 12)), Extra("mask_predictions.dense.weight", (12, 12)),
                   Extra("deberta.embeddings.position_embeddings.weight", (70, 12))),
        ),
    },
    classifiers={
        "one label": Head(
            DebertaV2ForSequenceClassification, dict(**SMALL, num_labels=1), "one label: dense and gelu of the first token"
        ),
        "three labels": Head(
            DebertaV2ForSequenceClassification, dict(**SMALL, num_labels=3, pooler_hidden_act="tanh"),
            "three labels: pooler_hidden_act tanh",
        ),
    },
)
