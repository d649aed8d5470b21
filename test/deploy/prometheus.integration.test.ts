import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWorkerMetrics } from '../../src/telemetry/metrics/worker-metrics.ts'
import { appDeps } from '../support/app-deps.ts'
import { runCommand } from '../support/command.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'

interface Panel {
  title: string
  targets?: { expr: string }[]
}

interface RuleFile {
  groups: { rules: { alert: string }[] }[]
}

interface RuleTests {
  tests: { alert_rule_test?: { alertname: string; exp_alerts: unknown[] }[] }[]
}

const promtool = hasProgram('promtool', 'prometheus')
const dashboard: { panels: Panel[]; annotations: { list: { expr: string }[] } } = await Bun.file(
  join(root, 'deploy/grafana/dashboards/tally.json'),
).json()
const expressions = [
  ...dashboard.panels.flatMap(({ targets }) => targets ?? []),
  ...dashboard.annotations.list,
].map(({ expr }) => expr)

describe.skipIf(!promtool)('Prometheus', () => {
  let directory = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'prometheus-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  test('accepts its configuration', async () => {
    const { exitCode, output } = await runCommand([
      'promtool',
      'check',
      'config',
      'deploy/prometheus/prometheus.yml',
    ])
    expect([exitCode, output]).toEqual([0, expect.stringContaining('SUCCESS')])
  })

  test('fires the alerts that should fire, and no others', async () => {
    const tests = [...new Bun.Glob('deploy/prometheus/tests/*.yml').scanSync(root)]
    const { exitCode, output } = await runCommand(['promtool', 'test', 'rules', ...tests])
    expect([exitCode, output]).toEqual([0, expect.stringContaining('SUCCESS')])
  }, 60_000)

  test('understands every expression of the dashboard', async () => {
    const file = join(directory, 'rules.yml')
    const rules = expressions.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$pod', '.*'),
    }))
    await Bun.write(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const { exitCode, output } = await runCommand(['promtool', 'check', 'rules', file])
    expect([exitCode, output]).toEqual([0, expect.stringContaining(`${expressions.length} rules found`)])
  })
})

test('every metric of the dashboard is one that the service or the balancer has', async () => {
  const { registry } = appDeps().metrics
  createWorkerMetrics(registry, [], async () => undefined)
  const text = await registry.metrics()
  const names = new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
  const used = new Set(
    expressions.flatMap((expr) => expr.match(/\b((?:api|app|worker|process|nodejs)_\w+)/g) ?? []),
  )
  expect([...used].filter((name) => !names.has(name))).toEqual([])
  expect(used.size).toBeGreaterThan(12)
})

test('every instance of compose.yaml is scraped, under its own name', async () => {
  const compose = Bun.YAML.parse(await Bun.file(join(root, 'compose.yaml')).text()) as {
    services: Record<string, { profiles?: string[]; environment?: Record<string, string> }>
  }
  const targets: { targets: string[]; labels: { pod: string } }[] = await Bun.file(
    join(root, 'deploy/prometheus/targets/api.json'),
  ).json()
  const instances = Object.entries(compose.services).flatMap(([service, { environment }]) =>
    environment?.INSTANCE_NAME ? [[`${service}:8000`, environment.INSTANCE_NAME]] : [],
  )
  expect(instances).toHaveLength(3)
  expect(targets.map(({ targets: [address], labels }) => [address, labels.pod])).toEqual(instances)
})

describe('an alert', async () => {
  const rules = Bun.YAML.parse(
    await Bun.file(join(root, 'deploy/prometheus/rules/alerts.yml')).text(),
  ) as RuleFile
  const alerts = [...new Set(rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert)))]
  const suites = await Promise.all(
    [...new Bun.Glob('deploy/prometheus/tests/*.yml').scanSync(root)].map(
      async (file) => Bun.YAML.parse(await Bun.file(join(root, file)).text()) as RuleTests,
    ),
  )
  const cases = suites.flatMap(({ tests }) => tests.flatMap(({ alert_rule_test = [] }) => alert_rule_test))
  const handbook = await Bun.file(join(root, 'docs/alerts.md')).text()

  test.each(alerts)('%s is shown firing and not firing, and is explained', (alert) => {
    const fired = cases
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts }) => exp_alerts.length > 0)
    expect(new Set(fired)).toEqual(new Set([true, false]))
    expect(handbook).toContain(`\n## ${alert}\n`)
  })
})
