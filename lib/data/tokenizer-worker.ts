/** The thread of tokenizer-pool.ts: one tokenizer for its whole life, one job at a time. */
import { parentPort, workerData } from 'node:worker_threads'
import { Tokenizer } from './tokenizer.js'
import type { TokenizerJob, TokenizerReply, TokenizerSource } from './tokenizer-pool.js'

const { tokenizerJson, tokenizerConfig, options } = workerData as TokenizerSource
const tokenizer = Tokenizer.fromFiles(tokenizerJson, tokenizerConfig, options)

parentPort!.on('message', ({ id, texts, maxSeqLength }: TokenizerJob) => {
  try {
    const { ids, offsets } = tokenizer.encode(texts, maxSeqLength)
    const reply: TokenizerReply = { id, ids, offsets }
    parentPort!.postMessage(reply, [ids.buffer as ArrayBuffer, offsets.buffer as ArrayBuffer])
  } catch (error) {
    const reply: TokenizerReply = { id, error: error instanceof Error ? error.message : String(error) }
    parentPort!.postMessage(reply)
  }
})
