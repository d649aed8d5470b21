/**
 * Generates rules for other places from deploy/prometheus/rules.
 *
 * `bun tools/prometheus-rule.ts` writes k8s/components/service-monitor/prometheus-rule.yaml, for the Prometheus
 * operator.
 * With `--check` it only checks that the file is up to date.
 *
 * With one of these options it prints the rules, in Prometheus's own format or with `--format=operator` in the
 * operator's:
 *
 *     --namespace=tally          restricts the rules to a namespace; may be a regular expression
 *     --job='api|worker'         the same for jobs
 *     --runbook=https://…        the address of docs/alerts.md, for the links in the alerts
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

interface Rule {
  readonly expr: string
  readonly annotations?: Readonly<Record<string, string>>
}
interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}

const root = resolve(import.meta.dir, '..')
const target = join(root, 'k8s/components/service-monitor/prometheus-rule.yaml')

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    namespace: { type: 'string' },
    job: { type: 'string' },
    runbook: { type: 'string' },
    format: { type: 'string', default: 'prometheus' },
  },
})

/** The label matchers that limit a selector, from the options. */
const matchers = [
  ['namespace', values.namespace],
  ['job', values.job],
].flatMap(([label, value]) =>
  value === undefined ? [] : [`${label}${/^[\w-]+$/.test(value) ? '=' : '=~'}${JSON.stringify(value)}`],
)

/** Selectors of scraped metrics; those of recorded ones have colons. */
const scraped = /(?<![\w:"])((?:api|app|worker|process|tally|tls|trace|log)_\w+|up)(?![\w:(])(\{)?/g

/**
 * Adds the matchers to every selector of scraped metrics in an expression.
 *
 * @example limit('up == 0') // with --namespace=tally: 'up{namespace="tally"} == 0'
 */
function limit(expr: string): string {
  if (matchers.length === 0) return expr
  return expr.replace(scraped, (_, name: string, brace?: string) =>
    brace === undefined ? `${name}{${matchers.join(',')}}` : `${name}{${matchers.join(',')},`,
  )
}

/** Prefixes the links of an alert with the address of the runbook. */
function link(annotations: Rule['annotations']): Rule['annotations'] {
  const { runbook } = values
  const url = annotations?.runbook_url
  if (runbook === undefined || url === undefined) return annotations
  return { ...annotations, runbook_url: `${runbook}${url.slice(url.indexOf('#'))}` }
}

/** In the order of evaluation: rules use what those before them record. */
const files = ['jobs', 'requests', 'objectives', 'instances', 'tasks'].map((name) =>
  join(root, `deploy/prometheus/rules/${name}.yml`),
)
const texts = await Promise.all(files.map((file) => Bun.file(file).text()))
const groups = texts
  .flatMap((text) => (Bun.YAML.parse(text) as RuleFile).groups)
  .map(({ name, rules }) => ({
    name,
    rules: rules.map((rule) => ({
      ...rule,
      expr: limit(rule.expr),
      ...(rule.annotations === undefined ? {} : { annotations: link(rule.annotations) }),
    })),
  }))

const operatorRule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'tally', labels: { 'app.kubernetes.io/name': 'tally' } },
  spec: { groups },
}
const print = (rules: object): string =>
  `# Generated from deploy/prometheus/rules by tools/prometheus-rule.ts. Edit the rules, then run it again.\n${Bun.YAML.stringify(rules, null, 2)}\n`

if (matchers.length > 0 || values.runbook !== undefined) {
  console.log(print(values.format === 'operator' ? operatorRule : { groups }))
} else if (values.check) {
  const current = await Bun.file(target).text()
  if (current !== print(operatorRule)) {
    console.error('prometheus-rule.yaml is out of date. Run: bun tools/prometheus-rule.ts')
    process.exit(1)
  }
} else {
  await Bun.write(target, print(operatorRule))
}
