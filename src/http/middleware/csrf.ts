import type { Check } from './check.ts'

/**
 * Refuses requests that a page of another site sends through the browser of an operator. A POST without a body needs no
 * preflight, and a port that is open to a network of operators has no other protection.
 *
 * Not `hono/csrf`: it refuses a POST from curl, which sends neither Origin nor Sec-Fetch-Site, and lets any GET pass.
 */
export const csrf: Check = ({ headers }) => {
  const origin = headers.get('origin')
  // An image of another site is a GET without Origin. Over plain HTTP, browsers send Sec-Fetch-Site only to localhost: no
  // GET here changes or costs anything. `same-site` is another host of the same domain, which need not be trustworthy.
  const isCrossSite =
    origin === null
      ? !ownSites.has(headers.get('sec-fetch-site'))
      : URL.parse(origin)?.host !== headers.get('host')
  return isCrossSite ? { code: 'forbidden', detail: 'Cross-site requests are not allowed here.' } : undefined
}

/** A page of this host, a user who typed the address, and clients that are no browsers. */
const ownSites: ReadonlySet<string | null> = new Set(['same-origin', 'none', null])

/** `localhost` or an IP address, with an optional port. */
const addressPattern = /^(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])(?::\d+)?$/i

/**
 * Refuses a request that names its host by anything but an address. A site whose name resolves to this instance (DNS
 * rebinding) is no other site to a browser, so `csrf` lets its pages pass; but they can only send their own name.
 */
export const requireAddressedHost: Check = ({ headers }) => {
  const host = headers.get('host')
  // Over a socket there is always a Host. Only a request made in this process has none.
  if (host === null || addressPattern.test(host)) return undefined
  return {
    code: 'forbidden',
    detail:
      'Without ADMIN_TOKEN, admin routes are reached by IP address or as localhost, not by a host name.',
  }
}
