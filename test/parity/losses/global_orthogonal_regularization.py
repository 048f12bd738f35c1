from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from .support import grid

LOSS = "GlobalOrthogonalRegularizationLoss"
ORDER = "free"
CASES = grid(
    [{}, {"meanWeight": 0.5, "secondMomentWeight": 2}, {"secondMomentWeight": None}, {"meanWeight": 0, "aggregation": "sum"},
     {"similarityFct": "dot_score", "aggregation": "sum"}],
    columns=[2, 1, 3],
)


def build(model, options):
    similarity = util.dot_score if options.get("similarityFct") == "dot_score" else util.cos_sim
    return losses.GlobalOrthogonalRegularizationLoss(
        model, similarity_fct=similarity, mean_weight=options.get("meanWeight", 1.0),
        second_moment_weight=options.get("secondMomentWeight", 1.0), aggregation=options.get("aggregation", "mean"),
    )
