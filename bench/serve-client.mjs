// The client of bench/serve.mjs: a child process that gets tasks and answers with figures.
import { setTimeout as wait } from 'node:timers/promises'
import { Agent } from 'undici'
import { quantile } from './common/statistics.mjs'

const dispatcher = new Agent({ connections: 512, pipelining: 1 })
const headers = { 'content-type': 'application/json' }

/**
 * As little of the processor as a client can take, which shares its cores with the server.
 * @returns {Promise<{ status: number, milliseconds: number }>}
 */
function embed(url, text) {
  const start = performance.now()
  const request = { origin: url, path: '/embed', method: 'POST', headers, body: JSON.stringify({ inputs: text }) }
  return new Promise((resolve, reject) => {
    const pieces = []
    let status
    dispatcher.dispatch(request, {
      onRequestStart() {},
      onResponseStart: (_, code) => (status = code),
      onResponseData: (_, piece) => pieces.push(piece),
      onResponseEnd() {
        const json = JSON.parse(Buffer.concat(pieces).toString())
        if (status === 200 && !(json[0].length > 0)) reject(new Error('an answer without an embedding'))
        else resolve({ status, milliseconds: performance.now() - start })
      },
      onResponseError: (_, error) => reject(error),
    })
  })
}

const tasks = {
  /** A number of requests at any time, until all texts have their embedding. */
  async together({ url, texts, concurrent }) {
    let next = 0
    const start = performance.now()
    const cpu = process.cpuUsage()
    const one = async () => {
      while (next < texts.length) {
        const { status } = await embed(url, texts[next++])
        if (status !== 200) throw new Error(`status ${status}`)
      }
    }
    await Promise.all(Array.from({ length: concurrent }, one))
    const rate = (texts.length / (performance.now() - start)) * 1000
    const { user, system } = process.cpuUsage(cpu)
    return { rate, processorMilliseconds: (user + system) / 1000 }
  },

  lone: ({ url, text }) => embed(url, text),

  /** So many requests a second, whether they are answered or not. */
  async load({ url, texts, rate, seconds }) {
    const waiting = new Set()
    const [accepted, others] = [[], new Map()]
    const send = (text) => {
      const run = embed(url, text)
        .then(({ status, milliseconds }) => {
          if (status === 200) accepted.push(milliseconds)
          else others.set(String(status), (others.get(String(status)) ?? 0) + 1)
        })
        .catch(({ code, message }) => others.set(code ?? message, (others.get(code ?? message) ?? 0) + 1))
        .finally(() => waiting.delete(run))
      waiting.add(run)
    }
    const start = performance.now()
    let sent = 0
    while (performance.now() - start < seconds * 1000) {
      const due = Math.floor(((performance.now() - start) / 1000) * rate)
      // A client that cannot keep up does not pile its requests up.
      for (; sent < due && waiting.size < 512; sent++) send(texts[sent % texts.length])
      sent = Math.max(sent, due)
      await wait(1)
    }
    await Promise.all(waiting)
    return {
      answered: accepted.length,
      others: Object.fromEntries(others),
      p50: Number(quantile(accepted, 0.5).toPrecision(4)),
      p99: Number(quantile(accepted, 0.99).toPrecision(4)),
    }
  },
}

process.on('message', async (task) => process.send(await tasks[task.kind](task)))
