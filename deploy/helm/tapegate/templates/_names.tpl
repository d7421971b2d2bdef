{{- define "tapegate.name" -}}
{{- if or (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name)) (has .Release.Name (list "true" "false" "yes" "no" "on" "off" "null" "y" "n")) }}
{{- fail (printf "the release name %q cannot be the name of a Service: use letters, digits and dashes, with a letter first" .Release.Name) }}
{{- end }}
{{- .Release.Name -}}
{{- end -}}

{{- define "tapegate.selector" -}}
app.kubernetes.io/name: tapegate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tapegate.labels" -}}
{{ include "tapegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tapegate.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "tapegate.name" .) "default") -}}
{{- end -}}
