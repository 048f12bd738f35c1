"""ModernBERT: pre-norm layers with rotary positions and a gated MLP, whose attention sees all tokens in some layers and its neighbours in
the others, each kind with its own rotary base."""

from transformers import ModernBertConfig, ModernBertForMaskedLM, ModernBertForSequenceClassification, ModernBertModel

from .support import Architecture, Checkpoint, Extra, Head, Setup, with_keys, without_defaults

TOKENS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)
SMALL = dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=6,
             max_position_embeddings=40, local_attention=4, **TOKENS)
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
         *TOKENS, "local_attention")
BASES = ("layer_types", "rope_parameters")


def old_keys(every, whole, local):
    """As files from before transformers 5 say it."""

    def variant(config):
        kept = {key: value for key, value in config.items() if key not in BASES}
        return {**kept, "global_attn_every_n_layers": every, "global_rope_theta": whole, "local_rope_theta": local,
                "position_embedding_type": "absolute", "layer_norm_eps": config["norm_eps"], "gradient_checkpointing": False,
                "reference_compile": None, "repad_logits_with_grad": False, "torch_dtype": "float32"}

    return variant


def bases(whole, local):
    return dict(full_attention=dict(rope_type="default", rope_theta=whole), sliding_attention=dict(rope_type="default", rope_theta=local))


ARCHITECTURE = Architecture(
    name="modernbert",
    config=ModernBertConfig,
    model=ModernBertModel,
    takes_pooler=False,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=4, intermediate_size=10,
                         max_position_embeddings=70, local_attention=8, **TOKENS),
            covers="every third layer sees all, the others 4 tokens to each side; rotary bases 160000 and 10000; gelu gate, no biases",
            longest=70,
            variants={
                "defaults": without_defaults(ModernBertConfig, *SIZES),
                "hub": old_keys(3, 160000.0, 10000.0),
                "epsilon": with_keys(layer_norm_eps=0.5),  # norm_eps is read
            },
        ),
        "wide": Setup(
            options=dict(vocab_size=26, hidden_size=16, num_attention_heads=1, num_hidden_layers=2, intermediate_size=9,
                         max_position_embeddings=150, norm_eps=1e-3, rope_parameters=bases(80000.0, 500.0),
                         layer_types=["sliding_attention", "full_attention"], **{**TOKENS, "pad_token_id": 5}),
            covers="local_attention 128 (rows up to 150 tokens), layer_types, rotary bases 80000 and 500, epsilon 1e-3, pad_token_id 5",
            longest=150,
        ),
        "biases": Setup(
            options=dict(vocab_size=22, hidden_size=16, num_attention_heads=4, num_hidden_layers=3, intermediate_size=8,
                         max_position_embeddings=66, local_attention=7, hidden_activation="silu", attention_bias=True, mlp_bias=True,
                         norm_bias=True, rope_parameters=bases(160000.0, 160000.0),
                         layer_types=["full_attention", "sliding_attention", "full_attention"], **TOKENS),
            covers="biases everywhere, silu gate, local_attention 7 (3 to each side), every second layer, equal rotary bases",
            longest=66,
            variants={"hub": old_keys(2, 160000.0, 160000.0)},
        ),
        "all local": Setup(
            options=dict(vocab_size=22, hidden_size=8, num_attention_heads=1, num_hidden_layers=1, intermediate_size=12,
                         max_position_embeddings=66, local_attention=2, hidden_activation="relu",
                         layer_types=["sliding_attention"], **TOKENS),
            covers="no layer sees all, 1 token to each side, relu gate",
            longest=66,
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "ModernBertForMaskedLM": Checkpoint(
            prefix="model.",
            extra=(Extra("head.dense.weight", (12, 12)), Extra("head.norm.weight", (12,)), Extra("decoder.bias", (30,)),
                   Extra("decoder.weight", (30, 12))),
        ),
    },
    classifiers={
        "first token": Head(
            ModernBertForSequenceClassification, dict(**SMALL, num_labels=1),
            "one label: dense, gelu and norm of the first token, without biases",
        ),
        "mean": Head(
            ModernBertForSequenceClassification,
            dict(**SMALL, num_labels=3, classifier_pooling="mean", classifier_bias=True, norm_bias=True, norm_eps=1e-3,
                 classifier_activation="relu"),
            "three labels: classifier_pooling mean, biases, classifier_activation relu, epsilon 1e-3",
        ),
    },
    masked={
        "base": Head(ModernBertForMaskedLM, SMALL, "dense, gelu, norm, table of words and a bias"),
        "other": Head(
            ModernBertForMaskedLM,
            dict(**SMALL, classifier_bias=True, norm_bias=True, decoder_bias=False, classifier_activation="silu", norm_eps=1e-3),
            "biases in head and norms, none of the table of words (decoder_bias), silu",
        ),
    },
)
