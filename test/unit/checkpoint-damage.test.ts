// A damaged trainer_state.json is refused with file and key, whatever of it is damaged.
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { EarlyStoppingCallback } from '../../lib/training/callbacks/early-stopping.js'
import { readCheckpoint } from '../../lib/training/checkpoint/resume.js'
import { FakeEngine, prepare } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

const args = { saveStrategy: 'steps', saveSteps: 3, loggingSteps: 1 } as const

/** A whole trainer_state.json. */
async function whole(t: ExecutionContext): Promise<{ folder: string; text: string }> {
  const outputDir = await temporaryFolder(t)
  const engine = new FakeEngine()
  engine.components = { part: 1 }
  const miniBatches = [{ miniBatchRows: 2 }]
  await prepare({ ...args, outputDir, maxSteps: 3 }, { engine, parts: { miniBatches } }).train()
  const folder = join(outputDir, 'checkpoint-3')
  return { folder, text: readFileSync(join(folder, 'trainer_state.json'), 'utf8') }
}

/** Every place in a value: how it is written in messages, and how to get there. */
function places(
  value: Json,
  key: string,
  path: (string | number)[] = [],
): { key: string; path: (string | number)[] }[] {
  if (typeof value !== 'object' || value === null) return [{ key, path }]
  const members = Array.isArray(value)
    ? value.map((member, i) => places(member, `${key}[${i}]`, [...path, i]))
    : Object.entries(value).map(([name, member]) => places(member, `${key}.${name}`, [...path, name]))
  return [{ key, path }, ...members.flat()]
}

function withValue(text: string, path: (string | number)[], value: Json | undefined): string {
  const state = JSON.parse(text)
  let at = state
  for (const part of path.slice(0, -1)) at = at[part]
  if (value === undefined) delete at[path.at(-1)!]
  else at[path.at(-1)!] = value
  return JSON.stringify(state)
}

/** What the checkpoint is read as. */
async function read(t: ExecutionContext, text: string) {
  const folder = join(await temporaryFolder(t), 'checkpoint-3')
  mkdirSync(folder)
  writeFileSync(join(folder, 'trainer_state.json'), text)
  return readCheckpoint(folder, resolveArguments(args)).then(
    ({ own }) => ({ own, error: undefined }),
    (error: { code?: string; message: string }) => ({ own: undefined, error }),
  )
}

test('every field that is read is checked, and a damaged one is named', async (t) => {
  const { text } = await whole(t)
  const state = JSON.parse(text)
  const own = ['stateful_callbacks', 'sentence_torch']
  const block = state.stateful_callbacks.sentence_torch
  const all = [
    ...places(state.log_history[0], 'log_history[0]', ['log_history', 0]),
    ...places(block, own.join('.'), own),
  ].filter(({ key }) => !/\.args\.|\.format$/.test(key))
  t.true(all.length > 40)
  const named = { position: 0, counters: 0, losses: 0, state: 0, miniBatch: 0 }
  for (const { key, path } of all) {
    for (const [kind, wrong] of [
      ['a text', 'x'],
      ['a number', -1.5],
      ['an array', [{}]],
      ['an object', { x: [] }],
      ['true', true],
      ['nothing', undefined],
    ] as const) {
      // As saveOnlyModel leaves it.
      if (key.endsWith('.counters') && wrong === undefined) continue
      const { own: found, error } = await read(t, withValue(text, path, wrong as Json | undefined))
      if (error === undefined) {
        // What was read can be gone on from.
        const again = prepare({ ...args, outputDir: 'nowhere', maxSteps: 4 }, { resume: found! })
        t.true(Number.isSafeInteger(again.run.state.globalStep), `${key}: ${kind}`)
        continue
      }
      t.is(error.code, 'ERR_INVALID_FILE', `${key}: ${kind}: ${error.message}`)
      t.true(error.message.includes('trainer_state.json'), error.message)
      if (key === own.join('.')) continue
      t.true(error.message.includes(key), `${key}: ${kind}: ${error.message}`)
      for (const name of Object.keys(named) as (keyof typeof named)[]) if (key.includes(name)) named[name]++
    }
  }
  // Of each part most of the damages are found; the rest is what may be absent.
  t.true(named.position >= 15 && named.counters >= 5 && named.losses >= 50 && named.state >= 40 && named.miniBatch >= 5)
})

test('what is no JSON at all, too deep, or cut off', async (t) => {
  const { text } = await whole(t)
  const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  for (const damaged of ['', '{', 'null', '[]', '"x"', text.slice(0, text.length / 2), deep, '\ufeff\0', '{}']) {
    const { error } = await read(t, damaged)
    t.is(error?.code, 'ERR_INVALID_FILE', damaged.slice(0, 20))
    t.true(error!.message.includes('trainer_state.json'))
  }
})

test('the state of callbacks of this package is checked, too', (t) => {
  const callback = new EarlyStoppingCallback()
  callback.loadState({ args: {}, attributes: { early_stopping_patience_counter: 2 } })
  t.is(callback.earlyStoppingPatienceCounter, 2)
  const states: Json[] = [null, 'x', {}, { attributes: {} }, { attributes: { early_stopping_patience_counter: -1 } }]
  for (const damaged of states) {
    t.throws(() => callback.loadState(damaged), { code: 'ERR_INVALID_FILE', message: /trainer_state\.json/ })
  }
})

test('a folder where the file should be', async (t) => {
  const folder = join(await temporaryFolder(t), 'checkpoint-3')
  mkdirSync(join(folder, 'trainer_state.json'), { recursive: true })
  await t.throwsAsync(readCheckpoint(folder, resolveArguments(args)), {
    code: 'ERR_INVALID_FILE',
    message: /Expected a file, found the folder .*trainer_state\.json/,
  })
})

test('a file that is too long, and what is no file, are not waited for', async (t) => {
  const folder = join(await temporaryFolder(t), 'checkpoint-3')
  mkdirSync(folder)
  const path = join(folder, 'trainer_state.json')
  const read = () => readCheckpoint(folder, resolveArguments(args))
  writeFileSync(path, '{')
  truncateSync(path, 3 * 2 ** 30)
  await t.throwsAsync(read(), { code: 'ERR_INVALID_FILE', message: /at most 268435456 bytes in .*found 3221225472/ })
  rmSync(path)
  symlinkSync('/dev/zero', path)
  await t.throwsAsync(read(), {
    code: 'ERR_INVALID_FILE',
    message: /Expected a file, found the device .*trainer_state/,
  })
})
