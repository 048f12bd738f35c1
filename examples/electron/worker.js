// The utility process: a Node process of its own, with the engine. Commands come as { id, command, args }; the answer is
// { id, result } or { id, error }, before it as many { id, progress } as there are.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'

const port = process.parentPort
let model

const commands = {
  /** `folder`: a model folder, or a name of the hub, which is fetched into the Hugging Face cache. */
  async load({ folder }) {
    await model?.dispose()
    model = await SentenceTransformer.load(folder)
    return { dimension: (await model.encode([''])).shape[1] }
  },

  /** One row of numbers per text. Plain typed arrays are what a message can carry. */
  async embed({ texts }) {
    const { data, shape } = await model.encode(texts)
    return { data: Float32Array.from(data), shape: [...shape] }
  },

  /** `pairs`: texts that belong together. The engine computes on threads of its own: this process goes on answering. */
  async train({ pairs, steps, saveTo }, report) {
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: Dataset.fromRows(pairs.map(([anchor, positive]) => ({ anchor, positive }))),
      loss: new losses.MultipleNegativesRankingLoss(),
      args: {
        outputDir: join(tmpdir(), 'sentence-torch-electron'),
        maxSteps: steps,
        perDeviceTrainBatchSize: 4,
        loggingSteps: 1,
        saveStrategy: 'no',
      },
      callbacks: [
        {
          onLog({ loss }, { state }) {
            if (loss !== undefined) report({ step: state.globalStep, steps, loss })
          },
        },
      ],
      progress: false,
    })
    await trainer.train()
    await model.save(saveTo)
    return { saved: saveTo }
  },
}

port.on('message', async ({ data: { id, command, args } }) => {
  try {
    if (!Object.hasOwn(commands, command)) throw new Error(`there is no command ${command}`)
    if (command !== 'load' && !model) throw new Error('no model is loaded yet')
    const result = await commands[command](args, (progress) => port.postMessage({ id, progress }))
    port.postMessage({ id, result })
  } catch (error) {
    // An error loses its class on the way; its code and message say what happened.
    port.postMessage({ id, error: { code: error.code ?? error.name, message: error.message } })
  }
})
