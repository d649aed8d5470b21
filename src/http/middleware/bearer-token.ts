import { hashKey } from './api-keys.ts'
import { invalidCredentials, missingCredentials } from './auth.ts'
import { asMiddleware } from './check.ts'

/** A token, or the function that returns the current one. */
export type BearerToken = string | (() => string)

/**
 * Requires the one token of a scraper or operator, as a bearer. Hashes of equal length are compared in constant time.
 *
 * Not `hono/bearer-auth`: it refuses every token with a space or another character that RFC 6750 does not allow, and a
 * configured token may have them.
 */
export function bearerToken(token: BearerToken) {
  const read = typeof token === 'string' ? () => token : token
  return asMiddleware(({ headers }) => {
    const authorization = headers.get('authorization')
    if (authorization === null) return missingCredentials
    const received = hashKey(authorization.replace(/^Bearer +/i, ''))
    return crypto.timingSafeEqual(received, hashKey(read()))
      ? undefined
      : invalidCredentials('The token is not valid.')
  })
}
