import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type CommandResult, runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'
import { Built, type Manifest } from './manifests.ts'

/** The Helm chart. */
export const chartPath = join(root, 'deploy/helm/tally')

const pinned = join(root, '.tools/bin/helm')
/** HELM names another one, such as Helm 4. */
export const helm = process.env.HELM || (existsSync(pinned) ? pinned : Bun.which('helm'))

/** The files of values for each variant of the chart, by name: `production`, … */
export async function findVariants(): Promise<string[]> {
  const files = await readdir(join(chartPath, 'ci'))
  return files.map((file) => file.replace(/-values\.yaml$/, '')).sort()
}

/**
 * Renders the chart as a release `tally` in the namespace `tally`.
 *
 * @param variant a file of `ci/`
 * @param options more of `helm template`, such as `--set=api.replicas=5`
 */
export function render(variant: string, options: readonly string[] = []): Promise<CommandResult> {
  const values = join(chartPath, `ci/${variant}-values.yaml`)
  return runCommand([
    ...[helm ?? 'helm', 'template', 'tally', chartPath, '--namespace=tally', `--values=${values}`],
    // Without a cluster, a Helm that `go install` has built assumes an old version of Kubernetes.
    ...['--kube-version=1.34.0', ...options],
  ])
}

const manifestSchema = z.array(
  z
    .looseObject({
      kind: z.string(),
      metadata: z.looseObject({
        name: z.string(),
        namespace: z.string().optional(),
        labels: z.record(z.string(), z.string()).default({}),
      }),
    })
    .nullable(),
)

/**
 * Renders the chart, as `render` does.
 *
 * @throws Error with Helm's own words
 */
export async function build(variant: string, options: readonly string[] = []): Promise<Built> {
  const { exitCode, stdout, stderr } = await render(variant, options)
  if (exitCode !== 0) throw new Error(`${variant}: ${stderr}`)
  // One document is not in an array. A template without content for a variant is an empty document.
  const documents = [Bun.YAML.parse(stdout)].flat()
  const manifests = manifestSchema.parse(documents).filter((each): each is Manifest => each !== null)
  return new Built(variant, manifests)
}
