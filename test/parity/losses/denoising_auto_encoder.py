"""The forward pass is sentence-transformers' own; its constructor, which loads models by name, is written out for the tiny one."""

from types import SimpleNamespace

import torch
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses.denoising_auto_encoder import _tie_encoder_decoder_weights
from transformers import BertConfig, BertLMHeadModel

from .support import grid

LOSS = "DenoisingAutoEncoderLoss"
ORDER = "matters"
CASES = grid([{}], columns=[2])


class Loss(losses.DenoisingAutoEncoderLoss):
    def __init__(self, model):
        torch.nn.Module.__init__(self)
        self.model = self.encoder = model
        config = BertConfig(**{**model.bert.config.to_dict(), "is_decoder": True, "add_cross_attention": True})
        config._attn_implementation = "eager"
        self.decoder = BertLMHeadModel(config).to(torch.get_default_dtype())
        self.decoder.bert.load_state_dict(model.bert.state_dict(), strict=False)
        _tie_encoder_decoder_weights(model.bert, self.decoder.bert)
        self.tokenizer_decoder = SimpleNamespace(pad_token_id=config.pad_token_id)
        self.need_retokenization = False


def build(model, options):
    return Loss(model)
