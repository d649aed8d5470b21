import type { Problem } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'
import { type ApiKey, findKeyName } from './api-keys.ts'
import type { Check } from './check.ts'
import type { TokenResult } from './jwt.ts'

export interface AuthOptions {
  /** The API keys known now. Default: keys are not accepted. */
  readonly keys?: (() => readonly ApiKey[]) | undefined
  /** Verifies a token. Default: tokens are not accepted. */
  readonly verifyToken?: ((token: string) => TokenResult | Promise<TokenResult>) | undefined
  /** The scope that a token must have. */
  readonly scope?: string | undefined
}

/** Credentials of RFC 6750 §2.1. */
const bearerPattern = /^Bearer +([\w.~+/-]+=*)$/i
/** Three parts of base64url, the first beginning with `{"`: a JWT, and never a key made by `tools/api-key.ts`. */
const tokenPattern = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/

/**
 * Authenticates a client by an API key (`X-API-Key`, or as a bearer) or a token (JWT, as a bearer). From then on
 * `context.client` is `key:name` or `sub:subject`, for the log and the rate limit.
 *
 * Not `hono/bearer-auth`: two headers, two kinds of credentials, and a scope.
 */
export function auth({ keys, verifyToken, scope }: AuthOptions): Check {
  const authenticateKey = (context: RequestContext, key: string): Problem | undefined => {
    const name = findKeyName(key, keys?.() ?? [])
    if (name === undefined) return invalidCredentials('The API key or token is not valid.')
    context.client = `key:${name}`
    return undefined
  }

  const authenticateToken = (context: RequestContext, result: TokenResult): Problem | undefined => {
    if (!result.ok) {
      const problem = tokenProblems[result.reason]
      return result.reason === 'unavailable' ? { ...problem, cause: result.error } : problem
    }
    const { subject, scopes } = result.holder
    context.client = `sub:${subject}`
    return scope === undefined || scopes.has(scope) ? undefined : insufficientScope(scope)
  }

  return function checkAuth({ headers }, context) {
    // Without keys this header means nothing here: a token beside it may still be valid.
    const key = keys === undefined ? null : headers.get('x-api-key')
    if (key !== null) return authenticateKey(context, key)
    const authorization = headers.get('authorization')
    if (authorization === null) return missingCredentials
    const [, credentials] = bearerPattern.exec(authorization) ?? []
    if (credentials === undefined)
      return invalidCredentials('Authorization must be Bearer with a key or a token.')
    if (verifyToken === undefined || !tokenPattern.test(credentials))
      return authenticateKey(context, credentials)
    const result = verifyToken(credentials)
    return result instanceof Promise
      ? result.then((verified) => authenticateToken(context, verified))
      : authenticateToken(context, result)
  }
}

/** A challenge of RFC 6750 §3. Without credentials it has no error, because the client sent nothing invalid. */
const challenge = (parameters: string) => ({ 'www-authenticate': `Bearer realm="tally"${parameters}` })

export const missingCredentials: Problem = {
  code: 'unauthorized',
  detail: 'Credentials are required.',
  headers: challenge(''),
}

export function invalidCredentials(detail: string): Problem {
  return { code: 'unauthorized', detail, headers: challenge(', error="invalid_token"') }
}

const insufficientScope = (scope: string): Problem => ({
  code: 'forbidden',
  detail: `The token lacks the scope ${scope}.`,
  headers: challenge(`, error="insufficient_scope", scope="${scope}"`),
})

const tokenProblems: Readonly<Record<'invalid' | 'expired' | 'unavailable', Problem>> = {
  invalid: invalidCredentials('The token is not valid.'),
  expired: invalidCredentials('The token has expired.'),
  unavailable: {
    code: 'auth-unavailable',
    detail: 'Tokens cannot be verified at the moment.',
    headers: { 'retry-after': '5' },
  },
}
