{{- define "trailstream.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "trailstream.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "trailstream.fullname" .) -}}
{{- end -}}

{{- define "trailstream.selector" -}}
app.kubernetes.io/name: trailstream
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "trailstream.labels" -}}
{{ include "trailstream.selector" . }}
app.kubernetes.io/component: worker
app.kubernetes.io/part-of: trailstream
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "trailstream.image" -}}
{{- $repository := required "image.repository is required: build the image with deploy/Dockerfile, push it to a registry of yours, and say --set image.repository=REGISTRY/NAME" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "trailstream.settings" -}}
{{- $data := dict -}}
{{- range $name, $value := .Values.settings -}}
{{- /* Numbers of a file are floats: toString would make 4194304 a text of 4.194304e+06. */ -}}
{{- $_ := set $data $name (kindIs "float64" $value | ternary (toJson $value) (toString $value)) -}}
{{- end -}}
{{- range $name, $key := .Values.secretFiles -}}
{{- if hasKey $data $name -}}
{{- fail (printf "%s is in settings and in secretFiles: leave it out of settings" $name) -}}
{{- end -}}
{{- $_ := set $data (printf "%s_FILE" $name) (printf "/run/secrets/trailstream/%s" $key) -}}
{{- end -}}
{{- toYaml $data -}}
{{- end -}}

{{- define "trailstream.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* What the pods of the Deployment and of the test have in common. */ -}}
{{- define "trailstream.pod" -}}
serviceAccountName: {{ include "trailstream.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
volumes:
  # Each key is a file, which TRAILSTREAM_…_FILE names; a rotated secret is read again without a restart.
  - name: secrets
    secret:
      secretName: {{ .Values.existingSecret | default (include "trailstream.fullname" .) }}
      optional: true
      defaultMode: 0440
{{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What every container has in common. */ -}}
{{- define "trailstream.container" -}}
image: {{ include "trailstream.image" . }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
envFrom:
  - configMapRef:
      name: {{ include "trailstream.fullname" . }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "trailstream.restricted" . | nindent 2 }}
volumeMounts:
  - name: secrets
    mountPath: /run/secrets/trailstream
    readOnly: true
{{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "trailstream.metadata" -}}
name: {{ include "trailstream.fullname" . }}
labels:
  {{- include "trailstream.labels" . | nindent 2 }}
{{- end -}}
