"""Writes test/parity/golden/data/words.json: words of NLTK and the texts that it makes of some of them.

    python test/parity/make_word_goldens.py ../shared/data     (needs nltk, none of its data)
"""

import json
import random
import sys
from pathlib import Path

from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.treebank import TreebankWordDetokenizer

data = Path(sys.argv[1])
texts = [
    "I can't, won't and shan't; he's gone (isn't he?) -- gonna go... 'tis 3,000.50 $ at 10:30!",
    "\"Quoted 'inside' text,\" she said. «Ça va?» “Yes”, ‘no’.",
    "cannot gimme lemme D'ye wanna go more'n that whaddya 'Twas",
    "a [b] {c} <d> e.g. f* #tag @me 50% R&D — dash – dash; end.\n",
    "''double'' ``ticks`` 'single' rock 'n' roll the dogs' bones.",
    "",
    "...",
    "\u00a0spaced\u2003out\x85 \x1c text .",
    "J. R. R. Tolkien's 'Hobbit'.)",
    "über’s Ärger: naïve, 'ärger 'été ٣:٤",
]
sample = random.Random(0)
for name, column in (("stsb/train.tsv", 0), ("sick/train.tsv", 1), ("paraphrase/mrpc-train.tsv", 0)):
    lines = (data / name).read_text("utf8").split("\n")[1:-1]
    texts += [line.split("\t")[column] for line in sample.sample(lines, 60)]
lines = (data / "nli/mnli-train-13k.jsonl").read_text("utf8").split("\n")[:-1]
texts += [json.loads(line)["premise"] for line in sample.sample(lines, 90)]
lines = (data / "squad/train-passages.jsonl").read_text("utf8").split("\n")[:-1]
texts += [json.loads(line)["passage"][:600] for line in sample.sample(lines, 24)]

rows = []
for text in texts:
    words = NLTKWordTokenizer().tokenize(text)
    some = [word for word in words if sample.random() > 0.6]
    rows.append([text, words, TreebankWordDetokenizer().detokenize(words), some, TreebankWordDetokenizer().detokenize(some)])
(Path(__file__).parent / "golden" / "data" / "words.json").write_text(json.dumps(rows, separators=(",", ":")))
