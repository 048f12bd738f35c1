from sentence_transformers.sentence_transformer import losses

from .support import grid

LOSS = "MegaBatchMarginLoss"
ORDER = "matters"
CASES = grid(
    [{}, {"miniBatchSize": 3}, {"useMiniBatchedVersion": False}, {"positiveMargin": 0.2, "negativeMargin": -0.4}], columns=[2]
)


def build(model, options):
    # Equal values and gradients; a mini-batch smaller than the batch takes the reference's other path.
    return losses.MegaBatchMarginLoss(
        model, positive_margin=options.get("positiveMargin", 0.8), negative_margin=options.get("negativeMargin", 0.3),
        use_mini_batched_version=options.get("useMiniBatchedVersion", True),
        mini_batch_size=options.get("miniBatchSize", 50),
    )
