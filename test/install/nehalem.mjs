// `node test/install/nehalem.mjs [addon]`: the oldest processor that is promised, Intel's Nehalem of 2008 (SSE4.2, no AVX), under
// qemu-user: load, encode, three steps of training, with the losses of this machine. For a release; takes minutes.
import { join } from 'node:path'
import { buildFolder } from '../../install/system.mjs'
import { builtAddon, compareWithHere, onPath } from './emulated.mjs'

const addon = process.argv[2] ?? process.env.SENTENCE_TORCH_ADDON ?? builtAddon(buildFolder())
const missing =
  process.platform !== 'linux' || process.arch !== 'x64'
    ? 'it is for Linux on x64'
    : !onPath('qemu-x86_64')
      ? 'qemu-x86_64 was not found (apt-get install qemu-user)'
      : addon
        ? ''
        : `there is no addon in ${join(buildFolder(), 'Release')} (npm run build:native)`
if (missing) console.log(`nehalem: skipped, ${missing}`)
else {
  const { passed } = await compareWithHere({
    words: ['qemu-x86_64', '-cpu', 'Nehalem', process.execPath],
    addon,
    here: addon,
  })
  console.log(`nehalem: ${passed ? '1 passed, 0 failed' : '0 passed, 1 failed'}`)
  if (!passed) process.exitCode = 1
}
