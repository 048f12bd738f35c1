from sentence_transformers.sentence_transformer import losses

from .support import grid, same, signed

LOSS = "CosineSimilarityLoss"
ORDER = "free"
CASES = grid([{}], columns=[2], labels=signed) + grid([{}], columns=[2], labels=same(1.0), batches=(2,))


def build(model, options):
    return losses.CosineSimilarityLoss(model)
