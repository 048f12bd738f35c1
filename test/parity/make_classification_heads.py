"""Prints the golden values of native/test/classification_head_test.cpp: the classification heads of transformers over
one fixed tensor, in float64.

    python test/parity/make_classification_heads.py

The k-th parameter, in the order of the engine, has the values sin(0.7 i + k) / 2; norms are around 1. The token
embeddings of rows of 2, 1 and 3 tokens are sin(0.3 i).
"""

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    MPNetConfig,
    RobertaConfig,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.electra.modeling_electra import ElectraClassificationHead
from transformers.models.mpnet.modeling_mpnet import MPNetClassificationHead
from transformers.models.roberta.modeling_roberta import RobertaClassificationHead

WIDTH, LABELS = 4, 3
LENGTHS = [2, 1, 3]
SIZES = {
    "hidden_size": WIDTH,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 8,
    "vocab_size": 11,
    "num_labels": LABELS,
}


def values(shape, k):
    count = torch.Size(shape).numel()
    return (torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + k) / 2).view(shape)


def states():
    flat = torch.sin(0.3 * torch.arange(sum(LENGTHS) * WIDTH, dtype=torch.float64)).view(-1, WIDTH)
    padded = torch.zeros(len(LENGTHS), max(LENGTHS), WIDTH, dtype=torch.float64)
    mask = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    at = 0
    for row, length in enumerate(LENGTHS):
        padded[row, :length] = flat[at : at + length]
        mask[row, :length] = 1
        at += length
    return padded, mask


class Transformer(torch.nn.Module):
    """Gives fixed states instead of a transformer's."""

    def __init__(self, pooler=None):
        super().__init__()
        self.pooler = pooler

    def forward(self, *_args, **_kwargs):
        state = states()[0]
        pooled = self.pooler(state) if self.pooler is not None else None
        return BaseModelOutputWithPooling(last_hidden_state=state, pooler_output=pooled)


def fill(modules):
    parameters = [p for module in modules for p in module.parameters()]
    for k, parameter in enumerate(parameters):
        norm = any(parameter is module.weight for module in modules if isinstance(module, torch.nn.LayerNorm))
        parameter.data = values(parameter.shape, k) + (1 if norm else 0)


def show(name, logits):
    rows = ", ".join("{" + ", ".join(f"{x:.16g}" for x in row) + "}" for row in logits.detach().tolist())
    print(f"{name}: {rows}")


def head_alone(name, head):
    head = head.double().eval()
    fill([head.dense, head.out_proj])
    show(name, head(states()[0]))


def whole(name, model, parts):
    model = model.double().eval()
    fill(parts(model))
    mask = states()[1]
    show(name, model(input_ids=mask, attention_mask=mask).logits)


bert = BertForSequenceClassification(BertConfig(**SIZES))
bert.bert = Transformer(bert.bert.pooler)
whole("bert", bert, lambda model: [model.bert.pooler.dense, model.classifier])

head_alone("roberta", RobertaClassificationHead(RobertaConfig(**SIZES)))
head_alone("electra", ElectraClassificationHead(ElectraConfig(**SIZES)))
head_alone("mpnet", MPNetClassificationHead(MPNetConfig(**SIZES)))

distilbert = DistilBertForSequenceClassification(
    DistilBertConfig(dim=WIDTH, n_heads=2, n_layers=1, hidden_dim=8, vocab_size=11, num_labels=LABELS)
)
distilbert.distilbert = Transformer()
whole("distilbert", distilbert, lambda model: [model.pre_classifier, model.classifier])

for pooling in ("cls", "mean"):
    for bias in (False, True):
        config = ModernBertConfig(**SIZES, classifier_pooling=pooling, classifier_bias=bias, norm_bias=bias, pad_token_id=0,
                                  cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2)
        modern = ModernBertForSequenceClassification(config)
        modern.model = Transformer()
        whole(
            f"modernbert {pooling} {'with' if bias else 'without'} bias",
            modern,
            lambda model: [model.head.dense, model.head.norm, model.classifier],
        )
