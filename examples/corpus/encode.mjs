// node examples/corpus/encode.mjs [texts.jsonl] [folder] [processes]
//
// Encodes the texts in as many processes as there are shards. One that is killed is started again and goes on with its next file; on
// many machines Slurm or Kubernetes does this (see deploy/).
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [texts = 'texts.jsonl', folder = 'vectors', processes = '2'] = process.argv.slice(2)
const model = process.env.MODEL ?? 'sentence-transformers/all-MiniLM-L6-v2'
const rowsPerFile = process.env.ROWS_PER_FILE ?? '10000'
const dtype = process.env.DTYPE ?? 'float32'
const program = join(dirname(fileURLToPath(import.meta.resolve('sentence-torch'))), 'cli.js')
// All compute on the same cores.
const threads = String(Math.max(1, Math.floor(availableParallelism() / Number(processes))))
const env = { SENTENCE_TORCH_THREADS: threads, ...process.env }
const TRIES = 5

async function shard(number) {
  const options = [
    '--document',
    '--with-text',
    '--output-folder',
    folder,
    '--rows-per-file',
    rowsPerFile,
    '--dtype',
    dtype,
  ]
  const words = ['encode', model, texts, ...options, '--shard', `${number}/${processes}`]
  for (let tries = 1; ; tries++) {
    const child = spawn(process.execPath, [program, ...words], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    const [code, signal] = await new Promise((resolve) => child.on('close', (...ended) => resolve(ended)))
    if (code === 0) return
    // 2: the call itself is wrong.
    if (code === 2 || tries === TRIES) throw new Error(`shard ${number} ended with ${code ?? signal}`)
    console.error(`shard ${number} ended with ${code ?? signal}; it is started again`)
  }
}

await Promise.all(Array.from({ length: Number(processes) }, (_, i) => shard(i + 1)))
