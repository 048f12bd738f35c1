import { type DataSource, isDataset, sourcesOf } from '../../data/feed.js'
import { datasetSha256 } from '../../data/hash-dataset.js'
import { hashJson } from '../../data/hash-json.js'
import { loadAddon } from '../../native/load.js'
import type { TrainableLoss } from '../batches/loss-set.js'
import { decidingArguments } from '../checkpoint/checkpoint.js'
import { Agreement } from '../distributed/agreement.js'
import { readLaunch } from '../distributed/launch.js'
import { Ranks } from '../distributed/ranks.js'
import type { SessionParts } from './session-parts.js'
import type { TrainableModel } from './trainable-model.js'

/**
 * Runs `work` together with the other processes of a launcher, or alone without one. Of several processes rank 0 logs, evaluates and
 * saves.
 * @throws ERR_DISTRIBUTED where they do not meet, do not train the same, or where one is lost
 */
export async function withRanks<M extends TrainableModel, L extends TrainableLoss, P extends SessionParts<M, L>, T>(
  parts: P,
  work: (parts: P) => Promise<T>,
): Promise<T> {
  const launch = readLaunch()
  if (launch === undefined) return work(parts)
  const { args, signal } = parts
  const ranks = await Ranks.join(launch, args.ddpTimeout)
  let failure: unknown
  try {
    await ranks.expectSame(await factsOf(parts))
    await ranks.useDevice(parts.model.device)
    warnOfDropLast(parts)
    const agreement = new Agreement(ranks, signal)
    const together = { ...parts, ranks, agreement, signal: agreement.signal }
    // As sentence-transformers: a last batch that is not full cannot be shared.
    const drops = { ...args, dataloaderDropLast: true }
    if (ranks.isMain) return await work({ ...together, args: drops })
    return await work({
      ...together,
      progress: false,
      args: { ...drops, reportTo: 'none', logLevel: 'passive' },
    })
  } catch (error) {
    failure = error
    throw error
  } finally {
    await ranks.leave(failure)
  }
}

/** What has to be the same on all ranks. The weights are compared by the engine. */
async function factsOf<M extends TrainableModel, L extends TrainableLoss>(
  parts: SessionParts<M, L>,
): Promise<Record<string, unknown>> {
  const { args, model, losses, trainDataset, evalDataset, trainerName } = parts
  return {
    'sentence-torch': loadAddon().runtime().addonVersion,
    trainer: trainerName,
    'kind of device': model.device.replace(/:.*/, ''),
    model: short(
      await hashJson([model.config, model.dtype, model.encoder.tensors().map(({ name, shape }) => [name, shape])]),
    ),
    loss: losses.all.map(({ name, loss }) => [name, loss.type]),
    ...(await dataFacts('data', trainDataset)),
    ...(evalDataset && (await dataFacts('evaluation data', evalDataset))),
    ...Object.fromEntries(Object.entries(decidingArguments(args)).map(([name, value]) => [`argument ${name}`, value])),
  }
}

/** By dataset: rows and content. Of a stream only what is known before it is read. */
async function dataFacts(what: string, source: DataSource): Promise<Record<string, unknown>> {
  const facts: Record<string, unknown> = {}
  for (const [name, data] of sourcesOf(source)) {
    facts[name === '' ? what : `${what} ${name}`] = isDataset(data)
      ? { rows: data.length, hash: short(await datasetSha256(data)) }
      : { stream: data.length ?? null, byRank: data.byRank }
  }
  return facts
}

/** Of a hash what a message has room for. */
function short(hash: string): string {
  return hash.slice(0, 16)
}

function warnOfDropLast({ args }: Pick<SessionParts<TrainableModel, TrainableLoss>, 'args'>): void {
  if (args.dataloaderDropLast) return
  process.emitWarning(
    'Several processes leave out a last batch that is not full, as with dataloaderDropLast: they cannot share it equally',
    'SentenceTorchWarning',
  )
}
