/** `sentence-torch evaluate`: data are read and checked before the model is loaded. */
import { basename } from 'node:path'
import { throwIfAborted } from '../io/abort.js'
import { makeFolder } from '../io/files.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { resolveModel } from '../models/hub.js'
import { modelTypeOf, textClassOf } from '../models/model-type.js'
import {
  EVALUATION_KINDS,
  type EvaluationKind,
  type EvaluationSpec,
  loadEvaluator,
  loadEvaluatorOf,
  loadPairEvaluator,
  specOf,
} from '../recipes/evaluation-spec.js'
import type { RecipeEvaluator } from '../recipes/model-kind.js'
import { numberOf, textOf, textsOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { tellBadRows } from './progress.js'
import { loadTextModel } from './text-model.js'

export async function evaluateModel(values: Values, io: Io): Promise<number> {
  const [name] = values.words as [string]
  const on = textsOf(values, 'on')
  if (on.length === 0)
    throw new UsageError('ERR_INVALID_ARGUMENT', 'evaluate needs data: --on <file or folder>', 'evaluate')
  const options = {
    signal: io.signal,
    onBadRows: (bad: { count: number; first: readonly string[] }) => tellBadRows(bad, io.err),
  }
  const specs: EvaluationSpec[] = []
  for (const text of on) specs.push(await evaluationSpec(text, values, io))
  if (textOf(values, 'cross-encoder') !== undefined) {
    const { evaluateReranking } = await import('./rerank-evaluation.js')
    return evaluateReranking(specs, on, values, io)
  }
  const idle = (['top-k', 'all-pairs'] as const).find((one) => values.options[one] !== undefined)
  if (idle !== undefined)
    throw new UsageError('ERR_INVALID_ARGUMENT', `evaluate: --${idle} is for --cross-encoder`, 'evaluate')
  const { maxSeqLength, ...load } = loadOptions(values, io)
  const { device: _, dtype: __, ...source } = load
  const { path } = await resolveModel(name, source)
  const isPairs = (await modelTypeOf(path)) === 'cross-encoder'
  const own = isPairs ? 'CrossEncoder' : await textClassOf(path)
  const dim = numberOf(values, 'truncate-dim')
  if (own !== 'SentenceTransformer' && dim !== undefined)
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      `--truncate-dim is for dense embeddings, and ${name} is a ${own === 'CrossEncoder' ? 'cross-encoder' : own}`,
      'evaluate',
    )
  const evaluators: RecipeEvaluator[] = []
  for (const each of specs) {
    const given = { ...options, where: '--on' }
    if (own === 'CrossEncoder') evaluators.push(await loadPairEvaluator(each, given))
    else if (own === 'SentenceTransformer') evaluators.push(await loadEvaluator(each, given))
    else evaluators.push(await loadEvaluatorOf(own, each, given))
  }
  const output = textOf(values, 'output')
  if (output !== undefined) await makeFolder(output)
  const model = isPairs
    ? await CrossEncoder.load(name, { ...load, ...(maxSeqLength !== undefined && { maxLength: maxSeqLength }) })
    : await loadTextModel(name, {
        ...load,
        ...(maxSeqLength !== undefined && { maxSeqLength }),
        ...(dim !== undefined && { truncateDim: dim }),
      })
  try {
    const results: Record<string, unknown>[] = []
    for (const [i, evaluator] of evaluators.entries()) {
      throwIfAborted(io.signal, 'The evaluation')
      const context = { signal: io.signal, ...(output !== undefined && { outputPath: output }) }
      const { metrics, primaryMetric } = await evaluator.evaluate(model as never, context)
      const { name: own, ...data } = specs[i]!
      results.push({ data: on[i], kind: Object.keys(data)[0], primaryMetric, score: metrics[primaryMetric], metrics })
      if (!values.options.json) io.out(shown(on[i]!, metrics, primaryMetric))
    }
    if (values.options.json) io.out(`${JSON.stringify({ model: name, results }, null, 2)}\n`)
    return 0
  } finally {
    await model.dispose()
  }
}

/** What `--on` means. */
export async function evaluationSpec(text: string, values: Values, io: Io): Promise<EvaluationSpec> {
  const columns = textOf(values, 'columns')?.split(',')
  const data = { ...(columns && { columns }), ...(values.options['skip-bad-rows'] === true && { skipBadRows: true }) }
  const at = text.indexOf('=')
  const kind = EVALUATION_KINDS.find((one) => one === text.slice(0, Math.max(at, 0)))
  const path = kind === undefined ? text : text.slice(at + 1)
  const found = kind === undefined ? await specOf(path, data, { signal: io.signal }) : specFor(kind, path, data)
  return { ...found, name: basename(path).replace(/\..*$/, '') }
}

function specFor(kind: EvaluationKind, path: string, data: object): EvaluationSpec {
  return kind === 'beir' || kind === 'banking77' ? { [kind]: path } : { [kind]: { ...data, path } }
}

function shown(data: string, metrics: Readonly<Record<string, number>>, primary: string): string {
  const width = Math.max(...Object.keys(metrics).map((name) => name.length))
  const rows = Object.entries(metrics).map(([name, value]) => {
    return `${name === primary ? '* ' : '  '}${name.padEnd(width)}  ${value.toFixed(4)}`
  })
  return `${data}\n${rows.join('\n')}\n`
}
