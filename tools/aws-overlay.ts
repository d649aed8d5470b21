import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

// Writes an overlay of k8s/overlays/production for the cluster of deploy/terraform, from its outputs.
// Usage: terraform -chdir=deploy/terraform output -json | bun tools/aws-overlay.ts FOLDER
//   FOLDER beside the other overlays, such as k8s/overlays/aws.
// Before `kubectl apply`, the folder needs rds-ca.pem, the authority of the database: docs/cloud.md.

const output = <T extends z.ZodType>(value: T) => z.object({ value })
const outputsSchema = z.object({
  region: output(z.string()),
  image_repository: output(z.string()),
  database_host: output(z.string()),
  database_port: output(z.number()),
  database_name: output(z.string()),
  database_secret_name: output(z.string()),
  tasks_host: output(z.string()),
  tasks_port: output(z.number()),
  tasks_user: output(z.string()),
  tasks_secret_name: output(z.string()),
  store_cidrs: output(z.array(z.string())),
  load_balancer_cidrs: output(z.array(z.string())),
  domain_name: output(z.string().nullable()),
  certificate_arn: output(z.string().nullable()),
  deregistration_delay_seconds: output(z.number()),
  load_balancer_idle_timeout_seconds: output(z.number()),
})
export type Outputs = z.infer<typeof outputsSchema>

/** The seconds for which a browser uses only TLS, as in components/gateway. */
const hstsSeconds = 31_536_000

/** @returns the text of each file, by its name */
export function overlayFiles(outputs: Outputs): Record<string, string> {
  const files: Record<string, readonly object[]> = {
    'kustomization.yaml': [kustomization(outputs)],
    'secret-store.yaml': [secretStore(outputs)],
    'secrets.yaml': [
      externalSecret('tally-database', outputs.database_secret_name.value, databaseUrl(outputs)),
      externalSecret('tally-redis', outputs.tasks_secret_name.value, tasksUrl(outputs)),
    ],
    // A file each: kustomize 5.5, as in kubectl 1.32, crashes on several deletions in one.
    'no-gateway.yaml': [deletion('Gateway', 'tally')],
    'no-route.yaml': [deletion('HTTPRoute', 'api')],
    'no-redirect.yaml': [deletion('HTTPRoute', 'api-to-https')],
    'database-authority.yaml': [
      databaseAuthority('apps/v1', 'Deployment', 'api'),
      databaseAuthority('batch/v1', 'Job', 'migrate'),
    ],
    'namespace.yaml': [namespacePatch],
    'external-stores.yaml': [storesPatch(outputs)],
    'ingress.yaml': [ingressPatch(outputs)],
  }
  const comment = '# Made by tools/aws-overlay.ts from the outputs of deploy/terraform.'
  return Object.fromEntries(
    Object.entries(files).map(([name, documents]) => [
      name,
      `${comment}\n${documents.map((document) => Bun.YAML.stringify(document, null, 2)).join('\n---\n')}\n`,
    ]),
  )
}

/** The controller replaces `{{ .password }}`. */
function databaseUrl({ database_host, database_port, database_name }: Outputs): string {
  return `postgres://tally:{{ .password }}@${database_host.value}:${database_port.value}/${database_name.value}?sslmode=verify-full`
}

function tasksUrl({ tasks_host, tasks_port, tasks_user }: Outputs): string {
  return `rediss://${tasks_user.value}:{{ .password }}@${tasks_host.value}:${tasks_port.value}`
}

function secretStore({ region }: Outputs): object {
  return {
    apiVersion: 'external-secrets.io/v1',
    kind: 'SecretStore',
    metadata: { name: 'aws' },
    // No credentials here: the controller has its own identity.
    spec: { provider: { aws: { service: 'SecretsManager', region: region.value } } },
  }
}

function externalSecret(name: string, secret: string, url: string): object {
  return {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name },
    spec: {
      refreshInterval: '1h',
      secretStoreRef: { name: 'aws', kind: 'SecretStore' },
      target: { name, template: { engineVersion: 'v2', data: { url } } },
      data: [{ secretKey: 'password', remoteRef: { key: secret } }],
    },
  }
}

function kustomization(outputs: Outputs): object {
  return {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: 'tally',
    resources: ['../production', 'secret-store.yaml', 'secrets.yaml'],
    components: ['../../components/ingress'],
    // Set the tag or the digest by `kustomize edit set image`, or by `make deploy IMAGE=`.
    images: [{ name: 'registry.example.com/tally', newName: outputs.image_repository.value }],
    configMapGenerator: [
      {
        name: 'tally',
        behavior: 'merge',
        literals: [
          // The log that makes the tasks durable is the platform's, and no append-only file.
          'REDIS_DURABLE=managed',
          `TRUSTED_PROXIES=${outputs.load_balancer_cidrs.value.join(',')}`,
        ],
      },
      { name: 'rds-ca', files: ['rds-ca.pem'] },
    ],
    patches: [
      { path: 'no-gateway.yaml' },
      { path: 'no-route.yaml' },
      { path: 'no-redirect.yaml' },
      { path: 'database-authority.yaml' },
      { path: 'namespace.yaml', target: { kind: 'Namespace', name: 'tally' } },
      { path: 'external-stores.yaml', target: { kind: 'NetworkPolicy', name: 'external-stores' } },
      { path: 'ingress.yaml', target: { kind: 'Ingress', name: 'api' } },
    ],
  }
}

/**
 * A new pod counts as ready when the load balancer has found it healthy, so a rollout never removes the last pod that gets
 * requests.
 */
const namespacePatch = [
  { op: 'add', path: '/metadata/labels/elbv2.k8s.aws~1pod-readiness-gate-inject', value: 'enabled' },
]

function storesPatch({ store_cidrs }: Outputs): object {
  const networks = store_cidrs.value.map((cidr) => ({ ipBlock: { cidr } }))
  return [{ op: 'replace', path: '/spec/egress/0/to', value: networks }]
}

/** The load balancer controller makes an Application Load Balancer of the Ingress. */
function ingressPatch({
  domain_name,
  certificate_arn,
  deregistration_delay_seconds,
  load_balancer_idle_timeout_seconds,
}: Outputs): object {
  const annotation = (name: string): string => `alb.ingress.kubernetes.io/${name}`
  const annotations = {
    [annotation('scheme')]: 'internet-facing',
    [annotation('target-type')]: 'ip',
    [annotation('healthcheck-path')]: '/ready',
    [annotation('healthcheck-interval-seconds')]: '5',
    [annotation('healthcheck-timeout-seconds')]: '2',
    [annotation('healthy-threshold-count')]: '2',
    [annotation('unhealthy-threshold-count')]: '3',
    [annotation('target-group-attributes')]:
      `deregistration_delay.timeout_seconds=${deregistration_delay_seconds.value}`,
    [annotation('load-balancer-attributes')]:
      `idle_timeout.timeout_seconds=${load_balancer_idle_timeout_seconds.value}`,
    ...(certificate_arn.value === null
      ? { [annotation('listen-ports')]: '[{"HTTP": 80}]' }
      : {
          [annotation('listen-ports')]: '[{"HTTP": 80}, {"HTTPS": 443}]',
          [annotation('ssl-redirect')]: '443',
          [annotation('certificate-arn')]: certificate_arn.value,
          [annotation('ssl-policy')]: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
          [annotation('listener-attributes.HTTPS-443')]:
            `routing.http.response.strict_transport_security.header_value=max-age=${hstsSeconds}`,
        }),
  }
  return [
    { op: 'add', path: '/metadata/annotations', value: annotations },
    { op: 'add', path: '/spec/ingressClassName', value: 'alb' },
    // The certificate is the load balancer's.
    { op: 'remove', path: '/spec/tls' },
    domain_name.value === null
      ? { op: 'remove', path: '/spec/rules/0/host' }
      : { op: 'replace', path: '/spec/rules/0/host', value: domain_name.value },
  ]
}

function deletion(kind: string, name: string): object {
  return { $patch: 'delete', apiVersion: 'gateway.networking.k8s.io/v1', kind, metadata: { name } }
}

/** The certificate authority of RDS, which is in no image. */
function databaseAuthority(apiVersion: string, kind: string, name: string): object {
  const container = {
    name,
    env: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/tally/rds/rds-ca.pem' }],
    volumeMounts: [{ name: 'rds-ca', mountPath: '/etc/tally/rds', readOnly: true }],
  }
  const spec = { containers: [container], volumes: [{ name: 'rds-ca', configMap: { name: 'rds-ca' } }] }
  return { apiVersion, kind, metadata: { name }, spec: { template: { spec } } }
}

if (import.meta.main) {
  const [folder] = Bun.argv.slice(2)
  if (folder === undefined) {
    console.error('Usage: terraform output -json | bun tools/aws-overlay.ts FOLDER')
    process.exit(64)
  }
  const outputs = outputsSchema.safeParse(await Bun.stdin.json())
  if (!outputs.success) {
    console.error(`These are not the outputs of deploy/terraform:\n${z.prettifyError(outputs.error)}`)
    process.exit(65)
  }
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(overlayFiles(outputs.data))) {
    await Bun.write(join(folder, name), text)
    console.log(join(folder, name))
  }
}
