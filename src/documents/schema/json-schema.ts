import type { ValidationIssue } from '../../analysis/parse/input-error.ts'
import { maxIssues } from '../../analysis/parse/validation-issues.ts'
import { replaceKeywords } from './exact-keywords.ts'
import { createPatternCompiler } from './linear-pattern.ts'
import { checkStructure } from './schema-structure.ts'

/** A compiled schema of documents. */
export interface DocumentSchema {
  /**
   * The issues of a document; none when it satisfies the schema. The code of an issue is the violated keyword of the schema,
   * such as `required`.
   */
  validate(document: unknown): readonly ValidationIssue[]
  /**
   * Whether the time that a validation takes is proportional to the size of the document, with a factor that depends on
   * the schema. Otherwise a small document may take exponential time.
   */
  readonly linear: boolean
}

/** The most characters of a name in a pointer: a document may have names of any length. */
const maxNameLength = 100

/**
 * Compiles a JSON Schema (2020-12) that every document must satisfy. The validator is loaded only here, because most
 * services have no schema.
 *
 * Patterns are matched and items compared in linear time; `multipleOf` is exact for decimals.
 *
 * @throws Error when the schema is invalid, or uses an unknown keyword or format: a schema that is silently not checked
 *   is worse than no schema. Also for what cannot be bounded: `$async`, references that never end, patterns that need
 *   backtracking
 */
export async function compileDocumentSchema(schema: unknown): Promise<DocumentSchema> {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw new Error('a JSON Schema must be an object')
  const [{ Ajv2020 }, { RE2JS }] = await Promise.all([import('ajv/dist/2020.js'), import('re2js')])
  const { recursive } = checkStructure(schema as Record<string, unknown>)
  const compilePattern = createPatternCompiler(RE2JS)
  const ajv = new Ajv2020({
    allErrors: false,
    strict: true,
    strictTypes: false,
    code: { regExp: Object.assign((pattern: string) => compilePattern(pattern), { code: 'compilePattern' }) },
  })
  replaceKeywords(ajv)
  const validate = ajv.compile(schema)
  return {
    linear: !recursive,
    validate: (document) =>
      validate(document)
        ? []
        : (validate.errors ?? []).slice(0, maxIssues).map(({ instancePath, keyword, message, params }) => ({
            pointer: formatPointer(instancePath, keyword, params),
            detail: message ?? 'is invalid',
            code: keyword,
          })),
  }
}

/** The pointer to the violation; for a missing or an unknown member, the pointer to that member. */
function formatPointer(path: string, keyword: string, params: Record<string, unknown>): string {
  const member = keyword === 'required' ? params.missingProperty : params.additionalProperty
  const names = path.split('/').map((name) => name.slice(0, maxNameLength).replace(/~$/, ''))
  if (typeof member === 'string')
    names.push(member.slice(0, maxNameLength).replaceAll('~', '~0').replaceAll('/', '~1'))
  return names.join('/')
}
