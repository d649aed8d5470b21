import { expressionOf, type HclBody, type HclModule, type HclValue, textsIn } from './hcl.ts'
import { parseType, type TypeExpression } from './type-expression.ts'

/** An argument or a nested block of a resource. */
export interface ArgumentSchema {
  readonly required?: boolean
  readonly block?: boolean
  readonly arguments?: Readonly<Record<string, ArgumentSchema>>
}

export interface ResourceSchema {
  readonly arguments: Readonly<Record<string, ArgumentSchema>>
  /** What only the provider sets. */
  readonly attributes: readonly string[]
}

/** Written by tools/terraform-schema.py. */
export interface ProviderSchema {
  readonly resource: Readonly<Record<string, ResourceSchema>>
  readonly data: Readonly<Record<string, ResourceSchema>>
}

/** A module of the registry, by its source. Written by tools/terraform-modules.ts. */
export interface ModuleInterface {
  readonly version: string
  /** The type of each variable that the stack sets; of the others the empty text. */
  readonly variables: Readonly<Record<string, { readonly required?: boolean; readonly type: string }>>
  readonly outputs: readonly string[]
}

export interface Interfaces {
  readonly provider: ProviderSchema
  readonly modules: Readonly<Record<string, ModuleInterface>>
}

/** Terraform's own arguments of every resource. */
const metaArguments = ['count', 'for_each', 'depends_on', 'lifecycle', 'provider', 'provisioner']
const moduleArguments = ['source', 'version', 'count', 'for_each', 'depends_on', 'providers']
/**
 * Ephemeral resources, which the source of the schema does not have: their arguments and results, from the provider's
 * documentation.
 */
const ephemeralTypes: Readonly<Record<string, ResourceSchema>> = {
  aws_secretsmanager_random_password: {
    arguments: {
      password_length: {},
      exclude_characters: {},
      exclude_lowercase: {},
      exclude_numbers: {},
      exclude_punctuation: {},
      exclude_uppercase: {},
      include_space: {},
      require_each_included_type: {},
    },
    attributes: ['random_password'],
  },
  aws_secretsmanager_secret_version: {
    arguments: { secret_id: { required: true }, version_id: {}, version_stage: {} },
    attributes: ['arn', 'created_date', 'secret_string', 'secret_binary', 'version_stages'],
  },
}

/**
 * What `terraform validate` would find in a module without its provider: unknown and missing arguments, blocks in place of
 * arguments, references to what does not exist, and beyond it names inside a module's object that Terraform would ignore.
 *
 * @returns one line for each problem
 */
export function findProblems(module: HclModule, interfaces: Interfaces): string[] {
  return [
    ...findResourceProblems(module, interfaces.provider),
    ...findModuleProblems(module, interfaces.modules),
    ...findReferenceProblems(module, interfaces),
    ...findUnused(module),
  ]
}

function findResourceProblems(module: HclModule, provider: ProviderSchema): string[] {
  const problems: string[] = []
  const kinds = [
    ['resource', module.resource, provider.resource],
    ['data', module.data, provider.data],
    ['ephemeral', module.ephemeral, ephemeralTypes],
  ] as const
  for (const [kind, blocks, schemas] of kinds)
    for (const [type, named] of Object.entries(blocks)) {
      const schema = schemas[type]
      if (schema === undefined) {
        problems.push(`${kind} ${type}: no schema; run make terraform-schema`)
        continue
      }
      for (const [name, bodies] of Object.entries(named))
        for (const body of bodies)
          problems.push(
            ...findArgumentProblems(`${kind} ${type}.${name}`, body, schema.arguments, metaArguments),
          )
    }
  return problems
}

function findArgumentProblems(
  path: string,
  body: HclBody,
  schema: Readonly<Record<string, ArgumentSchema>>,
  meta: readonly string[] = [],
): string[] {
  const problems: string[] = []
  const dynamic = (body.dynamic ?? {}) as Record<string, HclBody[]>
  const contents = Object.entries(dynamic).map(
    ([name, blocks]) => [name, blocks.flatMap(({ content }) => (content ?? []) as HclBody[])] as const,
  )
  const given = [...Object.entries(body).filter(([name]) => name !== 'dynamic'), ...contents]
  for (const [name, value] of given) {
    if (meta.includes(name)) continue
    const known = schema[name]
    if (known === undefined) {
      problems.push(`${path}: unknown argument ${name}`)
      continue
    }
    const blocks = Array.isArray(value) ? value.flatMap((item) => (isBody(item) ? [item] : [])) : []
    if (known.block === true && (blocks.length === 0 || blocks.length !== (value as HclValue[]).length))
      problems.push(`${path}: ${name} is a block`)
    if (known.arguments !== undefined)
      for (const block of blocks)
        problems.push(...findArgumentProblems(`${path}.${name}`, block, known.arguments))
  }
  const names = given.map(([name]) => name)
  for (const [name, { required }] of Object.entries(schema))
    if (required === true && !names.includes(name)) problems.push(`${path}: ${name} is missing`)
  return problems
}

function findModuleProblems(module: HclModule, modules: Interfaces['modules']): string[] {
  const problems: string[] = []
  for (const [name, [body = {}]] of Object.entries(module.module)) {
    const path = `module ${name}`
    const known = modules[String(body.source)]
    if (known === undefined) {
      problems.push(`${path}: no interface of ${String(body.source)}; run make terraform-modules`)
      continue
    }
    if (!satisfies(known.version, String(body.version)))
      problems.push(`${path}: checked against ${known.version}, which is not ${String(body.version)}`)
    for (const [input, value] of Object.entries(body)) {
      if (moduleArguments.includes(input)) continue
      const variable = known.variables[input]
      if (variable === undefined) problems.push(`${path}: unknown argument ${input}`)
      else if (variable.type !== '')
        problems.push(...findTypeProblems(`${path}.${input}`, value, parseType(variable.type)))
    }
    for (const [input, { required }] of Object.entries(known.variables))
      if (required === true && !(input in body)) problems.push(`${path}: ${input} is missing`)
  }
  return problems
}

/** Terraform ignores an unknown name in an object that a module takes: a misspelled setting would have no effect. */
function findTypeProblems(path: string, value: HclValue, type: TypeExpression): string[] {
  if (type.kind === 'list' && Array.isArray(value))
    return value.flatMap((item, n) => findTypeProblems(`${path}[${n}]`, item, type.of))
  if (!isBody(value)) return []
  if (type.kind === 'map')
    return Object.entries(value).flatMap(([name, item]) => findTypeProblems(`${path}.${name}`, item, type.of))
  if (type.kind !== 'object') return []
  const problems: string[] = []
  for (const [name, item] of Object.entries(value)) {
    const attribute = type.attributes.get(name)
    if (attribute === undefined) problems.push(`${path}: unknown attribute ${name}`)
    else problems.push(...findTypeProblems(`${path}.${name}`, item, attribute.type))
  }
  for (const [name, { optional }] of type.attributes)
    if (!optional && !(name in value)) problems.push(`${path}: ${name} is missing`)
  return problems
}

function findReferenceProblems(module: HclModule, { provider, modules }: Interfaces): string[] {
  const problems = new Set<string>()
  const attributesOf = (schema: ResourceSchema | undefined): readonly string[] | undefined =>
    schema && [...Object.keys(schema.arguments), ...schema.attributes]
  const outputsOf = (name: string): readonly string[] | undefined =>
    modules[String(module.module[name]?.[0]?.source)]?.outputs
  const report = (reference: string, isKnown: boolean): void => {
    if (!isKnown) problems.add(`${reference} does not exist`)
  }
  for (const code of expressionsIn(module)) {
    for (const [, kind, name = ''] of code.matchAll(/(?<![\w.])(var|local)\.([\w-]+)/g))
      report(`${kind}.${name}`, name in (kind === 'var' ? module.variable : module.locals))
    const instance =
      /(?<![\w.])(module\.|data\.\w+\.|ephemeral\.\w+\.|aws_\w+\.)([\w-]+)(?:\[[^\]]*\])?\.?([\w-]+)?/g
    for (const [, prefix = '', name = '', attribute] of code.matchAll(instance)) {
      const [kind = '', type = ''] = prefix.split('.')
      const label = `${prefix}${name}`
      if (kind === 'module') {
        report(label, name in module.module)
        if (attribute !== undefined)
          report(`${label}.${attribute}`, outputsOf(name)?.includes(attribute) ?? false)
        continue
      }
      const [blocks, schemas, typeName] =
        kind === 'data'
          ? [module.data, provider.data, type]
          : kind === 'ephemeral'
            ? [module.ephemeral, ephemeralTypes, type]
            : [module.resource, provider.resource, kind]
      report(label, name in (blocks[typeName] ?? {}))
      if (attribute !== undefined)
        report(`${label}.${attribute}`, attributesOf(schemas[typeName])?.includes(attribute) ?? false)
    }
  }
  return [...problems]
}

function findUnused({ variable, locals, ...rest }: HclModule): string[] {
  const codes = [...expressionsIn({ variable, locals, ...rest })]
  // A variable's own validation is no use of it.
  const codesWithoutVariables = [...expressionsIn({ variable: {}, locals, ...rest })]
  const uses = (list: readonly string[], name: string): boolean =>
    list.some((code) => new RegExp(`(?<![\\w.])${name.replace('.', '\\.')}(?![\\w-])`).test(code))
  return [
    ...Object.keys(variable)
      .filter((name) => !uses(codesWithoutVariables, `var.${name}`))
      .map((name) => `var.${name} is not used`),
    ...Object.keys(locals)
      .filter((name) => !uses(codes, `local.${name}`))
      .map((name) => `local.${name} is not used`),
  ]
}

/** The code of all expressions, those inside texts included. */
function* expressionsIn(module: HclModule): Generator<string> {
  for (const text of textsIn(module as unknown as HclValue)) if (text.includes('${')) yield expressionOf(text)
}

const isBody = (value: HclValue): value is HclBody =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a version is one of a constraint `~> MAJOR.MINOR`: that minor or a later one, of the same major. */
function satisfies(version: string, constraint: string): boolean {
  const wanted = /^~> (\d+)\.(\d+)$/.exec(constraint)?.slice(1).map(Number)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return wanted !== undefined && major === wanted[0] && minor >= (wanted[1] ?? 0)
}
