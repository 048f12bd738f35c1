"""Qwen2: pre-norm layers of a decoder, with rotary positions, heads of queries that share keys and values, biases of all three and a gated
feed-forward block. A query sees its past, or all with `is_causal: false`."""

from transformers import Qwen2Config, Qwen2ForSequenceClassification, Qwen2Model

from .support import Architecture, Checkpoint, Extra, Head, Setup, without_defaults

SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size", "head_dim",
         "max_position_embeddings")
SMALL = dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=2, intermediate_size=6,
             max_position_embeddings=40)
rope = lambda theta, **more: dict(rope_type="default", rope_theta=theta, **more)


def old_keys(**keys):
    """As files from before transformers 5 say it: layers that slide by max_window_layers, and rope_theta."""

    def variant(config):
        kept = {key: value for key, value in config.items() if key not in ("layer_types", "rope_parameters", "dtype")}
        return {**kept, "torch_dtype": "bfloat16", "use_cache": True, "tie_word_embeddings": True, **keys}

    return variant


ARCHITECTURE = Architecture(
    name="qwen2",
    config=Qwen2Config,
    model=Qwen2Model,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=24, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=3,
                         intermediate_size=10, max_position_embeddings=70, rope_parameters=rope(1000000.0)),
            covers="three heads of queries share one of keys and values, biases of all three, rotary base 1000000, silu gate",
            longest=70,
            variants={
                "defaults": without_defaults(Qwen2Config, *SIZES),
                "hub": old_keys(rope_theta=1000000.0, use_sliding_window=False, sliding_window=131072, max_window_layers=1,
                                rope_scaling=None),
            },
        ),
        "both ways": Setup(
            options=dict(vocab_size=26, hidden_size=8, num_attention_heads=2, num_key_value_heads=2, num_hidden_layers=2,
                         intermediate_size=9, max_position_embeddings=66, rms_norm_eps=1e-3, is_causal=False, pad_token_id=5,
                         rope_parameters=rope(500.0)),
            covers="is_causal false: all tokens are seen; epsilon 1e-3, rotary base 500, pad_token_id 5",
            longest=66,
        ),
        "window": Setup(
            options=dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=3,
                         intermediate_size=7, max_position_embeddings=66, hidden_act="gelu", use_sliding_window=True, sliding_window=5,
                         max_window_layers=1, rope_parameters=rope(10000.0)),
            covers="use_sliding_window: 5 tokens in layers from max_window_layers 1 on, gelu gate",
            longest=66,
            variants={"hub": old_keys(rope_theta=10000.0)},
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "Qwen2ForCausalLM": Checkpoint(prefix="model.", extra=(Extra("lm_head.weight", (30, 24)),)),
    },
    classifiers={
        "last token": Head(
            Qwen2ForSequenceClassification, dict(**SMALL, num_labels=1, pad_token_id=3),
            "one label: score of the last token that is not pad_token_id, without a bias",
        ),
        "two labels": Head(Qwen2ForSequenceClassification, dict(**SMALL, num_labels=2), "two labels, no pad_token_id: the last token"),
    },
)
