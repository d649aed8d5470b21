import type { ValidateFunction } from 'ajv'
import Ajv2020 from 'ajv/dist/2020.js'

/** The parts of an OpenAPI document that the suite reads. */
export interface OpenApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

type PathItem = Readonly<Record<string, Operation>> & {
  readonly servers?: readonly { readonly url: string }[]
}

export interface Operation {
  readonly operationId: string
  readonly security?: readonly object[]
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, MediaType>> }>>
}

interface MediaType {
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

interface Schema {
  readonly example?: unknown
  readonly properties?: Readonly<
    Record<string, { readonly maxItems?: number; readonly maxLength?: number } | undefined>
  >
}

/** The methods that the document describes. */
export const documentedMethods = ['get', 'post', 'put', 'patch', 'delete'] as const

/** Aliases of paths, which the document omits. */
const aliases: Readonly<Record<string, string>> = {
  '/healthz': '/health',
  '/livez': '/health',
  '/readyz': '/ready',
}

/** The service's OpenAPI document, and a check of responses against it. */
export interface ServiceDocument {
  readonly document: OpenApiDocument
  /** The operation at a path, which may be below `/v1` or an alias; undefined if the document has none. */
  findOperation(method: string, path: string): Operation | undefined
  /**
   * The contradictions between the document and the response of a documented operation: an undocumented status or media
   * type, or a body that violates the schema. Empty for paths outside the document.
   */
  findContradictions(method: string, path: string, answer: AnswerToCheck): string[]
}

export interface AnswerToCheck {
  readonly status: number
  readonly contentType: string | null
  readonly text: string
}

export function readServiceDocument(document: OpenApiDocument): ServiceDocument {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema(document, 'openapi.json')

  const findTemplate = (path: string): string | undefined => {
    const [pathname = ''] = path.split('?')
    const plain = pathname.replace(/^\/v1(?=\/)/, '')
    const name = aliases[plain] ?? plain
    if (document.paths[name] !== undefined) return name
    return Object.keys(document.paths).find((template) =>
      new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(name),
    )
  }
  const documentedMethod = (method: string): string => (method === 'HEAD' ? 'get' : method.toLowerCase())
  const findOperation = (method: string, path: string): Operation | undefined =>
    document.paths[findTemplate(path) ?? '']?.[documentedMethod(method)]

  // Cached, because compiling a schema takes longer than most responses.
  const validators = new Map<string, ValidateFunction>()
  const findSchemaErrors = (place: readonly string[], value: unknown): string[] => {
    const pointer = place
      .map((part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`)
      .join('')
    const validate = validators.get(pointer) ?? ajv.compile({ $ref: `openapi.json#${pointer}` })
    validators.set(pointer, validate)
    return validate(value)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || 'the body'} ${message}`)
  }

  return {
    document,
    findOperation,
    findContradictions(method, path, { status, contentType, text }) {
      const operation = findOperation(method, path)
      if (operation === undefined) return []
      const documented = operation.responses[status]
      if (documented === undefined) return [`the status ${status} is not in the document`]
      const types = Object.keys(documented.content ?? {})
      if (types.length === 0) return text === '' ? [] : [`${status} has a body, the document names none`]
      const type = contentType?.split(';')[0] ?? 'none'
      if (!types.includes(type)) return [`${status} has the type ${type}, the document says ${types.join()}`]
      // A HEAD response has no body, and a body that is not JSON has no schema to check.
      if (method === 'HEAD' || !/\bjson$/.test(type)) return []
      const template = findTemplate(path) ?? ''
      const place = ['paths', template, documentedMethod(method)]
      return findSchemaErrors(
        [...place, 'responses', `${status}`, 'content', type, 'schema'],
        parseJson(text),
      )
    },
  }
}

/** A value that no schema accepts represents a text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
