import type { Check } from './check.ts'

/**
 * Refuses what a page of another site sends through the browser of somebody who can reach the admin routes. A POST without
 * a body needs no preflight, and a port that is open to a network of operators has no other protection.
 *
 * Not `hono/csrf`: it refuses a POST from curl, which sends neither Origin nor Sec-Fetch-Site, and lets any GET pass, which
 * here may be an expensive heap snapshot.
 */
export const csrf: Check = ({ headers }) => {
  const origin = headers.get('origin')
  // An image of another site is a GET without Origin. Over plain HTTP, browsers send Sec-Fetch-Site only to localhost:
  // there, `ADMIN_TOKEN` is the protection of a GET.
  const isCrossSite =
    origin === null
      ? headers.get('sec-fetch-site') === 'cross-site'
      : URL.parse(origin)?.host !== headers.get('host')
  return isCrossSite ? { code: 'forbidden', detail: 'Cross-site requests are not allowed here.' } : undefined
}
