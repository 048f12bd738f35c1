// The kinds of options: what they take, what they say of other values, what stands for an absent one.
import test from 'ava'
import {
  choice,
  flag,
  integer,
  type Kind,
  needed,
  nullable,
  number,
  type OptionTable,
  optionValues,
  positive,
  text,
} from '../../lib/options/kinds.js'

const kinds: [kind: Kind, fine: unknown[], wrong: unknown[], expected: string][] = [
  [number(1), [0, -2.5, 1e300], [Number.NaN, Number.POSITIVE_INFINITY, '1', true], 'a finite number'],
  [number(1, { least: 0 }), [0, 3.5], [-0.1], 'a number of at least 0'],
  [number(1, { least: 0, most: 1 }), [0, 1], [1.1], 'a number from 0 to 1'],
  [number(0, { least: 0, below: 1 }), [0, 0.9], [1], 'a number from 0 to below 1'],
  [number(1, { above: 0, most: 1 }), [1e-9, 1], [0, 1.1], 'a number above 0, at most 1,'],
  [integer(1), [-3, 0], [0.5, 2 ** 60, '1'], 'an integer'],
  [integer(1, { least: 1 }), [1, 2 ** 53 - 1], [0], 'an integer of at least 1'],
  [integer(1, { least: 1, most: 9 }), [9], [10], 'an integer from 1 to 9'],
  [positive(1), [1e-30], [0, -1], 'a positive number'],
  [flag(true), [true, false], [1, 'true'], 'true or false'],
  [text('a', 'a path'), ['b'], ['', 3], 'a path'],
  [choice(['a', 'b'], 'a'), ['a', 'b'], ['long', 3], 'one of "a", "b"'],
]

for (const [kind, fine, wrong, expected] of kinds) {
  test(`${expected}: what fits passes, what does not is told`, (t) => {
    t.is(kind.expected, expected)
    for (const value of fine) t.notThrows(() => kind.check('x', value))
    for (const value of [...wrong, undefined, null]) {
      t.throws(() => kind.check('x', value), {
        code: 'ERR_INVALID_ARGUMENT',
        message: `Expected ${expected} for x but received ${typeof value === 'string' ? JSON.stringify(value) : value}`,
      })
    }
    t.notThrows(() => nullable(kind as never).check('x', null))
    t.throws(() => nullable(kind as never).check('x', undefined))
  })
}

test('values that are not built yet are told apart', (t) => {
  const { check } = choice(['a'], 'a', { notBuilt: ['z'] })
  t.throws(() => check('x', 'z'), { code: 'ERR_NOT_IMPLEMENTED' })
})

interface Options {
  scale?: number
  labels: number
  k?: number | null
}
const TABLE = {
  scale: positive(20),
  labels: needed(integer(undefined, { least: 2 })),
  k: nullable(integer(undefined)),
} satisfies OptionTable<Options>

test('options are those that are given and the defaults of the others', (t) => {
  const values: { scale: number; labels: number; k: number | null } = optionValues('Thing', { labels: 3 }, TABLE)
  t.deepEqual(values, { scale: 20, labels: 3, k: null })
  t.deepEqual(optionValues('Thing', { labels: 3, scale: undefined, k: 4 }, TABLE), { scale: 20, labels: 3, k: 4 })
  t.throws(() => optionValues('Thing', {}, TABLE), {
    message: 'Expected an integer of at least 2 for Thing labels but received undefined',
  })
  t.throws(() => optionValues('Thing', { labels: 3, scal: 1 }, TABLE), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => optionValues('Thing', { labels: 3, pool: 1 }, TABLE, { pool: {} }), { code: 'ERR_NOT_IMPLEMENTED' })
})

test('types: a table has what its options have', (t) => {
  // @ts-expect-error labels and k are missing.
  const missing = { scale: positive(20) } satisfies OptionTable<Options>
  const wider = {
    ...TABLE,
    // @ts-expect-error It takes more than the options say.
    scale: nullable(positive(undefined)),
  } satisfies OptionTable<Options>
  const narrower = {
    // @ts-expect-error It takes less than the options say.
    mode: choice(['a'], 'a'),
  } satisfies OptionTable<{ mode?: 'a' | 'b' }>
  t.truthy([missing, wider, narrower])
})
