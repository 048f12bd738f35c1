"""Golden values of rank_bm25's BM25Okapi for test/unit/bm25.test.ts.

Run with rank_bm25 0.2.2: `python test/parity/make_bm25.py`. Words are cut here, since the package leaves that to its caller. "the" is
in more than half of the documents, which gives it the floor of the weights; one document is empty.
"""

import json
import re
from pathlib import Path

from rank_bm25 import BM25Okapi

DOCUMENTS = [
    "The cat sat on the mat.",
    "The dog sat on the log, and the log rolled away.",
    "A bird in the hand is worth two in the bush.",
    "Cats and dogs are the usual pets.",
    "",
    "The café near the river sells 12 kinds of bread.",
    "Where the river bends, the dog swims; the cat does not.",
    "Bread, bread, and more bread!",
    "The stock market fell by 12 percent in the morning.",
]
QUERIES = ["the cat", "dog river", "bread bread 12", "CAFÉ", "unknown words only", "the the log", ""]
SETTINGS = [{}, {"k1": 1.2, "b": 0.75}, {"k1": 0.9, "b": 0.4}, {"k1": 2.0, "b": 0.0}]


def words(text):
    return re.findall(r"\w+", text.lower())


cases = []
for setting in SETTINGS:
    index = BM25Okapi([words(d) for d in DOCUMENTS], **setting)
    cases.append({"options": setting, "scores": [index.get_scores(words(q)).tolist() for q in QUERIES]})
content = {"version": "rank_bm25 0.2.2", "documents": DOCUMENTS, "queries": QUERIES, "cases": cases}
path = Path(__file__).parent / "golden" / "bm25" / "scores.json"
path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
