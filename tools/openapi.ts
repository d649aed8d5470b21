import { createApp } from '../src/http/app.ts'
import { openApiDocument } from '../src/http/openapi/document.ts'
import { appOptions } from '../test/support/app-options.ts'

// Prints the OpenAPI document, for linters and generators.
const { routes } = createApp(appOptions())
console.log(JSON.stringify(await openApiDocument(routes, appOptions().build), null, 2))
