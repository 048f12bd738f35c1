/**
 * The library that runs chat templates, made to do what Python's Jinja does where the two differ in what templates of models use.
 * Parts of it that are not public are replaced, so its version is fixed.
 */

/** A value of a template. */
interface Value {
  type: string
  value: unknown
  toString(): string
}

/** A part of a parsed template. */
interface Node {
  type: string
  value?: unknown
  object?: Node
  property?: Node
  callee?: Node
  args?: Node[]
  operator?: { value: string }
  left?: Node
  right?: Node
}

/** Variables, over those of a parent. */
interface Scope {
  set(name: string, value: unknown): Value
}

/** What computes a template. */
interface Runner {
  run(program: unknown): Value
  evaluate(node: Node | undefined, scope: Scope): Value
  evaluateBlock(nodes: Node[], scope: Scope): Value
  evaluateMemberExpression(node: Node, scope: Scope): Value
  evaluateBinaryExpression(node: Node, scope: Scope): Value
  evaluateArguments(args: Node[], scope: Scope): [Value[], Map<string, Value>]
  applyFilter(operand: Value, filter: Node, scope: Scope): Value
}

/** What is used of the library. */
export interface TemplateLibrary {
  tokenize(source: string, options: object): { type: string }[]
  parse(tokens: { type: string }[]): unknown
  Environment: new (parent?: Scope) => Scope
  Interpreter: new (scope: Scope) => Runner
}

/** Parts that write nothing by themselves, as a value of theirs would. */
const STATEMENTS = new Set(['Set', 'If', 'For', 'Macro', 'CallStatement', 'FilterStatement', 'Comment'])
/** What `str.strip` takes away. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
/** Parts of a template that one text may take: some seconds, where a template of a model takes some hundred parts. */
const MOST_STEPS = 100_000
const OTHER_NAMES: Readonly<Record<string, string>> = { d: 'default', count: 'length' }

let loaded: Promise<TemplateLibrary> | undefined

/** The library, loaded late: most models have no template. */
export function templateLibrary(): Promise<TemplateLibrary> {
  loaded ??= import('@huggingface/jinja').then((library) => asPython(library as unknown as TemplateLibrary))
  return loaded
}

function asPython({ Environment, Interpreter, tokenize, parse }: TemplateLibrary): TemplateLibrary {
  const toValue = (value: unknown) => new Environment().set('value', value)
  correctTexts(toValue)
  class PythonInterpreter extends Interpreter {
    #steps = 0

    override evaluate(node: Node | undefined, scope: Scope): Value {
      this.#step()
      return node?.type === 'Known' ? (node.value as Value) : super.evaluate(node, scope)
    }

    #step(): void {
      if (++this.#steps > MOST_STEPS) throw new Error(`it takes more than ${MOST_STEPS} steps`)
    }

    override evaluateBlock(nodes: Node[], scope: Scope): Value {
      this.#step()
      const texts = nodes.map((node) => {
        const value = this.evaluate(node, scope)
        return STATEMENTS.has(node.type) && value.type === 'NullValue' ? '' : textOf(value)
      })
      return toValue(texts.join(''))
    }

    override evaluateMemberExpression(node: Node, scope: Scope): Value {
      const object = this.evaluate(node.object, scope)
      if (object.type === 'UndefinedValue') {
        throw new Error(`a member is asked for of ${nameOf(node.object)}, which is undefined`)
      }
      return super.evaluateMemberExpression({ ...node, object: { type: 'Known', value: object } }, scope)
    }

    override evaluateBinaryExpression(node: Node, scope: Scope): Value {
      if (node.operator?.value !== '~') return super.evaluateBinaryExpression(node, scope)
      return toValue(textOf(this.evaluate(node.left, scope)) + textOf(this.evaluate(node.right, scope)))
    }

    override applyFilter(operand: Value, given: Node, scope: Scope): Value {
      const called = String(given.type === 'CallExpression' ? given.callee?.value : given.value)
      const name = OTHER_NAMES[called] ?? called
      const args = given.type === 'CallExpression' ? given.args! : []
      if (name === 'string') return toValue(textOf(operand))
      if (name === 'trim' && operand.type === 'StringValue') {
        return toValue(strip(String(operand.value), 'both', this.evaluateArguments(args, scope)[0][0]))
      }
      const callee = { type: 'Identifier', value: name }
      const filter = name === 'default' || args.length > 0 ? { type: 'CallExpression', callee, args } : callee
      // The first of nothing is undefined.
      return super.applyFilter(operand, filter, scope) ?? toValue(undefined)
    }
  }
  return { tokenize, parse, Environment, Interpreter: PythonInterpreter }
}

/** As Python's str. */
function textOf(value: Value): string {
  if (value.type === 'BooleanValue') return value.value ? 'True' : 'False'
  if (value.type === 'NullValue') return 'None'
  return value.type === 'UndefinedValue' ? '' : value.toString()
}

function nameOf(node: Node | undefined): string {
  return node?.type === 'Identifier' ? String(node.value) : 'a value'
}

/** Python's `strip`, `lstrip` and `rstrip`. @param characters to be taken away; null or absent: white space */
function strip(text: string, side: 'left' | 'right' | 'both', characters?: Value): string {
  const given = typeof characters?.value === 'string' ? characters.value : undefined
  if (given === '') return text
  const set = given === undefined ? SPACE : [...given].map((c) => `\\u{${c.codePointAt(0)!.toString(16)}}`).join('')
  const left = side === 'right' ? text : text.replace(new RegExp(`^[${set}]+`, 'u'), '')
  if (side === 'left') return left
  let end = left.length
  const within = new RegExp(`^[${set}]$`, 'u')
  // From the end: a pattern that ends there takes quadratic time.
  while (end > 0) {
    const unit = left.codePointAt(end - 2)
    const size = end > 1 && unit !== undefined && unit > 0xffff ? 2 : 1
    if (!within.test(left.slice(end - size, end))) break
    end -= size
  }
  return left.slice(0, end)
}

/** Gives the texts of the library Python's methods. */
function correctTexts(toValue: (value: unknown) => Value): void {
  const prototype = Object.getPrototypeOf(toValue(''))
  const FunctionValue = toValue(() => '').constructor as new (call: (args: Value[]) => Value) => Value
  const methods = Object.getOwnPropertyDescriptor(prototype, 'builtins')!.get!
  const corrected = new WeakSet<Map<string, Value>>()
  Object.defineProperty(prototype, 'builtins', {
    get(this: Value) {
      const all = methods.call(this) as Map<string, Value>
      if (corrected.has(all)) return all
      const text = String(this.value)
      const stripped = (side: 'left' | 'right' | 'both') =>
        new FunctionValue(([characters]) => toValue(strip(text, side, characters)))
      all.set('strip', stripped('both')).set('lstrip', stripped('left')).set('rstrip', stripped('right'))
      const [first = '', ...rest] = text
      all.set('capitalize', new FunctionValue(() => toValue(first.toUpperCase() + rest.join('').toLowerCase())))
      all.set('length', toValue([...text].length))
      corrected.add(all)
      return all
    },
  })
}
