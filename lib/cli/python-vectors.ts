/** Vectors from Python: of a run of sentence-transformers, or of a file that was saved before. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { abortError, throwIfAborted } from '../io/abort.js'
import { readWhole } from '../io/open-file.js'
import { arrayOf, number, object, parseJson, recordOf, text } from '../io/schema.js'
import { failedTo } from '../io/system-error.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'
import { readNpyFile } from './npy.js'

export interface PythonRequest {
  /** A folder. */
  model: string
  texts: readonly string[]
  maxLength: number | undefined
}

/** What it exits with where a module is missing. */
const NO_MODULE = 86
const MOST_BYTES = 2 ** 30

/** Reads the request from stdin. Its own output goes into files, since libraries print what they like. */
const PROGRAM = `
import json, sys
sys.stdin.reconfigure(encoding="utf-8")
request = json.load(sys.stdin)
try:
    import numpy, sentence_transformers, torch
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(${NO_MODULE})
model = sentence_transformers.SentenceTransformer(request["model"], device="cpu")
if request.get("maxLength"):
    model.max_seq_length = request["maxLength"]
vectors = model.encode(request["texts"], convert_to_numpy=True, show_progress_bar=False)
numpy.save(request["vectors"], numpy.ascontiguousarray(vectors, dtype=numpy.float32))
versions = {"Python": sys.version.split()[0], "sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__}
with open(request["versions"], "w", encoding="utf-8") as file:
    json.dump(versions, file)
`

/**
 * Runs sentence-transformers on a folder.
 * @throws ERR_NOT_FOUND without the program; ERR_UNSUPPORTED without sentence-transformers in it, or where it fails, with its last line;
 * ERR_ABORTED
 */
export async function pythonVectors(
  program: string,
  request: PythonRequest,
  signal: AbortSignal,
): Promise<{ vectors: Embeddings; versions: Record<string, string> }> {
  throwIfAborted(signal, 'Running Python')
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-parity-')).catch(failedTo(`make a folder in ${tmpdir()}`))
  try {
    const [vectors, versions] = [join(folder, 'vectors.npy'), join(folder, 'versions.json')]
    await runPython(program, JSON.stringify({ ...request, vectors, versions }), signal)
    const read = async () => parseJson(await readFile(versions), versions, recordOf(text()))
    return { vectors: await readNpyFile(vectors), versions: await read().catch(failedTo(`read ${versions}`)) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function runPython(program: string, request: string, signal: AbortSignal): Promise<void> {
  const env = { ...process.env, HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'false', CUDA_VISIBLE_DEVICES: '' }
  const child = spawn(program, ['-c', PROGRAM], { stdio: ['pipe', 'ignore', 'pipe'], env, signal })
  let errors = ''
  child.stderr.on('data', (data: Buffer) => {
    errors = (errors + String(data)).slice(-10_000)
  })
  // A program that ends before it has read everything says why by its exit code.
  child.stdin.on('error', () => {})
  child.stdin.end(request)
  const instead = '--python names one that has sentence-transformers, --vectors compares with saved vectors'
  const code = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) return reject(abortError(signal, 'Running Python'))
      const reason = error.code === 'ENOENT' ? 'there is no such program' : error.message
      reject(new SentenceTorchError('ERR_NOT_FOUND', `Cannot run ${program}: ${reason}; ${instead}`, { cause: error }))
    })
    child.on('close', (status, killed) => resolve(status ?? killed ?? 1))
  })
  if (code === 0) return
  const last = errors.trim().split('\n').at(-1) ?? ''
  if (code === NO_MODULE) throw new SentenceTorchError('ERR_UNSUPPORTED', `${program}: ${last}; ${instead}`)
  throw new SentenceTorchError('ERR_UNSUPPORTED', `${program} ended with ${code}${last === '' ? '' : `: ${last}`}`)
}

const VECTOR = arrayOf(number(), { min: 1 })

/** Rows of `.npy`, of a JSON array of arrays, or of lines `[…]` or `{ "embedding": […] }`. @throws ERR_NOT_FOUND; ERR_INVALID_FILE */
export async function savedVectors(path: string): Promise<Embeddings> {
  if (!/\.jsonl?$/i.test(path)) return readNpyFile(path)
  const bytes = await readWhole(path, MOST_BYTES, 'ERR_INVALID_FILE').catch(failedTo(`read ${path}`))
  const lines = /l$/i.test(path)
    ? bytes
        .toString()
        .split('\n')
        .filter((line) => line.trim() !== '')
    : undefined
  const rows =
    lines === undefined
      ? parseJson(bytes, path, arrayOf(VECTOR))
      : lines.map((line, i) => {
          const where = `${path}, line ${i + 1}`
          if (line.trimStart().startsWith('[')) return parseJson(line, where, VECTOR)
          return parseJson(line, where, object({ embedding: VECTOR })).embedding
        })
  const [first] = rows
  const wrong = rows.findIndex((row) => row.length !== first!.length)
  if (first === undefined || wrong !== -1) {
    const found =
      first === undefined ? 'no vectors' : `${rows[wrong]!.length} numbers in row ${wrong}, ${first.length} in row 0`
    throw new SentenceTorchError('ERR_INVALID_FILE', `Expected vectors of one length in ${path}, found ${found}`)
  }
  return embeddings(Float32Array.from(rows.flat()), rows.length, first.length)
}
