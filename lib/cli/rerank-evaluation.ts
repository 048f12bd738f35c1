/** `sentence-torch evaluate --cross-encoder`: retrieval by a bi-encoder, a cross-encoder, and both. */
import { loadBeir } from '../evaluation/beir.js'
import { type RetrieveAndRerankResult, retrieveAndRerank } from '../evaluation/retrieve-and-rerank.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import type { EvaluationSpec } from '../recipes/evaluation-spec.js'
import { numberOf, textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions, pairLoadOptions } from './model-options.js'

/** @param on what the specs were called */
export async function evaluateReranking(
  specs: readonly EvaluationSpec[],
  on: readonly string[],
  values: Values,
  io: Io,
): Promise<number> {
  const stray = (['columns', 'output', 'skip-bad-rows', 'truncate-dim'] as const).find(
    (name) => values.options[name] !== undefined,
  )
  if (stray !== undefined) throw misuse(`--${stray} has no effect with --cross-encoder`)
  const wrong = specs.findIndex(({ beir }) => beir === undefined)
  if (wrong !== -1) throw misuse(`--cross-encoder needs folders in the BEIR layout, not ${on[wrong]}`)
  const data = []
  for (const { beir } of specs) data.push(await loadBeir(beir!))
  const [name] = values.words as [string]
  const other = textOf(values, 'cross-encoder')!
  await using biEncoder = await SentenceTransformer.load(name, loadOptions(values, io))
  await using crossEncoder = await CrossEncoder.load(other, pairLoadOptions(values, io))
  const results: object[] = []
  for (const [i, set] of data.entries()) {
    const topK = numberOf(values, 'top-k')
    const allPairs = values.options['all-pairs'] === true
    const given = { biEncoder, crossEncoder, ...set, allPairs, signal: io.signal }
    const found = await retrieveAndRerank({ ...given, ...(topK !== undefined && { topK }) })
    if (!values.options.json) io.out(shown(on[i]!, found))
    const methods = found.methods.map(({ rankings: _, ...method }) => method)
    results.push({ data: on[i], kind: 'beir', ...found, methods })
  }
  if (values.options.json) io.out(`${JSON.stringify({ model: name, crossEncoder: other, results }, null, 2)}\n`)
  return 0
}

function shown(data: string, { methods, queries, documents, corpusSeconds }: RetrieveAndRerankResult): string {
  const names = Object.keys(methods[0]!.metrics)
  const head = ['', ...names, 'ms a query', 'pairs scored']
  const rows = methods.map(({ method, metrics, millisecondsPerQuery, pairs }) => [
    method,
    ...names.map((metric) => metrics[metric]!.toFixed(4)),
    ...[millisecondsPerQuery.toFixed(1), pairs.toLocaleString('en')],
  ])
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)))
  const lines = [head, ...rows].map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  )
  const about = `${data}: ${queries} queries, ${documents} documents, embedded in ${corpusSeconds.toFixed(1)} s`
  return `${about}\n${lines.join('\n')}\n`
}

function misuse(what: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', `evaluate: ${what}`, 'evaluate')
}
