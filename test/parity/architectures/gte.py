"""GTE: post-norm layers with rotary positions, biases in the attention, and a gated MLP. transformers' own class is `gte`; the files on
the hub have `new` for their own code, with a fixed NTK scaling that transformers expresses as another base and a linear factor."""

from transformers import GteConfig, GteForMaskedLM, GteForSequenceClassification, GteModel

from .reference import Gte
from .support import Architecture, Checkpoint, Extra, Head, SMALL, Setup, without_defaults

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
         "type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob", "pad_token_id")
IDLE = dict(
    layer_norm_type="layer_norm", logn_attention_clip1=False, logn_attention_scale=False, pack_qkv=True, position_embedding_type="rope",
    unpad_inputs=False, use_memory_efficient_attention=False, torch_dtype="float16",
)
SHARED = ("attention_probs_dropout_prob", "classifier_dropout", "hidden_act", "hidden_dropout_prob", "hidden_size", "initializer_range",
          "intermediate_size", "layer_norm_eps", "max_position_embeddings", "num_attention_heads", "num_hidden_layers", "pad_token_id",
          "type_vocab_size", "vocab_size")


def old_keys(model_type="new", **scaling):
    """The same as the files on the hub have it, with the given rope_theta and rope_scaling or with those of rope_parameters."""

    def variant(config):
        found = {key: config[key] for key in SHARED}
        rope = scaling or dict(rope_theta=config["rope_parameters"]["rope_theta"], rope_scaling=None)
        return {"model_type": model_type, "architectures": ["NewModel"], **found, **IDLE, **rope}

    return variant


def hub(**options):
    return dict(model_type="new", architectures=["NewModel"], hidden_act="gelu", layer_norm_eps=1e-12, **NO_DROPOUT, **options)


# gte-multilingual-base is (20000, 8), and heads of 64.
NTK = dict(rope_theta=500.0, rope_scaling=dict(factor=8.0, type="ntk"))
UNPADDED = dict(unpad_inputs=True, use_memory_efficient_attention=True)

ARCHITECTURE = Architecture(
    name="gte",
    config=GteConfig,
    model=GteModel,
    reference=Gte,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=2, intermediate_size=20,
                         max_position_embeddings=70, pad_token_id=1, rope_parameters=dict(rope_type="default", rope_theta=10000.0),
                         **NO_DROPOUT),
            covers="gelu gate, rotary base 10000, epsilon 1e-12, 1 token type, pad_token_id 1",
            longest=70,
            reference=old_keys(),
            variants={
                "hub": old_keys(),
                "hub, model_type gte": old_keys("gte"),
                "hub, without padding": lambda config: {**old_keys()(config), **UNPADDED},
                "rope_theta": lambda config: {**{k: v for k, v in config.items() if k != "rope_parameters"}, "rope_theta": 10000.0},
            },
        ),
        "ntk": Setup(
            options=dict(vocab_size=26, hidden_size=16, num_attention_heads=1, num_hidden_layers=1, intermediate_size=18,
                         max_position_embeddings=66, type_vocab_size=0, pad_token_id=0, layer_norm_eps=1e-5,
                         rope_parameters=dict(rope_type="linear", rope_theta=8 * 500.0, factor=8 ** (2 / 16)), **NO_DROPOUT),
            covers="rope_scaling ntk with factor 8 (linear in transformers), no token types, epsilon 1e-5, pad_token_id 0",
            longest=66,
            reference=old_keys(**NTK),
            variants={"hub": old_keys(**NTK)},
        ),
        "other": Setup(
            options=dict(vocab_size=22, hidden_size=16, num_attention_heads=4, num_hidden_layers=1, intermediate_size=12,
                         max_position_embeddings=66, type_vocab_size=2, hidden_act="silu", pad_token_id=5, **NO_DROPOUT),
            covers="silu gate, rotary base 160000 (the default), 2 token types, pad_token_id 5, a pooler",
            longest=66,
            pooler=True,
            reference=old_keys(),
            variants={"defaults": without_defaults(GteConfig, *SIZES)},
        ),
        "mixed ntk": Setup(
            options=hub(vocab_size=22, hidden_size=16, num_attention_heads=2, num_hidden_layers=1, intermediate_size=12,
                        max_position_embeddings=66, type_vocab_size=1, pad_token_id=0, rope_theta=10000.0,
                        rope_scaling=dict(type="ntk", factor=4.0, mixed_b=0.625)),
            covers="rope_scaling ntk with mixed_b",
            longest=66,
            hub=True,
            optional=True,
        ),
        "separate": Setup(
            options=hub(vocab_size=22, hidden_size=12, num_attention_heads=2, num_hidden_layers=1, intermediate_size=12,
                        max_position_embeddings=66, type_vocab_size=1, pad_token_id=0, rope_theta=10000.0, rope_scaling=None,
                        pack_qkv=False),
            covers="pack_qkv false: three projections",
            longest=66,
            hub=True,
            optional=True,
        ),
        "root mean square": Setup(
            options=hub(vocab_size=22, hidden_size=12, num_attention_heads=2, num_hidden_layers=1, intermediate_size=12,
                        max_position_embeddings=66, type_vocab_size=1, pad_token_id=0, rope_theta=10000.0, rope_scaling=None,
                        layer_norm_type="rms_norm"),
            covers="layer_norm_type rms_norm",
            longest=66,
            hub=True,
            optional=True,
        ),
        "absolute, scaled by length": Setup(
            options=hub(vocab_size=22, hidden_size=12, num_attention_heads=2, num_hidden_layers=1, intermediate_size=12,
                        max_position_embeddings=66, type_vocab_size=1, pad_token_id=3, position_embedding_type="absolute",
                        rope_theta=10000.0, rope_scaling=None, logn_attention_scale=True),
            covers="position_embedding_type absolute, logn_attention_scale",
            longest=66,
            hub=True,
            optional=True,
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "NewForTokenClassification": Checkpoint(
            prefix="new.", extra=(Extra("classifier.weight", (1, 12)), Extra("classifier.bias", (1,)))
        ),
        "NewForMaskedLM": Checkpoint(
            prefix="new.",
            extra=(
                Extra("lm_head.decoder.weight", (30, 12)), Extra("lm_head.decoder.bias", (30,)),
                Extra("lm_head.dense.weight", (12, 12)), Extra("lm_head.dense.bias", (12,)),
                Extra("lm_head.norm.weight", (12,)), Extra("lm_head.norm.bias", (12,)),
            ),
        ),
        "GteForMaskedLM": Checkpoint(prefix="gte.", extra=(Extra("lm_head.dense.weight", (12, 12)), Extra("lm_head.dense.bias", (12,)))),
    },
    classifiers={
        "one label": Head(GteForSequenceClassification, dict(**SMALL, num_labels=1), "one label: the pooler, a linear layer"),
    },
    masked={
        "base": Head(GteForMaskedLM, dict(**SMALL, hidden_act="silu"), "dense, gelu (whatever hidden_act is), norm, table of words and a bias"),
    },
)
