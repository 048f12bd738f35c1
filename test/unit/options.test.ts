import { runInNewContext } from 'node:vm'
import test from 'ava'
import { checkInteger, checkNames, checkOneOf, checkOptions, checkPositive, checkType } from '../../lib/options.js'

const notBuilt = {
  mode: { harmless: [null, ['a', 'b'], Number.NaN], instead: 'use scale' },
  pool: {},
}
const check = (options: unknown) => () => checkOptions('Thing', options, ['scale', 'showProgressBar'], notBuilt)

test('options that are read, absent or harmless pass', (t) => {
  for (const options of [{}, { scale: 'anything' }, { scale: undefined, mispelt: undefined, pool: undefined }]) {
    t.notThrows(check(options))
  }
  for (const mode of [null, ['a', 'b'], Number.NaN]) t.notThrows(check({ mode }))
})

test('names of sentence-transformers are refused as not built, with the way out', (t) => {
  for (const mode of ['a', ['b', 'a'], 'null', 0, false]) {
    t.throws(check({ mode }), {
      code: 'ERR_NOT_IMPLEMENTED',
      message: /^Thing: the option mode is known .* but not built yet \(except as null, \["a","b"\], .*\); use scale$/,
    })
  }
  t.throws(check({ pool: null }), { code: 'ERR_NOT_IMPLEMENTED', message: /not built yet$/ })
})

test('other names are refused: the closest one, or all', (t) => {
  const code = 'ERR_UNKNOWN_OPTION'
  t.throws(check({ show_progress_bar: 1 }), {
    code,
    message: 'Thing has no option "show_progress_bar"; did you mean showProgressBar?',
  })
  t.throws(check({ pol: 1 }), { code, message: /did you mean pool\?/ })
  t.throws(check({ zzzzzzzz: 1 }), { code, message: 'Thing has no option "zzzzzzzz"; it has: scale, showProgressBar' })
  t.throws(check(JSON.parse('{"__proto__": 1}')), { code, message: /"__proto__"/ })
  t.throws(check({ constructor: 1 }), { code })
})

test('plain objects pass, also without a prototype and of another realm', (t) => {
  const bare = Object.assign(Object.create(null), { scale: 1 })
  for (const options of [bare, runInNewContext('({ scale: 1 })')]) t.notThrows(check(options))
})

test('what is no object of options is refused', (t) => {
  class Options {
    scale = 1
  }
  // None of them but the first two has keys to be checked.
  const foreign = [new Options(), Object.create({ scale: 1 }), new Map([['scale', 1]]), new Date(), new Float32Array(0)]
  for (const options of [null, undefined, 3, 'scale', [], () => {}, ...foreign, runInNewContext('new Map()')]) {
    t.throws(check(options), { code: 'ERR_INVALID_ARGUMENT', message: /the options of Thing/ })
  }
})

test('names of what is not there: the closest one, or all', (t) => {
  const refused = (names: string[], known: string[], message: string) =>
    t.throws(() => checkNames('prompts', names, 'column', known), { code: 'ERR_INVALID_ARGUMENT', message })
  t.notThrows(() => checkNames('prompts', ['a'], 'column', ['b', 'a']))
  t.notThrows(() => checkNames('prompts', [], 'column', []))
  refused(
    ['a', 'ancor'],
    ['a', 'anchor'],
    'prompts names the column "ancor", but there are a, anchor; did you mean anchor?',
  )
  refused(['x'], ['text'], 'prompts names the column "x", but there is text')
  refused(['x'], [], 'prompts names the column "x", but there is none with a name')
})

test('values: absent ones pass, others are named with what was expected', (t) => {
  const refused = (run: () => void, message: string) => t.throws(run, { code: 'ERR_INVALID_ARGUMENT', message })
  for (const run of [checkInteger, checkOneOf, checkPositive, checkType] as ((...values: unknown[]) => void)[]) {
    t.notThrows(() => run('x', undefined, ['a']))
  }
  t.notThrows(() => checkInteger('k', 1, 1))
  t.notThrows(() => checkInteger('k', 9, 1, 9))
  refused(() => checkInteger('k', 0, 1), 'Expected an integer of at least 1 for k but received 0')
  refused(() => checkInteger('k', 10, 1, 9), 'Expected an integer from 1 to 9 for k but received 10')
  for (const value of [1.5, '1', null, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
    t.throws(() => checkInteger('k', value, 1), { code: 'ERR_INVALID_ARGUMENT' })
  }
  t.notThrows(() => checkPositive('scale', 1e-30))
  refused(() => checkPositive('scale', 0), 'Expected a positive number for scale but received 0')
  for (const value of [-1, '1', null, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => checkPositive('scale', value), { code: 'ERR_INVALID_ARGUMENT' })
  }
  t.notThrows(() => checkOneOf('fn', 'cosine', ['cosine', 'dot']))
  refused(() => checkOneOf('fn', null, ['cosine', 'dot']), 'Expected one of "cosine", "dot" for fn but received null')
  refused(
    () => checkOneOf('fn', 'cosin', ['cosine', 'dot']),
    'Expected one of "cosine", "dot" (did you mean cosine?) for fn but received "cosin"',
  )
  t.throws(() => checkOneOf('fn', 'angle', ['cosine', 'dot'], ['angle']), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /^fn "angle" .* there are: cosine, dot$/,
  })
  t.notThrows(() => checkType('flag', false, 'boolean'))
  refused(() => checkType('flag', 1, 'boolean'), 'Expected true or false for flag but received 1')
  for (const value of [new Map(), []]) t.throws(() => checkType('prompts', value, 'object'))
  t.notThrows(() => checkType('prompts', {}, 'object'))
  refused(() => checkType('prompts', null, 'object'), 'Expected an object for prompts but received null')
  refused(() => checkType('path', 1, 'string'), 'Expected a string for path but received 1')
})
