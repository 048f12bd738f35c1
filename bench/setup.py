"""Makes bench/peers: what the benchmarks compare with, and what npm run test:python needs.

    python3 bench/setup.py            # all of it: 8 GB, some minutes
    python3 bench/setup.py --python   # the Python peer alone (bench/peers/venv): 5 GB
    python3 bench/setup.py --architectures   # the base shape of every architecture, for a Python peer that is there: 7 GB more

The rest are transformers.js with onnxruntime-node (bench/peers/js), node-llama-cpp (bench/peers/llama), and models for them and of
bert-base's shape (bench/peers/models), made by bench/peer_models.py and bench/gguf_model.py. A Python of your own:
SENTENCE_TORCH_BENCH_PYTHON, with what REQUIREMENTS and ONNX list. Another place than bench/peers: SENTENCE_TORCH_BENCH_PEERS.
"""

import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = Path(os.environ.get("SENTENCE_TORCH_BENCH_PEERS") or HERE / "peers")
REQUIREMENTS = ["torch==2.13.0", "sentence-transformers==6.2.0", "datasets", "accelerate", "peft==0.21.2",
                "onnx==1.23.2", "onnxruntime==1.32.0", "openai==3.57.0", "langchain-huggingface==1.2.1", "cohere==7.3.1"]
SENTENCEPIECE = ["sentencepiece", "protobuf"]
ONNX = ["onnxscript", "fastembed", "gguf"]
JS = ["@huggingface/transformers@4"]
# Without its packages for GPUs; an optional one is named, since optional ones are left out.
LLAMA = ["node-llama-cpp@3", f"@node-llama-cpp/linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"]
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


def packages(name, *arguments):
    """Node packages in a folder of their own. Their scripts would fetch GPU libraries, or build; CPU libraries are in the packages."""
    folder = PEERS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{ "private": true }\n')
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *arguments, cwd=folder)
    print(f"Ready: {folder}")


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
    packages("js", *JS)
    packages("llama", "--omit=optional", *LLAMA)
    for script in ("peer_models.py", "gguf_model.py"):
        run(interpreter, HERE / script, "--model", model_folder(interpreter))


if __name__ == "__main__":
    main()
