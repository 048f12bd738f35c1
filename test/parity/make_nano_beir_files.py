"""A small collection as NanoBEIR lies on the hub, for evaluation-nano-beir.test.ts: golden/evaluators/nano-beir/*.parquet."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).parent / "golden" / "evaluators" / "nano-beir"
SETS = {
    "NanoMSMARCO": ({"d1": "1 0", "d2": "0 1", "d3": ""}, {"q1": "1 0.1", "q2": "0.1 1", "q3": "1 1"}, [("q1", "d1"), ("q2", "d2")]),
    # Several documents in one row, as some collections have them.
    "NanoNQ": ({"a": "1 0", "b": "0 1", "c": "-1 0"}, {"q": "0 -1"}, [("q", ["a", "c"])]),
}
OUT.mkdir(parents=True, exist_ok=True)
for name, (corpus, queries, qrels) in SETS.items():
    for config, rows in {"corpus": corpus, "queries": queries}.items():
        table = pa.table({"_id": list(rows), "text": list(rows.values())})
        pq.write_table(table, OUT / f"{config}-{name}.parquet")
    table = pa.table({"query-id": [row[0] for row in qrels], "corpus-id": [row[1] for row in qrels]})
    pq.write_table(table, OUT / f"qrels-{name}.parquet")
