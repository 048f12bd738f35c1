from sentence_transformers.sentence_transformer import losses

from .contrastive import METRICS
from .support import classes, grid, same, scores

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
)


def build(model, options):
    metric = METRICS[options.get("distanceMetric", "cosine")]
    return losses.OnlineContrastiveLoss(model, metric, margin=options.get("margin", 0.5))
