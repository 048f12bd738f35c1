"""Makes test/parity/golden/architectures: tiny random models of every architecture, run by transformers.

    python3 -m venv .venv && .venv/bin/pip install torch==2.13.0 transformers==5.24.0 sentence-transformers==6.2.0
    .venv/bin/python test/parity/make_architectures.py                # all of them
    .venv/bin/python test/parity/make_architectures.py roberta mpnet  # some

The fixtures are in test/parity/architectures, one file for each architecture. For each there are two golden files:

- `<architecture>.json`: for every configuration config.json as transformers writes it, the same in other words (`variants`), the
  lengths of the rows, and how far PyTorch's own float32 is off; names of the tensors in the files of the hub.
- `<architecture>.safetensors`: weights and inputs, embeddings, gradients, by configuration: `base/grad/<tensor>`.

Tensors have the names that save_pretrained gives those of the bare encoder; those are the engine's names too, after the number of
the module. Expected values are computed in float64 and stored as float32. Rows run one at a time, without padding; a batch with
padding gives the same, which is checked here. Weights, ids, types and the gradients of the losses are int8: ids and types as they
are, the others in units of 1/64 (architectures/support.py).

The losses are sums of products with given numbers (`d_embeddings`): of the mean of a row's tokens, and, in the first configuration,
of three ways of pooling side by side (`spread/`), in which no two tokens of a row have the same gradient.
"""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import torch
from architectures import ARCHITECTURES
from architectures.support import LENGTHS, UNIT, config_json, exact, gathered, layout, randomise, seed_of, whole
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save_file
from sentence_transformers.sentence_transformer import modules
from transformers.utils import logging

OUT = Path(__file__).resolve().parent / "golden" / "architectures"
SPREAD = ("cls", "lasttoken", "weightedmean")
TOKENS = (1, 2, 33)  # token embeddings are kept of rows of these lengths, and of the last three rows
TOLERANCE = 1e-5
SIZES = ("vocab_size", "hidden_size", "dim", "embedding_size", "intermediate_size", "hidden_dim", "num_hidden_layers", "n_layers",
         "max_position_embeddings", "d_model", "d_kv", "d_ff", "num_heads", "num_layers", "num_decoder_layers")  # tensors tell

failures = []


def expect(condition, message):
    """All that is wrong is told before the end."""
    if not condition:
        failures.append(message)
        print("WRONG", message)


# ----------------------------------------------------------------------------------------------------------------- inputs


def make_rows(config, longest, *names):
    """Rows of every length of interest, unsorted, and one that spells out the padding token; token types in segments."""
    padding = config.pad_token_id
    generator = torch.Generator().manual_seed(seed_of(*names, "ids"))
    ordinary = [token for token in range(2, config.vocab_size) if token != padding]
    draw = lambda count: [ordinary[i] for i in torch.randint(0, len(ordinary), (count,), generator=generator)]
    lengths = list(dict.fromkeys(n for n in (33, 1, 65, longest, 2, 64, 31, 32) if n <= longest))
    rows = [draw(length) for length in lengths]
    p = 0 if padding is None else padding
    a, b, c, d = draw(4)
    rows += [[a, p, b, p, p, c, 0, 1, d, p], [p], draw(5)]
    kinds = getattr(config, "type_vocab_size", 0) or 1
    types = [[(i * kinds) // len(row) for i in range(len(row))] for row in rows]
    return rows, types


def run(model, row, types, has_types):
    ids = torch.tensor([row])
    features = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if has_types:
        features["token_type_ids"] = torch.tensor([types])
    return model(**features, output_hidden_states=True)


def run_padded(model, rows, types, padding, has_types):
    width = max(map(len, rows))
    fill = lambda values, value: torch.tensor([list(v) + [value] * (width - len(v)) for v in values])
    features = {"input_ids": fill(rows, padding), "attention_mask": fill([[1] * len(row) for row in rows], 0)}
    if has_types:
        features["token_type_ids"] = fill(types, 0)
    return model(**features).last_hidden_state


# ----------------------------------------------------------------------------------------------------------------- values


def pooled(hidden, modes):
    pooling = modules.Pooling(hidden.shape[-1], list(modes))
    return pooling({"token_embeddings": hidden, "attention_mask": torch.ones(hidden.shape[:2], dtype=torch.long)})["sentence_embedding"]


def values_of(model, rows, types, has_types, projections):
    """Outputs of every row, and the gradients of the loss of each projection: {modes: [rows, width]}."""
    outputs, gradients = [run(model, row, t, has_types) for row, t in zip(rows, types)], {}
    embeddings = {modes: torch.cat([pooled(o.last_hidden_state, modes) for o in outputs]) for modes in projections}
    for modes, projection in projections.items():
        model.zero_grad()
        (embeddings[modes] * projection).sum().backward(retain_graph=True)
        gradients[modes] = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    detached = {modes: value.detach() for modes, value in embeddings.items()}
    return outputs, detached, gradients


def gradient_share(found, expected):
    """The largest deviation of a gradient as a part of what is allowed."""
    assert found.keys() == expected.keys()
    total = torch.cat([g.flatten() for g in expected.values()]).norm()
    return max(((found[n] - g).norm() / (1e-4 * g.norm() + 1e-7 * total)).item() for n, g in expected.items())


def least_cosine(found, expected):
    return torch.nn.functional.cosine_similarity(found.double(), expected).min().item()


def check_options(architecture, name, setup, model, rows, types, projection):
    """Every option that is not what its class has anyway changes embeddings or gradients, unless the fixture says that it is inert."""
    default = SimpleNamespace(**architecture.reference.DEFAULTS) if setup.hub else architecture.config()
    has_types = architecture.has_types(model.config)

    def numbers(network):
        _, embeddings, gradients = values_of(network, rows, types, has_types, {("mean",): projection.double()})
        return torch.cat([embeddings[("mean",)].flatten(), *(g.flatten() for _, g in sorted(gradients[("mean",)].items()))])

    before = numbers(model)
    weights = model.state_dict()
    for option, value in setup.options.items():
        other = getattr(default, option, value)
        if value == other or option in SIZES:
            continue
        options = {k: v for k, v in setup.options.items() if k != option}
        try:
            changed = architecture.build(replace(setup, options=options)).double().eval()
        except (ValueError, AssertionError, ZeroDivisionError, StrictDataclassError):
            continue  # The default does not fit the other options.
        if {n: p.shape for n, p in changed.state_dict().items()} != {n: p.shape for n, p in weights.items()}:
            continue  # The tensors tell.
        changed.load_state_dict(weights)
        try:
            found = numbers(changed)
            if found.shape != before.shape:
                continue  # Other tensors have gradients.
            difference = (found - before).abs().max().item()
        except (IndexError, TypeError):
            continue  # Positions beyond the table, or layers that slide without a window.
        inert = option in setup.inert or "dropout" in option or (option.endswith("token_id") and option != "pad_token_id")
        expect(inert == (difference == 0), f"{architecture.name}/{name}: {option} {other} instead of {value} changes {difference}")


def check_reference(architecture, setup, config, model, files, rows, types, outputs):
    """The code on the hub and transformers' class compute the same, where both can."""
    weights = {n: p.detach() for n, p in model.named_parameters()}
    if setup.reference:
        pooler = dict(pooler=True) if setup.pooler else {}
        other = architecture.reference(setup.reference(config), **pooler).double().eval()
        other.load_state_dict(gathered(weights, files))
    elif setup.twin:
        other = architecture.build(replace(setup, hub=False, options=setup.twin(config))).double().eval()
        parts = layout(other)
        shapes = {n: p.shape[0] for n, p in other.named_parameters()}
        split = {n: dict(zip(names, weights[n].split([shapes[p] for p in names]))) for n, names in parts.items()}
        other.load_state_dict({p: value for values in split.values() for p, value in values.items()})
    else:
        return
    for row, t, expected in zip(rows, types, outputs):
        found = run(other, row, t, architecture.has_types(model.config)).last_hidden_state
        difference = (found - expected.last_hidden_state).abs().max().item()
        expect(difference < 1e-12, f"{architecture.name}: {setup.covers}: a row of {len(row)} differs from the reference by {difference}")


def check_variants(architecture, setup, config, model, files, rows, types, outputs):
    """config.json in other words is read alike by transformers, or by the reference where it has the keys of the hub."""
    weights = {n: p.detach() for n, p in model.named_parameters()}
    for name, change in setup.variants.items():
        variant = change(config)
        if variant["model_type"] != architecture.name or ("n_embd" in variant and "hidden_size" not in variant):
            other = architecture.reference(variant).double().eval()
            other.load_state_dict(gathered(weights, files))
        else:
            read = architecture.config.from_dict({**variant, "attn_implementation": "eager"})
            other = architecture.model(read, **(dict(add_pooling_layer=setup.pooler) if architecture.takes_pooler else {})).double().eval()
            other.load_state_dict(model.state_dict())
        for row, t, expected in zip(rows, types, outputs):
            found = run(other, row, t, architecture.has_types(model.config)).last_hidden_state
            difference = (found - expected.last_hidden_state).abs().max().item()
            expect(difference < 1e-12, f"{architecture.name}: {name} of {setup.covers}: a row of {len(row)} differs by {difference}")


def make_setup(architecture, name, setup, first):
    where = f"{architecture.name}/{name}"
    seeds = (architecture.name, name)
    model = architecture.build(setup).eval()
    randomise(model, *seeds)
    files = layout(model)
    config = setup.options if setup.hub else config_json(model)
    has_types = architecture.has_types(model.config)
    rows, types = make_rows(model.config, setup.longest, *seeds)
    assert {len(row) for row in rows} >= {*LENGTHS, setup.longest}
    width = model.config.hidden_size
    all_modes = [("mean",), SPREAD] if first else [("mean",)]
    projections = {modes: whole((len(rows), width * len(modes)), 32, *seeds, *modes) / UNIT for modes in all_modes}
    stored = {n: p.detach().clone() for n, p in model.named_parameters()}

    with exact():
        double = architecture.build(setup).double().eval()
        double.load_state_dict({n: p.double() for n, p in model.state_dict().items()}, strict=False)
        outputs, embeddings, gradients = values_of(double, rows, types, has_types, {m: p.double() for m, p in projections.items()})
        check_options(architecture, name, setup, double, rows, types, projections[("mean",)])
        check_reference(architecture, setup, config, double, files, rows, types, outputs)
        check_variants(architecture, setup, config, double, files, rows, types, outputs)
        if not setup.by_row:
            padding = 0 if model.config.pad_token_id is None else model.config.pad_token_id
            # RoBERTa takes tokens for padding wherever they are, so that these rows differ in nothing but their length.
            hidden = run_padded(double, rows, types, padding, has_types)
            for row, output, padded in zip(rows, outputs, hidden):
                difference = (output.last_hidden_state[0] - padded[: len(row)]).abs().max().item()
                expect(difference < 1e-9, f"{where}: padding changes a row of {len(row)} by {difference}")

    # What PyTorch itself reaches in float32 and bfloat16.
    _, single, single_gradients = values_of(model, rows, types, has_types, projections)
    error = max((single[m] - embeddings[m]).abs().max().item() for m in projections)
    share = max(gradient_share(single_gradients[m], gradients[m]) for m in projections)
    with torch.no_grad():
        half_model = model.to(torch.bfloat16)
        half = torch.cat([pooled(run(half_model, r, t, has_types).last_hidden_state, ("mean",)) for r, t in zip(rows, types)])
    cosine = least_cosine(half, embeddings[("mean",)])
    print(f"{where:32} float32: embeddings {error:.1e}, gradients {share:.2f} of what is allowed; bfloat16: cosine {cosine:.5f}")
    expect(error <= TOLERANCE and share <= 1 and cosine >= 0.999, f"{where}: PyTorch itself is off by more")

    shown = len(rows) - 1  # the row whose hidden states are kept
    token_rows = [i for i, row in enumerate(rows) if len(row) in TOKENS or i >= len(rows) - 3]
    join = lambda values, dtype: torch.tensor([v for row in values for v in row], dtype=dtype)
    tensors = {"ids": join(rows, torch.int8)}
    if has_types and config["type_vocab_size"] > 1:
        tensors["types"] = join(types, torch.int8)
    for tensor, value in gathered(stored, files).items():
        tensors[f"weights/{tensor}"] = (value * UNIT).to(torch.int8)
    tensors["tokens"] = torch.cat([outputs[i].last_hidden_state[0] for i in token_rows])
    if setup.pooler:
        tensors["pooler_output"] = torch.cat([output.pooler_output for output in outputs])
    if first:
        for i, state in enumerate(outputs[shown].hidden_states):
            tensors[f"hidden/{i}"] = state[0]
    for modes in projections:
        prefix = "" if modes == ("mean",) else "spread/"
        tensors[f"{prefix}embeddings"] = embeddings[modes]
        tensors[f"{prefix}d_embeddings"] = (projections[modes] * UNIT).to(torch.int8)
        for tensor, value in gathered(gradients[modes], files).items():
            tensors[f"{prefix}grad/{tensor}"] = value
    entry = {
        "covers": setup.covers,
        "config": config,
        "variants": {variant: change(config) for variant, change in setup.variants.items()},
        "pooler": setup.pooler,
        "optional": setup.optional,
        "positions": None if setup.unlimited else setup.longest,
        "lengths": [len(row) for row in rows],
        "tokenRows": token_rows,
        "hiddenRow": shown,
        "python": {"embeddings": digits(error), "gradients": digits(share)},
    }
    return entry, {f"{name}/{key}": value for key, value in tensors.items()}


# ------------------------------------------------------------------------------------------------------------------ heads


def make_head(architecture, kind, name, head):
    """A classifier: logits of every row, and gradients for given ones of the logits. A masked language model: logits of every token,
    the mean cross-entropy of the tokens with a label, and its gradients. Tensors have their names in the checkpoint, those of the
    encoder without its prefix."""
    where = f"{architecture.name}/{kind}/{name}"
    seeds = (architecture.name, kind, name)
    model = head.build(architecture.config).eval()
    randomise(model, *seeds)
    prefix = f"{model.base_model_prefix}."
    files = {file.removeprefix(prefix): parts for file, parts in layout(model).items()}
    has_types = architecture.has_types(model.config)
    rows, types = make_rows(model.config, 33, *seeds)
    chosen = [i for i, row in enumerate(rows) if len(row) in TOKENS or i >= len(rows) - 3]
    if kind == "masked":
        chosen = [i for i in chosen if len(rows[i]) <= 10]
    rows, types = [rows[i] for i in chosen], [types[i] for i in chosen]
    labels = None
    if kind == "masked":
        generator = torch.Generator().manual_seed(seed_of(*seeds, "labels"))
        draw = lambda count: torch.randint(0, model.config.vocab_size, (count,), generator=generator)
        labels = [torch.where(draw(len(row)) % 3 == 0, -100, draw(len(row))) for row in rows]
    projection = whole((len(rows), model.config.num_labels), 32, *seeds, "logits") / UNIT

    def values(network, dtype):
        network.zero_grad()
        logits = torch.cat([run(network, row, t, has_types).logits.flatten(0, -2) for row, t in zip(rows, types)])
        if kind == "masked":
            loss = torch.nn.functional.cross_entropy(logits, torch.cat(labels))
        else:
            loss = (logits * projection.to(dtype)).sum()
        loss.backward()
        return logits.detach(), loss.item(), {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}

    stored = {n: p.detach().clone() for n, p in model.named_parameters()}
    config = config_json(model)
    with exact():
        double = head.build(architecture.config).double().eval()
        double.load_state_dict({n: p.double() for n, p in model.state_dict().items()}, strict=False)
        logits, loss, gradients = values(double, torch.float64)
    single, _, single_gradients = values(model, torch.float32)
    error, share = (single - logits).abs().max().item(), gradient_share(single_gradients, gradients)
    print(f"{where:48} float32: logits {error:.1e}, gradients {share:.2f} of what is allowed")
    expect(error <= TOLERANCE and share <= 1, f"{where}: PyTorch itself is off by more")
    expect(all(name in gradients for name in stored), f"{where}: no gradient of {[n for n in stored if n not in gradients]}")

    join = lambda lists, dtype: torch.tensor([v for row in lists for v in row], dtype=dtype)
    tensors = {"ids": join(rows, torch.int8), "logits": logits}
    if has_types and config["type_vocab_size"] > 1:
        tensors["types"] = join(types, torch.int8)
    if kind == "masked":
        tensors["labels"] = join(labels, torch.int8)
    else:
        tensors["d_logits"] = (projection * UNIT).to(torch.int8)
    for tensor, value in gathered(stored, files).items():
        tensors[f"weights/{tensor}"] = (value * UNIT).to(torch.int8)
    for tensor, value in gathered(gradients, files).items():
        tensors[f"grad/{tensor}"] = value
    entry = {
        "covers": head.covers,
        "config": config,
        "prefix": prefix,
        "lengths": [len(row) for row in rows],
        "python": {"logits": digits(error), "gradients": digits(share)},
    }
    if kind == "masked":
        entry["loss"] = loss
    else:
        entry["numLabels"] = model.config.num_labels
    return entry, {f"{kind}/{name}/{key}": value for key, value in tensors.items()}


# ------------------------------------------------------------------------------------------------------------------ names


def parts_of(model, files):
    """Tensors as the classes of transformers name them, where these differ: [name in the file, name here, first row, rows]."""
    places = {}
    shapes = dict(model.named_parameters())
    for name, parameters in files.items():
        start = 0
        for parameter in parameters:
            places[parameter] = (name, start, shapes[parameter].shape[0])
            start += shapes[parameter].shape[0]
    parts = [[name, *places[parameters[0]]] for name, parameters in layout(model, save_original_format=False).items()]
    return [part for part in parts if part[0] != part[1]]


def make_checkpoints(architecture):
    """Names in files: `prefix` and the name here, or what `renamed` says; `extra`: what no encoder needs."""
    model = architecture.build(next(iter(architecture.setups.values())))
    files = layout(model)
    rows = {n: t.shape[0] for n, t in gathered(dict(model.named_parameters()), files).items()}
    found = {}
    for name, checkpoint in architecture.checkpoints.items():
        renamed = {n: checkpoint.rename(n) for n in files}
        found[name] = {
            "prefix": checkpoint.prefix,
            "renamed": [[checkpoint.prefix + new, n, 0, rows[n]] for n, new in renamed.items() if new != n],
            "extra": [[extra.name, list(extra.shape), extra.dtype] for extra in checkpoint.extra],
        }
    if parts := parts_of(model, files):
        found["as the classes name them"] = {"prefix": "", "renamed": parts, "extra": []}
    return found


# ----------------------------------------------------------------------------------------------------------------- output


def digits(value):
    return float(f"{value:.2g}")


def written(value):
    """JSON with lists of plain values on one line each."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    while True:
        shorter = re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\n\s*", " ", m[0]), text)
        if shorter == text:
            return text + "\n"
        text = shorter


def main():
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    OUT.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[1:]
    for architecture in ARCHITECTURES:
        if wanted and architecture.name not in wanted:
            continue
        index = {"architecture": architecture.name, "setups": {}, "checkpoints": make_checkpoints(architecture)}
        tensors = {}
        for number, (name, setup) in enumerate(architecture.setups.items()):
            index["setups"][name], more = make_setup(architecture, name, setup, number == 0)
            tensors |= more
        for kind in ("classifiers", "masked"):
            index[kind] = {}
            for name, head in getattr(architecture, kind).items():
                index[kind][name], more = make_head(architecture, kind, name, head)
                tensors |= more
        plain = lambda value: (value.float() if value.is_floating_point() else value).contiguous()
        save_file({name: plain(value) for name, value in tensors.items()}, OUT / f"{architecture.name}.safetensors")
        (OUT / f"{architecture.name}.json").write_text(written(index), encoding="utf-8")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
