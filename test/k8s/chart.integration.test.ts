import { describe, expect, test } from 'bun:test'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../../src/config.ts'
import { closeTimeoutMs, shutdownBudgetMs } from '../../src/lifecycle/index.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'
import { build, chartPath, findVariants, helm, render } from './chart.ts'
import { type Built, buildAll, type Container, canBuild, type Manifest } from './manifests.ts'

const haveHelm = hasProgram('helm', 'none: tools/helm.sh builds it', helm !== null)
/** The log is flushed after everything else (handleSignals). */
const flushMs = 2_000

const textSchema = z.record(z.string(), z.string())
const policySchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    podSelector: z.looseObject({}),
    policyTypes: z.array(z.string()),
    ingress: z.array(z.looseObject({})).default([]),
    egress: z
      .array(
        z.object({
          to: z.array(z.looseObject({})).optional(),
          ports: z.array(z.object({ port: z.union([z.string(), z.number()]), protocol: z.string() })),
        }),
      )
      .default([]),
  }),
})

/**
 * An object without what only one of the two has by design: the release in names and labels, hashes of settings, and the
 * time of hooks. Lists whose order means nothing are sorted.
 */
function comparable(manifest: Manifest): unknown {
  const strip = (value: unknown, key = ''): unknown => {
    if (Array.isArray(value)) {
      const items = value.map((item) => strip(item))
      if (key !== 'env') return items
      return items.toSorted((a, b) =>
        (a as { name: string }).name.localeCompare((b as { name: string }).name),
      )
    }
    if (typeof value === 'string') {
      // The API has no prefix in k8s/. The names of the Secrets and the certificate are the same in both.
      if (['tally-api', 'tally-worker', 'tally-migrate'].includes(value)) return value.slice('tally-'.length)
      if (/^tally-(api|worker)-(metrics|to-https)$/.test(value)) return value.slice('tally-'.length)
      // A kustomization's ConfigMap has a hash in its name.
      return value.replace(/^tally-[0-9a-z]{10}$/, 'tally')
    }
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).filter(
      ([name, child]) =>
        !/^(app\.kubernetes\.io\/(instance|version|managed-by)|helm\.sh\/.*|checksum\/config)$/.test(name) &&
        !(name === 'annotations' && Object.keys(child as object).every((each) => /^helm\.sh\//.test(each))) &&
        // Kubernetes' own default.
        !(name === 'namespace' && key === 'metadata'),
    )
    return Object.fromEntries(entries.map(([name, child]) => [name, strip(child, name)]))
  }
  return strip(manifest)
}

/** The objects of some kinds, by kind and name. */
function objectsOf(built: Built, kinds: readonly string[]): Record<string, unknown> {
  const chosen = built.manifests.filter(({ kind }) => kinds.includes(kind))
  return Object.fromEntries(
    chosen.map((manifest) => {
      const stripped = comparable(manifest) as Manifest
      return [`${manifest.kind} ${stripped.metadata.name}`, stripped]
    }),
  )
}

/** What the pods of a component may connect to, as `peer → protocol port`. */
function egressOf(built: Built, component: string): Set<string> {
  const applies = (selector: unknown): boolean => {
    const text = JSON.stringify(selector)
    return text === '{}' || text.includes(`"${component}"`)
  }
  const rules = built
    .kind('NetworkPolicy')
    .map((each) => policySchema.parse(each).spec)
    .filter(({ podSelector }) => applies(podSelector))
    .flatMap(({ egress }) => egress)
  return new Set(
    rules.flatMap(({ to, ports }) =>
      (to ?? ['any']).flatMap((peer) =>
        ports.map(({ port, protocol }) => `${JSON.stringify(peer)} → ${protocol} ${port}`),
      ),
    ),
  )
}

describe.skipIf(!haveHelm || !canBuild)('the chart with ci/production-values.yaml', async () => {
  const chart = haveHelm ? await build('production') : undefined
  const overlay = (await buildAll()).find(({ overlay }) => overlay === 'production')
  const both = (kinds: readonly string[]) => {
    if (chart === undefined || overlay === undefined) throw new Error('one of the two was not built')
    return [objectsOf(chart, kinds), objectsOf(overlay, kinds)] as const
  }

  test.each([
    ['Deployment'],
    ['Service'],
    ['ServiceAccount'],
    ['PodDisruptionBudget'],
    ['HorizontalPodAutoscaler'],
    ['Job'],
    ['Gateway'],
    ['HTTPRoute'],
    ['ServiceMonitor'],
    ['PrometheusRule'],
  ])('has the %s of the overlay production', (kind) => {
    const [ours, theirs] = both([kind])
    expect(Object.keys(theirs).length).toBeGreaterThan(0)
    expect(ours).toEqual(theirs)
  })

  test('has the settings and the dashboard of the overlay production', () => {
    const [ours, theirs] = both(['ConfigMap'])
    const dataOf = (objects: Record<string, unknown>, name: string) =>
      textSchema.parse((objects[`ConfigMap ${name}`] as { data: unknown }).data)
    expect(dataOf(ours, 'tally')).toEqual(dataOf(theirs, 'tally'))
    const [[dashboard], [expected]] = [ours, theirs].map((objects) =>
      Object.values(dataOf(objects, 'tally-dashboard')),
    ) as [string[], string[]]
    expect(JSON.parse(dashboard ?? '')).toEqual(JSON.parse(expected ?? ''))
  })

  test('admits the connections to each component that the overlay admits', () => {
    const [ours, theirs] = both(['NetworkPolicy'])
    for (const component of ['api', 'worker', 'migrate']) {
      const ingressOf = (objects: Record<string, unknown>) =>
        policySchema.parse(objects[`NetworkPolicy ${component}`]).spec.ingress
      expect(ingressOf(ours)).toEqual(ingressOf(theirs))
    }
  })

  test.each([
    ['api', ['5432', '6379']],
    ['worker', ['6379']],
    ['migrate', ['5432']],
  ])('lets %s connect to the external stores that it uses, and to DNS', (component, ports) => {
    if (chart === undefined || overlay === undefined) throw new Error('one of the two was not built')
    const external = [...egressOf(overlay, component)].filter(
      (connection) =>
        connection.includes(' → UDP 53') ||
        connection.includes(' → TCP 53') ||
        ports.some((port) => connection.endsWith(` → TCP ${port}`)),
    )
    expect(external.length).toBe(2 + 3 * ports.length)
    expect(egressOf(chart, component)).toEqual(new Set(external))
  })

  test('has no other objects than the overlay, and lacks only what is for a whole namespace', () => {
    const namesOf = (built: Built | undefined) =>
      Object.keys(objectsOf(built as Built, [...new Set(built?.manifests.map(({ kind }) => kind))])).sort()
    const [ours, theirs] = [namesOf(chart), namesOf(overlay)]
    const lacking = theirs.filter((name) => !ours.includes(name))
    expect(lacking).toEqual([
      'Namespace tally',
      'NetworkPolicy default-deny',
      'NetworkPolicy dns',
      'NetworkPolicy external-stores',
    ])
    const additional = ours.filter((name) => !theirs.includes(name))
    // `helm test`.
    expect(additional).toEqual(['NetworkPolicy tally-test', 'Pod tally-test'])
  })
})

describe.skipIf(!haveHelm)('every variant of the chart', async () => {
  const variants = haveHelm ? await Promise.all((await findVariants()).map((variant) => build(variant))) : []

  describe.each(variants.map((built) => [built.overlay, built] as const))('%s', (variant, built) => {
    test('gives the processes a configuration that they accept, and time for their longest shutdown', () => {
      const deployments = built.kind('Deployment')
      expect(deployments.length).toBe(variant === 'embedded' ? 1 : 2)
      for (const { metadata } of deployments) {
        const { spec } = built.workload(metadata.name).spec.template
        const [container] = spec.containers
        const { config, preStopMs } = configOf(built, container as Container)
        const graceMs = spec.terminationGracePeriodSeconds * 1_000
        const budgetMs = shutdownBudgetMs({
          preStopMs,
          drainMaxMs: config.DRAIN_MAX,
          shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
          closeTimeoutMs,
        })
        expect(graceMs).toBeGreaterThanOrEqual(budgetMs + flushMs)
        expect([config.PRE_STOP, config.GRACE_PERIOD]).toEqual([preStopMs, graceMs])
        const ports = Object.fromEntries(
          container?.ports.map((port) => [port.name, port.containerPort]) ?? [],
        )
        const isWorker = metadata.name.endsWith('-worker')
        expect(ports).toEqual({
          http: isWorker ? config.WORKER_PORT : config.PORT,
          metrics: config.METRICS_PORT as number,
        })
        // Without workers the API runs the tasks.
        if (!isWorker) expect(config.WORKER).toBe(variant === 'embedded' ? 'embedded' : 'off')
      }
    })

    test('runs every pod without rights, and has no Secret', () => {
      expect(built.kind('Secret')).toEqual([])
      const pods = built.manifests.flatMap((manifest) => {
        if (manifest.kind === 'Pod') return [manifest.spec]
        if (!['Deployment', 'Job'].includes(manifest.kind)) return []
        return [z.object({ template: z.object({ spec: z.unknown() }) }).parse(manifest.spec).template.spec]
      })
      expect(pods.length).toBeGreaterThan(1)
      for (const pod of pods) {
        expect(pod).toMatchObject({
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              securityContext: {
                runAsNonRoot: true,
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        })
      }
    })

    test('leaves the number of pods to an autoscaler, if there is one', () => {
      const targetSchema = z.object({ spec: z.object({ scaleTargetRef: z.object({ name: z.string() }) }) })
      const scaled = built
        .kind('HorizontalPodAutoscaler')
        .map((each) => targetSchema.parse(each).spec.scaleTargetRef.name)
      for (const { metadata } of built.kind('Deployment')) {
        const { replicas } = built.workload(metadata.name).spec
        if (scaled.includes(metadata.name)) expect(replicas).toBeUndefined()
        else expect(replicas).toBeGreaterThan(0)
      }
    })
  })
})

/** The configuration of a container, with an address in the place of each Secret. */
function configOf(built: Built, container: Container) {
  const environment = Object.fromEntries(
    // The chart's own ConfigMap; others are of the user.
    Object.entries(built.environment({ ...container, envFrom: container.envFrom.slice(0, 1) })).map(
      ([name, value]) =>
        // A mounted file is not here: its content stands in its place.
        /^(ADMIN|METRICS)_TOKEN_FILE$/.test(name)
          ? [name.replace(/_FILE$/, ''), 'what is in the file']
          : [name, value],
    ),
  )
  const result = parseConfig({
    ...environment,
    INSTANCE_NAME: 'pod-1',
    DATABASE_URL: environment.DATABASE_URL && 'postgres://db/tally',
    REDIS_URL: environment.REDIS_URL && 'redis://queue',
  })
  if (!result.ok) throw new Error(`${built.overlay}, ${container.name}: ${result.problems.join(', ')}`)
  return {
    config: result.config,
    preStopMs: (container.lifecycle?.preStop.sleep.seconds ?? 0) * 1_000,
  }
}

describe.skipIf(!haveHelm)('rendering fails', () => {
  const secret = 'https://user:secret@issuer.example.com/keys'
  test.each([
    ['for an unknown value', 'default', ['api.replica=5'], /replica.* not allowed|not allowed.*replica/],
    ['for a misspelled variable', 'default', ['config.RATELIMIT=1/1s'], /RATELIMIT/],
    ['for a password', 'default', ['database.password=secret'], /password/],
    ['for a secret in config', 'default', ['config.DATABASE_URL=postgres://u:p@db/tally'], /DATABASE_URL/],
    ['for a credential in config', 'default', [`config.JWT_JWKS_URL=${secret}`], /JWT_JWKS_URL/],
    ['for headers with a credential', 'default', ['config.OTEL_EXPORTER_OTLP_HEADERS=a'], /OTLP_HEADERS/],
    [
      'for a secret as a variable',
      'default',
      ['api.extraEnv[0].name=ADMIN_TOKEN,api.extraEnv[0].value=0123456789abcdef'],
      /extraEnv/,
    ],
    [
      'for a variable that the chart sets',
      'default',
      ['api.extraEnv[0].name=DRAIN_MAX,api.extraEnv[0].value=90s'],
      /extraEnv/,
    ],
    ['for an invalid digest', 'default', ['image.digest=sha256:abc'], /digest/],
    ['for a duration without a unit', 'default', ['shutdown.drainMax=20'], /drainMax/],
    [
      'for a grace period below the longest shutdown',
      'default',
      ['shutdown.terminationGracePeriodSeconds=61'],
      /terminationGracePeriodSeconds is 61, but a shutdown may take 62 s/,
    ],
    [
      'for several processes, whose supervisor needs longer',
      'default',
      ['config.WEB_CONCURRENCY=2,shutdown.terminationGracePeriodSeconds=67'],
      /a shutdown may take 68 s/,
    ],
    [
      'for a number of pods beside an autoscaler',
      'default',
      ['api.autoscaling.enabled=true,api.replicas=3'],
      /api\.replicas must be empty/,
    ],
    [
      'for an autoscaler whose minimum is above its maximum',
      'default',
      ['worker.autoscaling.enabled=true,worker.autoscaling.minReplicas=20'],
      /minReplicas must not be above maxReplicas/,
    ],
    [
      'for more connections than PostgreSQL has',
      'default',
      ['api.replicas=13'],
      /may need 100 connections, above database\.maxConnections 97/,
    ],
    [
      'for more connections in a rollout by a percentage',
      'default',
      ['api.replicas=12,rollout.maxSurge=10%'],
      /may need 100 connections/,
    ],
    ['for several pods with a database each', 'embedded', ['api.replicas=2'], /there must be one/],
    ['for a trial with a migration', 'embedded', ['migration.enabled=true'], /migration\.enabled/],
    ['without a database', 'default', ['database.existingSecret='], /database\.existingSecret must name/],
    ['without a gateway class', 'production', ['gateway.className='], /gateway\.className must name/],
    [
      'without a listener of the existing gateway',
      'production',
      ['gateway.create=false'],
      /gateway\.parentRefs must name/,
    ],
  ])('%s', async (_, variant, sets, message) => {
    const { exitCode, stderr } = await render(
      variant,
      sets.map((set) => `--set=${set}`),
    )
    expect(exitCode).not.toBe(0)
    expect(stderr).toMatch(message)
  })

  test('for no shutdown that just fits, as shutdownBudgetMs computes it', async () => {
    for (const [preStop, drainMax, timeout] of [
      [0, 0, 1_000],
      [5, 20_000, 30_000],
      [15, 600_000, 3_600_000],
    ] as const) {
      const needed =
        (shutdownBudgetMs({
          preStopMs: preStop * 1_000,
          drainMaxMs: drainMax,
          shutdownTimeoutMs: timeout,
          closeTimeoutMs,
        }) +
          flushMs) /
        1_000
      const withGrace = (seconds: number) =>
        render('default', [
          `--set=shutdown.preStopSeconds=${preStop},shutdown.drainMax=${drainMax}ms`,
          `--set=shutdown.timeout=${timeout}ms,shutdown.terminationGracePeriodSeconds=${seconds}`,
        ])
      expect((await withGrace(needed)).exitCode).toBe(0)
      expect((await withGrace(needed - 1)).stderr).toContain(`a shutdown may take ${needed} s`)
    }
  })
})

describe.skipIf(!haveHelm)('the chart', () => {
  const templatesWith = async (option: string) => {
    const deployments = (await build('default', [option])).kind('Deployment')
    expect(deployments).toHaveLength(2)
    return deployments.map(({ spec }) => z.object({ template: z.unknown() }).parse(spec).template)
  }

  test('rolls the pods when a setting changes, and only then', async () => {
    const [before, after, again] = await Promise.all(
      ['info', 'debug', 'info'].map((level) => templatesWith(`--set=config.LOG_LEVEL=${level}`)),
    )
    expect(after?.[0]).not.toEqual(before?.[0])
    expect(after?.[1]).not.toEqual(before?.[1])
    expect(again).toEqual(before)
  })

  test('writes large and fractional numbers as they are', async () => {
    const built = await build('everything')
    const config = built.kind('ConfigMap').find(({ metadata }) => metadata.name === 'counter')
    expect(config?.data).toMatchObject({
      MAX_NUMBERS: '1000000',
      OTEL_TRACES_SAMPLER_ARG: '0.01',
      TRACING_ENABLED: 'true',
    })
  })

  test('names the image by tag, or by digest alone', async () => {
    const imageOf = async (...options: string[]) =>
      (await build('default', options)).workload('tally-api').spec.template.spec.containers[0]?.image
    const digest = `sha256:${'a'.repeat(64)}`
    const { version } = await Bun.file(join(root, 'package.json')).json()
    expect(await imageOf()).toBe(`registry.example.com/tally:${version}`)
    expect(await imageOf('--set-string=image.tag=2')).toBe('registry.example.com/tally:2')
    expect(await imageOf(`--set=image.digest=${digest}`)).toBe(`registry.example.com/tally@${digest}`)
  })

  test('leaves the user to a platform that assigns one', async () => {
    const built = await build('default', [
      '--set=securityContext.runAsUser=null,securityContext.runAsGroup=null,securityContext.fsGroup=null',
    ])
    const { securityContext, containers } = built.workload('tally-api').spec.template.spec
    expect(securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(containers[0]?.securityContext).not.toHaveProperty('runAsUser')
  })

  test('has the version of package.json', async () => {
    const { version } = await Bun.file(join(root, 'package.json')).json()
    const chart = Bun.YAML.parse(await Bun.file(join(chartPath, 'Chart.yaml')).text())
    expect(chart).toMatchObject({ apiVersion: 'v2', version, appVersion: version })
  })

  test('renders the same without a cluster: no lookup, nothing random, no time', async () => {
    for (const file of await readdir(join(chartPath, 'templates'), { recursive: true })) {
      if (!/\.(yaml|tpl|txt)$/.test(file)) continue
      const text = await Bun.file(join(chartPath, 'templates', file)).text()
      expect([file, text]).toEqual([
        file,
        expect.not.stringMatching(/(\{\{-?|[(|])\s*(lookup|rand\w+|gen\w+|uuidv4|now|htpasswd|tpl)\b/),
      ])
    }
  })
})
