"""Fixtures of architectures for make_architectures.py: what is configured, how transformers builds it, how the hub names it."""

from . import bert, distilbert, electra, mpnet, roberta

ARCHITECTURES = (
    bert.ARCHITECTURE,
    roberta.ROBERTA,
    roberta.XLM_ROBERTA,
    roberta.CAMEMBERT,
    distilbert.ARCHITECTURE,
    electra.ARCHITECTURE,
    mpnet.ARCHITECTURE,
)
