"""Makes bench/peers: what the benchmarks compare with, and what npm run test:python needs.

    python3 bench/setup.py            # all of it: 8 GB, some minutes
    python3 bench/setup.py --python   # the Python peer alone (bench/peers/venv): 5 GB
    python3 bench/setup.py --architectures   # the base shape of every architecture, for a Python peer that is there: 7 GB more

The rest are transformers.js with onnxruntime-node (bench/peers/js), and models for it and of bert-base's shape
(bench/peers/models), made by bench/peer_models.py. A Python of your own: SENTENCE_TORCH_BENCH_PYTHON, with what REQUIREMENTS
and ONNX list. Another place than bench/peers: SENTENCE_TORCH_BENCH_PEERS.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = Path(os.environ.get("SENTENCE_TORCH_BENCH_PEERS") or HERE / "peers")
REQUIREMENTS = ["torch==2.13.0", "sentence-transformers==6.2.0", "datasets", "accelerate", "peft==0.21.2",
                "onnx==1.23.2", "onnxruntime==1.32.0", "openai==3.57.0", "langchain-huggingface==1.2.1", "cohere==7.3.1"]
SENTENCEPIECE = ["sentencepiece", "protobuf"]
ONNX = ["onnxscript", "fastembed"]
JS = ["@huggingface/transformers@4"]
MODEL = HERE.parent.parent / "shared" / "models" / "all-MiniLM-L6-v2"


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, **options)


def python():
    given = os.environ.get("SENTENCE_TORCH_BENCH_PYTHON")
    if given:
        return given
    folder = PEERS / "venv"
    venv.create(folder, with_pip=True)
    run(folder / "bin" / "python", "-m", "pip", "install", *REQUIREMENTS)
    return folder / "bin" / "python"


def model_folder(interpreter):
    if MODEL.exists():
        return MODEL
    code = "import huggingface_hub as h; print(h.snapshot_download('sentence-transformers/all-MiniLM-L6-v2'))"
    return subprocess.run([str(interpreter), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def main():
    interpreter = python()
    print(f"Ready: {interpreter}")
    if "--python" in sys.argv:
        return
    if "--architectures" in sys.argv:
        run(interpreter, "-m", "pip", "install", *SENTENCEPIECE)
        run(interpreter, HERE / "architecture_models.py", "--model", model_folder(interpreter))
        return
    run(interpreter, "-m", "pip", "install", *ONNX)
    js = PEERS / "js"
    js.mkdir(parents=True, exist_ok=True)
    (js / "package.json").write_text('{ "private": true }\n')
    # Its scripts would fetch GPU libraries; the CPU library of onnxruntime-node is in the package.
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *JS, cwd=js)
    print(f"Ready: {js}")
    run(interpreter, HERE / "peer_models.py", "--model", model_folder(interpreter))


if __name__ == "__main__":
    main()
