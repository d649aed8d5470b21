import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * HashiCorp's parser, in WebAssembly. Not a plain import: its types refer to the DOM's, which would then be those of the
 * whole project.
 */
const hcl2json = '@cdktn/hcl2json'
const { parse } = (await import(hcl2json)) as {
  readonly parse: (name: string, text: string) => Promise<HclBody>
}

/** A value as HashiCorp's parser reads it: an expression is text in `${…}`, a block a list of objects. */
export type HclValue = string | number | boolean | null | HclValue[] | { [name: string]: HclValue }
/** The arguments and blocks of a block. */
export type HclBody = Record<string, HclValue>

/** Blocks with a type and a name, such as `resource "aws_kms_key" "data"`. */
type Typed = Record<string, Record<string, HclBody[]>>
/** Blocks with a name, such as `variable "region"`. */
type Named = Record<string, HclBody[]>

/** A folder of .tf files, which is one module. */
export interface HclModule {
  readonly resource: Typed
  readonly data: Typed
  readonly ephemeral: Typed
  readonly module: Named
  readonly variable: Named
  readonly output: Named
  readonly provider: Named
  readonly locals: HclBody
}

/** Reads the .tf files of a folder. @throws Error for invalid HCL, with file and line */
export async function readModule(folder: string): Promise<HclModule> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.tf')).sort()
  const files = await Promise.all(
    names.map(async (name) => await parseHcl(name, await Bun.file(join(folder, name)).text())),
  )
  return mergeFiles(files)
}

/** Parses the text of one file: .tf or .tfvars. @throws Error for invalid HCL, with file and line */
export async function parseHcl(name: string, text: string): Promise<HclBody> {
  return await parse(name, text)
}

/** Combines parsed files as Terraform does: their order does not matter. */
export function mergeFiles(files: readonly HclBody[]): HclModule {
  const merged: HclModule = {
    resource: {},
    data: {},
    ephemeral: {},
    module: {},
    variable: {},
    output: {},
    provider: {},
    locals: {},
  }
  for (const file of files) {
    for (const kind of ['resource', 'data', 'ephemeral'] as const)
      for (const [type, blocks] of Object.entries((file[kind] ?? {}) as Typed))
        merged[kind][type] = { ...merged[kind][type], ...blocks }
    for (const kind of ['module', 'variable', 'output', 'provider'] as const)
      Object.assign(merged[kind], (file[kind] ?? {}) as Named)
    for (const locals of (file.locals ?? []) as HclBody[]) Object.assign(merged.locals, locals)
  }
  return merged
}

/** Each text in a value, however deep. */
export function* textsIn(value: HclValue): Generator<string> {
  if (typeof value === 'string') yield value
  else if (Array.isArray(value)) for (const item of value) yield* textsIn(item)
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) yield* textsIn(item)
}

/** The text of an expression without `${` and `}`; a literal as it is. */
export function expressionOf(value: HclValue): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^\$\{.*\}$/s.test(text) ? text.slice(2, -1) : text
}
