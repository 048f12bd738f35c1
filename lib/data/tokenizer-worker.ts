/** The thread of tokenizer-pool.ts: one tokenizer for its whole life, one job at a time. */
import { parentPort, workerData } from 'node:worker_threads'
import { TextError } from './text-errors.js'
import { Tokenizer } from './tokenizer.js'
import type { TokenizerJob, TokenizerReply, TokenizerSource } from './tokenizer-pool.js'

const { files, options } = workerData as TokenizerSource
const tokenizer = Tokenizer.from(files, options)

parentPort!.on('message', ({ id, texts, maxSeqLength }: TokenizerJob) => {
  try {
    const { ids, offsets } = tokenizer.rows(texts, maxSeqLength)
    const reply: TokenizerReply = { id, ids, offsets }
    parentPort!.postMessage(reply, [ids.buffer as ArrayBuffer, offsets.buffer as ArrayBuffer])
  } catch (error) {
    const { index, code, message } = TextError.at(0, error)
    const reply: TokenizerReply = { id, index, code, error: message }
    parentPort!.postMessage(reply)
  }
})
