// Machines of their own on this one: network namespaces, joined by a bridge (Linux, root).
import { execFileSync } from 'node:child_process'

const run = (...args) => execFileSync(args[0], args.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] }).toString()

/** Why namespaces cannot be made here; undefined: they can. */
export function whyNoMachines() {
  if (process.platform !== 'linux') return 'network namespaces are Linux’s'
  try {
    run('ip', 'netns', 'add', `st-probe-${process.pid}`)
    run('ip', 'netns', 'del', `st-probe-${process.pid}`)
    return undefined
  } catch (error) {
    return `ip netns add: ${error.message.split('\n').join(' ')}`
  }
}

/**
 * Machines with one network interface each (eth0), in one network.
 * @param {number} count
 * @param {string} [rate] of what each machine sends, as tc takes it (`1gbit`)
 */
export function machines(count, rate) {
  const id = process.pid % 100_000
  const names = Array.from({ length: count }, (_, i) => `st${i}-${id}`)
  const hub = `sthub-${id}`
  const close = () => {
    for (const name of [...names, hub]) {
      try {
        run('ip', 'netns', 'del', name)
      } catch {
        // It was not made.
      }
    }
  }
  try {
    run('ip', 'netns', 'add', hub)
    run('ip', '-n', hub, 'link', 'add', 'br0', 'type', 'bridge')
    run('ip', '-n', hub, 'link', 'set', 'br0', 'up')
    for (const [i, name] of names.entries()) {
      run('ip', 'netns', 'add', name)
      run('ip', '-n', hub, 'link', 'add', `port${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
      run('ip', '-n', hub, 'link', 'set', `port${i}`, 'master', 'br0', 'up')
      run('ip', '-n', name, 'address', 'add', `${addressOf(i)}/24`, 'dev', 'eth0')
      run('ip', '-n', name, 'link', 'set', 'lo', 'up')
      run('ip', '-n', name, 'link', 'set', 'eth0', 'up')
      // Another network, whose packets end at the first machine, which forwards nothing.
      if (i > 0) run('ip', '-n', name, 'route', 'add', '10.78.0.0/24', 'via', addressOf(0))
      if (rate === undefined) continue
      const bucket = ['rate', rate, 'burst', '256kb', 'latency', '400ms']
      run('tc', '-n', name, 'qdisc', 'add', 'dev', 'eth0', 'root', 'tbf', ...bucket)
    }
  } catch (error) {
    close()
    throw error
  }
  return {
    names,
    addresses: names.map((_, i) => addressOf(i)),
    /** The words before a command that runs on machine `i`. */
    on: (i) => ['ip', 'netns', 'exec', names[i]],
    /** Takes the cable out of machine `i`: the others see nothing of it. */
    unplug: (i) => void run('ip', '-n', hub, 'link', 'set', `port${i}`, 'nomaster'),
    close,
  }
}

function addressOf(i) {
  return `10.77.0.${i + 1}`
}
