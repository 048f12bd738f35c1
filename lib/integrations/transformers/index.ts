/**
 * sentence-torch/transformers: `pipeline('feature-extraction', …)` as @huggingface/transformers has it. See docs/integrations.md.
 */
import { invalidArgument } from '../../errors.js'
import { type FeatureExtractionPipeline, featureExtraction } from './feature-extraction.js'
import { checkTask, type PipelineOptions } from './options.js'

export type { FeatureExtractionOptions, FeatureExtractionPipeline } from './feature-extraction.js'
export type { PipelineOptions, ProgressInfo } from './options.js'
export { type NestedNumbers, type Slice, Tensor, type TensorData, type TensorType } from './tensor.js'

/** As transformers.js has it, from where its weights were exported. */
const DEFAULT_MODEL = 'sentence-transformers/all-MiniLM-L6-v2'

/**
 * Loads a transformer for embeddings.
 *
 * ```ts
 * const extractor = await pipeline('feature-extraction', 'sentence-transformers/all-MiniLM-L6-v2')
 * const output = await extractor('This is a simple test.', { pooling: 'mean', normalize: true })
 * output.tolist()   // [[0.06…, …]], as dims [1, 384] say
 * ```
 * @param model a folder, or a hub id with weights in safetensors or PyTorch's format
 * Source: @huggingface/transformers `pipeline`.
 * @throws SentenceTorchError ERR_NOT_IMPLEMENTED for other tasks, and for options about ONNX files; as `SentenceTransformer.load`
 */
export async function pipeline(
  task: 'feature-extraction' | 'embeddings',
  model: string | null = null,
  options: PipelineOptions = {},
): Promise<FeatureExtractionPipeline> {
  checkTask(task)
  if (model !== null && typeof model !== 'string') throw invalidArgument('model', 'a folder or a hub id', model)
  return featureExtraction(model ?? DEFAULT_MODEL, options)
}
