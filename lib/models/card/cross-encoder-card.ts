import type { FullCard } from './full-card.js'
import { textRepr } from './markdown.js'

const EXAMPLES = [
  ['How many calories in an egg', 'There are on average between 55 and 80 calories in an egg depending on its size.'],
  [
    'How many calories in an egg',
    'Egg whites are very low in calories, have no fat, no cholesterol, and are loaded with protein.',
  ],
  ['How many calories in an egg', 'Most of the calories in an egg come from the yellow yolk in the center.'],
]

/** The parts of a card that all cross-encoders have. */
export function crossEncoderKind(labels: number, target: string): FullCard['kind'] {
  const isRanker = labels === 1
  const task = isRanker ? 'text reranking and semantic search' : 'text pair classification'
  return {
    className: 'CrossEncoder',
    title: 'Cross Encoder',
    docs: 'cross_encoder',
    tags: ['sentence-transformers', 'cross-encoder', 'reranker'],
    pipelineTag: isRanker ? 'text-ranking' : 'text-classification',
    introduction: (origin) =>
      `This is a [Cross Encoder](https://www.sbert.net/docs/cross_encoder/usage/usage.html) model ${origin} using the [sentence-transformers](https://www.SBERT.net) library. It computes scores for pairs of texts, which can be used for ${task}.`,
    description: [`- **Number of Output Labels:** ${labels} label${labels > 1 ? 's' : ''}`],
    sources: [
      '- **Documentation:** [Sentence Transformers Documentation](https://sbert.net)',
      '- **Documentation:** [Cross Encoder Documentation](https://www.sbert.net/docs/cross_encoder/usage/usage.html)',
      '- **Repository:** [Sentence Transformers on GitHub](https://github.com/huggingface/sentence-transformers)',
      '- **Hugging Face:** [Cross Encoders on Hugging Face](https://huggingface.co/models?library=sentence-transformers&other=cross-encoder)',
    ],
    resources: [
      '- [Training and Finetuning Reranker Models with Sentence Transformers](https://huggingface.co/blog/train-reranker): the end-to-end guide for training or finetuning Cross Encoder (reranker) models.',
    ],
    usage: (examples) => {
      const pairs = (examples.length > 0 ? examples : EXAMPLES).map((texts) => texts.slice(0, 2))
      const shape = isRanker ? `(${pairs.length},)` : `(${pairs.length}, ${labels})`
      return {
        node: `import { CrossEncoder } from 'sentence-torch'

const model = await CrossEncoder.load(${JSON.stringify(target)})
const pairs = [
${pairs.map((pair) => `  [${pair.map((text) => JSON.stringify(text)).join(', ')}],`).join('\n')}
]
const scores = await model.predict(pairs)
console.log(scores)`,
        python: `from sentence_transformers import CrossEncoder

# Load the saved folder, or download from the 🤗 Hub
model = CrossEncoder(${JSON.stringify(target)})
# Get scores for pairs of inputs
pairs = [
${pairs.map((pair) => `    [${pair.map(textRepr).join(', ')}],`).join('\n')}
]
scores = model.predict(pairs)
print(scores.shape)
# ${shape}${isRanker ? rankText(pairs) : ''}`,
      }
    },
  }
}

function rankText(pairs: readonly (readonly string[])[]): string {
  return `

# Or rank different texts based on similarity to a single text
ranks = model.rank(
    ${textRepr(pairs[0]![0]!)},
    [
${pairs.map(([, document]) => `        ${textRepr(document!)},`).join('\n')}
    ]
)
# [{'corpus_id': ..., 'score': ...}, {'corpus_id': ..., 'score': ...}, ...]`
}
