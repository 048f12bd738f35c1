"""Writes test/parity/golden/data: batches of sentence-transformers' samplers, Parquet files of pyarrow, masked tokens.

    python test/parity/make_data_goldens.py     (needs sentence-transformers 6.2.0, datasets, pyarrow)

So that batches can be compared one by one, the samplers draw their random orders from the generator of lib/data/random.ts,
of which `Xoshiro` is a translation, instead of PyTorch's.
"""

import json
import random as python_random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tokenizers
import torch
from datasets import ClassLabel, Dataset, Features, List, ReadInstruction, Value
from sentence_transformers.base import sampler as st
from sentence_transformers.sentence_transformer.datasets import SentenceLabelDataset
from sentence_transformers.sentence_transformer.losses.contrastive_tension import ContrastiveTensionDataLoader
from sentence_transformers.sentence_transformer.readers import InputExample
from tokenizers.models import WordPiece
from torch.utils.data import BatchSampler, ConcatDataset, SequentialSampler
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

FOLDER = Path(__file__).parent / "golden" / "data"
MASK = 0xFFFFFFFF


def mix(h):
    h = (h ^ (h >> 16)) * 0x85EBCA6B & MASK
    h = (h ^ (h >> 13)) * 0xC2B2AE35 & MASK
    return h ^ (h >> 16)


def rotate(value, bits):
    return (value << bits | value >> (32 - bits)) & MASK


class Xoshiro:
    def __init__(self, *seeds):
        mixed = 0x9E3779B9
        for seed in seeds:
            mixed = mix(mixed ^ (seed & MASK))
            mixed = mix((mixed + seed // 2**32) & MASK)
        self.state = []
        for _ in range(4):
            mixed = (mixed + 0x9E3779B9) & MASK
            self.state.append(mix(mixed))

    def next(self):
        s = self.state
        result = rotate(s[1] * 5 & MASK, 7) * 9 & MASK
        t = s[1] << 9 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 11)
        return result

    def below(self, bound):
        limit = 2**32 - 2**32 % bound
        while (value := self.next()) >= limit:
            pass
        return value % bound

    def permutation(self, length):
        values = list(range(length))
        for i in range(length - 1, 0, -1):
            j = self.below(i + 1)
            values[i], values[j] = values[j], values[i]
        return values


random = None
torch.randperm = lambda n, **_: torch.tensor(random.permutation(n), dtype=torch.int64)


def batches(sampler, seed, epoch):
    global random
    random = Xoshiro(seed, epoch)
    sampler.set_epoch(epoch)
    return [list(map(int, batch)) for batch in sampler]


def group_by_label():
    cases = []
    for i, (rows, labels, size) in enumerate(
        [(40, 5, 8), (41, 2, 4), (200, 77, 16), (30, 2, 10), (64, 9, 6), (12, 2, 16), (300, 12, 32), (90, 5, 4)]
    ):
        draw = Xoshiro(1000 + i)
        # Uneven: small labels come more often.
        values = [min(draw.below(labels), draw.below(labels)) for _ in range(rows)]
        data = Dataset.from_dict({"text": [str(i) for i in range(rows)], "label": values})
        for drop_last in (False, True):
            sampler = st.GroupByLabelBatchSampler(data, size, drop_last, ["label"], torch.Generator(), seed=7)
            runs = [batches(sampler, 7, epoch) for epoch in (0, 1)]
            cases.append(dict(labels=values, batchSize=size, dropLast=drop_last, length=len(sampler), epochs=runs))
    return cases


def multi():
    cases = []
    for lengths, size in [([10, 25, 7], 4), ([3, 3], 2), ([1, 40], 8), ([16, 16, 16, 5], 5)]:
        sets = [Dataset.from_dict({"text": [f"{d}-{i}" for i in range(n)]}) for d, n in enumerate(lengths)]
        offsets = [sum(lengths[:d]) for d in range(len(lengths))]
        for name, kind in (("proportional", st.ProportionalBatchSampler), ("round_robin", st.RoundRobinBatchSampler)):
            for drop_last in (False, True):
                children = [BatchSampler(SequentialSampler(s), size, drop_last) for s in sets]
                sampler = kind(ConcatDataset(sets), children, torch.Generator(), seed=5)
                found = batches(sampler, 5, 2)
                named = []
                for batch in found:
                    d = max(d for d in range(len(lengths)) if offsets[d] <= batch[0])
                    named.append([d, [row - offsets[d] for row in batch]])
                cases.append(
                    dict(
                        lengths=lengths, batchSize=size, sampler=name, dropLast=drop_last, length=len(sampler), batches=named
                    )
                )
    return cases


def no_duplicates():
    cases = []
    # The last one: never a full batch.
    for i, (rows, words, size) in enumerate([(60, 12, 5), (80, 30, 8), (50, 200, 7), (90, 6, 4), (40, 5, 6)]):
        draw = Xoshiro(2000 + i)
        columns = {name: [str(draw.below(words)) for _ in range(rows)] for name in "abc"}
        for drop_last in (False, True):
            sampler = st.NoDuplicatesBatchSampler(
                Dataset.from_dict(columns), size, drop_last, ["label"], torch.Generator(), seed=3
            )
            runs = [batches(sampler, 3, epoch) for epoch in (0, 4)]
            cases.append(dict(columns=columns, batchSize=size, dropLast=drop_last, length=len(sampler), epochs=runs))
    return cases


def parquet():
    rows = [
        dict(
            text=f"\ufeffrow {i} \u00e9\U0001f600" if i % 3 == 0 else f"row {i}\n",
            texts=[f"t{i}-{j}" for j in range(i % 4)],
            label=None if i % 5 == 4 else i - 3,
            scores=[i / 4, -i / 8][: i % 3],
            idx=2**40 + i,
            answers=dict(text=[f"a{i}"], answer_start=[i]),
            maybe=None if i % 2 else f"m{i}",
            flag=i % 2 == 0,
        )
        for i in range(23)
    ]
    table = pa.Table.from_pylist(rows)
    for name in ("NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4"):
        pq.write_table(
            table,
            FOLDER / f"{name.lower()}.parquet",
            compression=name,
            row_group_size=10,
            use_dictionary=name != "ZSTD",
            data_page_version="2.0" if name in ("ZSTD", "GZIP") else "1.0",
        )
    return rows


def class_names():
    features = Features(
        {
            "text": Value("string"),
            "label": ClassLabel(names=["entailment", "neutral", "contradiction"]),
            "tags": List(ClassLabel(names=["calm", "loud"])),
            "idx": Value("int64"),
        }
    )
    rows = dict(text=["a", "b", "c"], label=[2, -1, 0], tags=[[1], [], [0, 1]], idx=[0, 1, 2])
    dataset = Dataset.from_dict(rows, features=features)
    dataset.to_parquet(FOLDER / "class-names.parquet")
    return dict(label=dataset.features["label"].names, tags=dataset.features["tags"].feature.names, rows=rows)


def sentence_labels():
    cases = []
    for i, (count, labels, per_label, again) in enumerate([(30, 4, 2, False), (41, 6, 3, False), (25, 5, 2, True)]):
        draw = Xoshiro(3000 + i)
        values = [draw.below(labels) for _ in range(count)]
        examples = [InputExample(texts=[str(i)], label=label) for i, label in enumerate(values)]
        epochs = []
        for epoch in (0, 1):
            global random
            random = Xoshiro(9, epoch)
            # Orders are drawn anew; there they are shuffled on.
            np.random.shuffle = lambda values: values.__setitem__(slice(None), random.permutation(len(values)))
            np.random.choice = lambda values, n, replace: [values[j] for j in random.permutation(len(values))][:n]
            epochs.append([int(e.texts[0]) for e in SentenceLabelDataset(examples, per_label, again)])
        cases.append(dict(labels=values, samplesPerLabel=per_label, withReplacement=again, epochs=epochs))
    return cases


def contrastive_tension():
    cases = []
    for count, size, ratio in [(60, 8, 8), (100, 16, 4), (33, 6, 3), (20, 16, 8), (9, 2, 1), (60, 16, 8), (8, 4, 1)]:
        random_order = Xoshiro(4, 1).permutation(count)
        python_random.shuffle = lambda values: values.__setitem__(slice(None), [values[j] for j in random_order])
        loader = ContrastiveTensionDataLoader([str(i) for i in range(count)], size, ratio)
        found = [[[int(e.texts[0]), int(e.texts[1]), e.label] for e in batch] for batch in loader]
        cases.append(dict(count=count, batchSize=size, posNegRatio=ratio, length=len(loader), batches=found))
    return cases


def masking():
    """DataCollatorForLanguageModeling on one text at a time, with Bernoulli draws and random tokens from Xoshiro."""
    # Alphabetical words of a, b, ...; "ab" is the word a##b: tokens without a gap are one word.
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list("abcdefgh") + [f"##{c}" for c in "abcdefgh"]
    model = WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=200)
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **names)
    draw = Xoshiro(77)
    texts = [
        " ".join("".join("abcdefgh"[draw.below(8)] for _ in range(1 + draw.below(4))) for _ in range(draw.below(30)))
        for _ in range(40)
    ] + ["a zzz b [MASK] c"]
    torch.bernoulli = lambda p, **_: torch.tensor([[float(random.next() / 2**32 < x) for x in p[0].double().tolist()]])
    torch.randint = lambda high, shape, **_: torch.tensor([[random.below(high) for _ in range(shape[1])]])
    cases = []
    global random
    for options in (
        {},
        dict(mlm_probability=0.5),
        dict(mlm_probability=0.4, mask_replace_prob=0.5, random_replace_prob=0.4),
        dict(mlm_probability=0.4, mask_replace_prob=0.0, random_replace_prob=1.0),
        dict(mlm_probability=0.4, mask_replace_prob=0.7, random_replace_prob=0.0),
        dict(mlm_probability=0.3, whole_word_mask=True),
    ):
        collator = DataCollatorForLanguageModeling(tokenizer, **options)
        rows = []
        for row, text in enumerate(texts):
            random = Xoshiro(11, 2, row)
            encoded = tokenizer(text, return_special_tokens_mask=False, return_offsets_mapping=True)
            # What is special is told by the ids, as without a mask of special tokens.
            ids = encoded["input_ids"]
            example = {"input_ids": ids, "attention_mask": encoded["attention_mask"]}
            if options.get("whole_word_mask"):
                example["offset_mapping"] = encoded["offset_mapping"]
            batch = collator([example])
            rows.append([ids, batch["input_ids"][0].tolist(), batch["labels"][0].tolist()])
        cases.append(dict(options=options, rows=rows))
    return dict(words=words, cases=cases)


def slices():
    found = []
    for text in ("train[:10%]", "train[10%:33%]", "train[-5:]", "train[50%:]", "train[3:3]", "train[-25%:]", "train[:1000]", "train"):
        for rows in (10, 7, 103):
            [part] = ReadInstruction.from_spec(text).to_absolute({"train": rows})
            found.append([text, rows, part.from_, part.to])
    return found


FOLDER.mkdir(parents=True, exist_ok=True)
golden = dict(
    group_by_label=group_by_label(),
    multi=multi(),
    no_duplicates=no_duplicates(),
    parquet=parquet(),
    class_names=class_names(),
    slices=slices(),
    masking=masking(),
    contrastive_tension=contrastive_tension(),
    sentence_labels=sentence_labels(),
)
(FOLDER / "golden.json").write_text(json.dumps(golden, separators=(",", ":")))
