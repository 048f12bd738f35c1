from sentence_transformers.sentence_transformer import losses

from .support import grid, numbers, tables

LOSS = "MSELoss"
ORDER = "free"  # of labels for all columns
CASES = (
    grid([{}], columns=[2, 1, 3], labels=numbers(lambda columns: 12))
    + grid([{}], columns=[1, 2, 4], labels=tables(12), batches=(1, 7))
    + grid([{"projectionDim": 5}], columns=[1, 2], labels=numbers(lambda columns: 5), batches=(1, 7))
    + grid([{"projectionDim": 24}], columns=[3], labels=tables(24), batches=(7,))
)


def build(model, options):
    return losses.MSELoss(model, projection_dim=options.get("projectionDim"))
