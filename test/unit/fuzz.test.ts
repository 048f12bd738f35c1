import { join } from 'node:path'
import test from 'ava'
import { fuzz, Prober } from '../fuzz/campaign.js'
import { type Case, changedFiles, type Json, jsonText, withMember } from '../fuzz/case.js'
import type { Finding } from '../fuzz/judge.js'
import { minimise } from '../fuzz/minimise.js'
import { Random } from '../fuzz/random.js'
import { targetOf } from '../fuzz/targets/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'

test('the same seed and number give the same case, others give others', async (t) => {
  for (const name of ['safetensors', 'torch', 'tokenizer', 'dataset', 'parquet', 'hub']) {
    const target = await targetOf(name)
    await (name === 'tokenizer' ? target.open?.('') : undefined)
    const text = (seed: number, index: number) => JSON.stringify(target.make(Random.of(name, seed, index)))
    const all = Array.from({ length: 200 }, (_, i) => text(1, i))
    t.deepEqual(
      Array.from({ length: 200 }, (_, i) => text(1, i)),
      all,
    )
    t.true(new Set(all).size > 150, name)
    t.notDeepEqual(
      Array.from({ length: 200 }, (_, i) => text(2, i)),
      all,
    )
  }
})

test('edits of files', (t) => {
  const base = { a: { x: [1, 2], y: { z: 'w' } }, b: Buffer.from('hello') }
  const edit = (edits: Case['edits']) =>
    Object.fromEntries(
      [...changedFiles(base, edits)].map(([name, bytes]) => [name, bytes && Buffer.from(bytes).toString()]),
    )
  t.deepEqual(edit([]), {})
  t.deepEqual(edit([{ file: 'a', at: ['x', 1], set: 7 }]), { a: '{"y":{"z":"w"},"x":[1,7]}' })
  t.deepEqual(
    edit([
      { file: 'a', at: ['x', 0], drop: true },
      { file: 'a', at: ['y'], drop: true },
    ]),
    { a: '{"x":[2]}' },
  )
  t.deepEqual(edit([{ file: 'b', byte: 1, cut: 2, put: '\xff' }]), { b: 'h\ufffdlo' })
  t.deepEqual(
    edit([
      { file: 'b', text: null },
      { file: 'c', text: 'new' },
    ]),
    { b: null, c: 'new' },
  )
  // Edits that do not fit leave a case as it is.
  t.deepEqual(edit([{ file: 'a', at: ['x', 9], set: 1 }]), { a: '{"y":{"z":"w"},"x":[1,2]}' })
  t.deepEqual(edit([{} as never, { file: 'b', byte: 'x', cut: 1, put: '' } as never]), { b: 'hello' })
})

test('values that JSON.stringify does not write', (t) => {
  const value = withMember({ a: 1 }, ['__proto__'], { set: { b: 2 } })
  t.is(jsonText(value), '{"a":1,"__proto__":{"b":2}}')
  t.is(jsonText([{ $raw: '1e999' }, { $many: [{ $raw: '-0' }, 2] }, { $deep: 2 }]), '[1e999,[-0,-0],[[]]]')
  t.is(
    jsonText({ a: { $keys: 2 }, b: { $deepObject: 1 }, c: { $long: ['é', 2] } }),
    '{"a":{"k0":0,"k1":1},"b":{"a":1},"c":"éé"}',
  )
  t.is(jsonText({ $deep: -1 }), 'null')
})

test('a case becomes as small as it can be', async (t) => {
  const big: Json = { noise: ['a', { deep: [1, 2, 3] }], list: [5, 'needle in a haystack', 9], number: 1000 }
  const found = await minimise({ base: 'b', edits: [], plan: big }, async ({ plan }) => {
    const { list, number } = (plan ?? {}) as { list?: Json[]; number?: number }
    return JSON.stringify(list ?? '').includes('needle') && Number(number) > 10
  })
  t.deepEqual(found, { base: 'b', plan: { list: ['needle'], number: 15 } } as never)
})

for (const [fault, kind, message] of [
  ['crash', 'crash', /SIGSEGV/],
  ['loop', 'hang', /hangs/],
  ['wait', 'hang', /hangs/],
  ['raw', 'raw', /TypeError: Cannot read properties of undefined/],
  ['bad', 'bad', /a fact/],
  ['late', 'raw', /nobody waited for this error: Error: nobody waits/],
  ['memory', 'memory', /memory grew by 4\d\d MB/],
  ['prototype', 'bad', /Object\.prototype has got the member polluted/],
] as const) {
  test.serial(`the fuzzer finds: ${fault}`, async (t) => {
    const prober = new Prober('harness', 1)
    t.teardown(() => prober.stop())
    const outcome = (await prober.probe({ base: 'none', edits: [], plan: { fault } })) as Finding
    t.is(outcome.kind, kind)
    t.regex(outcome.message, message)
  })
}

test.serial('a run counts, finds once, and goes on where it ended', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await fuzz('harness', { seed: 3, seconds: 2, resume: false, folder })
  t.is(first.findings.length, 1)
  t.deepEqual(first.findings[0]!.smallest, { base: 'none', plan: { fault: 'raw' } } as never)
  const total = Object.values(first.counts).reduce((sum, count) => sum + count, 0)
  t.is(total, first.next)
  const second = await fuzz('harness', { seed: 3, seconds: 1, resume: true, folder: join(folder) })
  t.true(second.next > first.next)
  t.is(second.findings.length, 1)
  t.true(second.findings[0]!.times > first.findings[0]!.times)
})
