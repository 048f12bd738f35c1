import { SentenceTorchError } from '../errors.js'

/** Makes one model.safetensors of files that torch can load, also of shards. */
const CONVERSION =
  'python -c "import glob, torch, safetensors.torch as s; s.save_file({k: v.clone().contiguous() ' +
  "for f in glob.glob('pytorch_model*.bin') for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}, " +
  "'model.safetensors', {'format': 'pt'})\""

/** The error for a file of weights that cannot be read here, with a command that converts it. */
export function unsupportedTorchFile(path: string, what: string): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_UNSUPPORTED',
    `${path} ${what}. Python converts weights, in their folder: ${CONVERSION}`,
  )
}
