/** `sentence-torch label`: a cross-encoder scores the pairs of a file. */
import { Dataset } from '../data/dataset.js'
import { listed } from '../data/readers/names.js'
import { SentenceTorchError } from '../errors.js'
import { CrossEncoder, type Pair } from '../models/cross-encoder.js'
import { loadData } from '../recipes/load-data.js'
import { given, textOf, type Values } from './command.js'
import { checkDataOutput } from './data-output.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { Counter, tellBadRows } from './progress.js'

/** Pairs that are scored between two lines of progress. */
const GROUP = 4096

export async function labelPairs(values: Values, io: Io): Promise<number> {
  const [name, path] = values.words as [string, string]
  const output = checkDataOutput(textOf(values, 'output'), 'label')
  const columns = textOf(values, 'columns')?.split(',')
  const { dataset } = await loadData(
    { path, ...(columns && { columns }), ...(values.options['skip-bad-rows'] === true && { skipBadRows: true }) },
    { signal: io.signal, where: 'label', onBadRows: (bad) => tellBadRows(bad, io.err) },
  )
  const texts = dataset.textColumns.filter((column) => dataset.columnKind(column) === 'text').slice(0, 2)
  if (texts.length < 2) {
    const message = `Expected two columns of texts in ${path}, found ${listed(dataset.columnNames)}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const column = textOf(values, 'name') ?? 'score'
  if (texts.includes(column))
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `--name ${column} is a column of texts: name another`)
  const { maxSeqLength, ...load } = loadOptions(values, io)
  const model = await CrossEncoder.load(name, {
    ...load,
    ...(maxSeqLength !== undefined && { maxLength: maxSeqLength }),
  })
  try {
    const counter = new Counter(io.err, 'pairs')
    const [first, second] = texts.map((text) => dataset.texts(text)) as [readonly string[], readonly string[]]
    const labels: (number | number[])[] = []
    for (let start = 0; start < dataset.length; start += GROUP) {
      const pairs = first.slice(start, start + GROUP).map((text, i): Pair => [text, second[start + i]!])
      const options = given(values, { activation: 'activation', 'batch-size': 'batchSize' })
      const { data } = await model.predict(pairs, { ...options, signal: io.signal })
      const width = model.numLabels
      for (let i = 0; i < pairs.length; i++)
        labels.push(width === 1 ? data[i]! : Array.from(data.subarray(i * width, (i + 1) * width)))
      counter.add(pairs.length)
    }
    const labelled = Dataset.fromColumns({ [texts[0]!]: first, [texts[1]!]: second, [column]: labels })
    await labelled.toFile(output, { signal: io.signal })
    if (values.options.json) io.out(`${JSON.stringify({ output, rows: labelled.length, seconds: counter.seconds })}\n`)
    else counter.end(`→ ${output}`)
    return 0
  } finally {
    await model.dispose()
  }
}
