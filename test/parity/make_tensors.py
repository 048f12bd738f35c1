"""Makes test/parity/golden/tensors.json: what PyTorch makes of the operations of sentence-torch/tensor, and the gradients.

    .venv/bin/python test/parity/make_tensors.py

All in float64. Each case has its inputs, its value y and, where it has one, the gradient of sum(y · cos(0, 1, 2, …)) by
every input. test/parity/tensors.test.ts has the same cases by name.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

torch.manual_seed(1)
double = torch.float64
A, B = torch.randn(3, 4, dtype=double), torch.randn(3, 4, dtype=double)
ROW, SQUARE, CUBE = torch.randn(4, dtype=double), torch.randn(4, 4, dtype=double), torch.randn(2, 3, 4, dtype=double)
POSITIVE = torch.rand(3, 4, dtype=double) + 0.5
LABELS = torch.tensor([2, 0, 3])
WITH_IGNORED = torch.tensor([2, -100, 3])
INDEX = torch.tensor([[0, 2], [1, 1], [3, 0]])

CASES = {
    "add": (lambda a, b: a + b, A, ROW),
    "add number": (lambda a: a + 2.5, A),
    "sub": (lambda a, b: a - b, CUBE, A),
    "mul": (lambda a, b: a * b, A, B),
    "div": (lambda a, b: a / b, A, POSITIVE),
    "div number": (lambda a: a / 3, A),
    "pow": (lambda a, b: a**b, POSITIVE, A),
    "pow number": (lambda a: a**3, A),
    "maximum": (torch.maximum, A, B),
    "minimum number": (lambda a: torch.minimum(a, torch.tensor(0.25, dtype=double)), A),
    "neg": (torch.neg, A),
    "abs": (torch.abs, A),
    "exp": (torch.exp, A),
    "log": (torch.log, POSITIVE),
    "sqrt": (torch.sqrt, POSITIVE),
    "relu": (torch.relu, A),
    "tanh": (torch.tanh, A),
    "sigmoid": (torch.sigmoid, A),
    "softplus": (F.softplus, A),
    "clamp": (lambda a: a.clamp(-0.5, 0.5), A),
    "clamp min": (lambda a: a.clamp(min=0.1), A),
    "gt": (lambda a, b: a > b, A, B),
    "le number": (lambda a: a <= 0, A),
    "eq": (lambda a, b: a == b, LABELS.unsqueeze(0), LABELS.unsqueeze(1)),
    "ne": (lambda a, b: a != b, LABELS.unsqueeze(0), LABELS.unsqueeze(1)),
    "ge": (lambda a, b: a >= b, A, ROW),
    "lt number": (lambda a: a < 0.3, A),
    "where": (lambda a, b: torch.where(a > b, a, b * 2), A, B),
    "where number": (lambda a: torch.where(a > 0, a, -1.0), A),
    "sum": (torch.sum, A),
    "sum dim": (lambda a: a.sum(1), CUBE),
    "sum dims": (lambda a: a.sum((0, 2), keepdim=True), CUBE),
    "mean": (torch.mean, A),
    "mean dim": (lambda a: a.mean(-1, keepdim=True), A),
    "logsumexp": (lambda a: a.logsumexp(1), A),
    "logsumexp all": (lambda a: a.logsumexp((0, 1)), A),
    "norm": (lambda a: torch.linalg.vector_norm(a), A),
    "norm dim": (lambda a: torch.linalg.vector_norm(a, dim=1), A),
    "norm 1": (lambda a: torch.linalg.vector_norm(a, ord=1, dim=0, keepdim=True), A),
    "norm of zeros": (lambda a: torch.linalg.vector_norm(a, dim=1), torch.zeros(2, 3, dtype=double)),
    "max": (torch.max, A),
    "max dim": (lambda a: a.max(1).values, A),
    "max equal": (torch.max, torch.ones(2, 2, dtype=double)),
    "min dim": (lambda a: a.min(0, keepdim=True).values, A),
    "argmax": (lambda a: a.argmax(1), A),
    "softmax": (lambda a: a.softmax(1), A),
    "logSoftmax": (lambda a: a.log_softmax(0), A),
    "normalize": (lambda a: F.normalize(a, dim=1), A),
    "matmul": (torch.matmul, A, SQUARE),
    "matmul batches": (torch.matmul, CUBE, SQUARE),
    "matmul vector": (torch.matmul, A, ROW),
    "transpose": (lambda a: a.T, A),
    "reshape": (lambda a: a.reshape(2, -1), A),
    "unsqueeze": (lambda a: a.unsqueeze(-1), A),
    "squeeze": (lambda a: a.squeeze(0), A[:1].clone()),
    "expand": (lambda a: a.expand(3, 4), ROW),
    "slice": (lambda a: a[:, 1:-1], A),
    "select": (lambda a: a[:, -1], A),
    "indexSelect": (lambda a: a.index_select(1, LABELS), A),
    "gather": (lambda a: a.gather(1, INDEX), A),
    "diagonal": (torch.diagonal, A),
    "triu": (lambda a: a.triu(1), SQUARE),
    "tril": (lambda a: a.tril(), SQUARE),
    "cat": (lambda a, b: torch.cat([a, b, a], 1), A, B),
    "stack": (lambda a, b: torch.stack([a, b], -1), A, B),
    "crossEntropy": (lambda a: F.cross_entropy(a, LABELS), A),
    "crossEntropy none": (lambda a: F.cross_entropy(a, WITH_IGNORED, reduction="none", label_smoothing=0.1), A),
    "crossEntropy sum": (lambda a: F.cross_entropy(a, WITH_IGNORED, reduction="sum"), A),
    "mseLoss": (F.mse_loss, A, B),
    "mseLoss none": (lambda a, b: F.mse_loss(a, b, reduction="none"), A, B),
    "binaryCrossEntropyWithLogits": (
        lambda a, b: F.binary_cross_entropy_with_logits(a, b.detach(), reduction="sum"), A, B.sigmoid()),
    "cosineSimilarity": (lambda a, b: F.cosine_similarity(a, b), A, B),
    "arange": (lambda: torch.arange(2, 7),),
    "eye": (lambda: torch.eye(3, dtype=double),),
    "full": (lambda: torch.full((2, 3), float("-inf")),),
    "randn": (lambda: torch.manual_seed(7) and torch.randn(20),),
    "rand": (lambda: torch.manual_seed(7) and torch.rand(2, 3, dtype=double),),
}


def plain(x):
    """Infinite numbers as texts."""
    flat = x.detach().to(double).flatten().tolist()
    return {"shape": list(x.shape), "values": [v if abs(v) != float("inf") else str(v) for v in flat]}


def case(name):
    function, *inputs = CASES[name]
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    y = function(*leaves)
    out = {"name": name, "inputs": [{**plain(x), "dtype": str(x.dtype)[6:]} for x in inputs], "value": plain(y)}
    if y.requires_grad:
        weights = torch.arange(y.numel(), dtype=double).cos().reshape(y.shape)
        (y * weights).sum().backward()
        out["gradients"] = [None if x.grad is None else plain(x.grad) for x in leaves]
    return out


path = Path(__file__).resolve().parent / "golden" / "tensors.json"
path.write_text("[\n" + ",\n".join(json.dumps(case(name)) for name in CASES) + "\n]\n")
