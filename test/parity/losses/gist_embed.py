import torch
from sentence_transformers.sentence_transformer import losses
from transformers import PreTrainedTokenizerBase

from .support import grid, number

LOSS = "GISTEmbedLoss"
ORDER = "matters"
VARIANTS = [
    {},
    {"temperature": 0.1, "margin": 0.1},
    {"temperature": 0.1, "margin": 0.05, "marginStrategy": "relative"},
    {"temperature": 0.05, "contrastAnchors": False},
    {"temperature": 0.05, "contrastPositives": False, "margin": -0.2},
]
WIDTH = 4
GIST = {"guide": {"$guide": WIDTH}}
CASES = grid([{**v, **GIST} for v in VARIANTS], columns=[2, 3]) + grid(
    # More than one negative: Python's cached class alone takes them.
    [{**v, **GIST} for v in VARIANTS[:2]], columns=[4], batches=(7,)
)


class Tokenizer(PreTrainedTokenizerBase):
    """Both models share it, so that the guide reads the model's tokens."""

    vocab = {"[PAD]": 0}

    def __init__(self):
        pass

    def get_vocab(self):
        return self.vocab


class Guide(torch.nn.Module):
    """Some vector for every text."""

    max_seq_length = 32
    tokenizer = Tokenizer()

    def forward(self, features):
        self.rows = [
            [number(tuple(ids[mask.bool()].tolist()), j) for j in range(WIDTH)]
            for ids, mask in zip(features["input_ids"], features["attention_mask"])
        ]
        return {**features, "sentence_embedding": torch.tensor(self.rows)}


def build(model, options):
    model.tokenizer, model.max_seq_length = Guide.tokenizer, Guide.max_seq_length
    arguments = dict(
        temperature=options.get("temperature", 0.01),
        margin_strategy=options.get("marginStrategy", "absolute"),
        margin=options.get("margin", 0.0),
        contrast_anchors=options.get("contrastAnchors", True),
        contrast_positives=options.get("contrastPositives", True),
    )
    return Both(model, arguments)


class Both(torch.nn.Module):
    """The plain class up to one negative, the cached one from there on."""

    def __init__(self, model, arguments):
        super().__init__()
        self.model, self.arguments = model, arguments

    def forward(self, features, labels):
        features = list(features)
        guide = Guide()
        make = losses.GISTEmbedLoss if len(features) < 4 else losses.CachedGISTEmbedLoss
        return make(self.model, guide, **self.arguments)(features, labels)


def prepare(loss, case, features):
    case["guide"] = []
    for column in features:
        guide = Guide()
        guide(column)
        case["guide"] += guide.rows
