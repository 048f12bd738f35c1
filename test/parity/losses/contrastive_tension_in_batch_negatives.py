from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from .contrastive_tension import Twins
from .support import grid

LOSS = "ContrastiveTensionLossInBatchNegatives"
ORDER = None
CASES = grid([{}, {"scale": 1, "similarityFct": "dot_score"}], columns=[1])


def build(model, options):
    similarity = util.dot_score if options.get("similarityFct") == "dot_score" else util.cos_sim
    return Twins(losses.ContrastiveTensionLossInBatchNegatives(model, options.get("scale", 20.0), similarity))
