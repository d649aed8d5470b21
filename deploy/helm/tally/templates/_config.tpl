{{/* The data of the ConfigMap of both programs. The pods have a checksum of it. */}}
{{- define "tally.config" -}}
{{- $settings := dict
  "DRAIN_MIN" .Values.shutdown.drainMin
  "DRAIN_QUIET" .Values.shutdown.drainQuiet
  "DRAIN_MAX" .Values.shutdown.drainMax
  "SHUTDOWN_TIMEOUT" .Values.shutdown.timeout
-}}
{{- if .Values.embedded.enabled -}}
{{- $_ := set $settings "DATA_DIR" "/data" -}}
{{- else -}}
{{- $_ := set $settings "DATABASE_POOL_SIZE" .Values.database.poolSize -}}
{{- end -}}
{{- if .Values.access.existingSecret -}}
{{- $_ := set $settings "API_KEYS_FILE" "/etc/tally/access/api-keys" -}}
{{- $_ := set $settings "ADMIN_TOKEN_FILE" "/etc/tally/access/admin-token" -}}
{{- $_ := set $settings "METRICS_TOKEN_FILE" "/etc/tally/access/metrics-token" -}}
{{- /* Prometheus connects to the pod's address, kubectl port-forward to the pod's loopback address. */ -}}
{{- $_ := set $settings "METRICS_HOST" "0.0.0.0" -}}
{{- end -}}
{{- range $name, $value := merge $settings .Values.config }}
{{- /* Numbers of YAML are floating-point here, and a large one would be printed as 1e+06. */}}
{{- $whole := and (kindIs "float64" $value) (eq (toString $value) (floor $value | toString)) }}
{{ $name }}: {{ ternary (int64 $value | toString) (toString $value) $whole | quote }}
{{- end -}}
{{- end -}}
