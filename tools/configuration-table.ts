import { z } from 'zod'
import { environment, secretNames } from '../src/config.ts'
import { writeOrCheck } from './generated-files.ts'
import { escapeCell, replaceBetween, tableOf } from './markdown.ts'

// Writes the table of variables in docs/configuration.md, and the sentence about secrets in files, from the schema that
// reads them; --check only compares.

const begin = '<!-- environment: made by `bun run docs` -->'
const end = '<!-- /environment -->'

const path = new URL('../docs/configuration.md', import.meta.url)
const page = await Bun.file(path).text()
const made = replaceBetween(page, begin, end, `\n${table()}\n\n${files()}\n`)
await writeOrCheck([[path, made]], 'docs/configuration.md: the table of variables differs from the schema')

function table(): string {
  const isSecretFile = (name: string): boolean => secretNames.some((secret) => name === `${secret}_FILE`)
  const variables = Object.entries(environment.shape).filter(([name]) => !isSecretFile(name))
  const rows = variables.map(([name, schema]) => {
    const description = z.globalRegistry.get(schema)?.description ?? ''
    return [`\`${name}\``, defaultOf(schema), escapeCell(description)]
  })
  return tableOf(['variable', 'default', 'meaning'], rows)
}

/** One sentence instead of a row for each file. */
function files(): string {
  const names = secretNames.map((name) => `\`${name}\``).join(', ')
  return `Secrets in files: each of ${names} can come from a file instead. Set the variable with \`_FILE\` to its path (\`${secretNames[0]}_FILE=/run/secrets/…\`).`
}

/** The value of a variable that is not set. Defaults that depend on the machine are part of the description. */
function defaultOf(schema: z.ZodType): string {
  if (z.globalRegistry.get(schema)?.description?.includes('(default:')) return ''
  let def: z.core.$ZodTypeDef & { defaultValue?: unknown; innerType?: z.ZodType; in?: z.ZodType } = schema.def
  while (def.type !== 'prefault') {
    const inner = def.innerType ?? def.in
    if (inner === undefined) return ''
    def = inner.def
  }
  return def.defaultValue === '' ? '(empty)' : `\`${String(def.defaultValue)}\``
}
