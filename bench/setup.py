"""Makes bench/peers/venv with the Python peer that the benchmarks and npm run test:python compare with (5 GB, some minutes):

    python3 bench/setup.py
"""

import subprocess
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "peers" / "venv"
REQUIREMENTS = ["torch==2.13.0", "sentence-transformers==6.0.1", "datasets", "accelerate"]

if __name__ == "__main__":
    venv.create(FOLDER, with_pip=True)
    subprocess.run([FOLDER / "bin" / "python", "-m", "pip", "install", *REQUIREMENTS], check=True)
    print(f"Ready: {FOLDER / 'bin' / 'python'}")
