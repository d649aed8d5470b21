import { until } from '../../support/until.ts'
import type { Ledger } from './ledger.ts'

/** An answer of 503, and how long it took, in ms. */
export interface Refused {
  readonly ms: number
}

interface Answer {
  readonly status: number
  readonly text: string
}

export interface DocumentLoadOptions {
  /** What the names of its documents begin with. */
  readonly prefix: string
  readonly clients: number
  readonly ledger: Ledger
}

/**
 * Clients that create, replace, delete and read documents as fast as they are answered, each its own documents, and keep
 * a ledger. A client whose connection breaks is done; after a 503 it continues with another document.
 */
export class DocumentLoad {
  /** Writes that were answered with success. */
  confirmed = 0
  /** Requests that got no answer. */
  unanswered = 0
  readonly refused: Refused[] = []
  /** Answers that are neither right nor a 503 as it should be, in words. */
  readonly wrong: string[] = []
  readonly #url: string
  readonly #ledger: Ledger
  /** Bodies by Idempotency-Key that got no 201: the client does not know, and may send them again. */
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

  /** Ends after the requests that are under way. */
  async stop(): Promise<void> {
    this.#running = false
    await this.#clients
  }

  /** Sends once more, under their keys, what had a key and no confirmation. */
  async repeat(url: string): Promise<number> {
    const repeated = [...this.#toRepeat]
    this.#toRepeat.clear()
    await Promise.all(repeated.map(([key, sent]) => this.#createOnce(key, sent, url)))
    return repeated.length
  }

  /** @param first the step to begin with: clients that took the same steps together would all miss the moment of a kill */
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

  /** Under an id of the service's own. */
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

  /** @returns undefined when the answer was not the expected one; then it is counted as what it was */
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
        // A client that is refused at once must not keep the machine from starting what it waits for.
        await Bun.sleep(5)
      } else this.wrong.push(`${method} ${path}: ${response.status} ${text}`)
    } catch {
      this.unanswered += 1
      this.#running = false
    }
    return undefined
  }
}

/** A correct 503: a problem that names the unavailable dependency and the time of a retry. */
function isUnavailable({ status, headers }: Response, text: string): boolean {
  return (
    status === 503 &&
    headers.get('content-type') === 'application/problem+json' &&
    /^[1-9]\d*$/.test(headers.get('retry-after') ?? '') &&
    JSON.parse(text).code === 'store-unavailable'
  )
}

/**
 * A document's text that survives only when it is stored verbatim: spaces, a decimal with a trailing zero, an integer
 * that no double holds. Some fit into a page of the database and some do not.
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
 * Reads the whole list, page by page, as a client does that follows `Link`.
 *
 * @returns the exact text of every document; they must be flat, because the list is split where one ends and the next begins
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
