import { invalidArgument, suggestion } from '../errors.js'
import { noSuchTask, ServeError } from './errors.js'
import { type AnyModel, type Lease, type ModelTask, ServedModel, transformerOf } from './served-model.js'

/** In URLs and headers a name is written as it is. */
export const MODEL_NAME = /^[\x21-\x7e]{1,200}$/

/** What a task needs, in the words of an error. */
const NOUNS: Record<ModelTask, string> = {
  embedding: 'an embedding model',
  sparse: 'an embedding model with SPLADE pooling',
  'multi-vector': 'a model with an embedding for each token',
  reranker: 'a re-ranker model',
  classifier: 'a classifier model',
}

/** The served models by name, in the order in which they were given. */
export class ModelSet {
  readonly #models: ReadonlyMap<string, ServedModel>

  /** @throws ERR_INVALID_ARGUMENT for no model, for a name that cannot stand in a header, and for what is no model */
  constructor(models: Readonly<Record<string, AnyModel | ServedModel>>) {
    const isRecord = typeof models === 'object' && models !== null && !Array.isArray(models)
    if (!isRecord || Object.keys(models).length === 0) throw invalidArgument('models', 'models by name', models)
    const entries = Object.entries(models).map(([name, model]) => {
      if (MODEL_NAME.test(name)) return [name, model instanceof ServedModel ? model : new ServedModel(model)] as const
      throw invalidArgument('the name of a model', 'at most 200 printable ASCII characters without spaces', name)
    })
    this.#models = new Map(entries)
  }

  get names(): string[] {
    return [...this.#models.keys()]
  }

  entries(): [string, ServedModel][] {
    return [...this.#models]
  }

  /** @throws ERR_INVALID_ARGUMENT for a learner whose model is not the one of its name */
  checkLearner(name: string, served: ServedModel): void {
    if (this.#models.get(name) === served) return
    const found = [...this.#models].find(([, each]) => each === served)?.[0]
    const expected = 'the name of its ServedModel, which stands in models, too'
    throw invalidArgument(
      `learners.${name}`,
      expected,
      found === undefined ? 'a model that is not there' : `that of ${found}`,
    )
  }

  /** @throws ERR_INVALID_ARGUMENT for a prompt that a model of embeddings does not have */
  checkPrompt(name: string): void {
    for (const [each, { model, task }] of this.#models) {
      const embeds = ['embedding', 'sparse', 'multi-vector'].includes(task)
      if (!embeds || Object.hasOwn(transformerOf(model).prompts, name)) continue
      const known = Object.keys(transformerOf(model).prompts).join(', ') || 'none'
      throw invalidArgument('defaultPromptName', `a prompt of ${each} (${known})`, name)
    }
  }

  /** @throws ServeError 404 */
  named(name: string): ServedModel {
    const found = this.#models.get(name)
    if (found) return found
    const close = suggestion(name, this.names)
    const hint =
      close === undefined
        ? `there ${this.names.length === 1 ? 'is' : 'are'} ${this.names.join(', ')}`
        : `did you mean ${close}?`
    throw new ServeError('Validation', `The model ${JSON.stringify(name.slice(0, 200))} is not served; ${hint}`, {
      status: 404,
      param: 'model',
      code: 'model_not_found',
    })
  }

  /**
   * A version of the model that a request asks for: by its name, or the first one that has a task.
   * @param tasks those that the route serves, the best first
   * @throws ServeError 404 for an unknown name, 424 where the model has another task
   */
  lease(tasks: readonly ModelTask[], name?: string): Lease {
    const wanted = NOUNS[tasks[0]!]
    if (name !== undefined) {
      const model = this.named(name)
      if (tasks.includes(model.task)) return model.lease(name)
      throw noSuchTask(`${name} is not ${wanted}`)
    }
    for (const task of tasks) {
      for (const [each, model] of this.#models) if (model.task === task) return model.lease(each)
    }
    throw noSuchTask(this.#models.size === 1 ? `model is not ${wanted}` : `no model that is served is ${wanted}`)
  }
}
