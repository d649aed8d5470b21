import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../../src/config.ts'
import { closeTimeoutMs } from '../../src/lifecycle/index.ts'
import { type Outputs, overlayFiles } from '../../tools/aws-overlay.ts'
import { expressionOf, readModule } from '../../tools/terraform/hcl.ts'
import { root } from '../support/root.ts'
import { type Built, buildFrom, type Container, canBuild, type Manifest } from './manifests.ts'

const { variable, locals, output } = await readModule(join(root, 'deploy/terraform'))

/** How a pod stops, as the stack has it, in seconds. */
const shutdown = z.record(z.string(), z.number()).parse(variable.shutdown?.[0]?.default)
const deregistrationSeconds = [
  ...expressionOf(locals.deregistration_delay_seconds ?? '').matchAll(/var\.shutdown\.(\w+)/g),
].reduce((sum, [, name = '']) => sum + (shutdown[name] ?? Number.NaN), 0)
const idleTimeoutSeconds = Number(locals.load_balancer_idle_timeout_seconds)

const outputs: Outputs = {
  region: { value: 'us-east-1' },
  image_repository: { value: '111122223333.dkr.ecr.us-east-1.amazonaws.com/tally' },
  database_host: { value: 'tally.example.us-east-1.rds.amazonaws.com' },
  database_port: { value: 5432 },
  database_name: { value: 'tally' },
  database_secret_name: { value: 'tally/database' },
  tasks_host: { value: 'clustercfg.tally-tasks.example.use1.cache.amazonaws.com' },
  tasks_port: { value: 6379 },
  tasks_user: { value: '' },
  tasks_secret_name: { value: 'tally/tasks' },
  store_cidrs: { value: ['10.40.144.0/24', '10.40.145.0/24'] },
  load_balancer_cidrs: { value: ['10.40.128.0/24', '10.40.129.0/24'] },
  domain_name: { value: 'tally.example.com' },
  certificate_arn: { value: 'arn:aws:acm:us-east-1:111122223333:certificate/1' },
  deregistration_delay_seconds: { value: deregistrationSeconds },
  load_balancer_idle_timeout_seconds: { value: idleTimeoutSeconds },
}

/** Builds the overlay as it would be beside the others. */
async function buildOverlay(values: Outputs): Promise<Built> {
  const { 'kustomization.yaml': kustomization = '', ...files } = overlayFiles(values)
  return await buildFrom(
    'aws',
    (k8s) => {
      const moved = kustomization.replaceAll(
        / (\.\.\/)?\.\.\//g,
        (_, up) => ` ${k8s}/${up ? '' : 'overlays/'}`,
      )
      return z.looseObject({}).parse(Bun.YAML.parse(moved))
    },
    { ...files, 'rds-ca.pem': '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n' },
  )
}

const ingressSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()) }),
  spec: z.object({
    ingressClassName: z.string(),
    tls: z.unknown().optional(),
    rules: z.array(z.object({ host: z.string().optional() })),
  }),
})
const attributesOf = (text: string | undefined): Record<string, string> =>
  Object.fromEntries((text ?? '').split(',').map((pair) => pair.split('=') as [string, string]))

test('the overlay uses only outputs that the stack has', () => {
  expect(Object.keys(output)).toEqual(expect.arrayContaining(Object.keys(outputs)))
})

describe.skipIf(!canBuild)('the overlay for AWS', async () => {
  const built = canBuild ? await buildOverlay(outputs) : undefined
  const find = (kind: string, name: string): Manifest => {
    const found = built?.kind(kind).find(({ metadata }) => metadata.name === name)
    if (found === undefined) throw new Error(`no ${kind} ${name}`)
    return found
  }
  const containerOf = (name: string): Container => {
    const [container] = built?.workload(name).spec.template.spec.containers ?? []
    if (container === undefined) throw new Error(`${name} has no container`)
    return container
  }
  const configOf = (name: string): Record<string, string> => built?.environment(containerOf(name)) ?? {}
  const ingress = (): z.infer<typeof ingressSchema> => ingressSchema.parse(find('Ingress', 'api'))
  const annotation = (name: string): string | undefined =>
    ingress().metadata.annotations[`alb.ingress.kubernetes.io/${name}`]

  test('the load balancer keeps the connections of a pod that stops until its last response', () => {
    const { terminationGracePeriodSeconds } = built?.workload('api').spec.template.spec ?? {}
    const seconds = (text: string | undefined): number => Number(/^(\d+)s$/.exec(text ?? '')?.[1])
    const environment = configOf('api')
    // The numbers of the stack are those of the pods.
    expect(shutdown).toEqual({
      pre_stop: containerOf('api').lifecycle?.preStop.sleep.seconds ?? Number.NaN,
      drain_max: seconds(environment.DRAIN_MAX),
      shutdown_timeout: seconds(environment.SHUTDOWN_TIMEOUT),
      close_timeout: closeTimeoutMs / 1_000,
      grace_period: terminationGracePeriodSeconds ?? Number.NaN,
    })
    const delay = Number(
      attributesOf(annotation('target-group-attributes'))['deregistration_delay.timeout_seconds'],
    )
    const lastResponse =
      (shutdown.pre_stop ?? 0) +
      (shutdown.drain_max ?? 0) +
      (shutdown.shutdown_timeout ?? 0) +
      (shutdown.close_timeout ?? 0)
    expect(delay).toBeGreaterThanOrEqual(lastResponse)
    // Later the pod is gone in any case.
    expect(delay).toBeLessThanOrEqual(shutdown.grace_period ?? 0)
  })

  test('the load balancer closes an idle connection before the service does', () => {
    const defaults = parseConfig({})
    if (!defaults.ok) throw new Error('the defaults are no configuration')
    const idle = Number(attributesOf(annotation('load-balancer-attributes'))['idle_timeout.timeout_seconds'])
    expect(configOf('api').IDLE_TIMEOUT).toBeUndefined()
    expect(idle * 1_000).toBeLessThan(defaults.config.IDLE_TIMEOUT)
    // A response that takes as long as it may is not cut either.
    expect(idle * 1_000).toBeGreaterThan(defaults.config.REQUEST_TIMEOUT)
  })

  test('a pod gets requests directly, and counts as ready when the load balancer has found it so', () => {
    expect(annotation('target-type')).toBe('ip')
    expect(annotation('healthcheck-path')).toBe('/ready')
    expect(find('Namespace', 'tally').metadata.labels).toMatchObject({
      'elbv2.k8s.aws/pod-readiness-gate-inject': 'enabled',
    })
  })

  test('TLS ends at the load balancer, with HSTS, and nothing of the gateway is left', () => {
    expect(annotation('certificate-arn')).toBe(outputs.certificate_arn.value ?? '')
    expect(annotation('ssl-redirect')).toBe('443')
    expect(annotation('listener-attributes.HTTPS-443')).toContain('strict_transport_security')
    expect(ingress().spec).toMatchObject({ ingressClassName: 'alb', rules: [{ host: 'tally.example.com' }] })
    expect(ingress().spec.tls).toBeUndefined()
    expect([...(built?.kind('Gateway') ?? []), ...(built?.kind('HTTPRoute') ?? [])]).toEqual([])
  })

  test('without a host name it serves plain HTTP for every name', async () => {
    const plain = await buildOverlay({
      ...outputs,
      domain_name: { value: null },
      certificate_arn: { value: null },
    })
    const [found] = plain.kind('Ingress')
    const { metadata, spec } = ingressSchema.parse(found)
    expect(metadata.annotations['alb.ingress.kubernetes.io/listen-ports']).toBe('[{"HTTP": 80}]')
    expect(spec.rules.map(({ host }) => host)).toEqual([undefined])
  })

  test('the pods know their stores: managed durability, the proxies, the authority of the database', () => {
    for (const name of ['api', 'worker'])
      expect(configOf(name)).toMatchObject({
        ENVIRONMENT: 'production',
        REDIS_DURABLE: 'managed',
        TRUSTED_PROXIES: '10.40.128.0/24,10.40.129.0/24',
      })
    expect(configOf('api').NODE_EXTRA_CA_CERTS).toBe('/etc/tally/rds/rds-ca.pem')
    // The volume of the keys is still there.
    const { volumes } = built?.workload('api').spec.template.spec ?? { volumes: [] }
    expect(volumes.map(({ name }) => name).sort()).toEqual(['access', 'rds-ca'])
    expect(containerOf('api').image).toStartWith(`${outputs.image_repository.value}:`)
  })

  test('egress is limited to the networks of the stores', () => {
    const { spec } = z
      .object({ spec: z.object({ egress: z.array(z.object({ to: z.array(z.unknown()) })) }) })
      .parse(find('NetworkPolicy', 'external-stores'))
    expect(spec.egress[0]?.to).toEqual(outputs.store_cidrs.value.map((cidr) => ({ ipBlock: { cidr } })))
  })

  test('the URLs of the stores are Secrets of Secrets Manager, with TLS that is verified', () => {
    const urlOf = (name: string): string =>
      z
        .object({
          spec: z.object({
            target: z.object({ template: z.object({ data: z.object({ url: z.string() }) }) }),
          }),
        })
        .parse(find('ExternalSecret', name)).spec.target.template.data.url
    const database = urlOf('tally-database').replace('{{ .password }}', 'secret')
    const tasks = urlOf('tally-redis').replace('{{ .password }}', 'secret')
    expect(database).toBe(
      'postgres://tally:secret@tally.example.us-east-1.rds.amazonaws.com:5432/tally?sslmode=verify-full',
    )
    expect(tasks).toBe('rediss://:secret@clustercfg.tally-tasks.example.use1.cache.amazonaws.com:6379')
    const result = parseConfig({ DATABASE_URL: database, REDIS_URL: tasks })
    expect(result.ok).toBe(true)
  })
})
