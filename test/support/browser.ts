import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasProgram } from './programs.ts'

export interface Browser extends AsyncDisposable {
  /** Every URL that the page has asked for, also what it was kept from by its policy. */
  readonly requested: readonly string[]
  open(url: string): Promise<void>
  /** The value of an expression in the page. */
  evaluate(expression: string): Promise<unknown>
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly request?: { readonly url: string } }
  readonly result?: {
    readonly result?: { readonly value?: unknown }
    readonly sessionId?: string
    readonly targetId?: string
  }
  readonly error?: { readonly message: string }
}

const chromium = Bun.which('chromium') ?? Bun.which('chromium-browser') ?? Bun.which('google-chrome')

/** Whether the tests in a browser can run here. */
export function haveBrowser(): boolean {
  return hasProgram('chromium', 'chromium', chromium !== null)
}

/** A headless Chromium with one empty page, driven over its DevTools protocol; its profile goes with it. */
export async function startBrowser(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'tally-chromium-'))
  const child = Bun.spawn(
    [
      chromium ?? 'chromium',
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ...[`--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'],
    ],
    { stdout: 'ignore', stderr: 'pipe' },
  )
  const socket = new WebSocket(await endpointIn(child.stderr))
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  const waiting = new Map<number, (message: Message) => void>()
  const requested: string[] = []
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) waiting.get(message.id)?.(message)
    const url = message.method === 'Network.requestWillBeSent' ? message.params?.request?.url : undefined
    if (url !== undefined) requested.push(url)
  }
  let calls = 0
  let sessionId: string | undefined
  const call = async (method: string, params: object = {}): Promise<NonNullable<Message['result']>> => {
    const id = ++calls
    const answer = new Promise<Message>((resolve) => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params, sessionId }))
    const { result, error } = await answer
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }
  const { targetId } = await call('Target.createTarget', { url: 'about:blank' })
  sessionId = (await call('Target.attachToTarget', { targetId, flatten: true })).sessionId
  await call('Network.enable')

  return {
    requested,
    open: async (url) => void (await call('Page.navigate', { url })),
    evaluate: async (expression) =>
      (await call('Runtime.evaluate', { expression, returnByValue: true })).result?.value,
    async [Symbol.asyncDispose]() {
      socket.close()
      child.kill()
      await child.exited
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The address of the DevTools, which the browser tells on its standard error once it listens. */
async function endpointIn(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let said = ''
  for await (const bytes of stderr) {
    said += decoder.decode(bytes, { stream: true })
    const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1]
    if (address !== undefined) return address
  }
  throw new Error(`the browser ended: ${said}`)
}
