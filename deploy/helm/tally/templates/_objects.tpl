{{/* What the API and the worker have beside their Deployments. Each takes {root, component}. */}}

{{- define "tally.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
# A separate identity without permissions or a token: nothing here calls the Kubernetes API.
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $metadata := include "tally.metadata" (dict "root" .root "component" .component "annotations" $account.annotations) | fromYaml }}
  {{- $_ := set $metadata "name" (include "tally.serviceAccountName" .) }}
  {{- toYaml $metadata | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}

{{- define "tally.podDisruptionBudget" -}}
{{- $budget := (index .root.Values .component).podDisruptionBudget -}}
{{- if $budget.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "tally.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable }}
  # A pod that is not ready anyway must not block a node drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "tally.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{- define "tally.horizontalPodAutoscaler" -}}
{{- $scaling := (index .root.Values .component).autoscaling -}}
{{- if $scaling.enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "tally.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "tally.fullname" .root }}-{{ .component }}
  minReplicas: {{ int $scaling.minReplicas }}
  maxReplicas: {{ int $scaling.maxReplicas }}
  metrics:
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ .component }}
        target:
          type: Utilization
          averageUtilization: {{ int $scaling.cpuUtilization }}
    {{- with $scaling.memoryAverage }}
    - type: ContainerResource
      containerResource:
        name: memory
        container: {{ $.component }}
        target:
          type: AverageValue
          averageValue: {{ . }}
    {{- end }}
    {{- with $scaling.oldestPendingSeconds }}
    - type: External
      external:
        metric:
          name: worker_oldest_pending_seconds
        target:
          type: Value
          value: {{ . | int | quote }}
    {{- end }}
  behavior:
    {{- toYaml $scaling.behavior | nindent 4 }}
{{- end -}}
{{- end -}}

{{/* A list of pods for Prometheus, without a cluster IP: no client reaches a pod by it. */}}
{{- define "tally.metricsService" -}}
{{- if .root.Values.monitoring.serviceMonitor.enabled -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "tally.metadata" (dict "root" .root "component" .component "name" (printf "%s-metrics" .component) "labels" (dict "tally/metrics" "true")) | nindent 2 }}
spec:
  clusterIP: None
  # A draining pod is not ready, but still counts.
  publishNotReadyAddresses: true
  selector:
    {{- include "tally.selector" . | nindent 4 }}
  ports:
    - name: metrics
      port: 9100
      targetPort: metrics
      protocol: TCP
{{- end -}}
{{- end -}}
