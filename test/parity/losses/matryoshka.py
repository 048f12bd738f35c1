from sentence_transformers.sentence_transformer import losses

from .gist_embed import GIST, prepare as prepare_guide
from .support import grid, inner, numbers, scores, tables

LOSS = "MatryoshkaLoss"
ORDER = "matters"
DIMS = [4, 12, 8]
RANKING = {"$loss": ["MultipleNegativesRankingLoss", {"scale": 5}]}
CASES = (
    grid([{"loss": RANKING, "matryoshkaDims": DIMS}, {"loss": RANKING, "matryoshkaDims": DIMS, "matryoshkaWeights": [0.25, 2, 1]}], columns=[2, 3])
    + grid([{"loss": RANKING, "matryoshkaDims": [5], "nDimsPerStep": 1}], columns=[2], batches=(7,))
    + grid([{"loss": {"$loss": ["CoSENTLoss", {}]}, "matryoshkaDims": DIMS}], columns=[2], labels=scores, batches=(7,))
    # Labels as wide as the embeddings are cut along, others are not.
    + grid([{"loss": {"$loss": ["MSELoss", {}]}, "matryoshkaDims": DIMS}], columns=[1, 2], labels=numbers(lambda columns: 12), batches=(7,))
    + grid([{"loss": {"$loss": ["GISTEmbedLoss", {**GIST, "temperature": 0.1}]}, "matryoshkaDims": DIMS}], columns=[3], batches=(7,))
    # One teacher's embedding for each text.
    + grid([{"loss": {"$loss": ["MSELoss", {}]}, "matryoshkaDims": DIMS}], columns=[2, 3], labels=tables(12), batches=(7,))
    + grid([{"loss": {"$loss": ["EmbedDistillLoss", {}]}, "matryoshkaDims": DIMS}], columns=[2], labels=tables(12), batches=(1,))
)


def build(model, options):
    return losses.MatryoshkaLoss(
        model, inner(model, options["loss"]), options["matryoshkaDims"], options.get("matryoshkaWeights"),
        options.get("nDimsPerStep", -1),
    )


def prepare(loss, case, features):
    if case["options"]["loss"]["$loss"][0] == "GISTEmbedLoss":
        prepare_guide(loss, case, features)
