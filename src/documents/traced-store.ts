import type { Tracing } from '../telemetry/tracing/tracing.ts'
import type { DocumentStore } from './document-store.ts'

/**
 * Traces every call of a store. No part of a document, including its id, becomes an attribute, because other systems
 * store the traces.
 *
 * @param system the database, as OpenTelemetry's semantic conventions name it
 */
export function traceDocumentStore(
  store: DocumentStore,
  system: 'sqlite' | 'postgresql',
  tracing: Tracing,
): DocumentStore {
  const call = <T>(operation: string, work: () => Promise<T>): Promise<T> =>
    tracing.trace(
      `${operation} documents`,
      {
        kind: 'client',
        attributes: {
          'db.system.name': system,
          'db.operation.name': operation,
          'db.collection.name': 'documents',
        },
      },
      work,
    )
  return {
    create: (draft, idempotency) => call('create', () => store.create(draft, idempotency)),
    get: (id) => call('get', () => store.get(id)),
    measure: (request) => call('measure', () => store.measure(request)),
    list: (request) => call('list', () => store.list(request)),
    replace: (id, body, condition) => call('replace', () => store.replace(id, body, condition)),
    delete: (id, condition) => call('delete', () => store.delete(id, condition)),
    // Not traced, because probes call it all the time.
    ping: () => store.ping(),
    close: () => store.close(),
  }
}
