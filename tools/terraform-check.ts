import { z } from 'zod'
import { type HclModule, readModule } from './terraform/hcl.ts'
import { findProblems, type Interfaces } from './terraform/problems.ts'

// Compares deploy/terraform with the schema of the provider and the variables of the modules: what `terraform validate`
// does where the registry can be reached. Usage: bun tools/terraform-check.ts; --types prints the types that are used.

/** The modules of the stack, each with a separate state. */
export const stackFolders = ['deploy/terraform', 'deploy/terraform/bootstrap'] as const

/** Reads what the stack is compared with. */
export async function readInterfaces(): Promise<Interfaces> {
  const read = async (name: string): Promise<unknown> =>
    await Bun.file(new URL(`terraform/${name}`, import.meta.url)).json()
  return z
    .object({ provider: z.custom<Interfaces['provider']>(), modules: z.custom<Interfaces['modules']>() })
    .parse({ provider: await read('provider-schema.json'), modules: await read('modules.json') })
}

/** The types of resources and data sources, as tools/terraform-schema.py takes them. */
export function typesIn(modules: readonly HclModule[]): string[] {
  const types = modules.flatMap(({ resource, data }) => [
    ...Object.keys(resource),
    ...Object.keys(data).map((type) => `data.${type}`),
  ])
  return [...new Set(types)].sort()
}

if (import.meta.main) {
  const modules = await Promise.all(stackFolders.map(async (folder) => await readModule(folder)))
  if (Bun.argv.includes('--types')) console.log(typesIn(modules).join('\n'))
  else {
    const interfaces = await readInterfaces()
    const problems = modules.flatMap((module, n) =>
      findProblems(module, interfaces).map((problem) => `${stackFolders[n]}: ${problem}`),
    )
    for (const problem of problems) console.error(problem)
    if (problems.length > 0) process.exit(1)
    console.log(`${stackFolders.join(', ')}: every argument and reference is known`)
  }
}
