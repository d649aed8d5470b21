import { until } from '../../support/until.ts'
import type { Ledger } from './ledger.ts'

/** A response with 503, and its duration in ms. */
export interface Refused {
  readonly ms: number
}

interface Answer {
  readonly status: number
  readonly text: string
}

export interface DocumentLoadOptions {
  /** The prefix of its documents' names. */
  readonly prefix: string
  readonly clients: number
  readonly ledger: Ledger
}

/**
 * Clients that create, replace, delete and read documents as fast as possible, each its own documents, and keep a
 * ledger. A client stops when its connection breaks; after a 503 it continues with another document.
 */
export class DocumentLoad {
  /** Writes that were confirmed. */
  confirmed = 0
  /** Requests without a response. */
  unanswered = 0
  readonly refused: Refused[] = []
  /** Responses that are neither correct nor a correct 503, as sentences. */
  readonly wrong: string[] = []
  readonly #url: string
  readonly #ledger: Ledger
  /** Bodies by Idempotency-Key without a 201: the client does not know their outcome and may repeat them. */
  readonly #toRepeat = new Map<string, string>()
  readonly #clients: Promise<unknown>
  #running = true

  constructor(url: string, { prefix, clients, ledger }: DocumentLoadOptions) {
    this.#url = url
    this.#ledger = ledger
    this.#clients = Promise.all(Array.from({ length: clients }, (_, i) => this.#run(`${prefix}-${i}`, i)))
  }

  /** Resolves when `count` writes have succeeded, counted from the first. */
  async untilConfirmed(count: number): Promise<void> {
    await until(() => this.confirmed >= count)
  }

  /** Ends after the requests in flight. */
  async stop(): Promise<void> {
    this.#running = false
    await this.#clients
  }

  /** Repeats unconfirmed requests with their keys. */
  async repeat(url: string): Promise<number> {
    const repeated = [...this.#toRepeat]
    this.#toRepeat.clear()
    await Promise.all(repeated.map(([key, sent]) => this.#createOnce(key, sent, url)))
    return repeated.length
  }

  /** @param first the first step: clients that took the same steps in unison would all miss the moment of a kill */
  async #run(client: string, first: number): Promise<void> {
    for (let n = first; this.#running; n++) {
      const name = `${client}-${n}`
      await [
        () => this.#createAndRead(name),
        () => this.#createAndReplace(name),
        () => this.#createAndDelete(name),
        () => this.#createOnce(name, textOf({ of: name }, n)),
      ][n % 4]?.()
    }
  }

  /** With an id chosen by the service. */
  async #createAndRead(name: string): Promise<void> {
    const sent = textOf({ of: name }, name.length)
    const answer = await this.#write('POST', '/data', 201, sent)
    if (answer === undefined) return this.#ledger.doubtUnnamed(sent)
    const { id, text } = itemIn(answer)
    this.#ledger.confirm(id, text)
    if (text !== `{"id":"${id}",${sent.slice(1)}`) this.wrong.push(`${sent} became ${text}`)
    await this.#read(id, text)
  }

  async #createAndReplace(id: string): Promise<void> {
    if (!(await this.#create(id))) return
    const text = textOf({ id, replaced: 'true' }, 7)
    const answer = await this.#write('PUT', `/data/${id}`, 200, text)
    if (answer === undefined) return this.#ledger.doubt(id, text)
    this.#ledger.confirm(id, text)
    await this.#read(id, text)
  }

  async #createAndDelete(id: string): Promise<void> {
    if (!(await this.#create(id))) return
    const answer = await this.#write('DELETE', `/data/${id}`, 204)
    if (answer === undefined) return this.#ledger.doubt(id, undefined)
    this.#ledger.confirm(id, undefined)
    await this.#read(id, undefined)
  }

  async #create(id: string): Promise<boolean> {
    const text = textOf({ id }, id.length)
    const answer = await this.#write('POST', '/data', 201, text)
    if (answer === undefined) this.#ledger.doubt(id, text)
    else this.#ledger.confirm(id, text)
    return answer !== undefined
  }

  async #createOnce(key: string, sent: string, url = this.#url): Promise<void> {
    const answer = await this.#write('POST', '/data', 201, sent, { 'idempotency-key': key }, url)
    if (answer === undefined) {
      this.#toRepeat.set(key, sent)
      return this.#ledger.doubtUnnamed(sent)
    }
    const { id, text } = itemIn(answer)
    this.#ledger.confirmUnnamed(sent, id, text)
  }

  async #read(id: string, expected: string | undefined): Promise<void> {
    const answer = await this.#ask('GET', `/data/${id}`, expected === undefined ? 404 : 200)
    if (answer !== undefined && expected !== undefined && answer.text !== expected)
      this.wrong.push(`GET /data/${id} was answered ${answer.text} and not ${expected}`)
  }

  async #write(
    method: string,
    path: string,
    expected: number,
    body?: string,
    headers?: Record<string, string>,
    url?: string,
  ): Promise<Answer | undefined> {
    const answer = await this.#ask(method, path, expected, body, headers, url)
    if (answer !== undefined) this.confirmed += 1
    return answer
  }

  /** @returns undefined if the response was not the expected one, which is then counted */
  async #ask(
    method: string,
    path: string,
    expected: number,
    body?: string,
    headers: Record<string, string> = {},
    url = this.#url,
  ): Promise<Answer | undefined> {
    const start = performance.now()
    const init = body === undefined ? {} : { body }
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...init,
      })
      const text = await response.text()
      const ms = performance.now() - start
      if (response.status === expected) return { status: response.status, text }
      if (isUnavailable(response, text)) {
        this.refused.push({ ms })
        // A rejected client must not keep the machine from starting the dependency.
        await Bun.sleep(5)
      } else this.wrong.push(`${method} ${path}: ${response.status} ${text}`)
    } catch {
      this.unanswered += 1
      this.#running = false
    }
    return undefined
  }
}

/** A correct 503: a problem that names the unavailable dependency, with a Retry-After. */
function isUnavailable({ status, headers }: Response, text: string): boolean {
  return (
    status === 503 &&
    headers.get('content-type') === 'application/problem+json' &&
    /^[1-9]\d*$/.test(headers.get('retry-after') ?? '') &&
    JSON.parse(text).code === 'store-unavailable'
  )
}

/**
 * A document's text that survives only if it is stored verbatim: spaces, a decimal with a trailing zero, an integer
 * beyond a double. Some fit into a page of the database and some do not.
 */
function textOf(members: Readonly<Record<string, string>>, n: number): string {
  const filler = 'é'.repeat((n * 397) % 3_000)
  return `${JSON.stringify(members).slice(0, -1)}, "price": 1.10, "big": 9007199254740993, "filler": "${filler}"}`
}

function itemIn({ text }: Answer): { id: string; text: string } {
  const item = text.slice('{"message":"created","item":'.length, -1)
  return { id: (JSON.parse(item) as { id: string }).id, text: item }
}

/**
 * Reads the whole list page by page, following `Link`.
 *
 * @returns the exact text of every document; they must be flat, because the list is split between them
 */
export async function everyDocument(url: string): Promise<string[]> {
  const texts: string[] = []
  let next: string | undefined = '/data?limit=500'
  while (next !== undefined) {
    const response: Response = await fetch(`${url}${next}`)
    const page = await response.text()
    if (response.status !== 200) throw new Error(`GET ${next}: ${response.status} ${page}`)
    if (page !== '[]') texts.push(...page.slice(1, -1).split(/(?<=\}),(?=\{)/))
    next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
  }
  return texts
}
