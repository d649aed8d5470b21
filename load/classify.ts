/**
 * What became of one request. The three classes are the whole point of these load tests: k6's own
 * `http_req_failed` mixes a connection that was never opened with an answer that was cut in half.
 *
 * This file knows nothing of k6, so that `bun test` can import it.
 */

/** answered: 200 and the right JSON. refused: nothing was sent. lost: everything else. */
export type RequestClass = 'answered' | 'refused' | 'lost'

/** What k6 reports of one request. `status` 0 means that no complete answer arrived. */
export type Observation = {
  status: number
  /** k6's `error_code`: 0 without an error, 1000 + status for 4xx and 5xx. */
  errorCode: number
  /** k6's `error`: its text for the code. */
  error: string
  /** False when k6 never got as far as writing the request. Names the phase a time limit struck in. */
  written: boolean
}

export type Outcome = { class: RequestClass; reason: string }

/**
 * The codes k6 gives only before the first byte of a request is written (k6 v1.8.1,
 * `lib/netext/httpext/error_codes.go`). A code that is not listed here counts as lost, so a new
 * version of k6 can make this check stricter by accident, but never blind.
 */
const refusedCodes: ReadonlyMap<number, string> = new Map([
  [1010, 'no connection: not TCP'],
  [1020, 'invalid URL'],
  [1100, 'DNS lookup failed'],
  [1101, 'DNS: no such host'],
  [1110, 'address on the block list'],
  [1111, 'host name blocked'],
  [1210, 'connect failed'],
  [1211, 'connect timed out'],
  [1212, 'connection refused'],
  [1213, 'connect failed: unknown errno'],
])

const lostCodes: ReadonlyMap<number, string> = new Map([
  [1200, 'connection broken'],
  [1201, 'broken pipe'],
  [1202, 'connection broken: unknown errno'],
  [1220, 'connection reset'],
])

/**
 * True when k6's error code says that the request was not sent.
 *
 * @example isRefusedCode(1212) // true: connection refused
 * @example isRefusedCode(1220) // false: reset, the request may have been read
 * @example isRefusedCode(1310) // true: the TLS handshake failed
 */
export function isRefusedCode(errorCode: number): boolean {
  return refusedCodes.has(errorCode) || (errorCode >= 1300 && errorCode <= 1399)
}

/**
 * The class of one request and a short reason, the same words for the same cause, to be counted by.
 *
 * @param wrongAnswer what is wrong with the body of a 200, or null when every number in it is right
 * @example classify({ status: 200, errorCode: 0, error: '', written: true }, null)
 *   // { class: 'answered', reason: '' }
 * @example classify({ status: 503, errorCode: 1503, error: '', written: true }, null)
 *   // { class: 'lost', reason: 'status 503' }
 */
export function classify(seen: Observation, wrongAnswer: string | null): Outcome {
  if (seen.status !== 0) {
    // Whoever answered has read the request, so no error code can make this one "refused".
    if (seen.status !== 200) return { class: 'lost', reason: `status ${seen.status}` }
    if (seen.errorCode !== 0) return { class: 'lost', reason: unknownReason(seen) }
    if (wrongAnswer !== null) return { class: 'lost', reason: wrongAnswer }
    return { class: 'answered', reason: '' }
  }
  if (isRefusedCode(seen.errorCode)) {
    return { class: 'refused', reason: refusedCodes.get(seen.errorCode) ?? 'TLS handshake failed' }
  }
  if (seen.errorCode === 1050) {
    // k6 has one time limit for the whole request. Without a connection nothing was sent, but the
    // code alone does not say so so it counts as lost: the stricter reading.
    return { class: 'lost', reason: seen.written ? 'no answer in time' : 'no connection in time' }
  }
  return { class: 'lost', reason: lostCodes.get(seen.errorCode) ?? unknownReason(seen) }
}

/** Addresses and ports differ in every message; without them the same cause counts as one reason. */
function unknownReason(seen: Observation): string {
  const text = seen.error
    .replace(/^\w+ "[^"]*": /, '')
    .replace(/(\[[0-9a-fA-F:]+\]|\d+\.\d+\.\d+\.\d+):\d+/g, '…')
    .trim()
  return text === '' ? `k6 error ${seen.errorCode}` : `k6 error ${seen.errorCode}: ${text}`
}
