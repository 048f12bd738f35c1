from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses import SiameseDistanceMetric

from .support import classes, grid, same, scores

LOSS = "ContrastiveLoss"
ORDER = "free"
METRICS = {
    "cosine": SiameseDistanceMetric.COSINE_DISTANCE,
    "euclidean": SiameseDistanceMetric.EUCLIDEAN,
    "manhattan": SiameseDistanceMetric.MANHATTAN,
}
CASES = (
    grid(
        [{}, {"distanceMetric": "euclidean", "margin": 6}, {"distanceMetric": "manhattan", "margin": 20},
         {"sizeAverage": False}],
        columns=[2], labels=classes(2),
    )
    + grid([{}], columns=[2], labels=scores, batches=(7,))
    + grid([{}], columns=[2], labels=same(0), batches=(1, 7))
)


def build(model, options):
    return losses.ContrastiveLoss(
        model, METRICS[options.get("distanceMetric", "cosine")], margin=options.get("margin", 0.5),
        size_average=options.get("sizeAverage", True),
    )
