import type { Metric } from '../../native/types.js'
import type { SparseFolder } from '../sparse-folder.js'
import type { FullCard } from './full-card.js'
import { codeList } from './markdown.js'
import { SIMILARITIES } from './sentence-transformer-card.js'

const EXAMPLES = ['The weather is lovely today.', "It's so sunny outside!", 'He drove to the stadium.']
const TASK = 'semantic search and sparse retrieval'

/** What modules make of a sparse encoder, in the order of its name. Source: `register_model`. */
const WORDS = {
  Router: 'Asymmetric',
  SparseStaticEmbedding: 'Inference-free',
  SpladePooling: 'SPLADE',
  SparseAutoEncoder: 'CSR',
} as const

/** What the modules of a model say of it: `Inference-free`, `SPLADE`. */
export function sparseWords({ router, ...plain }: Pick<SparseFolder, 'first' | 'modules' | 'router'>): string[] {
  const networks = router?.networks ?? [plain]
  const types = networks.flatMap(({ first, modules }): string[] => [first, ...modules.map(({ type }) => type)])
  if (router) types.push('Router')
  return Object.entries(WORDS).flatMap(([type, word]) => (types.includes(type) ? [word] : []))
}

/** What the card tells of a model. */
interface SparseFacts {
  readonly embeddingDimension: number
  readonly similarityFnName: Metric
  readonly maxActiveDims: number | null
}

/** The parts of a card that all sparse encoders have. @param words {@link sparseWords} of the model */
export function sparseEncoderKind(
  { embeddingDimension: width, similarityFnName, maxActiveDims }: SparseFacts,
  words: readonly string[],
  target: string,
): FullCard['kind'] {
  const title = [...words, 'Sparse Encoder'].join(' ')
  const dims = words.includes('CSR') ? ` with ${maxActiveDims} maximum active dimensions` : ''
  const active = maxActiveDims === null ? '' : ` (trained with ${maxActiveDims} maximum active dimensions)`
  return {
    className: title,
    title,
    docs: 'sparse_encoder',
    tags: ['sentence-transformers', 'sparse-encoder', 'sparse', ...words.map((word) => word.toLowerCase())],
    pipelineTag: 'feature-extraction',
    introduction: (origin) =>
      `This is a [${title}](https://www.sbert.net/docs/sparse_encoder/usage/usage.html) model ${origin} using the [sentence-transformers](https://www.SBERT.net) library. It maps inputs to a ${width}-dimensional sparse vector space${dims} and can be used for ${TASK}.`,
    description: [
      `- **Output Dimensionality:** ${width} dimensions${active}`,
      `- **Similarity Function:** ${SIMILARITIES[similarityFnName]}`,
    ],
    sources: [
      '- **Documentation:** [Sentence Transformers Documentation](https://sbert.net)',
      '- **Documentation:** [Sparse Encoder Documentation](https://www.sbert.net/docs/sparse_encoder/usage/usage.html)',
      '- **Repository:** [Sentence Transformers on GitHub](https://github.com/huggingface/sentence-transformers)',
      '- **Hugging Face:** [Sparse Encoders on Hugging Face](https://huggingface.co/models?library=sentence-transformers&other=sparse-encoder)',
    ],
    resources: [
      '- [Training and Finetuning Sparse Embedding Models with Sentence Transformers](https://huggingface.co/blog/train-sparse-encoder): the end-to-end guide for training or finetuning SPLADE and other sparse encoder models.',
    ],
    usage: (examples) => {
      const texts = (examples.at(-1) ?? EXAMPLES).slice(0, 3)
      const [count, list] = [texts.length, codeList(texts)]
      return {
        node: `import { SparseEncoder } from 'sentence-torch'

const model = await SparseEncoder.load(${JSON.stringify(target)})
const sentences = [
${texts.map((text) => `  ${JSON.stringify(text)},`).join('\n')}
]
const embeddings = await model.encode(sentences)
console.log(embeddings.length, embeddings.dimension) // ${count} ${width}

// The similarity scores of the embeddings
const similarities = model.similarity(embeddings, embeddings)
console.log(similarities.shape) // [${count}, ${count}]`,
        python: `from sentence_transformers import SparseEncoder

# Load the saved folder, or download from the 🤗 Hub
model = SparseEncoder(${JSON.stringify(target)})
# Run inference
sentences = [
${list}
]
embeddings = model.encode(sentences)
print(embeddings.shape)
# [${count}, ${width}]

# Get the similarity scores for the embeddings
similarities = model.similarity(embeddings, embeddings)
print(similarities)`,
      }
    },
  }
}
