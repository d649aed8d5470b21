/**
 * The actions of one user: send a payload, check every number of the response, count the request as answered, refused or
 * lost.
 *
 * **No hidden retries.** k6 gives Go's HTTP transport a `GetBody`, so the transport could replay a request whose
 * keep-alive connection died. It replays a POST only if no byte of the request was written (`nothingWrittenError`;
 * net/http transport.go, `shouldRetryRequest`), so no server has seen it. It replays a partly written POST only if the
 * request has an `Idempotency-Key` or `X-Idempotency-Key` header (request.go, `isReplayable`). These scripts never send
 * one, because a retry would hide a lost POST.
 */

import { check, sleep } from 'k6'
import { SharedArray } from 'k6/data'
import encoding from 'k6/encoding'
import exec from 'k6/execution'
import http from 'k6/http'
import { Counter, Gauge, Trend } from 'k6/metrics'
import { problemOf } from './answer.ts'
import { classify } from './classify.ts'
import { instanceCounterNames, instanceCountersOf } from './instance-times.ts'
import { type Expected, makeCases, type PayloadCase, type Size } from './payloads.ts'
import { recordLine } from './record.ts'
import type { Settings } from './settings.ts'

const sent = new Counter('requests_sent')
const outcomes = {
  answered: new Counter('requests_answered'),
  refused: new Counter('requests_refused'),
  lost: new Counter('requests_lost'),
}
const slow = new Counter('answers_slow')
const closedIdle = new Counter('connections_closed_idle')
/** Users whose server sends `Connection: keep-alive`. */
const keepAliveAnnounced = new Counter('keep_alive_announced')
const answerTime = new Trend('answer_time', true)

/** Start and end times of requests in Unix ms: its minimum and maximum bound the run. */
const requestClock = new Gauge('request_clock')

/** The kernel retransmits a lost SYN after 1 s, so a response this late can hide a refused connection. */
const slowMs = 1_000

const records = __ENV.LOAD_RECORDS === '1'
/** Response times by instance, for the summary of a plain `k6 run`; run.ts has a record of every request. */
const instanceMs = new Map(records ? [] : instanceCounterNames.map((name) => [name, new Counter(name)]))
const runId = __ENV.LOAD_RUN_ID || 'load'

// Each user (VU) has its own JavaScript runtime and transport, so this is the state of its connection.
let connectionKept = false
let serverSendsKeepAlive = false

/**
 * Creates a function that sends the next payload of one size, counts its outcome, and returns the instance that
 * responded, or an empty string. Call it once, in k6's init context: all users share the payloads.
 *
 * **Connections closed while idle** are detected as follows: the last response was complete and left the connection
 * open, the client does not close idle connections (k6 sets no idle timeout), and this request still had to connect
 * (`timings.connecting` above 0, or the connection was refused). So the server or a balancer closed the connection in
 * between, and the client won the race. If the client loses this race, the request is lost.
 *
 * A close that the last response announced is not a race, but Go hides the announcement: it deletes `Connection: close`
 * from the headers (net/http transfer.go, `shouldClose`). It keeps `Connection: keep-alive`, which nginx sends whenever
 * it keeps a connection. So for a server that sends it, the count is exact. For others (Bun, HAProxy) the count is an
 * upper limit that includes announced closes. The report states which.
 *
 * Two cases stay undetected: a close that the transport notices before it writes any byte of the next request (it
 * replays, see above, and k6 reports 0 for `connecting`), and a close after the user's last request.
 */
export function payloadJourney(settings: Settings, size: Size): () => string {
  const shared = new SharedArray<PayloadCase>(`payloads ${size}`, () => makeCases(settings.seed, size))
  // Reading a SharedArray parses JSON, and k6 encodes a string again for each request: for a large body that takes longer
  // than the response, and a client that seldom has a request in progress notices no careless stop. So once per user.
  const own: { body: ArrayBuffer; expected: Expected }[] = []
  let turn = 0

  return function sendPayload() {
    const index = (__VU + turn++) % shared.length
    const payload = own[index] ?? encode(shared[index], size)
    own[index] = payload

    const closing = settings.connection === 'mixed' && __VU % 2 === 0
    const requestId = `${runId}-${size}-${__VU}-${turn}`
    const headers: Record<string, string> = { 'Content-Type': 'application/json', 'X-Request-ID': requestId }
    if (closing) headers.Connection = 'close'
    if (settings.apiKey !== null) headers['X-API-Key'] = settings.apiKey

    sent.add(1)
    const startedMs = Date.now()
    const response = http.post(settings.payloadUrl, payload.body, {
      headers,
      timeout: settings.readTimeoutMs,
      redirects: 0,
      responseType: 'text',
    })
    const endedMs = Date.now()

    const outcome = classify(
      {
        status: response.status,
        errorCode: response.error_code,
        error: response.error,
        written: response.timings.sending > 0,
      },
      response.status === 200 ? problemOf(response.body ?? '', payload.expected) : null,
    )
    // k6's `duration` starts when the connection is open; `blocked` is the time before.
    const durationMs =
      response.status === 0 ? endedMs - startedMs : response.timings.blocked + response.timings.duration

    outcomes[outcome.class].add(1)
    if (outcome.class === 'answered') {
      answerTime.add(durationMs, { size })
      if (durationMs > slowMs) slow.add(1)
    }

    const connected = response.timings.connecting > 0 || outcome.class === 'refused'
    const wasClosedIdle = connectionKept && !closing && connected
    if (wasClosedIdle) closedIdle.add(1)
    const keptAlive = (response.headers.Connection ?? '').toLowerCase() === 'keep-alive'
    if (keptAlive && !serverSendsKeepAlive) {
      serverSendsKeepAlive = true
      keepAliveAnnounced.add(1)
    }
    connectionKept =
      settings.connection !== 'no-reuse' &&
      !closing &&
      response.status !== 0 &&
      (keptAlive || !serverSendsKeepAlive)

    const instance = response.headers['X-Served-By'] ?? ''
    if (!records) {
      requestClock.add(startedMs)
      requestClock.add(endedMs)
      if (response.status !== 0) countInstance(instance, outcome.class === 'answered', durationMs)
    } else {
      console.log(
        recordLine({
          endedMs,
          durationMs,
          class: outcome.class,
          size,
          status: response.status,
          errorCode: response.error_code,
          instance,
          closedIdle: wasClosedIdle,
          requestId,
          reason: outcome.reason,
        }),
      )
    }

    if (settings.thinkTimeSeconds > 0) sleep(settings.thinkTimeSeconds)
    // If the server does not echo `Connection: close` (Bun), Go keeps the connection until it reads the FIN. Without
    // the pause, this user's next request could use it, and the client would cause the loss.
    else if (closing && response.status !== 0) sleep(0.005)
    return instance
  }
}

/** The bytes that k6 sends as they are, where it would encode a string. */
function encode(payload: PayloadCase | undefined, size: Size): { body: ArrayBuffer; expected: Expected } {
  if (payload === undefined) throw new Error(`no payload of size ${size}`)
  return { body: encoding.b64decode(encoding.b64encode(payload.body)), expected: payload.expected }
}

/** Counts a response for its instance. Uses a check, the only entry of k6's summary with a name set at run time. */
function countInstance(servedBy: string, isCorrect: boolean, durationMs: number): void {
  // k6 rejects names with two colons, its separator of groups.
  const instance = servedBy.replaceAll('::', ':') || '(no X-Served-By)'
  check(null, { [instance]: () => isCorrect })
  for (const name of instanceCountersOf(instance)) instanceMs.get(name)?.add(durationMs)
}

/** k6's `setup`: aborts unless the target is healthy. run.ts has checked already; a plain `k6 run` has not. */
export function requireHealthyTarget(settings: Settings): void {
  const response = http.get(settings.healthUrl, { timeout: settings.connectTimeoutMs, redirects: 0 })
  if (response.status !== 200) {
    exec.test.abort(
      `${settings.healthUrl} did not return 200: ${response.error || `status ${response.status}`}`,
    )
  }
}
