from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses import BatchHardTripletLossDistanceFunction as Distance

from .support import classes, distinct, grid, same

LOSS = "BatchHardTripletLoss"
ORDER = None
METRICS = {"euclidean": Distance.euclidean_distance, "cosine": Distance.cosine_distance}
CASES = (
    grid([{}, {"margin": 1}, {"distanceMetric": "cosine", "margin": 0.5}], columns=[1], labels=classes(3))
    + grid([{}], columns=[1], labels=same(4), batches=(7,))  # no negatives
    + grid([{}], columns=[1], labels=distinct, batches=(7,))  # no positives
)


def build(model, options):
    metric = METRICS[options.get("distanceMetric", "euclidean")]
    return losses.BatchHardTripletLoss(model, metric, margin=options.get("margin", 5))
