// One run of the benchmarks: options, the machine, trials in turns (A B A B …) each in a process of its own, JSON lines.
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cores, cpuFeatures, cpuModel } from '../../install/system.mjs'
import { kindOf, missing, modelFor, PROGRAMS } from './peers.mjs'

const trials = fileURLToPath(new URL('../trials/', import.meta.url))
const root = join(trials, '..', '..')
const MINUTE = 60_000

export class Run {
  /** @param options of run.mjs: data, model, rounds, steps, warmUp, threads, programs, json, timeout */
  constructor(options) {
    this.options = options
    this.folder = mkdtempSync(join(tmpdir(), 'sentence-torch-bench-'))
    this.machine = {
      processor: cpuModel(),
      features: cpuFeatures(),
      cores: cores().allowed,
      date: new Date().toISOString().slice(0, 10),
    }
    this.rates = { float32: 0, bfloat16: 0 }
    this.said = new Set()
    this.emit({ theme: 'machine', ...this.machine })
  }

  close() {
    rmSync(this.folder, { recursive: true })
  }

  emit(record) {
    const line = JSON.stringify(record)
    if (!this.options.table) console.log(line)
    if (this.options.out) appendFileSync(this.options.out, `${line}\n`)
    return record
  }

  /** Once each, on stderr. */
  say(text) {
    if (this.said.has(text)) return
    this.said.add(text)
    console.error(text)
  }

  hasBf16() {
    return this.machine.features.some((feature) => ['avx512_bf16', 'amx_bf16', 'bf16'].includes(feature))
  }

  /** Of `wanted`, those that the options ask for and that can run here; the others are named. */
  programs(wanted) {
    const chosen = this.options.programs
    return wanted.filter((program) => {
      if (chosen ? !chosen.includes(program) : PROGRAMS[program].slow) return false
      const reason = missing(program)
      if (reason) this.say(`${PROGRAMS[program].label} is left out: ${reason}`)
      return !reason
    })
  }

  /** Names of workloads: those of `known` that the options ask for, else `usual`. */
  workloads(known, usual) {
    return this.options.workloads?.filter((name) => name in known) ?? usual
  }

  /** A file of columns for the trials. */
  dataFile(name, columns) {
    const file = join(this.folder, `${name}.json`)
    writeFileSync(file, JSON.stringify(columns))
    return file
  }

  /** One trial; what it said in its last line, or undefined (with a message) where it failed. */
  trial(program, script, settings, facts) {
    const { interpreter, script: nameOf } = kindOf(program)
    const { dtype, compile, label } = PROGRAMS[program]
    const all = { dtype, threads: this.options.threads, started: Date.now(), ...settings }
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)])
    if (compile) args.push('--compile')
    const { status, stdout, stderr, error } = spawnSync(interpreter, [join(trials, nameOf(script)), ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      cwd: root,
      timeout: this.options.timeout * MINUTE,
      env: {
        ...process.env,
        HF_HUB_OFFLINE: '1',
        TOKENIZERS_PARALLELISM: process.env.TOKENIZERS_PARALLELISM ?? 'true',
      },
    })
    if (error || status !== 0) {
      const lines = (error ? error.message : stderr).trim().split('\n')
      const reason = lines.findLast((line) => /Error|Expected|refused/.test(line)) ?? lines.at(-1)
      this.emit({ ...facts, program, failed: reason })
      this.say(`${label} is left out of ${facts.theme} ${facts.workload ?? ''}: ${reason}`)
      if (process.env.SENTENCE_TORCH_BENCH_DEBUG) console.error(stderr)
      return undefined
    }
    const { processor, features } = this.machine
    const said = JSON.parse(stdout.trim().split('\n').at(-1))
    return this.emit({ ...facts, ...said, ...facts, program, processor, features })
  }

  /**
   * `rounds` trials of each program in turns. A program that fails once is left out from then on.
   * @returns trials by program
   */
  inTurns(
    theme,
    programs,
    { workload, model, script = theme, settings = {}, facts = {}, rounds = this.options.rounds },
  ) {
    const found = new Map(programs.map((program) => [program, []]))
    for (let round = 1; round <= rounds; round++) {
      for (const program of [...found.keys()]) {
        const folder = modelFor(program, model, this.options.model)
        const said = { theme, workload, round, ...facts }
        const out = join(this.folder, `${program}.f32`)
        if (!folder) this.say(`${PROGRAMS[program].label} has no ${model} (bench/peer_models.py makes it)`)
        const trial = folder && this.trial(program, script, { model: folder, out, ...settings }, said)
        if (trial) found.get(program).push(trial)
        else found.delete(program)
      }
    }
    return found
  }

  /** Embeddings that the last trial of a program has written. */
  embeddings(program) {
    const bytes = readFileSync(join(this.folder, `${program}.f32`))
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  }

  /** Measures what the machine can do and keeps the best of this run; the measurement itself. */
  measureMachine(seconds = 0.25) {
    const dtypes = this.hasBf16() ? 'float32,bfloat16' : 'float32'
    const found = this.trial('ours', 'rates', { dtypes, seconds }, { theme: 'rates' })
    if (!found) throw new Error('The rates of the machine could not be measured')
    // Our products of floats as parts on tiles are faster than any by fused multiply-add, which floors are counted by.
    for (const { dtype, gflops, ownGflops } of found.gemms) {
      const split = found.kernels === 'amx' && dtype === 'float32'
      this.rates[dtype] = Math.max(this.rates[dtype], gflops, split ? 0 : ownGflops)
      if (split) this.rates['float32 on tiles'] = Math.max(this.rates['float32 on tiles'] ?? 0, ownGflops)
    }
    return found
  }
}
