// A headless Chromium, spoken to by its DevTools protocol. Nothing of it is a dependency: where there is none, tests are skipped.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { WebSocket } from 'undici'

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The program, if there is one. */
export function findChromium(): string | undefined {
  return PROGRAMS.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
}

export interface Viewport {
  width: number
  height?: number
  /** Default light. */
  dark?: boolean
}

/** What a page did and what it said. */
export interface OpenPage {
  /** Errors of the console, of scripts, of the security policy and of the network; and every address that was asked for. */
  problems: string[]
  requests: string[]
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>
}

interface Message {
  id?: number
  method?: string
  params?: Record<string, never> & { type?: string; entry?: { level: string; text: string }; request?: { url: string } }
  result?: unknown
  error?: { message: string }
}

export class Chromium {
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (message: Message) => void>()
  #listener: (message: Message) => void = () => {}
  #last = 0

  private constructor(process: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = process
    this.#folder = folder
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as Message
      if (message.id === undefined) this.#listener(message)
      else this.#waiting.get(message.id)?.(message)
    })
  }

  static async open(program: string): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-chromium-'))
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage']
    const process = spawn(
      program,
      [...flags, '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    const address = await new Promise<string>((resolve, reject) => {
      process.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)))
      createInterface({ input: process.stderr! }).on('line', (line) => {
        const [, found] = /DevTools listening on (ws:\S+)/.exec(line) ?? []
        if (found) resolve(found)
      })
    })
    const socket = new WebSocket(address)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', () => reject(new Error(`no connection to ${program}`)))
    })
    return new Chromium(process, folder, socket)
  }

  /** Opens an address in a page of its own. */
  async page(url: string, { width, height = 900, dark = false }: Viewport): Promise<OpenPage> {
    const { targetId } = await this.#send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.#send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
    const send = <T>(method: string, params: object = {}) => this.#send<T>(method, params, sessionId)
    const found: OpenPage = {
      ...{ problems: [], requests: [] },
      evaluate: async <T>(expression: string) => {
        const { result, exceptionDetails } = await send<{ result: { value: T }; exceptionDetails?: object }>(
          'Runtime.evaluate',
          { expression, returnByValue: true, awaitPromise: true },
        )
        if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails))
        return result.value
      },
    }
    const isLoaded = new Promise<void>((resolve) => {
      this.#listener = ({ method, params }) => {
        if (method === 'Page.loadEventFired') resolve()
        if (method === 'Runtime.exceptionThrown') found.problems.push(JSON.stringify(params))
        if (method === 'Runtime.consoleAPICalled' && params?.type === 'error')
          found.problems.push(JSON.stringify(params))
        if (method === 'Log.entryAdded' && params?.entry?.level === 'error') found.problems.push(params.entry.text)
        if (method === 'Network.requestWillBeSent') found.requests.push(params!.request!.url)
      }
    })
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`)
    await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 })
    await send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
    })
    await send('Page.navigate', { url })
    await isLoaded
    // Messages about the page come a little later.
    await setTimeout(100)
    return found
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    await this.#send('Browser.close').catch(() => {})
    this.#socket.close()
    await Promise.race([ended, setTimeout(5000)])
    this.#process.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        this.#waiting.delete(id)
        if (error) reject(new Error(`${method}: ${error.message}`))
        else resolve(result as T)
      })
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }))
    })
  }
}
