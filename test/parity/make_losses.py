"""Makes test/parity/golden/losses: value and gradients of every loss from sentence-transformers' own classes.

    .venv/bin/python test/parity/make_losses.py [fixture ...]     # losses/<fixture>.py; all without a name

The environment is that of make_goldens.py, and so are the model (`train`: one layer, dropout 0, mean pooling) and its
weights. Each fixture of test/parity/losses gives a list of cases; each case is one forward and one backward pass on fresh
gradients. As there, the stored values are those of float64. The tests ask the engine's float64 for the same values, and
its float32 for as much as PyTorch's own reaches: the tolerances of training.test.ts, with room for rounding where
gradients cancel. `noise` is PyTorch's own largest error beyond 1e-4 of a tensor's norm, as a part of the global norm.

What is stored of the gradients: for every tensor its norm and three projections, sums of its entries with signs that the
test computes too (`signs`); for the first case of seven rows all entries. Parameters that the loss owns get values that
the test computes too (`owned`). Texts are rows of `losses-texts.json`, so equal numbers are equal texts.
"""

import base64
import contextlib
import gzip
import importlib
import json
import math
import sys
import zlib
from pathlib import Path

import torch

from make_goldens import BASES, OUT, Pipeline, engine_name, padded, pooling, random_rows, randomise

FIXTURES = Path(__file__).resolve().parent / "losses"
BASE = BASES["train"]
TEXTS = 176
PROJECTIONS = 3
LARGE = 200_000  # bytes of a file from which on it is compressed


class Model(Pipeline):
    """The tiny model, with what losses ask of a SentenceTransformer."""

    def __init__(self):
        super().__init__(BASE, [pooling("mean")])
        randomise(self.bert, "train")

    def get_embedding_dimension(self):
        return self.width

    def __getitem__(self, index):
        return [self.bert, *self.heads][index]

    def __iter__(self):
        return iter([self.bert, *self.heads])


def name_of(name):
    return engine_name(name.removeprefix("sentence_embedder."))


def mix(index, seed):
    """32 bits of a number and a seed, for tensors of int64 (lowbias32)."""
    x = (index + seed * 0x9E3779B9) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def signs(count, projection):
    return 1.0 - 2.0 * (mix(torch.arange(count), projection + 1) & 1).double()


def owned(name, shape):
    """-1/4 to 1/4 in steps that float32 has."""
    bits = mix(torch.arange(math.prod(shape)), zlib.crc32(name.encode())) & 0xFFFF
    return ((bits.double() - 32768) / 131072).reshape(shape)


def make_texts():
    found = []
    for attempt in range(1000):
        length = 1 + (5 * len(found)) % 12
        row = random_rows([length], 1, BASE["vocab_size"], f"texts/{attempt}")[0]
        if row not in found:
            found.append(row)
        if len(found) == TEXTS:
            return found
    raise AssertionError("too few texts")


def choose(case, name):
    """Numbers of the texts of each column."""
    columns, batch = case["columns"], case["batch"]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    numbers = torch.randperm(TEXTS, generator=generator)[: columns * batch].reshape(columns, batch).tolist()
    for column in numbers:
        if case["rows"] == "repeated" and batch > 1:
            column[1] = column[0]
        if case["rows"] == "equal columns":
            column[0] = numbers[0][0]
    return numbers


@contextlib.contextmanager
def exactly(dtype):
    """In float64, `x.float()` inside a loss would fall back to float32."""
    before = torch.Tensor.float
    torch.set_default_dtype(dtype)
    if dtype == torch.float64:
        torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.Tensor.float = before
        torch.set_default_dtype(torch.float32)


def load(fixture):
    return importlib.import_module(f"losses.{fixture}")


def run(fixture, case, texts, dtype):
    """Value, components and gradients by the engine's names."""
    model = Model().to(dtype)  # of random values in float32
    with exactly(dtype):
        torch.manual_seed(0)
        loss = fixture.build(model, case["options"]).to(dtype).train()
        parameters = {name_of(n): p for n, p in loss.named_parameters() if "bert.pooler." not in n}
        for name, parameter in parameters.items():
            if name.startswith("loss."):
                with torch.no_grad():
                    parameter.copy_(owned(name, parameter.shape))
        features = [padded([texts[i] for i in column]) for column in case["texts"]]
        labels = case["labels"]
        if labels is not None:
            labels = torch.tensor(labels)
            labels = labels.to(dtype) if labels.is_floating_point() else labels
        if "targets" in case:
            features[0]["targets"] = case["targets"]
        if hasattr(fixture, "prepare"):
            fixture.prepare(loss, case, features)
        value = loss(features, labels)
        components = {n: v.item() for n, v in value.items()} if isinstance(value, dict) else {}
        value = sum(value.values()) if components else value
        if value.requires_grad:
            value.backward()
        gradients = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in parameters.items()}
        return value.item(), components, {n: g.double() for n, g in gradients.items()}


def deviation(single, exact):
    """Of float32: value and worst gradient, as parts of what the tests allow before noise; and the noise."""
    value = abs(single[0] - exact[0]) / (1e-5 * max(1, abs(exact[0]))) if math.isfinite(exact[0]) else 0
    total = math.sqrt(sum(g.norm().item() ** 2 for g in exact[2].values())) or 1
    off = [((single[2][n] - g).norm().item(), g.norm().item()) for n, g in exact[2].items()]
    worst = max(error / (1e-4 * norm + 1e-7 * total) for error, norm in off)
    noise = max((error - 1e-4 * norm) / total for error, norm in off)
    return [float(f"{x:.2g}") for x in (value, worst)], float(f"{noise:.2g}")


def is_finite(result):
    """The value, the gradients."""
    return math.isfinite(result[0]), bool(all(g.isfinite().all() for g in result[2].values()))


def packed32(tensor):
    return base64.b64encode(tensor.flatten().float().numpy().tobytes()).decode()


def digest(gradients):
    """[tensors, 1 + PROJECTIONS]: norm, projections."""
    rows = [[g.norm(), *((g.flatten() * signs(g.numel(), p)).sum() for p in range(PROJECTIONS))] for g in gradients.values()]
    return packed32(torch.tensor(rows, dtype=torch.float64))


def golden_of(name, texts):
    fixture = load(name)
    kept, has_full = [], False
    for index, case in enumerate(fixture.CASES):
        where = f"{fixture.LOSS} case {index} ({case['options']}, {case['columns']} x {case['batch']}, {case['rows']})"
        case = {"texts": choose(case, f"{name}/{index}"), **case}
        if hasattr(fixture, "targets"):
            case["targets"] = fixture.targets([texts[i] for i in case["texts"][0]])
        single, exact = (run(fixture, case, texts, d) for d in (torch.float32, torch.float64))
        assert is_finite(single) == is_finite(exact), f"{where}: finite in one precision only"
        entry = {**case, "loss": exact[0] if math.isfinite(exact[0]) else None, "finite": is_finite(exact)[1]}
        if exact[1] and entry["loss"] is not None:
            entry["components"] = exact[1]
        if entry["finite"]:
            entry["float32"], noise = deviation(single, exact)
            if noise > 3e-8:
                entry["noise"] = noise
            assert entry["float32"][0] <= 1 and noise < 1e-6, f"{where}: PyTorch's own float32 differs by {entry['float32']}, {noise}"
            entry["tensors"] = list(exact[2])
            entry["gradients"] = digest(exact[2])
            if case["batch"] == 7 and not has_full:
                has_full = True
                entry["full"] = packed32(torch.cat([g.flatten() for g in exact[2].values()]))
        kept.append(entry)
    assert has_full, f"{name}: no case of seven rows"
    shared = kept[-1].get("tensors") or next(e["tensors"] for e in kept if "tensors" in e)
    for entry in kept:  # the list of names once, where it does not change
        if entry.get("tensors") == shared:
            del entry["tensors"]
    worst = [max((e["float32"][i] for e in kept if e["finite"]), default=0) for i in range(2)]
    noise = max(e.get("noise", 0) for e in kept)
    print(f"{fixture.LOSS:42} {len(kept):3} cases, {sum(not e['finite'] for e in kept)} not finite, "
          f"float32 differs by at most {worst} of what is allowed, noise {noise}")
    return {"loss": fixture.LOSS, "fixture": name, "order": fixture.ORDER, "tensors": shared, "cases": kept}


def save(golden):
    lines = ",\n".join(json.dumps(c, ensure_ascii=False, allow_nan=False) for c in golden["cases"])
    head = json.dumps({k: v for k, v in golden.items() if k != "cases"}, ensure_ascii=False)[:-1]
    text = f'{head}, "cases": [\n{lines}\n]}}\n'.encode()
    path = OUT / "losses" / f"{golden['loss']}.json"
    for stale in (path, path.with_suffix(".json.gz")):
        stale.unlink(missing_ok=True)
    if len(text) > LARGE:
        path.with_suffix(".json.gz").write_bytes(gzip.compress(text, mtime=0))
    else:
        path.write_bytes(text)


def main():
    torch.set_num_threads(1)
    (OUT / "losses").mkdir(exist_ok=True)
    texts = make_texts()
    rows = ",\n".join(json.dumps(row) for row in texts)
    (OUT / "losses-texts.json").write_text(f"[\n{rows}\n]\n")
    names = sys.argv[1:] or sorted(p.stem for p in FIXTURES.glob("*.py") if p.stem != "support")
    for name in names:
        save(golden_of(name, texts))


if __name__ == "__main__":
    main()
