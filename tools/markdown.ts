/** A table. Bars in the cells must be escaped: `escapeCell`. */
export function tableOf(headings: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [row(headings), row(headings.map(() => '---')), ...lines.map(row)].join('\n')
}

/** A text that may stand in a cell. */
export function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}

/**
 * Replaces the text between two marks, which stay.
 *
 * @param begin the first mark, or a pattern of it
 * @throws Error when the document has no such marks
 */
export function replaceBetween(document: string, begin: string | RegExp, end: string, text: string): string {
  const found = typeof begin === 'string' ? begin : (begin.exec(document)?.[0] ?? '')
  const from = found === '' ? -1 : document.indexOf(found)
  const to = from < 0 ? -1 : document.indexOf(end, from + found.length)
  if (to < 0) throw new Error(`no mark ${begin} … ${end}`)
  return document.slice(0, from + found.length) + text + document.slice(to)
}
