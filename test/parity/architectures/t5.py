"""T5 and mT5: pre-norm layers of RMS norms, whose attention is not scaled and has a bias by the distance of two tokens, in buckets that
the first layer has for all; heads as wide together as one likes; a plain or a gated feed-forward block."""

from transformers import MT5Config, MT5EncoderModel, T5Config, T5EncoderModel

from .support import Architecture, Checkpoint, Extra, Setup, with_keys, without_defaults

SIZES = ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "dropout_rate")
NO_DROPOUT = dict(dropout_rate=0.0)
# Keys that files on the hub have and that change nothing.
OLD_KEYS = dict(n_positions=512, output_past=True, task_specific_params={"summarization": {"max_length": 200}},
                architectures=["T5WithLMHeadModel"], use_cache=False, is_encoder_decoder=False, num_decoder_layers=7)


def derived(config):
    """Without what transformers derives from feed_forward_proj and tie_word_embeddings, and writes beside them."""
    return {k: v for k, v in config.items() if k not in ("dense_act_fn", "is_gated_act", "scale_decoder_outputs")}


def renamed_table(name):
    return "encoder.embed_tokens.weight" if name == "shared.weight" else name


def decoder(width, heads, inner):
    """A layer of a decoder."""
    block = "decoder.block.0.layer."
    attention = [Extra(f"{block}{part}.{name}.weight", (heads, width))
                 for part in ("0.SelfAttention", "1.EncDecAttention") for name in "qkv"]
    return (*attention, Extra(f"{block}0.SelfAttention.o.weight", (width, heads)), Extra(f"{block}1.EncDecAttention.o.weight", (width, heads)),
            Extra(f"{block}0.SelfAttention.relative_attention_bias.weight", (32, 2)),
            Extra(f"{block}1.EncDecAttention.relative_attention_bias.weight", (32, 2)),
            *(Extra(f"{block}{i}.layer_norm.weight", (width,)) for i in range(3)),
            Extra(f"{block}2.DenseReluDense.wi.weight", (inner, width)), Extra(f"{block}2.DenseReluDense.wo.weight", (width, inner)),
            Extra("decoder.final_layer_norm.weight", (width,)))


T5 = Architecture(
    name="t5",
    config=T5Config,
    model=T5EncoderModel,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, d_model=12, d_kv=5, d_ff=20, num_layers=2, num_heads=2, **NO_DROPOUT),
            covers="relu, 2 heads of 5 for a width of 12, epsilon 1e-6, distances above 128 (the last bucket)",
            longest=150,
            unlimited=True,
            variants={
                "defaults": without_defaults(T5Config, *SIZES),
                "hub": lambda config: {**derived(config), **OLD_KEYS},
            },
        ),
        "gated": Setup(
            options=dict(vocab_size=26, d_model=16, d_kv=8, d_ff=9, num_layers=1, num_heads=3, feed_forward_proj="gated-gelu",
                         tie_word_embeddings=False, **NO_DROPOUT),
            covers="gated-gelu (gelu_new), 3 heads of 8 for a width of 16",
            longest=66,
            unlimited=True,
            inert=("tie_word_embeddings",),
            variants={"derived": derived},
        ),
        "silu": Setup(
            options=dict(vocab_size=22, d_model=8, d_kv=4, d_ff=12, num_layers=2, num_heads=2, feed_forward_proj="gated-silu",
                         relative_attention_num_buckets=8, relative_attention_max_distance=20, layer_norm_epsilon=1e-3, pad_token_id=3,
                         **NO_DROPOUT),
            covers="gated-silu, 8 buckets up to a distance of 20, epsilon 1e-3, pad_token_id 3",
            longest=66,
            unlimited=True,
            inert=("pad_token_id",),
        ),
        "gelu": Setup(
            options=dict(vocab_size=22, d_model=8, d_kv=8, d_ff=10, num_layers=1, num_heads=1, feed_forward_proj="gelu", **NO_DROPOUT),
            covers="gelu (by erf), not gated",
            longest=66,
            unlimited=True,
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "the table of words as the encoder's": Checkpoint(rename=renamed_table),
        "both tables of words": Checkpoint(
            rename=renamed_table, extra=(Extra("shared.weight", (30, 12)), Extra("decoder.embed_tokens.weight", (30, 12)))
        ),
        "T5ForConditionalGeneration": Checkpoint(extra=(*decoder(12, 10, 20), Extra("lm_head.weight", (30, 12)))),
        "T5ForSequenceClassification": Checkpoint(
            prefix="transformer.",
            extra=(Extra("classification_head.dense.weight", (12, 12)), Extra("classification_head.dense.bias", (12,)),
                   Extra("classification_head.out_proj.weight", (3, 12)), Extra("classification_head.out_proj.bias", (3,))),
        ),
    },
)

MT5 = Architecture(
    name="mt5",
    config=MT5Config,
    model=MT5EncoderModel,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, d_model=16, d_kv=4, d_ff=10, num_layers=2, num_heads=3, **NO_DROPOUT),
            covers="gated-gelu (gelu_new), 3 heads of 4 for a width of 16",
            longest=150,
            unlimited=True,
            variants={
                "defaults": without_defaults(MT5Config, *SIZES),
                "hub": with_keys(tie_word_embeddings=False, tokenizer_class="T5Tokenizer", output_past=True, n_positions=512),
            },
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "MT5ForConditionalGeneration": Checkpoint(extra=(Extra("lm_head.weight", (30, 16)), Extra("decoder.final_layer_norm.weight", (16,)))),
    },
)
