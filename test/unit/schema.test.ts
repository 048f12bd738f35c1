import { readFile } from 'node:fs/promises'
import test from 'ava'
import { SentenceTorchError } from '../../lib/errors.js'
import { checkRelativePath } from '../../lib/io/safe-path.js'
import * as is from '../../lib/io/schema.js'
import { systemError } from '../../lib/io/system-error.js'

const shape = is.object({
  hidden_size: is.integer(1, 65536),
  layer_norm_eps: is.optional(is.number(0, 1)),
  modes: is.optional(is.arrayOf(is.oneOf('cls', 'mean'), { max: 2 })),
})

const read = (text: string | Uint8Array) => is.parseJson(text, 'config.json', shape)
const messageOf = (action: () => unknown) => {
  try {
    action()
  } catch (error) {
    if (error instanceof SentenceTorchError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

test('a large text of many languages is read as a small one', (t) => {
  const words = Array.from({ length: 60_000 }, (_, i) => `слово ${i} 語 \u{1f600}`)
  const bytes = Buffer.from(JSON.stringify(words))
  t.true(bytes.length > 1 << 20)
  const read = (text: Uint8Array) => is.parseJson(text, 'words.json', is.arrayOf(is.text()))
  t.deepEqual(read(bytes), words)
  t.deepEqual(read(Buffer.concat([Buffer.from('\ufeff'), bytes])), words)
  const damaged = Uint8Array.from(bytes)
  damaged[bytes.length - 5] = 0x20
  t.regex(messageOf(() => read(damaged))!, /^ERR_INVALID_FILE: words.json is not valid JSON: .*utf-8/)
})

test('what fits comes back with all its members', (t) => {
  t.deepEqual(read('{"hidden_size": 3, "modes": ["cls"], "more": [1, null]}'), {
    hidden_size: 3,
    modes: ['cls'],
    more: [1, null],
  } as never)
  t.false('layer_norm_eps' in read('{"hidden_size": 3}'))
  // null is Python's None.
  t.is(read('{"hidden_size": 3, "layer_norm_eps": null}').layer_norm_eps, undefined)
})

test('a member that every object inherits is no member of the file', (t) => {
  const named = is.object({ constructor: is.optional(is.text()), toString: is.optional(is.text()) })
  t.deepEqual(Object.keys(is.parseJson('{}', 'f', named)), [])
})

for (const [text, expected] of [
  ['{"hidden_size": "3"}', 'Expected an integer from 1 to 65536 as hidden_size in config.json, found "3"'],
  ['{"hidden_size": 1e9}', 'Expected an integer from 1 to 65536 as hidden_size in config.json, found 1000000000'],
  ['{"hidden_size": 1.5}', 'Expected an integer from 1 to 65536 as hidden_size in config.json, found 1.5'],
  ['{}', 'Expected an integer from 1 to 65536 as hidden_size in config.json, found nothing'],
  ['{"hidden_size": 1, "layer_norm_eps": -1}', 'Expected a number of at least 0 and at most 1 as layer_norm_eps'],
  [
    '{"hidden_size": 1, "modes": ["cls", "sum"]}',
    'Expected one of "cls", "mean" as modes[1] in config.json, found "sum"',
  ],
  ['{"hidden_size": 1, "modes": [1, 2, 3]}', 'Expected an array of at most 2 values as modes in config.json'],
  ['{"hidden_size": 1, "modes": {}}', 'Expected an array as modes in config.json'],
  ['[]', 'Expected an object in config.json, found an array of length 0'],
  ['null', 'Expected an object in config.json, found null'],
  ['{"hidden_size": 1', 'config.json is not valid JSON'],
] as const) {
  test(`refused with the file and the key: ${text}`, (t) => {
    const message = messageOf(() => read(text))
    t.true(message.startsWith(`ERR_INVALID_FILE: ${expected}`), message)
  })
}

test('what an error says of a value is not said by the value', (t) => {
  for (const member of ['{"constructor":{"name":{"toString":1}}}', '{"constructor":null}', '{"__proto__":{"x":1}}']) {
    const message = messageOf(() => read(`{"hidden_size":${member}}`))
    t.regex(message, /^ERR_INVALID_FILE: .* as hidden_size in config\.json, found an object of type Object$/)
  }
})

test('bytes that are no UTF-8, and values nested too deep, are refused', (t) => {
  t.regex(
    messageOf(() => read(Uint8Array.of(0x22, 0xff, 0x22))),
    /^ERR_INVALID_FILE: config.json is not valid JSON/,
  )
  const nested = (depth: number) => `{"hidden_size": 1, "x": ${'['.repeat(depth)}${']'.repeat(depth)}}`
  t.notThrows(() => read(nested(199)))
  t.regex(
    messageOf(() => read(nested(200))),
    /nests its values deeper than 200/,
  )
  t.regex(
    messageOf(() => read(nested(100_000))),
    /nests its values deeper than 200/,
  )
})

test('a relative path within its folder passes', (t) => {
  for (const path of [
    'config.json',
    '1_Pooling/config.json',
    'a/..b/c..',
    '.hidden',
    'train-00000-of-00001.parquet',
    'ü/字',
  ])
    t.is(checkRelativePath(path, 'the listing', 'ERR_NETWORK'), path)
})

for (const path of [
  '',
  '..',
  '../x',
  'a/../../x',
  'a/./b',
  'a//b',
  'a/',
  '/etc/passwd',
  'C:/x',
  'c:x',
  'a\\..\\b',
  'a\0b',
  'a\nb',
  'x'.repeat(256),
  `${'x/'.repeat(600)}x`,
  undefined,
  3,
  null,
]) {
  test(`refused as a path: ${JSON.stringify(path)?.slice(0, 40)}`, (t) => {
    const error = t.throws(() => checkRelativePath(path, 'the listing of a/b', 'ERR_NETWORK'), {
      instanceOf: SentenceTorchError,
    })
    t.is(error?.code, 'ERR_NETWORK')
    t.regex(error!.message, /^the listing of a\/b names the path /)
  })
}

test('an error of the system says what failed, where and why', async (t) => {
  const missing = await readFile('/no/such/file').catch((error) => systemError(error, 'read /no/such/file'))
  t.true(missing instanceof SentenceTorchError)
  t.is((missing as SentenceTorchError).code, 'ERR_NOT_FOUND')
  t.is((missing as Error).message, 'Cannot read /no/such/file: there is no such file or folder (ENOENT)')
  const folder = await readFile('/').catch((error) => systemError(error, 'read /', 'ERR_INVALID_FILE'))
  t.is((folder as SentenceTorchError).code, 'ERR_INVALID_FILE')
  const other = new TypeError('a fault of the program')
  t.is(systemError(other, 'read /'), other)
})
