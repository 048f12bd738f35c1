#!/usr/bin/env bash
# On a machine with a GPU: builds the CUDA variant against the LibTorch of the Python there, runs the native and the addon's
# tests on the device, then the side-by-side benchmarks, and says of each line of docs/cuda.md that has not run yet whether it passes.
# Two commands, for a machine that is lent for a quarter of an hour:
#
#   OUT=results bench/gpu.sh check      builds and tests, in at most 6 minutes
#   OUT=results bench/gpu.sh bench      measures, in at most 7 minutes; the build of the first command is still there
#   bench/gpu.sh --dry-run [check|bench]    runs nothing: says what would run, and what of it is missing; needs no GPU
#
# Needs: python3 with torch for CUDA (PYTHON names another), nvcc (or CUDACXX), g++, cmake, node (NODE names another), and in this
# folder node_modules/ and dist/. Nothing is downloaded. With GoogleTest (or GTEST_ROOT) the native tests are built too.
# With a ccache on PATH or in $BUILD/bin, objects come from CCACHE_DIR (default $BUILD/ccache), so that a build that was made
# elsewhere with the same compilers and the same torch can be carried along. Code is made for one architecture: ARCHITECTURE, or that
# of the GPU, or 90. LIMIT replaces the seconds of a command; what no longer fits is skipped and said to be. BENCH_ARGS replaces the
# arguments of bench/run.mjs. ALLOW_NO_GPU=1 tries the script where there is none: the device's tests are skipped.
#
# Files in $OUT: gpu-check.json and gpu-bench.json (machine, versions, the outcome and seconds of every part), native-*.json
# (GoogleTest's reports), addon*.tap, bench.jsonl, verdicts.json, log-*.txt. The exit status is 0 when every part that ran has passed.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 2

DRY=
[ "${1:-}" = --dry-run ] && DRY=1 && shift
COMMAND=${1:-check}
case $COMMAND in
  check) LIMIT=${LIMIT:-360} ;;
  bench) LIMIT=${LIMIT:-420} ;;
  *)
    printf 'gpu.sh: expected check or bench but found %s\n' "$COMMAND" >&2
    exit 2
    ;;
esac

PYTHON=${PYTHON:-python3}
NODE=${NODE:-node}
BUILD=${SENTENCE_TORCH_BUILD:-build-cuda}
OUT=${OUT:-dist/gpu}
JOBS=${JOBS:-$(nproc)}
mkdir -p "$OUT" "$BUILD"
OUT=$(cd "$OUT" && pwd)
BUILD=$(cd "$BUILD" && pwd)
LOG=$OUT/log-$COMMAND.txt
PARTS_LOG=$BUILD/parts-$COMMAND.jsonl
: >"$LOG"
: >"$PARTS_LOG"
FAILED=0
MISSING=0

say() { printf 'gpu.sh: %s\n' "$*" | tee -a "$LOG" >&2; }

# missing WHAT...: in a dry run, to be told at the end; else the end.
missing() {
  say "missing: $*"
  MISSING=1
  [ -n "$DRY" ] || exit 2
}

left() { echo $((LIMIT - SECONDS)); }

# program_of COMMAND...: behind env and its variables.
program_of() {
  local word
  for word; do
    case $word in
      env | *=*) ;;
      *)
        printf '%s' "$word"
        return
        ;;
    esac
  done
}

# skip NAME WHY
skip() {
  say "$1: skipped, $2"
  printf '{"part":"%s","skipped":"%s"}\n' "$1" "$2" >>"$PARTS_LOG"
}

# part NAME SECONDS COMMAND...: runs it for so many seconds at most, its output in the log; notes seconds and exit status.
part() {
  local name=$1 most=$2 start=$SECONDS status=0
  shift 2
  if [ -n "$DRY" ]; then
    local program
    program=$(program_of "$@")
    say "$name, at most $most s: $*"
    case $program in
      "$BUILD"/*) ;; # which the build makes
      *) command -v "$program" >/dev/null || missing "$program, for $name" ;;
    esac
    return 0
  fi
  [ "$most" -le "$(left)" ] || most=$(left)
  if [ "$most" -lt 5 ]; then
    skip "$name" 'no time was left'
    return 1
  fi
  say "$name: $*"
  timeout -k 5 "$most" "$@" >>"$LOG" 2>&1 || status=$?
  printf '{"part":"%s","status":%d,"seconds":%d}\n' "$name" "$status" "$((SECONDS - start))" >>"$PARTS_LOG"
  if [ "$status" -ne 0 ]; then
    FAILED=1
    say "$name: ended with $status$([ "$status" -ne 124 ] || echo ", after $most s")"
    tail -n 15 "$LOG" >&2
  fi
  return "$status"
}

for program in "$NODE" cmake g++ timeout; do
  command -v "$program" >/dev/null || missing "$program"
done
for file in install/cuda-check-addon.mjs bench/run.mjs bench/gpu-verdicts.mjs docs/cuda.md; do
  [ -f "$file" ] || missing "$file"
done
[ -d node_modules/node-addon-api ] || missing 'node_modules/: run npm ci where packages can be had and bring it along'
[ -f dist/bundle/index.js ] || missing 'dist/: run npm run build:ts and bring it along'
TORCH=$("$PYTHON" -c 'import torch, os; print(os.path.dirname(torch.__file__))') || missing "torch for $PYTHON; PYTHON names another"
CUDA=$("$PYTHON" -c 'import torch; print(torch.version.cuda or "")')
[ -n "$CUDA" ] || missing "CUDA in the torch of $PYTHON"
if [ -z "${ALLOW_NO_GPU:-}$DRY" ]; then
  "$PYTHON" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || missing "a GPU that the torch of $PYTHON sees"
fi
if [ -z "${CUDACXX:-}" ]; then
  CUDACXX=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null) || missing 'nvcc; CUDACXX names it'
fi
export CUDACXX
[ -n "${ARCHITECTURE:-}" ] || ARCHITECTURE=$("$PYTHON" -c \
  'import torch; print("%d%d" % torch.cuda.get_device_capability() if torch.cuda.is_available() else 90)')
# Trainings by several processes take a GPU for each.
DEVICES=$("$PYTHON" -c 'import torch; print(torch.cuda.device_count())')
DEVICES=${DEVICES:-0}
export PATH=$BUILD/bin:$PATH
export CCACHE_DIR=${CCACHE_DIR:-$BUILD/ccache} CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

DEVICE=cuda
[ -z "${ALLOW_NO_GPU:-}" ] || DEVICE=cpu
export SENTENCE_TORCH_ADDON=$BUILD/Release/sentence_torch.node
# The native tests find by it what the addon is given: LibTorch and the CUDA runtime beside it.
LD_LIBRARY_PATH=$TORCH/lib$(printf ':%s' "$TORCH"/../nvidia/cu*/lib)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
unset SENTENCE_TORCH_LIBTORCH

build() {
  local generator=() version
  command -v ninja >/dev/null && generator=(-G Ninja)
  part configure 60 cmake -S . -B "$BUILD" "${generator[@]}" -Wno-dev -DLIBTORCH="$TORCH" -DSENTENCE_TORCH_CUDA="$CUDA" \
    -DCMAKE_CUDA_ARCHITECTURES="$ARCHITECTURE-real" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$BUILD/Release" || return
  part build 240 cmake --build "$BUILD" --parallel "$JOBS" || return
  if [ -n "$DRY" ]; then return; fi
  version=$("$PYTHON" -c 'import torch; print(torch.__version__.split("+")[0])')
  printf '{"path":"%s","version":"%s","variant":"%s"}\n' "$TORCH" "$version" "$CUDA" >"$BUILD/libtorch.json"
  if grep -q '^GTest_DIR:PATH=.*-NOTFOUND' "$BUILD/CMakeCache.txt"; then
    skip build-native-tests 'GoogleTest was not found (GTEST_ROOT names it)'
  else
    part build-native-tests 180 cmake --build "$BUILD" --target native_tests --parallel "$JOBS"
  fi
}

# native NAME SECONDS FILTER [VARIABLE=VALUE ...]
native() {
  local name=$1 most=$2 filter=$3
  shift 3
  part "native-$name" "$most" env "$@" GTEST_OUTPUT="json:$OUT/native-$name.json" "$BUILD/native_tests" --gtest_brief=1 --gtest_filter="$filter"
}

# addon NAME SECONDS [VARIABLE=VALUE ...]
addon() {
  local name=$1 most=$2 files=() test
  shift 2
  for test in binding sentence-transformer trainer trainer-arguments trainer-resume cross-encoder-trainer custom-loss; do
    files+=("dist/test/addon/$test.test.js")
    [ -f "${files[-1]}" ] || missing "${files[-1]}"
  done
  part "$name" "$most" env SENTENCE_TORCH_DEVICE="$DEVICE" "$@" bash -o pipefail -c \
    "'$NODE' node_modules/ava/entrypoints/cli.mjs --tap ${files[*]} | tee '$OUT/$name.tap'"
}

# with_two NAME COMMAND...: where there are two GPUs.
with_two() {
  local name=$1
  shift
  if [ "$DEVICES" -ge 2 ] || [ -n "$DRY" ]; then
    "$@"
  else
    skip "$name" "it needs 2 GPUs, here $DEVICES"
  fi
}

native_ranks() {
  native ranks 90 'CudaRanks.*'
}

addon_ranks() {
  local test=dist/test/addon/distributed-gpu.test.js
  [ -f "$test" ] || missing "$test"
  part addon-ranks 60 env SENTENCE_TORCH_DEVICE="$DEVICE" "$NODE" node_modules/ava/entrypoints/cli.mjs --tap "$test"
}

bench_ranks() {
  part bench-ranks 90 env SENTENCE_TORCH_DEVICE="$DEVICE" bash -o pipefail -c \
    "'$NODE' bench/distributed.mjs --peer false --rounds 1 --steps 100 --batch 256 | tee -a '$OUT/bench.jsonl'"
}

# The shortest first, so that a limit costs what matters least.
tests() {
  part addon-check 30 "$NODE" install/cuda-check-addon.mjs
  if [ -n "$DRY" ] || [ -x "$BUILD/native_tests" ]; then
    # The device against the CPU: LibTorch's kernels, then the own ones.
    native device 60 'CudaDevice*.*' SENTENCE_TORCH_CUDA_KERNELS=0
    native device-kernels 60 'CudaDevice*.*' SENTENCE_TORCH_CUDA_KERNELS=1
    # Steps that are recorded and repeated.
    native device-graphs 60 'CudaDevice*.*' SENTENCE_TORCH_CUDA_KERNELS=1 SENTENCE_TORCH_CUDA_GRAPHS=1
    native device-tf32 30 'CudaDevice.Products*' SENTENCE_TORCH_TF32=1
    # The engine's own suites with their encoders on the device.
    native engine-on-device 60 'Encoder.*:Trainer*.*' SENTENCE_TORCH_DEVICE=$DEVICE
    native engine-on-device-graphs 60 'Trainer*.*' SENTENCE_TORCH_DEVICE=$DEVICE SENTENCE_TORCH_CUDA_KERNELS=1 SENTENCE_TORCH_CUDA_GRAPHS=1
    # Two ranks, over NCCL.
    with_two native-ranks native_ranks
  else
    skip native-tests 'they were not built'
  fi
  if [ -f node_modules/ava/entrypoints/cli.mjs ]; then
    addon addon-on-device 90
    addon addon-on-device-graphs 60 SENTENCE_TORCH_CUDA_KERNELS=1 SENTENCE_TORCH_CUDA_GRAPHS=1
    with_two addon-ranks addon_ranks
  else
    skip addon-on-device 'node_modules/ava is not here'
  fi
}

# LibTorch's kernels beside Python, then the own ones, and these in steps that are recorded.
benchmarks() {
  local peer kernels graphs programs way
  peer=$(command -v "$PYTHON")
  "$PYTHON" -c 'import sentence_transformers' 2>/dev/null || say "bench: $PYTHON has no sentence_transformers, ours runs alone"
  : >"$OUT/bench.jsonl"
  for way in 0:0 1:0 1:1; do
    kernels=${way%:*} graphs=${way#*:}
    programs=ours,ours-bf16
    [ "$way" != 0:0 ] || programs=$programs,python,python-bf16
    printf '{"theme":"way","kernels":%d,"graphs":%d}\n' "$kernels" "$graphs" >>"$OUT/bench.jsonl"
    part "bench-kernels-$kernels-graphs-$graphs" 200 env SENTENCE_TORCH_DEVICE="$DEVICE" SENTENCE_TORCH_CUDA_KERNELS="$kernels" \
      SENTENCE_TORCH_CUDA_GRAPHS="$graphs" SENTENCE_TORCH_BENCH_PYTHON="$peer" bash -o pipefail -c \
      "'$NODE' bench/run.mjs --json ${BENCH_ARGS:---programs $programs --workloads sts,squad --rounds 1 --steps 200 --warm-up 50 --timeout 1} | tee -a '$OUT/bench.jsonl'"
  done
  # One training by two processes, a GPU each, beside one process with one.
  with_two bench-ranks bench_ranks
}

if [ "$COMMAND" = check ]; then
  build && tests
else
  [ -n "$DRY" ] || [ -f "$SENTENCE_TORCH_ADDON" ] || missing 'a build: bench/gpu.sh check makes it'
  benchmarks
fi
if [ -n "$DRY" ]; then
  [ "$MISSING" -eq 0 ] && say 'everything is there'
  exit "$MISSING"
fi

"$PYTHON" - "$PARTS_LOG" "$OUT/gpu-$COMMAND.json" "$CUDACXX" <<'PYTHON'
import json, subprocess, sys, torch
parts = [json.loads(line) for line in open(sys.argv[1])]
device = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
report = {
    "device": device and device.name,
    "devices": torch.cuda.device_count(),
    "memoryMiB": device and device.total_memory >> 20,
    "computeCapability": device and f"{device.major}.{device.minor}",
    "torch": torch.__version__,
    "nvcc": subprocess.run([sys.argv[3], "--version"], capture_output=True, text=True).stdout.strip().splitlines()[-1:],
    "parts": parts,
}
json.dump(report, open(sys.argv[2], "w"), indent=2)
print(json.dumps(report))
PYTHON
"$NODE" bench/gpu-verdicts.mjs "$OUT"
exit "$FAILED"
