from sentence_transformers.sentence_transformer import losses

from .support import distinct, grid, same, scores

LOSS = "CoSENTLoss"
ORDER = "free"
CASES = (
    grid([{}, {"scale": 5}], columns=[2], labels=scores)
    + grid([{}], columns=[2], labels=same(0.5), batches=(7,))
    + grid([{}], columns=[2], labels=distinct, batches=(7,))
)


def build(model, options):
    return losses.CoSENTLoss(model, scale=options.get("scale", 20.0))
