"""Makes test/parity/golden/seq2seq.{json,safetensors}: tiny random encoder-decoder models, run by transformers.

    .venv/bin/python test/parity/make_seq2seq.py        # the packages of make_architectures.py

For every model the mean cross-entropy of target texts and the gradients of all tensors, in float64 (architectures/support.py: exact)
and stored as float32; for some also mean and deviation of the loss over many masks of dropout. Python gets the texts padded, with -100 as the labels of the padding. Weights are whole numbers of 1/64.
"""

import json
import sys
from pathlib import Path

import torch
from architectures.support import UNIT, config_json, exact, randomise, seed_of
from make_architectures import digits, gradient_share, written
from safetensors.torch import save_file
from torch.nn import Parameter
from transformers import MT5Config, MT5ForConditionalGeneration, T5Config, T5ForConditionalGeneration
from transformers.utils import logging

OUT = Path(__file__).resolve().parent / "golden"
SMALL = dict(vocab_size=30, d_model=12, d_kv=5, d_ff=20, num_layers=2, num_heads=2, dropout_rate=0.0, decoder_start_token_id=3)

T5, MT5 = (T5Config, T5ForConditionalGeneration), (MT5Config, MT5ForConditionalGeneration)
# Classes, options, whether the last layer has a matrix of its own, what is covered.
MODELS = {
    "t5": (*T5, SMALL, False, "relu, states scaled in front of the table of words, as many layers as the encoder"),
    "t5 v1.1": (*T5, dict(SMALL, feed_forward_proj="gated-gelu", tie_word_embeddings=False, num_decoder_layers=1), True,
                "gated-gelu, a last layer of its own, not scaled, one layer of two"),
    "scaled, own head": (*T5, dict(SMALL, d_model=8, d_kv=8, num_heads=1, num_layers=1, num_decoder_layers=3, pad_token_id=7), True,
                         "a last layer of its own whose states are scaled, three layers over one, pad_token_id 7"),
    "tied, not scaled": (*T5, dict(SMALL, feed_forward_proj="gated-silu", tie_word_embeddings=False, relative_attention_num_buckets=8,
                                   relative_attention_max_distance=20), False,
                         "gated-silu, the table of words without a scale, 8 buckets up to a distance of 20"),
    "mt5": (*MT5, dict(SMALL, d_kv=4, num_heads=3), True, "mT5: gated-gelu, a last layer of its own, never scaled"),
    "mt5, tied": (*MT5, dict(SMALL, d_kv=4, num_heads=3, num_layers=1), False, "mT5 with the table of words"),
}
# Of which the loss with dropout is known, too: the plain and the gated feed-forward part.
WITH_DROPOUT = ("t5", "t5 v1.1")
DRAWS = 1000
# Tokens of every source and target text.
LENGTHS = ((5, 33), (1, 1), (33, 2), (140, 31), (2, 140), (64, 32), (7, 64), (65, 65))


def make_texts(vocabulary, name):
    generator = torch.Generator().manual_seed(seed_of("seq2seq", name, "ids"))
    draw = lambda count: torch.randint(0, vocabulary, (count,), generator=generator).tolist()
    sources, targets = [draw(a) for a, _ in LENGTHS], [draw(b) for _, b in LENGTHS]
    # Tokens that are not predicted, in front of others and at the end.
    targets[0][3] = targets[0][4] = targets[3][0] = targets[4][-1] = -100
    return sources, targets


def padded(rows, value):
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def values_of(model, sources, targets):
    model.zero_grad()
    mask = padded([[1] * len(row) for row in sources], 0)
    loss = model(input_ids=padded(sources, model.config.pad_token_id), attention_mask=mask, labels=padded(targets, -100)).loss
    loss.backward()
    return loss.item(), {n: p.grad.clone() for n, p in model.named_parameters()}


def losses_with_dropout(build, options, weights, sources, targets):
    """Mean and deviation of the loss over many masks: they tell where dropout stands, and how strong it is."""
    model = build(dict(options, dropout_rate=0.3)).train()
    model.load_state_dict(weights)
    mask = padded([[1] * len(row) for row in sources], 0)
    features = dict(input_ids=padded(sources, model.config.pad_token_id), attention_mask=mask, labels=padded(targets, -100))
    torch.manual_seed(5)
    with torch.no_grad():
        losses = torch.tensor([model(**features).loss.item() for _ in range(DRAWS)], dtype=torch.float64)
    return {"rate": 0.3, "draws": DRAWS, "mean": round(losses.mean().item(), 6), "deviation": round(losses.std().item(), 6)}


def main():
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    index, tensors, failed = {}, {}, False
    for name, (config_class, model_class, options, own_head, covers) in MODELS.items():

        def build(options=options):
            model = model_class(config_class(**options, attn_implementation="eager"))
            if own_head:
                model.lm_head.weight = Parameter(model.lm_head.weight.detach().clone())
            return model.eval()

        model = build()
        randomise(model, "seq2seq", name)
        sources, targets = make_texts(model.config.vocab_size, name)
        weights = {n: p.detach().clone() for n, p in model.named_parameters()}
        assert ("lm_head.weight" in weights) == own_head
        config = config_json(model)
        with exact():
            double = build().double()
            double.load_state_dict({n: p.double() for n, p in model.state_dict().items()}, strict=False)
            loss, gradients = values_of(double, sources, targets)
        single_loss, single = values_of(model, sources, targets)
        share = gradient_share(single, gradients)
        dropout = losses_with_dropout(build, options, model.state_dict(), sources, targets) if name in WITH_DROPOUT else None
        half = values_of(model.to(torch.bfloat16), sources, targets)[1]
        flat = lambda all_of: torch.cat([all_of[n].double().flatten() for n in gradients])
        cosine = torch.nn.functional.cosine_similarity(flat(half), flat(gradients), dim=0).item()
        print(f"{name:24} loss {loss:.6f}, float32: {abs(single_loss - loss):.1e}, gradients {share:.2f} of what is allowed; bfloat16: {cosine:.5f}")
        failed = failed or abs(single_loss - loss) > 1e-5 or share > 1
        join = lambda rows: torch.tensor([token for row in rows for token in row], dtype=torch.int8)
        tensors[f"{name}/ids"], tensors[f"{name}/targets"] = join(sources), join(targets)
        for tensor, value in weights.items():
            tensors[f"{name}/weights/{tensor}"] = (value * UNIT).to(torch.int8)
            tensors[f"{name}/grad/{tensor}"] = gradients[tensor].float()
        index[name] = {
            "covers": covers,
            "config": config,
            "ownHead": own_head,
            "lengths": [len(row) for row in sources],
            "targetLengths": [len(row) for row in targets],
            "loss": loss,
            "dropout": dropout,
            "python": {"loss": digits(abs(single_loss - loss)), "gradients": digits(share), "bfloat16": digits(1 - cosine)},
        }
    save_file({n: t.contiguous() for n, t in tensors.items()}, OUT / "seq2seq.safetensors")
    (OUT / "seq2seq.json").write_text(written(index), encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
