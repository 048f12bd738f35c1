"""Makes glob.json beside this file: which paths the patterns of data set cards mean, by fsspec, which `datasets` asks.

Needs fsspec 2026.9.0. Run: python test/unit/golden/make_glob.py
"""

import json
import pathlib
import random
import re

from fsspec.utils import glob_translate

FILES = ["a.parquet", "data/train-0.parquet", "data/train-1.parquet", "data/x/y/train.parquet", "x/data/train-00.parquet"]
FILES += ["data/.hidden", "data/a]b", "data/a-b", "data/[x]", "data/^a", "train", "data/dev.parquet", "a/b/c/d", "ab/bc/cd"]
FILES += ["data/{a,b}", "data/a", "data/\u00e9\U0001f600"]
ATOMS = ["*", "?", "a", "b", "x", "/", "**/", "data/", "train", "-", ".parquet", "[a-b]", "[!a]", "[]]", "[!]]", "[^a]", "[x"]
ATOMS += ["[z-a]", "{a,b}", "[a-]", "[", ".", "d"]


def patterns():
    chance = random.Random(7)
    yield from ["**", "data/**", "**/train*", "data/**/train.parquet", "**/*.parquet"]
    for _ in range(4000):
        yield "".join(chance.choice(ATOMS) for _ in range(chance.randint(1, 5)))


def matches(pattern):
    expression = re.compile(glob_translate(pattern))
    return [file for file in FILES if expression.match(file)]


cases = {}
for number, pattern in enumerate(patterns()):
    parts = pattern.split("/")
    if any("**" in part and part != "**" for part in parts) or "" in parts[:-1] or pattern.startswith("./"):
        continue
    found = matches(pattern)
    # Most patterns mean nothing: some of them are enough.
    if found or number % 10 == 0:
        cases[pattern] = found
path = pathlib.Path(__file__).parent / "glob.json"
path.write_text(json.dumps({"files": FILES, "cases": cases}, indent=None, ensure_ascii=True) + "\n")
print(len(cases), "patterns")
