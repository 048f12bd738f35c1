from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from .support import distinct, grid, same, scores

LOSS = "CoSENTLoss"
ORDER = "free"
SIMILARITIES = ["pairwise_dot_score", "pairwise_manhattan_sim", "pairwise_angle_sim"]
CASES = (
    grid([{}, {"scale": 5}, *({"similarityFct": name, "scale": 0.5} for name in SIMILARITIES)], columns=[2], labels=scores)
    # Equal texts have no gradient by this one.
    + grid([{"similarityFct": "pairwise_euclidean_sim", "scale": 1}], columns=[2], labels=scores, batches=(2, 7))
    + grid([{}], columns=[2], labels=same(0.5), batches=(7,))
    + grid([{}], columns=[2], labels=distinct, batches=(7,))
)


def build(model, options):
    similarity = getattr(util, options.get("similarityFct", "pairwise_cos_sim"))
    return losses.CoSENTLoss(model, scale=options.get("scale", 20.0), similarity_fct=similarity)
