type Schema = Readonly<Record<string, unknown>>

/** Keywords with one schema, a list of schemas or named schemas, by whether they apply to the same value or to a part of it. */
const samePlace = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas', 'dependencies']
const parts = [
  'properties',
  'patternProperties',
  'additionalProperties',
  'propertyNames',
  'unevaluatedProperties',
  'items',
  'prefixItems',
  'contains',
  'unevaluatedItems',
]
const definitions = ['$defs', 'definitions']
/** Keywords whose value is an object of named schemas, and not a schema. */
const named = new Set(['dependentSchemas', 'dependencies', 'properties', 'patternProperties', ...definitions])

/** Stands for the address of a schema without an `$id`. */
const rootUri = 'https://schema.invalid/'

/** Properties of a schema's structure that determine the cost of validation. */
export interface SchemaStructure {
  /**
   * Whether the schema applies to parts of the value again. Then the cost may be exponential in the depth of a document;
   * otherwise it is proportional to its size.
   */
  readonly recursive: boolean
}

/**
 * Checks that validation with a schema is synchronous and terminates.
 *
 * @param root an object; references to other documents are left to the validator
 * @throws Error for an asynchronous schema, whose errors no caller would receive; for a schema that recurses on the same
 *   value, which never ends; and for a `$dynamicRef` without an anchor at the root, which the validator would resolve to
 *   its own location
 */
export function checkStructure(root: Schema): SchemaStructure {
  const graph = new SchemaGraph(root)
  for (const schema of graph.schemas)
    if (schema.$async === true) throw new Error(`the schema at ${graph.locate(schema)} must not be $async`)
  const loop = findCycle(graph, (schema) => graph.samePlace(schema))
  if (loop !== undefined)
    throw new Error(
      `the schema at ${graph.locate(loop)} refers to itself for the same value, which never ends`,
    )
  const cycle = findCycle(graph, (schema) => [...graph.samePlace(schema), ...graph.parts(schema)])
  return { recursive: cycle !== undefined || graph.refersElsewhere }
}

/** The schemas within a schema, and which of them apply when another one does. */
class SchemaGraph {
  readonly #root: Schema
  /** The base URI of each schema, and its JSON pointer for messages. */
  readonly #places = new Map<Schema, { readonly base: string; readonly pointer: string }>()
  /** Schemas by `$id` and by `$id#anchor`. */
  readonly #byUri = new Map<string, Schema>()

  /** Whether a reference leads out of the document, such as to the schema of schemas. Known when all were followed. */
  refersElsewhere = false

  constructor(root: Schema) {
    this.#root = root
    this.#index(root, rootUri, '#')
    this.#byUri.set(rootUri, root)
  }

  get schemas(): Iterable<Schema> {
    return this.#places.keys()
  }

  locate(schema: Schema): string {
    return this.#places.get(schema)?.pointer ?? '#'
  }

  /** The schemas that apply to the same value. */
  samePlace(schema: Schema): Schema[] {
    return [...children(schema, samePlace).map(([child]) => child), ...this.#references(schema)]
  }

  /** The schemas that apply to parts of the value. */
  parts(schema: Schema): Schema[] {
    return children(schema, parts).map(([child]) => child)
  }

  #index(schema: Schema, outerBase: string, pointer: string): void {
    if (this.#places.has(schema)) return
    const base =
      typeof schema.$id === 'string' ? (URL.parse(schema.$id, outerBase)?.href ?? outerBase) : outerBase
    this.#places.set(schema, { base, pointer })
    if (base !== outerBase) this.#byUri.set(base.replace(/#$/, ''), schema)
    for (const anchor of [schema.$anchor, schema.$dynamicAnchor])
      if (typeof anchor === 'string') this.#byUri.set(`${base}#${anchor}`, schema)
    for (const [child, path] of children(schema, [...samePlace, ...parts, ...definitions]))
      this.#index(child, base, `${pointer}/${path}`)
  }

  #references(schema: Schema): Schema[] {
    const { $ref, $dynamicRef } = schema
    const found: Schema[] = []
    if (typeof $ref === 'string') {
      const target = this.#resolve($ref, schema)
      if (target === undefined) this.refersElsewhere = true
      else found.push(target)
    }
    if (typeof $dynamicRef === 'string') {
      if (typeof this.#root.$dynamicAnchor !== 'string' || $dynamicRef !== `#${this.#root.$dynamicAnchor}`)
        throw new Error(
          `the $dynamicRef at ${this.locate(schema)} must name the $dynamicAnchor of the whole schema; use $ref for others`,
        )
      found.push(this.#root)
    }
    return found
  }

  #resolve(reference: string, from: Schema): Schema | undefined {
    const url = URL.parse(reference, this.#places.get(from)?.base ?? rootUri)
    if (url === null) return undefined
    const { hash } = url
    url.hash = ''
    const resource = this.#byUri.get(url.href)
    if (resource === undefined || hash === '') return resource
    const fragment = decodeURIComponent(hash.slice(1))
    if (!fragment.startsWith('/')) return this.#byUri.get(`${url.href}#${fragment}`)
    const target = fragment
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>(
        (value, key) => (isSchema(value) || Array.isArray(value) ? (value as Schema)[key] : undefined),
        resource,
      )
    if (!isSchema(target)) return undefined
    // A location without a keyword, which only references use.
    this.#index(target, this.#places.get(resource)?.base ?? rootUri, `#${fragment}`)
    return target
  }
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The schemas directly below some keywords of a schema, each with its path. */
function children(schema: Schema, keywords: readonly string[]): [child: Schema, path: string][] {
  return keywords.flatMap((keyword) => {
    const value = schema[keyword]
    const isGroup = Array.isArray(value) || (named.has(keyword) && isSchema(value))
    const entries: [string, unknown][] = isGroup
      ? Object.entries(value as object).map(([key, child]) => [`${keyword}/${key}`, child])
      : [[keyword, value]]
    return entries.flatMap(([path, child]): [Schema, string][] => (isSchema(child) ? [[child, path]] : []))
  })
}

/** A schema on a cycle; undefined when there is none. */
function findCycle(graph: SchemaGraph, next: (schema: Schema) => Schema[]): Schema | undefined {
  const done = new Set<Schema>()
  const open = new Set<Schema>()
  const visit = (schema: Schema): Schema | undefined => {
    if (done.has(schema)) return undefined
    if (open.has(schema)) return schema
    open.add(schema)
    for (const each of next(schema)) {
      const found = visit(each)
      if (found !== undefined) return found
    }
    open.delete(schema)
    done.add(schema)
    return undefined
  }
  for (const schema of graph.schemas) {
    const found = visit(schema)
    if (found !== undefined) return found
  }
  return undefined
}
