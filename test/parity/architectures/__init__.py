"""Fixtures of architectures for make_architectures.py: what is configured, how transformers builds it, how the hub names it."""

from . import bert, deberta_v2, distilbert, electra, gemma3_text, gte, modernbert, mpnet, nomic_bert, qwen2, qwen3, roberta, t5

ARCHITECTURES = (
    bert.ARCHITECTURE,
    roberta.ROBERTA,
    roberta.XLM_ROBERTA,
    roberta.CAMEMBERT,
    distilbert.ARCHITECTURE,
    electra.ARCHITECTURE,
    mpnet.ARCHITECTURE,
    modernbert.ARCHITECTURE,
    nomic_bert.ARCHITECTURE,
    gte.ARCHITECTURE,
    t5.T5,
    t5.MT5,
    qwen2.ARCHITECTURE,
    qwen3.ARCHITECTURE,
    gemma3_text.ARCHITECTURE,
    deberta_v2.ARCHITECTURE,
)
