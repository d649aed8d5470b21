import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'
import {
  costLines,
  costOf,
  countZones,
  planPods,
  planTraffic,
  podsPerNode,
  readCosts,
  readSizeVariables,
} from '../../../tools/terraform/costs.ts'
import { readModule } from '../../../tools/terraform/hcl.ts'
import { stackFolders } from '../../../tools/terraform-check.ts'
import { root } from '../../support/root.ts'

const costs = await readCosts()
const page = await Bun.file(join(root, 'docs/cost.md')).text()

/** The rows of a table below a heading of the page, without its head. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const lines = section.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('*', '')),
  )
}
const number = (text: string | undefined): number => Number((text ?? '').replaceAll(',', ''))

describe('every resource type of the stack', async () => {
  const modules = await Promise.all(stackFolders.map(async (folder) => await readModule(join(root, folder))))
  const types = modules.flatMap(({ resource, module }) => [
    ...Object.keys(resource),
    ...Object.keys(module).map((name) => `module.${name}`),
  ])

  test.each([...new Set(types)])('%s has a price, or a reason why it has none', (type) => {
    expect([type, type in costs.priced || type in costs.free]).toEqual([type, true])
    expect(type in costs.priced && type in costs.free).toBe(false)
  })

  test('and nothing that the stack does not have is listed', () => {
    const listed = [...Object.keys(costs.priced), ...Object.keys(costs.free)]
    expect(listed.filter((type) => !types.includes(type))).toEqual(['the Ingress of tools/aws-overlay.ts'])
  })
})

describe.each(Object.entries(costs.sizes))('%s', async (name, size) => {
  const variables = await readSizeVariables(name)
  const lines = costLines(costs, size, variables)
  const total = lines.reduce((sum, line) => sum + costOf(costs, line), 0)

  test('has a line for every kind of price that the stack has', () => {
    const kinds = new Set(lines.map(({ price }) => price.split(':')[0]))
    expect([...kinds].sort()).toEqual([...new Set(Object.values(costs.priced).flat())].sort())
  })

  test('is shown with rows that multiply and add up', () => {
    const rows = rowsBelow(size.title)
    expect(rows).toHaveLength(lines.length + 1)
    const all = rows.at(-1)
    let sum = 0
    for (const [item, , price, usd] of rows.slice(0, -1)) {
      const [, quantity, unit] = /^([\d,.]+) × ([\d.]+) per /.exec(price ?? '') ?? []
      // Quantities of the page are rounded.
      const product = number(quantity) * number(unit)
      expect([item, Math.abs(product - number(usd)) <= 0.01 + 0.06 * number(usd)]).toEqual([item, true])
      sum += number(usd)
    }
    expect(Math.abs(sum - number(all?.[3]))).toBeLessThan(0.01 * rows.length)
    expect(number(all?.[3])).toBeCloseTo(total, 2)
  })

  test('is the same in the summary, whose groups add up', () => {
    const column = Object.keys(costs.sizes).indexOf(name) + 1
    const cells = rowsBelow(`A month, in ${costs.currency}`).map((row) => number(row[column]))
    expect(cells.at(-1)).toBeCloseTo(total, 2)
    const groups = cells.slice(0, -1).reduce((sum, cell) => sum + cell, 0)
    expect(Math.abs(groups - total)).toBeLessThan(0.01 * cells.length)
  })

  test('its nodes have room for the pods, and for one more in a rollout', () => {
    const { pods } = planPods(costs, size.requestsPerSecond, size.payload)
    const room = Number(variables.node_count) * podsPerNode(costs, String(variables.node_instance_type))
    expect(room).toBeGreaterThanOrEqual(pods + costs.capacity.surgePods)
  })

  test('its budget is above the estimate, and not so far that it would never notify', () => {
    expect(Number(variables.monthly_budget_usd)).toBeGreaterThan(total)
    expect(Number(variables.monthly_budget_usd)).toBeLessThan(total * 1.3)
  })
})

test('the stores of the sizes for production have a second node in another zone', async () => {
  for (const name of ['small', 'large']) {
    const variables = await readSizeVariables(name)
    const { database_multi_az, task_store_replicas } = variables
    expect([name, database_multi_az, Number(task_store_replicas) >= 1, countZones(variables)]).toEqual([
      name,
      true,
      true,
      3,
    ])
  }
})

test('the largest size survives the loss of a zone with all of its pods', async () => {
  const variables = await readSizeVariables('large')
  const nodes = Number(variables.node_count) - Math.ceil(Number(variables.node_count) / countZones(variables))
  const { pods } = planPods(costs, costs.sizes.large?.requestsPerSecond ?? Number.NaN, '20 kB')
  expect(nodes * podsPerNode(costs, String(variables.node_instance_type))).toBeGreaterThanOrEqual(pods)
})

test('requests a second per core are those that docs/capacity.md plans with', async () => {
  const capacity = await Bun.file(join(root, 'docs/capacity.md')).text()
  for (const [payload, perCore] of Object.entries(costs.capacity.requestsPerSecondAndCore)) {
    const row = capacity.split('\n').find((line) => line.startsWith(`| ${payload} |`))
    expect([payload, number(/\| ([\d,]+) a core \|$/.exec(row ?? '')?.[1])]).toEqual([payload, perCore])
  }
})

test('the smallest number of pods and the target are those of the autoscaler', async () => {
  const target = z.looseObject({ averageUtilization: z.number().optional() })
  const metric = z.object({ containerResource: z.looseObject({ name: z.string(), target }) })
  const autoscaler = z
    .object({ spec: z.object({ minReplicas: z.number(), metrics: z.array(metric) }) })
    .parse(Bun.YAML.parse(await Bun.file(join(root, 'k8s/components/autoscaling/api.yaml')).text()))
  expect(costs.capacity.minPods).toBe(autoscaler.spec.minReplicas)
  const cpu = autoscaler.spec.metrics.find(({ containerResource }) => containerResource.name === 'cpu')
  expect(cpu?.containerResource.target.averageUtilization).toBe(costs.capacity.targetUtilization * 100)
})

test('planned pods and traffic follow from the load', () => {
  // 7,000 / 70 x 1.34 / 0.7 = 191.4 cores.
  expect(planPods(costs, 7_000, '1.9 MB').pods).toBe(Math.ceil((100 * costs.capacity.guards) / 0.7))
  expect(planPods(costs, 1, '20 kB').pods).toBe(costs.capacity.minPods)
  expect(() => planPods(costs, 1, '5 kB')).toThrow('no figure for payloads of 5 kB')
  const { balancedGbPerHour } = planTraffic(costs, { requestsPerSecond: 1_000, payload: '20 kB' })
  const bytes = 20_000 + costs.traffic.headerBytes + costs.traffic.responseBytes
  expect(balancedGbPerHour).toBeCloseTo((1_000 * 3_600 * bytes) / 1e9, 6)
})

test('every price has a source, and one that no page shows says so', () => {
  for (const [name, { source }] of Object.entries(costs.prices))
    expect([name, source in costs.sources]).toEqual([name, true])
  const remembered = Object.values(costs.prices).filter(({ source }) => source === 'memory')
  expect(rowsBelow('Prices').filter(([, , source]) => source === 'memory')).toHaveLength(remembered.length)
  expect(costs.sources.memory).toEqual({ note: expect.stringContaining('check before you rely on it') })
})
