// bench/gpu.sh and its verdicts, without a GPU: programs that only answer stand in for those of such a machine.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { packageRoot } from '#system'
import { temporaryFolder, writeTree } from './install-helpers.js'

interface Judged {
  verdict: 'pass' | 'fail' | 'not run'
  why: string
}
interface Found {
  reports: Map<string, Map<string, boolean | undefined>>
  parts: { part: string; status?: number }[]
  devices: number
}
const { EVIDENCE, judge, linesOf, testsOf, verdicts } = (await import(
  new URL('../../../bench/gpu-verdicts.mjs', import.meta.url).href
)) as {
  EVIDENCE: Record<string, { tests?: [string, RegExp][]; parts?: RegExp[]; instead?: string }>
  judge(name: string, found: Found): Judged
  linesOf(page: string): { name: string; what: string }[]
  testsOf(report: object): Map<string, boolean | undefined>
  verdicts(folder: string, page?: string): (Judged & { name: string; what: string })[]
}

const page = readFileSync(join(packageRoot, 'docs/cuda.md'), 'utf8')
const script = readFileSync(join(packageRoot, 'bench/gpu.sh'), 'utf8')

const nativeTests = ['cuda_device_test.cpp', 'cuda_graph_test.cpp', 'cuda_ranks_test.cpp'].flatMap((file) => {
  const source = readFileSync(join(packageRoot, 'native/test', file), 'utf8')
  return [...source.matchAll(/^TEST_F\((\w+), (\w+)\)/gm)].map(([, suite, name]) => `${suite}.${name}`)
})

test('every line that has not run has evidence, which the script brings', (t) => {
  const lines = linesOf(page)
  t.deepEqual(lines.map(({ name }) => name).sort(), Object.keys(EVIDENCE).sort())
  for (const { name, what } of lines) {
    t.true(what.length > 5, name)
    const { tests = [], parts = [], instead } = EVIDENCE[name]!
    t.true(tests.length + parts.length > 0 !== (instead !== undefined), name)
    for (const [report, pattern] of tests) {
      t.regex(script, new RegExp(`^ *native ${report} `, 'm'))
      t.true(
        nativeTests.some((test) => pattern.test(test)),
        `${name}: no test is called ${pattern.source}`,
      )
    }
    const named = [...script.matchAll(/^ *(native|addon|part) (\S+) /gm)].map(([, kind, part]) =>
      kind === 'native' ? `native-${part}` : part!,
    )
    for (const pattern of parts)
      t.true(
        named.some((part) => pattern.test(part)),
        pattern.source,
      )
  }
})

const googleTest = (tests: Record<string, 'pass' | 'fail' | 'skip'>) => ({
  testsuites: Object.entries(tests).map(([full, outcome]) => {
    const [name, test] = full.split('.')
    return {
      name,
      testsuite: [
        {
          ...{ name: test, status: 'RUN', result: outcome === 'skip' ? 'SKIPPED' : 'COMPLETED' },
          ...(outcome === 'fail' && { failures: [{ failure: 'no', type: '' }] }),
        },
      ],
    }
  }),
})

test('verdicts of reports', (t) => {
  const reports = new Map([['device', testsOf(googleTest({ 'CudaDevice.WeightGradientsAddUpInFloat32': 'pass' }))]])
  const found: Found = { reports, parts: [], devices: 1 }
  t.deepEqual(judge('weight gradients', found), { verdict: 'pass', why: '' })
  t.is(judge('attention', found).verdict, 'not run')
  t.regex(judge('attention', found).why, /native-device\.json has none of/)
  t.regex(judge('several devices', found).why, /it needs 2 GPUs, here 1; by hand/)
  t.is(judge('unheard of', found).verdict, 'not run')

  const encoding = (outcome: 'pass' | 'fail' | 'skip', status?: number) =>
    judge('encoding', {
      reports: new Map([['device', testsOf(googleTest({ 'CudaDevice.EncodesAsTheCpu': outcome }))]]),
      parts: [{ part: 'addon-on-device', ...(status !== undefined && { status }) }],
      devices: 1,
    })
  t.is(encoding('pass', 0).verdict, 'pass')
  t.deepEqual(encoding('pass', 124), { verdict: 'fail', why: 'addon-on-device ended with 124' })
  t.deepEqual(encoding('fail', 0), { verdict: 'fail', why: 'CudaDevice.EncodesAsTheCpu (device)' })
  // What failed counts more than what did not run.
  t.is(encoding('fail').verdict, 'fail')
  t.is(encoding('skip', 0).verdict, 'not run')
  t.is(encoding('pass').verdict, 'not run')
})

test('verdicts of a folder of reports', (t) => {
  const folder = writeTree(temporaryFolder(), {
    'native-device.json': JSON.stringify(googleTest({ 'CudaDevice.TrainsAsTheCpu': 'pass', 'CudaDevice.X': 'skip' })),
    'gpu-check.json': JSON.stringify({ devices: 2, parts: [{ part: 'build', status: 0, seconds: 1 }] }),
    'log-check.txt': '',
  })
  const all = verdicts(folder)
  t.is(all.length, linesOf(page).length)
  t.deepEqual([...new Set(all.map(({ verdict }) => verdict))], ['not run'])
  t.is(all.find(({ name }) => name === 'several devices')!.why, 'by hand: load models on cuda:1')
  t.throws(() => verdicts(folder, 'no list'), { message: /no list after/ })
})

/** Programs that answer as those of a machine with a GPU. */
function machine(devices = 2): { bin: string; out: string; build: string } {
  const root = temporaryFolder()
  const python = `case "$*" in
  *get_device_capability*) echo 90 ;;
  *device_count*) echo ${devices} ;;
  *version.cuda*) echo 13.0 ;;
  *__version__*) echo 2.11.0 ;;
  *dirname*) echo ${root}/torch ;;
  "- "*) cat >/dev/null; printf '{"devices":1,"parts":[%s]}' "$(paste -sd, "$2")" >"$3" ;;
esac`
  const report = JSON.stringify(googleTest({ 'CudaDevice.EncodesAsTheCpu': 'pass' }))
  const tests = `#!/bin/sh\ncp ${root}/report.json "\${GTEST_OUTPUT#json:}"\n`
  const programs: Record<string, string> = {
    python3: python,
    nvcc: 'echo 13.0',
    'g++': 'exit 0',
    // The build makes the test program, which writes its report.
    cmake: `case "$*" in
  *native_tests*) cp ${root}/tests ${root}/build/native_tests; chmod +x ${root}/build/native_tests ;;
  *--build*) mkdir -p ${root}/build/Release; : >${root}/build/Release/sentence_torch.node ;;
  *) : >${root}/build/CMakeCache.txt ;;
esac`,
    node: `case "$*" in
  *gpu-verdicts*) exec ${process.execPath} "$@" ;;
  *) echo "ok 1" ;;
esac`,
  }
  const files = Object.fromEntries(
    Object.entries(programs).map(([name, text]) => [`bin/${name}`, `#!/bin/sh\n${text}\n`]),
  )
  writeTree(root, { ...files, tests, 'report.json': report })
  for (const name of Object.keys(programs)) chmodSync(join(root, 'bin', name), 0o755)
  return { bin: join(root, 'bin'), out: join(root, 'out'), build: join(root, 'build') }
}

function gpuScript(args: string[], { bin, out, build }: ReturnType<typeof machine>, env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync('bash', [join(packageRoot, 'bench/gpu.sh'), ...args], {
    encoding: 'utf8',
    env: { PATH: `${bin}:/usr/bin:/bin`, HOME: out, OUT: out, SENTENCE_TORCH_BUILD: build, ...env },
  })
  return { status, text: stdout + stderr }
}

const onLinux = process.platform === 'linux' && existsSync(join(packageRoot, 'dist/bundle/index.js')) ? test : test.skip

onLinux('a dry run names every part and what is missing, and runs nothing', (t) => {
  const whole = machine()
  const check = gpuScript(['--dry-run', 'check'], whole)
  t.is(check.status, 0, check.text)
  const parts = ['configure', 'build', 'addon-check', 'native-device', 'native-device-tf32', 'addon-on-device']
  for (const part of [...parts, 'native-ranks', 'addon-ranks'])
    t.regex(check.text, new RegExp(`gpu\\.sh: ${part}, at most \\d+ s`))
  t.regex(check.text, /CMAKE_CUDA_ARCHITECTURES=90-real/)
  t.regex(check.text, /everything is there/)
  t.false(existsSync(join(whole.build, 'native_tests')))
  t.is(gpuScript(['--dry-run', 'bench'], whole).status, 0)

  const without = gpuScript(['--dry-run'], machine(), { PYTHON: 'no-such-python' })
  t.is(without.status, 1)
  t.regex(without.text, /missing: torch for no-such-python/)
  t.is(gpuScript(['test'], whole).status, 2)
})

onLinux('both commands on a machine that only answers', (t) => {
  const stand = machine()
  const check = gpuScript(['check'], stand)
  t.is(check.status, 0, check.text)
  t.regex(check.text, /^PASS +encoding: on a device at all$/m)
  t.regex(check.text, /^NOT RUN +attention: /m)
  t.is(check.text.match(/^(PASS|FAIL|NOT RUN) /gm)!.length, linesOf(page).length)
  const { parts } = JSON.parse(readFileSync(join(stand.out, 'gpu-check.json'), 'utf8'))
  t.true(parts.length >= 13)
  t.true(parts.every(({ status }: { status: number }) => status === 0))
  const bench = gpuScript(['bench'], stand)
  t.is(bench.status, 0, bench.text)
  t.is(readFileSync(join(stand.out, 'bench.jsonl'), 'utf8').match(/"theme":"way"/g)!.length, 3)
  t.is(gpuScript(['bench'], machine()).status, 2, 'without a build')
})

onLinux('what needs two GPUs is skipped where there is one', (t) => {
  const stand = machine(1)
  const check = gpuScript(['check'], stand)
  t.is(check.status, 0, check.text)
  for (const part of ['native-ranks', 'addon-ranks'])
    t.regex(check.text, new RegExp(`^gpu\\.sh: ${part}: skipped, it needs 2 GPUs, here 1$`, 'm'))
  t.regex(check.text, /^NOT RUN +ranks: /m)
  const bench = gpuScript(['bench'], stand)
  t.is(bench.status, 0, bench.text)
  t.regex(bench.text, /bench-ranks: skipped, it needs 2 GPUs, here 1/)
})

onLinux('what fails or has no time left is said', (t) => {
  const late = machine()
  const { status, text } = gpuScript(['check'], late, { LIMIT: '0' })
  t.is(status, 0)
  t.regex(text, /configure: skipped, no time was left/)
  t.regex(text, /^NOT RUN +encoding/m)
  const failing = machine()
  writeTree(failing.bin, { cmake: '#!/bin/sh\necho no compiler; exit 3\n' })
  const failed = gpuScript(['check'], failing)
  t.is(failed.status, 1)
  t.regex(failed.text, /configure: ended with 3/)
  t.regex(failed.text, /no compiler/)
})
