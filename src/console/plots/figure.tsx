import { type ReactNode, useId } from 'react'

/** The numbers of a plot, for screen readers. */
export interface PlotTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
}

/** Maximum rows: the table replaces the picture, and the export has all numbers. */
export const maxTableRows = 25

/** A plot with a caption. Its label states the present values, and a hidden table has the numbers. */
export function Figure(props: {
  readonly caption: string
  /** The present values in one sentence. */
  readonly label: string
  readonly table: PlotTable
  readonly children: ReactNode
}) {
  const { caption, label, table, children } = props
  const id = useId()
  return (
    <figure aria-label={`${caption}: ${label}`} aria-details={id}>
      <figcaption>{caption}</figcaption>
      <div aria-hidden="true">{children}</div>
      <HiddenTable id={id} caption={caption} table={table} />
    </figure>
  )
}

function HiddenTable({ id, caption, table }: { id: string; caption: string; table: PlotTable }) {
  return (
    <div className="visually-hidden">
      <table id={id}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {table.columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.slice(0, maxTableRows).map((row) => (
            <tr key={String(row[0])}>
              {table.columns.map((column, i) => (
                <td key={column}>{row[i]}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
