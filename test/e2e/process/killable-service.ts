import { join } from 'node:path'

/** How long a start may take on a busy machine, in ms. */
const startMsMax = 20_000

/** The programs of ours that run until they are told to stop. */
export type Program = 'main.ts' | 'worker.ts'

/** `bun src/main.ts`, or another program of ours, as a process of its own, on a free loopback port. */
export interface Service extends AsyncDisposable {
  readonly url: string
  /** Everything it has written so far, to standard output and standard error. */
  output(): string
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. What is in flight is finished, without a drain window. */
  stop(): Promise<number>
}

/**
 * Starts the service and waits until it listens.
 *
 * @param env what its environment has beside PATH; nothing of this process's own gets in
 * @param program `main.ts` or `worker.ts`
 * @throws Error with everything it has written, when it ends instead or takes too long
 */
export async function startService(
  env: Readonly<Record<string, string>>,
  program: Program = 'main.ts',
): Promise<Service> {
  const { child, output } = run(env, program)
  const deadline = performance.now() + startMsMax
  let url: string | undefined
  while (url === undefined) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL')
      await child.exited
      throw new Error(`the service did not start: ${output()}`)
    }
    await Bun.sleep(5)
    url = /"msg":"listening".*"url":"([^"]+)\/"/.exec(output())?.[1]
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  return {
    url,
    output,
    kill,
    async stop() {
      child.kill('SIGTERM')
      return await child.exited
    },
    [Symbol.asyncDispose]: kill,
  }
}

/** Starts the service where it has to refuse; resolves when it has ended by itself. */
export async function failToStart(
  env: Readonly<Record<string, string>>,
): Promise<{ exitCode: number; output: string }> {
  const { child, output, ended } = run(env, 'main.ts')
  const timer = setTimeout(() => child.kill('SIGKILL'), startMsMax)
  const exitCode = await child.exited
  await ended
  clearTimeout(timer)
  return { exitCode, output: output() }
}

function run(env: Readonly<Record<string, string>>, program: Program) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, '../../../src', program)], {
    env: {
      PATH: process.env.PATH ?? '',
      HOST: '127.0.0.1',
      PORT: '0',
      WORKER_PORT: '0',
      DRAIN_MAX: '0s',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let written = ''
  const gather = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) written += decoder.decode(chunk, { stream: true })
  }
  const ended = Promise.all([gather(child.stdout), gather(child.stderr)])
  return { child, ended, output: () => written }
}
