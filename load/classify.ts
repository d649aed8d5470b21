/**
 * The outcome of one request. These three classes are the purpose of the load tests: k6's own `http_req_failed` does
 * not distinguish a connection that never opened from a truncated response.
 *
 * This file does not import k6, so that `bun test` can load it.
 */

/** answered: 200 with the correct JSON. refused: nothing was sent. lost: everything else. */
export type RequestClass = 'answered' | 'refused' | 'lost'

/** k6's report of one request. `status` 0 means that no complete response arrived. */
export type Observation = {
  status: number
  /** k6's `error_code`: 0 without an error, 1000 + status for 4xx and 5xx. */
  errorCode: number
  /** k6's `error`: the text for the code. */
  error: string
  /** False if k6 did not start to write the request. Shows in which phase a timeout occurred. */
  written: boolean
}

export type Outcome = { class: RequestClass; reason: string }

/**
 * The codes that k6 reports only before it writes the first byte of a request (k6 v1.8.1,
 * `lib/netext/httpext/error_codes.go`). Any other code counts as lost, so a new k6 version can make this check stricter
 * but never miss a loss.
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
 * Whether k6's error code means that the request was not sent.
 *
 * @example isRefusedCode(1212) // true: connection refused
 * @example isRefusedCode(1220) // false: reset, the request may have been read
 * @example isRefusedCode(1310) // true: the TLS handshake failed
 */
export function isRefusedCode(errorCode: number): boolean {
  return refusedCodes.has(errorCode) || (errorCode >= 1300 && errorCode <= 1399)
}

/**
 * The class of one request and a short reason, with the same text for the same cause, so that reasons can be counted.
 *
 * @param wrongBody the error in the body of a 200, or null if every number is correct
 * @example classify({ status: 200, errorCode: 0, error: '', written: true }, null)
 *   // { class: 'answered', reason: '' }
 * @example classify({ status: 503, errorCode: 1503, error: '', written: true }, null)
 *   // { class: 'lost', reason: 'status 503' }
 */
export function classify(seen: Observation, wrongBody: string | null): Outcome {
  if (seen.status !== 0) {
    // A server that responded has read the request, so no error code can make it "refused".
    if (seen.status !== 200) return { class: 'lost', reason: `status ${seen.status}` }
    if (seen.errorCode !== 0) return { class: 'lost', reason: unknownReason(seen) }
    if (wrongBody !== null) return { class: 'lost', reason: wrongBody }
    return { class: 'answered', reason: '' }
  }
  if (isRefusedCode(seen.errorCode)) {
    return { class: 'refused', reason: refusedCodes.get(seen.errorCode) ?? 'TLS handshake failed' }
  }
  if (seen.errorCode === 1050) {
    // k6 has one timeout for the whole request. Without a connection nothing was sent, but the code does not prove it,
    // so the request counts as lost: the stricter choice.
    return { class: 'lost', reason: seen.written ? 'no response in time' : 'no connection in time' }
  }
  return { class: 'lost', reason: lostCodes.get(seen.errorCode) ?? unknownReason(seen) }
}

/** Removes addresses and ports, which differ in every message, so that one cause counts as one reason. */
function unknownReason(seen: Observation): string {
  const text = seen.error
    .replace(/^\w+ "[^"]*": /, '')
    .replace(/(\[[0-9a-fA-F:]+\]|\d+\.\d+\.\d+\.\d+):\d+/g, '…')
    .trim()
  return text === '' ? `k6 error ${seen.errorCode}` : `k6 error ${seen.errorCode}: ${text}`
}
