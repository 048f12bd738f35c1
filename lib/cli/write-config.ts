/** `sentence-torch init`: writes a config that says what was seen in the data. */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { stringify } from 'yaml'
import { SentenceTorchError } from '../errors.js'
import { writeFileAtomic } from '../io/atomic.js'
import { type ModelType, modelTypeOf } from '../models/model-type.js'
import { type Look, look } from '../recipes/look.js'
import { lossName } from '../recipes/make-loss.js'
import { textOf, type Values } from './command.js'
import type { Io } from './io.js'
import { tellBadRows } from './progress.js'

const MODEL = 'sentence-transformers/all-MiniLM-L6-v2'
/** Share of the rows that are held out, and fewest rows for it; with fewer a larger share, and then none. */
const SHARES = [
  [0.1, 200],
  [0.2, 40],
] as const

export async function writeConfig(values: Values, io: Io): Promise<number> {
  const [data] = values.words as [string]
  const name = basename(data).replace(/\.(jsonl|json|csv|tsv|parquet)(\.gz)?$/i, '')
  const output = textOf(values, 'output') ?? `${name}.yaml`
  if (existsSync(output) && !values.options.force)
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${output} is there already: --force writes over it, --output names another`,
    )
  const model = textOf(values, 'model') ?? MODEL
  const isPairs =
    values.options['cross-encoder'] || (existsSync(model) && (await modelTypeOf(model)) === 'cross-encoder')
  const type: ModelType = isPairs ? 'cross-encoder' : 'embedding'
  const found = await look(data, textOf(values, 'columns')?.split(','), { type, signal: io.signal })
  const text = configText(found, {
    ...{ data, output, model },
    outputDir: textOf(values, 'run-folder') ?? `runs/${name}`,
  })
  await writeFileAtomic(output, text)
  tellBadRows(found.badRows, io.err)
  const { rows, suggestion, leftOut } = found
  const loss = lossName(suggestion.loss)
  const left = leftOut.length === 0 ? '' : `; not taken: ${leftOut.join(', ')}`
  io.err(
    `${data}: ${rows.toLocaleString('en')} rows, ${suggestion.seen}: ${[loss, ...suggestion.others].join(' or ')}${left}\n`,
  )
  if (values.options.json) {
    const { seen, others } = suggestion
    io.out(`${JSON.stringify({ config: output, rows, seen, loss, others, leftOut, badRows: found.badRows.count })}\n`)
  } else io.out(`${output} is written; start with: npx sentence-torch train ${output}\n`)
  return 0
}

interface Places {
  data: string
  output: string
  model: string
  outputDir: string
}

function configText(
  { type, spec, rows, suggestion, leftOut }: Look,
  { data, output, model, outputDir }: Places,
): string {
  const { loss, others, seen } = suggestion
  const { path, ...more } = spec
  const isPairs = type === 'cross-encoder'
  const isUnmeasured = suggestion.kind === 'classes of pairs' && !isPairs
  const share = isUnmeasured ? undefined : SHARES.find(([, least]) => rows >= least)?.[0]
  const parts = [
    [
      `# Made by \`sentence-torch init ${data}\`: ${rows.toLocaleString('en')} rows, ${seen}.`,
      `# Start: npx sentence-torch train ${output}`,
      '# yaml-language-server: $schema=node_modules/sentence-torch/schema/config.schema.json',
    ],
    ['# The model to start from: a folder, or the id of a model of the Hugging Face hub.', yaml({ model })],
    ...(isPairs
      ? [
          [
            '# A cross-encoder: it reads two texts together. A model without a classifier gets a new one.',
            yaml({ modelType: type }),
          ],
        ]
      : []),
    ["# The run's folder: the trained model (in model), numbers before and after, the log.", yaml({ outputDir })],
    [
      '# The training rows. A loss takes the columns of texts in their order; the label is label, labels, score or scores.',
      ...(leftOut.length > 0 ? [`# Not taken: ${leftOut.join(', ')}.`] : []),
      yaml({ train: Object.keys(more).length === 0 ? path : spec }),
    ],
    [
      ...(others.length > 0 ? [`# For the same data: ${others.join(', ')} (docs/losses.md).`] : []),
      ...(!isPairs && suggestion.kind !== 'classes'
        ? [
            '# A cross-encoder reads both texts together: slower, and better at ranking and at classes of pairs. A config for one:',
            `# npx sentence-torch init ${data} --cross-encoder`,
          ]
        : []),
      yaml({ loss }),
    ],
    share === undefined
      ? [
          '# Nothing measures the model yet. With data of their own:',
          '# dev: { sts: dev.tsv }    # during training; or pairs, triplets, nli, beir, banking77',
          '# test: { sts: test.tsv }  # before and after',
        ]
      : [
          '# This share of the rows is held out: half measure the model during training, half before and after it.',
          '# With data of their own: dev: { sts: dev.tsv }, test: { sts: test.tsv }',
          yaml({ holdOut: share }),
        ],
    [
      '# Training arguments: docs/training.md.',
      yaml({ training: { numTrainEpochs: 1, perDeviceTrainBatchSize: batchSize(rows), learningRate: 2e-5 } }),
    ],
    ['# The same seed gives the same model.', yaml({ seed: 42 })],
  ]
  return parts.map((lines) => `${lines.map((line) => line.trimEnd()).join('\n')}\n`).join('\n')
}

/** Fewer rows in a batch where there would be next to no steps. */
function batchSize(rows: number): number {
  return rows >= 1000 ? 32 : rows >= 200 ? 16 : 8
}

function yaml(value: object): string {
  return stringify(value, { lineWidth: 120 })
}
