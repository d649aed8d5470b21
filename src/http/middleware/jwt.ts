import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** Who a token speaks for, and what it may be used for. */
export interface TokenHolder {
  /** The `sub` claim. */
  readonly subject: string
  readonly scopes: ReadonlySet<string>
}

export type TokenResult =
  | { readonly ok: true; readonly holder: TokenHolder }
  /** `unavailable`: whether it is good cannot be found out now, for the keys cannot be fetched. */
  | { readonly ok: false; readonly why: 'invalid' | 'expired' | 'unavailable' }

export interface JwtOptions {
  /** The key that signatures are checked with. */
  readonly key: Uint8Array | JWTVerifyGetKey
  /** Algorithms that a token may be signed with; the token has no say in it (RFC 8725 §3.1). */
  readonly algorithms: readonly string[]
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
  /** How far the clocks of issuer and service may differ, in seconds. */
  readonly clockSkewSeconds: number
  /** Epoch milliseconds. Default Date.now. */
  readonly now?: () => number
}

/** A subject longer than OpenID Connect allows (Core 1.0 §2) would only fill logs and tables. */
const subjectLengthMax = 255

/** Verified tokens that are remembered: a signature costs 20 to 100 µs, and clients send the same one again. */
const rememberedMax = 1_000
/** How long a verified token is believed without another look at the keys, in ms. */
const rememberedMs = 60_000

/**
 * Verifies tokens (RFC 7519): signature, `exp`, `nbf`, `sub`, and issuer and audience where they are named.
 *
 * @returns the answer at once for a token that was seen a moment ago, else a promise of it.
 */
export function createTokenVerifier(
  options: JwtOptions,
): (token: string) => TokenResult | Promise<TokenResult> {
  const { key, algorithms, issuer, audience, clockSkewSeconds, now = Date.now } = options
  const remembered = new Map<string, { readonly result: TokenResult; readonly until: number }>()

  const remember = (token: string, result: TokenResult, expiresAtMs: number): void => {
    const until = Math.min(expiresAtMs, now() + rememberedMs)
    if (until <= now()) return
    const [oldest] = remembered.keys()
    if (remembered.size >= rememberedMax && oldest !== undefined) remembered.delete(oldest)
    remembered.set(token, { result, until })
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
      if (typeof subject !== 'string' || subject === '' || subject.length > subjectLengthMax)
        return { ok: false, why: 'invalid' }
      const scopes = new Set(typeof scope === 'string' ? scope.split(' ') : [])
      const result: TokenResult = { ok: true, holder: { subject, scopes } }
      remember(token, result, ((exp ?? 0) + clockSkewSeconds) * 1_000)
      return result
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { ok: false, why: 'expired' }
      return { ok: false, why: isTokensFault(error) ? 'invalid' : 'unavailable' }
    }
  }

  return (token) => {
    const known = remembered.get(token)
    if (known === undefined) return verify(token)
    if (now() < known.until) return known.result
    remembered.delete(token)
    return verify(token)
  }
}

/** True when the token is to blame, false when its key could not be had. */
function isTokensFault(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return false
  // The plain base class is what jose throws for an answer of the keys' server that is not 200 or not JSON.
  return error instanceof errors.JOSEError && error.constructor !== errors.JOSEError
}

/** How old the keys may grow before they are fetched again, in ms. */
const refreshEveryMs = 10 * 60_000
/** What one fetch of the keys may take, in ms. */
const fetchTimeoutMs = 3_000

export interface RemoteKeys {
  readonly key: JWTVerifyGetKey
  close(): void
}

/**
 * The public keys at a URL of the configuration (RFC 7517). They are fetched when first needed, again every ten
 * minutes, and for a key that is not among them, but not more often than every 30 s. While they cannot be fetched the
 * last known ones hold: an outage of the issuer is not ours.
 *
 * @param onFailure told when the keys cannot be fetched
 */
export function remoteKeys(url: URL, onFailure: (error: unknown) => void): RemoteKeys {
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: fetchTimeoutMs,
    // Never too old by jose's own clock, for then every request would wait for the fetch.
    cacheMaxAge: Number.POSITIVE_INFINITY,
  })
  const refresh = (): void => void keys.reload().catch(onFailure)
  refresh()
  const timer = setInterval(refresh, refreshEveryMs)
  timer.unref()
  return { key: keys, close: () => clearInterval(timer) }
}
