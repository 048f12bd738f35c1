// deploy/Dockerfile as it is, built by buildah without a daemon and without a registry of images: what it begins with is made here, of
// Debian's packages and Node's. Then the pod of deploy/encode-job.yaml encodes a text, as far as that goes without a cluster: as a user
// without rights, without a network, in a root that cannot be written. Needs root, buildah and mmdebstrap.
import {
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { systemTarball } from '../debian-system.mjs'
import { size } from '../measure.mjs'
import { attempt, run, Skip } from '../run-program.mjs'
import { tool, toolVersion } from '../toolbox.mjs'

const deploy = fileURLToPath(new URL('../../../deploy/', import.meta.url))
const { version } = JSON.parse(readFileSync(join(deploy, '../package.json'), 'utf8'))
const MOST_MEGABYTES = 700
const USER = 1000

async function image(context) {
  if (process.getuid() !== 0) throw new Skip('a root for others needs root')
  const found = await attempt('buildah', ['--version']).catch(() => undefined)
  if (found?.status !== 0) throw new Skip('buildah was not found (apt-get install buildah)')
  const folder = join(context.work, 'image')
  // Plain folders, which any file system has.
  const place = ['--root', join(folder, 'images'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
  const buildah = (command, ...words) => run('buildah', [...place, command, ...words], { timeout: 900 })
  const commit = async (root, name) => {
    const container = (await buildah('from', 'scratch')).trim()
    await buildah('add', '--quiet', container, root, '/')
    await buildah('commit', '--quiet', container, name)
    await buildah('rm', container)
  }

  const system = join(folder, 'system')
  mkdirSync(system, { recursive: true })
  await run('tar', ['-xpf', await systemTarball('bookworm'), '-C', system])
  // The slim image of Debian has no such files either.
  for (const name of ['doc', 'info', 'lintian', 'locale', 'man'])
    rmSync(join(system, 'usr/share', name), { recursive: true, force: true })
  await commit(system, 'debian:bookworm-slim')
  const local = join(system, 'usr/local')
  cpSync(await tool('node22'), join(local, 'bin/node'))
  const npm = 'lib/node_modules/npm'
  cpSync(dirname(dirname(await tool('npm11'))), join(local, npm), { recursive: true })
  symlinkSync(`../${npm}/bin/npm-cli.js`, join(local, 'bin/npm'))
  await commit(system, 'node:22-bookworm-slim')

  const file = ['--file', join(deploy, 'Dockerfile'), '--isolation', 'chroot', '--network', 'host', '--pull-never']
  const values = [`VERSION=${version}`, `NPM_CONFIG_REGISTRY=${context.registry.url}`]
  const start = Date.now()
  await buildah('bud', ...file, ...values.flatMap((value) => ['--build-arg', value]), '--tag', 'sentence-torch', deploy)
  const seconds = (Date.now() - start) / 1000
  const { config } = JSON.parse(await buildah('inspect', '--type', 'image', 'sentence-torch')).OCIv1
  if (config.User !== `${USER}:${USER}`) throw new Error(`the image runs as ${config.User}`)

  const root = (await buildah('mount', (await buildah('from', '--pull-never', 'sentence-torch')).trim())).trim()
  const megabytes = size(root)
  if (megabytes >= MOST_MEGABYTES) throw new Error(`the image has ${megabytes} MB`)
  const corpus = join(folder, 'corpus')
  cpSync(context.model, join(corpus, 'model'), { recursive: true })
  writeFileSync(join(corpus, 'docs.jsonl'), '{"text":"one text"}\n')
  chownSync(corpus, USER, USER)
  await pod(root, corpus, config)
  const record = JSON.parse(readFileSync(join(corpus, 'vectors/manifest.json'), 'utf8'))
  if (record.total !== 1) throw new Error(`the folder has ${record.total} rows`)
  const others = readdirSync(join(corpus, 'vectors')).filter(
    (name) => statSync(join(corpus, 'vectors', name)).uid !== USER,
  )
  if (others.length > 0) throw new Error(`${others.join(', ')} are of another user`)
  await buildah('rm', '--all')
  return {
    note: `${megabytes} MB, built in ${seconds.toFixed(0)} s with node ${toolVersion('node22')}; one text without a network`,
  }
}

/** What the first pod of the Job runs, under what it asks for. */
async function pod(root, corpus, config) {
  const [container] = parse(readFileSync(join(deploy, 'encode-job.yaml'), 'utf8')).spec.template.spec.containers
  const { readOnlyRootFilesystem, allowPrivilegeEscalation } = container.securityContext
  if (!readOnlyRootFilesystem || allowPrivilegeEscalation)
    throw new Error('the Job asks for other rights than are tried here')
  const env = {
    // As container runtimes set them.
    ...{ PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/home/node' },
    ...Object.fromEntries(config.Env.map((line) => line.split(/=(.*)/s).slice(0, 2))),
    ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
    JOB_COMPLETION_INDEX: '0',
  }
  const script = `set -e
    mount --bind "$0" "$0"
    mkdir -p "$0/corpus" && mount --bind "$1" "$0/corpus"
    mount -t proc proc "$0/proc" && mount -t tmpfs -o mode=1777 tmp "$0/tmp" && mount --bind /dev "$0/dev"
    mount -o remount,bind,ro "$0"
    root="$0" folder="$2"; shift 2
    exec setpriv --no-new-privs chroot --userspec=${USER}:${USER} "$root" /usr/bin/env --chdir="$folder" "$@"`
  const words = [root, corpus, config.WorkingDir, ...container.command, ...container.args]
  await run('unshare', ['--mount', '--net', '/bin/sh', '-c', script, ...words], { env })
}

export const cases = [
  {
    name: 'image',
    what: "deploy/Dockerfile, built by buildah; the Job's pod encodes a text in it, without rights and network",
    run: image,
  },
]
