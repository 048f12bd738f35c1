import { readFileSync } from 'node:fs'
import ava, { type ExecutionContext } from 'ava'
import { cardConfigs } from '../../lib/data/hub/card.js'
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

test('patterns mean the files that fsspec finds', (t) => {
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
    inTime(t, () => t.deepEqual(new FileMatcher([file, `a/${file}`]).match(pattern), []))
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
  const entries = Array.from({ length: 50_000 }, (_, i) => i)
  const configs = entries
    .map((i) => `- config_name: c${i}\n  data_files:\n  - split: train\n    path: c${i}/*.parquet`)
    .join('\n')
  const files = entries.map((i) => `c${i}/train-0.parquet`)
  inTime(t, () => t.is(repositoryLayout(files, `---\nconfigs:\n${configs}\n---\n`)?.configs.size, 50_000))
  const paths = entries.map((i) => `    - data/${i}.parquet`).join('\n')
  const one = `---\nconfigs:\n- config_name: a\n  data_files:\n  - split: train\n    path:\n${paths}\n---\n`
  inTime(t, () => t.is(cardConfigs(one)?.[0]?.splits.get('train')?.length, 50_000))
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

test('what a card says in YAML that is not read does no harm', (t) => {
  const odd = [
    'a: &a [x]',
    'configs: *a',
    '- config_name: &x [[[[',
    '  data_files: {a,b}',
    '  - <<: *a',
    `${'['.repeat(100_000)}`,
  ]
  t.notThrows(() => cardConfigs(`---\nconfigs:\n${odd.join('\n')}\n---\n`))
  const name = cardConfigs('---\nconfigs:\n- config_name: __proto__\n  data_files: "*.parquet"\n---\n')!
  t.is(name[0]!.name, '__proto__')
})

test('a data set without any Parquet file is not found', (t) => {
  const choose = () => chooseFiles('a/b', conversionLayout(['README.md']), undefined, 'train')
  t.throws(choose, { instanceOf: SentenceTorchError, code: 'ERR_NOT_FOUND', message: /a\/b has no Parquet files/ })
})
