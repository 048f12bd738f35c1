"""Makes cards.json beside this file: what the YAML heads of data set cards say, by the `datasets` package.

Needs datasets 5.2.0. Run: python test/unit/golden/make_cards.py
"""

import json
import pathlib

from datasets.data_files import sanitize_patterns
from datasets.utils.metadata import MetadataConfigs, _NoDuplicateSafeLoader, _split_yaml_from_readme
import yaml

HEADS = [
    # path before split, comments, flow style, quotes
    "configs:\n- config_name: a\n  data_files:\n  - path: a/test*\n    split: test\n  - path: [x, 'y, z']\n    split: train\n",
    "configs: # all\n- config_name: a # one\n  data_files:\n  - split: train # most\n    path: data/train-* # shards\n",
    "configs:\n- config_name: a\n  data_files: data/#1.parquet\n",
    "configs: [{config_name: a, data_files: [{split: train, path: a*}, {split: test, path: [b, c]}]}]\n",
    "{license: mit, configs: [{config_name: a, data_files: x}]}\n",
    "\"configs\":\n  - \"config_name\": 'a''b'\n    \"data_files\": \"x\\ty\"\n",
    # forms of data_files
    "configs:\n- config_name: a\n  data_files: x/*.parquet\n",
    "configs:\n- config_name: a\n  data_files:\n  - x\n  - y\n",
    "configs:\n- config_name: a\n  data_files:\n    - split: a.b_1\n      path:\n        - x\n        - y\n",
    "configs:\n- config_name: a\n  data_files: >-\n    x/y\n",
    "configs:\n- data_files: x\n  default: true\n  config_name: b\n- config_name: a\n  data_files: y\n",
    "configs:\n- config_name: a\n  default: yes\n  data_dir: d\n  data_files: y\n- config_name: b\n  default: off\n  data_files: y\n",
    "configs:\n- config_name: a\n  data_dir: d\n- config_name: default\n  data_files: y\n",
    "configs:\n- config_name: a\n  data_files:\n- config_name: b\n  data_files: ~\n",
    "configs:\n- config_name: a\n  drop_labels: true\n  features:\n  - name: x\n    dtype: string\n  data_files: y\n",
    "configs:\n\n# nothing here\n- config_name: a\n\n  data_files:\n  # nor here\n  - split: train\n\n    path: x\n",
    "x: &x\n  - split: train\n    path: a\nconfigs:\n- config_name: a\n  data_files: *x\n- config_name: b\n  data_files: *x\n",
    "x: &x {data_dir: d, data_files: y}\nconfigs:\n- <<: *x\n  config_name: a\n- {<<: *x, config_name: b}\n",
    "configs:\n- config_name: __proto__\n  data_files: x\n- config_name: constructor\n  data_files:\n  - split: toString\n    path: y\n",
    "configs:\n- config_name: a\n  data_files: x\n- config_name: a\n  data_files: y\n",
    "dataset_info:\n  configs: 3\n",
    "configs: []\n",
    "configs:\n",
    # refused
    "configs:\n  config_name: a\n",
    "configs: a\n",
    "configs:\n- data_files: x\n",
    "configs:\n- x\n",
    "configs:\n- config_name: a\n  data_files: {train: x}\n",
    "configs:\n- config_name: a\n  data_files:\n  - split: train\n",
    "configs:\n- config_name: a\n  data_files:\n  - path: x\n",
    "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: x\n    other: y\n",
    "configs:\n- config_name: a\n  data_files:\n  - split: a-b\n    path: x\n",
    "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: x\n  - split: train\n    path: y\n",
    "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: {x: y}\n",
    "configs:\n- config_name: a\n  data_files:\n  - x\n  - split: test\n    path: y\n",
    "configs:\n- config_name: a\n  default: true\n  data_files: x\n- config_name: default\n  data_files: y\n",
    "configs:\n- config_name: a\n  config_name: b\n  data_files: x\n",
    "configs:\n- config_name: [a\n  data_files: x\n",
    "configs:\n- config_name: a\n  data_files: *x\n",
    "configs:\n- config_name: a\n data_files: x\n",
    "configs:\n\t- config_name: a\n",
    "configs:\n- config_name: a\n  data_files: @x\n",
    "configs:\n- config_name: a\n  data_files: *.parquet\n",
]


def read(card):
    head, _ = _split_yaml_from_readme(card)
    configs = MetadataConfigs.from_dataset_card_data(yaml.load(head, Loader=_NoDuplicateSafeLoader))
    default = configs.get_default_config_name()
    return {
        name: {
            "default": name == default,
            "folder": config.get("data_dir") or "",
            "splits": None if config.get("data_files") is None else sanitize_patterns(config["data_files"]),
        }
        for name, config in configs.items()
    }


cases = []
for head in HEADS:
    card = f"---\n{head}---\n# Text\n"
    try:
        cases.append({"card": card, "configs": read(card)})
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        print("refused:", json.dumps(head), type(error).__name__)
        cases.append({"card": card})
path = pathlib.Path(__file__).parent / "cards.json"
path.write_text(json.dumps(cases, indent=1) + "\n")
print(len(cases), "cards")
