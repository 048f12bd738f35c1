import torch
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses import adaptive_layer

from .support import grid, inner, scores

LOSS = "AdaptiveLayerLoss"
ORDER = "matters"
RANKING = {"$loss": ["MultipleNegativesRankingLoss", {"scale": 5}]}
MATRYOSHKA = {"$loss": ["MatryoshkaLoss", {"loss": RANKING, "matryoshkaDims": [12, 6, 3]}]}
# All layers: those that are drawn depend on the generator.
ALL = {"loss": RANKING, "nLayersPerStep": -1}
CASES = (
    grid([ALL, {**ALL, "layerWeighting": "linear"}, {**ALL, "layerWeighting": "log", "lastLayerWeight": 0.5, "priorLayersWeight": 2}], columns=[2, 3])
    + grid([{**ALL, "klTemperature": 0}, {**ALL, "klTemperature": 1, "klDivWeight": 3}, {**ALL, "loss": MATRYOSHKA}], columns=[3], batches=(7,))
    + grid([{**ALL, "loss": {"$loss": ["CoSENTLoss", {}]}}], columns=[2], labels=scores, batches=(7,))
)


class First(torch.nn.Module):
    """The transformer as sentence-transformers' module: it fills the features that it is given."""

    def __init__(self, bert):
        super().__init__()
        self.__dict__["auto_model"] = bert

    def forward(self, features):
        names = ("input_ids", "attention_mask", "token_type_ids")
        every = self.auto_model.config.output_hidden_states
        output = self.auto_model(**{k: v for k, v in features.items() if k in names}, output_hidden_states=every)
        features["token_embeddings"] = output.last_hidden_state
        if every:
            features["all_layer_embeddings"] = output.hidden_states
        return features


class Base:
    """What the loss takes for a model."""


adaptive_layer.Transformer, adaptive_layer.BaseModel = First, Base


def layered(model):
    """The model with its transformer as a module that the loss can decorate."""
    first = First(model.bert)

    class Layered(type(model), Base):
        def __getitem__(self, index):
            return [first, *self.heads][index]

        def forward(self, features):
            features = first(features)
            for head in self.heads:
                features = head(features)
            return features

    model.__class__ = Layered
    return model


def build(model, options):
    return losses.AdaptiveLayerLoss(
        layered(model), inner(model, options["loss"]),
        n_layers_per_step=options["nLayersPerStep"],
        last_layer_weight=options.get("lastLayerWeight", 1.0),
        prior_layers_weight=options.get("priorLayersWeight", 1.0),
        kl_div_weight=options.get("klDivWeight", 1.0),
        kl_temperature=options.get("klTemperature", 0.3),
        layer_weighting=options.get("layerWeighting", "uniform"),
    )
