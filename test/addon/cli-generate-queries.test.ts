import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { callProgram } from '../helpers/call-program.js'

const folder = mkdtempSync(join(tmpdir(), 'generate-queries-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const T5 = fileURLToPath(new URL('../../../test/parity/golden/seq2seq-folder', import.meta.url))
writeFileSync(at('docs.jsonl'), '{"id":1,"text":"the first passage"}\n{"id":2,"text":"the second passage"}\n')
writeFileSync(at('a.txt'), 'A passage of a text file.\n')

let asked = 0
const server = createServer((request, response) => {
  asked++
  request.resume()
  request.on('end', () => response.end('{"choices":[{"message":{"content":"one?\\ntwo?"}}]}'))
})
let endpoint: readonly string[]
test.before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = ['--endpoint', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, '--model', 'm']
})
test.after.always(() => server.close())

const call = (...args: string[]) => callProgram(['generate-queries', ...args])

test.serial('a dry run shows the first request and the tokens, and asks nothing', async (t) => {
  const { code, out } = await call(at('docs.jsonl'), ...endpoint, '--dry-run')
  t.is(code, 0)
  t.regex(
    out,
    /\/chat\/completions, 2 times\. The first:\n\{[\s\S]*the first passage[\s\S]*\}\nAbout \d+ tokens to read .*, at most 384 to write/,
  )
  const json = JSON.parse((await call(at('docs.jsonl'), ...endpoint, '--dry-run', '--json', '--queries', '2')).out)
  const { url, firstRequest, tokensToRead, ...rest } = json
  t.deepEqual(rest, { passages: 2, queries: 4, mostTokensToWrite: 256 })
  t.is(firstRequest.max_tokens, 128)
  t.true(tokensToRead > 60 && tokensToRead < 200)
  t.is(asked, 0)
})

test.serial('a service writes the queries of a table; again, nothing is asked', async (t) => {
  for (let time = 0; time < 2; time++) {
    const { code, out, err } = await call(at('docs.jsonl'), ...endpoint, '--output', at('service'), '--json')
    t.is(code, 0, err)
    t.deepEqual(JSON.parse(out), {
      ...{ output: at('service'), passages: 2, passagesLeftOut: 0, queries: 4 },
      ...{ emptyQueries: 0, duplicateQueries: 0 },
    })
    t.is(asked, 2)
  }
  t.deepEqual(
    readFileSync(join(at('service'), 'pairs_0000.tsv'), 'utf8')
      .split('\n')
      .slice(0, 2),
    ['query\tpassage', 'one?\tthe first passage'],
  )
})

test.serial('a T5 writes the queries of text files', async (t) => {
  const { code, out, err } = await call(at('a.txt'), '--t5', T5, '--output', at('t5'), '--queries', '4')
  t.is(code, 0, err)
  t.regex(out, /pairs for 1 passages in /)
  t.deepEqual(readdirSync(at('t5')).sort(), ['pairs_0000.tsv', 'progress.json'])
})

test.serial('calls that are not known end with 2, what fails with 1', async (t) => {
  const misuse: [string[], RegExp][] = [
    [[at('a.txt'), '--t5', T5], /--output <folder>/],
    [[at('a.txt'), '--output', 'x'], /either --t5 or --endpoint/],
    [[at('a.txt'), '--output', 'x', '--t5', T5, ...endpoint], /either --t5 or --endpoint/],
    [[at('a.txt'), '--output', 'x', '--t5', T5, '--retries', '2'], /--retries is for a service/],
    [[at('a.txt'), '--output', 'x', '--endpoint', 'http://x'], /needs --model/],
    [[at('a.txt'), '--output', 'x', '--endpoint', 'x', '--model', 'm'], /baseUrl/],
    [[at('a.txt'), at('docs.jsonl'), '--output', 'x', ...endpoint], /one table/],
  ]
  for (const [args, message] of misuse) {
    const { code, err } = await call(...args)
    t.is(code, 2, err)
    t.regex(err, message)
  }
  const failed = await call(at('none.jsonl'), '--output', at('x'), ...endpoint)
  t.is(failed.code, 1)
  t.regex(failed.err, /none\.jsonl/)
})

test.serial('a folder that is not there is told as missing', async (t) => {
  const { code, err } = await call(at('no-such-folder'), ...endpoint, '--output', at('none'))
  t.is(code, 1)
  t.regex(err, /There is no file or folder .*no-such-folder\n$/)
})
