/**
 * Sends random and damaged bytes over raw sockets, for `FUZZ_SECONDS` (600), from `SEED` (today's date), on
 * `CONNECTIONS` (16) at a time: `bun test/e2e/fuzz/bytes.ts`, `make fuzz`.
 *
 * Fails (exit code 1) if the service dies, answers any input with 5xx, gives a concurrent client a wrong response or
 * none, uses more memory in the last third of the time than in the middle third, or does not shut down properly
 * afterwards.
 */
import { connect } from 'node:net'
import { residentBytes } from '../../../bench/resident-memory.ts'
import { quantile } from '../../../bench/statistics.ts'
import { startService } from '../../support/service.ts'
import { createInput, type Input, payload } from './inputs.ts'
import { createRandom } from './random.ts'

const seconds = Number(process.env.FUZZ_SECONDS ?? 600)
const connections = Number(process.env.CONNECTIONS ?? 16)
const seed = Number(process.env.SEED ?? new Date().toISOString().slice(0, 10).replaceAll('-', ''))

/** How long to wait for a response to an input that requires none, in ms. */
const silenceMs = 200

/** Growth of the memory from the middle third to the last that counts as flat: 5 %, plus the allocator's rounding. */
const growthMax = 1.05
const growthMiB = 8

/** The runtime itself answers unsupported HTTP versions with 505. */
const notAFault = 505

const service = await startService({
  env: { ACCESS_LOG: 'false', DRAIN_QUIET: '1s', IDLE_TIMEOUT: '8s', REQUEST_TIMEOUT: '5s' },
})
const statuses = new Map<number, number>()
const faults: string[] = []
const memory: number[] = []
let inputs = 0
let besides = 0

console.log(`${seconds} s of damaged requests on ${connections} connections, seed ${seed}`)
const end = performance.now() + seconds * 1_000
const goesOn = (): boolean => performance.now() < end && service.alive
await Promise.all([...Array.from({ length: connections }, (_, i) => attack(i)), askBeside(), watchMemory()])

if (!service.alive) faults.push(`the service died:\n${service.log.text.slice(-2_000)}`)
const third = Math.floor(memory.length / 3)
const [middle, last] = [quantile(memory.slice(third, 2 * third), 0.5), quantile(memory.slice(2 * third), 0.5)]
if (!(last <= middle * growthMax + growthMiB))
  faults.push(
    `memory grew from ${middle.toFixed(0)} MiB in the middle third to ${last.toFixed(0)} in the last`,
  )
const exitCode = await service.stop()
await service[Symbol.asyncDispose]()
if (exitCode !== 0) faults.push(`the service ended with ${exitCode} and not in order`)

console.log(`${inputs} inputs sent; ${besides} requests beside them answered right`)
for (const [status, count] of [...statuses].sort(([a], [b]) => a - b))
  console.log(`  ${status === 0 ? 'closed or silent' : status}: ${count}`)
console.log(`Memory: ${middle.toFixed(0)} MiB in the middle third, ${last.toFixed(0)} MiB in the last`)
for (const fault of faults.slice(0, 20)) console.error(`FAULT: ${fault}`)
console.log(faults.length === 0 ? 'No faults' : `${faults.length} faults; again with SEED=${seed}`)
process.exit(faults.length === 0 ? 0 : 1)

/** One client: it sends an input, reads the response, and sends the next input on a new connection. */
async function attack(lane: number): Promise<void> {
  const random = createRandom(seed * 1_000 + lane)
  while (goesOn()) {
    const input = createInput(random)
    const answer = await send(input)
    inputs++
    const found = [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
    for (const status of found.length === 0 ? [0] : found) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status >= 500 && status !== notAFault)
        faults.push(`${status} for ${JSON.stringify(Buffer.concat(input).toString('latin1').slice(0, 500))}`)
    }
  }
}

/** Sends an input and returns the bytes that the server sends until it closes or is silent for a while. */
function send(input: Input): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ port: service.port, host: '127.0.0.1', noDelay: true })
    let timer: Timer
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const listen = (): void => {
      clearTimeout(timer)
      timer = setTimeout(done, silenceMs)
    }
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1')
      listen()
    })
    socket.on('error', done).on('close', done)
    socket.on('connect', async () => {
      listen()
      for (const piece of input) await new Promise((sent) => socket.write(piece, sent))
    })
    listen()
  })
}

/** An ordinary client, which must not be affected. */
async function askBeside(): Promise<void> {
  while (goesOn()) {
    try {
      const response = await fetch(`${service.url}/payload`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: payload,
      })
      const { numeric_analysis: numbers } = (await response.json()) as { numeric_analysis?: { mean: number } }
      if (response.status === 200 && numbers?.mean === 3) besides++
      else faults.push(`a right request was answered ${response.status}`)
    } catch (error) {
      if (service.alive) faults.push(`a right request was not answered: ${error}`)
    }
    await Bun.sleep(50)
  }
}

async function watchMemory(): Promise<void> {
  while (goesOn()) {
    if (service.alive) memory.push(residentBytes(service.pid) / 2 ** 20)
    await Bun.sleep(500)
  }
}
