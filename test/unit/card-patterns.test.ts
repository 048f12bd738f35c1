import { readFileSync } from 'node:fs'
import ava, { type ExecutionContext } from 'ava'
import { type CardConfig, cardConfigs } from '../../lib/data/hub/card.js'
import { FileMatcher } from '../../lib/data/hub/glob.js'
import { chooseFiles, conversionLayout, repositoryLayout } from '../../lib/data/hub/splits.js'
import { SentenceTorchError } from '../../lib/errors.js'

// One after the other: how long each takes is looked at.
const test = ava.serial
const golden = JSON.parse(readFileSync(new URL('../../../test/unit/golden/glob.json', import.meta.url), 'utf8')) as {
  files: string[]
  cases: Record<string, string[]>
}

function inTime(t: ExecutionContext, work: () => void): void {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  t.true(user + system < 5e6)
}

const cards = JSON.parse(readFileSync(new URL('../../../test/unit/golden/cards.json', import.meta.url), 'utf8')) as {
  card: string
  configs?: Record<string, { default: boolean; folder: string; splits: Record<string, string[]> | null }>
}[]
const refused = { instanceOf: SentenceTorchError, code: 'ERR_INVALID_FILE' } as const

test('cards say what the datasets package reads in them, and are refused where it refuses them', (t) => {
  t.true(cards.length > 40)
  for (const { card, configs } of cards) {
    if (configs === undefined) {
      t.throws(() => cardConfigs(card, 'the card'), { ...refused, message: /^the card: .*(configs|YAML head)/ }, card)
      continue
    }
    // Of one name the last counts.
    const found = new Map<string, CardConfig>(cardConfigs(card)?.map((config) => [config.name, config]))
    t.deepEqual([...found.keys()], Object.keys(configs), card)
    for (const [name, { isDefault, folder, splits }] of found) {
      const expected = configs[name]!
      t.is(isDefault || found.size === 1, expected.default, card)
      t.is(folder, expected.folder, card)
      const inFolder = (path: string) => (folder === '' ? path : `${folder}/${path}`)
      const paths = expected.splits && Object.entries(expected.splits).map(([key, value]) => [key, value.map(inFolder)])
      t.deepEqual(splits ? [...splits] : null, paths, card)
    }
  }
})

test('a config without patterns has the files of its folder, by their names', (t) => {
  const card = '---\nconfigs:\n- config_name: a\n  data_dir: ./x/\n- config_name: b\n  data_dir: y\n---\n'
  const layout = repositoryLayout(['x/train-0.parquet', 'x/dev/0.parquet', 'xy/0.parquet', 'y/0.parquet'], card)!
  t.deepEqual(
    [...layout.configs].map(([name, splits]) => [name, Object.fromEntries(splits)]),
    [
      ['a', { train: ['x/train-0.parquet'], validation: ['x/dev/0.parquet'] }],
      ['b', { train: ['y/0.parquet'] }],
    ],
  )
})

test('errors of a card say where', (t) => {
  const error = (head: string) => t.throws(() => cardConfigs(`---\n${head}---\n`, 'README.md of x'), refused).message
  const path = 'configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: 3\n  - split: test\n'
  t.is(
    error(path),
    'README.md of x: configs[0].data_files[1].path: expected a file pattern or a list of them, found nothing',
  )
  t.is(
    error('configs:\n- config_name: a\n  default: ja\n'),
    'README.md of x: configs[0].default: expected true or false, found "ja"',
  )
  t.regex(error('a: b\nconfigs: @x\n'), /^README.md of x: its YAML head cannot be read: .* \(line 3, column 10\)$/)
  t.regex(error('configs:\n- config_name: a\n  data_files: *.parquet\n'), /needs quotes$/)
})

test('patterns mean the files that the datasets package finds', (t) => {
  for (const [pattern, files] of Object.entries(golden.cases)) {
    t.deepEqual(new FileMatcher(golden.files).match(pattern), files, pattern)
  }
  t.true(Object.keys(golden.cases).length > 300)
})

test('a ** that is a part of a name goes across folders', (t) => {
  t.deepEqual(new FileMatcher(['a/b.parquet', 'c.parquet', 'd.txt']).match('**.parquet'), ['a/b.parquet', 'c.parquet'])
})

test('hostile patterns end in time', (t) => {
  const file = `${'a'.repeat(2000)}.parquet`
  for (const pattern of [
    `${'*a'.repeat(500)}b`,
    `${'**/'.repeat(500)}b`,
    '[!'.repeat(2000),
    '['.repeat(200_000),
    '[a/'.repeat(100_000),
    '[z-a][\\',
    `${'?*'.repeat(1000)}x`,
  ]) {
    inTime(t, () => {
      try {
        t.deepEqual(new FileMatcher([file, `a/${file}`]).match(pattern), [])
      } catch (error) {
        t.true(error instanceof SentenceTorchError && error.code === 'ERR_INVALID_FILE')
        t.regex((error as Error).message, /^README.md: the file pattern ".*" (is longer than|has too many)/)
      }
    })
  }
  const slow = ['*a*a*a*ab', `${'*a'.repeat(6)}b`, '**/*a*a**a*b', `${'**a'.repeat(3)}b`]
  for (const pattern of slow) {
    const names = Array.from({ length: 200 }, (_, i) => `${'a/'.repeat(i % 7)}${'a'.repeat(60 + i)}`)
    inTime(t, () => {
      try {
        t.deepEqual(new FileMatcher(names).match(pattern), [])
      } catch (error) {
        t.regex((error as Error).message, /take too long|too many stars/)
      }
    })
  }
  const many = Array.from({ length: 5000 }, (_, i) => `data/${i}-${'a'.repeat(100)}.parquet`)
  const matcher = new FileMatcher(many)
  inTime(t, () => {
    const error = t.throws(() => {
      for (let i = 0; i < 100_000; i++) matcher.match(`data/*${'a*'.repeat(50)}${i}`)
    })
    t.true(error instanceof SentenceTorchError && error.code === 'ERR_INVALID_FILE')
  })
})

test('cards and listings of many entries are read in time', (t) => {
  const entries = Array.from({ length: 20_000 }, (_, i) => i)
  const configs = entries
    .map((i) => `- config_name: c${i}\n  data_files:\n  - split: train\n    path: c${i}/*.parquet`)
    .join('\n')
  const files = entries.map((i) => `c${i}/train-0.parquet`)
  inTime(t, () => t.is(repositoryLayout(files, `---\nconfigs:\n${configs}\n---\n`)?.configs.size, 20_000))
  const paths = entries.map((i) => `    - data/${i}.parquet`).join('\n')
  const one = `---\nconfigs:\n- config_name: a\n  data_files:\n  - split: train\n    path:\n${paths}\n---\n`
  inTime(t, () => t.is(cardConfigs(one)?.[0]?.splits?.get('train')?.length, 20_000))
  const blanks = `---\nconfigs:\n- config_name: a${' '.repeat(200_000)}b\n  data_files: x${' '.repeat(200_000)}y\n---\n`
  inTime(t, () => t.is(cardConfigs(blanks)?.length, 1))
  inTime(t, () =>
    t.is(
      repositoryLayout(
        entries.map((i) => `data/${i}.parquet`),
        undefined,
      )?.configs.size,
      1,
    ),
  )
  inTime(t, () => t.is(conversionLayout(entries.map((i) => `a/train/${i}.parquet`)).configs.get('a')?.size, 1))
  const layout = conversionLayout(files)
  const error = t.throws(() => chooseFiles('a/b', layout, 'none', 'train'), { instanceOf: SentenceTorchError })
  t.true(error.message.length < 10_000)
})

test('hostile YAML ends in time with an error that names the card', (t) => {
  const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x]']
  for (let i = 1; i < 12; i++) bomb.push(`a${i}: &a${i} [${Array(9).fill(`*a${i - 1}`)}]`)
  const merges = ['a0: &a0 {x: y}']
  for (let i = 1; i < 40; i++) merges.push(`a${i}: &a${i} {<<: [*a${i - 1}, *a${i - 1}]}`)
  const hostile = [
    `${bomb.join('\n')}\nconfigs: *a11`,
    `${merges.join('\n')}\nconfigs: [*a39]`,
    'configs: &a [*a]',
    'configs: &a {config_name: x, data_files: *a}',
    `configs: ${'['.repeat(20_000)}`,
    `configs:\n${'- '.repeat(20_000)}`,
    `configs: ${'{a: '.repeat(20_000)}`,
    `configs: [${','.repeat(50_000)}]`,
    `configs: ${'&a '.repeat(50_000)}`,
    `configs:\n${'"\n'.repeat(100_000)}`,
    `configs:\n${Array.from({ length: 10_000 }, (_, i) => `- &a${i} x\n- *a${i}`).join('\n')}`,
    `configs: x\n${'# x\n'.repeat(2_000_000)}`,
    'configs: [{? [config_name] : x}]',
  ]
  for (const head of hostile) {
    inTime(t, () => t.throws(() => cardConfigs(`---\n${head}\n---\n`), { ...refused, message: /^README.md: / }))
  }
  t.regex(t.throws(() => cardConfigs(`---\nconfigs: ${'['.repeat(20_000)}\n---\n`), refused).message, /nested too deep/)
  const proto = '{config_name: __proto__, __proto__: {data_files: y}, constructor: x, data_files: "*.parquet"}'
  const configs = cardConfigs(`---\n__proto__: {default: true}\nconfigs: [${proto}]\n---\n`)!
  t.is(configs[0]!.name, '__proto__')
  t.false(configs[0]!.isDefault)
  t.deepEqual([...configs[0]!.splits!], [['train', ['*.parquet']]])
  t.is(({} as { data_files?: string }).data_files, undefined)
})

test('a data set without any Parquet file is not found', (t) => {
  const choose = () => chooseFiles('a/b', conversionLayout(['README.md']), undefined, 'train')
  t.throws(choose, { instanceOf: SentenceTorchError, code: 'ERR_NOT_FOUND', message: /a\/b has no Parquet files/ })
})

test('backslashes and brackets in names mean themselves, as fsspec has it', (t) => {
  // Verified with fsspec.utils.glob_translate: a pattern, and names that it means and does not mean.
  const cases: [pattern: string, fits: string[], other: string[]][] = [
    ['*\\', ['a\\', '\\'], ['a']],
    ['*\\\\', ['a\\\\'], ['a\\', 'a']],
    ['*\\\\\\', ['a\\\\\\'], ['a\\\\']],
    ['\\é*', ['\\é1'], ['é1']],
    ['c*,\\a', ['c1,\\a'], ['c1,a']],
    ['[\\]*', ['\\a'], ['a']],
    ['[Z-\\\\]*', ['Z', '[a', '\\'], ['a']],
    ['[]c*', ['[]cd'], ['c', ']c']],
    ['[!]c*', ['[!]cd'], ['ac', 'c']],
    ['[]]]*', [']]', ']]a'], ['[]]]']],
    ['data[1].*', ['data1.csv'], ['data[1].csv']],
    ['[[:alpha:]]*', ['a]', ':]b'], ['a', 'z]']],
    ['[[:]*', ['[', ':x'], ['x']],
  ]
  for (const [pattern, fits, other] of cases)
    t.deepEqual(new FileMatcher([...fits, ...other]).match(pattern), fits, pattern)
  // picomatch looked for the end of such a text forever.
  for (const length of [2, 3, 40, 4000])
    inTime(t, () => void t.deepEqual(new FileMatcher(['a']).match(`*${'\\'.repeat(length)}`), []))
  inTime(t, () => void t.deepEqual(new FileMatcher([']']).match(`[${'\\[:]-^'.repeat(600)}]`), []))
})
