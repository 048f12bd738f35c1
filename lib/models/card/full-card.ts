/** README.md of a model that was trained here: the sections of sentence-transformers 6.2's card, with usage from Node before Python. */
import type { TrainingFacts } from './facts.js'
import { type CardKind, metadataText, modelName } from './metadata.js'
import {
  citationSection,
  type DocsFolder,
  datasetSections,
  evaluationSection,
  hyperparameterSection,
  logSection,
  timeAndVersions,
} from './training-sections.js'

export interface FullCard {
  kind: CardKind & {
    /** `Sentence Transformer`. */
    title: string
    docs: DocsFolder
    /** The sentence after the origin. */
    introduction(origin: string): string
    /** Lines of the description of the model, after its longest text. */
    description: readonly string[]
    sources: readonly string[]
    resources: readonly string[]
    /** Code that uses the model, by language. */
    usage(examples: readonly (readonly string[])[]): { node: string; python: string }
  }
  baseModel: string | undefined
  maxSeqLength: number
  /** The modules, as Python prints them. */
  modelText: string
  training: TrainingFacts
}

export function fullCard({ kind, baseModel, maxSeqLength, modelText, training }: FullCard): string {
  const names = training.train.flatMap(({ name }) => name ?? [])
  const origin = `${baseModel === undefined ? 'trained' : `finetuned from [${baseModel}](https://huggingface.co/${baseModel})`}${datasetNames(names)}`
  const { node, python } = kind.usage(training.examples)
  const base =
    baseModel === undefined
      ? '<!-- - **Base model:** [Unknown](https://huggingface.co/unknown) -->'
      : `- **Base model:** [${baseModel}](https://huggingface.co/${baseModel})`
  const datasets =
    names.length === 0
      ? '<!-- - **Training Dataset:** Unknown -->'
      : `- **Training Dataset${names.length > 1 ? 's' : ''}:**\n${names.map((name) => `    - ${name}`).join('\n')}`
  return `---
${metadataText(kind, baseModel, training)}
---

# ${modelName(kind, baseModel)}

${kind.introduction(origin)}

## Model Details

### Model Description
- **Model Type:** ${kind.title}
${base}
- **Maximum Sequence Length:** ${maxSeqLength} tokens
${kind.description.join('\n')}
- **Supported Modality:** Text
${datasets}
<!-- - **Language:** Unknown -->
<!-- - **License:** Unknown -->

### Model Sources

${kind.sources.join('\n')}

### Full Model Architecture

\`\`\`
${modelText}
\`\`\`

## Usage

### Direct Usage (sentence-torch, Node)

\`\`\`bash
npm install sentence-torch
\`\`\`

\`\`\`js
${node}
\`\`\`

### Direct Usage (Sentence Transformers)

First install the Sentence Transformers library:

\`\`\`bash
pip install -U sentence-transformers
\`\`\`

Then you can load this model and run inference.

\`\`\`python
${python}
\`\`\`

${evaluationSection(training.evaluators, kind.docs)}
## Training Details

${datasetSections('training', training.train, kind.docs)}
${datasetSections('evaluation', training.evaluation, kind.docs)}
${hyperparameterSection(training)}
${logSection(training)}
${timeAndVersions(training)}
${kind.resources.length === 0 ? '' : `## Additional Resources\n\n${kind.resources.join('\n')}\n`}
${citationSection(training.losses)}`.replace(/\n{3,}/g, '\n\n')
}

function datasetNames(names: readonly string[]): string {
  if (names.length === 0) return ''
  const list = names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names[0]!
  const what = names.join(', ').length > 200 ? String(names.length) : `the ${list}`
  return ` on ${what} dataset${names.length > 1 ? 's' : ''}`
}
