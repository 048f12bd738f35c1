"""What the fixtures of architectures share: how one is described, exact arithmetic, random weights, names in checkpoints."""

import copy
import json
import tempfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open

UNIT = 64  # weights and projections are whole numbers of 1/64, from -127 to 127: exact in bfloat16, one byte each in the files
LENGTHS = (1, 2, 31, 32, 33, 64, 65)  # of the rows, beside the longest that the model takes


@dataclass(frozen=True)
class Setup:
    """One configuration of an architecture."""

    options: dict  # of the class of configurations
    covers: str  # what of it changes numbers, for the table of the docs
    longest: int  # tokens of the longest row that the model takes
    unlimited: bool = False  # whether the model takes longer rows, too
    pooler: bool = False  # whether the model has a pooler (pooler.dense)
    hub: bool = False  # whether the options are config.json of the code on the hub, which the reference alone computes
    reference: Callable[[dict], dict] | None = None  # config.json -> that of the reference, which must compute the same
    twin: Callable[[dict], dict] | None = None  # the reverse: options of transformers' class with which it computes the same
    by_row: bool = False  # numbers depend on the longest row of a batch: only single rows are compared
    optional: bool = False  # no published model has it: the engine may refuse it by name
    inert: tuple[str, ...] = ()  # options that transformers does not use here
    variants: dict[str, Callable[[dict], dict]] = field(default_factory=dict)  # config.json in other words: equal numbers


@dataclass(frozen=True)
class Head:
    """A model for a task: a head over the bare encoder."""

    model: Callable  # class of transformers
    options: dict
    covers: str

    def build(self, config_class):
        return self.model(config_class(**copy.deepcopy(self.options), attn_implementation="eager"))


@dataclass(frozen=True)
class Extra:
    """A tensor that files of the hub have beside those of the encoder, and that no encoder needs."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "F32"


@dataclass(frozen=True)
class Checkpoint:
    """How a file on the hub names the encoder's tensors: `prefix`, then `rename` of the name that save_pretrained writes."""

    prefix: str = ""
    rename: Callable[[str], str] = staticmethod(lambda name: name)
    extra: tuple[Extra, ...] = ()


@dataclass(frozen=True)
class Architecture:
    name: str  # model_type
    config: Callable  # class of configurations
    model: Callable  # class of bare encoders
    setups: dict[str, Setup]
    checkpoints: dict[str, Checkpoint]  # of the first setup
    takes_pooler: bool = True  # whether the class takes add_pooling_layer
    has_types: Callable[[object], bool] = lambda config: getattr(config, "type_vocab_size", 0) > 0
    classifiers: dict[str, Head] = field(default_factory=dict)
    masked: dict[str, Head] = field(default_factory=dict)
    reference: Callable | None = None  # the code on the hub, written anew (reference.py)

    def build(self, setup: Setup):
        if setup.hub:
            return self.reference(copy.deepcopy(setup.options))
        config = self.config(**copy.deepcopy(setup.options), attn_implementation="eager")
        return self.model(config, add_pooling_layer=setup.pooler) if self.takes_pooler else self.model(config)


# ------------------------------------------------------------------------------------------------------------- arithmetic


@contextmanager
def exact():
    """transformers computes rotary angles, and the softmax of some models, in float32 whatever the model's dtype. In here these
    are float64 too: a model in float64 computes in float64 alone."""
    before = torch.float, torch.float32, torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.float = torch.float32 = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.float, torch.float32, torch.Tensor.float = before
        torch.set_default_dtype(torch.float32)


def seed_of(*names):
    return zlib.crc32("/".join(names).encode())


def whole(shape, spread, *names, centre=0):
    """Normally distributed whole numbers that int8 holds."""
    generator = torch.Generator().manual_seed(seed_of(*names))
    return (centre + spread * torch.randn(tuple(shape), generator=generator)).round().clamp(-127, 127)


def randomise(model, *names):
    """Random weights: outputs that no two rows share, gradients far above rounding noise. Each depends on its name alone."""
    kinds = {f"{name}.weight": type(module).__name__ for name, module in model.named_modules() if "Norm" in type(module).__name__}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in kinds:
                # Gemma's norms multiply by 1 + weight.
                values = whole(parameter.shape, 6.4, *names, name, centre=0 if kinds[name].startswith("Gemma") else UNIT)
            else:
                values = whole(parameter.shape, 6.4 if parameter.ndim == 1 else 16, *names, name)
            parameter.copy_(values / UNIT)


# ------------------------------------------------------------------------------------------------------- names in the files


def layout(model, **options):
    """Which parameters each tensor of model.safetensors holds, row after row, as save_pretrained writes it."""
    if not hasattr(model, "save_pretrained"):
        return {name: [name] for name, _ in model.named_parameters()}
    marked = copy.deepcopy(model).to(torch.float32)
    names = [name for name, _ in marked.named_parameters()]
    with torch.no_grad():
        for number, parameter in enumerate(marked.parameters()):
            parameter.fill_(number)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        marked.save_pretrained(folder, **options)
        with safe_open(f"{folder}/model.safetensors", "pt") as file:
            for name in file.keys():
                first = file.get_tensor(name).flatten(1)[:, 0] if file.get_tensor(name).ndim > 1 else file.get_tensor(name)
                found[name] = [names[int(number)] for number in torch.unique_consecutive(first)]
    assert sorted(sum(found.values(), [])) == sorted(names), "every parameter is in one place of the file"
    return found


def config_json(model):
    """config.json as save_pretrained writes it, without the version."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads((Path(folder) / "config.json").read_text())
    config.pop("transformers_version")
    return config


def gathered(tensors, files):
    """Tensors of parameters as the file has them; those of which none has a value are left out."""
    found = {}
    for name, parts in files.items():
        values = [tensors.get(part) for part in parts]
        if all(value is None for value in values):
            continue
        found[name] = torch.cat(values) if len(values) > 1 else values[0]
    return found


# --------------------------------------------------------------------------------------------- config.json in other words


def without_defaults(config_class, *sizes):
    """config.json without what is the default of its class: what it lacks must be filled in. Sizes stay."""
    default = config_class().to_dict()

    def variant(config):
        return {k: v for k, v in config.items() if k in ("model_type", "architectures", *sizes) or default.get(k) != v}

    return variant


def with_keys(**keys):
    return lambda config: {**config, **keys}


# Of models for tasks.
SMALL = dict(vocab_size=22, hidden_size=8, num_attention_heads=2, num_hidden_layers=1, intermediate_size=10, max_position_embeddings=40,
             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
# Keys that files on the hub have and that change nothing.
OLD_KEYS = dict(gradient_checkpointing=False, position_embedding_type="absolute", output_past=True, torch_dtype="float32",
                transformers_version="4.6.1", attn_implementation=None)
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
         "type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob")
# As TensorFlow's checkpoints, and files that were made of them, have it.
gamma_beta = lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
