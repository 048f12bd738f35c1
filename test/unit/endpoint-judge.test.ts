// A service that judges candidates or writes negatives, and the file of its answers.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AnswerFile } from '../../lib/recipes/negatives/answer-file.js'
import { EndpointJudge, yesOrNo } from '../../lib/recipes/negatives/endpoint-judge.js'
import { EndpointWriter } from '../../lib/recipes/negatives/endpoint-writer.js'
import { chatServer } from '../helpers/chat-server.js'
import { temporaryFolder } from '../helpers/model-folders.js'

async function server(t: ExecutionContext, answer: Parameters<typeof chatServer>[0]) {
  const made = await chatServer(answer)
  t.teardown(() => made.close())
  return made
}

test('yes and no are read at the beginning of an answer, behind the thoughts of a model', (t) => {
  for (const text of ['yes', ' Yes.', '**YES**, because', '"yes"', '<think>no? no.</think>\n\nYes'])
    t.is(yesOrNo(text), 'yes')
  for (const text of ['no', 'No, it does not', '- no']) t.is(yesOrNo(text), 'no')
  for (const text of ['', 'nothing', 'yesterday', 'The answer is yes', '不']) t.is(yesOrNo(text), undefined)
})

test('each candidate is asked for once, and its answer is in the file', async (t) => {
  const answers = join(await temporaryFolder(t), 'answers.jsonl')
  const { baseUrl, asked } = await server(t, (content) =>
    content.includes('Passage: a') ? 'Yes' : content.includes('Passage: b') ? 'hm' : 'no',
  )
  const options = { baseUrl, model: 'm', answers }
  const pairs = [
    ['q {passage}', 'a'],
    ['q', 'b'],
    ['q', 'c'],
  ] as const
  const first = new EndpointJudge(options)
  t.deepEqual(await first.judge(pairs), [true, true, false])
  t.is(first.unclear, 1)
  await first.close()
  t.is(asked.length, 3)
  t.true(asked.some(({ content }) => content.endsWith('Query: q {passage}\n\nPassage: a')))
  const again = new EndpointJudge(options)
  t.deepEqual(
    await again.judge([
      ['q', 'c'],
      ['q', 'd'],
    ]),
    [false, false],
  )
  t.deepEqual(again.counts, { asked: 1, kept: 1 })
  await again.close()
  t.is(asked.length, 4)
  const [head, ...lines] = readFileSync(answers, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(head.key.model, 'm')
  t.is(lines.length, 4)
  t.deepEqual(lines.at(-1), { asked: ['q', 'd'], answer: 'no' })
})

test('what was answered before an error is kept, also behind a part of a line', async (t) => {
  const answers = join(await temporaryFolder(t), 'answers.jsonl')
  const { baseUrl, asked } = await server(t, (_, response, count) => {
    if (count <= 2) return 'no'
    if (count === 3) response.writeHead(400).end('too long')
    return count === 3 ? undefined : 'yes'
  })
  const options = { baseUrl, model: 'm', answers, concurrency: 1 }
  const pairs = [
    ['q', 'a'],
    ['q', 'b'],
    ['q', 'c'],
  ] as const
  const first = new EndpointJudge(options)
  await t.throwsAsync(first.judge(pairs), { code: 'ERR_NETWORK', message: /status 400, too long/ })
  await first.close()
  appendFileSync(answers, '{"asked":["q","c"],"ans')
  const again = new EndpointJudge(options)
  t.deepEqual(await again.judge(pairs), [false, false, true])
  await again.close()
  t.is(asked.length, 4)
  t.is(readFileSync(answers, 'utf8').trim().split('\n').length, 4)
})

test.serial('after a write that failed nothing is added to its part of a line, and the file opens again', async (t) => {
  const path = join(await temporaryFolder(t), 'answers.jsonl')
  const file = await AnswerFile.open(path, 'key')
  await file.add(['a'], 'yes')
  const handle = await open(path)
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const { appendFile } = prototype
  prototype.appendFile = async function (this: FileHandle, text) {
    prototype.appendFile = appendFile
    await appendFile.call(this, String(text).slice(0, 5))
    throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
  }
  const adding = [file.add(['b'], 'no'), file.add(['c'], 'no')]
  for (const { status } of await Promise.allSettled(adding)) t.is(status, 'rejected')
  await t.throwsAsync(file.add(['d'], 'no'), { message: /ENOSPC/ })
  await file.close()
  const again = await AnswerFile.open(path, 'key')
  t.deepEqual([again.get(['a']), again.get(['b']), again.get(['c'])], ['yes', undefined, undefined])
  await again.add(['c'], 'no')
  await again.close()
  t.is(readFileSync(path, 'utf8').trim().split('\n').length, 3)
})

test('answers of another model, prompt or program are refused by their file, which stays as it is', async (t) => {
  const folder = await temporaryFolder(t)
  const { baseUrl, asked } = await server(t, () => 'no')
  const answers = join(folder, 'answers.jsonl')
  const first = new EndpointJudge({ baseUrl, model: 'm', answers })
  await first.judge([['q', 'a']])
  await first.close()
  const before = readFileSync(answers, 'utf8')
  const other = new EndpointJudge({ baseUrl, model: 'other', answers })
  await t.throwsAsync(other.judge([['q', 'a']]), {
    code: 'ERR_INVALID_FILE',
    message: /another service, model or prompt/,
  })
  await other.close()
  t.is(readFileSync(answers, 'utf8'), before)
  for (const content of ['my notes', 'my notes\n', '{"format":1,"key":null}\n{"asked":"q"}\n']) {
    const path = join(folder, 'other.jsonl')
    writeFileSync(path, content)
    const judge = new EndpointJudge({ baseUrl, model: 'm', answers: path })
    await t.throwsAsync(judge.judge([['q', 'a']]), { code: 'ERR_INVALID_FILE' })
    await judge.close()
    t.is(readFileSync(path, 'utf8'), content)
  }
  const nowhere = new EndpointJudge({ baseUrl, model: 'm', answers: join(folder, 'none', 'a.jsonl') })
  await t.throwsAsync(nowhere.judge([['q', 'a']]), { message: /none/ })
  t.is(asked.length, 1)
})

test('a writer gives the lines of each answer, and asks again for another number', async (t) => {
  const answers = join(await temporaryFolder(t), 'answers.jsonl')
  const { baseUrl, asked } = await server(t, () => '1. first\n2. second\n3. third')
  const writer = new EndpointWriter({ baseUrl, model: 'm', answers })
  t.deepEqual(await writer.write([['q', 'p']], { count: 2 }), [['first', 'second']])
  t.deepEqual(await writer.write([['q', 'p']], { count: 2 }), [['first', 'second']])
  t.deepEqual(await writer.write([['q', 'p']], { count: 3 }), [['first', 'second', 'third']])
  await writer.close()
  t.is(asked.length, 2)
  t.regex(asked[0]!.content, /^Write 2 different[\s\S]*Query: q\n\nPassage that answers it: p$/)
})

test('prompts without their names, and options that are not there', (t) => {
  const service = { baseUrl: 'http://127.0.0.1:1', model: 'm' }
  const expected = { code: 'ERR_INVALID_ARGUMENT', message: /\{query\} and \{passage\}/ }
  t.throws(() => new EndpointJudge({ ...service, prompt: 'Is {passage} good?' }), expected)
  t.throws(() => new EndpointWriter({ ...service, prompt: '{query} {passage}' }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new EndpointJudge({ ...service, speed: 1 } as never), { code: 'ERR_UNKNOWN_OPTION' })
})
