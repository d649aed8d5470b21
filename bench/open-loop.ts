import { type RawResponse, ResponseReader } from './response-reader.ts'

/** The outcome of an open loop; every due request counts once. */
export interface Flood {
  readonly due: number
  /** By status: the time from due to response, in ms. */
  readonly latenciesMs: ReadonlyMap<number, readonly number[]>
  /** Never sent: due while every connection was waiting for a response. */
  readonly unsent: number
  /** Sent but not answered. */
  readonly lost: number
}

/** Interval between sending due requests, in ms. */
const tickMs = 1

/** Time limit for the last responses, in ms. */
const lastResponsesMs = 5_000

/**
 * Sends requests at a fixed rate, whether or not responses arrive, like independent clients. A closed loop cannot show
 * an overload, because its clients slow down with the server. Latency starts when a request is due, not when it is
 * sent; otherwise it would omit the worst delays (coordinated omission).
 *
 * @param connectionsMax maximum number of connections, each with one request in flight
 */
export async function openLoop(
  port: number,
  request: Uint8Array,
  { perSecond, seconds, connectionsMax }: { perSecond: number; seconds: number; connectionsMax: number },
): Promise<Flood> {
  const latenciesMs = new Map<number, number[]>()
  const idle: Sender[] = []
  let open = 0
  let due = 0
  let unsent = 0
  let lost = 0
  let inFlight = 0

  const answered = (sender: Sender, { status }: RawResponse, dueAt: number): void => {
    inFlight--
    const list = latenciesMs.get(status) ?? []
    list.push(performance.now() - dueAt)
    latenciesMs.set(status, list)
    idle.push(sender)
  }
  const closed = (sender: Sender): void => {
    open--
    const index = idle.indexOf(sender)
    if (index !== -1) idle.splice(index, 1)
    else {
      inFlight--
      lost++
    }
  }
  const send = (dueAt: number): void => {
    const sender = idle.pop()
    if (sender === undefined && open === connectionsMax) {
      unsent++
      return
    }
    inFlight++
    if (sender !== undefined) sender.send(dueAt)
    else {
      open++
      void Sender.open(port, request, { answered, closed }, dueAt).catch(() => {
        open--
        inFlight--
        lost++
      })
    }
  }

  const start = performance.now()
  for (;;) {
    const elapsed = performance.now() - start
    const dueByNow = Math.floor((Math.min(elapsed, seconds * 1_000) / 1_000) * perSecond)
    for (; due < dueByNow; due++) send(start + ((due + 1) / perSecond) * 1_000)
    if (elapsed >= seconds * 1_000) break
    await Bun.sleep(tickMs)
  }
  const deadline = performance.now() + lastResponsesMs
  while (inFlight > 0 && performance.now() < deadline) await Bun.sleep(10)
  lost += inFlight
  for (const sender of idle) sender.close()
  return { due, latenciesMs, unsent, lost }
}

interface Listener {
  answered(sender: Sender, response: RawResponse, dueAt: number): void
  closed(sender: Sender): void
}

/** One keep-alive connection with at most one request in flight. */
class Sender {
  readonly #reader = new ResponseReader()
  #dueAt = 0
  #unsent: Uint8Array = new Uint8Array()
  #closing = false

  private constructor(
    private readonly socket: Bun.Socket,
    private readonly request: Uint8Array,
    private readonly listener: Listener,
  ) {}

  static async open(port: number, request: Uint8Array, listener: Listener, dueAt: number): Promise<Sender> {
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, chunk) => sender.#receive(chunk),
        drain: () => sender.#write(),
        close: () => sender.#ended(),
      },
    })
    const sender = new Sender(socket, request, listener)
    sender.send(dueAt)
    return sender
  }

  send(dueAt: number): void {
    this.#dueAt = dueAt
    this.#unsent = this.request
    this.#write()
  }

  close(): void {
    this.#closing = true
    this.socket.end()
  }

  #write(): void {
    if (this.#unsent.length === 0) return
    this.#unsent = this.#unsent.subarray(Math.max(0, this.socket.write(this.#unsent)))
  }

  #receive(chunk: Buffer): void {
    const response = this.#reader.push(chunk)
    if (response !== undefined) this.listener.answered(this, response, this.#dueAt)
  }

  #ended(): void {
    if (!this.#closing) this.listener.closed(this)
  }
}
