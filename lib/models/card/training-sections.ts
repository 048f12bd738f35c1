/** Sections of a model card about training, in the words of sentence-transformers' template. */
import { SENTENCE_TRANSFORMERS } from './citations.js'
import type { ColumnFacts, DatasetFacts, EvaluatorFacts, LossFacts, TrainingFacts } from './facts.js'
import { durationText, floatText, indented, markdownTable, valueText } from './markdown.js'
import { descriptionOf } from './metadata.js'

/** Folder of the documentation that a kind of models has. */
export type DocsFolder = 'sentence_transformer' | 'cross_encoder' | 'sparse_encoder' | 'multi_vector_encoder'

const REFERENCE = 'https://sbert.net/docs/package_reference'
/** Rows that statistics are made of. */
export const MOST_ROWS = 100
/** With more datasets each can be folded. */
const MOST_OPEN = 3

export function evaluationSection(evaluators: readonly EvaluatorFacts[], docs: DocsFolder): string {
  if (evaluators.length === 0) return ''
  return `## Evaluation\n\n### Metrics\n\n${evaluators.map((evaluator) => evaluatorText(evaluator, docs)).join('\n')}\n`
}

function evaluatorText({ className, name, metrics, primary }: EvaluatorFacts, docs: DocsFolder): string {
  const bold = (text: string, metric: string) => (metric === primary ? `**${text}**` : text)
  const rows = Object.entries(metrics).map(([metric, value]) => [
    bold(metric, metric),
    bold(Number.isFinite(value) ? floatText(Number(value.toFixed(4))) : floatText(value), metric),
  ])
  const link = `${REFERENCE}/${docs}/evaluation.html#sentence_transformers.${docs}.evaluation.${className}`
  const dataset = name === '' ? '' : `* Dataset: \`${name}\`\n`
  return `#### ${descriptionOf(className)}

${dataset}* Evaluated with [<code>${className}</code>](${link})

${markdownTable(['Metric', 'Value'], rows)}
`
}

export function datasetSections(
  kind: 'training' | 'evaluation',
  datasets: readonly DatasetFacts[],
  docs: DocsFolder,
): string {
  if (datasets.length === 0) return ''
  const title = `### ${kind === 'training' ? 'Training' : 'Evaluation'} Dataset${datasets.length > 1 ? 's' : ''}`
  const texts = datasets.map((dataset) => {
    const text = datasetText(kind, dataset, docs)
    if (datasets.length <= MOST_OPEN) return text
    return `<details><summary>${dataset.name ?? 'Unnamed Dataset'}</summary>\n\n${text}</details>\n`
  })
  return `${title}\n\n${texts.join('\n')}\n`
}

function datasetText(kind: string, { name, size, columns, samples, loss }: DatasetFacts, docs: DocsFolder): string {
  const codes = columns.map((column) => `<code>${column.name}</code>`)
  const list = codes.length > 2 ? `${codes.slice(0, -1).join(', ')}, and ${codes.at(-1)}` : codes.join(' and ')
  const names = columns.map((column) => column.name)
  const cells = samples.map((row) => row.map((cell) => `<code>${cell}</code>`))
  return [
    `#### ${name ?? 'Unnamed Dataset'}\n`,
    ...(name === undefined ? [] : [`* Dataset: ${name}`]),
    ...(size === undefined ? [] : [`* Size: ${size.toLocaleString('en-US')} ${kind} samples`]),
    ...(columns.length > 0 ? [`* Columns: ${list}`] : []),
    ...(samples.length > 0
      ? [
          `* Approximate statistics based on the first ${Math.min(MOST_ROWS, size ?? MOST_ROWS)} samples:`,
          indented(statisticsTable(columns)),
          '* Samples:',
          indented(markdownTable(names, cells)),
        ]
      : []),
    lossText(loss, docs),
    '',
  ].join('\n')
}

function statisticsTable(columns: readonly ColumnFacts[]): string {
  const list = (entries: readonly string[]) =>
    entries.length === 0 ? '' : `<ul><li>${entries.join('</li><li>')}</li></ul>`
  return markdownTable(
    ['', ...columns.map(({ name }) => name)],
    [
      ['type', ...columns.map(({ type }) => type)],
      ['modality', ...columns.map(({ modality }) => modality)],
      ['details', ...columns.map(({ details }) => list(details))],
    ],
  )
}

function lossText({ name, options }: DatasetFacts['loss'], docs: DocsFolder): string {
  const link = `[<code>${name}</code>](${REFERENCE}/${docs}/losses.html#${name.toLowerCase()})`
  if (Object.keys(options).length === 0) return `* Loss: ${link}`
  const json = JSON.stringify(options, null, 4)
  return `* Loss: ${link} with these parameters:\n${indented(`\`\`\`json\n${json}\n\`\`\``)}`
}

export function hyperparameterSection({ hyperparameters, nonDefault }: TrainingFacts): string {
  const list = (values: Readonly<Record<string, unknown>>) =>
    Object.entries(values)
      .map(([name, value]) => `- \`${name}\`: ${valueText(value)}`)
      .join('\n')
  const changed =
    Object.keys(nonDefault).length > 0 ? `#### Non-Default Hyperparameters\n\n${list(nonDefault)}\n\n` : ''
  return `### Training Hyperparameters
${changed}#### All Hyperparameters
<details><summary>Click to expand</summary>

${list(hyperparameters)}

</details>
`
}

/** Source: `format_training_logs`. */
export function logSection({ logs, bestStep }: TrainingFacts): string {
  if (logs.length === 0) return ''
  const found = [...new Set(logs.flatMap((row) => Object.keys(row)))]
  const first = ['Epoch', 'Step', 'Training Loss', 'Validation Loss']
  const place = (key: string) => {
    if (first.includes(key)) return first.indexOf(key)
    return key.endsWith('loss') ? first.length : first.length + 1 + found.indexOf(key)
  }
  const keys = found.sort((a, b) => place(a) - place(b))
  const shown = (key: string, value: number | undefined) => {
    if (value === undefined) return '-'
    if (key === 'Step') return String(value)
    const text = floatText(value)
    return (text.split('.')[1]?.length ?? 0) > 4 ? value.toFixed(4) : text
  }
  const rows = logs.map((row) => {
    const isBest = row.Step === bestStep
    return keys.map((key) => (isBest ? `**${shown(key, row[key])}**` : shown(key, row[key])))
  })
  const table = markdownTable(keys, rows, true)
  return `### Training Logs\n${table}\n${bestStep === undefined ? '' : '\n* The bold row denotes the saved checkpoint.\n'}`
}

export function timeAndVersions({ seconds: { total, evaluation }, versions }: TrainingFacts): string {
  const times = [
    `- **Training**: ${durationText(total - evaluation)}`,
    ...(evaluation > 0 ? [`- **Evaluation**: ${durationText(evaluation)}`, `- **Total**: ${durationText(total)}`] : []),
  ]
  const lines = Object.entries(versions).map(([name, version]) => `- ${name}: ${version}`)
  return `### Training Time\n${times.join('\n')}\n\n### Framework Versions\n${lines.join('\n')}\n`
}

/** A citation for each paper, with the losses that stand on it. Source: `set_losses`. */
export function citationSection(losses: readonly LossFacts[]): string {
  const papers = new Map([[SENTENCE_TRANSFORMERS, ['Sentence Transformers']]])
  for (const { name, citation } of losses) {
    if (citation !== undefined) papers.set(citation, [...(papers.get(citation) ?? []), name])
  }
  const joined = (names: readonly string[]) =>
    names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names[0]
  const entries = [...papers].map(([citation, names]) => `#### ${joined(names)}\n\`\`\`bibtex\n${citation}\n\`\`\`\n`)
  return `## Citation\n\n### BibTeX\n\n${entries.join('\n')}`
}
