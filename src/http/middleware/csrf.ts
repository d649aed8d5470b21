import type { Gate } from './check.ts'

/**
 * Refuses what a page of another site sends through the browser of somebody who can reach this port. A POST without a
 * body needs no leave of ours to be sent, and a port that is open to a network of operators trusts who reaches it.
 */
export const ownPagesGate: Gate = (request) => {
  const { headers } = request
  const origin = headers.get('origin')
  // An image of another site is a GET without Origin.
  const foreign =
    origin === null
      ? headers.get('sec-fetch-site') === 'cross-site'
      : URL.parse(origin)?.host !== headers.get('host')
  if (!foreign) return undefined
  return { code: 'forbidden', detail: 'Pages of other sites may not change this instance.' }
}
