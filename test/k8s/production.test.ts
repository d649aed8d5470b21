import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { type Built, buildAll, type Container } from './manifests.ts'

const routeSchema = z.object({
  spec: z.object({
    rules: z.array(
      z.object({
        filters: z.array(
          z.object({
            type: z.string(),
            responseHeaderModifier: z
              .object({ set: z.array(z.object({ name: z.string(), value: z.string() })) })
              .optional(),
          }),
        ),
      }),
    ),
  }),
})
const monitorSchema = z.object({
  spec: z.object({
    endpoints: z.array(
      z.object({ authorization: z.object({ credentials: z.object({ name: z.string(), key: z.string() }) }) }),
    ),
  }),
})
const egressSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    egress: z
      .array(z.object({ ports: z.array(z.object({ port: z.union([z.number(), z.string()]) })) }))
      .default([]),
  }),
})
const podSchema = z.object({
  spec: z.object({
    template: z.object({
      spec: z.looseObject({
        automountServiceAccountToken: z.boolean(),
        containers: z.array(z.looseObject({ image: z.string(), args: z.array(z.string()).optional() })),
      }),
    }),
  }),
})

const all = await buildAll()

describe.each(
  all.filter(({ overlay }) => overlay === 'production').map((built) => [built.overlay, built] as const),
)('%s has the settings that docs/security.md requires', (_, built) => {
  const environmentOf = (name: string): Record<string, string> =>
    built.environment(built.workload(name).spec.template.spec.containers[0] as Container)

  test('keys for clients, tokens for operators and Prometheus, from a mounted Secret', () => {
    for (const name of ['api', 'worker']) {
      expect(environmentOf(name)).toMatchObject({
        ENVIRONMENT: 'production',
        API_KEYS_FILE: '/etc/tally/access/api-keys',
        ADMIN_TOKEN_FILE: '/etc/tally/access/admin-token',
        METRICS_TOKEN_FILE: '/etc/tally/access/metrics-token',
        METRICS_PORT: '9100',
      })
      const { volumes, containers } = built.workload(name).spec.template.spec
      expect(volumes).toContainEqual({
        name: 'access',
        secret: { secretName: 'tally-access', defaultMode: 0o440 },
      })
      expect(containers[0]?.volumeMounts).toEqual([
        { name: 'access', mountPath: '/etc/tally/access', readOnly: true },
      ])
    }
  })

  test('a rate, and the networks of the proxies', () => {
    const { RATE_LIMIT, TRUSTED_PROXIES, METRICS_HOST } = environmentOf('api')
    expect([RATE_LIMIT, TRUSTED_PROXIES, METRICS_HOST]).toEqual(['100/1s', '10.0.0.0/8', '0.0.0.0'])
  })

  test('HSTS from the gateway, where TLS ends', () => {
    const filters = built
      .kind('HTTPRoute')
      .flatMap((route) => routeSchema.parse(route).spec.rules)
      .flatMap(({ filters }) => filters)
    const set = filters.flatMap(({ responseHeaderModifier }) => responseHeaderModifier?.set ?? [])
    expect(set).toEqual([{ name: 'Strict-Transport-Security', value: 'max-age=31536000' }])
    expect(filters.map(({ type }) => type).sort()).toEqual(['RequestRedirect', 'ResponseHeaderModifier'])
  })

  test('the token in the scrape', () => {
    const [monitor] = built.kind('ServiceMonitor')
    expect(monitorSchema.parse(monitor).spec.endpoints).toMatchObject([
      { authorization: { credentials: { name: 'tally-access', key: 'metrics-token' } } },
    ])
  })

  test('a Job that migrates with the same image', () => {
    const image = built.workload('api').spec.template.spec.containers[0]?.image
    const jobs = built.kind('Job').map((job) => podSchema.parse(job).spec.template.spec)
    expect(jobs).toMatchObject([
      { automountServiceAccountToken: false, containers: [{ args: ['/app/migrate.js'], image }] },
    ])
  })
})

/** The ports that the pods may ask, by policy. */
const egressOf = (built: Built): Record<string, (number | string)[]> =>
  Object.fromEntries(
    built.kind('NetworkPolicy').map((policy) => {
      const { metadata, spec } = egressSchema.parse(policy)
      return [metadata.name, spec.egress.flatMap(({ ports }) => ports.map(({ port }) => port))]
    }),
  )

test.each(all.filter(({ overlay }) => overlay === 'everything').map((built) => [built] as const))(
  'the components for tokens and tracing open the way that they need, and no other',
  (built) => {
    expect(egressOf(built)).toMatchObject({
      issuer: [443],
      collector: [4318],
      migrate: ['postgres'],
      backup: ['postgres'],
    })
    const [container] = built.workload('api').spec.template.spec.containers
    const environment = built.environment(container as Container)
    expect(environment).toMatchObject({ TRACING_ENABLED: 'true', JWT_ISSUER: 'https://issuer.example.com/' })
  },
)
