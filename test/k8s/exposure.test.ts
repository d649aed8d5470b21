import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { type Built, buildAll } from './manifests.ts'

const serviceSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    type: z.string().default('ClusterIP'),
    clusterIP: z.string().optional(),
    ports: z.array(z.object({ port: z.number(), targetPort: z.union([z.string(), z.number()]) })),
  }),
})

const peerSchema = z.object({
  namespaceSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }).optional(),
  podSelector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).default({}) }).optional(),
})
const policySchema = z.object({
  spec: z.object({
    podSelector: z.object({ matchLabels: z.record(z.string(), z.string()).optional() }),
    policyTypes: z.array(z.string()),
    ingress: z
      .array(
        z.object({
          from: z.array(peerSchema).optional(),
          ports: z.array(z.object({ port: z.union([z.string(), z.number()]) })),
        }),
      )
      .default([]),
  }),
})

const routeSchema = z.object({
  spec: z.object({
    parentRefs: z.array(z.object({ sectionName: z.string() })),
    rules: z.array(
      z.object({
        backendRefs: z.array(z.object({ name: z.string(), port: z.number() })).default([]),
        filters: z.array(z.object({ type: z.string() })).default([]),
      }),
    ),
  }),
})
const ingressSchema = z.object({
  spec: z.object({
    tls: z.array(z.object({ hosts: z.array(z.string()), secretName: z.string() })),
    rules: z.array(
      z.object({ http: z.object({ paths: z.array(z.object({ backend: z.looseObject({}) })) }) }),
    ),
  }),
})

const component = 'app.kubernetes.io/component'
const services = (built: Built) => built.kind('Service').map((each) => serviceSchema.parse(each))
/** The overlays behind load balancers. */
const isLoadTest = (overlay: string) => ['loadtest', 'build'].includes(overlay)
const policies = (built: Built) => built.kind('NetworkPolicy').map((each) => policySchema.parse(each).spec)

describe.each((await buildAll()).map((built) => [built.overlay, built] as const))('%s', (overlay, built) => {
  test("the API's Service has the application's port and no other", () => {
    const api = services(built).find(({ metadata }) => metadata.name === 'api')
    expect(api?.spec.ports).toEqual([{ port: isLoadTest(overlay) ? 8000 : 80, targetPort: 'http' }])
  })

  test('the port of /metrics and the admin routes has no address of a Service', () => {
    for (const { metadata, spec } of services(built))
      if (spec.ports.some(({ targetPort }) => targetPort === 'metrics' || targetPort === 9100))
        expect([metadata.name, spec.clusterIP]).toEqual([metadata.name, 'None'])
  })

  test('only the API is reachable from outside, and Prometheus where load is tested', () => {
    const open = services(built).flatMap(({ metadata, spec }) =>
      spec.type === 'ClusterIP' ? [] : [[metadata.name, spec.type]],
    )
    expect(open).toEqual(
      isLoadTest(overlay)
        ? [
            ['api', 'LoadBalancer'],
            ['prometheus', 'LoadBalancer'],
          ]
        : [],
    )
  })

  test('routes and ingresses lead to that Service', () => {
    const routed = built
      .kind('HTTPRoute')
      .flatMap((each) => routeSchema.parse(each).spec.rules)
      .flatMap(({ backendRefs }) => backendRefs)
    for (const backend of routed) expect(backend).toEqual({ name: 'api', port: 80 })
    const ingresses = built.kind('Ingress').map((each) => ingressSchema.parse(each).spec)
    for (const { backend } of ingresses.flatMap(({ rules }) => rules).flatMap(({ http }) => http.paths))
      expect(backend.service).toEqual({ name: 'api', port: { name: 'http' } })
    if (overlay === 'everything') expect([routed.length, ingresses.length]).toEqual([1, 1])
  })

  test('clients that use a host name use TLS', () => {
    for (const each of built.kind('Ingress'))
      expect(ingressSchema.parse(each).spec.tls).toEqual([
        { hosts: ['tally.example.com'], secretName: 'tally-tls' },
      ])
    // Requests without TLS arrive at the other listener, which redirects them here.
    for (const each of built.kind('HTTPRoute')) {
      const { parentRefs, rules } = routeSchema.parse(each).spec
      const redirects = rules.every(({ filters }) => filters.some(({ type }) => type === 'RequestRedirect'))
      expect(parentRefs.map(({ sectionName }) => sectionName)).toEqual([redirects ? 'http' : 'https'])
    }
  })

  test('traffic is refused in both directions unless a policy allows it', () => {
    expect(policies(built)).toContainEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
    })
  })

  test('/metrics is for Prometheus only: this namespace has it, or one named monitoring', () => {
    const rules = policies(built).flatMap(({ ingress }) =>
      ingress.filter(({ ports }) => ports.some(({ port }) => port === 'metrics' || port === 9100)),
    )
    expect(rules).toHaveLength(2)
    for (const { from, ports } of rules) {
      expect(ports).toEqual([{ port: 'metrics' }])
      expect(from).toEqual([
        { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
        {
          podSelector: {
            matchLabels: { 'app.kubernetes.io/name': 'tally', [component]: 'prometheus' },
          },
        },
      ])
    }
  })

  test('a store accepts connections only from its clients', () => {
    for (const store of ['postgres', 'redis']) {
      if (!built.workloads.some(({ metadata }) => metadata.name === store)) continue
      const own = policies(built).filter(({ podSelector }) => podSelector.matchLabels?.[component] === store)
      expect(own).toHaveLength(1)
      for (const { from } of own.flatMap(({ ingress }) => ingress)) {
        expect(from).toHaveLength(1)
        expect(from?.[0]?.podSelector?.matchLabels).toMatchObject({ 'app.kubernetes.io/name': 'tally' })
      }
    }
  })
})
