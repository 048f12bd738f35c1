// The programs that are compared: how a trial of each is started, and what is missing where one cannot run.
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const bench = fileURLToPath(new URL('..', import.meta.url))
export const shared = join(bench, '..', '..', 'shared')
const peers = process.env.SENTENCE_TORCH_BENCH_PEERS || join(bench, 'peers')
export const pythonProgram = process.env.SENTENCE_TORCH_BENCH_PYTHON || join(peers, 'venv', 'bin', 'python')
const js = join(peers, 'js', 'node_modules', '@huggingface', 'transformers')
export const llamaFolder = join(peers, 'llama', 'node_modules', 'node-llama-cpp')
const SETUP = 'python3 bench/setup.py makes it'

/** Trials of each kind of program: interpreter, and how the script of a theme is called. */
const KINDS = {
  ours: { interpreter: process.execPath, script: (theme) => `${theme}.mjs` },
  python: { interpreter: pythonProgram, script: (theme) => `${theme}_peer.py` },
  js: { interpreter: process.execPath, script: (theme) => `${theme}_js.mjs` },
  fastembed: { interpreter: pythonProgram, script: (theme) => `${theme}_fastembed.py` },
  llama: { interpreter: process.execPath, script: (theme) => `${theme}_llama.mjs` },
}

/** By the name that `--programs` takes. `dtype` goes to the trial; `slow`: only where it is named. */
export const PROGRAMS = {
  ours: { kind: 'ours', dtype: 'float32', label: 'sentence-torch' },
  'ours-bf16': { kind: 'ours', dtype: 'bfloat16', label: 'sentence-torch bf16' },
  'ours-int8': { kind: 'ours', dtype: 'int8', label: 'sentence-torch int8' },
  python: { kind: 'python', dtype: 'float32', label: 'Python' },
  'python-bf16': { kind: 'python', dtype: 'bfloat16', label: 'Python, bf16 autocast' },
  'python-compile': { kind: 'python', dtype: 'float32', compile: true, label: 'Python, torch.compile', slow: true },
  js: { kind: 'js', dtype: 'float32', label: 'transformers.js, onnxruntime' },
  'js-int8': { kind: 'js', dtype: 'int8', label: 'transformers.js, onnxruntime int8' },
  fastembed: { kind: 'fastembed', dtype: 'float32', label: 'fastembed' },
  llama: { kind: 'llama', dtype: 'float32', label: 'node-llama-cpp' },
}

export function kindOf(program) {
  return KINDS[PROGRAMS[program].kind]
}

/** Why a program cannot run here, or undefined. */
export function missing(program) {
  const { kind } = PROGRAMS[program]
  if (kind === 'python' && !existsSync(pythonProgram)) return `There is no ${pythonProgram} (${SETUP})`
  if (kind === 'js' && !existsSync(js)) return `There is no ${js} (${SETUP})`
  if (kind === 'llama' && !existsSync(llamaFolder)) return `There is no ${llamaFolder} (${SETUP})`
  if (kind === 'fastembed') {
    const packages = join(pythonProgram, '..', '..', 'lib')
    const found =
      existsSync(pythonProgram) &&
      readdirSync(packages).some((name) => existsSync(join(packages, name, 'site-packages', 'fastembed')))
    if (!found) return `fastembed is not installed beside ${pythonProgram} (${SETUP})`
  }
  return undefined
}

/** A model folder by name: all-MiniLM-L6-v2 (or what --model names), or bert-base-random. */
export function modelFolder(name, given) {
  if (name !== 'all-MiniLM-L6-v2') return join(peers, 'models', name)
  const local = join(shared, 'models', name)
  return given ?? (existsSync(local) ? local : `sentence-transformers/${name}`)
}

/** What a program reads as the model `name`; undefined where it does not have it. */
export function modelFor(program, name, given) {
  const { kind } = PROGRAMS[program]
  if (kind === 'ours' || kind === 'python') {
    const folder = modelFolder(name, given)
    return name === 'all-MiniLM-L6-v2' || existsSync(folder) ? folder : undefined
  }
  if (given && basename(given) !== name) return undefined
  if (kind === 'llama') {
    const file = join(peers, 'models', 'gguf', `${name}.gguf`)
    return existsSync(file) ? file : undefined
  }
  const folder = join(peers, 'models', 'js', name)
  return existsSync(join(folder, 'onnx', 'model.onnx')) ? folder : undefined
}

export const jsPackage = join(js, 'dist', 'transformers.node.mjs')
