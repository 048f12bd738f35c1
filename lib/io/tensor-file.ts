import { openSafetensors } from './safetensors.js'
import { extensionOfShards, type TensorFile } from './tensor-files.js'

export { extensionOfShards, type TensorFile, WEIGHT_FILES } from './tensor-files.js'

/**
 * Opens weights in any format: a `.safetensors` file, a `.bin` file of torch.save, or the index of shards of either kind.
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_FILE naming file and tensor; ERR_UNSUPPORTED for a `.bin` that
 * holds more than tensors
 */
export async function openTensorFile(path: string): Promise<TensorFile> {
  if (!extensionOfShards(path).endsWith('.bin')) return openSafetensors(path)
  const { openTorchFile } = await import('./torch-file.js')
  return openTorchFile(path)
}
