from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from .support import grid

LOSS = "MultipleNegativesRankingLoss"
ORDER = "matters"
BOTH = ["query_to_doc", "doc_to_query"]
ALL = ["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"]
CASES = grid([{}, {"scale": 1, "similarityFct": "dot_score"}], columns=[2, 3, 4, 5]) + grid(
    [
        {"directions": BOTH, "partitionMode": "per_direction"},
        {"directions": ALL},
        {"directions": ["query_to_doc", "doc_to_doc"], "scale": 5},
        {"directions": ["query_to_doc", "query_to_query"], "scale": 1, "similarityFct": "dot_score"},
        {"hardnessMode": "in_batch_negatives", "hardnessStrength": 9},
        {"hardnessMode": "hard_negatives", "hardnessStrength": 5},
        {"hardnessMode": "all_negatives", "hardnessStrength": 2, "directions": ALL},
        {"hardnessMode": "all_negatives", "hardnessStrength": 2, "directions": BOTH, "partitionMode": "per_direction"},
    ],
    columns=[2, 4],
)


def arguments(options):
    return dict(
        scale=options.get("scale", 20.0),
        similarity_fct=util.dot_score if options.get("similarityFct") == "dot_score" else util.cos_sim,
        directions=tuple(options.get("directions", ["query_to_doc"])),
        partition_mode=options.get("partitionMode", "joint"),
        hardness_mode=options.get("hardnessMode"),
        hardness_strength=options.get("hardnessStrength", 0.0),
    )


def build(model, options):
    return losses.MultipleNegativesRankingLoss(model, **arguments(options))
