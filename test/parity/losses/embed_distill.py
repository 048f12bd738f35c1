from sentence_transformers.sentence_transformer import losses

from .support import grid, numbers, tables

LOSS = "EmbedDistillLoss"
ORDER = "free"  # of labels for all columns
METRICS = [{}, {"distanceMetric": "mse"}, {"distanceMetric": "l2"}]
PROJECTED = [{**options, "projectionDim": 5} for options in METRICS]
CASES = (
    grid(METRICS, columns=[2, 1, 3, 5], labels=numbers(lambda columns: 12))
    + grid(METRICS, columns=[1, 2, 4], labels=tables(12), batches=(1, 7))
    + grid(PROJECTED, columns=[1, 2], labels=numbers(lambda columns: 5), batches=(1, 7))
    + grid(PROJECTED, columns=[3], labels=tables(5), batches=(7,))
)


def build(model, options):
    return losses.EmbedDistillLoss(
        model, distance_metric=options.get("distanceMetric", "cosine"), projection_dim=options.get("projectionDim")
    )
