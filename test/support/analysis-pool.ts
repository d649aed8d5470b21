import { createAnalysisPool } from '../../src/analysis/pool/analysis-pool.ts'
import type { AnalysisPool } from '../../src/analysis/pool/jobs.ts'
import { type DocumentChecker, openDocumentChecker } from '../../src/documents/checking/document-checker.ts'
import { analysisProgram } from '../../src/server/analysis-pool.ts'

let checker: DocumentChecker | undefined

/** The checker of a test's documents, without a schema; at most one thread. */
export function documentChecker(): Pick<DocumentChecker, 'check'> {
  // Created with the first document, because apps are opened synchronously.
  return {
    check: async (bytes, options) => {
      checker ??= await openDocumentChecker({ maxThreads: 1 })
      return checker.check(bytes, options)
    },
  }
}

const limits = { maxNumbers: 1_000_000, maxTextLength: 1_000_000 }
let opened: AnalysisPool | undefined

/** The threads of a test's services: one, started with the first large body. */
export function analysisThreads(): AnalysisPool {
  opened ??= createAnalysisPool(analysisProgram({ limits, debug: true }), 1)
  return opened
}
