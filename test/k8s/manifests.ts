import { existsSync } from 'node:fs'
import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { z } from 'zod'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'

const httpGet = z.object({ path: z.string(), port: z.union([z.string(), z.number()]) })
const probe = z.object({
  httpGet: httpGet.optional(),
  periodSeconds: z.number(),
  timeoutSeconds: z.number(),
  failureThreshold: z.number(),
})

const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  env: z
    .array(
      z.object({
        name: z.string(),
        value: z.string().optional(),
        valueFrom: z
          .object({ secretKeyRef: z.object({ name: z.string(), key: z.string() }).optional() })
          .loose()
          .optional(),
      }),
    )
    .default([]),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }).optional(),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe.optional(),
  resources: z.object({
    requests: z.record(z.string(), z.string()),
    limits: z.record(z.string(), z.string()),
  }),
  securityContext: z.looseObject({}),
})

const workload = z.object({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z.object({
    replicas: z.number().optional(),
    minReadySeconds: z.number().optional(),
    progressDeadlineSeconds: z.number().optional(),
    strategy: z.looseObject({}).optional(),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        serviceAccountName: z.string(),
        automountServiceAccountToken: z.boolean(),
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.looseObject({}),
        containers: z.array(container),
        volumes: z.array(z.looseObject({ name: z.string() })).default([]),
      }),
    }),
  }),
})
/** The fields of a Deployment or StatefulSet that the tests check. */
export type Workload = z.infer<typeof workload>
export type Container = z.infer<typeof container>

const manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
})
export type Manifest = z.infer<typeof manifest>

/** The result of building one overlay. */
export class Built {
  constructor(
    readonly overlay: string,
    readonly manifests: readonly Manifest[],
  ) {}

  kind(kind: string): Manifest[] {
    return this.manifests.filter((each) => each.kind === kind)
  }

  get workloads(): Workload[] {
    return [...this.kind('Deployment'), ...this.kind('StatefulSet')].map((each) => workload.parse(each))
  }

  /** @throws Error if there is none of that name */
  workload(name: string): Workload {
    const found = this.workloads.find(({ metadata }) => metadata.name === name)
    if (found === undefined) throw new Error(`no workload ${name} in ${this.overlay}`)
    return found
  }

  /** The variables of a container; those from a Secret by its name and key. */
  environment({ env, envFrom }: Container): Record<string, string> {
    const configured = envFrom.flatMap(({ configMapRef }) => {
      const map = this.kind('ConfigMap').find(({ metadata }) => metadata.name === configMapRef.name)
      if (map === undefined) throw new Error(`no ConfigMap ${configMapRef.name} in ${this.overlay}`)
      return Object.entries(z.record(z.string(), z.string()).parse(map.data))
    })
    const own = env.map(({ name, value, valueFrom }) => {
      const secret = valueFrom?.secretKeyRef
      return [name, value ?? (secret ? `${secret.name}/${secret.key}` : 'from the pod')] as const
    })
    return Object.fromEntries([...configured, ...own])
  }
}

/** The program that builds: the pinned one, one on the PATH, or kubectl's own; null if there is none. */
function findBuilder(): string[] | null {
  const pinned = join(root, '.tools/bin/kustomize')
  if (existsSync(pinned)) return [pinned, 'build']
  if (Bun.which('kustomize')) return ['kustomize', 'build']
  if (Bun.which('kubectl')) return ['kubectl', 'kustomize']
  if (process.env.CI) throw new Error('kustomize is missing: tools/manifest-tools.sh kustomize')
  console.warn(
    'Neither kustomize nor kubectl is here (tools/manifest-tools.sh): the tests of k8s/ are skipped',
  )
  return null
}
const builder = findBuilder()

/** Whether k8s/ can be built here. */
export const canBuild = builder !== null

/**
 * Builds the kustomization of a directory.
 *
 * @throws Error with kustomize's message
 */
export async function build(directory: string): Promise<Manifest[]> {
  const { exitCode, output } = await runCommand([...(builder ?? []), directory])
  if (exitCode !== 0) throw new Error(`${directory}: ${output}`)
  return z.array(manifest).parse(Bun.YAML.parse(output))
}

/**
 * Builds a kustomization that is not in a file.
 *
 * @param name of the result
 * @param make receives the path from the kustomization to the project's root, because kustomize rejects absolute paths
 * @param files the text of each file beside it, by its name
 */
export async function buildFromRoot(
  name: string,
  make: (root: string) => object,
  files: Readonly<Record<string, string>> = {},
): Promise<Built> {
  const directory = await mkdtemp(join(tmpdir(), 'tally-k8s-'))
  try {
    const kustomization = make(relative(await realpath(directory), root))
    // JSON is YAML.
    await Bun.write(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization))
    for (const [file, text] of Object.entries(files)) await Bun.write(join(directory, file), text)
    return new Built(name, await build(directory))
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** The same with the path to k8s/. */
export function buildFrom(
  name: string,
  make: (k8s: string) => object,
  files?: Readonly<Record<string, string>>,
): Promise<Built> {
  return buildFromRoot(name, (path) => make(`${path}/k8s`), files)
}

/** Every overlay of k8s/, built, and base with every component as one more; empty if nothing can build them. */
export async function buildAll(): Promise<Built[]> {
  if (builder === null) return []
  const overlays = await readdir(join(root, 'k8s/overlays'))
  // In order: one component may change what one before it has added.
  const components = (await readdir(join(root, 'k8s/components'))).sort()
  return await Promise.all([
    ...overlays.map(async (overlay) => new Built(overlay, await build(join(root, 'k8s/overlays', overlay)))),
    buildFrom('everything', (k8s) => ({
      namespace: 'everything',
      resources: [`${k8s}/base`],
      components: components.map((component) => `${k8s}/components/${component}`),
    })),
  ])
}
