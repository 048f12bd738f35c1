// Long runs of combining marks: equal to the engine's own normal forms, in time by their number.
import test from 'ava'
import { normalForm } from '../../lib/data/tokenizer/forms.js'
import { orderLongRuns } from '../../lib/data/tokenizer/mark-order.js'

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const

/** Every mark that the engine knows, and letters that decompose to some. */
const MARKS = Array.from({ length: 0x20000 }, (_, i) => i)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter((char) => /[\p{M}\uff9e\uff9f]/u.test(char))

/** Marks in an order that is the same in every run. */
function shuffled(marks: readonly string[], seed: number): string {
  let state = seed
  const keys = marks.map(() => {
    state = (state * 1103515245 + 12345) % 2 ** 31
    return state
  })
  const order = marks.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]!)
  return order.map((i) => marks[i]).join('')
}

test('long runs have the normal forms that the engine gives them', (t) => {
  const moving = MARKS.filter(
    (mark) =>
      mark.normalize('NFD') === mark &&
      (`${mark}\u0334`.normalize('NFD') !== `${mark}\u0334` || `\u0345${mark}`.normalize('NFD') !== `\u0345${mark}`),
  )
  t.true(moving.length > 500)
  const texts = [
    `a${shuffled(MARKS, 1)}`,
    `a${shuffled(moving, 2)}b${shuffled(moving, 3)}`,
    `é${shuffled(moving.slice(0, 100), 4)}`,
    'ｶ\uff9e\u0316'.repeat(3) + '\uff9e\u0316'.repeat(50),
    `\u1100${'\u0344\u0f73\u0f75\u0f81\u0316'.repeat(30)}`,
    'o\u0328\u0304'.repeat(50),
    `o${'\u0304\u0328'.repeat(50)}`,
  ]
  for (const text of texts) {
    for (const form of FORMS) t.true(orderLongRuns(text, form).normalize(form) === text.normalize(form), form)
  }
  t.not(orderLongRuns(texts[6]!, 'NFD'), texts[6])
})

test('a run of 400,000 marks takes no square of time', (t) => {
  const marks = 200_000
  const start = performance.now()
  const found = normalForm(`a${'\u0301\u0316'.repeat(marks)}`, 'NFD')
  // The engine alone takes minutes.
  t.true(performance.now() - start < 20_000)
  t.true(found === `a${'\u0316'.repeat(marks)}${'\u0301'.repeat(marks)}`)
})
