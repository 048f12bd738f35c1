import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { loadFailure } from '../../lib/native/load-failure.js'

/** A folder with an addon of this processor (ELF header), a boot addon and LibTorch. */
function installed(machine = process.arch === 'arm64' ? 183 : 62) {
  const folder = mkdtempSync(join(tmpdir(), 'load-failure-'))
  mkdirSync(join(folder, 'lib'))
  const header = Buffer.alloc(20)
  header.writeUInt32BE(0x7f454c46, 0)
  header.writeUInt16LE(machine, 18)
  const addonPath = join(folder, 'sentence_torch.node')
  const bootPath = join(folder, 'boot.node')
  writeFileSync(addonPath, header)
  writeFileSync(bootPath, header)
  return { cause: new Error('why'), addonPath, bootPath, libtorch: { path: folder, version: '2.13.0', variant: 'cpu' } }
}

test('says what was tried, found and helps', (t) => {
  const attempt = installed()
  const error = loadFailure(attempt)
  t.is(error.code, 'ERR_ADDON_LOAD')
  t.is(error.cause, attempt.cause)
  for (const part of ['why', attempt.addonPath, attempt.bootPath, '2.13.0, cpu, exists', 'npm rebuild sentence-torch'])
    t.true(error.message.includes(part), part)
})

test('an addon that was never built', (t) => {
  const cause = new Error("Cannot find module 'x'\nRequire stack:\n- y")
  const { message } = loadFailure({ ...installed(), cause, addonPath: '/nowhere/sentence_torch.node' })
  t.regex(message, /\/nowhere\/sentence_torch\.node \(missing\)/)
  t.regex(message, /was not built .*`npm rebuild sentence-torch`/)
  t.notRegex(message, /Require stack/)
})

test('LibTorch that was never found, or has gone', (t) => {
  const attempt = installed()
  t.regex(
    loadFailure({ ...attempt, libtorch: undefined }).message,
    /LibTorch: not found.*[\s\S]*SENTENCE_TORCH_LIBTORCH/,
  )
  const gone = { ...attempt.libtorch, path: join(attempt.libtorch.path, 'gone') }
  t.regex(
    loadFailure({ ...attempt, libtorch: gone }).message,
    /missing: it was moved or deleted[\s\S]*fetches LibTorch again/,
  )
})

test('an addon for another processor, or no addon at all', (t) => {
  const other = process.arch === 'arm64' ? 62 : 183
  t.regex(loadFailure(installed(other)).message, /built on another kind of machine/)
  const attempt = installed()
  writeFileSync(attempt.addonPath, 'text, and long enough to be read')
  t.regex(loadFailure(attempt).message, /not a shared library/)
})
