// Ends with 77 where the processor lacks the kernels that SENTENCE_TORCH_CPU names, as the native tests do.
import { loadAddon } from '../../dist/lib/native/load.js'

try {
  loadAddon().runtime()
} catch (error) {
  if (!error.message.includes('which this processor lacks')) throw error
  process.exitCode = 77
}
