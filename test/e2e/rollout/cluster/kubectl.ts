import { join } from 'node:path'
import { spawnChild } from '../../../support/child-process.ts'
import { type CommandResult, runCommand } from '../../../support/command.ts'
import { until } from '../../../support/until.ts'

/** One namespace of the cluster that KUBECONFIG names. */
export interface Namespace {
  readonly name: string
  /** The address of `kubectl proxy`, for API requests without a kubectl command. */
  readonly apiUrl: string
  /**
   * Runs kubectl in the namespace and returns its trimmed output.
   *
   * @throws Error with kubectl's message if it fails
   */
  kubectl(...words: string[]): Promise<string>
  /** The same for a command that may fail. */
  try(words: readonly string[], stdin?: string): Promise<CommandResult>
  close(): Promise<void>
}

/**
 * Opens a namespace, which need not exist yet.
 *
 * @param directory for the proxy's log
 */
export async function openNamespace(name: string, directory: string): Promise<Namespace> {
  const { KUBECONFIG } = process.env
  const logFile = join(directory, 'kubectl-proxy.log')
  const proxy = spawnChild({
    detached: true,
    command: ['kubectl', 'proxy', '--port=0', '--address=127.0.0.1'],
    env: KUBECONFIG ? { KUBECONFIG } : {},
    output: { file: logFile },
  })
  const address = await until(
    async () => {
      return /127\.0\.0\.1:\d+/.exec(await Bun.file(logFile).text())?.[0]
    },
    { what: 'kubectl proxy to listen', timeoutMs: 20_000, intervalMs: 50 },
  )
  const attempt = (words: readonly string[], stdin?: string): Promise<CommandResult> =>
    runCommand(['kubectl', `--namespace=${name}`, ...words], stdin === undefined ? {} : { stdin })
  return {
    name,
    apiUrl: `http://${address}`,
    try: attempt,
    async kubectl(...words) {
      const { exitCode, stdout, stderr } = await attempt(words)
      if (exitCode !== 0)
        throw new Error(`kubectl ${words.join(' ')} ended with ${exitCode}: ${stderr.trim()}`)
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
 * @throws Error with kubectl's message if one is rejected
 */
export async function applyObjects(objects: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const { exitCode, stderr } = await runCommand(['kubectl', 'apply', '--server-side', '--filename=-'], {
    stdin: list,
  })
  if (exitCode !== 0) throw new Error(`kubectl apply ended with ${exitCode}: ${stderr.trim()}`)
}
