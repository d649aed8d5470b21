import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'
import { root } from '../support/root.ts'
import { type Built, buildAll } from './manifests.ts'

const mapSchema = z.object({ data: z.record(z.string(), z.string()) })
const mountSchema = z.object({
  volumes: z.array(z.looseObject({ name: z.string(), configMap: z.object({ name: z.string() }).optional() })),
  containers: z.array(
    z.object({ volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })) }),
  ),
})
const annotationsSchema = z.object({
  spec: z.object({
    template: z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()) }) }),
  }),
})
const discoverySchema = z.object({
  alerting: z.object({
    alertmanagers: z.array(
      z.object({
        relabel_configs: z.array(z.object({ regex: z.string(), action: z.string() })),
      }),
    ),
  }),
})

/** The files that a workload sees in its mounted ConfigMaps, by path. */
function filesOf(built: Built, workload: string): Record<string, string> {
  const { volumes, containers } = mountSchema.parse(built.workload(workload).spec.template.spec)
  const maps = built.kind('ConfigMap')
  const mounts = containers.flatMap(({ volumeMounts }) => volumeMounts)
  return Object.fromEntries(
    volumes.flatMap(({ name, configMap }) => {
      if (configMap === undefined) return []
      const map = maps.find(({ metadata }) => metadata.name === configMap.name)
      if (map === undefined) throw new Error(`no ConfigMap ${configMap.name} in ${built.overlay}`)
      const { mountPath } = mounts.find((mount) => mount.name === name) ?? { mountPath: 'not mounted' }
      return Object.entries(mapSchema.parse(map).data).map(([file, text]) => [`${mountPath}/${file}`, text])
    }),
  )
}
const textOf = (path: string): Promise<string> => Bun.file(join(root, path)).text()

const all = (await buildAll()).map((built) => [built.overlay, built] as const)

describe.each(all.filter(([overlay]) => ['dev', 'everything'].includes(overlay)))(
  'Grafana in %s',
  (_, built) => {
    test('has the data source and the dashboard of every other platform', async () => {
      expect(filesOf(built, 'grafana')).toEqual({
        '/etc/grafana/provisioning/datasources/prometheus.yaml': await textOf(
          'deploy/grafana/provisioning/datasources/prometheus.yaml',
        ),
        '/etc/grafana/provisioning/dashboards/tally.yaml': await textOf(
          'deploy/grafana/provisioning/dashboards/tally.yaml',
        ),
        '/etc/grafana/dashboards/tally.json': await textOf('deploy/grafana/dashboards/tally.json'),
      })
    })

    test('asks the Prometheus of the namespace, and shows its own dashboard first', () => {
      const files = filesOf(built, 'grafana')
      const { datasources } = Bun.YAML.parse(
        files['/etc/grafana/provisioning/datasources/prometheus.yaml'] ?? '',
      ) as { datasources: { url: string }[] }
      const services = built.kind('Service').map(({ metadata }) => metadata.name)
      const [url] = datasources.map((source) => new URL(source.url))
      expect(services).toContain(url?.hostname ?? '')
      const [container] = built.workload('grafana').spec.template.spec.containers
      const home = container?.env.find(
        ({ name }) => name === 'GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH',
      )?.value
      expect(Object.keys(files)).toContain(home ?? '')
    })
  },
)

describe.each(all.filter(([overlay]) => overlay === 'everything'))('with every component', (_, built) => {
  test('the annotations name the port and the path of the metrics', () => {
    for (const name of ['api', 'worker']) {
      const deployment = built.kind('Deployment').find(({ metadata }) => metadata.name === name)
      const { annotations } = annotationsSchema.parse(deployment).spec.template.metadata
      const [container] = built.workload(name).spec.template.spec.containers
      const port = container?.ports.find((each) => each.name === 'metrics')?.containerPort
      expect(annotations).toMatchObject({
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': `${port}`,
        'prometheus.io/path': '/metrics',
      })
    }
  })

  test('Alertmanager has the routing of deploy/, and Prometheus finds it by the name of its port', async () => {
    expect(filesOf(built, 'alertmanager')).toEqual({
      '/etc/alertmanager/alertmanager.yml': await textOf('deploy/alertmanager/alertmanager.yml'),
    })
    const config = Bun.YAML.parse(filesOf(built, 'prometheus')['/etc/prometheus/prometheus.yml'] ?? '')
    const rules = discoverySchema
      .parse(config)
      .alerting.alertmanagers.flatMap(({ relabel_configs }) => relabel_configs)
    const [container] = built.workload('alertmanager').spec.template.spec.containers
    expect(rules).toEqual([{ regex: container?.ports[0]?.name ?? '', action: 'keep' }])
  })
})

test.each(all.filter(([overlay]) => overlay !== 'everything'))('%s scrapes by one mechanism', (_, built) => {
  for (const deployment of built.kind('Deployment').filter(({ metadata }) => metadata.name === 'api')) {
    const { annotations } = annotationsSchema.parse(deployment).spec.template.metadata
    expect(Object.keys(annotations).filter((name) => name.startsWith('prometheus.io/'))).toEqual([])
  }
})
