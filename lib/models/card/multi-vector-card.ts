import type { MultiVectorSettings } from '../multi-vector/folder.js'
import type { FullCard } from './full-card.js'
import { codeList } from './markdown.js'

const SIMILARITIES = { maxsim: 'MaxSim', meanmaxsim: 'MeanMaxSim' }
const EXAMPLES = [
  'Which planet is known as the Red Planet?',
  "Venus is often called Earth's twin because of its similar size and proximity.",
  'Mars, known for its reddish appearance, is often referred to as the Red Planet.',
  'Saturn, famous for its rings, is sometimes mistaken for the Red Planet.',
]

/** The parts of a card that all models with a vector for each token have. */
export function multiVectorKind(
  width: number,
  { similarityFnName, queryExpansion, queryLength, documentLength }: MultiVectorSettings,
  target: string,
): FullCard['kind'] {
  const queries = queryExpansion?.strategy === 'fixed' ? queryExpansion.length : queryLength
  return {
    className: 'Multi-Vector Encoder',
    title: 'Multi-Vector Encoder',
    docs: 'multi_vector_encoder',
    tags: ['sentence-transformers', 'multi-vector', 'colbert', 'late-interaction'],
    pipelineTag: 'feature-extraction',
    introduction: (origin) =>
      `This is a [Multi-Vector Encoder](https://www.sbert.net/docs/multi_vector_encoder/usage/usage.html) model ${origin} using the [sentence-transformers](https://www.SBERT.net) library. It maps inputs to sequences of ${width}-dimensional token-level vectors and scores them with late interaction (MaxSim), useful for semantic search with late interaction.`,
    description: [
      ...(queries === null ? [] : [`    - **Maximum Query Length:** ${queries} tokens`]),
      ...(documentLength === null ? [] : [`    - **Maximum Document Length:** ${documentLength} tokens`]),
      `- **Output Dimensionality:** ${width} dimensions`,
      `- **Similarity Function:** ${SIMILARITIES[similarityFnName ?? 'maxsim']}`,
    ],
    sources: [
      '- **Documentation:** [Sentence Transformers Documentation](https://sbert.net)',
      '- **Documentation:** [Multi-Vector Encoder Documentation](https://www.sbert.net/docs/multi_vector_encoder/usage/usage.html)',
      '- **Repository:** [Sentence Transformers on GitHub](https://github.com/huggingface/sentence-transformers)',
      '- **Hugging Face:** [Multi-Vector Encoders on Hugging Face](https://huggingface.co/models?library=sentence-transformers&other=multi-vector)',
    ],
    resources: [],
    usage: (examples) => {
      const [query = EXAMPLES[0]!, ...rest] = (examples.at(-1) ?? EXAMPLES).slice(0, 4)
      const documents = rest.length > 0 ? rest : [query]
      return {
        node: `import { MultiVectorEncoder } from 'sentence-torch'

const model = await MultiVectorEncoder.load(${JSON.stringify(target)})
const queries = [
  ${JSON.stringify(query)},
]
const documents = [
${documents.map((text) => `  ${JSON.stringify(text)},`).join('\n')}
]
const queryEmbeddings = await model.encodeQuery(queries)
const documentEmbeddings = await model.encodeDocument(documents)

// Get the MaxSim similarity scores
const similarities = await model.similarity(queryEmbeddings, documentEmbeddings)
console.log(similarities.shape) // [1, ${documents.length}]`,
        python: `from sentence_transformers import MultiVectorEncoder

# Load the saved folder, or download from the 🤗 Hub
model = MultiVectorEncoder(${JSON.stringify(target)})
# Run inference: each input becomes a sequence of per-token vectors (variable length).
queries = [
${codeList([query])}
]
documents = [
${codeList(documents)}
]
query_embeddings = model.encode_query(queries)
document_embeddings = model.encode_document(documents)
print(query_embeddings[0].shape, document_embeddings[0].shape)
# (num_query_tokens, ${width}) (num_document_tokens, ${width})

# Get the MaxSim similarity scores
similarities = model.similarity(query_embeddings, document_embeddings)
print(similarities.shape)
# [1, ${documents.length}]`,
      }
    },
  }
}
