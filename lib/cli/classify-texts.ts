/** `sentence-torch classify`: texts pass the classifier group by group, and a JSON line of each comes out. */
import { TextClassifier } from '../classification/text-classifier.js'
import { inGroups, readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { writeFileAtomic } from '../io/atomic.js'
import { given, textOf, type Values } from './command.js'
import { checkApart } from './data-output.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { BadRows, Counter } from './progress.js'

/** Texts in memory: enough for the engine to sort them by length. */
const GROUP = 4096

export async function classifyTexts(values: Values, io: Io): Promise<number> {
  const [name, ...inputs] = values.words as [string, ...string[]]
  const output = textOf(values, 'output')
  checkApart(inputs, { '--output': output }, 'classify')
  const bad = new BadRows(values)
  const classifier = await TextClassifier.load(name, loadOptions(values, io))
  try {
    const counter = new Counter(io.err, 'texts')
    const all = values.options.probabilities === true
    const options = { ...given(values, { 'batch-size': 'batchSize' }), signal: io.signal }
    const run = async (write: (lines: string) => unknown) => {
      const source = { inputs, column: textOf(values, 'column'), stdin: io.stdin, onBadRow: bad.onBadRow }
      for await (const texts of inGroups(readAllTexts(source), GROUP)) {
        throwIfAborted(io.signal, 'Classifying')
        const found = await classifier.predictProba(texts, options)
        const lines = texts.map((text, row) => `${JSON.stringify(lineOf(classifier, text, found.row(row), all))}\n`)
        await write(lines.join(''))
        counter.add(texts.length)
      }
      if (counter.count > 0) return
      throw new SentenceTorchError('ERR_INVALID_DATA', `Expected texts in ${inputs.join(', ')}, found none${bad.hint}`)
    }
    if (output === undefined || output === '-') await run((lines) => io.out(lines))
    else await writeFileAtomic(output, (file) => run((lines) => file.write(lines)))
    bad.tell(io.err)
    counter.end(`→ ${output ?? 'stdout'}`)
    return 0
  } finally {
    await classifier.dispose()
  }
}

function lineOf({ labels }: TextClassifier, text: string, probabilities: Float32Array, all: boolean): object {
  const best = probabilities.reduce((top, value, k) => (value > probabilities[top]! ? k : top), 0)
  return {
    ...{ text, label: labels[best], probability: probabilities[best] },
    ...(all && { probabilities: Object.fromEntries(labels.map((label, k) => [label, probabilities[k]])) }),
  }
}
