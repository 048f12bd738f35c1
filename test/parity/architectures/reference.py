"""NomicBERT and GTE as the code beside their files on the hub computes them, with the options that transformers' own classes do not
have. Written anew, for reading: names of parameters and keys of config.json are those of the hub. make_architectures.py compares
both with transformers where it has the option.

Sources: nomic-ai/contrastors (modeling_hf_nomic_bert.py), Alibaba-NLP/new-impl (modeling.py).
"""

import math
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {"gelu": F.gelu, "gelu_new": lambda x: F.gelu(x, approximate="tanh"), "relu": F.relu, "silu": F.silu}


def rotated(x, angles, interleaved=False):
    """Pairs of x [rows, heads, length, width] turned by angles [length, pairs]: first half against second, or neighbours."""
    turned, rest = x[..., : 2 * angles.shape[-1]], x[..., 2 * angles.shape[-1] :]
    a, b = (turned[..., ::2], turned[..., 1::2]) if interleaved else turned.chunk(2, dim=-1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    pairs = (a * cos - b * sin, b * cos + a * sin)
    both = torch.stack(pairs, dim=-1).flatten(-2) if interleaved else torch.cat(pairs, dim=-1)
    return torch.cat((both, rest), dim=-1)


def angles(length, frequencies):
    return torch.outer(torch.arange(length, dtype=frequencies.dtype), frequencies)


def precise(x):
    """What angles are computed in: bfloat16 cannot count."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def frequencies(base, width, dtype):
    """One for each pair of `width` dimensions."""
    return base ** (-torch.arange(0, width, 2, dtype=dtype) / width)


def attention(q, k, v, mask):
    """Of [rows, heads, length, width]; mask [rows, length], 0 where nothing is."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(mask[:, None, None, :] == 0, float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(-2)


def split_heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


class Encoder(nn.Module):
    """What both have in common: embeddings, layers, and outputs as those of transformers."""

    def hidden(self, x, mask):
        raise NotImplementedError

    def forward(self, input_ids, attention_mask, token_type_ids=None, output_hidden_states=False):
        states = self.hidden(self.embedded(input_ids, token_type_ids), attention_mask)
        pooler = getattr(self, "pooler", None)
        pooled = None if pooler is None else pooler.dense(states[-1][:, 0]).tanh()
        return SimpleNamespace(last_hidden_state=states[-1], hidden_states=states, pooler_output=pooled)

    def summed(self, input_ids, token_type_ids):
        """Words, types and positions, of those that there are."""
        e = self.embeddings
        x = e.word_embeddings(input_ids)
        if hasattr(e, "token_type_embeddings"):
            x = x + e.token_type_embeddings(torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids)
        if hasattr(e, "position_embeddings"):
            x = x + e.position_embeddings(torch.arange(input_ids.shape[1]))
        return x


# -------------------------------------------------------------------------------------------------------------- NomicBERT

NOMIC_DEFAULTS = dict(
    model_type="nomic_bert", pad_token_id=0, type_vocab_size=2, layer_norm_epsilon=1e-5, activation_function="swiglu", prenorm=False,
    qkv_proj_bias=False, mlp_fc1_bias=False, mlp_fc2_bias=False, rotary_emb_fraction=1.0, rotary_emb_base=1000,
    rotary_emb_interleaved=False, rotary_scaling_factor=None, max_trained_positions=2048,
)
GATES = {"swiglu": F.silu, "geglu": F.gelu, "glu": torch.sigmoid}


class NomicBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        gated = c.activation_function in GATES
        self.attn = nn.ModuleDict({
            "Wqkv": nn.Linear(c.n_embd, 3 * c.n_embd, bias=c.qkv_proj_bias),
            "out_proj": nn.Linear(c.n_embd, c.n_embd, bias=c.qkv_proj_bias),
        })
        into = ("fc11", "fc12") if gated else ("fc1",)
        self.mlp = nn.ModuleDict({name: nn.Linear(c.n_embd, c.n_inner, bias=c.mlp_fc1_bias) for name in into})
        self.mlp["fc2"] = nn.Linear(c.n_inner, c.n_embd, bias=c.mlp_fc2_bias)
        self.norm1 = nn.LayerNorm(c.n_embd, eps=c.layer_norm_epsilon)
        self.norm2 = nn.LayerNorm(c.n_embd, eps=c.layer_norm_epsilon)
        self.config = c

    def forward(self, x, turns, mask):
        q, k, v = (split_heads(part, self.config.n_head) for part in self.attn["Wqkv"](x).chunk(3, dim=-1))
        if turns is not None:
            q, k = (rotated(part, turns, self.config.rotary_emb_interleaved) for part in (q, k))
        x = self.norm1(x + self.attn["out_proj"](attention(q, k, v, mask)))
        mlp = self.mlp
        if self.config.activation_function in GATES:
            inner = mlp["fc11"](x) * GATES[self.config.activation_function](mlp["fc12"](x))
        else:
            inner = ACTIVATIONS[self.config.activation_function](mlp["fc1"](x))
        return self.norm2(x + mlp["fc2"](inner))


class Nomic(Encoder):
    """Without what no published text model has: prenorm, xpos, and the rounding of n_inner up to a multiple of 256."""

    DEFAULTS = NOMIC_DEFAULTS

    def __init__(self, options):
        super().__init__()
        c = self.config = SimpleNamespace(**{**NOMIC_DEFAULTS, **options})
        c.hidden_size = c.n_embd
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(c.vocab_size, c.n_embd, padding_idx=c.pad_token_id)
        if c.type_vocab_size > 0:
            self.embeddings.token_type_embeddings = nn.Embedding(c.type_vocab_size, c.n_embd)
        if c.rotary_emb_fraction <= 0:
            self.embeddings.position_embeddings = nn.Embedding(c.max_position_embeddings, c.n_embd)
        self.emb_ln = nn.LayerNorm(c.n_embd, eps=c.layer_norm_epsilon)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(NomicBlock(c) for _ in range(c.n_layer))

    def embedded(self, input_ids, token_type_ids):
        return self.emb_ln(self.summed(input_ids, token_type_ids))

    def turns(self, x):
        c, length = self.config, x.shape[1]
        width = int(c.n_embd // c.n_head * c.rotary_emb_fraction)
        if width == 0:
            return None
        base = c.rotary_emb_base
        if c.rotary_scaling_factor and length > c.max_trained_positions:
            # Dynamic NTK. The reference takes the length of the longest row of a batch, and keeps it for later ones: here, as in
            # servers that are built for these models, a row counts alone.
            scale = c.rotary_scaling_factor * length / c.max_trained_positions - (c.rotary_scaling_factor - 1)
            base = base * scale ** (width / (width - 2))
        return angles(length, frequencies(base, width, precise(x)))

    def hidden(self, x, mask):
        states, turns = [x], self.turns(x)
        for layer in self.encoder.layers:
            states.append(layer(states[-1], turns, mask))
        return states


# -------------------------------------------------------------------------------------------------------------------- GTE

GTE_DEFAULTS = dict(
    model_type="new", pad_token_id=0, type_vocab_size=1, layer_norm_eps=1e-12, layer_norm_type="layer_norm", hidden_act="gelu",
    position_embedding_type="rope", rope_theta=10000.0, rope_scaling=None, pack_qkv=True, logn_attention_scale=False,
    logn_attention_clip1=False,
)


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)


class GteLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = c.hidden_size
        into = {"qkv_proj": 3 * width} if c.pack_qkv else {"q_proj": width, "k_proj": width, "v_proj": width}
        self.attention = nn.ModuleDict({name: nn.Linear(width, rows) for name, rows in into.items()})
        self.attention["o_proj"] = nn.Linear(width, width)
        self.mlp = nn.ModuleDict({
            "up_gate_proj": nn.Linear(width, 2 * c.intermediate_size, bias=False),
            "down_proj": nn.Linear(c.intermediate_size, width),
        })
        norm = {"layer_norm": nn.LayerNorm, "rms_norm": RmsNorm}[c.layer_norm_type]
        self.attn_ln, self.mlp_ln = norm(width, eps=c.layer_norm_eps), norm(width, eps=c.layer_norm_eps)
        self.config = c

    def forward(self, x, turns, scale, mask):
        parts = self.attention
        packed = parts["qkv_proj"](x).chunk(3, dim=-1) if self.config.pack_qkv else [parts[f"{n}_proj"](x) for n in "qkv"]
        q, k, v = (split_heads(part, self.config.num_attention_heads) for part in packed)
        if turns is not None:
            q, k = rotated(q, turns), rotated(k, turns)
        x = self.attn_ln(x + parts["o_proj"](attention(q * scale, k, v, mask)))
        up, gate = self.mlp["up_gate_proj"](x).chunk(2, dim=-1)
        return self.mlp_ln(x + self.mlp["down_proj"](up * ACTIVATIONS[self.config.hidden_act](gate)))


class Gte(Encoder):
    DEFAULTS = GTE_DEFAULTS

    def __init__(self, options, pooler=False):
        super().__init__()
        c = self.config = SimpleNamespace(**{**GTE_DEFAULTS, **options})
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(c.vocab_size, c.hidden_size, padding_idx=c.pad_token_id)
        if c.position_embedding_type == "absolute":
            # Position pad_token_id has no gradient, as the token of that number.
            self.embeddings.position_embeddings = nn.Embedding(c.max_position_embeddings, c.hidden_size, padding_idx=c.pad_token_id)
        if c.type_vocab_size > 0:
            self.embeddings.token_type_embeddings = nn.Embedding(c.type_vocab_size, c.hidden_size)
        self.embeddings.LayerNorm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(GteLayer(c) for _ in range(c.num_hidden_layers))
        if pooler:
            self.pooler = nn.Module()
            self.pooler.dense = nn.Linear(c.hidden_size, c.hidden_size)

    def embedded(self, input_ids, token_type_ids):
        return self.embeddings.LayerNorm(self.summed(input_ids, token_type_ids))

    def turns(self, x):
        c = self.config
        if c.position_embedding_type != "rope":
            return None
        width, dtype = c.hidden_size // c.num_attention_heads, precise(x)
        found = frequencies(c.rope_theta, width, dtype)
        if c.rope_scaling is not None:
            # Fixed NTK scaling, of rows of every length, or mixed with an exponent (https://kexue.fm/archives/9706).
            factor, mixed = torch.tensor(c.rope_scaling["factor"], dtype=dtype), c.rope_scaling.get("mixed_b")
            if factor > 1 and mixed is None:
                found = frequencies(c.rope_theta * factor, width, dtype) / factor ** (2 / width)
            elif factor > 1:
                share = factor.log() / (width / 2) ** mixed
                found = found / (share * torch.arange(1, width // 2 + 1, dtype=dtype) ** mixed).exp()
        return angles(x.shape[1], found)

    def hidden(self, x, mask):
        scale = torch.ones((), dtype=x.dtype)
        if self.config.logn_attention_scale:
            scale = mask.sum(1).to(x.dtype).log() / math.log(self.config.max_position_embeddings)
            scale = (scale.clamp(min=1) if self.config.logn_attention_clip1 else scale)[:, None, None, None]
        states, turns = [x], self.turns(x)
        for layer in self.encoder.layer:
            states.append(layer(states[-1], turns, scale, mask))
        return states
