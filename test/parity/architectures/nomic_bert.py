"""NomicBERT: BERT after the embeddings' norm with rotary positions, a gated MLP and no biases. config.json has the keys of transformers
(hidden_size), those of the code on the hub (n_embd), or both."""

from transformers import NomicBertConfig, NomicBertForMaskedLM, NomicBertForSequenceClassification, NomicBertModel

from .reference import Nomic
from .support import Architecture, Checkpoint, Extra, Head, SMALL, Setup, with_keys, without_defaults

NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
         "type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob")
# What nomic-embed-text has and no program reads, or what says that nothing special is there.
IDLE = dict(
    attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, causal=False, dense_seq_output=True, fused_bias_fc=True, fused_dropout_add_ln=True,
    last_layer_subset=False, parallel_block=False, parallel_block_tied_norm=False, pad_vocab_size_multiple=2,
    prenorm=False, reorder_and_upcast_attn=False, rotary_emb_scale_base=None, scale_attn_by_inverse_layer_idx=False,
    scale_attn_weights=True, summary_activation=None, summary_first_dropout=0.0, summary_proj_to_labels=True,
    summary_type="cls_index", summary_use_proj=True, torch_dtype="float32", use_cache=True, use_flash_attn=True, use_rms_norm=False,
    use_xentropy=True, qkv_proj_bias=False, mlp_fc1_bias=False, mlp_fc2_bias=False, rotary_emb_interleaved=False,
)
ACTIVATIONS = {"silu": "swiglu", "gelu": "geglu"}


def old_keys(config):
    """The same with the keys of the code on the hub."""
    found = dict(
        model_type="nomic_bert", architectures=["NomicBertModel"], vocab_size=config["vocab_size"], n_embd=config["hidden_size"],
        n_layer=config["num_hidden_layers"], n_head=config["num_attention_heads"], n_inner=config["intermediate_size"],
        n_positions=config["max_position_embeddings"], max_trained_positions=config["max_position_embeddings"],
        activation_function=ACTIVATIONS[config["hidden_act"]], layer_norm_epsilon=config["layer_norm_eps"],
        type_vocab_size=config["type_vocab_size"], rotary_emb_base=config["rope_parameters"]["rope_theta"], rotary_emb_fraction=1.0,
        rotary_scaling_factor=None,
    )
    # It is left out where it is 0.
    if config["pad_token_id"] != 0:
        found["pad_token_id"] = config["pad_token_id"]
    return {**found, **IDLE}


def hub(**options):
    return dict(model_type="nomic_bert", architectures=["NomicBertModel"], attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
                layer_norm_epsilon=1e-12, **options)


PREDICTIONS = (
    Extra("cls.predictions.decoder.weight", (30, 12)), Extra("cls.predictions.decoder.bias", (30,)),
    Extra("cls.predictions.transform.dense.weight", (12, 12)), Extra("cls.predictions.transform.dense.bias", (12,)),
    Extra("cls.predictions.transform.layer_norm.weight", (12,)), Extra("cls.predictions.transform.layer_norm.bias", (12,)),
)

ARCHITECTURE = Architecture(
    name="nomic_bert",
    config=NomicBertConfig,
    model=NomicBertModel,
    reference=Nomic,
    setups={
        "base": Setup(
            options=dict(vocab_size=30, hidden_size=12, num_attention_heads=2, num_hidden_layers=2, intermediate_size=20,
                         max_position_embeddings=70, **NO_DROPOUT),
            covers="silu gate, rotary base 1000, epsilon 1e-12, 2 token types",
            longest=70,
            reference=old_keys,
            variants={
                "defaults": without_defaults(NomicBertConfig, *SIZES),
                "hub": old_keys,
                "both kinds of keys": lambda config: {**old_keys(config), **config},
            },
        ),
        "other": Setup(
            options=dict(vocab_size=26, hidden_size=16, num_attention_heads=1, num_hidden_layers=1, intermediate_size=17,
                         max_position_embeddings=66, type_vocab_size=1, hidden_act="gelu", layer_norm_eps=1e-5, pad_token_id=5,
                         rope_parameters=dict(rope_type="default", rope_theta=10000.0), **NO_DROPOUT),
            covers="gelu gate, rotary base 10000, epsilon 1e-5, 1 token type, pad_token_id 5",
            longest=66,
            reference=old_keys,
            variants={
                "hub": old_keys,
                "rope_theta": lambda config: {**{k: v for k, v in config.items() if k != "rope_parameters"}, "rope_theta": 10000.0},
            },
        ),
        "long": Setup(
            options=hub(vocab_size=22, n_embd=16, n_head=2, n_layer=1, n_inner=12, n_positions=80, max_trained_positions=40,
                        rotary_emb_base=1000, rotary_emb_fraction=1.0, rotary_scaling_factor=2.0, activation_function="swiglu",
                        type_vocab_size=2),
            covers="rotary_scaling_factor 2: rows above max_trained_positions turn by dynamic NTK, each by its own length",
            longest=80,
            hub=True,
            by_row=True,
            twin=lambda c: dict(vocab_size=22, hidden_size=16, num_attention_heads=2, num_hidden_layers=1, intermediate_size=12,
                                max_position_embeddings=40, rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=1000.0)),
        ),
        "biases": Setup(
            options=hub(vocab_size=22, n_embd=12, n_head=2, n_layer=1, n_inner=20, n_positions=66, rotary_emb_base=10000,
                        rotary_emb_fraction=1.0, activation_function="gelu", qkv_proj_bias=True, mlp_fc1_bias=True, mlp_fc2_bias=True,
                        type_vocab_size=1, pad_token_id=1),
            covers="biases everywhere, gelu without a gate",
            longest=66,
            hub=True,
            optional=True,
        ),
        "partly rotary": Setup(
            options=hub(vocab_size=22, n_embd=16, n_head=2, n_layer=1, n_inner=12, n_positions=66, rotary_emb_base=1000,
                        rotary_emb_fraction=0.5, activation_function="glu", type_vocab_size=0),
            covers="rotary_emb_fraction 0.5, sigmoid gate, no token types",
            longest=66,
            hub=True,
            optional=True,
        ),
        "neighbours": Setup(
            options=hub(vocab_size=22, n_embd=12, n_head=2, n_layer=1, n_inner=12, n_positions=66, rotary_emb_base=1000,
                        rotary_emb_fraction=1.0, rotary_emb_interleaved=True, activation_function="swiglu", type_vocab_size=2),
            covers="rotary_emb_interleaved",
            longest=66,
            hub=True,
            optional=True,
        ),
        "absolute": Setup(
            options=hub(vocab_size=22, n_embd=12, n_head=2, n_layer=1, n_inner=12, n_positions=66, max_position_embeddings=66,
                        rotary_emb_fraction=0.0, activation_function="swiglu", type_vocab_size=2),
            covers="rotary_emb_fraction 0: a table of positions",
            longest=66,
            hub=True,
            optional=True,
        ),
    },
    checkpoints={
        "bare": Checkpoint(),
        "NomicBertForPreTraining": Checkpoint(prefix="bert.", extra=PREDICTIONS),
        "NomicBertForMaskedLM": Checkpoint(prefix="nomic_bert.", extra=PREDICTIONS),
    },
    classifiers={
        "three labels": Head(NomicBertForSequenceClassification, dict(**SMALL, num_labels=3), "three labels: the pooler, a linear layer"),
    },
    masked={
        "base": Head(NomicBertForMaskedLM, SMALL, "dense, silu, norm, table of words and a bias"),
    },
)
