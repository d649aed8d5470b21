import { type Answer, ResponseReader } from './response-reader.ts'

/** What became of the requests of an open loop; every one that was due is counted once. */
export interface Flood {
  readonly due: number
  /** By status: how long each answer took from when its request was due, in ms. */
  readonly latenciesMs: ReadonlyMap<number, readonly number[]>
  /** Due while every connection was waiting for an answer: never sent. */
  readonly unsent: number
  /** Sent, and not answered. */
  readonly lost: number
}

/** How often what is due is sent, in ms. */
const tickMs = 1

/** How long the last answers may take, in ms. */
const lastAnswersMs = 5_000

/**
 * Sends requests at a rate, whether or not the answers come: what clients do who know nothing of each other. A closed
 * loop cannot show an overload, for its clients wait with the server. Latency counts from when a request was due, and
 * not from when it could be sent, or the worst of it would be left out.
 *
 * @param connectionsMax connections at the most, each with one request under way
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
  let underWay = 0

  const answered = (sender: Sender, { status }: Answer, dueAt: number): void => {
    underWay--
    const list = latenciesMs.get(status) ?? []
    list.push(performance.now() - dueAt)
    latenciesMs.set(status, list)
    idle.push(sender)
  }
  const gone = (sender: Sender): void => {
    open--
    const place = idle.indexOf(sender)
    if (place !== -1) idle.splice(place, 1)
    else {
      underWay--
      lost++
    }
  }
  const send = (dueAt: number): void => {
    const sender = idle.pop()
    if (sender === undefined && open === connectionsMax) {
      unsent++
      return
    }
    underWay++
    if (sender !== undefined) sender.send(dueAt)
    else {
      open++
      void Sender.open(port, request, { answered, gone }, dueAt).catch(() => {
        open--
        underWay--
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
  const deadline = performance.now() + lastAnswersMs
  while (underWay > 0 && performance.now() < deadline) await Bun.sleep(10)
  lost += underWay
  for (const sender of idle) sender.close()
  return { due, latenciesMs, unsent, lost }
}

interface Listener {
  answered(sender: Sender, answer: Answer, dueAt: number): void
  gone(sender: Sender): void
}

/** One kept-alive connection with at most one request under way. */
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
    const answer = this.#reader.push(chunk)
    if (answer !== undefined) this.listener.answered(this, answer, this.#dueAt)
  }

  #ended(): void {
    if (!this.#closing) this.listener.gone(this)
  }
}
