import { writeOrCheck } from './generated-files.ts'
import { replaceBetween, tableOf } from './markdown.ts'
import {
  type CostLine,
  costLines,
  costOf,
  planPods,
  planTraffic,
  podsPerNode,
  readCosts,
  readSizeVariables,
  rounded,
  type Size,
  type SizeVariables,
} from './terraform/costs.ts'

// Writes the tables of docs/cost.md, from deploy/terraform/costs.json and the examples of the sizes; --check only compares.

const begin = '<!-- costs: made by `bun run docs` -->'
const end = '<!-- /costs -->'

const groups: Readonly<Record<CostLine['group'], string>> = {
  cluster: 'cluster and nodes',
  clients: 'load balancer and traffic',
  database: 'database',
  tasks: 'task store',
  logs: 'logs',
  other: 'keys, secrets, images, state',
}

interface Bill {
  readonly name: string
  readonly size: Size
  readonly variables: SizeVariables
  readonly lines: readonly CostLine[]
}

const costs = await readCosts()
const bills = await Promise.all(
  Object.entries(costs.sizes).map(async ([name, size]): Promise<Bill> => {
    const variables = await readSizeVariables(name)
    return { name, size, variables, lines: costLines(costs, size, variables) }
  }),
)
const path = new URL('../docs/cost.md', import.meta.url)
const page = await Bun.file(path).text()
const sections = [summary(), ...bills.map(billTable), loads(), prices()]
const made = replaceBetween(page, begin, end, `\n\n${sections.join('\n\n')}\n\n`)
await writeOrCheck([[path, made]], 'docs/cost.md: the tables differ from deploy/terraform/costs.json')

function summary(): string {
  const rows = Object.entries(groups).map(([group, title]) => [
    title,
    ...bills.map(({ lines }) => usd(sum(lines.filter((line) => line.group === group)))),
  ])
  const total = ['**all**', ...bills.map(({ lines }) => `**${usd(sum(lines))}**`)]
  const titles = bills.map(({ size }) => size.title)
  return [
    `## A month, in ${costs.currency}`,
    `${costs.region}, prices of ${costs.date} [as listed below](#prices), without taxes and discounts, for ${costs.hoursPerMonth} hours.`,
    tableOf(['', ...titles], [...rows, total]),
    `A response has ${costs.traffic.responseBytes} bytes, the headers of request and response ${costs.traffic.headerBytes}, an access line ${costs.traffic.logBytes} with what the log collector adds.`,
  ].join('\n\n')
}

function billTable({ name, size, variables, lines }: Bill): string {
  const rows = lines.map((line) => {
    const price = costs.prices[line.price]
    return [
      price?.item ?? '',
      line.calculation,
      `${rounded(line.quantity)} × ${price?.usd} per ${price?.unit}`,
      usd(costOf(costs, line)),
    ]
  })
  const { pods, cores } = planPods(costs, size.requestsPerSecond, size.payload)
  const slots = Number(variables.node_count) * podsPerNode(costs, String(variables.node_instance_type))
  return [
    `## ${size.title}`,
    `[\`${name}.tfvars.example\`](../deploy/terraform/${name}.tfvars.example), ${rounded(size.requestsPerSecond)} requests a second of ${size.payload}: ${rounded(cores)} cores, so ${pods} pods of the API. The nodes have room for ${slots}.`,
    tableOf(['', 'quantity', 'price', 'USD'], [...rows, ['**all**', '', '', `**${usd(sum(lines))}**`]]),
  ].join('\n\n')
}

/** What other payloads would need at the load of the largest size. */
function loads(): string {
  const { requestsPerSecond } = costs.sizes.large ?? { requestsPerSecond: Number.NaN }
  const rows = Object.entries(costs.capacity.requestsPerSecondAndCore).map(([payload, perCore]) => {
    const { cores, pods } = planPods(costs, requestsPerSecond, payload)
    const nodes = Math.max(3, Math.ceil((pods + costs.capacity.surgePods) / podsPerNode(costs, 'm7g.xlarge')))
    const { balancedGbPerHour } = planTraffic(costs, { requestsPerSecond, payload })
    const month = (price: string, quantity: number): string =>
      usd(costOf(costs, { group: 'other', price, quantity: quantity * costs.hoursPerMonth, calculation: '' }))
    return [
      payload,
      rounded(perCore),
      rounded(cores),
      `${pods}`,
      `${nodes} (${month('ec2:m7g.xlarge', nodes)})`,
      `${rounded(balancedGbPerHour)} GB (${month('lcu', balancedGbPerHour)})`,
    ]
  })
  const head = [
    'payload',
    'planned per core',
    'cores',
    'pods',
    'nodes m7g.xlarge',
    'through the load balancer, an hour',
  ]
  return [
    `## ${rounded(requestsPerSecond)} requests a second of other payloads`,
    `Cores = requests a second / planned per core ([capacity](capacity.md#requests)) × ${costs.capacity.guards} for a key, a rate limit and a log line / ${costs.capacity.targetUtilization}, the autoscaler's target. USD a month in parentheses.`,
    tableOf(head, rows),
  ].join('\n\n')
}

function prices(): string {
  const rows = Object.values(costs.prices).map(({ item, unit, usd: price, source, note }) => {
    const from = costs.sources[source]
    const link =
      from !== undefined && 'url' in from
        ? `[${new URL(from.url).hostname}](${from.url}), ${from.date}`
        : 'memory'
    return [item, `${price} per ${unit}`, link, note ?? '']
  })
  const { memory } = costs.sources
  return [
    '## Prices',
    `AWS' own price pages could not be read when this was written. \`memory\` is a ${memory !== undefined && 'note' in memory ? memory.note : ''}.`,
    tableOf(['', 'USD', 'source', ''], rows),
  ].join('\n\n')
}

function sum(lines: readonly CostLine[]): number {
  return lines.reduce((total, line) => total + costOf(costs, line), 0)
}

function usd(value: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}
