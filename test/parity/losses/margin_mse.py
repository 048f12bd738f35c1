from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from .support import grid, numbers, signed

LOSS = "MarginMSELoss"
ORDER = "matters"
CASES = (
    grid([{}, {"similarityFct": "pairwise_cos_sim"}], columns=[3], labels=signed)
    + grid([{}], columns=[3, 4, 5], labels=numbers(lambda columns: columns - 2), batches=(1, 7))  # margins
    + grid([{}, {"similarityFct": "pairwise_manhattan_sim"}], columns=[3, 5], labels=numbers(lambda columns: columns - 1))
)


def build(model, options):
    return losses.MarginMSELoss(model, similarity_fct=getattr(util, options.get("similarityFct", "pairwise_dot_score")))
