import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'

/**
 * Writes JSON Schemas where kubeconform finds them, from what the projects publish. Called by
 * tools/manifest-tools.sh, which fetches that:
 *
 *     bun tools/manifest-schemas.ts OUT kubernetes DIRECTORY...   one directory of schemas a version
 *     bun tools/manifest-schemas.ts OUT crds FILE...              CustomResourceDefinitions as YAML
 */
const [out = '', source = '', ...from] = process.argv.slice(2)

/** Kubernetes' own kinds: `OUT/v1.34.0/deployment-apps-v1.json`, from a directory `v1.34.0-local-strict`. */
async function writeKubernetes(directory: string): Promise<void> {
  const target = join(out, basename(directory).replace(/-.*/, ''))
  await mkdir(target, { recursive: true })
  for (const name of await readdir(directory)) {
    const { $id: _, ...schema } = z.looseObject({}).parse(await Bun.file(join(directory, name)).json())
    // They point at each other by an address on the web; here they lie side by side.
    const text = JSON.stringify(schema).replaceAll('"/api/_definitions.json#', '"_definitions.json#')
    await Bun.write(join(target, name), text)
  }
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

/** A kind that is not Kubernetes' own: `OUT/gateway.networking.k8s.io/httproute-v1.json`. */
async function writeDefinition(file: string): Promise<void> {
  const { spec } = definitionSchema.parse(Bun.YAML.parse(await Bun.file(file).text()))
  for (const { name, schema } of spec.versions)
    await Bun.write(
      join(out, spec.group, `${spec.names.kind.toLowerCase()}-${name}.json`),
      JSON.stringify(closed(schema.openAPIV3Schema)),
    )
}

/** A schema that refuses fields it does not name, as the API server does (it drops them, and warns). */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).map(([key, value]) => [key, closed(value)] as const)
  const open = 'additionalProperties' in schema || 'x-kubernetes-preserve-unknown-fields' in schema
  // The words of a condition name fields too, and only its own few: they are not the object's.
  const isObject = 'properties' in schema && 'type' in schema
  return Object.fromEntries([...entries, ...(isObject && !open ? [['additionalProperties', false]] : [])])
}

if (source === 'kubernetes') for (const directory of from) await writeKubernetes(directory)
else if (source === 'crds') for (const file of from) await writeDefinition(file)
else throw new Error('usage: manifest-schemas.ts OUT kubernetes|crds FROM...')
