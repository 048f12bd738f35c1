#!/bin/bash
# sbatch deploy/slurm-encode.sh
#
# A corpus in 64 shards, one for each task of an array. A task that is killed or requeued runs the same command again and goes on with its
# next file; a task that has nothing left to do ends at once. All tasks see one folder.
#SBATCH --job-name=encode
#SBATCH --array=1-64
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
set -euo pipefail

MODEL="${MODEL:-sentence-transformers/all-MiniLM-L6-v2}"
INPUT="${INPUT:-docs.jsonl}"
VECTORS="${VECTORS:-vectors}"
# As many as --array counts to. Some of them can be submitted again: sbatch --array=17,23 deploy/slurm-encode.sh
SHARDS="${SHARDS:-64}"

export SENTENCE_TORCH_THREADS="${SLURM_CPUS_PER_TASK:-8}"
# exec: Slurm's signal reaches the program, which leaves whole files alone.
exec npx sentence-torch encode "$MODEL" "$INPUT" \
  --document --with-text --output-folder "$VECTORS" --format parquet \
  --shard "$SLURM_ARRAY_TASK_ID/$SHARDS"
