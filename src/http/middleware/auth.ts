import type { Refusal } from '../problem.ts'
import type { Exchange } from '../request-context.ts'
import { type ApiKey, nameOf } from './api-keys.ts'
import type { Gate } from './check.ts'
import type { TokenResult } from './jwt.ts'

export interface AuthenticationOptions {
  /** The keys that are known now; none: keys are not a way in. */
  readonly keys?: (() => readonly ApiKey[]) | undefined
  /** Verifies a token; undefined: tokens are not a way in. */
  readonly verifyToken?: ((token: string) => TokenResult | Promise<TokenResult>) | undefined
  /** What a token must have among its scopes. */
  readonly scope?: string | undefined
}

/** Credentials of RFC 6750 §2.1. */
const bearerPattern = /^Bearer +([\w.~+/-]+=*)$/i
/** Three parts of base64url, the first beginning with `{"`: a JWT, and never a key that the script has made. */
const tokenPattern = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/

/**
 * Lets pass who can say who they are: by an API key (`X-API-Key`, or as a bearer) or by a token (JWT, as a bearer).
 * Who it was is in `exchange.client` from then on, as `key:name` or `sub:subject`, for the log and the rate limit.
 */
export function authentication({ keys, verifyToken, scope }: AuthenticationOptions): Gate {
  const byKey = (exchange: Exchange, key: string): Refusal | undefined => {
    const name = nameOf(key, keys?.() ?? [])
    if (name === undefined) return invalid('The credentials are not known here.')
    exchange.client = `key:${name}`
    return undefined
  }

  const byToken = (exchange: Exchange, result: TokenResult): Refusal | undefined => {
    if (!result.ok) return tokenRefusals[result.why]
    const { subject, scopes } = result.holder
    exchange.client = `sub:${subject}`
    return scope === undefined || scopes.has(scope) ? undefined : lacking(scope)
  }

  return (request, exchange) => {
    // Where there are no keys this header is nobody's business: a token beside it may still be good.
    const key = keys === undefined ? null : request.headers.get('x-api-key')
    if (key !== null) return byKey(exchange, key)
    const authorization = request.headers.get('authorization')
    if (authorization === null) return absent
    const [, credentials] = bearerPattern.exec(authorization) ?? []
    if (credentials === undefined) return invalid('Authorization must be Bearer with a key or a token.')
    if (verifyToken === undefined || !tokenPattern.test(credentials)) return byKey(exchange, credentials)
    const result = verifyToken(credentials)
    return result instanceof Promise
      ? result.then((one) => byToken(exchange, one))
      : byToken(exchange, result)
  }
}

/** A challenge of RFC 6750 §3: without an error where nothing was given, for then nothing was wrong either. */
const challenge = (parameters: string) => ({ 'www-authenticate': `Bearer realm="tally"${parameters}` })

export const absent: Refusal = {
  code: 'unauthorized',
  detail: 'This needs credentials.',
  headers: challenge(''),
}

/** Credentials that are no good. */
export function invalid(detail: string): Refusal {
  return { code: 'unauthorized', detail, headers: challenge(', error="invalid_token"') }
}

const lacking = (scope: string): Refusal => ({
  code: 'forbidden',
  detail: `The token lacks the scope ${scope}.`,
  headers: challenge(`, error="insufficient_scope", scope="${scope}"`),
})

const tokenRefusals: Readonly<Record<'invalid' | 'expired' | 'unavailable', Refusal>> = {
  invalid: invalid('The token is not valid here.'),
  expired: invalid('The token has expired.'),
  unavailable: {
    code: 'identity-unavailable',
    detail: 'Tokens cannot be verified now.',
    headers: { 'retry-after': '5' },
  },
}
