"""Makes test/parity/golden/generation.json: what transformers' generate() writes with tiny random encoder-decoder models.

    .venv/bin/python test/parity/make_generation.py        # the packages of make_architectures.py

200 prompts a model, greedy and with beams, each with several options. A prompt is taken if float32 and float64 write the same, and if
in the greedy texts the best token is more than 1e-3 ahead of the second. Weights are whole numbers of 1/64, as in make_seq2seq.py.
"""

import base64
import json
from pathlib import Path

import torch
from architectures.support import UNIT, config_json, randomise, seed_of
from make_seq2seq import MT5, T5, padded
from torch.nn import Parameter
from transformers.utils import logging

OUT = Path(__file__).resolve().parent / "golden" / "generation.json"
SMALL = dict(vocab_size=40, d_model=12, d_kv=5, d_ff=20, num_layers=2, num_heads=2, dropout_rate=0.0, decoder_start_token_id=3)
PROMPTS, TRIED, MARGIN = 200, 420, 1e-3

MODELS = {
    "t5": (*T5, SMALL, False),
    "t5 v1.1": (*T5, dict(SMALL, feed_forward_proj="gated-gelu", tie_word_embeddings=False), True),
    "mt5": (*MT5, dict(SMALL, d_kv=4, num_heads=3), True),
}
# Arguments of generate(). Several tokens end a text, so that texts of random weights end at all.
SEVERAL = [1, 5, 17]
MODES = {
    "greedy": dict(max_new_tokens=14, eos_token_id=SEVERAL),
    "greedy, one end": dict(max_new_tokens=9, eos_token_id=[1]),
    "greedy, least and no repeats": dict(max_new_tokens=12, min_new_tokens=7, no_repeat_ngram_size=2, eos_token_id=SEVERAL),
    "4 beams": dict(max_new_tokens=12, num_beams=4, num_return_sequences=3, eos_token_id=[1, 5]),
    "3 beams, early": dict(max_new_tokens=12, num_beams=3, early_stopping=True, length_penalty=2.0, no_repeat_ngram_size=3,
                           eos_token_id=SEVERAL),
    "5 beams, never early": dict(max_new_tokens=8, min_new_tokens=2, num_beams=5, num_return_sequences=5, early_stopping="never",
                                 length_penalty=0.5, eos_token_id=SEVERAL),
    "2 beams, short": dict(max_new_tokens=10, num_beams=2, length_penalty=-1.0, eos_token_id=[5]),
}


def texts_of(model, prompts, options):
    """The answers to each prompt, without the start and what follows the end; and the least lead of a greedy text's tokens."""
    pad = model.config.pad_token_id
    mask = padded([[1] * len(row) for row in prompts], 0)
    out = model.generate(input_ids=padded(prompts, pad), attention_mask=mask, do_sample=False, top_k=None,
                         return_dict_in_generate=True, output_logits=True, **options)
    answers = []
    for row in out.sequences[:, 1:].tolist():
        end = next((i + 1 for i, token in enumerate(row) if token in options["eos_token_id"]), len(row))
        answers.append(row[:end])
    count = options.get("num_return_sequences", 1)
    leads = [1.0] * len(prompts)
    if "num_beams" not in options:
        for step, logits in enumerate(out.logits):
            best = logits.topk(2).values
            for i, lead in enumerate((best[:, 0] - best[:, 1]).tolist()):
                if step < len(answers[i]):
                    leads[i] = min(leads[i], lead)
    return [answers[i * count:(i + 1) * count] for i in range(len(prompts))], leads


def encoded(rows):
    """Numbers below 64, as text."""
    return base64.b64encode(bytes(rows)).decode()


def main():
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    index = {}
    for name, (config_class, model_class, options, own_head) in MODELS.items():
        def build():
            model = model_class(config_class(**options, attn_implementation="eager"))
            if own_head:
                model.lm_head.weight = Parameter(model.lm_head.weight.detach().clone())
            return model.eval()

        model = build()
        randomise(model, "generation", name)
        double = build().double()
        double.load_state_dict({n: p.double() for n, p in model.state_dict().items()}, strict=False)
        generator = torch.Generator().manual_seed(seed_of("generation", name))
        draw = lambda low, high, size: torch.randint(low, high, (size,), generator=generator).tolist()
        prompts = [draw(0, model.config.vocab_size, length) for length in draw(1, 34, TRIED)]
        found, sure = {}, [True] * TRIED
        for mode, arguments in MODES.items():
            found[mode], _ = texts_of(model, prompts, arguments)
            exact, leads = texts_of(double, prompts, arguments)
            sure = [s and a == b and lead > MARGIN for s, a, b, lead in zip(sure, found[mode], exact, leads)]
        taken = [i for i in range(TRIED) if sure[i]][:PROMPTS]
        print(f"{name:10} {sum(sure)} of {TRIED} prompts are sure, {len(taken)} taken")
        assert len(taken) == PROMPTS
        index[name] = {
            "config": config_json(model),
            "ownHead": own_head,
            "weights": {n: {"shape": list(p.shape), "data": base64.b64encode((p * UNIT).to(torch.int8).numpy().tobytes()).decode()}
                        for n, p in model.named_parameters()},
            "prompts": [encoded(prompts[i]) for i in taken],
            "modes": {mode: {"arguments": arguments, "answers": [[encoded(a) for a in found[mode][i]] for i in taken]}
                      for mode, arguments in MODES.items()},
        }
    OUT.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    print(f"{OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
