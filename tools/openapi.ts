import { createApp } from '../src/http/app.ts'
import { appDeps } from '../test/support/app-deps.ts'

// Prints the OpenAPI document, for linters and generators.
const document = await createApp(appDeps()).request('/openapi.json')
console.log(JSON.stringify(await document.json(), null, 2))
process.exit(0)
