import torch
from sentence_transformers.sentence_transformer import losses

from .support import grid, same, signed

LOSS = "CosineSimilarityLoss"
ORDER = "free"
TRANSFORMATIONS = {
    "identity": torch.nn.Identity, "sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU,
    "gelu": torch.nn.GELU, "silu": torch.nn.SiLU,
}
CASES = (
    grid([{}, *({"cosScoreTransformation": name} for name in TRANSFORMATIONS)], columns=[2], labels=signed)
    + grid([{}], columns=[2], labels=same(1.0), batches=(2,))
)


def build(model, options):
    transformation = TRANSFORMATIONS[options.get("cosScoreTransformation", "identity")]()
    return losses.CosineSimilarityLoss(model, cos_score_transformation=transformation)
