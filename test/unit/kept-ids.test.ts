import test from 'ava'
import { IdBuffer } from '../../lib/data/id-buffer.js'
import { KeptIds } from '../../lib/data/kept-ids.js'

function filled(ids: readonly number[]): IdBuffer {
  const buffer = new IdBuffer(1)
  for (const id of ids) buffer.push(id)
  return buffer
}

function found(kept: KeptIds, text: string, start?: number, end?: number): number[] | undefined {
  const buffer = filled([7])
  if (!kept.append(buffer, text, start, end)) return undefined
  return buffer.from(1)
}

test('ids of parts of texts are found in other texts, however many they are', (t) => {
  const kept = new KeptIds()
  const ids = new Map([
    ['cat', [5]],
    ['cats', [5, 6]],
    ['', [8]],
    ['a', []],
    ['\u00e9t\u00e9', [0]],
    ['\ud83d\ude00', [1, 2, 3]],
    ['at', [-2]],
  ])
  for (const [part, own] of ids) {
    t.is(found(kept, part), undefined, part)
    kept.keep(filled([9, 9, ...own]), 2, `x${part}y`, 1, 1 + part.length)
  }
  for (const [part, own] of ids) {
    t.deepEqual(found(kept, part), own, part)
    t.deepEqual(found(kept, `see ${part}.`, 4, 4 + part.length), own, part)
  }
  for (const part of ['ca', 'c', 't', 'CAT', 'tac', '\ud83d', 'cats ']) t.is(found(kept, part), undefined, part)
})

test('long stretches are not kept, and of many the last ones are', (t) => {
  const kept = new KeptIds()
  const longest = 'x'.repeat(32)
  kept.keep(filled([1]), 0, longest)
  kept.keep(filled([2]), 0, `${longest}x`)
  t.deepEqual(found(kept, longest), [1])
  t.is(found(kept, `${longest}x`), undefined)
  const count = 200_000
  for (let i = 0; i < count; i++) {
    const part = i.toString(36)
    if (found(kept, part) !== undefined) t.fail(part)
    kept.keep(filled(i % 3 === 0 ? [i, i + 1] : [i]), 0, part)
    if (found(kept, part)![0] !== i) t.fail(part)
  }
  let known = 0
  for (let i = 0; i < count; i++) {
    const ids = found(kept, i.toString(36))
    if (ids === undefined) continue
    known++
    t.true(i >= count - 2 ** 16 && ids[0] === i)
  }
  t.true(known > 0 && known <= 2 ** 16)
})
