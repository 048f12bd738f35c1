// `mine` with presets, a service, pages and labels by hand.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Dataset, SentenceTransformer, util } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { type ChatServer, chatServer } from '../helpers/chat-server.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = mkdtempSync(join(tmpdir(), 'cli-mine-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const MODEL = at('model')
const TEXTS = Array.from({ length: 40 }, (_, i) => `${tinyWords[i]} ${tinyWords[(i * 7) % 40]} ${tinyWords[i % 5]}`)
const PAIRS = TEXTS.slice(0, 10).map((text, i) => ({ question: text, answer: TEXTS[39 - i]! }))
writeFileSync(at('pairs.jsonl'), PAIRS.map((row) => `${JSON.stringify(row)}\n`).join(''))

/** Every third text is an answer, says the service. */
const isAnswer = (text: string) => TEXTS.indexOf(text) % 3 === 0
let service: ChatServer
/** Questions after which the service fails. */
let limit = Number.POSITIVE_INFINITY
let model: SentenceTransformer
test.before(async () => {
  await tinyFolder(MODEL)
  model = await SentenceTransformer.load(MODEL)
  service = await chatServer((content, response, count) => {
    if (count > limit) {
      response.writeHead(400).end('no credit')
      return undefined
    }
    if (content.startsWith('Write')) return '- one written text\n- a second one\n- third'
    return isAnswer(content.split('Passage: ')[1]!) ? 'Yes.' : 'No.'
  })
})
test.after.always(async () => {
  service.close()
  await model.dispose()
})

const call = (...args: string[]) => callProgram(['mine', MODEL, at('pairs.jsonl'), ...args])
const asking = (...args: string[]) => call('--endpoint', service.baseUrl, '--endpoint-model', 'm', ...args)
const rowsOf = (name: string) =>
  readFileSync(at(name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test.serial('a difficulty is the options that it stands for; a single option counts before it', async (t) => {
  const { code, err } = await call(
    ...['--difficulty', 'semi-hard', '--range-min', '1', '--relative-margin', '0.02', '--output', at('d.jsonl')],
  )
  t.is(code, 0, err)
  const dataset = Dataset.fromRows(PAIRS)
  const options = { relativeMargin: 0.02, rangeMin: 1, rangeMax: 50, verbose: false }
  t.deepEqual(rowsOf('d.jsonl'), [...(await util.mineHardNegatives(dataset, model, options))])
})

test.serial('a dry run counts the questions, and asks none', async (t) => {
  const { code, out, err } = await asking('--dry-run', '--json')
  t.is(code, 0, err)
  const { url, requests, firstRequest } = JSON.parse(out)
  t.is(url, `${service.baseUrl}/chat/completions`)
  t.is(requests, 30)
  t.regex(firstRequest.messages[0].content, /Does the passage answer the query\?/)
  const writer = await asking('--dry-run', '--ask', 'write')
  t.regex(writer.out, /chat\/completions, exactly 10 times\. The first:\n\{[\s\S]*Write 3 different/)
  t.is(service.asked.length, 0)
})

test.serial('what the judge takes for answers is left out; a stopped run pays for no answer twice', async (t) => {
  limit = service.asked.length + 20
  const failed = await asking('--output', at('j.jsonl'), '--concurrency', '1')
  t.is(failed.code, 1)
  t.regex(failed.err, /status 400, no credit\n/)
  t.false(existsSync(at('j.jsonl')))
  t.is(rowsOf('j.jsonl.answers.jsonl').length, 21)
  limit = Number.POSITIVE_INFINITY
  const before = service.asked.length
  const { code, out, err } = await asking('--output', at('j.jsonl'), '--report', at('r.html'), '--json')
  t.is(code, 0, err)
  const rows = rowsOf('j.jsonl')
  t.is(rows.length, 30)
  t.false(rows.some(({ negative }) => isAnswer(negative)))
  const { refused, asked } = JSON.parse(out)
  t.is(asked.asked, service.asked.length - before)
  t.is(asked.kept, 20)
  t.is(refused.judge + 30, asked.asked + asked.kept)
  // The best candidates that are no answers.
  const wide = await util.mineHardNegatives(Dataset.fromRows(PAIRS), model, { numNegatives: 9, verbose: false })
  const wanted = PAIRS.flatMap(({ question }) =>
    [...wide].filter((row) => row.question === question && !isAnswer(row.negative as string)).slice(0, 3),
  )
  t.deepEqual(rows, wanted)
  const page = readFileSync(at('r.html'), 'utf8')
  t.true(page.includes('an answer, says the judge'))
  t.true(page.includes(`>${refused.judge}<`))
  t.regex(page, /<svg[\s\S]*positives[\s\S]*<\/svg>/)
  t.false(/https?:\/\/(?!www\.w3\.org)/.test(page.replaceAll(/xmlns[^ >]*/g, '')))
})

test.serial('negatives that a service writes', async (t) => {
  const given = ['--ask', 'write', '--negatives', '2', '--format', 'n-tuple', '--output', at('w.jsonl')]
  const { code, err } = await asking(...given)
  t.is(code, 0, err)
  const rows = rowsOf('w.jsonl')
  t.is(rows.length, 10)
  for (const row of rows) t.deepEqual([row.negative_1, row.negative_2].sort(), ['a second one', 'one written text'])
})

test.serial('answers to another prompt are refused before anything is embedded', async (t) => {
  const before = service.asked.length
  const prompt = ['--prompt', 'Is {passage} what {query} asks for?']
  const { code, err } = await asking('--output', at('j.jsonl'), ...prompt)
  t.is(code, 1)
  t.regex(err, /j\.jsonl\.answers\.jsonl has answers of another service, model or prompt/)
  t.notRegex(err, /[Ee]mbed|candidates mined/)
  t.is(service.asked.length, before)
})

test.serial('a sheet for labels by hand, and back', async (t) => {
  const made = await call('--format', 'label-sheet', '--output', at('sheet.csv'))
  t.is(made.code, 0, made.err)
  const [head, ...lines] = readFileSync(at('sheet.csv'), 'utf8').trim().split(/\r?\n/)
  t.is(head, 'query,positive,candidate,score,label')
  t.is(lines.length, 30)
  const labelled = lines.map((line, i) => line + ['yes', 'no', ''][i % 3]!)
  writeFileSync(at('sheet.csv'), [head, ...labelled].join('\n'))
  const { code, out, err } = await callProgram(['import-labels', at('sheet.csv'), '--output', at('l.jsonl'), '--json'])
  t.is(code, 0, err)
  t.deepEqual(JSON.parse(out), { output: at('l.jsonl'), rows: 20, answers: 10, negatives: 10, open: 10 })
  const [, candidate] = [lines[0]!.split(',')[2]!, lines[1]!.split(',')[2]!]
  t.deepEqual(rowsOf('l.jsonl')[0], { query: PAIRS[0]!.question, positive: PAIRS[0]!.answer, negative: candidate })
  writeFileSync(at('sheet.csv'), [head, `${lines[0]}perhaps`].join('\n'))
  const over = await callProgram(['import-labels', at('sheet.csv'), '--output', at('sheet.csv')])
  t.is(over.code, 2)
  t.regex(over.err, /--output needs a file of its own/)
  const bad = await callProgram(['import-labels', at('sheet.csv'), '--output', at('n.jsonl')])
  t.is(bad.code, 1)
  t.regex(bad.err, /line 2 of .*sheet\.csv/)
})

const faults: [args: string[], code: number, message: RegExp][] = [
  [['--output', 'n.jsonl', '--ask', 'write'], 2, /--ask is for a service/],
  [['--output', 'n.jsonl', '--retries', '1'], 2, /--retries is for a service/],
  [['--output', 'n.jsonl', '--endpoint', 'http://127.0.0.1:1'], 2, /needs --endpoint-model/],
  [['--output', 'n.jsonl', '--endpoint', 'here', '--endpoint-model', 'm'], 2, /an http or https address/],
  [['--output', 'n.parquet', '--format', 'label-sheet'], 2, /\.csv, \.tsv or \.jsonl/],
  [['--dry-run'], 2, /add --endpoint/],
  [['--output', 'n.jsonl', '--report', 'n.jsonl'], 2, /--report needs a file of its own: mine also uses .*n\.jsonl/],
  [['--output', 'pairs.jsonl'], 2, /--output needs a file of its own/],
  [['--output', 'n.jsonl', '--difficulty', 'brutal'], 2, /difficulty/],
]
for (const [args, code, message] of faults) {
  test.serial(`bad input: ${args.join(' ')}`, async (t) => {
    const result = await call(...args.map((arg) => (/^(n|pairs)\./.test(arg) ? at(arg) : arg)))
    t.is(result.code, code, result.err)
    t.regex(result.err, message)
    t.deepEqual(
      readdirSync(folder).filter((name) => /^n\.|\.tmp/.test(name)),
      [],
    )
  })
}

test.serial('a service that is not there ends with one line', async (t) => {
  const args = [
    '--endpoint',
    'http://127.0.0.1:9',
    '--endpoint-model',
    'm',
    '--retries',
    '0',
    '--output',
    at('n.jsonl'),
  ]
  const { code, err } = await call(...args)
  t.is(code, 1)
  t.regex(err, /sentence-torch: http:\/\/127\.0\.0\.1:9\/chat\/completions: .*\n$/)
  t.false(existsSync(at('n.jsonl')))
})
