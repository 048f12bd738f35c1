/** `sentence-torch inspect`: what a model's files say of it. */
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import { headModule, readCrossEncoderFolder } from '../models/cross-encoder-folder.js'
import { resolveModel } from '../models/hub.js'
import { jsonObject, readJson } from '../models/json.js'
import { findAdapter } from '../models/load-parts.js'
import { readModelFolder } from '../models/model-folder.js'
import { type ModelClass, textClassOf } from '../models/model-type.js'
import { hasWeights, type ModuleName } from '../models/modules/index.js'
import { readMultiVectorFolder } from '../models/multi-vector/folder.js'
import { readSparseFolder } from '../models/sparse-folder.js'
import { weightFile } from '../models/weight-file.js'
import { openWordWeights } from '../models/word-weights.js'
import { loadAddon } from '../native/load.js'
import type { Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'

interface Facts {
  kind: ModelClass
  path: string
  id?: string
  architecture: string
  /** Each with its settings. */
  modules: readonly Readonly<Record<string, unknown>>[]
  settings: Readonly<Record<string, unknown>>
  parameters: number
  bytes: number
  tensors: readonly { file: string; name: string; dtype: string; shape: readonly number[] }[]
}

export async function inspectModel(values: Values, io: Io): Promise<number> {
  const [name] = values.words as [string]
  const facts = await gather(name, loadOptions(values, io))
  const { tensors, ...rest } = facts
  if (values.options.json) {
    const shown = values.options.tensors ? facts : rest
    io.out(`${JSON.stringify(shown, null, 2)}\n`)
  } else io.out(text(facts, values.options.tensors === true))
  return 0
}

async function gather(name: string, options: ReturnType<typeof loadOptions>): Promise<Facts> {
  const resolved = await resolveModel(name, options)
  const { path } = resolved
  const adapter = await findAdapter(path, options)
  const base = adapter?.base.path
  const read = await readerOf(await classOf(path, base))(path, base)
  const tensors: { file: string; name: string; dtype: string; shape: readonly number[] }[] = []
  let [parameters, bytes] = [0, 0]
  for (const file of read.files) {
    const weights = typeof file === 'string' ? await openTensorFile(file) : await file()
    try {
      for (const [tensor, { dtype, shape, byteLength }] of weights.tensors) {
        tensors.push({ file: weights.path, name: tensor, dtype, shape })
        parameters += shape.reduce((product, size) => product * size, 1)
        bytes += byteLength
      }
    } finally {
      await weights.close()
    }
  }
  const { files, ...facts } = read
  return { ...facts, path, ...(resolved.id !== undefined && { id: resolved.id }), parameters, bytes, tensors }
}

type Read = Pick<Facts, 'kind' | 'architecture' | 'modules' | 'settings'> & {
  /** Of weights: by path, or opened. */
  files: (string | (() => Promise<TensorFile>))[]
}

async function classOf(path: string, base: string | undefined): Promise<ModelClass> {
  const named = await textClassOf(path)
  if (named !== 'SentenceTransformer') return named
  const config = await readJson(join(base ?? path, 'config.json'), jsonObject)
  const { architectures } = config ?? {}
  const isPairs = Array.isArray(architectures) && String(architectures[0]).endsWith('ForSequenceClassification')
  return isPairs ? 'CrossEncoder' : named
}

function readerOf(kind: ModelClass): (path: string, base: string | undefined) => Promise<Read> {
  switch (kind) {
    case 'CrossEncoder':
      return pairModel
    case 'SparseEncoder':
      return sparseModel
    case 'MultiVectorEncoder':
      return multiVectorModel
    default:
      return sentenceModel
  }
}

/** The weight files of modules behind the first one. */
async function moduleFiles(path: string, modules: readonly { type: ModuleName }[]): Promise<string[]> {
  const list = await readJson(join(path, 'modules.json'), (value) => value as { path?: string }[] | undefined)
  const files = modules.map(({ type }, i) =>
    list && hasWeights(type) ? [weightFile(path, list[i + 1]?.path ?? '')] : [],
  )
  return Promise.all(files.flat())
}

async function sentenceModel(path: string, base: string | undefined): Promise<Read> {
  const folder = await readModelFolder(path, loadAddon, undefined, base)
  const { first, architecture, description, maxSeqLength, modules, prompts, defaultPromptName } = folder
  const files = [await weightFile(folder.transformerPath, ''), ...(await moduleFiles(path, modules))]
  const { width, layers } = description
  return {
    kind: 'SentenceTransformer',
    architecture,
    modules: [{ type: first, layers, hiddenSize: width, maxSeqLength }, ...modules.map(({ spec }) => ({ ...spec }))],
    settings: {
      embeddingDimension: folder.truncateDim ?? modules.at(-1)?.outputDimension ?? width,
      similarityFnName: folder.similarityFnName,
      prompts,
      defaultPromptName,
    },
    files,
  }
}

async function sparseModel(path: string, base: string | undefined): Promise<Read> {
  const folder = await readSparseFolder(path, loadAddon, base)
  if (folder.router)
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `inspect does not show ${path}: it has a Router of sparse routes`,
    )
  const { first, transformerPath, architecture, description, maxSeqLength, modules } = folder
  const isTable = first === 'SparseStaticEmbedding'
  const own = isTable ? () => openWordWeights(transformerPath) : await weightFile(transformerPath, '')
  const { width, layers, vocabulary } = description
  const { prompts, defaultPromptName, similarityFnName, maxActiveDims } = folder
  const dimension = modules.at(-1)?.outputDimension ?? vocabulary
  return {
    kind: 'SparseEncoder',
    architecture,
    modules: [
      isTable ? { type: first, maxSeqLength } : { type: first, layers, hiddenSize: width, maxSeqLength },
      ...modules.map(({ spec }) => ({ ...spec })),
    ],
    settings: { embeddingDimension: dimension, similarityFnName, maxActiveDims, prompts, defaultPromptName },
    files: [own, ...(await moduleFiles(path, modules))],
  }
}

async function multiVectorModel(path: string, base: string | undefined): Promise<Read> {
  const folder = await readMultiVectorFolder(path, loadAddon, base)
  const { first, transformerPath, architecture, description, maxSeqLength, modules, prompts, defaultPromptName } =
    folder
  const { similarityFnName, queryLength, documentLength, queryExpansion } = folder
  const { width, layers } = description
  // What no file has, a new projection, is there from `load` on.
  const saved = modules.filter((_, i) => !folder.added.has(i + 1))
  return {
    kind: 'MultiVectorEncoder',
    architecture,
    modules: [{ type: first, layers, hiddenSize: width, maxSeqLength }, ...modules.map(({ spec }) => ({ ...spec }))],
    settings: {
      embeddingDimension: modules.at(-1)?.outputDimension ?? width,
      ...{ similarityFnName, queryLength, documentLength, queryExpansion, prompts, defaultPromptName },
    },
    files: [await weightFile(transformerPath, ''), ...(await moduleFiles(path, saved))],
  }
}

async function pairModel(path: string, base: string | undefined): Promise<Read> {
  const folder = await readCrossEncoderFolder(path, loadAddon, {}, base)
  const { architecture, description, maxSeqLength, numLabels, activationFn, prompts, logitScore } = folder
  return {
    kind: 'CrossEncoder',
    architecture,
    modules: [
      { type: 'Transformer', layers: description.layers, hiddenSize: description.width, maxSeqLength },
      ...(logitScore ? [headModule(folder).spec] : []),
    ],
    settings: { numLabels, activationFn, prompts },
    files: [await weightFile(folder.transformerPath, '')],
  }
}

function text(facts: Facts, withTensors: boolean): string {
  const { kind, id, path, architecture, modules, settings, parameters, bytes, tensors } = facts
  const row = (name: string, value: unknown) => `${name.padEnd(20)} ${value}`
  const shown = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  const lines = [
    row('Model', `${kind}${id === undefined ? '' : ` ${id}`}`),
    row('Folder', path),
    row('Architecture', architecture),
    ...modules.map(({ type, ...rest }, i) => {
      const parts = Object.entries(rest).map(([name, value]) => `${name} ${shown(value)}`)
      return row(`Module ${i}`, `${type}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`)
    }),
    ...Object.entries(settings).map(([name, value]) => row(name, shown(value))),
    row('Parameters', parameters.toLocaleString('en')),
    row('Weights', `${(bytes / 1e6).toFixed(1)} MB, ${tensors.length} tensors`),
  ]
  if (withTensors) {
    const width = Math.max(...tensors.map(({ name }) => name.length))
    lines.push(...tensors.map(({ name, dtype, shape }) => `  ${name.padEnd(width)}  ${dtype}  [${shape.join(', ')}]`))
  }
  return `${lines.join('\n')}\n`
}
