import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'

/**
 * Converts published schemas to JSON Schemas in kubeconform's layout. tools/manifest-tools.sh downloads them and calls
 * this program:
 *
 *     bun tools/manifest-schemas.ts OUT kubernetes DIRECTORY...   one directory of schemas per version
 *     bun tools/manifest-schemas.ts OUT crds FILE...              CustomResourceDefinitions as YAML
 */
const [out = '', source = '', ...from] = process.argv.slice(2)

/** The published schemas refer to one file with all definitions, whose definitions refer to each other. */
const definitionsFile = '_definitions.json'
const reference = /^(?:\/api\/_definitions\.json)?#\/\$defs\/([^/]+)$/

/**
 * Writes the built-in kinds, such as `OUT/v1.34.0/deployment-apps-v1.json`, from a directory `v1.34.0-local-strict`. Each
 * file has only the definitions that it needs, because kubeconform checks a file of schemas as a whole before it uses it.
 */
async function writeKubernetes(directory: string): Promise<void> {
  const target = join(out, basename(directory).replace(/-.*/, ''))
  await mkdir(target, { recursive: true })
  const { $defs: all } = z
    .looseObject({ $defs: z.record(z.string(), z.unknown()) })
    .parse(await Bun.file(join(directory, definitionsFile)).json())
  for (const name of await readdir(directory)) {
    if (name === definitionsFile) continue
    const { $id: _, ...schema } = z.looseObject({}).parse(await Bun.file(join(directory, name)).json())
    const used = new Set<string>()
    const own = z.looseObject({}).parse(standalone(schema, used))
    const $defs: Record<string, unknown> = {}
    // The set grows meanwhile, because definitions use others.
    for (const definition of used) {
      if (!(definition in all)) throw new Error(`${name} refers to ${definition}, which is not defined`)
      $defs[definition] = standalone(all[definition], used)
    }
    await Bun.write(join(target, name), JSON.stringify({ ...own, $defs }))
  }
}

/**
 * A copy of a schema that refers to definitions in its own file, and has no descriptions.
 *
 * @param used receives the names of these definitions
 * @throws Error if it refers to anything else
 */
function standalone(schema: unknown, used: Set<string>): unknown {
  if (Array.isArray(schema)) return schema.map((each) => standalone(each, used))
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    // The schema of a property with one of these names is no string.
    if (typeof value !== 'string' || !['description', '$ref'].includes(key))
      return [[key, standalone(value, used)]]
    if (key === 'description') return []
    const [, name] = reference.exec(value) ?? []
    if (name === undefined) throw new Error(`unexpected reference: ${value}`)
    used.add(name)
    return [[key, `#/$defs/${name}`]]
  })
  return Object.fromEntries(entries)
}

const definitionSchema = z.object({
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(
      z.object({ name: z.string(), schema: z.object({ openAPIV3Schema: z.looseObject({}) }) }),
    ),
  }),
})

/** Writes a custom kind, such as `OUT/gateway.networking.k8s.io/httproute-v1.json`. */
async function writeDefinition(file: string): Promise<void> {
  const { spec } = definitionSchema.parse(Bun.YAML.parse(await Bun.file(file).text()))
  for (const { name, schema } of spec.versions)
    await Bun.write(
      join(out, spec.group, `${spec.names.kind.toLowerCase()}-${name}.json`),
      JSON.stringify(closed(schema.openAPIV3Schema)),
    )
}

/** Makes a schema reject unknown fields, which the API server drops with a warning. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).map(([key, value]) => [key, closed(value)] as const)
  const open = 'additionalProperties' in schema || 'x-kubernetes-preserve-unknown-fields' in schema
  // Conditions (`oneOf`, `anyOf`) also have properties, but only some of the object's: do not close those.
  const isObject = 'properties' in schema && 'type' in schema
  return Object.fromEntries([...entries, ...(isObject && !open ? [['additionalProperties', false]] : [])])
}

if (source === 'kubernetes') for (const directory of from) await writeKubernetes(directory)
else if (source === 'crds') for (const file of from) await writeDefinition(file)
else throw new Error('usage: manifest-schemas.ts OUT kubernetes|crds FROM...')
