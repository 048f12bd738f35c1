from sentence_transformers import util
from sentence_transformers.sparse_encoder import losses

from .support import grid, numbers, scores

LOSS = "SpladeLoss"
ORDER = "matters"
BOTH = {"documentRegularizerWeight": 0.25, "queryRegularizerWeight": 0.5}
ONLY = {"documentRegularizerWeight": 0.25, "useDocumentRegularizerOnly": True}
# Embeddings have 12 values, none of which is 0.
FEW = {"documentRegularizerThreshold": 11, "queryRegularizerThreshold": 12}


def of(name, **options):
    return {"loss": {"$loss": [name, options]}}


RANKING = of("SparseMultipleNegativesRankingLoss")
CASES = (
    grid([{**RANKING, **BOTH}, {**RANKING, "documentRegularizerWeight": 0.25}], columns=[2, 3])
    + grid([{**of("SparseMultipleNegativesRankingLoss", scale=5, similarityFct="cos_sim"), **BOTH, **FEW}], columns=[2], batches=(7,))
    + grid([{**of("SparseCoSENTLoss"), **ONLY}, {**of("SparseAnglELoss", scale=5), **ONLY}, {**of("SparseCosineSimilarityLoss"), **BOTH}], columns=[2], labels=scores)
    + grid([{**of("SparseTripletLoss"), **BOTH}], columns=[3])
    + grid([{**of("SparseMarginMSELoss"), **BOTH}], columns=[3], labels=numbers(lambda columns: columns - 2))
    + grid([{**of("SparseDistillKLDivLoss"), **BOTH}, {**of("SparseDistillKLDivLoss", temperature=0.5), **BOTH}], columns=[3], labels=numbers(lambda columns: columns - 1))
)
KEYS = {"scale": "scale", "temperature": "temperature"}


def inner(model, name, options):
    given = {KEYS[key]: value for key, value in options.items() if key in KEYS}
    if "similarityFct" in options:
        given["similarity_fct"] = getattr(util, options["similarityFct"])
    return getattr(losses, name)(model, **given)


def build(model, options):
    return losses.SpladeLoss(
        model, inner(model, *options["loss"]["$loss"]), options["documentRegularizerWeight"],
        query_regularizer_weight=options.get("queryRegularizerWeight"),
        document_regularizer_threshold=options.get("documentRegularizerThreshold"),
        query_regularizer_threshold=options.get("queryRegularizerThreshold"),
        use_document_regularizer_only=options.get("useDocumentRegularizerOnly", False),
    )
