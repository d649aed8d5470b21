import { hashOf } from './api-keys.ts'
import { absent, invalid } from './auth.ts'
import type { Gate } from './check.ts'

/** Lets pass who has the one token, as a bearer: for a scraper, an operator. Compared in constant time. */
export function tokenGate(token: string): Gate {
  const known = hashOf(token)
  return (request) => {
    const authorization = request.headers.get('authorization')
    if (authorization === null) return absent
    const given = hashOf(authorization.replace(/^Bearer +/i, ''))
    return crypto.timingSafeEqual(given, known) ? undefined : invalid('The token is not the right one.')
  }
}
