{{/* The security context of every pod: the strictest Pod Security Standard. The IDs are left out where they are null. */}}
{{- define "tally.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.securityContext }}
{{- if not (kindIs "invalid" .runAsUser) }}
runAsUser: {{ int64 .runAsUser }}
{{- end }}
{{- if not (kindIs "invalid" .runAsGroup) }}
runAsGroup: {{ int64 .runAsGroup }}
{{- end }}
{{- if not (kindIs "invalid" .fsGroup) }}
fsGroup: {{ int64 .fsGroup }}
{{- end }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The security context of every container. */}}
{{- define "tally.securityContext" -}}
runAsNonRoot: true
{{- with .Values.securityContext }}
{{- if not (kindIs "invalid" .runAsUser) }}
runAsUser: {{ int64 .runAsUser }}
{{- end }}
{{- if not (kindIs "invalid" .runAsGroup) }}
runAsGroup: {{ int64 .runAsGroup }}
{{- end }}
{{- end }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* A variable from an existing Secret. Takes {name, secret, key}. */}}
{{- define "tally.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}

{{/* DATABASE_URL and REDIS_URL for a component. Takes {root, component}. */}}
{{- define "tally.storeVariables" -}}
{{- with .root.Values -}}
{{- if not .embedded.enabled -}}
{{- /* With the queue on Redis, a worker needs no database. */ -}}
{{- if or (eq $.component "api") (not .redis.existingSecret) }}
{{ include "tally.secretVariable" (dict "name" "DATABASE_URL" "secret" .database.existingSecret "key" .database.urlKey) }}
{{- end }}
{{- if .redis.existingSecret }}
{{ include "tally.secretVariable" (dict "name" "REDIS_URL" "secret" .redis.existingSecret "key" .redis.urlKey) }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether tasks run in separate pods; empty when not. */}}
{{- define "tally.hasWorker" -}}
{{- if and .Values.worker.enabled (not .Values.embedded.enabled) }}true{{ end -}}
{{- end -}}

{{/* The number of pods without an autoscaler. Takes {root, component}. */}}
{{- define "tally.replicas" -}}
{{- $set := (index .root.Values .component).replicas -}}
{{- if not (kindIs "invalid" $set) -}}
{{ int $set }}
{{- else if .root.Values.embedded.enabled -}}
1
{{- else -}}
{{ ternary 3 2 (eq .component "api") }}
{{- end -}}
{{- end -}}

{{/*
A Deployment of the API or the worker.
Takes {root, component, port, env}, and optionally {args, preStop}. `env` is the text of the component's own variables.
*/}}
{{- define "tally.deployment" -}}
{{- $root := .root -}}
{{- $shared := .root.Values -}}
{{- $component := .component -}}
{{- $values := index .root.Values .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "tally.metadata" (dict "root" $root "component" $component "labels" $values.labels "annotations" $values.annotations) | nindent 2 }}
spec:
  {{- if not $values.autoscaling.enabled }}
  replicas: {{ include "tally.replicas" (dict "root" $root "component" $component) }}
  {{- end }}
  revisionHistoryLimit: {{ int $shared.rollout.revisionHistoryLimit }}
  minReadySeconds: {{ int $shared.rollout.minReadySeconds }}
  progressDeadlineSeconds: {{ int $shared.rollout.progressDeadlineSeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      # Start the new pod before the old one stops: there are never fewer than requested.
      maxUnavailable: 0
      maxSurge: {{ $shared.rollout.maxSurge }}
  selector:
    matchLabels:
      {{- include "tally.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "tally.selector" . | nindent 8 }}
        {{- with merge (dict) $values.podLabels $shared.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ $component }}
        # A changed setting is another pod, so that it is rolled out.
        checksum/config: {{ include "tally.config" $root | sha256sum }}
        {{- if $shared.monitoring.podAnnotations }}
        prometheus.io/scrape: "true"
        prometheus.io/port: "9100"
        prometheus.io/path: /metrics
        {{- end }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "tally.serviceAccountName" . }}
      automountServiceAccountToken: false
      # No environment variables for the Services of the namespace: one of them could have the name of a setting.
      enableServiceLinks: false
      {{- with $shared.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      # At least as long as the longest shutdown: _checks.tpl.
      terminationGracePeriodSeconds: {{ int $shared.shutdown.terminationGracePeriodSeconds }}
      securityContext:
        {{- include "tally.podSecurityContext" $root | nindent 8 }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.topologySpread.topologyKeys }}
      topologySpreadConstraints:
        {{- range . }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
          labelSelector:
            matchLabels:
              {{- include "tally.selector" $ | nindent 14 }}
          # Count each revision separately, or the old pods would push the new ones to one side.
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- end }}
      containers:
        -
          {{- include "tally.container" . | nindent 10 }}
      {{- $volumes := include "tally.volumes" . }}
      {{- with $volumes }}
      volumes:
        {{- . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* The container of the API or the worker. Takes what tally.deployment takes. */}}
{{- define "tally.container" -}}
{{- $shared := .root.Values -}}
{{- $values := index .root.Values .component -}}
name: {{ .component }}
image: {{ include "tally.image" .root }}
imagePullPolicy: {{ $shared.image.pullPolicy }}
{{- with .args }}
args: {{ toJson . }}
{{- end }}
ports:
  - name: http
    containerPort: {{ .port }}
    protocol: TCP
  - name: metrics
    containerPort: 9100
    protocol: TCP
envFrom:
  - configMapRef:
      name: {{ include "tally.fullname" .root }}
  {{- with $values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  {{- .env | nindent 2 }}
  - name: INSTANCE_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  # Closed last, so that a scrape still gets the last counts. It takes /metrics and the admin routes off the port that
  # clients reach.
  - name: METRICS_PORT
    value: "9100"
  # The service warns at its start if its shutdown does not fit.
  - name: GRACE_PERIOD
    value: {{ int $shared.shutdown.terminationGracePeriodSeconds }}s
  {{- include "tally.storeVariables" . | nindent 2 }}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if and .preStop $shared.shutdown.preStopSeconds }}
# The pod leaves the endpoints when this sleep begins, and every node and load balancer learns of it within seconds.
# Until then the pod serves normally; SIGTERM follows. The kubelet sleeps, because the image has no shell.
lifecycle:
  preStop:
    sleep:
      seconds: {{ int $shared.shutdown.preStopSeconds }}
{{- end }}
{{- /* Only readiness asks for the stores: an outage of a store must not restart a pod. */}}
startupProbe:
  httpGet:
    path: /health
    port: http
  {{- toYaml $shared.probes.startup | nindent 2 }}
readinessProbe:
  httpGet:
    path: /ready
    port: http
  {{- toYaml $shared.probes.readiness | nindent 2 }}
livenessProbe:
  httpGet:
    path: /health
    port: http
  {{- toYaml $shared.probes.liveness | nindent 2 }}
resources:
  {{- $resources := deepCopy $values.resources }}
  {{- if $values.autoscaling.enabled }}
  {{- /* The autoscaler's target is a share of this. */}}
  {{- $_ := set $resources "requests" (merge (dict "cpu" $values.autoscaling.cpuRequest) (default (dict) $resources.requests)) }}
  {{- end }}
  {{- toYaml $resources | nindent 2 }}
securityContext:
  {{- include "tally.securityContext" .root | nindent 2 }}
{{- $mounts := include "tally.volumeMounts" . }}
{{- with $mounts }}
volumeMounts:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The list of volumes as text; empty without any. Takes {root, component}. */}}
{{- define "tally.volumes" -}}
{{- $volumes := list -}}
{{- with .root.Values.access.existingSecret -}}
{{- /* 0440: readable only by the pod's group (fsGroup). */ -}}
{{- $volumes = append $volumes (dict "name" "access" "secret" (dict "secretName" . "defaultMode" 288)) -}}
{{- end -}}
{{- if .root.Values.embedded.enabled -}}
{{- $volumes = append $volumes (dict "name" "data" "emptyDir" (dict "sizeLimit" .root.Values.embedded.sizeLimit)) -}}
{{- end -}}
{{- with concat $volumes (index .root.Values .component).extraVolumes -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* The list of volume mounts as text; empty without any. Takes {root, component}. */}}
{{- define "tally.volumeMounts" -}}
{{- $mounts := list -}}
{{- if .root.Values.access.existingSecret -}}
{{- $mounts = append $mounts (dict "name" "access" "mountPath" "/etc/tally/access" "readOnly" true) -}}
{{- end -}}
{{- if .root.Values.embedded.enabled -}}
{{- $mounts = append $mounts (dict "name" "data" "mountPath" "/data") -}}
{{- end -}}
{{- with concat $mounts (index .root.Values .component).extraVolumeMounts -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
