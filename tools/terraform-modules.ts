import { z } from 'zod'
import { expressionOf, readModule } from './terraform/hcl.ts'
import type { ModuleInterface } from './terraform/problems.ts'

// Writes the variables and outputs of the registry's modules to tools/terraform/modules.json, for the check of the stack.
// Usage: bun tools/terraform-modules.ts [SOURCE=VERSION=FOLDER...]
//   SOURCE as in the stack, such as terraform-aws-modules/vpc/aws; FOLDER has the module's files of that version.
//   Without arguments: the modules that `terraform init` has fetched.

const fetchedSchema = z.object({
  Modules: z.array(
    z.object({ Key: z.string(), Source: z.string(), Version: z.string().optional(), Dir: z.string() }),
  ),
})

const stack = await readModule('deploy/terraform')
const used = new Map<string, Set<string>>()
for (const [body = {}] of Object.values(stack.module)) {
  const source = String(body.source)
  used.set(source, new Set([...(used.get(source) ?? []), ...Object.keys(body)]))
}

const interfaces: Record<string, ModuleInterface> = {}
for (const [source = '', version = '', folder = ''] of await listModules()) {
  const { variable, output } = await readModule(folder)
  const variables = Object.entries(variable).map(([name, [body = {}]]) => [
    name,
    {
      ...('default' in body ? {} : { required: true }),
      // Long, and not needed for what the stack does not set.
      type: used.get(source)?.has(name) ? compact(expressionOf(body.type ?? '')) : '',
    },
  ])
  interfaces[source] = {
    version,
    variables: Object.fromEntries(variables),
    outputs: Object.keys(output).sort(),
  }
}
await Bun.write('tools/terraform/modules.json', `${JSON.stringify(interfaces, undefined, 1)}\n`)

/** Source, version and folder of each module. */
async function listModules(): Promise<string[][]> {
  const given = Bun.argv.slice(2).map((argument) => argument.split('='))
  if (given.length > 0) return given.sort()
  const { Modules } = fetchedSchema.parse(
    await Bun.file('deploy/terraform/.terraform/modules/modules.json').json(),
  )
  const direct = Modules.filter(({ Key, Version }) => Version !== undefined && !Key.includes('.'))
  const bySource = new Map(
    direct.map(({ Source, Version = '', Dir }) => {
      const source = Source.replace('registry.terraform.io/', '').replace('registry.opentofu.org/', '')
      return [source, [source, Version, `deploy/terraform/${Dir}`]]
    }),
  )
  return [...bySource.values()].sort()
}

/** Without comments and line breaks; attributes need a separator then. */
function compact(type: string): string {
  const lines = type.split('\n').map((line) => line.replace(/\s*#.*$/, '').trim())
  return lines.filter((line) => line !== '').join('\n')
}
