from sentence_transformers.sentence_transformer import losses

from .support import grid, scores

LOSS = "AnglELoss"
ORDER = "matters"
CASES = (
    grid([{}, {"scale": 5}], columns=[2, 3, 5], labels=scores)
    + grid([{}], columns=[3, 4], batches=(1, 7))  # without labels
)


def build(model, options):
    return losses.AnglELoss(model, scale=options.get("scale", 20.0))
