from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses import TripletDistanceMetric

from .support import grid

LOSS = "TripletLoss"
ORDER = "matters"
METRICS = {
    "euclidean": TripletDistanceMetric.EUCLIDEAN,
    "cosine": TripletDistanceMetric.COSINE,
    "manhattan": TripletDistanceMetric.MANHATTAN,
}
CASES = grid(
    [{}, {"tripletMargin": 1}, {"distanceMetric": "cosine", "tripletMargin": 0.5}, {"distanceMetric": "manhattan"}],
    columns=[3],
)


def build(model, options):
    metric = METRICS[options.get("distanceMetric", "euclidean")]
    return losses.TripletLoss(model, metric, triplet_margin=options.get("tripletMargin", 5))
