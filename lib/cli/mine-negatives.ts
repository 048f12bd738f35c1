/** `sentence-torch mine`: hard negatives for the pairs of a file. */
import { SentenceTorchError } from '../errors.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { loadData } from '../recipes/load-data.js'
import { mineHardNegatives } from '../search/hard-negatives/mine.js'
import type { MineHardNegativesOptions } from '../search/hard-negatives/options.js'
import { given, textOf, UsageError, type Values } from './command.js'
import { checkDataOutput } from './data-output.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { tellBadRows } from './progress.js'
import { readAllTexts } from './texts.js'

/** Options of the program and of `mineHardNegatives`. */
const NAMES = {
  ...{ negatives: 'numNegatives', format: 'outputFormat', scores: 'outputScores', sampling: 'samplingStrategy' },
  ...{ 'relative-margin': 'relativeMargin', 'absolute-margin': 'absoluteMargin', 'max-score': 'maxScore' },
  ...{ 'min-score': 'minScore', 'range-min': 'rangeMin', 'range-max': 'rangeMax', seed: 'seed' },
  'batch-size': 'batchSize',
}

export async function mineNegatives(values: Values, io: Io): Promise<number> {
  const [name, pairs] = values.words as [string, string]
  const output = checkDataOutput(textOf(values, 'output'), 'mine')
  const columns = textOf(values, 'columns')?.split(',')
  if (columns && columns.length !== 2)
    throw new UsageError('ERR_INVALID_ARGUMENT', '--columns takes two names, such as question,answer', 'mine')
  const { dataset } = await loadData(
    {
      path: pairs,
      ...(columns && { columns }),
      ...(values.options['skip-bad-rows'] === true && { skipBadRows: true }),
    },
    { signal: io.signal, where: 'mine', onBadRows: (bad) => tellBadRows(bad, io.err) },
  )
  const corpusFile = textOf(values, 'corpus')
  const corpus: string[] = []
  if (corpusFile !== undefined) {
    for await (const texts of readAllTexts({ inputs: [corpusFile], stdin: io.stdin }))
      for (const text of texts) corpus.push(text)
  }
  const model = await SentenceTransformer.load(name, loadOptions(values, io))
  const scorerName = textOf(values, 'cross-encoder')
  let scorer: CrossEncoder | undefined
  try {
    if (scorerName !== undefined) scorer = await CrossEncoder.load(scorerName, { signal: io.signal })
    const mined = await mineHardNegatives(dataset, model, {
      ...(given(values, NAMES) as MineHardNegativesOptions),
      ...(corpus.length > 0 && { corpus }),
      ...(scorer && { crossEncoder: scorer }),
      verbose: { write: io.err },
      signal: io.signal,
    })
    if (mined.length === 0) {
      const message = `No negative was found for the pairs of ${pairs}: widen the margins and limits, or raise --range-max`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
    await mined.toFile(output, { signal: io.signal })
    if (values.options.json) {
      io.out(`${JSON.stringify({ output, pairs: dataset.length, rows: mined.length, columns: mined.columnNames })}\n`)
    } else io.err(`${mined.length.toLocaleString('en')} rows (${mined.columnNames.join(', ')}) → ${output}\n`)
    return 0
  } finally {
    await scorer?.dispose()
    await model.dispose()
  }
}
