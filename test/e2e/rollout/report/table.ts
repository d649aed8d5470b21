import { escapeMarkup } from '../../../../load/report/markup.ts'

/**
 * Formats rows of cells as lines with aligned columns. The first row is the heading.
 *
 * @param leftColumns number of text columns; the remaining columns are right-aligned numbers
 * @example textTable([['phase', 'lost'], ['roll', '0']], 1) // ['phase  lost', 'roll      0']
 */
export function textTable(rows: readonly (readonly string[])[], leftColumns: number): string[] {
  const [heads = []] = rows
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column < leftColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  )
}

/** The same as HTML. */
export function htmlTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, values: readonly string[]): string =>
    values.map((value) => `<${tag}>${escapeMarkup(value)}</${tag}>`).join('')
  return `<div><table><tr>${cells('th', heads)}</tr>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</table></div>`
}

/** The style of a page of such tables. */
export const tableStyle = `:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:0 auto;padding:24px 20px}
div{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:3px 14px 3px 0;text-align:left;border-bottom:1px solid #8884}
.failed{color:#b3261e;font-weight:600}
`
