"""Makes glob.json beside this file: which files the patterns of data set cards mean, by the `datasets` package.

Needs datasets 5.2.0 and fsspec 2026.9.0. Run: python test/unit/golden/make_glob.py
"""

import json
import os
import pathlib
import random
import tempfile

from datasets.data_files import resolve_pattern

FILES = ["a.parquet", "data/train-0.parquet", "data/train-1.parquet", "data/x/y/train.parquet", "x/data/train-00.parquet"]
FILES += ["data/.hidden", "data/a]b", "data/a-b", "data/[x]", "data/^a", "train", "data/dev.parquet", "a/b/c/d", "ab/bc/cd"]
FILES += ["data/{a,b}", "data/a", "data/\u00e9\U0001f600", "README.md", "data/config.json", "__x__/a", ".x/a", "x/__y/b"]
FILES += ["data/a+(b)", "data/a$", "data/\"a\"", "data/!a", "data/a\\b"]
ATOMS = ["*", "?", "a", "b", "x", "/", "**/", "data/", "train", "-", ".parquet", "[a-b]", "[!a]", "[]]", "[!]]", "[^a]", "[x"]
ATOMS += ["[z-a]", "{a,b}", "[a-]", "[", ".", "d", "[z-ab]", "!", "+(b)", "$", "\"", "\\", "__", ".x/", "[a\\]", "[[]", "[!z-a]"]


def patterns():
    chance = random.Random(7)
    yield from ["**", "data/**", "**/train*", "data/**/train.parquet", "**/*.parquet", "**/*", "*", "*/*", "*/**", ".x/*"]
    yield from ["README.md", "README*", "**/config.json", "__x__/*", "__*/*", "**/__y/*", "data/.*", "**/.*", ".*/*", "x/**"]
    for _ in range(6000):
        yield "".join(chance.choice(ATOMS) for _ in range(chance.randint(1, 5)))


def matches(root, pattern):
    try:
        return [os.path.relpath(file, root) for file in resolve_pattern(pattern, root)]
    except FileNotFoundError:
        return []


cases = {}
with tempfile.TemporaryDirectory() as root:
    for file in FILES:
        path = pathlib.Path(root, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for number, pattern in enumerate(patterns()):
        parts = pattern.split("/")
        # On the hub there is no path above or beside that of the repository.
        if any("**" in part and part != "**" for part in parts) or "" in parts or any(part in (".", "..") for part in parts):
            continue
        found = set(matches(root, pattern))
        # Most patterns mean nothing: some of them are enough.
        if found or number % 10 == 0:
            cases[pattern] = [file for file in FILES if file in found]
path = pathlib.Path(__file__).parent / "glob.json"
path.write_text(json.dumps({"files": FILES, "cases": cases}, indent=None, ensure_ascii=True) + "\n")
print(len(cases), "patterns")
