import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import type { Namespace } from './kubectl.ts'

/** Changes to the overlay for a deployment. */
export interface Change {
  readonly image: string
  /** Settings of the ConfigMap `tally`. */
  readonly config?: Readonly<Record<string, string>>
  /** Strategic merge patches of the Deployment `api`. */
  readonly patches?: readonly object[]
  /** Whether the overlay's Prometheus is left out, because another one is used. */
  readonly withoutPrometheus?: boolean
}

/**
 * The kustomization that adds a change to an overlay. Written as JSON, which is valid YAML.
 *
 * @param overlayPath relative to the kustomization's directory, because kustomize rejects absolute paths
 * @example kustomizationOf('../loadtest', { image: 'registry.example:5000/tally:1.2' }).images
 *   // [{ name: 'tally', newName: 'registry.example:5000/tally', newTag: '1.2' }]
 */
export function kustomizationOf(
  overlayPath: string,
  { image, config = {}, patches = [], withoutPrometheus = false }: Change,
) {
  const literals = Object.entries(config).map(([name, value]) => `${name}=${value}`)
  return {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [overlayPath],
    images: [{ name: 'tally', ...splitImage(image) }],
    ...(literals.length > 0 && { configMapGenerator: [{ name: 'tally', behavior: 'merge', literals }] }),
    patches: [
      ...patches.map((patch) => ({
        target: { kind: 'Deployment', name: 'api' },
        patch: JSON.stringify({
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'api' },
          ...patch,
        }),
      })),
      ...(withoutPrometheus ? prometheusRemoved : []),
    ],
  }
}

const prometheusRemoved = [
  { kind: 'Deployment', apiVersion: 'apps/v1' },
  { kind: 'Service', apiVersion: 'v1' },
].map(({ kind, apiVersion }) => ({
  target: { kind, name: 'prometheus' },
  patch: JSON.stringify({ $patch: 'delete', apiVersion, kind, metadata: { name: 'prometheus' } }),
}))

/**
 * Takes an image apart, as kustomize names the parts.
 *
 * @example splitImage('host:5000/tally:1') // { newName: 'host:5000/tally', newTag: '1' }
 */
export function splitImage(image: string): { newName: string; newTag?: string; digest?: string } {
  const [name = '', digest] = image.split('@')
  if (digest !== undefined) return { newName: name, digest }
  // A colon before the last slash belongs to the registry's port.
  const colon = name.lastIndexOf(':')
  if (colon <= name.lastIndexOf('/')) return { newName: name, newTag: 'latest' }
  return { newName: name.slice(0, colon), newTag: name.slice(colon + 1) }
}

/**
 * Applies an overlay with a change.
 *
 * @param directory for the kustomization
 */
export async function applyOverlay(
  namespace: Namespace,
  overlay: string,
  directory: string,
  change: Change,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  const kustomization = kustomizationOf(relative(directory, resolve(overlay)), {
    ...change,
    ...(change.config && { config: change.config }),
  })
  await Bun.write(
    join(directory, 'kustomization.yaml'),
    `${JSON.stringify({ ...kustomization, namespace: namespace.name }, null, 2)}\n`,
  )
  await namespace.kubectl('apply', '--kustomize', directory)
}
