import torch
from sentence_transformers.sentence_transformer import losses

from .support import grid

LOSS = "ContrastiveTensionLoss"
ORDER = "matters"
CASES = grid([{}], columns=[2]) + grid([{}], columns=[2], labels=lambda batch, columns: [i % 2 for i in range(batch)], batches=(7,))


class Twins(torch.nn.Module):
    """A loss with the engine's names of its parameters: model2 is the encoder, model1 is its copy."""

    def __init__(self, loss):
        super().__init__()
        loss.model1.bert.pooler = None
        self.model = loss.model2
        self.model1 = torch.nn.ModuleDict({"0": loss.model1.bert})
        self.__dict__["loss"] = loss
        if hasattr(loss, "logit_scale"):
            self.logit_scale = loss.logit_scale

    def forward(self, features, labels):
        return self.loss(features, labels)


def build(model, options):
    return Twins(losses.ContrastiveTensionLoss(model))
