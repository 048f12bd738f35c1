import type { Metric } from '../../native/types.js'
import type { FullCard } from './full-card.js'
import { codeList } from './markdown.js'

export const SIMILARITIES: Record<Metric, string> = {
  ...{ cosine: 'Cosine Similarity', dot: 'Dot Product', euclidean: 'Euclidean Distance' },
  manhattan: 'Manhattan Distance',
}
const EXAMPLES = ['The weather is lovely today.', "It's so sunny outside!", 'He drove to the stadium.']
const TASKS = 'semantic textual similarity, semantic search, paraphrase mining, classification, clustering, and more'

/** The parts of a card that all models of sentence embeddings have. */
export function sentenceTransformerKind(width: number, similarity: Metric, target: string): FullCard['kind'] {
  return {
    className: 'SentenceTransformer',
    title: 'Sentence Transformer',
    docs: 'sentence_transformer',
    tags: ['sentence-transformers', 'sentence-similarity', 'feature-extraction', 'dense'],
    pipelineTag: 'sentence-similarity',
    introduction: (origin) =>
      `This is a [sentence-transformers](https://www.SBERT.net) model ${origin}. It maps inputs to a ${width}-dimensional dense vector space and can be used for ${TASKS}.`,
    description: [
      `- **Output Dimensionality:** ${width} dimensions`,
      `- **Similarity Function:** ${SIMILARITIES[similarity]}`,
    ],
    sources: [
      '- **Documentation:** [Sentence Transformers Documentation](https://sbert.net)',
      '- **Repository:** [Sentence Transformers on GitHub](https://github.com/huggingface/sentence-transformers)',
      '- **Hugging Face:** [Sentence Transformers on Hugging Face](https://huggingface.co/models?library=sentence-transformers)',
    ],
    resources: [
      '- [Training and Finetuning Embedding Models with Sentence Transformers](https://huggingface.co/blog/train-sentence-transformers): the end-to-end guide for training or finetuning Sentence Transformer models.',
      '- [Introduction to Matryoshka Embedding Models](https://huggingface.co/blog/matryoshka): variable-size embeddings that can be truncated with minimal quality loss.',
      '- [Binary and Scalar Embedding Quantization for Significantly Faster & Cheaper Retrieval](https://huggingface.co/blog/embedding-quantization): post-training compression of embedding vectors.',
    ],
    usage: (examples) => {
      const texts = (examples.at(-1) ?? EXAMPLES).slice(0, 3)
      const [count, list] = [texts.length, codeList(texts)]
      return {
        node: `import { SentenceTransformer } from 'sentence-torch'

const model = await SentenceTransformer.load(${JSON.stringify(target)})
const sentences = [
${texts.map((text) => `  ${JSON.stringify(text)},`).join('\n')}
]
const embeddings = await model.encode(sentences)
console.log(embeddings.shape) // [${count}, ${width}]

// The similarity scores of the embeddings
const similarities = model.similarity(embeddings, embeddings)
console.log(similarities.shape) // [${count}, ${count}]`,
        python: `from sentence_transformers import SentenceTransformer

# Load the saved folder, or download from the 🤗 Hub
model = SentenceTransformer(${JSON.stringify(target)})
# Run inference
sentences = [
${list}
]
embeddings = model.encode(sentences)
print(embeddings.shape)
# [${count}, ${width}]

# Get the similarity scores for the embeddings
similarities = model.similarity(embeddings, embeddings)
print(similarities.shape)
# [${count}, ${count}]`,
      }
    },
  }
}
