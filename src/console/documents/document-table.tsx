import type { DocumentRow } from './use-documents.ts'

export function DocumentTable(props: {
  readonly documents: readonly DocumentRow[]
  readonly selected: string | undefined
  readonly linkTo: (id: string) => string
}) {
  const { documents, selected, linkTo } = props
  return (
    <div className="scroll">
      <table className="rows">
        <caption className="visually-hidden">Documents</caption>
        <thead>
          <tr>
            <th scope="col">Id</th>
            <th scope="col">Content</th>
          </tr>
        </thead>
        <tbody>
          {documents.map(({ id, preview }) => (
            <tr key={id} data-selected={id === selected}>
              <th scope="row">
                <a href={linkTo(id)} aria-current={id === selected ? 'true' : undefined} title={id}>
                  <code>{id}</code>
                </a>
              </th>
              <td>
                <code className="preview">{preview}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
