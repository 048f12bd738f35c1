from sentence_transformers.sentence_transformer import losses

from .support import classes, grid, probabilities, same

LOSS = "SoftmaxLoss"
ORDER = "matters"
CASES = grid(
    [
        {"numLabels": 3},
        {"numLabels": 3, "concatenationSentMultiplication": True},
        {"numLabels": 3, "concatenationSentRep": False},
        {"numLabels": 3, "concatenationSentDifference": False},
    ],
    columns=[2], labels=classes(3),
) + grid([{"numLabels": 2}], columns=[2], labels=same(1), batches=(2, 7)) + grid(
    [{"numLabels": 3}], columns=[2], labels=probabilities(3), batches=(1, 7)
) + grid([{"numLabels": 5}], columns=[2], labels=probabilities(5), batches=(32,))


def build(model, options):
    return losses.SoftmaxLoss(
        model, model.width, num_labels=options["numLabels"],
        concatenation_sent_rep=options.get("concatenationSentRep", True),
        concatenation_sent_difference=options.get("concatenationSentDifference", True),
        concatenation_sent_multiplication=options.get("concatenationSentMultiplication", False),
    )
