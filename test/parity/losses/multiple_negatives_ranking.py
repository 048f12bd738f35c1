from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from .support import grid

LOSS = "MultipleNegativesRankingLoss"
ORDER = "matters"
CASES = grid([{}, {"scale": 1, "similarityFct": "dot_score"}], columns=[2, 3, 4, 5])


def build(model, options):
    similarity = util.dot_score if options.get("similarityFct") == "dot_score" else util.cos_sim
    return losses.MultipleNegativesRankingLoss(model, scale=options.get("scale", 20.0), similarity_fct=similarity)
