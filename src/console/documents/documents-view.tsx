import { OperationLink } from '../parts/operation-link.tsx'
import { Pager } from '../parts/pager.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { formatRoute, navigate, type Route } from '../route.ts'
import { DocumentEditor } from './document-editor.tsx'
import { DocumentTable } from './document-table.tsx'
import { useDocuments } from './use-documents.ts'

/** A page of documents, and an editor for one of them. */
export function DocumentsView({ params }: Pick<Route, 'params'>) {
  const cursor = params.get('cursor') ?? undefined
  const id = params.get('id') ?? undefined
  const isNew = params.has('new')
  const page = useDocuments(cursor)
  const isOpen = isNew || id !== undefined
  const show = (changedId?: string): void => {
    page.reload()
    navigate(formatRoute('documents', { cursor, id: changedId }))
  }
  return (
    <>
      <h1>Documents</h1>
      <p className="lead">
        JSON objects, kept as they were written, by{' '}
        <OperationLink operation="data/createDocument">/data</OperationLink>.
      </p>
      <p className="actions">
        <a className="button primary" href={formatRoute('documents', { cursor, new: '' })}>
          New document
        </a>
      </p>
      <ProblemNote problem={page.problem} />
      <div className={isOpen ? 'list with-details' : 'list'}>
        <div>
          {page.data?.documents.length === 0 && <p className="empty">There are no documents yet.</p>}
          {page.data !== undefined && page.data.documents.length > 0 && (
            <DocumentTable
              documents={page.data.documents}
              selected={id}
              linkTo={(each) => formatRoute('documents', { cursor, id: each })}
            />
          )}
          <Pager
            first={formatRoute('documents')}
            isFirst={cursor === undefined}
            next={
              page.data?.next === undefined ? undefined : formatRoute('documents', { cursor: page.data.next })
            }
          />
        </div>
        {isOpen && (
          <DocumentEditor
            id={id}
            closeHref={formatRoute('documents', { cursor })}
            onCreated={show}
            onChanged={page.reload}
            onDeleted={show}
          />
        )}
      </div>
    </>
  )
}
