// schema/config.schema.json: what a config of `sentence-torch train` may hold, from the tables of recipes, training arguments, losses.

import type { Kind } from '../../lib/options/kinds.js'
import { DATA_OPTIONS } from '../../lib/recipes/data-spec.js'
import { EVALUATION_DOCS, EVALUATION_KINDS } from '../../lib/recipes/evaluation-spec.js'
import { RECIPES } from '../../lib/recipes/index.js'
import { LOSS_NAMES, PAIR_LOSS_NAMES } from '../../lib/recipes/make-loss.js'
import { ARGUMENTS } from '../../lib/training/arguments/table/index.js'
import { kindSchema, type Schema } from './kind-schema.js'
import { lossFiles } from './loss-files.js'

/** Arguments that a recipe sets by its own options. */
const OF_RECIPES = ['outputDir', 'loggingDir', 'seed']
/** Keys of a config that are not options of a recipe under the same name. */
const RENAMED: Readonly<Record<string, string>> = { args: 'training' }

const ref = (name: string): Schema => ({ $ref: `#/$defs/${name}` })
const closed = (properties: Schema, more: Schema = {}): Schema => ({
  ...{ type: 'object', properties, additionalProperties: false },
  ...more,
})

/** An option with its meaning and, where JSON can say it, its default. */
function documented(kind: Kind, doc: string | undefined, where: string): Schema {
  const { default: fallback } = kind
  const hasDefault =
    fallback !== undefined && !(typeof fallback === 'object' && fallback !== null) && !Number.isNaN(fallback)
  const description = [doc, expectation(kind)].filter(Boolean).join(' — ')
  return { ...kindSchema(kind, where), ...(description && { description }), ...(hasDefault && { default: fallback }) }
}

function expectation({ values, expected }: Kind): string | undefined {
  return values ? undefined : expected.replace(/,$/, '')
}

export function configSchema(): Schema {
  const recipes = Object.fromEntries(RECIPES.map((recipe) => [`recipe_${recipe.name}`, recipeSchema(recipe)]))
  const named = RECIPES.map(({ name }) => name)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A config of sentence-torch train',
    type: 'object',
    properties: {
      recipe: {
        enum: named,
        default: 'finetune',
        description: RECIPES.map(({ name, summary }) => `${name}: ${summary}`).join('. '),
      },
    },
    if: { required: ['recipe'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: {
      allOf: named.map((name) => ({
        if: { properties: { recipe: { const: name } } },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        then: ref(`recipe_${name}`),
      })),
    },
    else: ref('recipe_finetune'),
    $defs: { ...recipes, ...shared(), ...lossSchemas() },
  }
}

export function configSchemaText(): string {
  return `${JSON.stringify(configSchema(), null, 2)}\n`
}

function recipeSchema({ name, options }: (typeof RECIPES)[number]): Schema {
  const entries = Object.entries(options).map(([option, kind]) => {
    const key = RENAMED[option] ?? option
    return [key, option === 'args' ? ref('training') : documented(kind, kind.doc, `${name}.${option}`)] as const
  })
  const required = Object.keys(options).filter((option) => options[option]!.isNeeded)
  const properties: Schema = { recipe: { const: name }, ...Object.fromEntries(entries) }
  return closed(properties, { required, ...(options.modelType && lossesByType(properties)) })
}

/** Losses of models of embeddings and of cross-encoders have the same names, and other options. */
function lossesByType(properties: Schema): Schema {
  const { loss } = properties
  properties.loss = {}
  const of = (schema: unknown) => ({ properties: { loss: schema } })
  return {
    if: { properties: { modelType: { const: 'cross-encoder' } }, required: ['modelType'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: of({ ...(loss as Schema), $ref: '#/$defs/pairLossOrLosses' }),
    else: of(loss),
  }
}

function shared(): Record<string, Schema> {
  const training = Object.entries(ARGUMENTS)
    .filter(([name]) => !OF_RECIPES.includes(name))
    .map(([name, kind]) => [name, documented(kind, kind.doc, name)])
  const data = Object.entries(DATA_OPTIONS).map(([name, kind]) => [name, documented(kind, kind.doc, `data.${name}`)])
  const keys = Object.keys(DATA_OPTIONS)
  const folders = ['beir', 'banking77']
  const evaluation = EVALUATION_KINDS.map((kind) => {
    const value = folders.includes(kind) ? { type: 'string', minLength: 1 } : ref('data')
    return [kind, { ...value, description: EVALUATION_DOCS[kind] }]
  })
  return {
    training: closed(Object.fromEntries(training), { description: 'Training arguments: docs/training.md' }),
    data: {
      if: { type: 'object' },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: closed(Object.fromEntries(data)),
      else: { type: 'string', minLength: 1, description: 'The path of a file' },
    },
    dataOrNamedData: {
      if: { type: 'object', not: { anyOf: keys.map((key) => ({ required: [key] })) } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { type: 'object', additionalProperties: ref('data'), minProperties: 1 },
      else: ref('data'),
    },
    evaluation: closed(
      { name: { type: 'string', description: "Prefix of the metrics' names" }, ...Object.fromEntries(evaluation) },
      { minProperties: 1 },
    ),
  }
}

function lossSchemas(): Record<string, Schema> {
  return {
    ...lossesOf(
      lossFiles.filter(({ isForPairs, name }) => !isForPairs && LOSS_NAMES.includes(name)),
      'loss',
    ),
    ...lossesOf(
      lossFiles.filter(({ isForPairs, name }) => isForPairs && PAIR_LOSS_NAMES.includes(name)),
      'pairLoss',
    ),
  }
}

/** @param one what a definition of one loss is called, beside `<one>OrLosses` and `<one>_<name>` */
function lossesOf(files: typeof lossFiles, one: string): Record<string, Schema> {
  const own = files.map((file) => {
    const options = Object.entries(file.options).map(([name, kind]) => {
      return [name, documented(kind, file.optionComment(name), `${file.name}.${name}`)]
    })
    const required = Object.keys(file.options).filter((name) => file.options[name]!.isNeeded)
    const properties = { name: { const: file.name }, ...Object.fromEntries(options) }
    return [`${one}_${file.name}`, closed(properties, { required: ['name', ...required] })]
  })
  // A name alone is a loss without an option that has to be given.
  const plain = files.filter(({ options }) => !Object.values(options).some(({ isNeeded }) => isNeeded))
  return {
    [one]: {
      if: { type: 'object' },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: {
        type: 'object',
        required: ['name'],
        properties: { name: { enum: files.map(({ name }) => name) } },
        allOf: files.map(({ name }) => ({
          if: { properties: { name: { const: name } }, required: ['name'] },
          // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
          then: ref(`${one}_${name}`),
        })),
      },
      else: {
        enum: plain.map(({ name }) => name),
        ...(plain.length < files.length && {
          description: 'A loss that needs an option is an object: { name: SoftmaxLoss, numLabels: 3 }',
        }),
      },
    },
    [`${one}OrLosses`]: {
      if: { type: 'object', not: { required: ['name'] } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { type: 'object', additionalProperties: ref(one), minProperties: 1 },
      else: ref(one),
    },
    ...Object.fromEntries(own),
  }
}
