{{/* Milliseconds from 500ms, 5s, 1m or 1h; the schema has checked the form. */}}
{{- define "tally.milliseconds" -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) (regexFind "[a-z]+$" .)) -}}
{{- end -}}

{{/* Server processes of a pod of the API. */}}
{{- define "tally.processes" -}}
{{- default 1 (get .Values.config "WEB_CONCURRENCY") | int64 -}}
{{- end -}}

{{/* The most pods that a component has at a time: those of the autoscaler or of `replicas`, and those that a rollout
adds. Takes {root, component}. */}}
{{- define "tally.maxPods" -}}
{{- $values := index .root.Values .component -}}
{{- $pods := ternary (int64 $values.autoscaling.maxReplicas) (include "tally.replicas" . | int64) $values.autoscaling.enabled -}}
{{- $surge := toString .root.Values.rollout.maxSurge -}}
{{- if hasSuffix "%" $surge -}}
{{- $percent := trimSuffix "%" $surge | int64 -}}
{{- add $pods (div (add (mul $pods $percent) 99) 100) -}}
{{- else -}}
{{- add $pods (int64 $surge) -}}
{{- end -}}
{{- end -}}

{{/* Values that a schema cannot check against each other. Every mistake is an error with its remedy. */}}
{{- define "tally.checks" -}}
{{- include "tally.checkShutdown" . -}}
{{- include "tally.checkReplicas" . -}}
{{- include "tally.checkStores" . -}}
{{- include "tally.checkConnections" . -}}
{{- with .Values.gateway -}}
{{- if and .enabled .create (not .className) -}}
{{- fail "gateway.className must name a GatewayClass of the cluster (kubectl get gatewayclass), or gateway.create must be false" -}}
{{- end -}}
{{- if and .enabled (not .create) (not .parentRefs) -}}
{{- fail "gateway.parentRefs must name the listeners of the existing Gateway, or gateway.create must be true" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* After the grace period the platform sends SIGKILL, and every request in flight is lost. The same sum as
shutdownBudgetMs in src/lifecycle/budget.ts, and 2 s for the log. */}}
{{- define "tally.checkShutdown" -}}
{{- with .Values.shutdown -}}
{{- $needed := add (mul 1000 (int64 .preStopSeconds)) (include "tally.milliseconds" .drainMax) (include "tally.milliseconds" .timeout) 5000 2000 -}}
{{- if gt (include "tally.processes" $ | int64) 1 -}}
{{- /* The supervisor waits a second longer than its processes may take, then closes as they do. */ -}}
{{- $needed = add $needed 6000 -}}
{{- end -}}
{{- $granted := mul 1000 (int64 .terminationGracePeriodSeconds) -}}
{{- if gt $needed $granted -}}
{{- fail (printf "shutdown.terminationGracePeriodSeconds is %d, but a shutdown may take %d s: preStopSeconds %d + drainMax %s + timeout %s + time to close. Raise it, or requests in flight are lost" (int64 .terminationGracePeriodSeconds) (div (add $needed 999) 1000) (int64 .preStopSeconds) .drainMax .timeout) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tally.checkReplicas" -}}
{{- range $component := list "api" "worker" -}}
{{- $values := index $.Values $component -}}
{{- if $values.autoscaling.enabled -}}
{{- if not (kindIs "invalid" $values.replicas) -}}
{{- fail (printf "%s.replicas must be empty with %s.autoscaling.enabled: the autoscaler sets the number of pods" $component $component) -}}
{{- end -}}
{{- if gt (int64 $values.autoscaling.minReplicas) (int64 $values.autoscaling.maxReplicas) -}}
{{- fail (printf "%s.autoscaling.minReplicas must not be above maxReplicas" $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tally.checkStores" -}}
{{- with .Values -}}
{{- if .embedded.enabled -}}
{{- if or .api.autoscaling.enabled (gt (include "tally.replicas" (dict "root" $ "component" "api") | int64) 1) -}}
{{- fail "embedded.enabled keeps the data in the pod, so there must be one: leave api.replicas and api.autoscaling.enabled empty" -}}
{{- end -}}
{{- if .migration.enabled -}}
{{- fail "migration.enabled needs a database in PostgreSQL, and embedded.enabled has none" -}}
{{- end -}}
{{- else if not .database.existingSecret -}}
{{- fail "database.existingSecret must name the Secret with the URL of PostgreSQL; for a trial without stores set embedded.enabled" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Above PostgreSQL's limit a pod cannot connect, and it is always a new one of a rollout. */}}
{{- define "tally.checkConnections" -}}
{{- if not .Values.embedded.enabled -}}
{{- $perProcess := add1 (int64 .Values.database.poolSize) -}}
{{- $processes := mul (include "tally.processes" .) (include "tally.maxPods" (dict "root" . "component" "api")) -}}
{{- if and (include "tally.hasWorker" .) (not .Values.redis.existingSecret) -}}
{{- $processes = add $processes (include "tally.maxPods" (dict "root" . "component" "worker")) -}}
{{- end -}}
{{- /* One more is for the migration, one for a backup. */ -}}
{{- $needed := add (mul $processes $perProcess) 2 -}}
{{- if gt $needed (int64 .Values.database.maxConnections) -}}
{{- fail (printf "%d processes with database.poolSize %d may need %d connections, above database.maxConnections %d: lower database.poolSize or the number of pods" $processes (int64 .Values.database.poolSize) $needed (int64 .Values.database.maxConnections)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
