import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** The subject of a token and what it may be used for. */
export interface TokenHolder {
  /** The `sub` claim. */
  readonly subject: string
  readonly scopes: ReadonlySet<string>
}

export type TokenResult =
  | { readonly ok: true; readonly holder: TokenHolder }
  /** `unavailable`: the token cannot be verified now, because the keys cannot be fetched. */
  | { readonly ok: false; readonly reason: 'invalid' | 'expired' | 'unavailable' }

export interface JwtOptions {
  /** Verifies signatures. */
  readonly key: Uint8Array | JWTVerifyGetKey
  /** Accepted signature algorithms; the token has no say in this (RFC 8725 §3.1). */
  readonly algorithms: readonly string[]
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
  /** Allowed difference between the clocks of issuer and service, in seconds. */
  readonly clockSkewSeconds: number
  /** Epoch milliseconds. Default Date.now. */
  readonly now?: () => number
}

/** The limit of OpenID Connect (Core 1.0 §2): a longer subject would only fill logs and tables. */
const maxSubjectLength = 255

/** Verified tokens kept in memory: verifying a signature is expensive, and clients reuse their tokens. */
const maxCachedTokens = 1_000
/** How long a verified token is valid without verifying it again, in ms. */
const cacheMs = 60_000

/**
 * Makes the function that verifies tokens (RFC 7519): signature, `exp`, `nbf`, `sub`, and issuer and audience when set. It
 * answers at once for a token that it verified recently.
 */
export function createTokenVerifier(
  options: JwtOptions,
): (token: string) => TokenResult | Promise<TokenResult> {
  const { key, algorithms, issuer, audience, clockSkewSeconds, now = Date.now } = options
  const cache = new Map<string, { readonly result: TokenResult; readonly until: number }>()

  const store = (token: string, result: TokenResult, expiresAtMs: number): void => {
    const until = Math.min(expiresAtMs, now() + cacheMs)
    if (until <= now()) return
    const [oldest] = cache.keys()
    if (cache.size >= maxCachedTokens && oldest !== undefined) cache.delete(oldest)
    cache.set(token, { result, until })
  }

  const verify = async (token: string): Promise<TokenResult> => {
    try {
      const { payload } = await jwtVerify(token, typeof key === 'function' ? key : () => key, {
        algorithms: [...algorithms],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: clockSkewSeconds,
        currentDate: new Date(now()),
        ...(issuer !== undefined && { issuer }),
        ...(audience !== undefined && { audience }),
      })
      const { sub: subject, exp, scope } = payload
      if (typeof subject !== 'string' || subject === '' || subject.length > maxSubjectLength)
        return { ok: false, reason: 'invalid' }
      const scopes = new Set(typeof scope === 'string' ? scope.split(' ') : [])
      const result: TokenResult = { ok: true, holder: { subject, scopes } }
      store(token, result, ((exp ?? 0) + clockSkewSeconds) * 1_000)
      return result
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { ok: false, reason: 'expired' }
      return { ok: false, reason: isInvalidToken(error) ? 'invalid' : 'unavailable' }
    }
  }

  return (token) => {
    const cached = cache.get(token)
    if (cached === undefined) return verify(token)
    if (now() < cached.until) return cached.result
    cache.delete(token)
    return verify(token)
  }
}

/** True for an invalid token, false when its key could not be fetched. */
function isInvalidToken(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return false
  // jose throws the plain base class when the key server's response is not 200 or not JSON.
  return error instanceof errors.JOSEError && error.constructor !== errors.JOSEError
}

/** How often the keys are fetched, in ms. */
const refreshIntervalMs = 10 * 60_000
/** The time limit of one fetch, in ms. */
const fetchTimeoutMs = 3_000

export interface RemoteKeys {
  readonly key: JWTVerifyGetKey
  close(): void
}

/**
 * Fetches public keys from a URL (RFC 7517): at once, every ten minutes, and for an unknown key, but at most every 30 s.
 * While they cannot be fetched the last known ones stay valid: an outage of the issuer is not ours.
 *
 * @param onFailure called when the keys cannot be fetched
 */
export function fetchRemoteKeys(url: URL, onFailure: (error: unknown) => void): RemoteKeys {
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: fetchTimeoutMs,
    // Never stale by jose's clock: then every request would wait for the fetch.
    cacheMaxAge: Number.POSITIVE_INFINITY,
  })
  const refresh = (): void => void keys.reload().catch(onFailure)
  refresh()
  const timer = setInterval(refresh, refreshIntervalMs)
  timer.unref()
  return { key: keys, close: () => clearInterval(timer) }
}
