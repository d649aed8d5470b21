/**
 * Generates k8s/components/service-monitor/prometheus-rule.yaml for the Prometheus operator from deploy/prometheus/rules:
 * `bun tools/prometheus-rule.ts`. With `--check` it only checks that the file is up to date.
 */
import { join, resolve } from 'node:path'

interface RuleFile {
  groups: unknown[]
}

const root = resolve(import.meta.dir, '..')
const target = join(root, 'k8s/components/service-monitor/prometheus-rule.yaml')

const files = ['recording.yml', 'alerts.yml'].map((name) => join(root, 'deploy/prometheus/rules', name))
const texts = await Promise.all(files.map((file) => Bun.file(file).text()))
const groups = texts.flatMap((text) => (Bun.YAML.parse(text) as RuleFile).groups)
const rule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'tally', labels: { 'app.kubernetes.io/name': 'tally' } },
  spec: { groups },
}
const generated = `# Generated from deploy/prometheus/rules by tools/prometheus-rule.ts. Edit the rules, then run it again.\n${Bun.YAML.stringify(rule, null, 2)}\n`

if (process.argv.includes('--check')) {
  const current = await Bun.file(target).text()
  if (current !== generated) {
    console.error('prometheus-rule.yaml is out of date. Run: bun tools/prometheus-rule.ts')
    process.exit(1)
  }
} else {
  await Bun.write(target, generated)
}
