import { similarityMatrix } from '../../models/similarity.js'
import { embed } from '../embed.js'
import { empty } from '../errors.js'
import { listOf, object, optional, text } from '../fields.js'
import { model, promptName, truncate, truncationDirection } from '../inputs.js'
import { checkBatchSize } from '../prepare.js'
import { json, post } from '../route.js'

const NO_PARAMETERS = { truncate: undefined, truncation_direction: undefined, prompt_name: undefined }

/** Source: text-embeddings-inference `similarity`. */
export const similarityRoute = post({
  method: 'POST',
  path: '/similarity',
  tag: 'Text Embeddings Inference',
  summary: 'Cosine similarities of a sentence with others',
  fields: {
    inputs: object({ source_sentence: text, sentences: listOf(text, 'an array of strings') }),
    model,
    parameters: optional(
      object({ truncate, truncation_direction: truncationDirection, prompt_name: promptName }),
      NO_PARAMETERS,
    ),
  },
  example: {
    inputs: { source_sentence: 'What is Deep Learning?', sentences: ['What is Machine Learning?', 'It rains.'] },
  },
  answer: { description: 'A number for each sentence', schema: { type: 'array', items: { type: 'number' } } },
  async handle(call, { inputs, model, parameters }) {
    const { source_sentence: source, sentences } = inputs
    if (sentences.length === 0) throw empty('inputs.sentences')
    // Checked here, since the source counts, too.
    checkBatchSize(sentences.length + 1, call.service.settings.maxClientBatchSize)
    const { data, shape } = await embed(call, {
      inputs: { items: [source, ...sentences], isSingle: false },
      name: 'inputs',
      model,
      cutting: { truncate: parameters.truncate, direction: parameters.truncation_direction },
      promptName: parameters.prompt_name,
      normalize: false,
    })
    const [, width] = shape
    const others = { data: data.subarray(width), shape: [sentences.length, width] as [number, number] }
    return json([...similarityMatrix('cosine', data.subarray(0, width), others).data])
  },
})
