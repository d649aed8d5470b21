import { z } from 'zod'
import { type Built, buildFromRoot } from '../k8s/manifests.ts'

const argumentSchema = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.looseObject({}).optional(),
})
export type Argument = z.infer<typeof argumentSchema>

const jobSchema = z.object({
  spec: z.object({
    backoffLimit: z.number(),
    activeDeadlineSeconds: z.number(),
    template: z.object({
      spec: z.looseObject({
        serviceAccountName: z.string(),
        containers: z.array(
          z.looseObject({
            args: z.array(z.string()),
            env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
          }),
        ),
        volumes: z.array(
          z.object({
            name: z.string(),
            projected: z.object({
              sources: z.array(
                z.object({
                  configMap: z.object({
                    name: z.string(),
                    items: z.array(z.object({ key: z.string(), path: z.string() })).optional(),
                  }),
                }),
              ),
            }),
          }),
        ),
      }),
    }),
  }),
})

const metricSchema = z.object({
  name: z.string(),
  initialDelay: z.string().optional(),
  interval: z.string().optional(),
  count: z.union([z.number(), z.string()]),
  successCondition: z.string().optional(),
  failureCondition: z.string().optional(),
  failureLimit: z.number(),
  inconclusiveLimit: z.number().optional(),
  consecutiveErrorLimit: z.number(),
  provider: z.object({
    prometheus: z.object({ address: z.string(), query: z.string() }).optional(),
    job: jobSchema.optional(),
  }),
})
export type Metric = z.infer<typeof metricSchema>

const templateSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ args: z.array(argumentSchema).default([]), metrics: z.array(metricSchema).min(1) }),
})
export type AnalysisTemplate = z.infer<typeof templateSchema>

const analysisSchema = z.object({
  startingStep: z.number().optional(),
  templates: z.array(z.object({ templateName: z.string() })).min(1),
  args: z.array(argumentSchema).default([]),
})
export type Analysis = z.infer<typeof analysisSchema>

const rolloutSchema = z.object({
  spec: z.object({
    replicas: z.number(),
    minReadySeconds: z.number(),
    progressDeadlineSeconds: z.number(),
    progressDeadlineAbort: z.boolean(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    workloadRef: z.object({ apiVersion: z.string(), kind: z.string(), name: z.string() }),
    strategy: z.object({
      canary: z.object({
        maxSurge: z.number(),
        maxUnavailable: z.number(),
        canaryService: z.string(),
        stableService: z.string(),
        scaleDownDelaySeconds: z.number().optional(),
        abortScaleDownDelaySeconds: z.number().optional(),
        minPodsPerReplicaSet: z.number().optional(),
        trafficRouting: z.object({ plugins: z.looseObject({}) }).optional(),
        analysis: analysisSchema,
        steps: z.array(
          z.strictObject({
            setWeight: z.number().optional(),
            setCanaryScale: z.looseObject({ replicas: z.number().optional() }).optional(),
            analysis: analysisSchema.optional(),
          }),
        ),
      }),
    }),
  }),
})
export type Rollout = z.infer<typeof rolloutSchema>

/** The canary's objects of a built overlay. */
export function canaryOf(built: Built): { rollout: Rollout; templates: Map<string, AnalysisTemplate> } {
  const templates = built.kind('AnalysisTemplate').map((each) => templateSchema.parse(each))
  return {
    rollout: rolloutSchema.parse(built.kind('Rollout')[0]),
    templates: new Map(templates.map((template) => [template.metadata.name, template])),
  }
}

/** Both variants of deploy/argo, built: pods by their number on the load test's overlay, and weights in production. */
export async function buildCanaries(): Promise<Built[]> {
  return await Promise.all([
    buildFromRoot('canary by pods', (root) => ({
      namespace: 'tally-loadtest',
      resources: [`${root}/k8s/overlays/loadtest`],
      components: [`${root}/deploy/argo/canary`],
    })),
    buildFromRoot('canary by a Gateway', (root) => ({
      resources: [`${root}/deploy/argo/overlays/production`],
    })),
  ])
}

/**
 * A text with arguments in the place of `{{args.name}}`, as the controller resolves it.
 *
 * @throws Error when one has no value
 */
export function resolveArguments(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{\{\s*args\.([\w-]+)\s*\}\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`no argument ${name}`)
    return value
  })
}

/**
 * Whether a condition holds for a result, evaluated as Argo Rollouts does. Only the form that deploy/argo uses is accepted,
 * because for it JavaScript and the controller's language (expr) agree: `len(result) > 0 && !isNaN(result[0]) && result[0] OP
 * number`. `&&` stops at the first term that is false, so nothing reads beyond an empty result.
 *
 * @throws Error for any other form
 * @example meets('len(result) > 0 && !isNaN(result[0]) && result[0] <= 0.5', [0.2]) // true
 */
export function meets(condition: string, result: readonly number[]): boolean {
  const match =
    /^len\(result\) > 0 && !isNaN\(result\[0\]\) && result\[0\] (<=|<|>|>=|==) (\d+(?:\.\d+)?)$/.exec(
      condition,
    )
  if (match === null) throw new Error(`not a guarded comparison: ${condition}`)
  const [first] = result
  const limit = Number(match[2])
  if (first === undefined || Number.isNaN(first)) return false
  switch (match[1]) {
    case '<=':
      return first <= limit
    case '<':
      return first < limit
    case '>':
      return first > limit
    case '>=':
      return first >= limit
    default:
      return first === limit
  }
}
