import { parseNumber, parseNumbers } from './parse-numbers.ts'

/** A series of numbers in a file, such as a column of CSV or a member of JSON objects. */
export interface Column {
  readonly name: string
  readonly numbers: Float64Array
  /** How many values of the series are not numbers. */
  readonly skipped: number
}

export interface ParsedFile {
  readonly columns: readonly Column[]
  /** The text to analyze: the content of a file that is not a list of numbers, or the member `text` of a payload. */
  readonly text: string | undefined
}

/**
 * Finds the numbers in a file by its name and content: CSV, JSON, NDJSON or text.
 *
 * @throws SyntaxError if JSON is malformed
 */
export function parseFile(name: string, content: string): ParsedFile {
  const suffix = /\.(\w+)$/.exec(name.toLowerCase())?.[1]
  if (suffix === 'json') return parseJson(content)
  if (suffix === 'ndjson' || suffix === 'jsonl') return parseLines(content)
  if (suffix === 'csv' || suffix === 'tsv') return { columns: parseTable(content), text: undefined }
  return parsePlain(name, content)
}

function parseJson(content: string): ParsedFile {
  const value: unknown = JSON.parse(content)
  if (Array.isArray(value)) return { columns: collectColumns(value), text: undefined }
  const { text, ...members } = isObject(value) ? value : { value }
  const columns = Object.entries(members).flatMap(([key, member]) =>
    Array.isArray(member) ? collectColumns(member, key) : [],
  )
  return { columns, text: typeof text === 'string' ? text : undefined }
}

function parseLines(content: string): ParsedFile {
  const lines = content.split('\n').filter((line) => line.trim() !== '')
  const values = lines.map((line, i): unknown => {
    try {
      return JSON.parse(line)
    } catch {
      throw new SyntaxError(`line ${i + 1} is not JSON`)
    }
  })
  return { columns: collectColumns(values), text: undefined }
}

/** With more words than numbers, the file is prose. */
function parsePlain(name: string, content: string): ParsedFile {
  const { numbers, invalid } = parseNumbers(content)
  if (invalid.count >= numbers.length) return { columns: [], text: content }
  return { columns: [{ name, numbers, skipped: invalid.count }], text: undefined }
}

/** The numbers of a list, or of the members of its objects. */
function collectColumns(values: readonly unknown[], name = 'values'): Column[] {
  const collector = new Collector()
  for (const value of values) {
    if (!isObject(value)) collector.add(name, value)
    else for (const [key, member] of Object.entries(value)) collector.add(key, member)
  }
  return collector.columns()
}

/** A table. The separator is the most frequent candidate in the first line. */
function parseTable(content: string): Column[] {
  const firstLine = content.slice(0, content.indexOf('\n') + 1 || undefined)
  const separators = [',', ';', '\t', '|'] as const
  const [separator] = separators.toSorted((a, b) => firstLine.split(b).length - firstLine.split(a).length)
  const rows = splitCells(content, separator ?? ',')
  const [head = [], ...body] = rows
  const hasHead = head.some((cell) => cell !== '' && parseNumber(cell) === undefined)
  const names = head.map((cell, i) => (hasHead && cell !== '' ? cell : `column ${i + 1}`))
  const collector = new Collector()
  for (const row of hasHead ? body : rows)
    for (const [i, cell] of row.entries())
      if (cell !== '') collector.add(names[i] ?? `column ${i + 1}`, parseNumber(cell) ?? cell)
  return collector.columns()
}

/** The cells of CSV (RFC 4180), trimmed. A quoted cell may contain separators, line breaks and doubled quotes. */
function splitCells(content: string, separator: string): string[][] {
  const rows = content.includes('"') ? splitQuoted(content, separator) : splitPlain(content, separator)
  return rows.filter((row) => row.some((each) => each !== ''))
}

/** The fast path for tables without quotes, which most are. */
function splitPlain(content: string, separator: string): string[][] {
  return content.split('\n').map((line) => line.split(separator).map((cell) => cell.trim()))
}

function splitQuoted(content: string, separator: string): string[][] {
  const cell = new RegExp(
    `(?:"((?:[^"]|"")*)"|([^${separator}\\n]*))(${RegExp.escape(separator)}|\\r?\\n|$)`,
    'y',
  )
  const rows: string[][] = [[]]
  while (cell.lastIndex < content.length) {
    const [match, quoted, plain = '', end] = cell.exec(content) ?? []
    if (match === undefined) break
    rows.at(-1)?.push((quoted?.replaceAll('""', '"') ?? plain).trim())
    if (end !== separator) rows.push([])
  }
  return rows
}

/** Groups numbers by their name or column. */
class Collector {
  readonly #columns = new Map<string, { numbers: number[]; skipped: number }>()

  add(name: string, value: unknown): void {
    let column = this.#columns.get(name)
    if (column === undefined) {
      column = { numbers: [], skipped: 0 }
      this.#columns.set(name, column)
    }
    if (typeof value === 'number') column.numbers.push(value)
    else column.skipped++
  }

  /** The series that contain numbers. */
  columns(): Column[] {
    return [...this.#columns]
      .filter(([, { numbers }]) => numbers.length > 0)
      .map(([name, { numbers, skipped }]) => ({ name, numbers: Float64Array.from(numbers), skipped }))
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
