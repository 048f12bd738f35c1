// `node test/install/arm64.mjs`: the addon that packaging/build-arm64.mjs built, in npm's Node for linux-arm64 under qemu-user:
// load, encode, three steps of training, with the losses of this machine. For a release; takes minutes.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildFolder, packageRoot } from '../../install/system.mjs'
import { arm64Node, builtAddon, compareWithHere } from './emulated.mjs'

const build = join(packageRoot, 'build-arm64')
const addon = builtAddon(build)
const here = process.env.SENTENCE_TORCH_ADDON ?? builtAddon(buildFolder())
const work = mkdtempSync(join(tmpdir(), 'sentence-torch-arm64-'))
try {
  const node = addon ? arm64Node(work) : { missing: `there is no addon in ${build} (node packaging/build-arm64.mjs)` }
  const missing = 'missing' in node ? node.missing : here ? '' : `there is no addon in ${buildFolder()} to compare with`
  if (missing) console.log(`arm64: skipped, ${missing}`)
  else {
    // Of the folder that it was built with; what the loader finds beside an addon is for this machine's processor.
    const { path: libtorch } = JSON.parse(readFileSync(join(build, 'libtorch.json'), 'utf8'))
    const { passed } = await compareWithHere({ words: node.words, addon, libtorch, here })
    console.log(`arm64: ${passed ? '1 passed, 0 failed' : '0 passed, 1 failed'}`)
    if (!passed) process.exitCode = 1
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
