"""Reads the files of data-files.mjs with pandas and `datasets`, and compares every value with expected.json.

data_files.py FOLDER      prints the number of equal columns; fails for the first other value
"""

import json
import math
import sys
from pathlib import Path

import datasets
import pandas

folder = Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text())


def value_of(value):
    return int(value["integer"]) if isinstance(value, dict) and "integer" in value else value


def plain(value):
    """Python's own types: no arrays, and None for a missing number."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def same(name, reader, found):
    columns = expected[name]
    assert list(found) == list(columns), (name, reader, list(found))
    for column, values in columns.items():
        for row, (one, other) in enumerate(zip(found[column], map(value_of, values), strict=True)):
            one = plain(one)
            if isinstance(one, float) and other is not None:
                other = float(other)  # JSON writes whole numbers without a point.
            equal = one == other and isinstance(one, bool) == isinstance(other, bool)
            assert equal, (name, reader, column, row, one, other)
    return len(columns)


def with_pandas(name):
    path = folder / name
    # Without these, pandas takes texts such as "NA" for missing ones.
    options = {"keep_default_na": False, "na_values": {"label": [""]}}
    if ".csv" in name:
        frame = pandas.read_csv(path, **options)
    elif ".tsv" in name:
        frame = pandas.read_csv(path, sep="\t", quoting=3, **options)
    elif ".jsonl" in name:
        frame = pandas.read_json(path, lines=True, dtype=False, precise_float=True)
    else:
        frame = pandas.read_parquet(path)
    return {column: frame[column].tolist() for column in frame.columns}


def with_datasets(name, cache):
    path = str(folder / name)
    kind = "csv" if "sv" in name else "parquet" if "parquet" in name else "json"
    options = {"keep_default_na": False, "na_values": {"label": [""]}} if kind == "csv" else {}
    if ".tsv" in name:
        options |= {"sep": "\t", "quoting": 3}
    found = datasets.load_dataset(kind, data_files=path, split="train", cache_dir=str(cache), **options)
    return {column: found[column][:] for column in found.column_names}, found.features


count = 0
for name in expected:
    count += same(name, "pandas", with_pandas(name))
    found, features = with_datasets(name, folder / "cache")
    count += same(name, "datasets", found)
    if name == "named.parquet":
        assert features["label"].names == ["no", "yes"], features
print(count)
