/** `sentence-torch merge`: models of folders or of the hub into a folder. */
import { SentenceTorchError } from '../errors.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { resolveModel } from '../models/hub.js'
import type { MergeMethodName } from '../models/merging/methods.js'
import type { MergeOptions } from '../models/merging/options.js'
import type { MergeParameters } from '../models/merging/parameters.js'
import { textClassOf } from '../models/model-type.js'
import { MultiVectorEncoder } from '../models/multi-vector-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { given, textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { isCrossEncoder } from './model-kind.js'
import { loadOptions } from './model-options.js'

export async function mergeFolders(values: Values, io: Io): Promise<number> {
  const outputPath = textOf(values, 'output')
  if (outputPath === undefined) throw misuse('merge needs --output with a folder')
  const { words } = values
  const method = (textOf(values, 'method') ?? 'linear') as MergeMethodName
  const source = loadOptions(values, io)
  const begin = performance.now()
  const kind = await kindOf(words[0]!, source)
  const base = textOf(values, 'base')
  const { dtype, ...others } = source
  const options: MergeOptions<never> = {
    ...others,
    ...given(values, { dtype: 'dtype', 'out-dtype': 'outDtype' }),
    ...(base !== undefined && { baseModel: base }),
    ...{ parameters: parametersOf(values), outputPath },
  }
  const model = await kind.merge([...words], method, options)
  await model.dispose()
  const seconds = Math.round((performance.now() - begin) / 10) / 100
  const report = { output: outputPath, kind: kind.name, method, models: words, ...(base && { base }), seconds }
  if (values.options.json) io.out(`${JSON.stringify(report)}\n`)
  else io.err(`${words.length} models, ${method} → ${outputPath} (${seconds} s)\n`)
  return 0
}

/** The class of the first model, which the others have to have. @throws SentenceTorchError ERR_NOT_IMPLEMENTED */
async function kindOf(name: string, source: ReturnType<typeof loadOptions>) {
  if (await isCrossEncoder(name, source)) return CrossEncoder
  const { device: _, dtype: __, maxSeqLength: ___, similarityFnName: ____, ...from } = source
  const { path } = await resolveModel(name, from)
  const named = await textClassOf(path)
  if (named === 'SparseEncoder')
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${name} is a SparseEncoder; merging those is not built yet`)
  return named === 'MultiVectorEncoder' ? MultiVectorEncoder : SentenceTransformer
}

function parametersOf(values: Values): MergeParameters {
  const normalize = textOf(values, 'normalize')
  return {
    ...given(values, { t: 't', lambda: 'lambda', rescale: 'rescale', 'filter-wise': 'filterWise' }),
    ...numbersOf(values, 'weight'),
    ...numbersOf(values, 'density'),
    ...(normalize !== undefined && { normalize: normalize === 'true' }),
  }
}

/** One number, or several with commas between them. */
function numbersOf(values: Values, name: 'weight' | 'density'): MergeParameters {
  const text = textOf(values, name)
  if (text === undefined) return {}
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (!numbers.every(Number.isFinite))
    throw misuse(`--${name} takes numbers such as 0.6,0.4, not ${JSON.stringify(text)}`)
  return { [name]: numbers.length === 1 ? numbers[0]! : numbers }
}

function misuse(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message, 'merge')
}
