/**
 * What one user does: send a payload, check every number of the answer, file the request under
 * answered, refused or lost.
 *
 * **Nothing is sent twice behind our back.** k6 gives Go's HTTP transport a `GetBody`, so the transport
 * could replay a request whose kept-alive connection died. For a POST it does so only when not one
 * byte of the request had been written (`nothingWrittenError`; net/http transport.go,
 * `shouldRetryRequest`), so no server has seen it. A POST of which a byte was written is replayed only
 * if it carries `Idempotency-Key` or `X-Idempotency-Key` (request.go, `isReplayable`). Therefore these
 * scripts never send one: a lost POST would come back as an answer.
 */

import { check, sleep } from 'k6'
import { SharedArray } from 'k6/data'
import exec from 'k6/execution'
import http from 'k6/http'
import { Counter, Gauge, Trend } from 'k6/metrics'
import { problemOf } from './answer.ts'
import { classify } from './classify.ts'
import { instanceCounterNames, instanceCountersOf } from './instance-times.ts'
import { makeCases, type PayloadCase, type Size } from './payloads.ts'
import { recordLine } from './record.ts'
import type { Settings } from './settings.ts'

const sent = new Counter('requests_sent')
const filed = {
  answered: new Counter('requests_answered'),
  refused: new Counter('requests_refused'),
  lost: new Counter('requests_lost'),
}
const slow = new Counter('answers_slow')
const closedIdle = new Counter('connections_closed_idle')
/** Users whose server says `Connection: keep-alive`. */
const keepAliveSaid = new Counter('keep_alive_said')
const answerTime = new Trend('answer_time', true)

/** When requests started and ended, in Unix ms: its least and its largest value are the time of the load. */
const requestClock = new Gauge('request_clock')

/** A SYN that got lost is sent again after 1 s: an answer this late hides a refusal. */
const slowMs = 1_000

const records = __ENV.LOAD_RECORDS === '1'
/** The times of instances, for the summary of a plain `k6 run`; run.ts has a record of every request. */
const instanceMs = new Map(records ? [] : instanceCounterNames.map((name) => [name, new Counter(name)]))
const runId = __ENV.LOAD_RUN_ID || 'load'

// One user (VU) is one JavaScript runtime with one transport, so this is the state of its connection.
let connectionKept = false
let serverSaysKeepAlive = false

/**
 * A function that sends the next payload of one size and files what became of it.
 *
 * To be called once, in k6's init context: the payloads are made once and shared by all users.
 *
 * **Connections closed while idle** are seen from here like this: the last exchange was complete and left
 * the connection open, nothing on this side closes idle connections (k6 sets no idle time limit), and
 * yet this request had to connect (`timings.connecting` above 0, or the connect was refused). So the
 * server or a balancer had closed the connection in between: a race that was won. A race that was lost
 * is a lost request.
 *
 * Whether the last answer announced its close, which is no race at all, Go hides: it deletes
 * `Connection: close` from the headers (net/http transfer.go, `shouldClose`). It leaves
 * `Connection: keep-alive`, which nginx says whenever it keeps a connection. So from a server that says
 * it the count is exact, and from one that does not (Bun, HAProxy) it is an upper limit: announced
 * closes are in it. The report says which.
 *
 * Never seen: a connection whose end was noticed only when nothing of the next request could be written
 * any more (the transport then replays, see above, and k6 reports 0 for `connecting`), and one that was
 * closed after the user's last request.
 */
export function payloadJourney(settings: Settings, size: Size): () => void {
  const shared = new SharedArray<PayloadCase>(`payloads ${size}`, () => makeCases(settings.seed, size))
  const own: PayloadCase[] = [] // reading a SharedArray parses JSON: once for each user is enough
  let turn = 0

  return function sendPayload() {
    const index = (__VU + turn++) % shared.length
    const payload = own[index] ?? shared[index]
    if (payload === undefined) throw new Error(`no payload of size ${size}`)
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
    // k6's `duration` starts when the connection stands; what came before is `blocked`.
    const durationMs =
      response.status === 0 ? endedMs - startedMs : response.timings.blocked + response.timings.duration

    filed[outcome.class].add(1)
    if (outcome.class === 'answered') {
      answerTime.add(durationMs, { size })
      if (durationMs > slowMs) slow.add(1)
    }

    const connected = response.timings.connecting > 0 || outcome.class === 'refused'
    const wasClosedIdle = connectionKept && !closing && connected
    if (wasClosedIdle) closedIdle.add(1)
    const saidKeepAlive = (response.headers.Connection ?? '').toLowerCase() === 'keep-alive'
    if (saidKeepAlive && !serverSaysKeepAlive) {
      serverSaysKeepAlive = true
      keepAliveSaid.add(1)
    }
    connectionKept =
      settings.connection !== 'no-reuse' &&
      !closing &&
      response.status !== 0 &&
      (saidKeepAlive || !serverSaysKeepAlive)

    if (!records) {
      requestClock.add(startedMs)
      requestClock.add(endedMs)
      if (response.status !== 0)
        countInstance(response.headers['X-Served-By'] ?? '', outcome.class === 'answered', durationMs)
    } else {
      console.log(
        recordLine({
          endedMs,
          durationMs,
          class: outcome.class,
          size,
          status: response.status,
          errorCode: response.error_code,
          instance: response.headers['X-Served-By'] ?? '',
          closedIdle: wasClosedIdle,
          requestId,
          reason: outcome.reason,
        }),
      )
    }

    if (settings.thinkTimeSeconds > 0) sleep(settings.thinkTimeSeconds)
    // A server that is asked to close and does not repeat it (Bun) leaves the connection with Go until the
    // FIN is read. The pause keeps this user's next request off it: that loss would be our own making.
    else if (closing && response.status !== 0) sleep(0.005)
  }
}

/** Counts an answer for its instance. A check is the only thing of k6's summary that may get its name now. */
function countInstance(servedBy: string, isRight: boolean, durationMs: number): void {
  // k6 refuses a name with two colons, which separate groups.
  const instance = servedBy.replaceAll('::', ':') || '(no X-Served-By)'
  check(null, { [instance]: () => isRight })
  for (const name of instanceCountersOf(instance)) instanceMs.get(name)?.add(durationMs)
}

/** k6's `setup`: refuses to start on a dead target. run.ts has looked already; `k6 run` alone has not. */
export function refuseDeadTarget(settings: Settings): void {
  const response = http.get(settings.healthUrl, { timeout: settings.connectTimeoutMs, redirects: 0 })
  if (response.status !== 200) {
    exec.test.abort(
      `${settings.healthUrl} does not answer 200: ${response.error || `status ${response.status}`}`,
    )
  }
}
