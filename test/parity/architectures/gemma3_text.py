"""Gemma 3's text model and EmbeddingGemma: norms that multiply by 1 + weight, also behind each half of a layer, embeddings times the root
of the width, layers that see all and layers that see a window, each kind with its own rotary base."""

from transformers import Gemma3TextConfig, Gemma3TextForSequenceClassification, Gemma3TextModel

from .support import Architecture, Checkpoint, Extra, Head, Setup, without_defaults

SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size", "head_dim",
         "max_position_embeddings", "query_pre_attn_scalar", "sliding_window")
SMALL = dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=2, intermediate_size=6,
             head_dim=4, query_pre_attn_scalar=4, sliding_window=6, max_position_embeddings=40)


def bases(full, sliding, **more):
    return dict(full_attention=dict(rope_type="default", rope_theta=full, **more),
                sliding_attention=dict(rope_type="default", rope_theta=sliding))


def old_keys(**keys):
    """As files from before transformers 5 say it."""

    def variant(config):
        kept = {key: value for key, value in config.items() if key not in ("rope_parameters", "layer_types", "dtype")}
        return {**kept, "torch_dtype": "bfloat16", "use_cache": True, **keys}

    return variant


ARCHITECTURE = Architecture(
    name="gemma3_text",
    config=Gemma3TextConfig,
    model=Gemma3TextModel,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=3, num_key_value_heads=1, num_hidden_layers=6, head_dim=8,
                         intermediate_size=10, query_pre_attn_scalar=8, sliding_window=16, use_bidirectional_attention=True,
                         max_position_embeddings=70),
            covers="as EmbeddingGemma: all tokens are seen, in five of six layers 8 to each side of a window of 16; three heads of 8 on one "
                   "beside a width of 12; rotary bases 1000000 and 10000; tanh gelu gate",
            longest=70,
            variants={
                "defaults": without_defaults(Gemma3TextConfig, *SIZES),
                "hub": old_keys(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=None, _sliding_window_pattern=6,
                                attn_logit_softcapping=None, final_logit_softcapping=None),
            },
        ),
        "causal": Setup(
            options=dict(vocab_size=26, hidden_size=8, num_attention_heads=2, num_key_value_heads=2, num_hidden_layers=3, head_dim=6,
                         intermediate_size=9, query_pre_attn_scalar=10, sliding_window=5, rms_norm_eps=1e-3, pad_token_id=5,
                         attention_bias=True, hidden_activation="silu", max_position_embeddings=66,
                         layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                         rope_parameters=bases(500.0, 80.0)),
            covers="a query sees its past, in layer_types 5 tokens of it; query_pre_attn_scalar 10 beside heads of 6, biases, silu gate, "
                   "epsilon 1e-3, rotary bases 500 and 80, pad_token_id 5",
            longest=66,
        ),
        "scaled": Setup(
            options=dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=2, head_dim=4,
                         intermediate_size=7, query_pre_attn_scalar=4, sliding_window=7, use_bidirectional_attention=True,
                         max_position_embeddings=66, layer_types=["sliding_attention", "full_attention"],
                         rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000.0),
                                              sliding_attention=dict(rope_type="default", rope_theta=10000.0))),
            covers="rope_scaling linear of layers that see all, a window of an odd size",
            longest=66,
            variants={"hub": old_keys(rope_theta=1000.0, rope_scaling={"rope_type": "linear", "factor": 8.0}, sliding_window_pattern=2)},
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "Gemma3ForCausalLM": Checkpoint(prefix="model.", extra=(Extra("lm_head.weight", (30, 12)),)),
    },
    classifiers={
        "last token": Head(
            Gemma3TextForSequenceClassification, dict(**SMALL, num_labels=1, pad_token_id=3),
            "one label: score of the last token that is not pad_token_id, without a bias",
        ),
    },
)
