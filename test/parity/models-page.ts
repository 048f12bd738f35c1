// docs/models.md: architectures, their options, and released models, from the golden files and from what their tests have measured.
// `npm run parity` writes it.
import { writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { moduleType } from '../../lib/models/modules/index.js'
import { ARCHITECTURES, BUILT, SEQ2SEQ, WITHOUT_CLASSIFIER } from './architecture-goldens.js'
import { KINDS, type Kind, RELEASED, type ReleasedModel } from './manifest/released-models.js'
import { newestSpeeds, SPEED_HEAD, type Speeds } from './models-speed.js'
import { figure, machine, readReports, tableOf } from './page.js'
import type { Measurement, Report } from './report.js'

const ROOT = new URL('../../../', import.meta.url)
export const MODELS_PAGE = new URL('docs/models.md', ROOT)

type Reports = Readonly<Record<string, Report>>

/** Cells that a test compares with the page, and cells of figures, which differ between machines. */
interface Row {
  cells: readonly string[]
  figures: (reports: Reports) => string[]
}

interface Table {
  title: string
  about: string
  head: readonly string[]
  rows: readonly Row[]
}

/** The fixture's file, where it is named after another architecture. */
const FIXTURES: Readonly<Record<string, string>> = {
  'deberta-v2': 'deberta_v2',
  'xlm-roberta': 'roberta',
  camembert: 'roberta',
  mt5: 't5',
}

const built = ARCHITECTURES.filter(({ architecture }) => BUILT.includes(architecture))
const code = (name: string) => `\`${name}\``
const names = (architecture: string) => (architecture === 'gte' ? '`gte`, `new`' : code(architecture))

function measured(
  reports: Reports,
  section: string,
  name: string,
  part: string,
): (Measurement & { cases: number }) | undefined {
  return reports[section]?.[name]?.[part]
}

/** @throws where the tests have measured nothing */
function needed(reports: Reports, architecture: string, part: string): string {
  const found = measured(reports, 'architectures', architecture, part)
  if (!found) throw new Error(`No figures of ${architecture}, ${part}: run test/parity/architectures.test.ts`)
  return figure({ ...found, part: '' })
}

const PARTS = ['embeddings', 'gradient', 'embeddings, float64', 'gradient, float64', '1 - cosine, bfloat16']

const architectures: Table = {
  title: 'Architectures',
  about: 'By the `model_type` of config.json.',
  head: [
    '`model_type`',
    'Fixture',
    'Embeddings',
    'Gradients',
    'Embeddings, float64',
    'Gradients, float64',
    'bfloat16: 1 − cosine',
  ],
  rows: built.map(({ architecture }) => {
    const fixture = `${FIXTURES[architecture] ?? architecture}.py`
    return {
      cells: [names(architecture), `[${fixture}](../test/parity/architectures/${fixture})`],
      figures: (reports) => PARTS.map((part) => needed(reports, architecture, part)),
    }
  }),
}

const options: Table = {
  title: 'Options',
  about: 'What changes numbers. Each row is a tiny model with random weights.',
  head: ['`model_type`', 'Options', 'Embeddings'],
  rows: built.flatMap(({ architecture, setups }) =>
    Object.values(setups).map(({ covers, optional }) => {
      const figures = (reports: Reports) => {
        const found = measured(reports, 'architecture-options', architecture, covers)
        if (!found && !optional) throw new Error(`No figures of ${architecture}: ${covers}`)
        return [found ? figure({ ...found, part: '' }) : 'refused by name']
      }
      return { cells: [names(architecture), covers], figures }
    }),
  ),
}

/** Heads of a kind that the tests have measured; the others are not built. */
function headRows(kind: 'classifiers' | 'masked', name: string, first: string): Row[] {
  return built.flatMap(({ architecture, ...all }) => {
    const covers = Object.values(all[kind]).map((head) => head.covers)
    if (covers.length === 0) return []
    const figures = (reports: Reports) => {
      const parts = [first, 'gradient'].map((part) =>
        measured(reports, 'architecture-heads', `${architecture}, ${name}`, part),
      )
      return parts.map((found) => (found ? figure({ ...found, part: '' }) : 'not built'))
    }
    return [{ cells: [names(architecture), covers.join('; ')], figures }]
  })
}

const classifiers: Table = {
  title: 'Classifiers',
  about: 'The heads of cross-encoders, read and written in the layout of transformers.',
  head: ['`model_type`', 'Head', 'Logits', 'Gradients'],
  rows: headRows('classifiers', 'classifier', 'logits'),
}

const masked: Table = {
  title: 'Masked language models',
  about:
    'The heads that `MaskedLanguageModelLoss` reads from a checkpoint and trains. `DenoisingAutoEncoderLoss` takes that of a BERT.',
  head: ['`model_type`', 'Head', 'Loss', 'Gradients'],
  rows: headRows('masked', 'masked', 'loss'),
}

const seq2seq: Table = {
  title: 'Encoder-decoder models',
  about:
    "The mean cross-entropy of target texts and the gradients of all tensors, the encoder's among them (`test/parity/make_seq2seq.py`).",
  head: ['`model_type`', 'Options', 'Loss', 'Gradients', 'Loss, float64', 'Gradients, float64'],
  rows: [...new Set(SEQ2SEQ.map(({ config }) => config.model_type as string))].map((architecture) => {
    const all = SEQ2SEQ.filter(({ config }) => config.model_type === architecture)
    const figures = (reports: Reports) =>
      ['loss', 'gradient', 'loss, float64', 'gradient, float64'].map((part) => {
        const found = measured(reports, 'seq2seq', architecture, part)
        if (!found) throw new Error(`No figures of ${architecture}, ${part}: run test/parity/seq2seq.test.ts`)
        return figure({ ...found, part: '' })
      })
    return { cells: [names(architecture), all.map(({ covers }) => covers).join('; ')], figures }
  }),
}

/** Why a released model does not open; undefined where it does. */
export function obstacle({ kind, architecture, modules }: ReleasedModel): string | undefined {
  if (architecture !== 'static' && !BUILT.includes(architecture)) return `the architecture ${architecture} is not built`
  if (kind === 'cross-encoder') {
    if (WITHOUT_CLASSIFIER.includes(architecture)) return `${architecture} has no classifier`
    const other = modules.find((name) => name !== 'classifier' && name !== 'LogitScore')
    return other && `the head ${other} is not built`
  }
  const missing = modules.find((name) => !(name === MASKED_HEAD ? isMasked(architecture) : isModule(name)))
  return missing && `the module ${missing} is not built`
}

/** Modules that the list of models names by what they do. */
const MASKED_HEAD = 'MLM head'
const ON_TOKENS = / on tokens$/

const isMasked = (name: string) =>
  built.some(({ architecture, masked }) => architecture === name && Object.keys(masked).length > 0)

function isModule(name: string): boolean {
  // Its folder is read by itself, as it has modules inside.
  if (name === 'Router') return true
  try {
    return moduleType(`sentence_transformers.models.${name.replace(ON_TOKENS, '')}`, 'modules.json') !== undefined
  } catch {
    return false
  }
}

const opened = RELEASED.filter((model) => obstacle(model) === undefined)
const none = () => []

const released: Table = {
  title: 'Released models',
  about:
    `Of ${RELEASED.length} models on the hub that people use, ${opened.length} open. This is judged by their architecture and modules; ` +
    'not all of them were downloaded.',
  head: ['`model_type`', 'Embeddings', 'Cross-encoders', 'Sparse', 'Multi-vector'],
  rows: [...new Set(opened.map(({ architecture }) => architecture))].map((architecture) => {
    const list = (kind: Kind) =>
      opened
        .flatMap((model) => (model.architecture === architecture && model.kind === kind ? [model.name] : []))
        .join(', ') || '–'
    return { cells: [names(architecture), ...KINDS.map(list)], figures: none }
  }),
}

const others: Table = {
  title: 'Models that do not open yet',
  about: 'Each is refused by name.',
  head: ['Model', 'Kind', 'Why'],
  rows: RELEASED.flatMap((model) => {
    const why = obstacle(model)
    return why === undefined ? [] : [{ cells: [model.name, model.kind, why], figures: none }]
  }),
}

function speedTable({ processor, isProcessorTime, cells }: Speeds): Table {
  const clock = isProcessorTime ? ', in processor time of all threads' : ''
  return {
    title: 'Speed',
    about:
      `Base shapes with random weights on ${processor}, STS sentences in batches of 32: sentences a second, or milliseconds a training ` +
      `step${clock}; how many times as fast as Python in the same run; and the share of the floor ([bench](../bench/README.md)).`,
    head: ['`model_type`', ...SPEED_HEAD],
    rows: [...cells].map(([architecture, speeds]) => ({ cells: [names(architecture), ...speeds], figures: none })),
  }
}

const speeds = newestSpeeds()

export const TABLES: readonly Table[] = [
  ...[architectures, options, classifiers, masked, seq2seq],
  ...(speeds ? [speedTable(speeds)] : []),
  ...[released, others],
]

const ABOUT = `Which models load, and how close their numbers are to those of transformers. Deviations are written as in [parity.md](parity.md):
\`0.12 of 1e-5\` is a deviation of 1.2e-6 where a test allows 1e-5; numbers of comparisons are in brackets. Expected values come from transformers
in float64 (\`test/parity/make_architectures.py\`).

This page is generated from [the golden files](../test/parity/golden/architectures) and from what the tests have measured. A new architecture
gets its rows from its fixture. Fresh figures:

\`\`\`sh
npm run build:ts && npx ava 'dist/test/parity/{architecture*,seq2seq}.test.js' && node dist/test/parity/models-page.js
\`\`\``

export function renderModels(tables: readonly Table[], reports: Reports, measuredOn: string): string {
  const parts = tables.map(({ title, about, head, rows }) => {
    const lines = rows.map(({ cells, figures }) => [...cells, ...figures(reports)])
    return `## ${title}\n\n${about}\n\n${tableOf(head, lines)}`
  })
  return `${['# Models', `Measured on ${measuredOn}.`, ABOUT, ...parts].join('\n\n')}\n`
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(MODELS_PAGE, renderModels(TABLES, readReports(), machine()))
}
