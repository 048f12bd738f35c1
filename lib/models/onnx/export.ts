import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromNative, invalidArgument } from '../../errors.js'
import type { ConfigObject, NativeEncoder, OnnxGraph } from '../../native/types.js'
import { checkOneOf, checkOptions, listOfNames } from '../../options.js'
import { readConfig, toJson } from '../json.js'
import { isForeign, saveModelFolder } from '../save-folder.js'
import { ONNX_DTYPES, ONNX_NAMES, type OnnxDType, writeGraph } from './write-graph.js'

export interface ExportOnnxOptions {
  /** Of the weights, one or several: `fp32`, or `q8`, 8 bits. Default `fp32`. */
  dtype?: OnnxDType | readonly OnnxDType[]
}

/** What a model's export is made of. */
export interface OnnxParts {
  encoder: NativeEncoder
  /** Of this package. */
  version: string
  /** Writes the files of `save` into an empty folder. */
  write: (folder: string) => Promise<void>
  /** What config.json and tokenizer_config.json say where `write` makes none: for a table of static embeddings. */
  config: ConfigObject
  tokenizerConfig: ConfigObject
}

/** The folder of the graphs, below that of the model. */
const FOLDER = 'onnx'

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function checkExportOptions(options: ExportOnnxOptions): OnnxDType[] {
  checkOptions('exportOnnx', options, ['dtype'])
  const dtypes = listOfNames('dtype', options.dtype ?? 'fp32')
  if (dtypes.length === 0) throw invalidArgument('dtype', 'at least one of fp32 and q8', dtypes)
  for (const dtype of dtypes) checkOneOf('dtype', dtype, ONNX_DTYPES)
  return [...new Set(dtypes as OnnxDType[])]
}

/** Writes the folder of a model with its graphs, of which an older folder's are replaced. */
export async function exportModel(target: string, parts: OnnxParts, dtypes: readonly OnnxDType[]): Promise<void> {
  const { encoder, version, write } = parts
  const graph = graphOf(encoder)
  await saveModelFolder(
    target,
    async (folder) => {
      await write(folder)
      await mkdir(join(folder, FOLDER))
      const external: Record<string, number> = {}
      for (const dtype of dtypes) {
        const name = ONNX_NAMES[dtype]
        if (await writeGraph(join(folder, FOLDER, name), { encoder, graph, version }, dtype)) external[name] = 1
      }
      await completeFolder(folder, parts, external)
    },
    (path) => !isGraph(path) && isForeign(path),
  )
}

/** @throws SentenceTorchError ERR_NOT_IMPLEMENTED */
function graphOf(encoder: NativeEncoder): OnnxGraph {
  try {
    return encoder.graph()
  } catch (error) {
    throw fromNative(error, 'Encoder.graph')
  }
}

function isGraph(path: string): boolean {
  return Object.values(ONNX_NAMES).some((name) => path === `${FOLDER}/${name}` || path === `${FOLDER}/${name}_data`)
}

/** What transformers.js reads besides: files that a static model has not, and which graphs have a data file. */
async function completeFolder(folder: string, parts: OnnxParts, external: Record<string, number>): Promise<void> {
  const path = join(folder, 'config.json')
  const saved = await readConfig(path)
  if (saved === undefined || Object.keys(external).length > 0) {
    const config = saved ?? parts.config
    const isExternal = Object.keys(external).length > 0
    const own = { ...(config['transformers.js_config'] as ConfigObject), use_external_data_format: external }
    await writeFile(path, toJson(isExternal ? { ...config, 'transformers.js_config': own } : config))
  }
  const settings = join(folder, 'tokenizer_config.json')
  if ((await readConfig(settings)) === undefined) await writeFile(settings, toJson(parts.tokenizerConfig))
  if (saved !== undefined) return
  // A static model reads texts without special tokens, which other programs can be told only here.
  const tokenizer = join(folder, 'tokenizer.json')
  await writeFile(tokenizer, toJson({ ...(await readConfig(tokenizer)), post_processor: null }))
}
