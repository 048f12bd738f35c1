"""Makes test/parity/golden/language-models: what transformers and sentence-transformers make of checkpoints with, and without, a
language-model head.

    python test/parity/make_language_models.py

- `tokenizer`: the files that all folders share; one folder with config.json and model.safetensors for each checkpoint.
- `golden.json`: `masked`: by checkpoint the loss of AutoModelForMaskedLM on given tokens and targets, and the tensors that it
  does not find; `denoising`: the loss of DenoisingAutoEncoderLoss on pairs of texts.

No dropout anywhere.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.sentence_transformer.losses import DenoisingAutoEncoderLoss
from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM, BertForPreTraining, BertLMHeadModel, BertModel, BertTokenizer

OUT = Path(__file__).resolve().parent / "golden" / "language-models"
WORDS = "the a man woman dog cat is was plays runs guitar flute on in field house big small red how many live ##s ##ing ##er play run , . ?"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS), *WORDS.split()]
CONFIG = dict(vocab_size=len(VOCAB), hidden_size=16, num_attention_heads=2, num_hidden_layers=2, intermediate_size=24,
              max_position_embeddings=24, initializer_range=0.4, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
BIAS, DECODER_BIAS = "cls.predictions.bias", "cls.predictions.decoder.bias"
WORD_TABLE, DECODER = "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"

# Rows of token ids, and what is to be predicted at each place.
IDS = [[2, 60, 4, 62, 66, 3], [2, 4, 70, 9, 3], [2, 57, 58, 59, 4, 4, 61, 3]]
TARGETS = [[-100, -100, 61, -100, 66, -100], [-100, 12, -100, -100, -100], [-100, 57, -100, -100, 63, 80, -100, -100]]
PAIRS = [("the man guitar", "the man plays a guitar."), ("woman flute", "a woman plays the flute in the field"),
         ("dog?", "is the big dog running?"), ("red", "how many live in the small red house, a dog?")]


def save(name, kind=BertForMaskedLM, seed=1, **options):
    torch.manual_seed(seed)
    model = kind(BertConfig(**{**CONFIG, **options}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(OUT / name)
    (OUT / name / "generation_config.json").unlink(missing_ok=True)


def variant(name, change, source="masked", **config):
    """A copy of a checkpoint with other tensors."""
    shutil.copytree(OUT / source, OUT / name)
    path = OUT / name / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata={"format": "pt"})
    path = OUT / name / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}, indent=2) + "\n")


def old_names(tensors):
    """As the first BERTs were saved: gamma and beta. The bare transformer without its prefix."""
    for name in list(tensors):
        new = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta").removeprefix("bert.")
        tensors[new] = tensors.pop(name)


def make_checkpoints(tokenizer):
    save("masked")
    save("untied", tie_word_embeddings=False)
    save("pretraining", BertForPreTraining)
    save("bare", BertModel)
    save("decoder", BertLMHeadModel, seed=5, is_decoder=True, add_cross_attention=True)
    variant("seven", lambda t: t[BIAS].fill_(7))
    variant("two-matrices", lambda t: t.update({DECODER: t[WORD_TABLE] * 0.5 + 0.1}))
    variant("two-biases", lambda t: t.update({DECODER_BIAS: t[BIAS] * 2 - 1}))
    variant("only-decoder-bias", lambda t: t.update({DECODER_BIAS: t.pop(BIAS) * 3 - 1}))
    variant("same-twice", lambda t: t.update({DECODER: t[WORD_TABLE], DECODER_BIAS: t[BIAS]}))
    variant("untied-in-config", lambda t: t.update({DECODER: t[WORD_TABLE] * 2, DECODER_BIAS: t[BIAS] * 2 - 1}), tie_word_embeddings=False)
    variant("old-names", old_names)
    variant("half", lambda t: t.update({k: v.half() if "cls" in k else v for k, v in t.items()}))
    tokenizer.save_pretrained(OUT / "tokenizer")


def masked_loss(name):
    model, info = AutoModelForMaskedLM.from_pretrained(OUT / name, output_loading_info=True, dtype=torch.float32)
    model.eval()
    width = max(map(len, IDS))
    pad = lambda rows, value: torch.tensor([row + [value] * (width - len(row)) for row in rows])
    mask = pad([[1] * len(row) for row in IDS], 0)
    with torch.no_grad():
        loss = model(input_ids=pad(IDS, 0), attention_mask=mask, labels=pad(TARGETS, -100)).loss
    missing = sorted(info["missing_keys"])
    # A new head is random.
    return dict(missing=missing, loss=None if missing else loss.item(), tied=model.get_output_embeddings().weight is model.get_input_embeddings().weight)


def denoising_loss(folder, tied):
    transformer = modules.Transformer(str(folder / "masked"))
    model = SentenceTransformer(modules=[transformer, modules.Pooling(16, "cls")], device="cpu")
    kwargs = {} if tied else dict(decoder_name_or_path=str(folder / "decoder"), tie_encoder_decoder=False)
    loss = DenoisingAutoEncoderLoss(model, **kwargs)
    if tied:
        # The cross-attention is new there, and the head that of the model's own checkpoint: here both are the decoder's.
        given = BertLMHeadModel.from_pretrained(folder / "decoder").state_dict()
        own = {name: value for name, value in given.items() if "crossattention" in name or name.startswith("cls.predictions.transform")
               or name in (BIAS, DECODER_BIAS)}
        loss.decoder.load_state_dict({**loss.decoder.state_dict(), **own})
    loss.eval()
    features = [model.tokenize([pair[side] for pair in PAIRS]) for side in (0, 1)]
    with torch.no_grad():
        return loss(features, None).item()


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        vocab = Path(temporary) / "vocab.txt"
        vocab.write_text("\n".join(VOCAB) + "\n")
        tokenizer = BertTokenizer(str(vocab), model_max_length=24)
        make_checkpoints(tokenizer)
        names = sorted(path.name for path in OUT.iterdir() if path.name not in ("tokenizer", "decoder"))
        for name in ("masked", "decoder"):
            shutil.copytree(OUT / name, Path(temporary) / name)
            tokenizer.save_pretrained(Path(temporary) / name)
        golden = dict(ids=IDS, targets=TARGETS, masked={name: masked_loss(name) for name in names}, pairs=PAIRS,
                      denoising=dict(tied=denoising_loss(Path(temporary), True), untied=denoising_loss(Path(temporary), False)))
    (OUT / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


main()
