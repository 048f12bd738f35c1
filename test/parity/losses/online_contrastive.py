from sentence_transformers.sentence_transformer import losses

from .contrastive import METRICS
from .support import all_but, classes, grid, same, scores

LOSS = "OnlineContrastiveLoss"
ORDER = "free"
CASES = (
    grid(
        [{}, {"margin": 1}, {"distanceMetric": "euclidean", "margin": 6}, {"distanceMetric": "manhattan", "margin": 20}],
        columns=[2], labels=classes(2),
    )
    + grid([{}], columns=[2], labels=scores, batches=(7, 32))  # pairs that are neither
    + grid([{"margin": 1}], columns=[2], labels=same(0), batches=(1, 7))
    + grid([{"margin": 1}], columns=[2], labels=same(1), batches=(1, 7))
    # One positive alone is the farthest, one negative the closest.
    + grid([{"margin": 1}, {"distanceMetric": "euclidean", "margin": 6}], columns=[2], labels=all_but(1, 1), batches=(2, 7), repeated=())
    + grid([{"margin": 1}, {"distanceMetric": "euclidean", "margin": 6}], columns=[2], labels=all_but(1, 0), batches=(2, 7), repeated=())
)


def build(model, options):
    metric = METRICS[options.get("distanceMetric", "cosine")]
    return losses.OnlineContrastiveLoss(model, metric, margin=options.get("margin", 0.5))
