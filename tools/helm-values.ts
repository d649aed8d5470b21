import { z } from 'zod'
import { environment, secretNames } from '../src/config.ts'
import { writeOrCheck } from './generated-files.ts'
import { escapeCell, replaceBetween, tableOf } from './markdown.ts'

// The comments of the chart's values.yaml are the only descriptions of its values. This writes them into README.md as a
// table and into values.schema.json, together with the service's own variables; --check only compares.

const chart = new URL('../deploy/helm/tally/', import.meta.url)
const begin = '<!-- values: made by `bun run docs` -->'
const end = '<!-- /values -->'

/** One value, or a map of values that belong together: a row of the table. */
export interface Entry {
  readonly path: readonly string[]
  readonly description: string
}

/**
 * Reads the comments above the keys of a YAML file. A key with a comment is an entry, and the keys below it are a part of
 * it. Each value must be in an entry.
 *
 * @throws Error that names the first key without a comment
 * @example readEntries('a:\n  # The b\n  b: 1') // [{ path: ['a', 'b'], description: 'The b' }]
 */
export function readEntries(text: string): Entry[] {
  const entries: Entry[] = []
  const parents: string[] = []
  let comment: string[] = []
  let entryDepth = Number.POSITIVE_INFINITY
  for (const line of text.split('\n')) {
    const [, said] = /^ *# ?(.*)$/.exec(line) ?? []
    if (said !== undefined) {
      comment.push(said)
      continue
    }
    const [, indent, key, value] = /^((?: {2})*)([\w./-]+):(?: (.*))?$/.exec(line) ?? []
    const description = comment.join(' ')
    comment = []
    if (indent === undefined || key === undefined) continue
    const depth = indent.length / 2
    if (depth > entryDepth) continue
    entryDepth = Number.POSITIVE_INFINITY
    parents.length = depth
    const path = [...parents, key]
    parents.push(key)
    if (description !== '') {
      entries.push({ path, description })
      entryDepth = depth
    } else if (value !== undefined) throw new Error(`values.yaml: ${path.join('.')} has no comment`)
  }
  return entries
}

/** A part of a JSON Schema, with its keys in their order. */
const schemaNode = z.record(z.string(), z.unknown())
type SchemaNode = z.infer<typeof schemaNode>
const propertiesOf = ({ properties = {} }: SchemaNode): SchemaNode => schemaNode.parse(properties)

/** Set by the chart itself, from other values; in `config` or `extraEnv` they would contradict those. */
const managed = [
  ...['PORT', 'METRICS_PORT', 'WORKER', 'WORKER_PORT', 'INSTANCE_NAME'],
  ...['DRAIN_MIN', 'DRAIN_QUIET', 'DRAIN_MAX', 'SHUTDOWN_TIMEOUT', 'PRE_STOP', 'GRACE_PERIOD'],
  ...['DATABASE_URL', 'DATABASE_POOL_SIZE', 'REDIS_URL', 'DATA_DIR'],
]
/** The probes and the Service speak plain HTTP: a gateway terminates TLS. */
const unsupported = ['TLS_CERT', 'TLS_KEY']
/** Values that must not be in a file, such as a values file. */
const secrets: readonly string[] = [...secretNames, 'API_KEYS']

/** The variables that `config` may have. */
function settings(): Record<string, object | boolean> {
  const known = Object.entries(environment.shape).filter(
    ([name]) => ![...managed, ...unsupported, ...secrets].includes(name),
  )
  return {
    ...Object.fromEntries(
      known.map(([name, schema]) => [
        name,
        { $ref: '#/definitions/setting', description: z.globalRegistry.get(schema)?.description ?? '' },
      ]),
    ),
    // The pattern for all variables of OpenTelemetry would allow it.
    OTEL_EXPORTER_OTLP_HEADERS: false,
  }
}

/** Puts the descriptions and the variables into the schema. */
function completeSchema(text: string, entries: readonly Entry[]): string {
  const schema = schemaNode.parse(JSON.parse(text))
  for (const { path, description } of entries) {
    const names = [...path]
    const last = names.pop() as string
    const parent = names.reduce((node, name) => childOf(node, name, path), schema)
    const { description: _, ...child } = childOf(parent, last, path)
    parent.properties = { ...propertiesOf(parent), [last]: { description, ...child } }
  }
  const config = childOf(schema, 'config', ['config'])
  config.properties = settings()
  const definitions = schemaNode.parse(schema.definitions)
  const variable = schemaNode.parse(definitions.variable)
  variable.properties = {
    ...propertiesOf(variable),
    name: { type: 'string', minLength: 1, not: { enum: managed } },
  }
  variable.if = { properties: { name: { enum: secrets } } }
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  variable.then = { required: ['valueFrom'] }
  schema.definitions = { ...definitions, variable }
  return `${JSON.stringify(schema, null, 2)}\n`
}

/** @throws Error when the schema does not have the value */
function childOf(node: SchemaNode, name: string, path: readonly string[]): SchemaNode {
  const properties = propertiesOf(node)
  const child = properties[name]
  if (child === undefined) throw new Error(`values.schema.json does not have ${path.join('.')}`)
  const parsed = schemaNode.parse(child)
  node.properties = { ...properties, [name]: parsed }
  return parsed
}

/** The values that only the schema has: no page would show them. */
function findUndocumented(text: string, entries: readonly Entry[]): string[] {
  const documented = new Set(entries.map(({ path }) => path.join('.')))
  const walk = (node: SchemaNode, path: readonly string[]): string[] => {
    const name = path.join('.')
    // `global` is Helm's own, for a chart that is a part of another.
    if (documented.has(name) || name === 'global') return []
    const children = Object.entries(propertiesOf(node))
    if (children.length === 0) return [name]
    return children.flatMap(([key, child]) => walk(schemaNode.parse(child), [...path, key]))
  }
  return walk(schemaNode.parse(JSON.parse(text)), [])
}

/** The table of README.md. */
function renderTable(entries: readonly Entry[], values: unknown): string {
  const rows = entries.map(({ path, description }) => {
    const value = path.reduce((parent: unknown, name) => (parent as Record<string, unknown>)[name], values)
    const json = JSON.stringify(value)
    const shown = json.length > 60 ? '[in the file](values.yaml)' : `\`${escapeCell(json)}\``
    return [`\`${path.join('.')}\``, shown, escapeCell(description)]
  })
  return tableOf(['value', 'default', 'meaning'], rows)
}

if (import.meta.main) {
  const valuesText = await Bun.file(new URL('values.yaml', chart)).text()
  const entries = readEntries(valuesText)
  const schemaPath = new URL('values.schema.json', chart)
  const schema = await Bun.file(schemaPath).text()
  const undocumented = findUndocumented(schema, entries)
  if (undocumented.length > 0)
    throw new Error(`values.yaml does not have ${undocumented.join(', ')}, which the schema has`)
  const readmePath = new URL('README.md', chart)
  const table = renderTable(entries, Bun.YAML.parse(valuesText))
  const readme = replaceBetween(await Bun.file(readmePath).text(), begin, end, `\n${table}\n`)
  await writeOrCheck(
    [
      [schemaPath, completeSchema(schema, entries)],
      [readmePath, readme],
    ],
    'deploy/helm/tally: README.md or values.schema.json differs from values.yaml',
  )
}
