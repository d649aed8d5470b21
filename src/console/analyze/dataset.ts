import type { Bar } from '../plots/bar.ts'
import { type Distribution, describeDistribution } from './distribution.ts'
import { type Column, parseFile } from './parse-file.ts'
import { type ParsedNumbers, parseNumbers } from './parse-numbers.ts'
import { countWordLengths } from './word-lengths.ts'

/** The properties of a file that the page needs to offer its columns. */
export interface FileSummary {
  readonly columns: readonly (Pick<Column, 'name' | 'skipped'> & { readonly count: number })[]
  readonly text: string | undefined
}

/** The numbers to analyze: typed ones, or a column of the last file. */
export type NumberSource = { readonly typed: string } | { readonly column: number }

/** A payload ready to send, and what the page shows beside the result. */
export interface PreparedPayload {
  /** The JSON of the request. */
  readonly body: Blob
  readonly invalid: ParsedNumbers['invalid']
  /** Undefined without numbers. */
  readonly distribution: Distribution | undefined
  readonly wordLengths: readonly Bar[]
}

/**
 * Parses and prepares numbers, in the page or in a worker. Keeps the last file, so that a million numbers do not move
 * between threads.
 */
export class Dataset {
  #columns: readonly Column[] = []

  /** @throws SyntaxError if the file is malformed */
  async readFile({ file }: { readonly file: File }): Promise<FileSummary> {
    const { columns, text } = parseFile(file.name, await file.text())
    this.#columns = columns
    return {
      columns: columns.map(({ name, numbers, skipped }) => ({ name, skipped, count: numbers.length })),
      text,
    }
  }

  async prepare(input: { readonly source: NumberSource; readonly text: string }): Promise<PreparedPayload> {
    const { numbers, invalid } = this.#select(input.source)
    const parts = ['{"numbers":[', numbers.join(), '],"text":', JSON.stringify(input.text), '}']
    return {
      body: new Blob(parts, { type: 'application/json' }),
      invalid,
      distribution: numbers.length === 0 ? undefined : describeDistribution(numbers),
      wordLengths: countWordLengths(input.text),
    }
  }

  #select(source: NumberSource): ParsedNumbers {
    if ('typed' in source) return parseNumbers(source.typed)
    const { numbers = new Float64Array(), skipped = 0 } = this.#columns[source.column] ?? {}
    return { numbers, invalid: { count: skipped, examples: [] } }
  }
}
