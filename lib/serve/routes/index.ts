/** All routes, in the order of the documentation. A new one is a file beside this one and a line here. */
import type { Route } from '../route.js'
import { cohereRerankRoute } from './cohere-rerank.js'
import { decodeRoute } from './decode.js'
import { docsRoutes } from './docs.js'
import { embedRoute } from './embed.js'
import { embedAllRoute } from './embed-all.js'
import { embedSparseRoute } from './embed-sparse.js'
import { feedbackRoute } from './feedback.js'
import { healthRoute, readyRoute } from './health.js'
import { infoRoute } from './info.js'
import { jinaMultiVectorRoute } from './jina-multi-vector.js'
import { learnRoute } from './learn.js'
import { metricsRoute } from './metrics.js'
import { openAiEmbeddingsRoute } from './openai-embeddings.js'
import { openAiModelRoute, openAiModelsRoute } from './openai-models.js'
import { pageRoute } from './page.js'
import { predictRoute } from './predict.js'
import { rerankRoute } from './rerank.js'
import { rollbackRoute } from './rollback.js'
import { rootRoute } from './root.js'
import { similarityRoute } from './similarity.js'
import { statusRoute } from './status.js'
import { tokenizeRoute } from './tokenize.js'

export const routes: readonly Route[] = [
  ...[embedRoute, embedAllRoute, embedSparseRoute, similarityRoute, rerankRoute, predictRoute],
  ...[tokenizeRoute, decodeRoute, rootRoute, infoRoute],
  ...[openAiEmbeddingsRoute, openAiModelsRoute, openAiModelRoute],
  ...[cohereRerankRoute, jinaMultiVectorRoute],
  ...[feedbackRoute, learnRoute, rollbackRoute],
  ...[healthRoute, readyRoute, metricsRoute, statusRoute, pageRoute],
  ...docsRoutes(() => routes),
]
