// A server that keeps what MLflow's REST API is told, and refuses or fails as a test asks.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'

export interface Told {
  path: string
  body: Record<string, unknown>
  headers: Record<string, string | string[] | undefined>
}

type Answer = { status: number; body: object } | 'hang' | undefined

export class MlflowServer {
  readonly told: Told[] = []
  readonly experiments = new Map<string, string>([['Default', '0']])
  /** What is answered instead, if it gives something. */
  answer: (path: string, count: number) => Answer = () => undefined
  uri = ''
  close: () => Promise<void> = async () => {}

  static async start(t: ExecutionContext, port = 0): Promise<MlflowServer> {
    const own = new MlflowServer()
    const server = createServer(async (request, response) => {
      const pieces: Buffer[] = []
      for await (const piece of request) pieces.push(piece as Buffer)
      const url = new URL(request.url!, 'http://x')
      const path = url.pathname.replace('/api/2.0/mlflow/', '')
      const text = Buffer.concat(pieces).toString()
      const body = text === '' ? Object.fromEntries(url.searchParams) : (JSON.parse(text) as Record<string, unknown>)
      own.told.push({ path, body, headers: request.headers })
      const found = own.answer(path, own.told.filter((each) => each.path === path).length) ?? own.#usual(path, body)
      if (found === 'hang') return
      response.writeHead(found.status, { 'content-type': 'application/json' }).end(JSON.stringify(found.body))
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    own.uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    own.close = () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    t.teardown(own.close)
    return own
  }

  /** All that was sent to this path. */
  of(path: string): Record<string, unknown>[] {
    return this.told.filter((each) => each.path === path).map(({ body }) => body)
  }

  /** All entries of a kind that were logged, in their order. */
  logged(kind: 'metrics' | 'params' | 'tags'): { key: string; value: unknown; step?: number; timestamp?: number }[] {
    return this.of('runs/log-batch').flatMap((body) => (body[kind] ?? []) as { key: string; value: unknown }[])
  }

  #usual(path: string, body: Record<string, unknown>): { status: number; body: object } {
    const missing = { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'not here' } }
    switch (path) {
      case 'experiments/get-by-name': {
        const id = this.experiments.get(String(body.experiment_name))
        return id === undefined ? missing : { status: 200, body: { experiment: { experiment_id: id } } }
      }
      case 'experiments/create': {
        const id = String(this.experiments.size)
        this.experiments.set(String(body.name), id)
        return { status: 200, body: { experiment_id: id } }
      }
      case 'runs/create':
        return { status: 200, body: { run: { info: { run_id: `run${this.of(path).length}` } } } }
      case 'runs/update':
      case 'runs/log-batch':
        return { status: 200, body: {} }
      default:
        return missing
    }
  }
}
