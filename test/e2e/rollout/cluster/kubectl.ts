import { join } from 'node:path'
import { type RunningProgram, startProgram } from '../program.ts'
import { until } from '../until.ts'

/** What a command printed and how it ended. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One namespace of the cluster that KUBECONFIG names. */
export interface Namespace {
  readonly name: string
  /** Where `kubectl proxy` answers for the API server, for what kubectl has no command for. */
  readonly apiUrl: string
  /**
   * Runs kubectl in the namespace and gives what it printed, trimmed.
   *
   * @throws Error with kubectl's own words when it fails.
   */
  kubectl(...words: string[]): Promise<string>
  /** The same for a command that may fail. */
  try(words: readonly string[], stdin?: string): Promise<Ended>
  close(): Promise<void>
}

/**
 * Opens a namespace, which need not exist yet.
 *
 * @param directory takes the proxy's log.
 */
export async function openNamespace(name: string, directory: string): Promise<Namespace> {
  const { KUBECONFIG } = process.env
  const proxy: RunningProgram = startProgram({
    name: 'kubectl proxy',
    command: ['kubectl', 'proxy', '--port=0', '--address=127.0.0.1'],
    env: KUBECONFIG ? { KUBECONFIG } : {},
    logFile: join(directory, 'kubectl-proxy.log'),
  })
  const address = await until('kubectl proxy to listen', 20_000, async () => {
    return /127\.0\.0\.1:\d+/.exec(await Bun.file(proxy.logFile).text())?.[0]
  })
  const attempt = (words: readonly string[], stdin?: string): Promise<Ended> =>
    execute(['kubectl', `--namespace=${name}`, ...words], stdin)
  return {
    name,
    apiUrl: `http://${address}`,
    try: attempt,
    async kubectl(...words) {
      const { code, stdout, stderr } = await attempt(words)
      if (code !== 0) throw new Error(`kubectl ${words.join(' ')} ended with ${code}: ${stderr.trim()}`)
      return stdout.trim()
    },
    async close() {
      proxy.signal('SIGTERM')
      await proxy.exited
    },
  }
}

/**
 * Applies objects, each to the namespace that it names.
 *
 * @throws Error with kubectl's own words when one is refused.
 */
export async function applyObjects(objects: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const { code, stderr } = await execute(['kubectl', 'apply', '--server-side', '--filename=-'], list)
  if (code !== 0) throw new Error(`kubectl apply ended with ${code}: ${stderr.trim()}`)
}

/** Runs a program to its end, with the environment of this process. */
export async function execute(command: readonly string[], stdin?: string): Promise<Ended> {
  const child = Bun.spawn([...command], {
    stdin: stdin === undefined ? 'ignore' : new Blob([stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}
