"""Writes test/parity/golden/data/readers.json and Parquet files beside it: small files, and what Python's `datasets` reads in them.

    python test/parity/make_reader_goldens.py     (needs datasets, pandas, pyarrow)

Integers beyond 2^53 and numbers that are not finite are written as {"bigint": "…"} and {"float": "inf"}.
"""

import decimal
import json
import math
import tempfile
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

datasets.disable_progress_bars()
OUT = Path(__file__).parent / "golden" / "data" / "readers.json"

# What a field of a CSV file is: a number, a boolean, nothing, or a text.
FIELDS = [
    "0x10", "1e5", " 12 ", "1_000", "inf", "nan", "True", "true", "tRUE", "-inf", "+inf", "Infinity", "-Infinity", "INF",
    " inf", "inf ", "+5", ".5", "5.", "-.5", "1E5", "1e", "e5", "1e+5", "1e+", "1e 5", "1 2", "- 5", "--5", "00123", "00.5",
    "-", "+", ".", "e", "", "NA", "null", "None", "none", "Null", "N/A", "n/a", "<NA>", "#N/A", "-nan", "NaN", "+nan", "nan ",
    "0b1", "0o7", "1e400", "1e-400", "1d5", "1,000", "１２", "٣", "12\t", "\u00a012", "\x0b12", "1.5f", "1L", "0.1.2", "1e5.5",
    ".e5", "1.e5", "0X1F", "yes", "False ", "-0", "1.0", "1e22", "0.1", "123 456", "9007199254740993", "-9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "-9223372036854775808", "9007199254740993.0",
    "12345678901234567890.5",
]

# Name, ending, content, arguments of load_dataset.
FILES = [
    ("an index of pandas", "csv", ",anchor,positive\n0,a,b\n1,c,d\n", {}),
    ("names that are not there", "csv", "a,,\nx,y,z\n", {}),
    ("names with blanks", "csv", "text, label\nhello, 1\nyou, 2\n", {}),
    ("names that are numbers", "csv", "query,1,0\nq,p,n\n", {}),
    ("no header", "csv", "x,1\ny,2\n", dict(header=None, column_names=["t", "n"])),
    ("no header, a byte-order mark", "csv", "\ufeffx,1\ny,2\n", dict(header=None, column_names=["t", "n"])),
    ("no header, tabs", "tsv", "x\t1\ny\t2\n", dict(header=None, column_names=["t", "n"])),
    ("ends of lines: CR", "csv", "a,b\rx,1\ry,2\r", {}),
    ("ends of lines: CR, no last one", "csv", "a,b\rx,1\ry,2", {}),
    ("ends of lines: CRLF", "csv", "a,b\r\nx,1\r\ny,2\r\n", {}),
    ("ends of lines: mixed", "csv", "a,b\nx,1\ry,2\r\nz,3", {}),
    ("ends of lines: tabs, CR", "tsv", "a\tb\rx\t1\ry\t2\r", {}),
    ("ends of lines in quotes", "csv", 'a,b\n"x\ry",1\r"x\r\ny",2\r\n"x\ny",3\n', {}),
    ("ends of lines in quotes, CR", "csv", 'a,b\r"x\ry",1\r"x\r\ny",2\r"x\r\ry",3\r', {}),
    ("blank lines", "csv", "\n\na,b\n\nx,1\n   \n\t\ny,2\n\r\n\n", {}),
    ("blank lines, one column", "csv", 'a\nx\n\ny\n  \n" "\nz\n', {}),
    ("blank lines, CRLF and CR", "csv", "a\r\n\r\nx\r\n\r\r\ny", {}),
    ("blank lines, tabs", "tsv", "a\tb\n\nx\t1\n  \ny\t2\n", {}),
    ("blanks at the beginning", "csv", "a,b\n   x,1\n  y,2\n", {}),
    ("numbers and texts", "csv", "a,b\nx,1\ny,abc\nz,3\n", {}),
    ("numbers with gaps", "csv", "a,b\nx,1\ny,\nz,NA\nw,2.5\n", {}),
    ("booleans", "csv", "a,b\nx,True\ny,true\nz,FALSE\nw,\n", {}),
    ("booleans and numbers", "csv", "a,b\nx,True\ny,1\n", {}),
    ("large integers", "csv", "a,b\nx,9007199254740993\ny,1\n", {}),
    ("quoted numbers", "csv", 'a,b\nx,"12"\ny," 3"\n', {}),
    ("JSON Lines: names that are numbers", "jsonl", '{"query":"q","1":"p","0":"n"}\n{"0":"N","1":"P","query":"Q"}\n', {}),
    ("JSON: names that are numbers", "json", '[{"query":"q","1":"p","0":"n"}]', {}),
    ("JSON Lines: CR", "jsonl", '{"a":"x"}\r{"a":"y"}\r', {}),
    ("JSON Lines: CRLF and blank lines", "jsonl", '{"a":"x"}\r\n\r\n  \n{"a":"y"}\r\n', {}),
    ("JSON Lines: large integers", "jsonl", '{"a":9007199254740993,"b":"9007199254740993"}\n{"a":3,"b":"x"}\n', {}),
    ("JSON Lines: large integers in lists", "jsonl", '{"a":[9223372036854775807,-9007199254740993]}\n', {}),
    ("JSON Lines: large numbers", "jsonl", '{"a":1e20}\n{"a":0.1}\n', {}),
    ("JSON: large integers", "json", '[{"a":9007199254740993},{"a":1}]', {}),
    ("JSON: a field", "json", '{"version":"[1]","data":[{"a":"x"},{"a":"y"}],"more":[]}', dict(field="data")),
    ("JSON: names that are numbers in a field", "json", '{"d":[{"q":"x","1":"y","0":"z"}]}', dict(field="d")),
    ("JSON Lines under another name", "json", '{"a":"x"}\n{"a":"y"}\n', {}),
    # What Python refuses.
    ("refused: an empty CSV file", "csv", "", {}),
    ("refused: blank lines only", "csv", "\n\n", {}),
    ("refused: an empty file of lines", "jsonl", "", {}),
    ("refused: an empty array", "json", "[]", {}),
    ("refused: a field that is not there", "json", '{"data":[{"a":"x"}]}', dict(field="dat")),
    ("refused: a field that is no array", "json", '{"data":3}', dict(field="data")),
    ("refused: an empty field", "json", '{"data":[]}', dict(field="data")),
    ("refused: texts behind 10,000 numbers", "csv", "b\n" + "1\n" * 10_000 + "abc\n", {}),
    ("refused: an open quote", "csv", 'a,b\n"x\ny,1\n', {}),
]  # fmt: skip


def plain(value):
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and abs(value) >= 2**53:
        return {"bigint": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return [plain(entry) for entry in value] if isinstance(value, list) else value


def read(folder, number, ending, content, arguments):
    path = Path(folder) / f"{number}.{ending}"
    path.write_bytes(content.encode())
    builder = {"csv": "csv", "tsv": "csv"}.get(ending, "json")
    if ending == "tsv":
        arguments = dict(sep="\t", **arguments)
    try:
        data = datasets.load_dataset(builder, data_files=str(path), split="train", cache_dir=folder, **arguments)
    except Exception as error:
        return dict(refused=type(error).__name__)
    return dict(columns=data.column_names, rows=[[plain(value) for value in row.values()] for row in data])


def quoted(field):
    return '"' + field.replace('"', '""') + '"' if "," in field else field


def parquet(folder):
    """Names that are numbers, and 64-bit integers, alone, in lists and in structures."""
    large = 2**53 + 1
    table = pa.table(
        {
            "query": ["q", "r"],
            "1": ["p", "s"],
            "0": ["n", "m"],
            "id": pa.array([large, None], pa.int64()),
            "unsigned": pa.array([2**64 - 1, 3], pa.uint64()),
            "list": [[-large, 1], []],
            "label": pa.array([1, 0], pa.int64()),
        }
    )
    path = OUT.parent / "large.parquet"
    pq.write_table(table, path)
    data = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=folder)
    return dict(columns=data.column_names, rows=[[plain(value) for value in row.values()] for row in data])


def refused():
    """What is not read: decimals that no number holds, and two files whose classes have other numbers."""
    decimals = pa.table({"a": ["x"], "d": pa.array([decimal.Decimal("12345678901234567890.5")], pa.decimal128(21, 1))})
    pq.write_table(decimals, OUT.parent / "decimals.parquet")
    for name, classes in [("neg-pos", ["neg", "pos"]), ("pos-neg", ["pos", "neg"])]:
        features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=classes)})
        rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=features)
        rows.to_parquet(OUT.parent / f"{name}.parquet")


refused()
with tempfile.TemporaryDirectory() as folder:
    fields = []
    for i, field in enumerate(FIELDS):
        found = read(folder, f"field{i}", "csv", f"a,b\nx,{quoted(field)}\ny,{quoted(field)}\n", {})
        fields.append([field, found["rows"][1][1]])
    files = [
        dict(name=name, ending=ending, content=content, arguments=arguments, **read(folder, i, ending, content, arguments))
        for i, (name, ending, content, arguments) in enumerate(FILES)
    ]
    large = parquet(folder)
OUT.write_text(json.dumps(dict(fields=fields, files=files, parquet=large), indent=1, ensure_ascii=True) + "\n")
