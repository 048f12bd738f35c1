"""Parts of models with a vector for each token, for make_multi_vector.py and make_multi_vector_losses.py."""

import torch
from sentence_transformers.base.modules import Dense, Transformer
from transformers import BertConfig, BertModel, BertTokenizer

WORDS = "[PAD] [unused0] [unused1] [UNK] [CLS] [SEP] [MASK] the a cat dog runs sat on mat ##s fast slow not , . [ ] unused ##0 ##1".split()


def transformer(folder, seed, dropout=0.1, **more):
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=len(WORDS), hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=12,
                        max_position_embeddings=24, initializer_range=0.5, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    model = BertModel(config)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=24).save_pretrained(folder)
    return Transformer(str(folder), **more)


def dense(width, bias=False, **more):
    found = Dense(8, width, bias=bias, activation_function=torch.nn.Identity(), module_input_name="token_embeddings", **more)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.uniform_(-1, 1)
    return found
