import { expressionOf, readModule } from './terraform/hcl.ts'
import type { ModuleInterface } from './terraform/problems.ts'

// Writes the variables and outputs of the registry's modules to tools/terraform/modules.json, for the check of the stack.
// Usage: bun tools/terraform-modules.ts SOURCE=VERSION=FOLDER...
//   SOURCE as in the stack, such as terraform-aws-modules/vpc/aws; FOLDER has the module's files of that version.
// make terraform-modules does it after `terraform init`, which fetches them.

const stack = await readModule('deploy/terraform')
const used = new Map<string, Set<string>>()
for (const [body = {}] of Object.values(stack.module)) {
  const source = String(body.source)
  used.set(source, new Set([...(used.get(source) ?? []), ...Object.keys(body)]))
}

const interfaces: Record<string, ModuleInterface> = {}
for (const argument of Bun.argv.slice(2).sort()) {
  const [source = '', version = '', folder = ''] = argument.split('=')
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

/** Without comments and line breaks; attributes need a separator then. */
function compact(type: string): string {
  const lines = type.split('\n').map((line) => line.replace(/\s*#.*$/, '').trim())
  return lines.filter((line) => line !== '').join('\n')
}
