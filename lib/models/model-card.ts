import { basename, resolve } from 'node:path'
import type { FullCard } from './card/full-card.js'

/** What a model card tells. */
export interface ModelCard {
  /** Folder that the model is saved to; its name is the title. */
  target: string
  /** Hub id of the model that was fine-tuned, if known. */
  baseModel?: string
  maxSeqLength: number
  embeddingDimension: number
  similarityFnName: string
  /** One line per module. */
  modules: readonly string[]
  /** Of this package. */
  version: string
  /** What a training tells, for the card of a model that was trained here. */
  full?: FullCard | undefined
}

/** README.md of a model that was trained here. Its YAML needs a library, which a process that only encodes does not load. */
export async function fullModelCard(card: FullCard): Promise<string> {
  const { fullCard } = await import('./card/full-card.js')
  return fullCard(card)
}

/** README.md of a saved model: the metadata that the Hugging Face hub reads, and how to use the model from Node and Python. */
export function modelCard(card: ModelCard): string {
  const name = basename(resolve(card.target))
  const base = card.baseModel
  const metadata = [
    'tags:',
    ...['sentence-transformers', 'sentence-similarity', 'feature-extraction', 'dense'].map((tag) => `- ${tag}`),
    ...(base ? [`base_model: ${base}`] : []),
    'pipeline_tag: sentence-similarity',
    'library_name: sentence-transformers',
  ]
  const origin = base ? `fine-tuned from [${base}](https://huggingface.co/${base})` : 'trained'
  return `---
${metadata.join('\n')}
---

# ${name}

This is a [sentence-transformers](https://www.sbert.net) model ${origin} with sentence-torch ${card.version}. It maps texts to
vectors of ${card.embeddingDimension} dimensions, for semantic search, clustering, classification and the like.

- **Maximum sequence length:** ${card.maxSeqLength} tokens
- **Output dimensionality:** ${card.embeddingDimension}
- **Similarity function:** ${card.similarityFnName}
- **Modules:** ${card.modules.join(' → ')}

## Usage

Node (\`npm install sentence-torch\`):

\`\`\`js
import { SentenceTransformer } from 'sentence-torch'

const model = await SentenceTransformer.load('path/to/${name}')
const embeddings = await model.encode(['The weather is lovely today.', "It's so sunny outside!"])
const similarities = model.similarity(embeddings, embeddings)
\`\`\`

Python (\`pip install sentence-transformers\`):

\`\`\`python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/${name}")
embeddings = model.encode(["The weather is lovely today.", "It's so sunny outside!"])
similarities = model.similarity(embeddings, embeddings)
\`\`\`
`
}
