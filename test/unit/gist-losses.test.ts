import test from 'ava'
import * as losses from '../../lib/losses/index.js'

const code = 'ERR_INVALID_ARGUMENT'
const guide = { embeddingDimension: 4, encode: () => Promise.reject(new Error('not called')) } as losses.GuideModel

test('GISTEmbedLoss carries the defaults of sentence-transformers and asks for its guide', (t) => {
  const loss = new losses.GISTEmbedLoss({ guide })
  t.deepEqual(loss.spec(), {
    type: 'GISTEmbedLoss',
    temperature: 0.01,
    marginStrategy: 'absolute',
    margin: 0,
    contrastAnchors: true,
    contrastPositives: true,
  })
  t.is(loss.requirements.guide, guide)
  t.like(loss.requirements, { minColumns: 2, maxColumns: Number.POSITIVE_INFINITY, labels: 'none' })
})

test('the cached loss is the plain loss with mini-batches', (t) => {
  const options = {
    guide,
    temperature: 0.1,
    marginStrategy: 'relative',
    margin: 0.05,
    contrastPositives: false,
  } as const
  const cached = new losses.CachedGISTEmbedLoss({ ...options, miniBatchSize: 8 })
  t.deepEqual(cached.spec(), new losses.GISTEmbedLoss(options).spec())
  t.like(cached.spec(), { temperature: 0.1, marginStrategy: 'relative', margin: 0.05, contrastPositives: false })
  t.deepEqual(cached.caching, { miniBatchSize: 8 })
  t.is(cached.type, 'CachedGISTEmbedLoss')
})

test('options that do not fit are refused', (t) => {
  const refused = (options: object, message: RegExp) => {
    t.throws(() => new losses.GISTEmbedLoss(options as never), { code, message })
    t.throws(() => new losses.CachedGISTEmbedLoss(options as never), { code, message })
  }
  refused({}, /GISTEmbedLoss guide/)
  refused({ guide: 'all-MiniLM-L6-v2' }, /a SentenceTransformer/)
  refused({ guide, temperature: 0 }, /temperature/)
  refused({ guide, marginStrategy: 'both' }, /marginStrategy/)
  refused({ guide, margin: Number.POSITIVE_INFINITY }, /margin/)
  refused({ guide, contrastAnchors: 1 }, /contrastAnchors/)
  t.throws(() => new losses.GISTEmbedLoss(undefined as never), { code })
  t.true(new losses.GISTEmbedLoss({ guide, gatherAcrossDevices: true }).requirements.gathers)
  t.throws(() => new losses.GISTEmbedLoss({ guide, miniBatchSize: 4 } as never), { code: 'ERR_UNKNOWN_OPTION' })
})
