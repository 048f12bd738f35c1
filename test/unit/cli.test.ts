// The program as it is called: help, misspelt words, doctor.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { packageRoot } from '#system'
import { commands } from '../../lib/cli/commands.js'
import { run } from '../../lib/cli/run.js'
import { temporaryFolder } from './install-helpers.js'

const program = join(packageRoot, 'dist/bundle/cli.js')
const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  version: string
  bin: Record<string, string>
}

async function call(...args: string[]) {
  let [out, err] = ['', '']
  const code = await run(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { code, out, err }
}

test('the program is what package.json names, can be run, and says its version', (t) => {
  t.is(join(packageRoot, manifest.bin['sentence-torch']!), program)
  t.true(readFileSync(program, 'utf8').startsWith('#!/usr/bin/env node\n'))
  t.is(statSync(program).mode & 0o111, 0o111)
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  t.is(status, 0)
  t.is(stdout, `${manifest.version}\n`)
})

test('help names every command and option', async (t) => {
  for (const words of [['--help'], ['-h'], ['help']]) {
    const { code, out } = await call(...words)
    t.is(code, 0)
    for (const { name, summary } of commands) t.true(out.includes(name) && out.includes(summary))
  }
  for (const command of commands) {
    for (const words of [
      [command.name, '--help'],
      ['help', command.name],
      [command.name, '-h'],
    ]) {
      const { code, out } = await call(...words)
      t.is(code, 0)
      t.true(out.startsWith(`Usage: sentence-torch ${command.name}`))
      for (const name of [...Object.keys(command.options), 'help']) t.true(out.includes(`--${name}`), name)
      t.true(command.examples.length > 0)
      for (const example of command.examples.flat()) t.true(out.includes(example))
    }
  }
  const { code, err } = await call()
  t.is(code, 2)
  t.regex(err, /^Usage: /)
})

const misuses: [string[], RegExp][] = [
  [['docter'], /There is no command "docter"; did you mean doctor\?\n`npx sentence-torch --help`/],
  [['frobnicate'], /There is no command "frobnicate"; there are: .*, doctor, build, install/],
  [['constructor'], /There is no command "constructor"/],
  [['--hepl'], /There is no option --hepl; did you mean --help\?/],
  [['doctor', '--jsno'], /doctor has no option --jsno; did you mean --json\?\n`npx sentence-torch doctor --help`/],
  [['doctor', '-j'], /doctor has no option -j; there are: --json/],
  [['doctor', '--constructor'], /doctor has no option --constructor/],
  [['doctor', 'now'], /doctor takes options alone, not "now"/],
  [['doctor', '--json=yes'], /--json takes no value/],
  [['build', '--', '--force'], /build takes options alone, not "--force"/],
  [['serve', '--model', 'm', '--port', '99999'], /--port takes a whole number from 0 to 65535, not "99999"/],
  [['serve', '--model', 'm', '--prometheus-port', '65536'], /--prometheus-port takes a whole number from 0 to 65535/],
  [['serve', '--model', 'm', '--auto-truncate', 'maybe'], /--auto-truncate knows no "maybe"; there are: true, false/],
  [['serve', '--model', 'm', '--cors-allow-origin', 'a.example'], /takes \* or an origin such as .*, not "a\.example"/],
  [['serve', '--model', 'm', '--cors-allow-origin', 'https://a.example/'], /takes \* or an origin/],
  [['serve', '--model', 'two words'], /"two words" cannot be the name .*: give it one by --served-model-name/],
  [['serve', '--model', 'm', '--served-model-name', 'größe'], /--served-model-name takes .* ASCII .*, not "größe"/],
  [['serve', '--model', packageRoot, '--model', `${packageRoot}/`], /Two models, .*, have the name ".*": give each/],
  [['serve', '--model', 'm', '--learner-every', '10'], /--learner-every is for --learner/],
  [['serve', '--model', 'm', '--learner', 'f'], /--learner needs what versions are measured on: --learner-on <data>/],
  [['install'], /install needs to be told what: cuda/],
  [['install', 'cdua'], /install knows no "cdua"; did you mean cuda\?/],
  [['install', 'cuda', '--from'], /--from needs a value: --from <folder or address>/],
  [['install', 'cuda', '--from='], /--from needs a value/],
]
for (const [args, message] of misuses) {
  test(`misuse: ${args.join(' ')}`, async (t) => {
    const { code, out, err } = await call(...args)
    t.is(code, 2)
    t.is(out, '')
    t.regex(err, message)
  })
}

test('help reads neither the library nor the addon nor what the commands do', (t) => {
  const hook = join(temporaryFolder(), 'hook.mjs')
  writeFileSync(
    hook,
    `import { register } from 'node:module'
     register('data:text/javascript,' + encodeURIComponent(\`
       import { writeSync } from 'node:fs'
       export async function load(url, context, next) {
         if (url.startsWith('file:')) writeSync(2, url + '\\\\n')
         return next(url, context)
       }\`))`,
  )
  const { status, stderr } = spawnSync(process.execPath, ['--import', hook, program, '--help'], { encoding: 'utf8' })
  t.is(status, 0)
  const files = stderr.split('\n').filter((line) => line.startsWith('file:') && !line.endsWith('hook.mjs'))
  t.true(files.length > 1 && files.length < 8, `${files}`)
  const strangers = files.filter((file) => !/\/dist\/bundle\/(cli|chunk-\w+)\.js$/.test(file))
  t.deepEqual(strangers, [])
})

test('doctor: one JSON object, the same as npm run doctor, where there is no addon and no home', (t) => {
  const home = temporaryFolder()
  const env = {
    ...{ PATH: process.env.PATH, HOME: home, HF_TOKEN: 'hf_secret', HTTPS_PROXY: 'http://me:secret@proxy:3128' },
    ...{ NO_PROXY: 'localhost', SENTENCE_TORCH_ADDON: join(home, 'absent.node'), XDG_CACHE_HOME: join(home, 'cache') },
  }
  for (const args of [
    [program, 'doctor', '--json'],
    [join(packageRoot, 'install/doctor.mjs'), '--json'],
  ]) {
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: home, env, encoding: 'utf8' })
    t.is(status, 0)
    const facts = JSON.parse(stdout)
    t.false(facts.addon.loads)
    t.true(facts.cpu.threads >= 1)
    t.deepEqual(facts.proxies, {
      ...{ https: 'the proxy http://proxy:3128 (HTTPS_PROXY)', http: null, noProxy: 'localhost' },
    })
    t.notRegex(stdout, /secret/)
  }
  const { status, stdout, stderr } = spawnSync(program, ['doctor'], { cwd: home, env, encoding: 'utf8' })
  t.is(status, 0, stderr)
  t.regex(stdout, /^sentence-torch +\d/m)
  t.regex(stdout, /^Proxy +the proxy http:\/\/proxy:3128 \(HTTPS_PROXY\); NO_PROXY localhost$/m)
  t.notRegex(stdout, /secret/)
  t.false(existsSync(join(home, 'cache')), 'it only looks')
})

test('doctor goes on where the model cache cannot be read, and shows no password of the hub', (t) => {
  const home = temporaryFolder()
  writeFileSync(join(home, 'file'), '')
  const env = {
    ...{ PATH: process.env.PATH, HOME: home, SENTENCE_TORCH_ADDON: join(home, 'absent.node') },
    ...{ HF_HUB_CACHE: join(home, 'file'), HF_ENDPOINT: 'https://me:secret@hub.example/' },
    SENTENCE_TORCH_LIBTORCH_MIRROR: 'https://me:secret@mirror.example/',
  }
  for (const args of [['doctor'], ['doctor', '--json']]) {
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: home, env, encoding: 'utf8' })
    t.is(status, 0, stderr)
    t.regex(stdout, /ENOTDIR/)
    t.regex(stdout, /https:\/\/hub\.example\//)
    t.notRegex(stdout + stderr, /secret/)
  }
})

test('a pipe that is closed early is no failure', (t) => {
  const line = `"${process.execPath}" "${program}" --help | true; exit \${PIPESTATUS[0]}`
  t.is(spawnSync('bash', ['-c', line], { encoding: 'utf8' }).status, 0)
})
