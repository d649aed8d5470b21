/**
 * Runs deliberately slow clients beside an ordinary one: `CONNECTIONS` (2,000) that send one byte every 5 s, for
 * `SLOW_SECONDS` (120): `bun test/e2e/fuzz/slow-clients.ts`. A fifth of them each sends a request head slowly; sends a
 * body slowly; gets one response and then sends the next head slowly; sends a head and one byte of its body; requests
 * 16 MiB and reads nothing. The last two exceed the limits `MAX_IN_FLIGHT` and `MAX_HELD_RESPONSE_BYTES`.
 *
 * With `FUZZ_SECONDS`, which `make fuzz` passes on, it takes about that long and half a minute more, with fewer clients
 * (500) and a service with short time limits.
 *
 * Fails (exit code 1) if a request of the ordinary client gets no correct response, if a slow connection has not ended,
 * or if the memory exceeds `MAX_RSS_MIB` (400). Times are printed but not judged, because other programs on the machine
 * affect them; with `P99_FACTOR=2` it also fails if the 99th percentile of the ordinary client is more than twice its
 * usual one.
 */
import { connect } from 'node:net'
import { residentBytes } from '../../../bench/resident-memory.ts'
import { quantile } from '../../../bench/statistics.ts'
import { startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { payload } from './inputs.ts'

const { FUZZ_SECONDS, P99_FACTOR } = process.env
const isBounded = FUZZ_SECONDS !== undefined
const connections = Number(process.env.CONNECTIONS ?? (isBounded ? 500 : 2_000))
const slowSeconds = Number(process.env.SLOW_SECONDS ?? FUZZ_SECONDS ?? 120)
/** Memory that the service may take, in MiB. */
const maxRssMiB = Number(process.env.MAX_RSS_MIB ?? 400)
const p99Factor = Number(P99_FACTOR ?? Number.POSITIVE_INFINITY)
/** How long a silent connection may stay, in s: the service's default, or the shortest valid value. */
const idleSeconds = isBounded ? 8 : 120
/** The server checks for silent connections every 4 s, and a loaded machine adds a delay, in ms. */
const patienceMs = idleSeconds * 1_000 + 20_000

/** Between two bytes of a slow client, in ms. */
const byteEveryMs = 5_000
/** Before a slow client reconnects, in ms. */
const reconnectMs = 500
/** Between two requests of the ordinary client, in ms. */
const askEveryMs = 5
/** How long to measure without slow clients, before and after, in ms. */
const usualMs = isBounded ? 5_000 : 15_000

const request = (body: string): string =>
  `POST /payload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`

/** The bytes to send at once, and those to send one by one. */
const kinds = {
  head: { atOnce: '', slowly: request(payload) },
  body: { atOnce: request(payload).slice(0, -payload.length), slowly: payload },
  'second head': { atOnce: request(payload), slowly: request(payload) },
  'silent body': { atOnce: `${request(payload).slice(0, -payload.length)}{`, slowly: '' },
  reader: { atOnce: 'GET /data?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n', slowly: '' },
} as const
type Kind = keyof typeof kinds

const service = await startService({
  env: {
    ACCESS_LOG: 'false',
    DRAIN_QUIET: '1s',
    IDLE_TIMEOUT: `${idleSeconds}s`,
    // Beyond these, clients of one kind alone must not keep others from being served.
    MAX_IN_FLIGHT: String(Math.ceil(connections / 10)),
    MAX_HELD_RESPONSE_BYTES: '32MiB',
    ...(isBounded && { REQUEST_TIMEOUT: '5s' }),
  },
})
const faults: string[] = []

for (let i = 0; i < 16; i++) await storeDocument()
const before = await askFor(usualMs)
const memoryBefore = residentBytes(service.pid)
let memoryMax = 0
const watch = setInterval(() => {
  if (service.alive) memoryMax = Math.max(memoryMax, residentBytes(service.pid))
}, 250)
const open = new Set<SlowClient>()
const lifetimes = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, [] as number[]])) as Record<
  Kind,
  number[]
>
const slowEnd = performance.now() + slowSeconds * 1_000
const slow = keepSlowClients()
// All of them must have connected before it counts, if the machine is fast enough.
const gathered = performance.now() + (slowSeconds * 1_000) / 2
await until(() => open.size >= connections * 0.9 || performance.now() >= gathered, {
  what: 'the slow clients to connect',
  timeoutMs: slowSeconds * 1_000,
  intervalMs: 100,
})
const during = await askFor(slowEnd - performance.now())
await slow
// All clients have stopped: the server's timeouts must end the remaining connections.
const patience = performance.now() + patienceMs
await until(() => open.size === 0 || performance.now() >= patience, {
  what: 'the slow connections to end',
  timeoutMs: 2 * patienceMs,
  intervalMs: 100,
})
// On new connections: the server has closed idle ones meanwhile, and a request on one of them would race with that.
const after = await askFor(usualMs, false)
clearInterval(watch)

if (open.size > 0) faults.push(`${open.size} slow connections never ended by themselves`)
const [usual, beside] = [quantile(before, 0.99), quantile(during, 0.99)]
if (beside > p99Factor * usual)
  faults.push(`p99 of the ordinary client: ${beside.toFixed(2)} ms, usually ${usual.toFixed(2)} ms`)
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`
if (memoryMax > maxRssMiB * 2 ** 20) faults.push(`memory reached ${mebibytes(memoryMax)}`)
const exitCode = await service.stop()
await service[Symbol.asyncDispose]()
if (exitCode !== 0) faults.push(`the service ended with ${exitCode} and not in order`)

const line = (name: string, values: number[]): string =>
  `${name.padEnd(24)} ${String(values.length).padStart(6)} requests   p50 ${quantile(values, 0.5).toFixed(2)} ms   p99 ${quantile(values, 0.99).toFixed(2)} ms   max ${Math.max(...values).toFixed(1)} ms`
console.log(line('before', before))
console.log(line(`beside ${connections} slow ones`, during))
console.log(line('after', after))
console.log(`memory: ${mebibytes(memoryBefore)} before, at most ${mebibytes(memoryMax)} beside them`)
for (const [kind, seconds] of Object.entries(lifetimes))
  if (seconds.length > 0)
    console.log(
      `slow ${kind}: ${seconds.length} ended by the server, after ${Math.min(...seconds).toFixed(0)} to ${Math.max(...seconds).toFixed(0)} s`,
    )
for (const fault of faults.slice(0, 20)) console.error(`FAULT: ${fault}`)
console.log(faults.length === 0 ? 'No faults' : `${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)

interface SlowClient {
  readonly kind: Kind
}

/** Keeps the slow clients connected until the time is over: a disconnected client reconnects. */
async function keepSlowClients(): Promise<void> {
  const names = Object.keys(kinds) as Kind[]
  await Promise.all(
    Array.from({ length: connections }, async (_, i) => {
      // Not all at once, because the queue of new connections holds 512.
      await Bun.sleep((i % 1_000) * 3)
      const kind = names[i % names.length] ?? 'head'
      while (performance.now() < slowEnd) {
        await dribble(kind)
        await Bun.sleep(reconnectMs)
      }
    }),
  )
}

/** One slow connection, until the server ends it. Sends bytes until the time is over. */
function dribble(kind: Kind): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const client: SlowClient = { kind }
  const started = performance.now()
  const socket = connect({ port: service.port, host: '127.0.0.1', noDelay: true })
  let sent = 0
  const timer = setInterval(() => {
    const byte = kinds[kind].slowly[sent++]
    if (byte !== undefined && performance.now() < slowEnd) socket.write(byte)
  }, byteEveryMs)
  socket.on('connect', () => {
    open.add(client)
    socket.write(kinds[kind].atOnce)
  })
  // The response does not matter, but must be read, except by slow readers.
  socket.on('data', () => {})
  if (kind === 'reader') {
    socket.pause()
    // A paused socket does not see the end of its connection either.
    setTimeout(() => socket.resume(), slowEnd - performance.now())
  }
  socket.on('error', () => {})
  socket.on('close', () => {
    clearInterval(timer)
    if (open.delete(client)) lifetimes[kind].push((performance.now() - started) / 1_000)
    resolve()
  })
  // If the time ends before the connection, there is no need to wait for the next one.
  setTimeout(resolve, slowEnd - performance.now()).unref()
  return promise
}

/** A document of nearly 1 MiB, for clients that do not read it. */
async function storeDocument(): Promise<void> {
  const { status } = await fetch(`${service.url}/data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: 'a'.repeat(2 ** 20 - 1_000) }),
  })
  if (status !== 201) faults.push(`a document was answered ${status}`)
}

/** The ordinary client: a request every few ms, on kept-alive connections unless `keepalive` is false. Records each one's time in ms. */
async function askFor(ms: number, keepalive = true): Promise<number[]> {
  const times: number[] = []
  const asked: Promise<void>[] = []
  const end = performance.now() + ms
  for (let at = performance.now(); at < end; at += askEveryMs) {
    await Bun.sleep(Math.max(0, at - performance.now()))
    asked.push(ask(times, keepalive))
  }
  await Promise.all(asked)
  return times
}

async function ask(times: number[], keepalive: boolean): Promise<void> {
  const started = performance.now()
  try {
    const response = await fetch(`${service.url}/payload`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: payload,
      keepalive,
    })
    await response.json()
    times.push(performance.now() - started)
    if (response.status !== 200) faults.push(`the ordinary client was answered ${response.status}`)
  } catch (error) {
    faults.push(`the ordinary client was not answered: ${error}`)
  }
}
