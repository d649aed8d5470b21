import { z } from 'zod'
import { type HclBody, parseHcl, readModule } from './hcl.ts'

const source = z.union([
  z.strictObject({ url: z.url(), date: z.string() }),
  z.strictObject({ note: z.string() }),
])
const price = z.strictObject({
  item: z.string(),
  unit: z.string(),
  usd: z.number().positive(),
  source: z.string(),
  note: z.string().optional(),
})
const costsSchema = z.strictObject({
  region: z.string(),
  currency: z.literal('USD'),
  date: z.iso.date(),
  hoursPerMonth: z.number(),
  sources: z.record(z.string(), source),
  prices: z.record(z.string(), price),
  /** The kinds of price that a resource type, or a module, has: `ec2` for all `ec2:…`. */
  priced: z.record(z.string(), z.array(z.string())),
  /** Why a resource type costs nothing. */
  free: z.record(z.string(), z.string()),
  capacity: z.strictObject({
    /** "Plan with" of docs/capacity.md. */
    requestsPerSecondAndCore: z.record(z.string(), z.number()),
    /** What keys, a rate limit and a log line multiply the CPU time by. */
    guards: z.number(),
    targetUtilization: z.number(),
    minPods: z.number(),
    surgePods: z.number(),
    vcpus: z.record(z.string(), z.number()),
    /** Of each node, by the kubelet and the programs on every node, in cores. */
    reservedCpu: z.number(),
  }),
  traffic: z.strictObject({
    payloadBytes: z.record(z.string(), z.number()),
    responseBytes: z.number(),
    headerBytes: z.number(),
    logBytes: z.number(),
  }),
  sizes: z.record(
    z.string(),
    z.strictObject({
      title: z.string(),
      requestsPerSecond: z.number(),
      payload: z.string(),
      natGb: z.number(),
      otherLogsGb: z.number(),
      imagesGb: z.number(),
    }),
  ),
})
export type Costs = z.infer<typeof costsSchema>
export type Size = Costs['sizes'][string]

/** One line of the bill of a month. */
export interface CostLine {
  /** What it is for, to add lines up. */
  readonly group: 'cluster' | 'clients' | 'database' | 'tasks' | 'logs' | 'other'
  /** The key of its price. */
  readonly price: string
  /** In the unit of the price. */
  readonly quantity: number
  /** How the quantity is made, for a reader. */
  readonly calculation: string
}

/** What a size sets, with the defaults of the stack. */
export type SizeVariables = Readonly<Record<string, string | number | boolean | readonly string[]>>

const stackFolder = new URL('../../deploy/terraform/', import.meta.url).pathname
/** AWS counts gigabytes in powers of 1,000 for traffic. */
const bytesPerGb = 1e9
const secondsPerHour = 3_600
/** A capacity unit of the load balancer: a gigabyte per hour. */
const gbPerLcu = 1
/** Of data to the internet, in GB a month. */
const freeDataOutGb = 100
/** Keys: the data's, the cluster's, the state's. Secrets: the database's two, the tasks'. */
const keys = 3
const secrets = 3

/** Reads deploy/terraform/costs.json. @throws ZodError when it is not as described */
export async function readCosts(): Promise<Costs> {
  return costsSchema.parse(await Bun.file(`${stackFolder}costs.json`).json())
}

/** Reads the variables of a size from its example, and those that it leaves out from their defaults. */
export async function readSizeVariables(size: string): Promise<SizeVariables> {
  const { variable } = await readModule(stackFolder)
  const defaults = Object.entries(variable).map(([name, [body = {}]]) => [name, body.default ?? null])
  const set = await parseHcl(`${size}.tfvars`, await Bun.file(`${stackFolder}${size}.tfvars.example`).text())
  return { ...(Object.fromEntries(defaults) as HclBody), ...set } as SizeVariables
}

/** How many cores and pods a load needs, and how many pods of one core a node has room for. */
export function planPods(
  { capacity }: Costs,
  requestsPerSecond: number,
  payload: string,
): { readonly cores: number; readonly pods: number } {
  const perCore = capacity.requestsPerSecondAndCore[payload]
  if (perCore === undefined) throw new RangeError(`no figure for payloads of ${payload}`)
  const cores = ((requestsPerSecond / perCore) * capacity.guards) / capacity.targetUtilization
  return { cores, pods: Math.max(capacity.minPods, Math.ceil(cores)) }
}

/** @throws RangeError for an instance type without a figure */
export function podsPerNode({ capacity }: Costs, instanceType: string): number {
  const vcpus = capacity.vcpus[instanceType]
  if (vcpus === undefined) throw new RangeError(`no figure for ${instanceType}`)
  return Math.floor(vcpus - capacity.reservedCpu)
}

/** Gigabytes in an hour, through the load balancer and to the internet. */
export function planTraffic(
  { traffic }: Costs,
  { requestsPerSecond, payload }: Pick<Size, 'requestsPerSecond' | 'payload'>,
): { readonly balancedGbPerHour: number; readonly outGbPerHour: number; readonly logGbPerHour: number } {
  const perHour = (bytes: number): number => (requestsPerSecond * secondsPerHour * bytes) / bytesPerGb
  const response = traffic.responseBytes + traffic.headerBytes / 2
  const request = (traffic.payloadBytes[payload] ?? Number.NaN) + traffic.headerBytes / 2
  return {
    balancedGbPerHour: perHour(request + response),
    outGbPerHour: perHour(response),
    logGbPerHour: perHour(traffic.logBytes),
  }
}

/** The bill of a size for a month, line by line. */
export function costLines(costs: Costs, size: Size, variables: SizeVariables): CostLine[] {
  return [
    ...clusterLines(costs, size, variables),
    ...clientLines(costs, size, variables),
    ...storeLines(costs, variables),
    ...logLines(costs, size, variables),
    { group: 'other', price: 'kms', quantity: keys, calculation: `${keys} keys` },
    { group: 'other', price: 'secret', quantity: secrets, calculation: `${secrets} secrets` },
    { group: 'other', price: 'images', quantity: size.imagesGb, calculation: `${size.imagesGb} GB` },
    { group: 'other', price: 'state', quantity: 0.1, calculation: '0.1 GB, with old versions' },
  ]
}

function clusterLines(
  { hoursPerMonth: hours }: Costs,
  { natGb }: Size,
  variables: SizeVariables,
): CostLine[] {
  const nodes = Number(variables.node_count)
  const gib = Number(variables.node_disk_gib)
  const gateways = natGateways(variables)
  return [
    { group: 'cluster', price: 'eks', quantity: hours, calculation: `${hours} hours` },
    {
      group: 'cluster',
      price: `ec2:${variables.node_instance_type}`,
      quantity: nodes * hours,
      calculation: `${nodes} nodes × ${hours} hours`,
    },
    { group: 'cluster', price: 'disk', quantity: nodes * gib, calculation: `${nodes} nodes × ${gib} GB` },
    {
      group: 'cluster',
      price: 'nat',
      quantity: gateways * hours,
      calculation: `${gateways} × ${hours} hours`,
    },
    { group: 'cluster', price: 'nat-data', quantity: natGb, calculation: `${natGb} GB` },
  ]
}

function clientLines(costs: Costs, size: Size, variables: SizeVariables): CostLine[] {
  const { hoursPerMonth: hours } = costs
  const { balancedGbPerHour, outGbPerHour } = planTraffic(costs, size)
  const units = balancedGbPerHour / gbPerLcu
  const out = outGbPerHour * hours
  const zones = countZones(variables)
  const addresses = zones + natGateways(variables)
  return [
    { group: 'clients', price: 'alb', quantity: hours, calculation: `${hours} hours` },
    {
      group: 'clients',
      price: 'lcu',
      quantity: units * hours,
      calculation: `${rounded(balancedGbPerHour)} GB an hour × ${hours} hours`,
    },
    {
      group: 'clients',
      price: 'ipv4',
      quantity: addresses * hours,
      calculation: `${addresses} addresses × ${hours} hours`,
    },
    {
      group: 'clients',
      price: 'data-out',
      quantity: Math.max(0, out - freeDataOutGb),
      calculation: `${rounded(out)} GB, of which ${freeDataOutGb} are free`,
    },
  ]
}

function storeLines({ hoursPerMonth: hours }: Costs, variables: SizeVariables): CostLine[] {
  const instances = variables.database_multi_az === true ? 2 : 1
  const gib = Number(variables.database_storage_gib)
  const nodes = 1 + Number(variables.task_store_replicas)
  const pair = instances === 2 ? 'with standby: 2 × ' : ''
  return [
    {
      group: 'database',
      price: `rds:${variables.database_instance_class}`,
      quantity: instances * hours,
      calculation: `${pair}${hours} hours`,
    },
    { group: 'database', price: 'rds-storage', quantity: instances * gib, calculation: `${pair}${gib} GB` },
    {
      group: 'tasks',
      price: `tasks:${variables.task_store_node_type}`,
      quantity: nodes * hours,
      calculation: `${nodes} ${nodes === 1 ? 'node' : 'nodes'} × ${hours} hours`,
    },
  ]
}

function logLines(costs: Costs, size: Size, variables: SizeVariables): CostLine[] {
  const access = planTraffic(costs, size).logGbPerHour * costs.hoursPerMonth
  const received = access + size.otherLogsGb
  const months = Number(variables.log_retention_days) / 30
  return [
    {
      group: 'logs',
      price: 'log-ingestion',
      quantity: received,
      calculation: `${rounded(access)} GB of access lines + ${size.otherLogsGb} GB`,
    },
    {
      group: 'logs',
      price: 'log-storage',
      quantity: received * months,
      calculation: `${rounded(received)} GB × ${variables.log_retention_days} days`,
    },
  ]
}

/** Over how many zones nodes and load balancer are spread. */
export function countZones({ availability_zones }: SizeVariables): number {
  return Array.isArray(availability_zones) ? availability_zones.length : Number.NaN
}

function natGateways(variables: SizeVariables): number {
  return variables.nat_gateways === 'per-zone' ? countZones(variables) : 1
}

/** What a line costs, in USD. @throws RangeError without a price */
export function costOf({ prices }: Costs, { price, quantity }: CostLine): number {
  const unit = prices[price]
  if (unit === undefined) throw new RangeError(`costs.json has no price ${price}`)
  return unit.usd * quantity
}

/** A number for a reader: at most two digits after the point, and separators. */
export function rounded(value: number): string {
  if (value > 0 && value < 0.005) return 'under 0.01'
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 2 : 0 })
}
