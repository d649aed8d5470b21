import type { Dataset } from './dataset.ts'

type Method = 'readFile' | 'prepare'

/** A call of a dataset method, as sent to the worker. */
export type Call = {
  readonly [M in Method]: {
    readonly id: number
    readonly method: M
    readonly input: Parameters<Dataset[M]>[0]
  }
}[Method]

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }

/** The name of the worker's script, which the build sets. */
declare const WORKER_FILE: string

/** A dataset in a worker thread, so that the page stays responsive while it reads a million numbers. */
export class DatasetClient {
  readonly #worker = startWorker()
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #calls = 0

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = this.#waiting.get(data.id)
      this.#waiting.delete(data.id)
      if ('error' in data) waiting?.reject(new Error(data.error))
      else waiting?.resolve(data.value)
    }
    this.#worker.onerror = ({ message }) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(message))
      this.#waiting.clear()
    }
  }

  /** @throws Error if the dataset throws */
  call<M extends Method>(method: M, input: Parameters<Dataset[M]>[0]): ReturnType<Dataset[M]> {
    const waiting = Promise.withResolvers<unknown>()
    const id = ++this.#calls
    this.#waiting.set(id, waiting)
    this.#worker.postMessage({ id, method, input } as Call)
    return waiting.promise as ReturnType<Dataset[M]>
  }

  close(): void {
    this.#worker.terminate()
  }
}

/** The part of Trusted Types that Chromium has. Other browsers accept the address as it is. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string }
}

function startWorker(): Worker {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  workerPolicy ??= trustedTypes?.createPolicy('tally-worker', { createScriptURL: (url) => url })
  const { href } = new URL(WORKER_FILE, import.meta.url)
  return new Worker(workerPolicy?.createScriptURL(href) ?? href)
}

let workerPolicy: ReturnType<TrustedTypes['createPolicy']> | undefined
