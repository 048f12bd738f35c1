// What an editor shows: TypeScript's language server, over its standard streams.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const TSC = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))
const HEADER_END = '\r\n\r\n'

interface Message {
  id?: number
  method?: string
  params?: { items?: unknown[] }
  result?: unknown
}

/** A language server with one open file. */
export class LanguageServer {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #waiting = new Map<number, { resolve: (message: Message) => void; reject: (error: Error) => void }>()
  readonly #uri: string
  readonly #text: string
  #received = Buffer.alloc(0)

  private constructor(file: string) {
    this.#uri = pathToFileURL(file).href
    this.#text = readFileSync(file, 'utf8')
    this.#process = spawn(process.execPath, [TSC, '--lsp', '--stdio'], { cwd: dirname(file) })
    this.#process.stdout.on('data', (data: Buffer) => this.#receive(data))
    this.#process.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`The language server ended with ${code}`))
    })
  }

  static async open(file: string): Promise<LanguageServer> {
    const server = new LanguageServer(file)
    const rootUri = pathToFileURL(dirname(file)).href
    await server.#ask('initialize', { processId: process.pid, rootUri, capabilities: {} })
    server.#send({ method: 'initialized', params: {} })
    const textDocument = { uri: server.#uri, languageId: 'typescript', version: 1, text: server.#text }
    server.#send({ method: 'textDocument/didOpen', params: { textDocument } })
    return server
  }

  /** What the editor shows at the first `mark` of the file, `skip` characters behind its start. */
  async hover(mark: string, skip = 0): Promise<string> {
    const start = this.#text.indexOf(mark) + skip
    if (start < skip) throw new Error(`The file has no ${mark}`)
    const before = this.#text.slice(0, start).split('\n')
    const position = { line: before.length - 1, character: before.at(-1)!.length }
    const { result } = await this.#ask('textDocument/hover', { textDocument: { uri: this.#uri }, position })
    const { contents } = (result ?? {}) as { contents?: { value?: string } }
    return contents?.value ?? ''
  }

  close(): void {
    this.#process.kill()
  }

  #ask(method: string, params: object): Promise<Message> {
    const id = this.#waiting.size + 1
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#send({ id, method, params })
    })
  }

  #send(message: object): void {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message })
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(text)}${HEADER_END}${text}`)
  }

  #receive(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data])
    for (;;) {
      const end = this.#received.indexOf(HEADER_END)
      if (end < 0) return
      const length = Number(/Content-Length: (\d+)/i.exec(this.#received.toString('latin1', 0, end))?.[1])
      const start = end + HEADER_END.length
      if (this.#received.length < start + length) return
      const message = JSON.parse(this.#received.toString('utf8', start, start + length)) as Message
      this.#received = this.#received.subarray(start + length)
      // It asks for settings, of which there are none; its answers have the number of what was asked.
      if (message.method !== undefined && message.id !== undefined) {
        this.#send({ id: message.id, result: message.params?.items?.map(() => null) ?? null })
      } else if (message.id !== undefined) {
        this.#waiting.get(message.id)?.resolve(message)
      }
    }
  }
}
