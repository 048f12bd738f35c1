"""Qwen3: as Qwen2, with a size of the heads of its own, norms of each head's query and key, and no biases."""

from transformers import Qwen3Config, Qwen3ForSequenceClassification, Qwen3Model

from .qwen2 import SIZES, SMALL, old_keys, rope
from .support import Architecture, Checkpoint, Extra, Head, Setup, without_defaults

ARCHITECTURE = Architecture(
    name="qwen3",
    config=Qwen3Config,
    model=Qwen3Model,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=3, head_dim=8,
                         intermediate_size=10, max_position_embeddings=70, rope_parameters=rope(1000000.0)),
            covers="heads of 8 beside a width of 12, two share keys and values, norms of queries and keys, rotary base 1000000",
            longest=70,
            variants={
                "defaults": without_defaults(Qwen3Config, *SIZES),
                "hub": old_keys(rope_theta=1000000, use_sliding_window=False, sliding_window=None, max_window_layers=28,
                                rope_scaling=None),
            },
        ),
        "both ways": Setup(
            options=dict(vocab_size=26, hidden_size=10, num_attention_heads=3, num_key_value_heads=1, num_hidden_layers=2, head_dim=4,
                         intermediate_size=9, max_position_embeddings=66, rms_norm_eps=1e-3, is_causal=False, pad_token_id=5,
                         attention_bias=True, hidden_act="gelu_pytorch_tanh", rope_parameters=rope(500.0)),
            covers="is_causal false: all tokens are seen; biases of all projections of attention, three heads on one, tanh gelu gate, "
                   "epsilon 1e-3, rotary base 500, pad_token_id 5",
            longest=66,
        ),
        "window": Setup(
            options=dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_key_value_heads=2, num_hidden_layers=3, head_dim=6,
                         intermediate_size=7, max_position_embeddings=66, use_sliding_window=True, sliding_window=5,
                         layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                         rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=10000.0)),
            covers="layer_types: 5 tokens in the first and last layer; rope_type linear",
            longest=66,
        ),
        "window both ways": Setup(
            options=dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=2, head_dim=4,
                         intermediate_size=6, max_position_embeddings=66, use_sliding_window=True, sliding_window=3,
                         max_window_layers=0, is_causal=False, rope_parameters=rope(10000.0)),
            covers="a window of 3 tokens to each side",
            longest=66,
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "Qwen3ForCausalLM": Checkpoint(prefix="model.", extra=(Extra("lm_head.weight", (30, 12)),)),
    },
    classifiers={
        "last token": Head(
            Qwen3ForSequenceClassification, dict(**SMALL, head_dim=4, num_labels=1, pad_token_id=3),
            "one label: score of the last token that is not pad_token_id, without a bias",
        ),
        "three labels": Head(
            Qwen3ForSequenceClassification, dict(**SMALL, head_dim=6, num_labels=3), "three labels, no pad_token_id: the last token"
        ),
    },
)
