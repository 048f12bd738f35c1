// deploy/: the calls are those that the program takes, the manifests fit Kubernetes' schemas (where kubernetes-validate is installed), and
// the scripts can be parsed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { parse, stringify } from 'yaml'
import { commands } from '../../lib/cli/commands.js'
import { shardOf } from '../../lib/cli/encode-shard.js'
import { parseCommand } from '../../lib/cli/parser.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const job = parse(read('deploy/encode-job.yaml'))
const training = parse(read('deploy/train-pytorchjob.yaml'))

interface Pod {
  containers: {
    name: string
    args?: string[]
    env?: { name: string; value: string }[]
    resources: { requests: { cpu: string } }
    volumeMounts: { name: string }[]
  }[]
  volumes: { name: string }[]
}
const pods: Record<string, Pod> = {
  job: job.spec.template.spec,
  master: training.spec.pytorchReplicaSpecs.Master.template.spec,
  worker: training.spec.pytorchReplicaSpecs.Worker.template.spec,
}

/** Runs a script of a shell with other programs in place of its own; returns the words that the last one was called with. */
function wordsOf(script: string, env: Record<string, string>): string[] {
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout.trim().split('\n')
}

function checked(words: readonly string[]) {
  const command = commands.find(({ name }) => name === words[0])!
  return parseCommand(command, words.slice(1))!
}

test('the Slurm script calls encode with the shard of its task', (t) => {
  // exec finds no function, so it goes.
  const script = read('deploy/slurm-encode.sh').replace('exec npx sentence-torch', "printf '%s\\n'")
  // One task alone, submitted again: the shards are those of all.
  const env = { SLURM_ARRAY_TASK_ID: '3', SLURM_ARRAY_TASK_COUNT: '1', INPUT: 'a b.jsonl' }
  const { options, words } = checked(wordsOf(script, env))
  t.deepEqual(words, ['sentence-transformers/all-MiniLM-L6-v2', 'a b.jsonl'])
  t.like(options, { shard: '3/64', 'output-folder': 'vectors', document: true })
  t.is(spawnSync('bash', ['-n', join(root, 'deploy/slurm-encode.sh')]).status, 0)
})

test('the pods of the Job have a shard each', (t) => {
  const { completions, completionMode, parallelism, backoffLimitPerIndex } = job.spec
  t.is(completionMode, 'Indexed')
  t.true(parallelism <= completions && backoffLimitPerIndex > 0)
  const [container] = pods.job!.containers
  const env = Object.fromEntries(container!.env!.map(({ name, value }) => [name, value]))
  t.is(env.SHARDS, String(completions))
  const shards = Array.from({ length: completions }, (_, index) => {
    const script = container!.args![0]!.replace('exec sentence-torch', "printf '%s\\n'")
    const { options } = checked(wordsOf(script, { ...env, JOB_COMPLETION_INDEX: String(index) }))
    t.is(options['output-folder'], '/corpus/vectors')
    return shardOf(options.shard as string).first
  })
  t.deepEqual(
    shards,
    Array.from({ length: completions }, (_, index) => index),
  )
})

test('the training is a call that the program takes, and volumes are there', (t) => {
  for (const [name, { containers, volumes }] of Object.entries(pods)) {
    const [{ env, resources }] = containers as [Pod['containers'][number]]
    t.is(env!.find((each) => each.name === 'SENTENCE_TORCH_THREADS')?.value, resources.requests.cpu)
    if (name !== 'job') t.notThrows(() => checked(containers[0]!.args!))
    t.deepEqual(
      containers[0]!.volumeMounts.map((mount) => mount.name),
      volumes.map((volume) => volume.name),
    )
  }
  t.is(pods.master!.containers[0]!.name, 'pytorch')
})

test('the image runs as nobody else, from two stages', (t) => {
  const text = read('deploy/Dockerfile')
  const stages = text.match(/^FROM .*$/gm)!
  t.is(stages.length, 2)
  const last = text.slice(text.lastIndexOf('\nFROM '))
  t.regex(last, /^USER 1000:1000$/m)
  t.notRegex(last, /npm |apt-get/)
  t.regex(last, /^ENTRYPOINT \["sentence-torch"\]$/m)
})

const validator = ['kubernetes-validate', process.env.SENTENCE_TORCH_KUBERNETES_VALIDATE ?? ''].find(
  (program) => program !== '' && spawnSync(program, ['--version']).status === 0,
)
const withValidator = validator === undefined ? test.skip : test
withValidator("the manifests fit Kubernetes' schemas", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const validate = (path: string) => {
    const { status, stdout, stderr } = spawnSync(validator!, ['--strict', path], { encoding: 'utf8' })
    return { status, text: stdout + stderr }
  }
  const found = validate(join(root, 'deploy/encode-job.yaml'))
  t.is(found.status, 0, found.text)
  t.regex(found.text, /passed for resource job\/encode/)
  // There is no schema of Kubeflow's kinds; their pods are Kubernetes' own.
  for (const [name, spec] of Object.entries(pods)) {
    const path = join(folder, `${name}.yaml`)
    writeFileSync(path, stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }))
    const pod = validate(path)
    t.is(pod.status, 0, pod.text)
    writeFileSync(path, stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { ...spec, volume: [] } }))
    t.not(validate(path).status, 0)
  }
})

test('what the pages of deploy name is there', (t) => {
  for (const [, path = ''] of read('deploy/README.md').matchAll(/\]\(([^)]+)\)/g))
    t.true(existsSync(join(root, 'deploy', path)), path)
})
