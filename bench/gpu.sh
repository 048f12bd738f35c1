#!/usr/bin/env bash
# On a machine with a GPU: builds the CUDA variant against the LibTorch of the Python there, runs the native and the addon's
# tests on the device, then the side-by-side benchmarks, and writes what happened as JSON.
#
#   OUT=results bench/gpu.sh [build|test|bench ...]      (default: all three)
#
# Needs: python3 with torch for CUDA (PYTHON names another), nvcc (or CUDACXX), g++, cmake, node (NODE names another), and in this
# folder node_modules/ and dist/. Nothing is downloaded. With GoogleTest (or GTEST_ROOT) the native tests are built too.
# BENCH_ARGS replaces the arguments of bench/run.mjs. ALLOW_NO_GPU=1 tries the script where there is none: the device's tests are skipped.
#
# Files in $OUT: gpu.json (machine, versions, the outcome and seconds of every part), native-*.json (GoogleTest's reports),
# addon*.tap, bench.jsonl, log.txt. The exit status is 0 when every part that ran has passed.
set -u -o pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
NODE=${NODE:-node}
BUILD=${SENTENCE_TORCH_BUILD:-build-cuda}
OUT=${OUT:-dist/gpu}
PARTS=${*:-build test bench}
JOBS=${JOBS:-$(nproc)}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
mkdir -p "$BUILD"
BUILD=$(cd "$BUILD" && pwd)
LOG=$OUT/log.txt
PARTS_LOG=$BUILD/parts.jsonl
: >"$LOG"
: >"$PARTS_LOG"
FAILED=0

say() { printf 'gpu.sh: %s\n' "$*" | tee -a "$LOG" >&2; }
die() {
  say "$*"
  exit 2
}

# part NAME COMMAND...: runs it, its output in the log; notes seconds and exit status.
part() {
  local name=$1 start=$SECONDS status=0
  shift
  say "$name: $*"
  "$@" >>"$LOG" 2>&1 || status=$?
  printf '{"part":"%s","status":%d,"seconds":%d}\n' "$name" "$status" "$((SECONDS - start))" >>"$PARTS_LOG"
  if [ "$status" -ne 0 ]; then
    FAILED=1
    say "$name: ended with $status"
    tail -n 15 "$LOG" >&2
  fi
  return "$status"
}

# skip NAME WHY
skip() {
  say "$1: skipped, $2"
  printf '{"part":"%s","skipped":"%s"}\n' "$1" "$2" >>"$PARTS_LOG"
}

command -v "$NODE" >/dev/null || die "node was not found; NODE names it"
command -v cmake >/dev/null || die "cmake was not found"
[ -d node_modules/node-addon-api ] || die "node_modules/ is not here: run npm ci where packages can be had and bring it along"
[ -f dist/bundle/index.js ] || die "dist/ is not here: run npm run build:ts and bring it along"
TORCH=$("$PYTHON" -c 'import torch, os; print(os.path.dirname(torch.__file__))') || die "$PYTHON cannot import torch; PYTHON names another"
CUDA=$("$PYTHON" -c 'import torch; print(torch.version.cuda or "")')
[ -n "$CUDA" ] || die "the torch of $PYTHON is a CPU build"
[ -n "${ALLOW_NO_GPU:-}" ] || "$PYTHON" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || die "the torch of $PYTHON sees no GPU"
if [ -z "${CUDACXX:-}" ]; then
  CUDACXX=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null) || die "nvcc was not found; CUDACXX names it"
  export CUDACXX
fi

DEVICE=cuda
[ -z "${ALLOW_NO_GPU:-}" ] || DEVICE=cpu
export SENTENCE_TORCH_ADDON=$BUILD/Release/sentence_torch.node
# The native tests find by it what the addon is given: LibTorch and the CUDA runtime beside it.
export LD_LIBRARY_PATH=$TORCH/lib$(printf ':%s' "$TORCH"/../nvidia/cu*/lib)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
unset SENTENCE_TORCH_LIBTORCH

build() {
  local generator=()
  command -v ninja >/dev/null && generator=(-G Ninja)
  part configure cmake -S . -B "$BUILD" "${generator[@]}" -Wno-dev -DLIBTORCH="$TORCH" -DSENTENCE_TORCH_CUDA="$CUDA" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$BUILD/Release" || return
  part build cmake --build "$BUILD" --parallel "$JOBS" || return
  local version
  version=$("$PYTHON" -c 'import torch; print(torch.__version__.split("+")[0])')
  printf '{"path":"%s","version":"%s","variant":"%s"}\n' "$TORCH" "$version" "$CUDA" >"$BUILD/libtorch.json"
  if grep -q '^GTest_DIR:PATH=.*-NOTFOUND' "$BUILD/CMakeCache.txt"; then
    skip build-native-tests 'GoogleTest was not found (GTEST_ROOT names it)'
  else
    part build-native-tests cmake --build "$BUILD" --target native_tests --parallel "$JOBS"
  fi
}

# native NAME FILTER [VARIABLE=VALUE ...]
native() {
  local name=$1 filter=$2
  shift 2
  part "native-$name" env "$@" GTEST_OUTPUT="json:$OUT/native-$name.json" "$BUILD/native_tests" --gtest_brief=1 --gtest_filter="$filter"
}

tests() {
  part addon-check "$NODE" install/cuda-check-addon.mjs
  if [ -x "$BUILD/native_tests" ]; then
    # The device against the CPU: LibTorch's kernels, then the own ones.
    native device 'CudaDevice*.*' SENTENCE_TORCH_CUDA_KERNELS=0
    native device-kernels 'CudaDevice*.*' SENTENCE_TORCH_CUDA_KERNELS=1
    # Steps that are recorded and repeated.
    native device-graphs 'CudaDevice*.*' SENTENCE_TORCH_CUDA_KERNELS=1 SENTENCE_TORCH_CUDA_GRAPHS=1
    # The engine's own suites with their encoders on the device, and everything on the CPU of this build.
    native engine-on-device 'Encoder.*:Trainer*.*' SENTENCE_TORCH_DEVICE=$DEVICE
    native engine-on-device-graphs 'Trainer*.*' SENTENCE_TORCH_DEVICE=$DEVICE SENTENCE_TORCH_CUDA_KERNELS=1 SENTENCE_TORCH_CUDA_GRAPHS=1
    native cpu '-CudaDevice*.*'
  else
    skip native-tests 'they were not built'
  fi
  if [ -f node_modules/ava/entrypoints/cli.mjs ]; then
    part addon-on-device bash -o pipefail -c "SENTENCE_TORCH_DEVICE=$DEVICE '$NODE' node_modules/ava/entrypoints/cli.mjs --tap 'dist/test/addon/**/*.test.js' | tee '$OUT/addon.tap'"
    part addon-on-device-graphs bash -o pipefail -c "SENTENCE_TORCH_DEVICE=$DEVICE SENTENCE_TORCH_CUDA_KERNELS=1 SENTENCE_TORCH_CUDA_GRAPHS=1 '$NODE' node_modules/ava/entrypoints/cli.mjs --tap 'dist/test/addon/**/*.test.js' | tee '$OUT/addon-graphs.tap'"
  else
    skip addon-on-device 'node_modules/ava is not here'
  fi
}

benchmarks() {
  local peer
  peer=$(command -v "$PYTHON")
  "$PYTHON" -c 'import sentence_transformers' 2>/dev/null || say "bench: $PYTHON has no sentence_transformers, ours runs alone"
  : >"$OUT/bench.jsonl"
  # LibTorch's kernels, the own ones, and these in steps that are recorded.
  local kernels graphs
  for way in 0:0 1:0 1:1; do
    kernels=${way%:*} graphs=${way#*:}
    printf '{"theme":"way","kernels":%d,"graphs":%d}\n' "$kernels" "$graphs" >>"$OUT/bench.jsonl"
    part "bench-kernels-$kernels-graphs-$graphs" bash -o pipefail -c \
      "SENTENCE_TORCH_DEVICE=$DEVICE SENTENCE_TORCH_CUDA_KERNELS=$kernels SENTENCE_TORCH_CUDA_GRAPHS=$graphs SENTENCE_TORCH_BENCH_PYTHON='$peer' '$NODE' bench/run.mjs --json ${BENCH_ARGS:---programs ours,ours-bf16,python,python-bf16 --steps 200 --warm-up 50} | tee -a '$OUT/bench.jsonl'"
  done
}

for wanted in $PARTS; do
  case $wanted in
    build) build || break ;;
    test) tests ;;
    bench) benchmarks ;;
    *) die "unknown part $wanted: expected build, test or bench" ;;
  esac
done

"$PYTHON" - "$PARTS_LOG" "$OUT/gpu.json" "$CUDACXX" <<'PYTHON'
import json, subprocess, sys, torch
parts = [json.loads(line) for line in open(sys.argv[1])]
device = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
report = {
    "device": device and device.name,
    "memoryMiB": device and device.total_memory >> 20,
    "computeCapability": device and f"{device.major}.{device.minor}",
    "torch": torch.__version__,
    "nvcc": subprocess.run([sys.argv[3], "--version"], capture_output=True, text=True).stdout.strip().splitlines()[-1:],
    "parts": parts,
}
json.dump(report, open(sys.argv[2], "w"), indent=2)
print(json.dumps(report))
PYTHON
exit "$FAILED"
