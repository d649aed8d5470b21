import type { Gate } from './gate.ts'

/**
 * Refuses what a page of another site sends through the browser of somebody who can reach this port. A POST without a
 * body needs no leave of ours to be sent, and a port that is open to a network of operators trusts who reaches it.
 */
export const ownPagesGate: Gate = (request) => {
  const origin = request.headers.get('origin')
  if (origin === null || URL.parse(origin)?.host === request.headers.get('host')) return undefined
  return { code: 'forbidden', detail: 'Pages of other sites may not change this instance.' }
}
