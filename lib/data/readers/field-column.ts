import { SentenceTorchError } from '../../errors.js'
import { listed } from './names.js'
import { isBoolean, isMissing, parseNumber } from './numbers.js'

/** `label`: numbers only. `open`: not decided yet; may become numbers or booleans. */
type FieldKind = 'label' | 'text' | 'number' | 'boolean' | 'open'

/** Texts of a missing label, beside those that mean missing in any column. */
const noLabel = ['', '-']

/**
 * The fields of one column of a text file. As in Python, a column whose first fields are all numbers holds numbers, one
 * of `true` and `false` holds booleans, and any other holds texts. A missing field is null among numbers and booleans.
 * Among texts it stays a text.
 */
export class FieldColumn {
  private values: unknown[] = []
  private kind: FieldKind

  /** @param kind what the column holds, if that is known; `open`: its fields decide */
  constructor(
    readonly name: string,
    private readonly file: string,
    kind: 'label' | 'text' | 'open',
  ) {
    this.kind = kind
  }

  /** Whether more fields are needed to decide what the column holds. */
  get isOpen(): boolean {
    return this.kind === 'open'
  }

  /** @param line number of the row's first line in the file, for errors */
  add(field: string, line: number): void {
    if (this.kind === 'text') this.values.push(field)
    else if (this.kind === 'open') this.look(field)
    else this.values.push(this.parse(field, line))
  }

  /** Takes the last field back. What it has shown of the column's kind stays. */
  removeLast(): void {
    this.values.pop()
  }

  /** Decides now, from the fields so far. */
  decide(): void {
    if (this.kind !== 'open') return
    this.kind = this.seen
    if (this.kind !== 'text') this.values = this.values.map((field) => this.parse(field as string, 0))
  }

  /** The values since the last call. */
  take(): unknown[] {
    const { values } = this
    this.values = []
    return values
  }

  /** The kind of the fields so far; `text` while all are missing. */
  private seen: 'text' | 'number' | 'boolean' = 'text'

  private look(field: string): void {
    this.values.push(field)
    const is = parseNumber(field) !== undefined ? 'number' : isBoolean(field) ? 'boolean' : 'text'
    if (is === 'text' && isMissing(field)) return
    if (is === 'text' || (this.seen !== 'text' && is !== this.seen)) this.kind = 'text'
    else this.seen = is
  }

  private parse(field: string, line: number): number | bigint | boolean | null {
    if (this.kind === 'boolean') {
      if (isBoolean(field)) return field.toLowerCase() === 'true'
    } else {
      const value = parseNumber(field)
      if (this.kind === 'label' && (typeof value === 'bigint' || Math.abs(value ?? 0) === Infinity)) {
        throw this.misfit('a finite number of at most 2^53', field, line)
      }
      if (value !== undefined) return value
    }
    if (isMissing(field) || (this.kind === 'label' && noLabel.includes(field.trim()))) return null
    throw this.misfit(this.kind === 'boolean' ? 'true or false' : 'a number', field, line)
  }

  private misfit(expected: string, field: string, line: number): SentenceTorchError {
    const hint =
      this.kind === 'label'
        ? ''
        : `; in the rows before all are, so that it was taken for a column of ${this.kind}s: if it holds texts, say so: ` +
          `{ dtype: { ${JSON.stringify(listed([this.name]))}: 'string' } }`
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in column "${listed([this.name])}" in line ${line} of ${this.file}, found ` +
        `${JSON.stringify(field.slice(0, 60))}${hint}`,
    )
  }
}
