import { SentenceTorchError } from '../../errors.js'

/** What a reader makes of a file: columns in file order, all of the same length. */
export interface Table {
  names: string[]
  columns: unknown[][]
}

/** Column names that mean labels, in order of preference (sentence-transformers' data collator). */
export const labelNames = ['label', 'labels', 'score', 'scores'] as const

/** Grows a table of text fields under a header; fields of label columns become numbers. */
export class FieldTable implements Table {
  readonly columns: unknown[][]
  private readonly numeric: boolean[]

  constructor(
    readonly names: string[],
    private readonly file: string,
  ) {
    this.columns = names.map(() => [])
    this.numeric = names.map((name) => (labelNames as readonly string[]).includes(name))
  }

  /** @param line number of the row's first line in the file, for errors. */
  add(fields: string[], line: number): void {
    if (fields.length !== this.names.length) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected ${this.names.length} fields (${this.names.join(', ')}) in line ${line} of ${this.file}, found ${fields.length}`,
      )
    }
    fields.forEach((field, i) => {
      this.columns[i]!.push(this.numeric[i] ? this.parseNumber(field, this.names[i]!, line) : field)
    })
  }

  private parseNumber(field: string, column: string, line: number): number {
    const value = Number(field)
    if (field.trim() === '' || !Number.isFinite(value)) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected a number in column "${column}" in line ${line} of ${this.file}, found ${JSON.stringify(field.slice(0, 60))}`,
      )
    }
    return value
  }
}
